//! Starting and resuming runs: everything from a recipe and examples to a thread that trains.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use jiff::Timestamp;

use super::build::{Keep, build, keep_start};
use super::estimate::{largest_batch, needed_bytes, refusal};
use super::run::{RunLock, wait_for_turn};
use super::{
    CancelFlag, Checkpoint, DataSettings, DataSummary, Estimate, Event, Example, LoraRecipe, Measure, Objective,
    ObjectiveName, OfLog, Recipe, RunFolder, RunState, Status, Summary, Trainer, TrainingError, examples_digest,
    memory::Room, split_dev, tokenize, tokenize_pairs, tokenize_prompts,
};
use crate::model::{Adapter, DeviceChoice, LanguageModel, LoraSettings, Target, default_device};

/// Stack of the training thread: candle walks a graph by recursion.
const STACK_BYTES: usize = 64 << 20;

/// How readily the threads that train are served, of 99; the threads that answer people have 50. On Linux this is a niceness of
/// about 10 for the thread alone, so that the screen's thread keeps its own.
#[cfg(unix)]
const PRIORITY: u8 = 25;

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

/// Makes the folder of a new run, for [`resume`] or [`super::detach`] to work on, where it is to compute on `device`.
///
/// # Errors
/// As [`start`].
pub fn prepare(
    recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    place: &Place,
    device: DeviceChoice,
) -> Result<RunFolder, TrainingError> {
    let recipe = recipe.completed().validated()?;
    let examples = wanted(&recipe, examples)?;
    lora_settings(&recipe.lora, recipe.seed)?;
    let now = Timestamp::now();
    let folder = match place {
        Place::In(parent) => RunFolder::create_in(parent, now, recipe.objective)?,
        Place::At(path) => RunFolder::create_at(path)?,
    };
    // Held until all is there, so that nobody takes it for what a kill left behind.
    let _lock = folder.lock()?;
    folder.write_device(device)?;
    fill(&folder, recipe, &examples, from, now)?;
    Ok(folder)
}

/// Writes all that a run begins with.
fn fill(
    folder: &RunFolder,
    mut recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    now: Timestamp,
) -> Result<(), TrainingError> {
    if let Some(from) = from {
        recipe.lora = keep_start(from, folder, recipe.lora)?;
    }
    folder.write_examples(examples)?;
    folder.write_recipe(&recipe)?;
    folder.write_status(&Status::new(RunState::Queued, 0, recipe.length.steps.unwrap_or(0), now))
}

/// The examples that the recipe's tasks ask for.
fn wanted(recipe: &Recipe, examples: &[Example]) -> Result<Vec<Example>, TrainingError> {
    let wanted = |example: &&Example| {
        recipe.data.tasks.is_empty() || recipe.data.tasks.iter().any(|task| task.parse() == Ok(example.task))
    };
    let what = recipe.learns_from();
    if examples.is_empty() {
        return Err(TrainingError::NothingAccepted { what, pending: None });
    }
    let wanted: Vec<Example> = examples.iter().filter(wanted).cloned().collect();
    if wanted.is_empty() {
        return Err(TrainingError::NoneOfTasks(examples.len(), what, recipe.data.tasks.join(", ")));
    }
    Ok(wanted)
}

