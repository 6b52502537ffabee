//! Starting and resuming runs: everything from a recipe and examples to a thread that trains.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use jiff::Timestamp;

use super::build::{build, keep_start};
use super::run::RunLock;
use super::{
    CancelFlag, Checkpoint, Event, Example, LoraRecipe, Recipe, RunFolder, RunState, Status, Summary, Trainer,
    TrainingError, examples_digest,
};
use crate::model::{Adapter, DeviceChoice, LanguageModel, LoraSettings, Target};

/// Stack of the training thread: candle walks a graph by recursion.
const STACK_BYTES: usize = 64 << 20;

/// Where a new run's folder goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into this folder, under a name made from the time.
    In(PathBuf),
    /// Exactly here.
    At(PathBuf),
}

/// The model that a run starts from.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its file or folder.
    pub path: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// A run that is going on in a thread of this process.
pub struct Job {
    /// Its folder.
    pub folder: RunFolder,
    /// What happens, as it happens; ends with [`Event::Ended`].
    pub events: Receiver<Event>,
    /// Asks it to stop.
    pub cancel: CancelFlag,
    thread: JoinHandle<()>,
}

impl Job {
    /// Waits until the thread has ended; the run's lock is free then.
    pub fn join(self) {
        // The thread catches its own panics and tells of them as an event.
        let _ = self.thread.join();
    }
}

/// Starts what `recipe` says on `examples` in a thread, from the adapter in the folder `from` or else from a fresh one.
///
/// # Errors
/// When there is nothing to train on, the recipe cannot work, or the run's folder cannot be made. Whatever goes wrong
/// later is told by [`Event::Ended`] and the folder's status.
pub fn start(
    recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    place: &Place,
    base: Base,
) -> Result<Job, TrainingError> {
    let mut recipe = recipe.completed().validated()?;
    let wanted = |example: &&Example| {
        recipe.data.tasks.is_empty() || recipe.data.tasks.iter().any(|task| task == example.task.as_str())
    };
    let examples: Vec<Example> = examples.iter().filter(wanted).cloned().collect();
    if examples.is_empty() {
        return Err(TrainingError::NothingAccepted(recipe.learns_from()));
    }
    lora_settings(&recipe.lora, recipe.seed)?;
    let folder = match place {
        Place::In(parent) => RunFolder::create_in(parent, Timestamp::now(), recipe.objective)?,
        Place::At(path) => RunFolder::create_at(path)?,
    };
    let lock = folder.lock()?;
    if let Some(from) = from {
        recipe.lora = keep_start(from, &folder, recipe.lora)?;
    }
    folder.write_recipe(&recipe)?;
    folder.write_examples(&examples)?;
    spawn(folder, lock, recipe, base, Timestamp::now())
}

/// Goes on with a run that was cancelled, failed or interrupted, from its last checkpoint or else from its start.
///
/// # Errors
/// When another process works on it, it is finished, or its folder cannot be read.
pub fn resume(folder: RunFolder, base: Base) -> Result<Job, TrainingError> {
    let lock = folder.lock()?;
    let status = folder.status().ok();
    if status.as_ref().is_some_and(|status| status.state == RunState::Finished) {
        return Err(TrainingError::Finished(folder.id().to_string()));
    }
    let recipe = folder.recipe()?.validated()?;
    let started = status.map_or_else(Timestamp::now, |status| status.started);
    spawn(folder, lock, recipe, base, started)
}

fn spawn(
    folder: RunFolder,
    lock: RunLock,
    recipe: Recipe,
    base: Base,
    started: Timestamp,
) -> Result<Job, TrainingError> {
    let (sender, events) = unbounded();
    let cancel = CancelFlag::default();
    folder.clear_requests();
    folder.write_status(&Status::new(RunState::Running, 0, recipe.length.steps.unwrap_or(0), started))?;
    let work = Work { folder: folder.clone(), recipe, base, started, sender, cancel: cancel.clone() };
    let thread = thread::Builder::new()
        .name("training".into())
        .stack_size(STACK_BYTES)
        .spawn(move || work.run(lock))
        .map_err(|error| TrainingError::Thread(error.to_string()))?;
    Ok(Job { folder, events, cancel, thread })
}

