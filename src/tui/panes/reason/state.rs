//! What the Reason pane shows.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::kept::Opening;
use super::several::Ticks;
use super::step_text::Lens;
use super::what_if::Supposing;
use crate::evaluation::{Calibration, SteppedKind, SteppedStep, SteppedToken, SteppedTrace};
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

/// What the keys mean now.
#[derive(Clone, Debug, Default)]
pub(super) enum Doing {
    /// Going through logs and traces.
    #[default]
    Browsing,
    /// Choosing another token, or an edit of the step, to branch from.
    Branching,
    /// Trying what the verdict would be if the log said something else.
    Supposing(Box<Supposing>),
    /// Ticking whom to ask about one log.
    Ticking(Ticks),
    /// Choosing a kept trace to open.
    Opening(Opening),
}

/// What is asked about: a log, or a session of lines that are judged as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The log; of a session its lines.
    pub text: String,
    /// Whether it is a session.
    pub session: bool,
}

impl Question {
    /// A single log.
    pub fn log(text: impl Into<String>) -> Self {
        Self { text: text.into(), session: false }
    }
}

/// Traces of one log side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// The questions of the traces; the others are compared with the first.
    pub sides: Vec<u64>,
    /// Which of the others is in front, from 1.
    pub front: usize,
    /// The row at the top of the texts.
    pub top: usize,
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
    pub question: Question,
    /// Who is asked: an adapter's name, or none.
    pub adapter: Option<String>,
    /// All that are asked the same in one go, by question; empty where one is asked alone.
    pub with: Vec<u64>,
    /// Who is asked after this, in order: question and adapter.
    pub next: VecDeque<(u64, Option<String>)>,
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
    /// All that were asked the same in one go, by question; empty where one was asked alone.
    pub with: Vec<u64>,
    /// Its id in the project, once it is kept there.
    pub kept: Option<String>,
    /// Whether somebody contests its verdict.
    pub contested: bool,
    /// Why its verdict is to be contested as soon as it is kept.
    pub contest_next: Option<String>,
}

/// What stands on the reasoning's side.
#[derive(Clone, Debug, Default)]
pub(super) enum Board {
    /// Nothing has been asked yet.
    #[default]
    Empty,
    /// A log that waits to be asked about, because the model is not there yet or the last session left it.
    Waiting { question: Question },
    /// It is being written.
    Writing(Writing),
    /// It is there: the one of [`State::past`] that [`State::shown`] says.
    Trace,
    /// It could not be had.
    Failed { question: Question, why: SafeText },
}

/// The Reason pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The logs, or why they cannot be read; `None` while they are on their way for the first time.
    pub(super) items: Option<Result<Vec<Item>, SafeText>>,
    /// Whether what there is to choose from is being read, as it is whenever the pane comes to the front.
    pub(super) reading: bool,
    /// A log to ask about as soon as it is known which adapters there are.
    pub(super) ask_next: Option<Question>,
    /// Which items the filter lets through, by index.
    pub(super) visible: Vec<usize>,
    pub(super) filter: String,
    /// Whether only logs in doubt are listed.
    pub(super) only_in_doubt: bool,
    pub(super) selected: usize,
    /// The items that are marked to be asked about as one session.
    pub(super) marked: BTreeSet<usize>,
    pub(super) rows: ListView,
    /// The adapters there are, the newest first.
    pub(super) adapters: Vec<Wearing>,
    /// What margins were worth in the last evaluations.
    pub(super) calibrations: Vec<Calibration>,
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
    pub(super) doing: Doing,
    /// What the text of a step is shaded by.
    pub(super) lens: Lens,
    /// Traces side by side, while they are shown.
    pub(super) comparing: Option<Comparison>,
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

    pub(super) fn show_past(&mut self, at: usize) {
        (self.board, self.shown) = (Board::Trace, at);
        (self.step, self.token, self.front) = (0, 0, Front::Trace);
        (self.doing, self.comparing) = (Doing::Browsing, None);
    }

    /// The trace that the shown one branches off, if it is a branch and that is still there.
    pub(super) fn parent(&self) -> Option<&Told> {
        self.told_as(self.told()?.parent?)
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

    /// What the reasoning's side is about.
    pub(super) fn question(&self) -> Option<Question> {
        match &self.board {
            Board::Empty => None,
            Board::Writing(writing) => Some(writing.question.clone()),
            Board::Trace => self.trace().map(|trace| Question { text: trace.input.clone(), session: trace.session }),
            Board::Waiting { question } | Board::Failed { question, .. } => Some(question.clone()),
        }
    }

    /// What the keys are about: the selected log, or what the reasoning is about.
    pub(super) fn question_in_front(&self) -> Option<Question> {
        match self.front {
            Front::Logs => self.selected_item().map(|item| Question::log(&item.raw)),
            Front::Trace => self.question(),
        }
    }

    /// The log that the next session of work shall start from.
    pub(super) fn last_log(&self) -> Option<String> {
        let question = self.question().filter(|question| !question.session)?;
        (question.text.len() <= LONGEST_BOOKMARK).then_some(question.text)
    }

    /// A trace of this session by its question.
    pub(super) fn told_as(&self, ticket: u64) -> Option<&Told> {
        self.past.iter().find(|told| told.ticket == ticket)
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
        if let Some(comparison) = &mut self.comparing {
            comparison.top = comparison.top.saturating_add_signed(rows);
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
        if let Some(comparison) = &mut self.comparing {
            let last = comparison.sides.len().saturating_sub(1);
            comparison.front = comparison.front.saturating_add_signed(steps).clamp(1.min(last), last);
            return;
        }
        if !matches!(self.board, Board::Empty) && self.trace().is_none() {
            self.front = Front::Trace;
        }
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
