//! Starting and resuming runs: everything from a recipe and examples to a thread that trains.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use jiff::Timestamp;

use super::background::{background_pool, builder, panic_text};
use super::build::{Keep, build};
use super::estimate::fits;
use super::held_out::held_out;
use super::prepare::{first_adapter, load_adapter};
use super::run::{RunLock, Seat};
use super::{
    CancelFlag, Checkpoint, DataSummary, Event, Example, Measure, Recipe, RunFolder, RunState, Status, Summary,
    Trainer, TrainingError, examples_digest, prepare,
};
use crate::model::{DeviceChoice, LanguageModel, default_device};

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
    /// Where to compute. `None`: where the run did before, and a new one as [`default_device`] says.
    pub device: Option<DeviceChoice>,
    /// Asks the model about what is held out, where the recipe wants that.
    pub measure: Option<Measure>,
}

impl Base {
    /// Where a new run computes.
    pub fn device(&self) -> DeviceChoice {
        self.device.unwrap_or_else(default_device)
    }
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
    resume(prepare(recipe, examples, from, place, base.device())?, base)
}

/// Goes on with a run that was prepared, cancelled, failed or interrupted, from its last checkpoint or else from its start,
/// as soon as no other run of the project trains.
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
    let before = folder.status().ok();
    let (step, steps) = before.map_or((0, recipe.length.steps.unwrap_or(0)), |status| (status.step, status.steps));
    let queued = Status::new(RunState::Queued, step, steps, started);
    folder.write_status(&queued)?;
    let since = queued.updated;
    // What was kept of no device was begun before devices were kept, on the CPU.
    let device = base.device.or_else(|| folder.device()).unwrap_or_default();
    folder.write_device(device)?;
    let work = Work { folder: folder.clone(), recipe, base, device, started, since, sender, cancel: cancel.clone() };
    let thread =
        builder("training").spawn(move || work.run(lock)).map_err(|error| TrainingError::Thread(error.to_string()))?;
    Ok(Job { folder, events, cancel, thread })
}

/// What the thread works with.
struct Work {
    folder: RunFolder,
    recipe: Recipe,
    base: Base,
    device: DeviceChoice,
    started: Timestamp,
    /// Since when it waits for its turn.
    since: Timestamp,
    sender: Sender<Event>,
    cancel: CancelFlag,
}

impl Work {
    fn run(self, lock: RunLock) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.wait_and_train()))
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

    fn wait_and_train(&self) -> Result<Summary, TrainingError> {
        let cancelled = || self.cancel.is_set() || self.folder.cancel_requested();
        let waiting = || self.tell(Event::Queued(self.folder.id()));
        let seat = Seat::of(self.folder.clone());
        if !seat.wait(self.since, &cancelled, waiting)? {
            return self.left_the_queue();
        }
        let pool = background_pool()?;
        pool.install(|| self.train(&seat))
    }

    /// Someone cancelled it before it was its turn.
    fn left_the_queue(&self) -> Result<Summary, TrainingError> {
        self.folder.clear_requests();
        let (step, steps) = self.folder.status().map_or((0, 0), |status| (status.step, status.steps));
        let status = Status::new(RunState::Cancelled, step, steps, self.started);
        self.folder.write_status(&status)?;
        Summary::of(&self.folder, &status, &DataSummary::default(), None)
    }

    fn train(&self, seat: &Seat) -> Result<Summary, TrainingError> {
        let (step, steps) = self.folder.status().map_or((0, 0), |status| (status.step, status.steps));
        self.folder.write_status(&Status::new(RunState::Running, step, steps, self.started))?;
        self.tell(Event::Preparing(self.folder.id()));
        let (examples, stored) = self.folder.examples()?;
        let (checkpoint, fell_back) = self.last_checkpoint()?;
        let model = LanguageModel::load(&self.base.path, &self.device)?;
        let adapter = match &checkpoint {
            Some(checkpoint) => load_adapter(&checkpoint.adapter_dir(), &model, &self.recipe)?,
            None => first_adapter(&self.folder, &model, &self.recipe)?,
        };
        let notes: Vec<String> = model.note().map(str::to_owned).into_iter().chain(fell_back).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        let held_out = held_out(&examples, &model, &self.recipe, self.base.measure.as_ref())?;
        let (objective, data) =
            build(model, adapter, &examples, &self.recipe, &self.folder, Keep::From(checkpoint.as_ref()))?;
        if let (_, _, Some(why)) = fits(&*objective, &self.recipe, data.longest) {
            return Err(TrainingError::DoesNotFit(why));
        }
        let events = |event| self.tell(event);
        let trainer = Trainer {
            folder: &self.folder,
            recipe: &self.recipe,
            data,
            examples_sha256: examples_digest(&stored),
            started: self.started,
            events: &events,
            cancel: &self.cancel,
            held_out: &held_out,
            measure: self.base.measure.as_ref(),
            note,
            seat: Some(seat),
        };
        trainer.run(&*objective, checkpoint.as_ref())
    }

    /// The checkpoint to go on from, and what to say where that is not the newest.
    fn last_checkpoint(&self) -> Result<(Option<Checkpoint>, Option<String>), TrainingError> {
        let (found, damaged) = Checkpoint::search(&self.folder);
        let Some(newest) = damaged.into_iter().next() else { return Ok((found, None)) };
        let Some(found) = found else {
            let why = format!("{}; no other checkpoint is whole. Remove this folder to begin the run anew", newest.why);
            return Err(TrainingError::damaged(newest.path, why));
        };
        let (path, why, step) = (newest.path.display(), newest.why, found.progress.step);
        let note = format!("{path} is damaged ({why}), so the run goes on from the checkpoint of step {step}");
        Ok((Some(found), Some(note)))
    }

    fn tell(&self, event: Event) {
        // A listener that left does not stop the run.
        let _ = self.sender.send(event);
    }
}

#[cfg(test)]
mod tests;
