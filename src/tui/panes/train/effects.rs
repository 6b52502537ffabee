//! What the Train pane reads, and the jobs that it starts.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use crate::model::{DeviceChoice, installed};
use crate::training::{
    self, Base, Event, Place, Recipe, RunFolder, RunId, RunInfo, RunState, Sample, StepRecord, TrainingError,
    accepted_examples, list_runs,
};
use crate::tui::app;
use crate::tui::effects::{Edge, Job};
use crate::tui::panes::PaneId;
use crate::workspace::Workspace;

/// How often a job looks whether it should stop while the run says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What the pane wants done outside.
#[derive(Debug)]
pub enum Effect {
    /// Read the runs, and count what may train.
    Load,
    /// Read the steps of a run.
    ReadSteps(RunId, PathBuf),
    /// Start a run on all accepted rationales.
    Start(Box<Recipe>),
    /// Go on with the run in a folder.
    Resume(PathBuf),
    /// Ask a run of another process to stop.
    RequestCancel(PathBuf),
}

/// What comes back from the pane's effects and prompts.
#[derive(Debug)]
pub enum Message {
    /// The runs were read.
    Loaded(Result<Loaded, String>),
    /// The steps of a run were read.
    Steps(RunId, Result<Course, String>),
    /// Something happened in a run of this workbench.
    Happened(Box<Event>),
    /// A run could not be started at all.
    NotStarted,
    /// A request to stop was left for another process.
    CancelRequested(Result<(), String>),
    /// The user means to stop the run.
    CancelConfirmed,
    /// The user typed a setting.
    Typed(String),
}

/// How a run went so far.
#[derive(Debug)]
pub struct Course {
    /// Its steps.
    pub steps: Vec<StepRecord>,
    /// What the model said when it was last asked.
    pub sample: Option<Sample>,
}

/// The runs, as they were read.
#[derive(Debug)]
pub struct Loaded {
    /// Newest first.
    pub runs: Vec<RunInfo>,
    /// How many rationales may train.
    pub accepted: usize,
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Load => edge.store(|workspace| message(Message::Loaded(load(workspace)))),
        Effect::ReadSteps(run, dir) => edge
            .store(move |_| message(Message::Steps(run, read(&RunFolder::at(dir)).map_err(|error| error.to_string())))),
        Effect::RequestCancel(dir) => edge.store(move |_| {
            let asked = RunFolder::at(dir).request_cancel().map_err(|error| error.to_string());
            message(Message::CancelRequested(asked))
        }),
        Effect::Start(recipe) => {
            let root = edge.root().to_owned();
            edge.spawn(PaneId::Train, "sft", move |job| watched(job, start(&root, *recipe)));
        }
        Effect::Resume(dir) => {
            let root = edge.root().to_owned();
            edge.spawn(PaneId::Train, "sft", move |job| watched(job, resume(&root, dir)));
        }
    }
}

fn message(message: Message) -> app::Message {
    app::Message::Train(message)
}

fn read(folder: &RunFolder) -> Result<Course, TrainingError> {
    Ok(Course { steps: folder.steps()?, sample: folder.samples()?.pop() })
}

fn load(workspace: &Workspace) -> Result<Loaded, String> {
    let accepted = workspace.accepted_rationales().map_err(|error| error.to_string())?.len();
    Ok(Loaded { runs: list_runs(&workspace.runs_dir()), accepted })
}

fn start(root: &std::path::Path, recipe: Recipe) -> Result<training::Job, String> {
    let workspace = Workspace::open(root).map_err(|error| error.to_string())?;
    let examples = accepted_examples(&workspace, &recipe).map_err(|error| error.to_string())?;
    let model = recipe.model.clone().unwrap_or_else(|| workspace.settings().model.clone());
    let base = base(&model)?;
    let recipe = Recipe { model: Some(model), ..recipe };
    training::start(recipe, &examples, None, &Place::In(workspace.runs_dir()), base).map_err(|error| error.to_string())
}

fn resume(root: &std::path::Path, dir: PathBuf) -> Result<training::Job, String> {
    let folder = RunFolder::at(dir);
    let recipe = folder.recipe().map_err(|error| error.to_string())?;
    let model = match recipe.model {
        Some(model) => model,
        None => Workspace::open(root).map_err(|error| error.to_string())?.settings().model.clone(),
    };
    training::resume(folder, base(&model)?).map_err(|error| error.to_string())
}

fn base(model: &str) -> Result<Base, String> {
    let path = installed(model).ok_or_else(|| format!("model {model} is not on this machine: press m to fetch it"))?;
    Ok(Base { path, device: DeviceChoice::default() })
}

/// Hands what happens in a run on to the pane, until it ends.
fn watched(job: &Job, started: Result<training::Job, String>) -> Result<(), String> {
    let run = match started {
        Ok(run) => run,
        Err(why) => {
            job.tell(message(Message::NotStarted));
            return Err(why);
        }
    };
    let mut steps = 0;
    loop {
        if job.is_cancelled() {
            run.cancel.cancel();
        }
        let event = match run.events.recv_timeout(LOOK_EVERY) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => Event::Ended(Err("the training thread ended without a word".into())),
        };
        match &event {
            Event::Started { steps: all, .. } => steps = *all,
            Event::Step { record, .. } => job.progress(format!("{}/{steps}", record.step)),
            Event::Paused { step } => job.progress(format!("{step}/{steps} paused")),
            Event::Queued(_) => job.progress("queued"),
            Event::Preparing(_) | Event::Sampled(_) | Event::Saved { .. } | Event::Ended(_) => {}
        }
        let end = match &event {
            Event::Ended(outcome) => Some(outcome.clone().map(drop)),
            _ => None,
        };
        let progress = matches!(event, Event::Step { .. } | Event::Sampled(_) | Event::Saved { .. });
        let news = message(Message::Happened(Box::new(event)));
        if progress {
            job.report(news)
        } else {
            job.tell(news)
        }
        if let Some(outcome) = end {
            run.join();
            return outcome;
        }
    }
}

/// Whether a run in this state can be gone on with.
pub(super) fn can_resume(state: RunState) -> bool {
    matches!(state, RunState::Cancelled | RunState::Failed | RunState::Interrupted)
}
