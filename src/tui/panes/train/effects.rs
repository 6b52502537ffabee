//! What the Train pane reads, and the jobs that it starts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use crate::model::{DeviceChoice, installed};
use crate::training::{
    self, Base, CancelFlag, Estimate, Event, Launch, Means, Place, Recipe, RunFolder, RunId, RunInfo, RunState, Sample,
    StepRecord, Supply, TrainingError, list_runs, project_device, run_info,
};
use crate::tui::app;
use crate::tui::effects::{Edge, Job};
use crate::tui::measuring;
use crate::tui::panes::PaneId;
use crate::workspace::Workspace;

/// How often a job looks whether it should stop while the run says nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How often the folders of other processes' runs are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Held while a step is tried: a run that starts waits for its end, so as not to share memory and cores with it, and not to be
/// refused for want of what is free a moment later.
static TRYING: Mutex<()> = Mutex::new(());

fn trying() -> MutexGuard<'static, ()> {
    // It guards nothing that a panic could leave half done.
    TRYING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What it learns, and how.
    pub recipe: Recipe,
    /// Where it computes; `None`: as the project says.
    pub device: Option<DeviceChoice>,
}

/// What the pane wants done outside.
#[derive(Debug)]
pub enum Effect {
    /// Read the runs, and count what may train.
    Load,
    /// Read the steps of a run.
    ReadSteps(RunId, PathBuf),
    /// Read the steps of a run that others are to be compared with.
    ReadCompared(RunId, PathBuf),
    /// Start a run on what is accepted.
    Start(Box<Wanted>),
    /// Start it in a process of its own.
    StartDetached(Box<Wanted>),
    /// Say what such a run would take, unless the flag is set before that is known.
    Estimate(Box<Wanted>, CancelFlag),
    /// Nobody wants to know that any more.
    StopEstimate(CancelFlag),
    /// Go on with the run in a folder.
    Resume(PathBuf),
    /// Ask a run of another process to stop.
    RequestCancel(PathBuf),
    /// Ask a run, of whatever process, to wait.
    RequestPause(PathBuf),
    /// Let a run that waits go on.
    EndPause(PathBuf),
    /// Follow the runs of other processes until all are over.
    Watch,
}

/// What comes back from the pane's effects and prompts.
#[derive(Debug)]
pub enum Message {
    /// The runs were read.
    Loaded(Result<Loaded, String>),
    /// The steps of a run were read.
    Steps(RunId, Result<Course, String>),
    /// The steps of the run to compare with were read.
    ComparedSteps(RunId, Result<Course, String>),
    /// Something happened in a run of this workbench.
    Happened(Box<Event>),
    /// Something changed in the folder of another process's run.
    Seen(Box<RunInfo>, Result<Course, String>),
    /// A run could not be started at all.
    NotStarted,
    /// A run goes on in a process of its own.
    Detached(RunId, u32),
    /// What such a run would take.
    Estimated(Box<Wanted>, Result<Box<Estimate>, String>),
    /// A request to stop was left for another process.
    CancelRequested(Result<(), String>),
    /// A request to wait or to go on was left.
    Asked(Result<&'static str, String>),
    /// The user means to stop the run.
    CancelConfirmed,
    /// No other process trains any more, or nobody looks.
    NothingToWatch,
    /// The user typed a setting.
    Typed(String),
}

/// How a run went so far.
#[derive(Debug, Default)]
pub struct Course {
    /// Its steps.
    pub steps: Vec<StepRecord>,
    /// What the model said along the way.
    pub samples: Vec<Sample>,
    /// Its recipe.
    pub recipe: Option<Box<Recipe>>,
}

/// The runs, as they were read.
#[derive(Debug)]
pub struct Loaded {
    /// Newest first.
    pub runs: Vec<RunInfo>,
    /// What there is to learn from.
    pub supply: Supply,
    /// Where the project computes, unless its settings name something else than a device: that is told by what needs it.
    pub device: Option<DeviceChoice>,
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Load => edge.store(|workspace| message(Message::Loaded(load(workspace)))),
        Effect::ReadSteps(run, dir) => edge.store(move |_| message(Message::Steps(run, read(&RunFolder::at(dir))))),
        Effect::ReadCompared(run, dir) => {
            edge.store(move |_| message(Message::ComparedSteps(run, read(&RunFolder::at(dir)))));
        }
        Effect::RequestCancel(dir) => edge.store(move |_| {
            let asked = RunFolder::at(dir).request_cancel().map_err(|error| error.to_string());
            message(Message::CancelRequested(asked))
        }),
        Effect::RequestPause(dir) => edge.store(move |_| {
            let folder = RunFolder::at(dir);
            if folder.pause_requested() {
                folder.end_pause();
                return message(Message::Asked(Ok("it goes on: the pause is taken back")));
            }
            let asked = folder.request_pause().map_err(|error| error.to_string());
            message(Message::Asked(asked.map(|()| "it waits after its present step, with a checkpoint")))
        }),
        Effect::EndPause(dir) => edge.store(move |_| {
            RunFolder::at(dir).end_pause();
            message(Message::Asked(Ok("it goes on")))
        }),
        Effect::Start(wanted) => {
            let root = edge.root().to_owned();
            let name = wanted.recipe.objective.as_str();
            edge.spawn(PaneId::Train, name, move |job| watched(job, start(&root, *wanted)));
        }
        Effect::StartDetached(wanted) => {
            let root = edge.root().to_owned();
            edge.spawn(PaneId::Train, "starting", move |job| {
                let started = detached(&root, *wanted);
                job.tell(message(match &started {
                    Ok((run, process)) => Message::Detached(run.clone(), *process),
                    Err(_) => Message::NotStarted,
                }));
                started.map(drop)
            });
        }
        Effect::Estimate(wanted, stop) => {
            let root = edge.root().to_owned();
            edge.spawn_unasked(PaneId::Train, "estimate", move |job| {
                let stopped = || stop.is_set() || job.is_cancelled();
                let estimated = estimate(&root, (*wanted).clone(), &stopped).map(Box::new);
                if !stopped() {
                    job.tell(message(Message::Estimated(wanted, estimated)));
                }
                Ok(())
            });
        }
        Effect::StopEstimate(stop) => stop.cancel(),
        Effect::Resume(dir) => {
            let root = edge.root().to_owned();
            edge.spawn(PaneId::Train, "train", move |job| watched(job, resume(&root, dir)));
        }
        Effect::Watch => {
            let root = edge.root().to_owned();
            edge.spawn_unasked(PaneId::Train, "watching", move |job| {
                if let Ok(runs) = Workspace::open(&root).map(|workspace| workspace.runs_dir()) {
                    watch(job, &runs);
                }
                job.tell(message(Message::NothingToWatch));
                Ok(())
            });
        }
    }
}

