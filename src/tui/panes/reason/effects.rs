//! What the Reason pane asks of the store and of the model.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::state::{Item, Wearing};
use crate::evaluation::{Asked, Asking, SteppedTrace, step_through, weigh};
use crate::logs::{SafeText, TemplateKey};
use crate::model::{Adapter, DeviceChoice, LanguageModel, installed};
use crate::reasoning::Pair;
use crate::reasoning::prompt::AnomalyPrompt;
use crate::training::{RunFolder, adapter_of_run, list_runs};
use crate::tui::app::Message as AppMessage;
use crate::tui::effects::{Edge, Job};
use crate::tui::panes::PaneId;
use crate::workspace::{Workspace, WorkspaceError};

/// What the pane wants done.
#[derive(Debug)]
pub enum Effect {
    /// Read the logs and the adapters that there are.
    Load,
    /// Let the model reason.
    Ask(Box<Ask>),
    /// Put a preference pair on disk.
    Keep(Box<Pair>),
}

/// A question to the model.
#[derive(Debug)]
pub struct Ask {
    /// Its number.
    pub ticket: u64,
    /// The log.
    pub log: String,
    /// The project's model, by its name and its place.
    pub model: (String, PathBuf),
    /// The model that is loaded already, and from where.
    pub loaded: Option<(PathBuf, Arc<LanguageModel>)>,
    /// The adapter to wear.
    pub adapter: Option<Wearing>,
    /// Whether the verdict comes first.
    pub fast: bool,
    /// What the answer begins with.
    pub begun: String,
}

/// What there is to choose from.
#[derive(Debug)]
pub struct Offer {
    /// The logs.
    pub items: Vec<Item>,
    /// The adapters, the newest first.
    pub adapters: Vec<Wearing>,
}

/// What comes back.
#[derive(Debug)]
pub enum Message {
    /// What there is to choose from, or why it cannot be read.
    Loaded(Result<Offer, String>),
    /// Another pane, or the typing of the user, brings a log: reason about it. Another pane sends it after
    /// `Effect::Show(PaneId::Reason)`.
    Ask(String),
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
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Load => {
            edge.store(|workspace| AppMessage::Reason(Message::Loaded(offer(workspace).map_err(|e| e.to_string()))));
        }
        Effect::Keep(pair) => edge.store(move |workspace| {
            let kept = workspace.add_pair(&pair).map(|()| pair.id).map_err(|error| error.to_string());
            AppMessage::Reason(Message::Kept(kept))
        }),
        Effect::Ask(ask) => edge.spawn(PaneId::Reason, "reason", move |job| {
            let ticket = ask.ticket;
            if let Err(why) = reason(*ask, job) {
                job.tell(AppMessage::Reason(Message::Failed(ticket, why)));
            }
            // The pane says itself what went wrong, beside the log that it was about.
            Ok(())
        }),
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
    Ok(Offer { items: items.collect(), adapters: adapters.collect() })
}

/// Has the model answer, and tells the trace; then has it weigh what the verdict rests on, and tells that.
fn reason(ask: Ask, job: &Job) -> Result<(), String> {
    let (mut name, mut path) = ask.model;
    if let Some(of_run) = ask.adapter.as_ref().and_then(|adapter| adapter.model.clone()).filter(|m| *m != name) {
        path = installed(&of_run).ok_or_else(|| {
            format!(
                "the adapter was trained on {of_run}, which is not on this machine: run `logwright model pull {of_run}`"
            )
        })?;
        name = of_run;
    }
    let model = match ask.loaded {
        Some((from, model)) if from == path => model,
        _ => {
            job.progress("loading");
            let model = LanguageModel::load(&path, &DeviceChoice::Cpu).map_err(|error| error.to_string())?;
            let model = Arc::new(model);
            job.tell(AppMessage::Reason(Message::ModelLoaded(path, Arc::clone(&model))));
            model
        }
    };
    if job.is_cancelled() {
        return Err("stopped before the first token".to_owned());
    }
    let adapter = ask.adapter.as_ref().map(|adapter| Adapter::load(&adapter.dir, &model)).transpose();
    let adapter = adapter.map_err(|error| error.to_string())?;
    let prompt = AnomalyPrompt::default();
    let asked = Asked {
        model: &model,
        model_name: &name,
        adapter: adapter.as_ref().zip(ask.adapter.as_ref().map(|adapter| adapter.name.as_str())),
        prompt: &prompt,
    };
    let asking = Asking { fast: ask.fast, begun: ask.begun, ..Asking::default() };
    let (mut tokens, mut stopped, mut first) = (0_u32, false, None);
    let trace = step_through(asked, &ask.log, &asking, &mut |text| {
        let since_first = first.get_or_insert_with(Instant::now).elapsed();
        let tokens_per_second = (tokens > 0).then(|| f64::from(tokens) / since_first.as_secs_f64());
        tokens += 1;
        let (ticket, text) = (ask.ticket, text.to_owned());
        job.report(AppMessage::Reason(Message::Written { ticket, text, tokens_per_second }));
        job.progress(format!("{tokens} tokens"));
        stopped = job.is_cancelled();
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let mut trace = trace.map_err(|error| error.to_string())?;
    let ticket = ask.ticket;
    job.tell(AppMessage::Reason(Message::Done { ticket, trace: Box::new(trace.clone()), stopped }));
    job.progress("weighing");
    // A trace that cannot be weighed, because it fills the context, still stands.
    let weighed = !stopped && weigh(asked, &mut trace, true, &mut || !job.is_cancelled()).is_ok();
    job.tell(AppMessage::Reason(Message::Weighed(ticket, weighed.then(|| Box::new(trace)))));
    Ok(())
}
