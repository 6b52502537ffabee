//! What the Reason pane shows.

use std::path::PathBuf;
use std::sync::Arc;

use crate::evaluation::{SteppedKind, SteppedStep, SteppedToken, SteppedTrace};
use crate::logs::SafeText;
use crate::model::LanguageModel;
use crate::tui::widgets::ListView;

/// A log to pick.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its template's name on the screen.
    pub name: SafeText,
    /// Its text, on one line.
    pub text: SafeText,
    /// Its text as the model gets it.
    pub raw: String,
    /// Name and text in lower case, for the filter.
    pub haystack: String,
}

/// An adapter that the model can wear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wearing {
    /// The run that made it.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The model that it was trained on, where its run says.
    pub model: Option<String>,
}

/// Which side has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Front {
    /// The logs.
    #[default]
    Logs,
    /// The reasoning.
    Trace,
}

/// A reasoning that is being written.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub ticket: u64,
    pub log: String,
    pub text: String,
    pub tokens: usize,
}

/// What stands on the reasoning's side.
#[derive(Clone, Debug, Default)]
pub(super) enum Board {
    /// Nothing has been asked yet.
    #[default]
    Empty,
    /// It is being written.
    Writing(Writing),
    /// It is there.
    Trace(Box<SteppedTrace>),
    /// It could not be had.
    Failed { log: String, why: SafeText },
}

/// The Reason pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The logs, or why they cannot be read; `None` while they are on their way for the first time.
    pub(super) items: Option<Result<Vec<Item>, SafeText>>,
    /// Which items the filter lets through, by index.
    pub(super) visible: Vec<usize>,
    pub(super) filter: String,
    pub(super) selected: usize,
    pub(super) rows: ListView,
    /// The adapters there are, the newest first.
    pub(super) adapters: Vec<Wearing>,
    /// The adapter that is worn; `None` is the base model.
    pub(super) adapter: Option<usize>,
    /// Whether the user has chosen what is worn; until then it is the newest adapter.
    pub(super) chosen: bool,
    pub(super) front: Front,
    pub(super) board: Board,
    pub(super) step: usize,
    pub(super) token: usize,
    pub(super) step_rows: ListView,
    pub(super) token_rows: ListView,
    /// The number of the newest question; answers to older ones are dropped.
    pub(super) ticket: u64,
    /// The model that was loaded last, with the path that it was loaded from.
    pub(super) loaded: Option<(PathBuf, Arc<LanguageModel>)>,
    pub(super) wanted: Option<String>,
}

impl State {
    pub(super) fn items(&self) -> &[Item] {
        self.items.as_ref().and_then(|items| items.as_ref().ok()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn selected_item(&self) -> Option<&Item> {
        self.items().get(*self.visible.get(self.selected)?)
    }

    pub(super) fn worn(&self) -> Option<&Wearing> {
        self.adapters.get(self.adapter?)
    }

    pub(super) fn trace(&self) -> Option<&SteppedTrace> {
        match &self.board {
            Board::Trace(trace) => Some(trace),
            _ => None,
        }
    }

    pub(super) fn current_step(&self) -> Option<&SteppedStep> {
        self.trace()?.steps.get(self.step)
    }

    pub(super) fn current_token(&self) -> Option<&SteppedToken> {
        self.current_step()?.tokens.get(self.token)
    }

    /// The log that stands on the reasoning's side.
    pub(super) fn log(&self) -> Option<&str> {
        match &self.board {
            Board::Empty => None,
            Board::Writing(writing) => Some(&writing.log),
            Board::Trace(trace) => Some(&trace.input),
            Board::Failed { log, .. } => Some(log),
        }
    }

    /// Shows only items that hold every word of the filter; the selected one stays selected if it can.
    pub(super) fn set_filter(&mut self, filter: String) {
        let kept = self.visible.get(self.selected).copied();
        let lower = filter.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let holds = |item: &Item| words.iter().all(|word| item.haystack.contains(word));
        self.visible = (0..self.items().len()).filter(|&index| holds(&self.items()[index])).collect();
        self.selected = kept.and_then(|index| self.visible.iter().position(|&v| v == index)).unwrap_or(0);
        self.filter = filter;
    }

    /// Moves the selection of the side in front: logs, or tokens of the step.
    pub(super) fn travel(&mut self, rows: isize) {
        let (at, len) = match self.front {
            Front::Logs => (self.selected, self.visible.len()),
            Front::Trace => (self.token, self.current_step().map_or(0, |step| step.tokens.len())),
        };
        let to = at.saturating_add_signed(rows).min(len.saturating_sub(1));
        match self.front {
            Front::Logs => self.selected = to,
            Front::Trace => self.token = to,
        }
    }

    pub(super) fn page(&self) -> isize {
        let rows = if self.front == Front::Logs { &self.rows } else { &self.token_rows };
        isize::try_from(rows.page()).unwrap_or(isize::MAX)
    }

    /// Goes to another step, and in front of it.
    pub(super) fn travel_steps(&mut self, steps: isize) {
        let Some(trace) = self.trace() else { return };
        let to = self.step.saturating_add_signed(steps).min(trace.steps.len().saturating_sub(1));
        if self.front == Front::Trace && to != self.step {
            (self.step, self.token) = (to, 0);
        }
        self.front = Front::Trace;
    }

    /// Goes to the least probable token of the whole trace.
    pub(super) fn go_to_least_sure(&mut self) {
        let Some(trace) = self.trace() else { return };
        let places = trace.steps.iter().enumerate().flat_map(|(step, s)| (0..s.tokens.len()).map(move |t| (step, t)));
        let probability = |&(step, token): &(usize, usize)| trace.steps[step].tokens[token].probability;
        if let Some((step, token)) = places.min_by(|a, b| probability(a).total_cmp(&probability(b))) {
            (self.step, self.token, self.front) = (step, token, Front::Trace);
        }
    }
}

/// The name of a stretch of the text: its number, or that it is the answer.
pub(super) fn step_name(index: usize, step: &SteppedStep) -> String {
    match step.kind {
        SteppedKind::Step => (index + 1).to_string(),
        SteppedKind::Answer => "answer".to_owned(),
    }
}