fn message(message: Message) -> app::Message {
    app::Message::Train(message)
}

fn read(folder: &RunFolder) -> Result<Course, String> {
    let course = || -> Result<Course, TrainingError> {
        Ok(Course { steps: folder.steps()?, samples: folder.samples()?, recipe: folder.recipe().ok().map(Box::new) })
    };
    course().map_err(|error| error.to_string())
}

fn load(workspace: &Workspace) -> Result<Loaded, String> {
    let supply = Supply::of(workspace).map_err(|error| error.to_string())?;
    let device = project_device(Some(workspace)).ok();
    Ok(Loaded { runs: list_runs(&workspace.runs_dir()), supply, device })
}

/// Reports what changes in the folders of other processes' runs, until all are over or the user leaves.
fn watch(job: &Job, runs: &Path) {
    let mut alive: HashMap<PathBuf, (RunState, usize, u64)> = HashMap::new();
    while !job.is_cancelled() {
        let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
        for folder in entries.map(|entry| RunFolder::at(entry.path())) {
            let Ok(status) = folder.status() else { continue };
            let lines = std::fs::metadata(folder.metrics_path()).map_or(0, |metadata| metadata.len());
            let (path, now) = (folder.path().to_path_buf(), (status.state, status.step, lines));
            let going = status.state.is_alive() && status.pid != std::process::id();
            let before = if going { alive.insert(path, now) } else { alive.remove(&path) };
            if !going && before.is_none() || before == Some(now) {
                continue;
            }
            let Some(info) = run_info(&folder) else { continue };
            let news = message(Message::Seen(Box::new(info), read(&folder)));
            if going {
                job.report(news);
            } else {
                job.tell(news);
            }
        }
        if alive.is_empty() {
            return;
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

/// The run that is asked for in the project, as the command line begins it, and where its folder goes.
fn launch(root: &Path, Wanted { recipe, device }: Wanted) -> Result<(Launch, Place), TrainingError> {
    let workspace = Workspace::open(root).map_err(|error| TrainingError::Model(error.to_string()))?;
    let means = Means { model: None, device, measure: Some(measuring::held_out_f1()) };
    Ok((Launch::of(recipe, &workspace, means)?, Place::In(workspace.runs_dir())))
}

fn start(root: &Path, wanted: Wanted) -> Result<training::Job, String> {
    drop(trying());
    launch(root, wanted).and_then(|(launch, place)| launch.start(&place)).map_err(|error| error.to_string())
}

fn detached(root: &Path, wanted: Wanted) -> Result<(RunId, u32), String> {
    drop(trying());
    let begun = launch(root, wanted).and_then(|(launch, place)| launch.detach(&place));
    begun.map(|(folder, process)| (folder.id(), process)).map_err(|error| error.to_string())
}

fn estimate(root: &Path, wanted: Wanted, stopped: &(dyn Fn() -> bool + Sync)) -> Result<Estimate, String> {
    let _alone = trying();
    launch(root, wanted).and_then(|(launch, _)| launch.estimate(stopped)).map_err(|error| error.to_string())
}

fn resume(root: &Path, dir: PathBuf) -> Result<training::Job, String> {
    drop(trying());
    let folder = RunFolder::at(dir);
    let recipe = folder.recipe().map_err(|error| error.to_string())?;
    let model = match recipe.model {
        Some(model) => model,
        None => Workspace::open(root).map_err(|error| error.to_string())?.settings().model.clone(),
    };
    training::resume(folder, base(&model)?).map_err(|error| error.to_string())
}

fn base(model: &str) -> Result<Base, String> {
    let path = installed(model).ok_or_else(|| TrainingError::NoModel(model.to_owned()).to_string())?;
    // Where it computed before.
    Ok(Base { path, device: None, measure: Some(measuring::held_out_f1()) })
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
    matches!(state, RunState::Cancelled | RunState::Failed | RunState::Interrupted | RunState::Damaged)
}
