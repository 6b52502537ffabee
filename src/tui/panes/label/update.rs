//! How the Label pane changes: actions and messages in, effects out.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::actions::CATEGORY;
use super::effects::{Effect, Message, ROUND, Undone};
use super::state::{Loading, State};
use super::{Action, Item};
use crate::labels::{Judgement, Vote};
use crate::logs::SafeText;
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::{Pane, Shared};
use crate::workspace::NewVote;

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        // A digit pressed ahead of the disk means what it will mean once the keys before it are dealt with.
        let choosing = self.waiting.iter().fold(self.choosing, |choosing, action| match action {
            Action::Abnormal => true,
            Action::Category(_) | Action::NoCategory | Action::Cancel => false,
            _ => choosing,
        });
        if choosing { CATEGORY } else { Mode::BROWSE }
    }

    /// Reads again each time: others may have voted, or templates come in, meanwhile.
    fn enter(&mut self, shared: &Shared) -> Vec<app::Effect> {
        vec![app::Effect::Label(Effect::Load(shared.annotator.clone()))]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        if self.saving {
            self.waiting.push_back(action);
            return Vec::new();
        }
        match action {
            Action::Normal => self.cast(Judgement::Normal, shared),
            Action::Unsure => self.cast(Judgement::Unsure, shared),
            Action::Skip => self.cast(Judgement::Skip, shared),
            Action::Abnormal => {
                self.choosing = self.selected_item().is_some();
                Vec::new()
            }
            Action::Category(digit) => match shared.taxonomy.by_digit(digit) {
                Some(category) => self.cast(Judgement::Abnormal(Some(category.clone())), shared),
                None => Vec::new(),
            },
            Action::NoCategory => self.cast(Judgement::Abnormal(None), shared),
            Action::Cancel => {
                self.choosing = false;
                Vec::new()
            }
            Action::Undo => {
                self.saving = true;
                vec![app::Effect::Label(Effect::Undo(shared.annotator.clone()))]
            }
            Action::Comment => self.ask_for_comment(),
            Action::NextOpen => self.go_to_next_open(),
            Action::Filter => {
                let ask = Prompt::line("Filter: words in id or text", &self.filter, |text| {
                    app::Message::Label(Message::FilterDone(text))
                });
                let ask = ask.on_change(|text| app::Message::Label(Message::Filter(text)));
                vec![ask.on_cancel(|| app::Message::Label(Message::FilterCancelled)).into()]
            }
            Action::ClearFilter => {
                self.set_filter(String::new());
                Vec::new()
            }
            Action::Copy => match self.selected_item() {
                Some(item) => {
                    let copied = app::Effect::Copy(item.text.as_str().to_owned());
                    vec![copied, Toast::info("template copied").into()]
                }
                None => Vec::new(),
            },
            Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last => {
                self.travel(action);
                Vec::new()
            }
        }
    }

    fn receive(&mut self, message: Message, shared: &Shared) -> Vec<app::Effect> {
        match message {
            Message::Loaded(Ok(items)) => {
                self.take_items(items);
                Vec::new()
            }
            Message::Loaded(Err(why)) => {
                self.loading = Loading::Failed(SafeText::one_line(&why));
                Vec::new()
            }
            Message::Saved(vote) => {
                let mut effects = self.saved(&vote);
                effects.extend(self.catch_up(shared));
                effects
            }
            Message::Undone(undone) => {
                let mut effects = self.undone(undone);
                effects.extend(self.catch_up(shared));
                effects
            }
            Message::Failed(why) => {
                // What was asked on the strength of a vote that failed is not done to another template.
                self.saving = false;
                self.waiting.clear();
                vec![Toast::error(why).into()]
            }
            Message::Filter(text) | Message::FilterDone(text) => {
                self.set_filter(text);
                Vec::new()
            }
            Message::FilterCancelled => {
                self.set_filter(String::new());
                Vec::new()
            }
            Message::Comment(text) => self.comment(text, shared),
        }
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        super::view::view(self, shared, frame, area);
    }

    fn bookmark(&self) -> Option<String> {
        self.selected_item().map(|item| item.key.to_string()).or_else(|| self.wanted.clone())
    }

    fn return_to(&mut self, bookmark: &str) {
        self.wanted = Some(bookmark.to_owned());
    }
}