/// What a run would take, from one step that is thrown away; see [`Estimate`]. Takes as long as loading the model and that
/// step; between them, and within the step where the objective can, it ends once `cancelled` holds.
///
/// # Errors
/// As [`start`], when the model cannot be loaded, and when it was cancelled.
pub fn estimate(
    recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    base: &Base,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Estimate, TrainingError> {
    let recipe = recipe.completed().validated()?;
    let examples = wanted(&recipe, examples)?;
    let go_on = || if cancelled() { Err(TrainingError::NotTried) } else { Ok(()) };
    let work = || {
        go_on()?;
        super::memory::forget_peak();
        let model = LanguageModel::load(&base.path, &base.device())?;
        go_on()?;
        let (objective, data, lengths) = {
            // The folder of the start's adapter alone, and gone before the step is tried: a program that is left meanwhile
            // leaves nothing behind.
            let place = tempfile::Builder::new().prefix("logwright-estimate-").tempdir();
            let place = place.map_err(|error| TrainingError::file(std::env::temp_dir(), error))?;
            let folder = RunFolder::create_at(&place.path().join("run"))?;
            let mut recipe = recipe.clone();
            if let Some(from) = from {
                recipe.lora = keep_start(from, &folder, recipe.lora)?;
            }
            let adapter = first_adapter(&folder, &model, &recipe)?;
            go_on()?;
            let uncut = uncut_lengths(&examples, &model, &recipe)?;
            go_on()?;
            let (objective, data) = build(model, adapter, &examples, &recipe, &folder, Keep::Nothing)?;
            let built = || (0..objective.examples()).map(|example| objective.tokens(example)).collect();
            let lengths: Vec<usize> = uncut.unwrap_or_else(built);
            (objective, data, lengths)
        };
        go_on()?;
        super::estimate::estimate(&*objective, &recipe, data, &lengths, cancelled)
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("estimate".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, work).map_err(|error| TrainingError::Thread(error.to_string()))?;
        thread.join().unwrap_or_else(|panic| Err(TrainingError::Thread(panic_text(&*panic))))
    })
}

/// How long the examples are before any cut; `None` for pairs, which are told as they are trained on.
fn uncut_lengths(
    examples: &[Example],
    model: &LanguageModel,
    recipe: &Recipe,
) -> Result<Option<Vec<usize>>, TrainingError> {
    Ok(match recipe.objective {
        ObjectiveName::Sft => {
            let whole = DataSettings { max_length: usize::MAX, ..recipe.data.clone() };
            let tokenized = tokenize(examples, model, &whole)?.0;
            Some(tokenized.into_iter().map(|example| example.tokens.len()).collect())
        }
        ObjectiveName::Grpo => {
            let prompts = tokenize_prompts(examples, model, &recipe.data)?.0;
            Some(prompts.into_iter().map(|prompt| prompt.tokens.len()).collect())
        }
        ObjectiveName::Dpo => None,
    })
}

/// The adapter that a run begins with: the one that it starts from, or a fresh one.
fn first_adapter(folder: &RunFolder, model: &LanguageModel, recipe: &Recipe) -> Result<Adapter, TrainingError> {
    if folder.start_dir().is_dir() {
        return load_adapter(&folder.start_dir(), model, recipe);
    }
    Ok(Adapter::new(model, &lora_settings(&recipe.lora, recipe.seed)?)?)
}

/// An adapter to train on: its shape and scale are its own, and how much of it is dropped is the recipe's.
fn load_adapter(dir: &Path, model: &LanguageModel, recipe: &Recipe) -> Result<Adapter, TrainingError> {
    Ok(Adapter::load(dir, model)?.with_dropout(recipe.lora.dropout as f32))
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
        let Some(_turn) = wait_for_turn(&self.folder, self.since, &cancelled, waiting)? else {
            return self.left_the_queue();
        };
        let pool = background_pool()?;
        pool.install(|| self.train())
    }

    /// Someone cancelled it before it was its turn.
    fn left_the_queue(&self) -> Result<Summary, TrainingError> {
        self.folder.clear_requests();
        let (step, steps) = self.folder.status().map_or((0, 0), |status| (status.step, status.steps));
        let status = Status::new(RunState::Cancelled, step, steps, self.started);
        self.folder.write_status(&status)?;
        Summary::of(&self.folder, &status, &DataSummary::default(), None)
    }

    fn train(&self) -> Result<Summary, TrainingError> {
        let (step, steps) = self.folder.status().map_or((0, 0), |status| (status.step, status.steps));
        self.folder.write_status(&Status::new(RunState::Running, step, steps, self.started))?;
        self.tell(Event::Preparing(self.folder.id()));
        let (examples, stored) = self.folder.examples()?;
        let checkpoint = Checkpoint::latest(&self.folder);
        let model = LanguageModel::load(&self.base.path, &self.device)?;
        let adapter = match &checkpoint {
            Some(checkpoint) => load_adapter(&checkpoint.adapter_dir(), &model, &self.recipe)?,
            None => first_adapter(&self.folder, &model, &self.recipe)?,
        };
        let note = model.note().map(str::to_owned);
        let held_out = held_out(&examples, &model, &self.recipe)?;
        let (objective, data) =
            build(model, adapter, &examples, &self.recipe, &self.folder, Keep::From(checkpoint.as_ref()))?;
        refuse_large_batch(&*objective, &self.recipe)?;
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
        };
        trainer.run(&*objective, checkpoint.as_ref())
    }

    fn tell(&self, event: Event) {
        // A listener that left does not stop the run.
        let _ = self.sender.send(event);
    }
}