/// What the thread works with.
struct Work {
    folder: RunFolder,
    recipe: Recipe,
    base: Base,
    started: Timestamp,
    sender: Sender<Event>,
    cancel: CancelFlag,
}

impl Work {
    fn run(self, lock: RunLock) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.train()))
            .unwrap_or_else(|panic| Err(TrainingError::Thread(panic_text(&*panic))));
        if let Err(error) = &outcome {
            let (step, steps) = self.folder.status().map_or((0, 0), |status| (status.step, status.steps));
            let mut status = Status::new(RunState::Failed, step, steps, self.started);
            status.message = Some(error.to_string());
            // Whoever listens is told the error itself.
            let _ = self.folder.write_status(&status);
        }
        // Before the last event, so that whoever hears it finds the run free.
        drop(lock);
        self.tell(Event::Ended(outcome.map_err(|error| error.to_string())));
    }

    fn train(&self) -> Result<Summary, TrainingError> {
        self.tell(Event::Preparing(self.folder.id()));
        let (examples, stored) = self.folder.examples()?;
        let checkpoint = Checkpoint::latest(&self.folder);
        let model = LanguageModel::load(&self.base.path, &self.base.device)?;
        let adapter = match &checkpoint {
            Some(checkpoint) => Adapter::load(&checkpoint.adapter_dir(), &model)?,
            None if self.folder.start_dir().is_dir() => Adapter::load(&self.folder.start_dir(), &model)?,
            None => Adapter::new(&model, &lora_settings(&self.recipe.lora, self.recipe.seed)?)?,
        };
        let (objective, data) = build(model, adapter, &examples, &self.recipe, &self.folder, checkpoint.as_ref())?;
        let events = |event| self.tell(event);
        let trainer = Trainer {
            folder: &self.folder,
            recipe: &self.recipe,
            data,
            examples_sha256: examples_digest(&stored),
            started: self.started,
            events: &events,
            cancel: &self.cancel,
            held_out: &[],
            measure: None,
        };
        trainer.run(&*objective, checkpoint.as_ref())
    }

    fn tell(&self, event: Event) {
        // A listener that left does not stop the run.
        let _ = self.sender.send(event);
    }
}

fn lora_settings(recipe: &LoraRecipe, seed: u64) -> Result<LoraSettings, TrainingError> {
    let target = |name: &String| {
        Target::from_name(name).ok_or_else(|| {
            let known = Target::ALL.map(Target::name).join(", ");
            TrainingError::Model(format!("lora.targets: {name:?} is no linear layer; there are {known}"))
        })
    };
    let targets = recipe.targets.iter().map(target).collect::<Result<_, _>>()?;
    let (rank, alpha, dropout) = (recipe.rank, recipe.alpha as f32, recipe.dropout as f32);
    Ok(LoraSettings { rank, alpha, rank_stabilized: recipe.rank_stabilized, dropout, targets, seed })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

/// The folder of the adapter that a run gave: the trained one, else that of its last checkpoint.
///
/// # Errors
/// When it has neither yet.
pub fn adapter_of_run(folder: &RunFolder) -> Result<PathBuf, TrainingError> {
    let whole = |dir: &Path| dir.join("adapter_config.json").is_file();
    let trained = folder.adapter_dir();
    if whole(&trained) {
        return Ok(trained);
    }
    Checkpoint::latest(folder)
        .map(|checkpoint| checkpoint.adapter_dir())
        .filter(|dir| whole(dir))
        .ok_or_else(|| TrainingError::damaged(folder.path(), "this run has no adapter yet; let it reach a checkpoint"))
}
