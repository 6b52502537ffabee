//! The folder of a run: the whole interface to it.
//!
//! ```text
//! runs/20261121-104500-sft/
//!   recipe.toml      the settings, every one written out
//!   examples.jsonl   what is trained on, frozen at the start
//!   metrics.jsonl    one line a step
//!   samples.jsonl    what the model wrote along the way
//!   status.json      state, step, process; replaced as a whole
//!   device           where it computes, `cpu` or `cuda:0`, as it was last begun
//!   checkpoint-50/   adapter, moments and position, to resume from
//!   start/           the adapter that it started from, if any
//!   reference-….jsonl what the reference says of preference pairs
//!   adapter/         the trained weights, in PEFT's layout
//!   cancel, pause    ask the run to stop or to wait, by being there
//!   output.log       what a detached run's process had to say
//!   lock             held by the process that works on it
//! ```
//!
//! A process that dies lets go of the lock, whatever way it dies: a run that says it is running while nobody holds its
//! lock was interrupted. Process numbers are only told to people, never relied on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

mod files;
mod list;
mod queue;
mod record;
#[cfg(test)]
mod tests;

use files::{append_line, lines, lines_until, read_lines, rewind};
pub(super) use files::{replace, sync_folder};
pub(super) use list::by_number;

pub use list::{RunInfo, list_runs, resolve_run, run_info};
pub use queue::Seat;
pub use record::{RunId, RunState, Sample, Status, StepRecord};

use super::{Example, ObjectiveName, Recipe, TrainingError};
use crate::model::DeviceChoice;

