//! What if the log said something else: a cursor on its words masks or replaces them, and the verdict moves at once.
//!
//! One scoring is under way at a time; what is changed meanwhile is asked when it comes back, so that no key waits.

use std::ops::Range;

use super::effects::{Effect, Message, Suppose};
use super::state::{Doing, State};
use crate::evaluation::{Change, Counterfactual, changed, log_words};
use crate::logs::{SafeText, VARIABLE};
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::Shared;

/// What stands in the place of which word, by word; a word is there once.
type Words = Vec<(usize, String)>;

/// Changes to the log in front, and what the verdict would be.
#[derive(Clone, Debug, Default)]
pub(super) struct Supposing {
    /// Where its words stand.
    pub words: Vec<Range<usize>>,
    /// The word under the cursor.
    pub at: usize,
    /// The changes that are made.
    pub changes: Words,
    /// The changes as they were before each key, the last last.
    history: Vec<Words>,
    /// The number of the scoring under way, and what it is of.
    under_way: Option<(u64, Words)>,
    /// What the model says of the changes that were scored last, and which those were.
    answer: Option<(Words, Result<Counterfactual, SafeText>)>,
    /// The margin at once of the log as it is, once that is known.
    pub as_it_is: Option<f64>,
}

impl Supposing {
    fn of(log: &str, as_it_is: Option<f64>) -> Self {
        Self { words: log_words(log), as_it_is, ..Self::default() }
    }

    /// What stands in the place of a word.
    pub fn instead_of(&self, word: usize) -> Option<&str> {
        self.changes.iter().find(|(at, _)| *at == word).map(|(_, with)| with.as_str())
    }

    /// What the model says of the log as it is changed now; `None` while that is being scored, or nothing is changed.
    pub fn answer(&self) -> Option<Result<&Counterfactual, &SafeText>> {
        self.answer.as_ref().filter(|(of, _)| *of == self.changes).map(|(_, answer)| answer.as_ref())
    }

    fn changes(&self) -> Vec<Change> {
        let change =
            |(word, with): &(usize, String)| Some(Change { range: self.words.get(*word)?.clone(), with: with.clone() });
        self.changes.iter().filter_map(change).collect()
    }

    /// Puts something in the place of the word under the cursor; with nothing, or the word itself, it stands again.
    fn put(&mut self, with: Option<String>) {
        self.history.push(self.changes.clone());
        self.changes.retain(|(word, _)| *word != self.at);
        self.changes.extend(with.map(|with| (self.at, with)));
        self.changes.sort_unstable();
    }
}

impl State {
    pub(super) fn begin_supposing(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let Some(trace) = self.trace() else {
            return vec![Toast::info("there is no verdict to question yet: press enter on a log").into()];
        };
        if shared.model.path().is_none() {
            return vec![Toast::warning(format!("{} is not here yet", shared.model_name)).into()];
        }
        let supposing = Supposing::of(&trace.input, trace.margin_at_once);
        if supposing.words.is_empty() {
            return Vec::new();
        }
        self.comparing = None;
        self.front = super::state::Front::Trace;
        self.doing = Doing::Supposing(Box::new(supposing));
        Vec::new()
    }

    pub(super) fn supposing(&self) -> Option<&Supposing> {
        match &self.doing {
            Doing::Supposing(supposing) => Some(supposing),
            _ => None,
        }
    }

    fn supposing_mut(&mut self) -> Option<&mut Supposing> {
        match &mut self.doing {
            Doing::Supposing(supposing) => Some(supposing),
            _ => None,
        }
    }

    pub(super) fn travel_words(&mut self, words: isize) {
        if let Some(supposing) = self.supposing_mut() {
            supposing.at = supposing.at.saturating_add_signed(words).min(supposing.words.len().saturating_sub(1));
        }
    }

