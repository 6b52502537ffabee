//! What the Reason pane asks of the store and of the model.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::jobs::{self, Loaded};
use super::kept::KeptRow;
use super::state::{Item, Question, Wearing};
use crate::evaluation::{
    Calibration, Change, Contested, Counterfactual, SteppedTrace, calibrations, contest, contest_kept, kept_trace,
    write_trace,
};
use crate::logs::{SafeText, TemplateKey};
use crate::model::LanguageModel;
use crate::reasoning::Pair;
use crate::training::{RunFolder, adapter_of_run, list_runs};
use crate::tui::app::Message as AppMessage;
use crate::tui::effects::Edge;
use crate::tui::panes::PaneId;
use crate::workspace::{TraceFilter, Workspace, WorkspaceError};

/// So many kept traces are listed at most.
const MOST_LISTED: usize = 1000;

/// What the pane wants done.
#[derive(Debug)]
pub enum Effect {
    /// Read the logs and the adapters that there are.
    Load,
    /// Let the model reason.
    Ask(Box<Ask>),
    /// Score a changed log.
    Suppose(Box<Suppose>),
    /// Put a preference pair on disk.
    Keep(Box<Pair>),
    /// List the kept traces.
    ListKept,
    /// Read the kept trace of this id.
    Open(String),
    /// Say that a verdict is wrong.
    Contest {
        /// The question that it answers.
        ticket: u64,
        /// The id of its trace, if that is kept already.
        kept: Option<String>,
        /// Its trace.
        trace: Box<SteppedTrace>,
        /// Why; may be empty.
        why: String,
        /// Who says so.
        by: String,
    },
    /// Write a trace to a file, as the end of its name says.
    Export {
        /// The trace.
        trace: Box<SteppedTrace>,
        /// Where to; relative to the project.
        path: PathBuf,
    },
}

/// A kept trace that was read.
#[derive(Debug)]
pub struct Opened {
    /// Its id.
    pub id: String,
    /// The trace.
    pub trace: Box<SteppedTrace>,
    /// Whether somebody contests its verdict.
    pub contested: bool,
}

/// A question to the model.
#[derive(Debug)]
pub struct Ask {
    /// Its number.
    pub ticket: u64,
    /// What it is about.
    pub question: Question,
    /// The project's model, by its name and its place.
    pub model: (String, PathBuf),
    /// The model that is loaded already, and from where.
    pub loaded: Loaded,
    /// The adapter to wear.
    pub adapter: Option<Wearing>,
    /// Who is asked the same after that, each with a number of their own.
    pub more: Vec<(u64, Option<Wearing>)>,
    /// Whether the verdict comes first.
    pub fast: bool,
    /// What the answer begins with.
    pub begun: String,
    /// Who asks, and keeps the traces.
    pub by: String,
}

/// A log with changes, to be scored as the model of a trace would judge it.
#[derive(Debug)]
pub struct Suppose {
    /// Its number.
    pub number: u64,
    /// The log as it is.
    pub log: String,
    /// Whether it is a session.
    pub session: bool,
    /// The project's model, by its name and its place.
    pub project: (String, PathBuf),
    /// The model of the trace.
    pub model: String,
    /// The model that is loaded already, and from where.
    pub loaded: Loaded,
    /// The adapter of the trace.
    pub adapter: Option<Wearing>,
    /// The margin at once of the log as it is, if that is known.
    pub as_it_is: Option<f64>,
    /// The changes.
    pub changes: Vec<Change>,
}

/// What there is to choose from.
#[derive(Debug)]
pub struct Offer {
    /// The logs.
    pub items: Vec<Item>,
    /// The adapters, the newest first.
    pub adapters: Vec<Wearing>,
    /// What margins were worth in the last evaluations.
    pub calibrations: Vec<Calibration>,
}