/// How often, and how far apart, a run that seems to be locked is tried again.
const LOCK_TRIES: usize = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// Held by the process that works on a run; letting go of it ends the claim.
#[derive(Debug)]
pub struct RunLock(#[allow(dead_code, reason = "held, never read: the lock lasts as long as the open file")] File);

impl RunFolder {
    /// The folder at `path`, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// A new folder under `parent`, named after the time; a second run in the same second gets a number.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create_in(parent: &Path, at: Timestamp, objective: ObjectiveName) -> Result<Self, TrainingError> {
        fs::create_dir_all(parent).map_err(|error| TrainingError::file(parent, error))?;
        let id = RunId::new(at, objective);
        for attempt in 1.. {
            let name = if attempt == 1 { id.to_string() } else { format!("{id}-{attempt}") };
            let path = parent.join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(TrainingError::file(path, error)),
            }
        }
        unreachable!("the numbers do not end")
    }

    /// A new folder at exactly `path`, which must not hold a run yet.
    ///
    /// # Errors
    /// When it holds one, or cannot be made.
    pub fn create_at(path: &Path) -> Result<Self, TrainingError> {
        fs::create_dir_all(path).map_err(|error| TrainingError::file(path, error))?;
        let folder = Self::at(path);
        if folder.recipe_path().exists() {
            return Err(TrainingError::damaged(path, "there is a run in this folder already; choose another --out"));
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name.
    pub fn id(&self) -> RunId {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        RunId(name.unwrap_or_else(|| self.path.display().to_string()))
    }

    /// `recipe.toml`.
    pub fn recipe_path(&self) -> PathBuf {
        self.path.join("recipe.toml")
    }

    /// `adapter/`: the trained weights.
    pub fn adapter_dir(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// `start/`: the adapter that it started from, if any.
    pub fn start_dir(&self) -> PathBuf {
        self.path.join("start")
    }

    /// `metrics.jsonl`.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    fn samples_path(&self) -> PathBuf {
        self.path.join("samples.jsonl")
    }

    fn examples_path(&self) -> PathBuf {
        self.path.join("examples.jsonl")
    }

    fn status_path(&self) -> PathBuf {
        self.path.join("status.json")
    }

    fn device_path(&self) -> PathBuf {
        self.path.join("device")
    }

    fn cancel_path(&self) -> PathBuf {
        self.path.join("cancel")
    }

    fn pause_path(&self) -> PathBuf {
        self.path.join("pause")
    }

    /// `output.log`: what a detached run's process prints.
    pub fn output_path(&self) -> PathBuf {
        self.path.join("output.log")
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Claims the run for this process.
    ///
    /// # Errors
    /// When another process has it, or the lock file cannot be made.
    pub fn lock(&self) -> Result<RunLock, TrainingError> {
        let path = self.lock_path();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| TrainingError::file(&path, error))?;
        // Whoever only looks whether the run is locked holds it for an instant.
        let mut tries = (0..LOCK_TRIES).map(|at| {
            if at > 0 {
                std::thread::sleep(LOCK_PAUSE);
            }
            file.try_lock()
        });
        let told = tries.find(|tried| !matches!(tried, Err(TryLockError::WouldBlock)));
        match told.unwrap_or(Err(TryLockError::WouldBlock)) {
            Ok(()) => Ok(RunLock(file)),
            Err(TryLockError::WouldBlock) => {
                let pid = self.status().map_or(0, |status| status.pid);
                Err(TrainingError::AlreadyRunning(self.id().to_string(), pid))
            }
            Err(TryLockError::Error(error)) => Err(TrainingError::file(path, error)),
        }
    }

    /// Whether a process works on the run.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.lock_path()) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Writes the recipe.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<(), TrainingError> {
        replace(&self.recipe_path(), recipe.to_toml().as_bytes())
    }

    /// Reads the recipe.
    ///
    /// # Errors
    /// When the file cannot be read, or is no recipe.
    pub fn recipe(&self) -> Result<Recipe, TrainingError> {
        Ok(Recipe::load(&self.recipe_path())?)
    }

    /// Keeps where the run computes. The recipe says what is learnt, on whatever machine; this is about one of them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_device(&self, device: DeviceChoice) -> Result<(), TrainingError> {
        replace(&self.device_path(), format!("{device}\n").as_bytes())
    }

    /// Takes away what a start that came to nothing has written, so that the next run in this folder begins with nothing of it.
    pub(super) fn clear_beginning(&self) {
        // Whatever cannot be removed is refused or written over when the next run begins.
        for path in [self.recipe_path(), self.examples_path(), self.device_path()] {
            let _ = fs::remove_file(path);
        }
        let _ = fs::remove_dir_all(self.start_dir());
    }

    /// Takes away the adapter that an earlier start in this folder was to begin with.
    pub(super) fn clear_start(&self) -> Result<(), TrainingError> {
        match fs::remove_dir_all(self.start_dir()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TrainingError::file(self.start_dir(), error))
            }
            _ => Ok(()),
        }
    }

    /// Where the run computes; `None` where that was not kept, or by a word that this program does not know.
    pub fn device(&self) -> Option<DeviceChoice> {
        fs::read_to_string(self.device_path()).ok()?.trim().parse().ok()
    }

    /// Freezes what is trained on; gives the bytes as stored.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_examples(&self, examples: &[Example]) -> Result<Vec<u8>, TrainingError> {
        let bytes = lines(&self.examples_path(), examples)?;
        replace(&self.examples_path(), &bytes)?;
        Ok(bytes)
    }

    /// Reads what is trained on, with the bytes as stored.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is no example.
    pub fn examples(&self) -> Result<(Vec<Example>, Vec<u8>), TrainingError> {
        let path = self.examples_path();
        let bytes = fs::read(&path).map_err(|error| TrainingError::file(&path, error))?;
        let examples = bytes
            .split(|&byte| byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(at, line)| {
                serde_json::from_slice(line)
                    .map_err(|error| TrainingError::damaged(&path, format!("line {}: {error}", at + 1)))
            })
            .collect::<Result<_, _>>()?;
        Ok((examples, bytes))
    }

    /// Replaces `status.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_status(&self, status: &Status) -> Result<(), TrainingError> {
        let bytes =
            serde_json::to_vec_pretty(status).map_err(|error| TrainingError::damaged(self.status_path(), error))?;
        replace(&self.status_path(), &bytes)
    }

    /// Whether all that a run begins with is there: its status comes last.
    pub fn has_status(&self) -> bool {
        self.status_path().exists()
    }

    /// `status.json`, with the state as it is: a run whose process died is interrupted.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn status(&self) -> Result<Status, TrainingError> {
        let path = self.status_path();
        let bytes = fs::read(&path).map_err(|error| TrainingError::file(&path, error))?;
        let mut status: Status =
            serde_json::from_slice(&bytes).map_err(|error| TrainingError::damaged(&path, error))?;
        if status.state.is_alive() && !self.is_locked() {
            status.state = RunState::Interrupted;
            status.eta_seconds = None;
        }
        Ok(status)
    }

    /// Adds a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_step(&self, record: &StepRecord) -> Result<(), TrainingError> {
        append_line(&self.metrics_path(), record)
    }

    /// Adds a line to `samples.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_sample(&self, sample: &Sample) -> Result<(), TrainingError> {
        append_line(&self.samples_path(), sample)
    }

    /// The steps recorded so far; a last line that is still being written is left out.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn steps(&self) -> Result<Vec<StepRecord>, TrainingError> {
        read_lines(&self.metrics_path())
    }

    /// What the model said along the way.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn samples(&self) -> Result<Vec<Sample>, TrainingError> {
        read_lines(&self.samples_path())
    }

    /// Waits until the steps recorded so far are on the disk.
    ///
    /// # Errors
    /// When the disk says no.
    pub(super) fn sync_metrics(&self) -> Result<(), TrainingError> {
        let path = self.metrics_path();
        match File::open(&path).and_then(|file| file.sync_data()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TrainingError::file(path, error)),
            _ => Ok(()),
        }
    }

    /// Drops what was recorded after `step`: those steps are about to be done again. What stays, stays to the byte.
    ///
    /// # Errors
    /// When a file cannot be rewritten.
    pub fn rewind(&self, step: usize) -> Result<(), TrainingError> {
        rewind(&self.metrics_path(), step)?;
        self.rewind_samples(step)
    }

    /// Drops what the model said after `step`.
    ///
    /// # Errors
    /// When the file cannot be rewritten.
    pub(super) fn rewind_samples(&self, step: usize) -> Result<(), TrainingError> {
        rewind(&self.samples_path(), step)
    }

    /// Removes the trained adapter, if there is one.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(super) fn remove_adapter(&self) -> Result<(), TrainingError> {
        let path = self.adapter_dir();
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TrainingError::file(path, error)),
            _ => Ok(()),
        }
    }

    /// Puts `record` in the place of what was recorded of its step, which is the last.
    ///
    /// # Errors
    /// When the file cannot be rewritten.
    pub(super) fn amend_step(&self, record: &StepRecord) -> Result<(), TrainingError> {
        let path = self.metrics_path();
        let mut bytes = lines_until(&path, record.step.saturating_sub(1))?.unwrap_or_default();
        bytes.extend(lines(&path, std::slice::from_ref(record))?);
        replace(&path, &bytes)
    }

    /// Asks whatever process works on the run to stop after its present step.
    ///
    /// # Errors
    /// When the request cannot be written.
    pub fn request_cancel(&self) -> Result<(), TrainingError> {
        replace(&self.cancel_path(), b"")
    }

    /// Whether someone asked the run to stop.
    pub fn cancel_requested(&self) -> bool {
        self.cancel_path().exists()
    }

    /// Asks whatever process works on the run to wait after its present step, with a checkpoint.
    ///
    /// # Errors
    /// When the request cannot be written.
    pub fn request_pause(&self) -> Result<(), TrainingError> {
        replace(&self.pause_path(), b"")
    }

    /// Whether someone wants the run to wait.
    pub fn pause_requested(&self) -> bool {
        self.pause_path().exists()
    }

    /// Lets a paused run go on.
    pub fn end_pause(&self) {
        // It is fine if there was none.
        let _ = fs::remove_file(self.pause_path());
    }

    /// Forgets requests to stop or to wait.
    pub fn clear_requests(&self) {
        let _ = fs::remove_file(self.cancel_path());
        self.end_pause();
    }
}