    pub(super) fn mask_word(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let Some((supposing, trace)) = self.supposing().zip(self.trace()) else { return Vec::new() };
        let masked = supposing.instead_of(supposing.at).is_some();
        let word = supposing.words.get(supposing.at).and_then(|word| trace.input.get(word.clone()));
        if !masked && word == Some(VARIABLE) {
            return vec![Toast::info("this word varies already: e puts something in its place").into()];
        }
        let Some(supposing) = self.supposing_mut() else { return Vec::new() };
        supposing.put((!masked).then(|| VARIABLE.to_owned()));
        self.suppose(shared)
    }

    pub(super) fn ask_for_word(&self) -> Vec<app::Effect> {
        let Some((supposing, trace)) = self.supposing().zip(self.trace()) else { return Vec::new() };
        let word = supposing.words.get(supposing.at).and_then(|word| trace.input.get(word.clone())).unwrap_or_default();
        let now = supposing.instead_of(supposing.at).unwrap_or(word);
        let title = format!("Instead of {word}");
        vec![Prompt::line(title, now, |text| app::Message::Reason(Message::Word(text))).into()]
    }

    pub(super) fn replace_word(&mut self, with: &str, shared: &Shared) -> Vec<app::Effect> {
        let Some((supposing, trace)) = self.supposing().zip(self.trace()) else { return Vec::new() };
        let same = supposing.words.get(supposing.at).and_then(|word| trace.input.get(word.clone())) == Some(with);
        let Some(supposing) = self.supposing_mut() else { return Vec::new() };
        supposing.put((!same).then(|| with.to_owned()));
        self.suppose(shared)
    }

    pub(super) fn undo_change(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let Some(supposing) = self.supposing_mut() else { return Vec::new() };
        match supposing.history.pop() {
            Some(before) => supposing.changes = before,
            None => return vec![Toast::info("nothing of the log is changed").into()],
        }
        self.suppose(shared)
    }

    /// Lets the model reason about the log as it is changed.
    pub(super) fn ask_changed(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let Some((supposing, trace)) = self.supposing().zip(self.trace()) else { return Vec::new() };
        let (log, session) = (changed(&trace.input, &supposing.changes()), trace.session);
        self.doing = Doing::Browsing;
        self.ask(super::state::Question { text: log, session }, shared)
    }

    /// Has the changes scored, unless a scoring is under way or there are none.
    fn suppose(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let Some((supposing, trace)) = self.supposing().zip(self.trace()) else { return Vec::new() };
        if supposing.under_way.is_some() || supposing.changes.is_empty() || supposing.answer().is_some() {
            return Vec::new();
        }
        let Some(path) = shared.model.path() else { return Vec::new() };
        let adapter = match &trace.adapter {
            None => None,
            Some(name) => match self.adapters.iter().find(|adapter| adapter.name == *name) {
                Some(adapter) => Some(adapter.clone()),
                None => return vec![Toast::warning(format!("the adapter {name} is not in this project")).into()],
            },
        };
        let suppose = Suppose {
            number: self.ticket + 1,
            log: trace.input.clone(),
            session: trace.session,
            project: (shared.model_name.clone(), path.clone()),
            model: trace.model.clone(),
            loaded: self.loaded.clone(),
            adapter,
            as_it_is: supposing.as_it_is,
            changes: supposing.changes(),
        };
        self.ticket += 1;
        let number = self.ticket;
        if let Some(supposing) = self.supposing_mut() {
            supposing.under_way = Some((number, supposing.changes.clone()));
        }
        vec![app::Effect::Reason(Effect::Suppose(Box::new(suppose)))]
    }

    /// A scoring is back.
    pub(super) fn supposed(
        &mut self,
        number: u64,
        answer: Result<Counterfactual, String>,
        shared: &Shared,
    ) -> Vec<app::Effect> {
        let Some(supposing) = self.supposing_mut() else { return Vec::new() };
        let Some((_, of)) = supposing.under_way.take_if(|(under_way, _)| *under_way == number) else {
            return Vec::new();
        };
        if let Ok(answer) = &answer {
            supposing.as_it_is = Some(answer.margin - answer.delta);
        }
        supposing.answer = Some((of, answer.map_err(|why| SafeText::one_line(&why))));
        self.suppose(shared)
    }
}
