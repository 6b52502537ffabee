//! Votes of the Label pane: cast, saved, taken back, cast again, commented on.

use super::effects::{Effect, Message, ROUND, Restored};
use super::state::{Doing, State};
use crate::labels::{Judgement, Vote};
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::{Pane as _, Shared};
use crate::tui::widgets::counted;
use crate::workspace::NewVote;

impl State {
    /// Why there can be no vote now, told to the annotator.
    pub(super) fn refusal(&mut self) -> Option<Vec<app::Effect>> {
        if let Some(why) = &self.closed {
            self.doing = Doing::Browsing;
            return Some(vec![Toast::warning(why).into()]);
        }
        if self.selected_item().is_none() || self.batch.as_ref().is_some_and(|batch| batch.ticked.is_empty()) {
            self.doing = Doing::Browsing;
            let untold = self.batch.is_none();
            return Some(if untold { Vec::new() } else { vec![Toast::info("nothing is ticked").into()] });
        }
        None
    }

    /// Casts a judgement on the selected template, or as one decision on all that are ticked.
    pub(super) fn cast(&mut self, judgement: Judgement, shared: &Shared) -> Vec<app::Effect> {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        self.doing = Doing::Browsing;
        let chosen = match &self.batch {
            Some(batch) => batch.chosen(),
            None => self.list.selected().into_iter().collect(),
        };
        // The time is that of the template under the list's cursor; the others of a batch have none of their own.
        let timed = self.list.selected().filter(|item| chosen.contains(item)).or(chosen.first().copied());
        let elapsed_ms = self.watch.elapsed_ms();
        let votes: Vec<NewVote> = chosen
            .into_iter()
            .map(|item| {
                let elapsed = (Some(item) == timed).then_some(elapsed_ms);
                self.new_vote(item, judgement.clone(), elapsed, shared)
            })
            .collect();
        self.casting = Some((judgement, elapsed_ms));
        self.saving = true;
        vec![app::Effect::Label(Effect::Cast(votes))]
    }

    fn new_vote(&self, item: usize, judgement: Judgement, elapsed_ms: Option<u64>, shared: &Shared) -> NewVote {
        let item = &self.items[item];
        let comment = self.drafts.get(&item.key).cloned().or(item.comment.clone()).filter(|text| !text.is_empty());
        NewVote {
            template: item.key.clone(),
            annotator: shared.annotator.clone(),
            judgement,
            round: ROUND,
            comment,
            revealed: self.seen.contains(&item.key),
            elapsed_ms,
            at: None,
        }
    }

    /// A decision is on disk: shows it, and moves on to the next open template if it was on the selected one.
    pub(super) fn saved(&mut self, votes: &[Vote]) -> Vec<app::Effect> {
        self.saving = false;
        let mut indices = Vec::new();
        for vote in votes {
            let Some(index) = self.index_of(&vote.template) else { continue };
            self.show_own(index, Some(vote));
            self.drafts.remove(&vote.template);
            indices.push(index);
        }
        self.count_judged();
        self.last = indices.first().copied().or(self.last);
        let Some((judgement, elapsed_ms)) = self.casting.take() else {
            return vec![Toast::info("comment saved").into()];
        };
        self.session.decided(&judgement, votes.len(), elapsed_ms);
        let on_selected = self.list.selected().is_some_and(|item| indices.contains(&item));
        let mut effects = Vec::new();
        if self.batch.take().is_some() {
            for index in &indices {
                self.marked.remove(index);
            }
            let text = format!("{} on {}; z takes all of it back", judgement.word(), counted(votes.len(), "template"));
            effects.push(Toast::info(text).into());
        }
        if on_selected && self.list.order.selects() {
            // Everything here has a vote: it is gone through row by row.
            self.list.step(1);
        } else if on_selected {
            let next = self.go_to_next_open();
            if effects.is_empty() {
                effects = next;
            }
        }
        effects
    }

    /// Takes over the vote that counts for an item now, and remembers what it reveals.
    fn show_own(&mut self, index: usize, vote: Option<&Vote>) {
        let item = &mut self.items[index];
        item.comment = vote.and_then(|vote| vote.comment.clone());
        item.own = vote.map(|vote| vote.judgement.clone());
        if item.revealed().is_some() {
            self.seen.insert(item.key.clone());
        }
    }

    pub(super) fn go_to_next_open(&mut self) -> Vec<app::Effect> {
        if self.list.select_next_open(&self.items) {
            return Vec::new();
        }
        let all = if self.list.visible.len() == self.items.len() { "every template" } else { "every template shown" };
        vec![Toast::info(format!("{all} has your vote")).into()]
    }

    pub(super) fn undone(&mut self, restored: Vec<Restored>) -> Vec<app::Effect> {
        self.saving = false;
        if restored.is_empty() {
            return vec![Toast::info("there is no vote of yours to take back").into()];
        }
        self.session.took_back();
        vec![Toast::info(format!("took back your vote on {}", self.restore(&restored))).into()]
    }

    pub(super) fn redone(&mut self, restored: Vec<Restored>) -> Vec<app::Effect> {
        self.saving = false;
        if restored.is_empty() {
            return vec![Toast::info("there is nothing that you took back and could cast again").into()];
        }
        self.session.took_again();
        vec![Toast::info(format!("cast again your vote on {}", self.restore(&restored))).into()]
    }

    /// Shows the votes that count now, goes to the first of their templates, and says in words which they were.
    fn restore(&mut self, restored: &[Restored]) -> String {
        let mut indices = Vec::new();
        for Restored { template, own } in restored {
            let Some(index) = self.index_of(template) else { continue };
            self.show_own(index, own.as_ref());
            indices.push(index);
        }
        self.count_judged();
        self.last = None;
        self.batch = None;
        let Some(first) = indices.first().copied() else { return "a template that is gone".to_owned() };
        self.list.select(first, &self.items);
        match indices.len() {
            1 => self.items[first].name.to_string(),
            n => counted(n, "template"),
        }
    }

    /// Does what was asked while a decision was on its way, up to the next one.
    pub(super) fn catch_up(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let mut effects = Vec::new();
        while !self.saving {
            let Some(action) = self.waiting.pop_front() else { break };
            effects.extend(self.act(action, shared));
        }
        effects
    }

    pub(super) fn ask_for_comment(&self) -> Vec<app::Effect> {
        let Some(item) = self.selected_item() else { return Vec::new() };
        let kept = item.comment.as_deref().unwrap_or_default();
        let initial = self.drafts.get(&item.key).map_or(kept, String::as_str);
        let title = format!("Comment on {}", item.name);
        vec![Prompt::area(title, initial, |text| app::Message::Label(Message::Comment(text))).into()]
    }

    /// A comment goes with the vote: at once if there is one, else with the next.
    pub(super) fn comment(&mut self, text: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(index) = self.selected_index() else { return Vec::new() };
        let (key, own) = (self.items[index].key.clone(), self.items[index].own.clone());
        self.drafts.insert(key, text.trim().to_owned());
        match own {
            Some(judgement) if self.closed.is_none() => {
                self.saving = true;
                let vote = self.new_vote(index, judgement, None, shared);
                vec![app::Effect::Label(Effect::Cast(vec![vote]))]
            }
            Some(_) => self.closed.as_ref().map(|why| Toast::warning(why).into()).into_iter().collect(),
            None => vec![Toast::info("the comment goes with your vote").into()],
        }
    }
}