/// What comes back.
#[derive(Debug)]
pub enum Message {
    /// What there is to choose from, or why it cannot be read.
    Loaded(Result<Offer, String>),
    /// Another pane, or the typing of the user, brings a log: reason about it. Another pane sends it after
    /// `Effect::Show(PaneId::Reason)`.
    Ask(String),
    /// The lines of a session were typed.
    AskSession(String),
    /// What is to stand in the place of the word under the cursor.
    Word(String),
    /// What the verdict would be, by the number of the scoring, or why that cannot be had.
    Supposed(u64, Result<Counterfactual, String>),
    /// The filter is being typed, or stands.
    Filter(String),
    /// Typing the filter was given up.
    FilterCancelled,
    /// A model is in memory.
    ModelLoaded(PathBuf, Arc<LanguageModel>),
    /// One token more of the answer to this question.
    Written {
        /// Which question.
        ticket: u64,
        /// The text that it adds.
        text: String,
        /// Tokens a second after the first, so far; `None` at the first.
        tokens_per_second: Option<f64>,
    },
    /// The answer to this question.
    Done {
        /// Which question.
        ticket: u64,
        /// What was written.
        trace: Box<SteppedTrace>,
        /// Whether the user stopped it before its end.
        stopped: bool,
    },
    /// The trace of this question, with its margins and evidence; `None` if there are none to be had.
    Weighed(u64, Option<Box<SteppedTrace>>),
    /// The step to branch from, as edited.
    BranchFrom(String),
    /// A preference pair of this id is on disk, or why not.
    Kept(Result<String, String>),
    /// There is no answer to this question, and why.
    Failed(u64, String),
    /// The trace of this question is kept in the project, by this id.
    Stored(u64, String),
    /// The kept traces, the newest first.
    ListedKept(Result<Vec<KeptRow>, String>),
    /// Open the kept trace of this id. Another pane sends it after `Effect::Show(PaneId::Reason)`.
    Open(String),
    /// A kept trace, or why it cannot be read.
    Opened(Result<Opened, String>),
    /// The verdict in front is wrong, for this reason, which may be empty.
    Contest(String),
    /// The verdict of this question is contested, or why not.
    Contested(u64, Result<Contested, String>),
    /// Write the trace in front to this file.
    ExportTo(String),
    /// It is written, to where, or why not.
    Exported(Result<String, String>),
}

fn told<T>(done: Result<T, WorkspaceError>) -> Result<T, String> {
    done.map_err(|error| error.to_string())
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Load => {
            edge.store(|workspace| AppMessage::Reason(Message::Loaded(offer(workspace).map_err(|e| e.to_string()))));
        }
        Effect::ListKept => edge.store(|workspace| {
            let records = workspace.traces(&TraceFilter { limit: Some(MOST_LISTED), ..TraceFilter::default() });
            let rows = records.map(|records| records.iter().map(KeptRow::from).collect());
            AppMessage::Reason(Message::ListedKept(told(rows)))
        }),
        Effect::Open(id) => edge.store(move |workspace| {
            let opened = workspace.trace(&id).and_then(|stored| {
                let trace = Box::new(kept_trace(&stored)?);
                Ok(Opened { id: stored.record.id, trace, contested: stored.record.contested.is_some() })
            });
            AppMessage::Reason(Message::Opened(told(opened)))
        }),
        Effect::Contest { ticket, kept, trace, why, by } => edge.store(move |workspace| {
            let anew = || contest(workspace, &trace, None, Some(&why), &by);
            let contested = match &kept {
                Some(id) => match contest_kept(workspace, id, Some(&why), &by) {
                    // Newer ones have taken its place meanwhile; it is all here.
                    Err(WorkspaceError::NoTrace(_)) => anew(),
                    contested => contested,
                },
                None => anew(),
            };
            AppMessage::Reason(Message::Contested(ticket, told(contested)))
        }),
        Effect::Export { trace, path } => edge.store(move |workspace| {
            let path = workspace.dir().join(path);
            let written = write_trace(&trace, &path).map(|()| path.display().to_string());
            AppMessage::Reason(Message::Exported(told(written)))
        }),
        Effect::Keep(pair) => edge.store(move |workspace| {
            let kept = workspace.add_pair(&pair).map(|()| pair.id).map_err(|error| error.to_string());
            AppMessage::Reason(Message::Kept(kept))
        }),
        Effect::Ask(ask) => {
            let root = edge.root().to_owned();
            edge.spawn(PaneId::Reason, "reason", move |job| {
                jobs::reason(*ask, &root, job);
                // The pane says itself what went wrong, beside the log that it was about.
                Ok(())
            });
        }
        Effect::Suppose(suppose) => {
            let root = edge.root().to_owned();
            edge.spawn_unasked(PaneId::Reason, "what if", move |job| {
                let number = suppose.number;
                let answer = jobs::suppose(*suppose, &root, job);
                job.tell(AppMessage::Reason(Message::Supposed(number, answer)));
                Ok(())
            });
        }
    }
}

fn offer(workspace: &Workspace) -> Result<Offer, WorkspaceError> {
    let doubts: HashSet<TemplateKey> = workspace.disagreements()?.into_iter().map(|doubt| doubt.template).collect();
    let items = workspace.templates()?.into_iter().map(|record| {
        let (name, text) = (SafeText::one_line(&record.key().to_string()), SafeText::one_line(record.text()));
        let haystack = format!("{name} {text}").to_lowercase();
        Item { name, text, raw: record.text().to_owned(), haystack, in_doubt: doubts.contains(record.key()) }
    });
    let adapters = list_runs(&workspace.runs_dir()).into_iter().filter_map(|info| {
        let folder = RunFolder::at(&info.dir);
        let dir = adapter_of_run(&folder).ok()?;
        Some(Wearing { name: info.run.to_string(), dir, model: folder.recipe().ok()?.model })
    });
    Ok(Offer { items: items.collect(), adapters: adapters.collect(), calibrations: calibrations(workspace) })
}
