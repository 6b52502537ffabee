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
    /// Whether the annotators' votes contradict each other.
    pub in_doubt: bool,
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

/// The most traces of a session that are kept to go back to.
const MOST_PAST: usize = 50;

/// The longest log, in bytes, that is remembered for the next start.
const LONGEST_BOOKMARK: usize = 4096;

/// A reasoning that is being written.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub ticket: u64,
    /// The question of the trace that it branches off, if it is a branch.
    pub parent: Option<u64>,
    pub log: String,
    pub text: String,
    pub tokens: usize,
    /// Tokens a second after the first, so far.
    pub tokens_per_second: Option<f64>,
    /// Whether the weights are still being read into memory.
    pub loading: bool,
    /// Whether the user has had enough.
    pub stopping: bool,
}

/// A reasoning of this session.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The number of the question.
    pub ticket: u64,
    pub trace: SteppedTrace,
    /// Whether the margins and the evidence are still being computed.
    pub weighing: bool,
    /// Whether the user stopped it before its end.
    pub stopped: bool,
    /// The question of the trace that it branches off, if it is a branch.
    pub parent: Option<u64>,
}

/// What stands on the reasoning's side.
#[derive(Clone, Debug, Default)]
pub(super) enum Board {
    /// Nothing has been asked yet.
    #[default]
    Empty,
    /// A log that waits to be asked about, because the model is not there yet or the last session left it.
    Waiting { log: String },
    /// It is being written.
    Writing(Writing),
    /// It is there: the one of [`State::past`] that [`State::shown`] says.
    Trace,
    /// It could not be had.
    Failed { log: String, why: SafeText },
}

/// The Reason pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The logs, or why they cannot be read; `None` while they are on their way for the first time.
    pub(super) items: Option<Result<Vec<Item>, SafeText>>,
    /// Whether what there is to choose from is being read, as it is whenever the pane comes to the front.
    pub(super) reading: bool,
    /// A log to ask about as soon as it is known which adapters there are.
    pub(super) ask_next: Option<String>,
    /// Which items the filter lets through, by index.
    pub(super) visible: Vec<usize>,
    pub(super) filter: String,
    /// Whether only logs in doubt are listed.
    pub(super) only_in_doubt: bool,
    pub(super) selected: usize,
    pub(super) rows: ListView,
    /// The adapters there are, the newest first.
    pub(super) adapters: Vec<Wearing>,
    /// The adapter that is worn; `None` is the base model.
    pub(super) adapter: Option<usize>,
    /// Whether the user has chosen what is worn; until then it is the newest adapter.
    pub(super) chosen: bool,
    /// Whether the next question is answered with the verdict first.
    pub(super) fast: bool,
    pub(super) front: Front,
    pub(super) board: Board,
    /// The traces of this session, the newest last.
    pub(super) past: Vec<Told>,
    /// Which of them is the one to step through.
    pub(super) shown: usize,
    pub(super) step: usize,
    pub(super) token: usize,
    pub(super) step_rows: ListView,
    pub(super) token_rows: ListView,
    /// Whether another token, or an edit of the step, is being chosen to branch from.
    pub(super) branching: bool,
    /// The row at the top of the comparison with the trace that the shown one branches off, while that is shown.
    pub(super) comparing: Option<usize>,
    /// The number of the newest question; answers to older ones are dropped.
    pub(super) ticket: u64,
    /// The model that was loaded last, with the path that it was loaded from.
    pub(super) loaded: Option<(PathBuf, Arc<LanguageModel>)>,
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

    pub(super) fn told(&self) -> Option<&Told> {
        match self.board {
            Board::Trace => self.past.get(self.shown),
            _ => None,
        }
    }

    pub(super) fn trace(&self) -> Option<&SteppedTrace> {
        self.told().map(|told| &told.trace)
    }

    /// Keeps a trace as the newest, and shows it from its start.
    pub(super) fn keep(&mut self, told: Told) {
        if self.past.len() == MOST_PAST {
            self.past.remove(0);
        }
        self.past.push(told);
        self.show_past(self.past.len() - 1);
    }

    /// Shows an older or newer trace; from anything else than a trace first the newest. Says whether there is one.
    pub(super) fn travel_past(&mut self, traces: isize) -> bool {
        let to = match self.board {
            Board::Trace => self.shown.checked_add_signed(traces),
            _ => self.past.len().checked_sub(1),
        };
        let there = to.filter(|&at| at < self.past.len());
        if let Some(at) = there {
            self.show_past(at);
        }
        there.is_some()
    }

    fn show_past(&mut self, at: usize) {
        (self.board, self.shown) = (Board::Trace, at);
        (self.step, self.token, self.front) = (0, 0, Front::Trace);
        (self.branching, self.comparing) = (false, None);
    }

    /// The trace that the shown one branches off, if it is a branch and that is still there.
    pub(super) fn parent(&self) -> Option<&Told> {
        let parent = self.told()?.parent?;
        self.past.iter().find(|told| told.ticket == parent)
    }

    /// Whether a trace of this session is still being weighed.
    pub(super) fn is_weighing(&self) -> bool {
        self.past.iter().any(|told| told.weighing)
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
            Board::Trace => self.trace().map(|trace| trace.input.as_str()),
            Board::Waiting { log } | Board::Failed { log, .. } => Some(log),
        }
    }

    /// The log that the keys are about: the selected one, or that of the reasoning.
    pub(super) fn log_in_front(&self) -> Option<&str> {
        match self.front {
            Front::Logs => self.selected_item().map(|item| item.raw.as_str()),
            Front::Trace => self.log(),
        }
    }

    /// The log that the next session shall start from.
    pub(super) fn last_log(&self) -> Option<&str> {
        self.log().filter(|log| log.len() <= LONGEST_BOOKMARK)
    }

    /// Lists only items that hold every word of the filter; the selected one stays selected if it can.
    pub(super) fn set_filter(&mut self, filter: String) {
        let kept = self.visible.get(self.selected).copied();
        let lower = filter.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let listed = |item: &Item| {
            (item.in_doubt || !self.only_in_doubt) && words.iter().all(|word| item.haystack.contains(word))
        };
        self.visible = self.items().iter().enumerate().filter(|(_, item)| listed(item)).map(|(at, _)| at).collect();
        self.selected = kept.and_then(|index| self.visible.iter().position(|&v| v == index)).unwrap_or(0);
        self.filter = filter;
    }

    /// Moves the selection of the side in front: logs, or tokens of the step.
    pub(super) fn travel(&mut self, rows: isize) {
        if let Some(top) = &mut self.comparing {
            *top = top.saturating_add_signed(rows);
            return;
        }
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

    /// Lists everything again.
    pub(super) fn list_all(&mut self) {
        self.only_in_doubt = false;
        self.set_filter(String::new());
    }

    /// Goes to another step, and to its first token.
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

/// Whether all that a step quotes, counts and names stands in the log; `None` where it does none of that.
pub(super) fn is_grounded(trace: &SteppedTrace, step: usize) -> Option<bool> {
    let mut hard = trace.grounding.iter().filter(|claim| claim.step == step && claim.kind.is_hard()).peekable();
    hard.peek()?;
    Some(hard.all(|claim| claim.in_log))
}

/// The least probable token of a step.
pub(super) fn lowest(step: &SteppedStep) -> Option<&SteppedToken> {
    step.tokens.iter().min_by(|a, b| a.probability.total_cmp(&b.probability))
}