impl State {
    /// Takes a freshly read list, keeping the selection, or going where the last session was left.
    fn take_items(&mut self, items: Vec<Item>) {
        let wanted = self.selected_item().map(|item| item.key.to_string()).or(self.wanted.take());
        let last = self.last.map(|index| self.items[index].key.clone());
        self.items = items;
        self.count_judged();
        self.loading = Loading::Done;
        self.last = last.and_then(|key| self.items.iter().position(|item| item.key == key));
        self.visible.clear();
        let filter = std::mem::take(&mut self.filter);
        self.set_filter(filter);
        let found = wanted.and_then(|name| self.items.iter().position(|item| item.key.to_string() == name));
        match found {
            Some(index) => self.select(index),
            // The first start: the first template that waits for a vote.
            None => {
                self.selected = self.visible.len().saturating_sub(1);
                if !self.select_next_open() {
                    self.selected = 0;
                }
            }
        }
    }

    fn travel(&mut self, action: Action) {
        let page = isize::try_from(self.rows.page()).unwrap_or(isize::MAX);
        self.step(match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::PageDown => page,
            Action::PageUp => -page,
            Action::Last => isize::MAX,
            _ => isize::MIN,
        });
    }

    fn cast(&mut self, judgement: Judgement, shared: &Shared) -> Vec<app::Effect> {
        self.choosing = false;
        let Some(item) = self.selected_item() else { return Vec::new() };
        let key = item.key.clone();
        let kept = item.comment.as_ref().map(|comment| comment.as_str().to_owned());
        let revealed = item.revealed().is_some();
        let comment = self.drafts.get(&key).cloned().or(kept).filter(|text| !text.is_empty());
        self.saving = true;
        vec![app::Effect::Label(Effect::Cast(NewVote {
            template: key,
            annotator: shared.annotator.clone(),
            judgement,
            round: ROUND,
            comment,
            revealed,
            elapsed_ms: None,
            at: None,
        }))]
    }

    /// A vote is on disk: shows it, and moves on to the next open template if it was on the selected one.
    fn saved(&mut self, vote: &Vote) -> Vec<app::Effect> {
        self.saving = false;
        let Some(index) = self.items.iter().position(|item| item.key == vote.template) else { return Vec::new() };
        let item = &mut self.items[index];
        let only_commented = item.own.as_ref() == Some(&vote.judgement) && self.drafts.contains_key(&vote.template);
        item.own = Some(vote.judgement.clone());
        item.comment = vote.comment.as_deref().map(SafeText::one_line);
        self.drafts.remove(&vote.template);
        self.count_judged();
        self.last = Some(index);
        if only_commented {
            return vec![Toast::info("comment saved").into()];
        }
        self.cast += 1;
        if self.selected_index() == Some(index) { self.go_to_next_open() } else { Vec::new() }
    }

    fn go_to_next_open(&mut self) -> Vec<app::Effect> {
        if self.select_next_open() {
            return Vec::new();
        }
        let all = if self.filter.is_empty() { "every template" } else { "every template that the filter shows" };
        vec![Toast::info(format!("{all} has your vote")).into()]
    }

    fn undone(&mut self, undone: Option<Undone>) -> Vec<app::Effect> {
        self.saving = false;
        let Some(Undone { template, before }) = undone else {
            return vec![Toast::info("there is no vote of yours to take back").into()];
        };
        let Some(index) = self.items.iter().position(|item| item.key == template) else { return Vec::new() };
        let item = &mut self.items[index];
        item.comment = before.as_ref().and_then(|vote| vote.comment.as_deref()).map(SafeText::one_line);
        item.own = before.map(|vote| vote.judgement);
        let text = format!("took back your vote on {}", item.name);
        self.count_judged();
        self.last = None;
        self.cast = self.cast.saturating_sub(1);
        self.select(index);
        vec![Toast::info(text).into()]
    }

    /// Does what was asked while a vote was on its way, up to the next vote.
    fn catch_up(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let mut effects = Vec::new();
        while !self.saving {
            let Some(action) = self.waiting.pop_front() else { break };
            effects.extend(self.act(action, shared));
        }
        effects
    }

    fn ask_for_comment(&self) -> Vec<app::Effect> {
        let Some(item) = self.selected_item() else { return Vec::new() };
        let kept = item.comment.as_ref().map(SafeText::as_str).unwrap_or_default();
        let initial = self.drafts.get(&item.key).map_or(kept, String::as_str);
        let title = format!("Comment on {}", item.name);
        vec![Prompt::line(title, initial, |text| app::Message::Label(Message::Comment(text))).into()]
    }

    /// A comment goes with the vote: at once if there is one, else with the next.
    fn comment(&mut self, text: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(item) = self.selected_item() else { return Vec::new() };
        let (key, own) = (item.key.clone(), item.own.clone());
        self.drafts.insert(key, text.trim().to_owned());
        match own {
            Some(judgement) => self.cast(judgement, shared),
            None => vec![Toast::info("the comment goes with your vote").into()],
        }
    }
}