/// What is held out, as text, where the recipe wants the model to be asked about it.
fn held_out(examples: &[Example], model: &LanguageModel, recipe: &Recipe) -> Result<Vec<Example>, TrainingError> {
    if !recipe.length.evaluate_answers {
        return Ok(Vec::new());
    }
    let max_length = recipe.data.max_length.min(model.config().context);
    let settings = DataSettings { max_length, ..recipe.data.clone() };
    fn ids<T: OfLog>(examples: Vec<T>, recipe: &Recipe, id: impl Fn(&T) -> &str) -> HashSet<String> {
        let (_, dev) = split_dev(examples, &recipe.data, recipe.seed);
        dev.iter().map(|example| id(example).to_owned()).collect()
    }
    let held = match recipe.objective {
        ObjectiveName::Sft => ids(tokenize(examples, model, &settings)?.0, recipe, |example| &example.id),
        ObjectiveName::Dpo => ids(tokenize_pairs(examples, model, &settings)?.0, recipe, |pair| &pair.id),
        ObjectiveName::Grpo => ids(tokenize_prompts(examples, model, &settings)?.0, recipe, |it| &it.example.id),
    };
    Ok(examples.iter().filter(|example| held.contains(&example.id)).cloned().collect())
}

/// A run whose largest batch does not fit is not begun.
fn refuse_large_batch(objective: &dyn Objective, recipe: &Recipe) -> Result<(), TrainingError> {
    let Some((model, adapter)) = objective.wearing() else { return Ok(()) };
    let rows = objective.rows(&largest_batch(objective, recipe.data.batch));
    let needed = needed_bytes(model, adapter, rows, objective.writing_bytes());
    refusal(needed, Room::of(model), recipe, rows).map_or(Ok(()), |why| Err(TrainingError::DoesNotFit(why)))
}

/// Threads that train while people work: as many as there are cores, and the system serves everybody else first.
fn background_pool() -> Result<rayon::ThreadPool, TrainingError> {
    rayon::ThreadPoolBuilder::new()
        .thread_name(|at| format!("training-{at}"))
        .stack_size(STACK_BYTES)
        .start_handler(|_| yield_to_others())
        .build()
        .map_err(|error| TrainingError::Thread(error.to_string()))
}

/// From now on this thread runs when others of this machine do not want to.
fn yield_to_others() {
    #[cfg(unix)]
    if let Ok(priority) = thread_priority::ThreadPriorityValue::try_from(PRIORITY) {
        // Where the system refuses, training goes on as before.
        let _ = thread_priority::set_current_thread_priority(thread_priority::ThreadPriority::Crossplatform(priority));
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

/// The folder of the adapter that a run gave: the trained one, else that of its last checkpoint. A run that goes on removes
/// the trained one first.
///
/// # Errors
/// When it has neither yet.
pub fn adapter_of_run(folder: &RunFolder) -> Result<PathBuf, TrainingError> {
    let checkpoint = Checkpoint::latest(folder).map(|checkpoint| checkpoint.adapter_dir());
    let mut places = [Some(folder.adapter_dir()), checkpoint].into_iter().flatten();
    places
        .find(|dir| dir.join("adapter_config.json").is_file())
        .ok_or_else(|| TrainingError::damaged(folder.path(), "this run has no adapter yet; let it reach a checkpoint"))
}

#[cfg(test)]
mod tests;
