//! One run of a project trains at a time; the others wait and start by themselves.
//!
//! The queue is the run folders themselves. Whoever is to train a run holds that run's lock and says `queued` in its status;
//! the one that has waited longest takes `runs/queue.lock` when it is free, and lets go of it when its run is over, whatever
//! way that is, or while it is paused: then it waits for its turn again. There is no server, a killed process leaves no gap, and screen and shell see the same.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::{RunFolder, RunId, RunState};
use crate::training::TrainingError;

/// How often a waiting run looks whether it is its turn.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The turn to train; letting go of it passes it on.
#[derive(Debug)]
struct Turn(#[allow(dead_code, reason = "held, never read")] Option<File>);

/// A run's place in the queue of its project.
#[derive(Debug)]
pub struct Seat {
    folder: RunFolder,
    turn: Mutex<Option<Turn>>,
}

impl Seat {
    /// The place of the run in `folder`, whose turn it is not yet.
    pub fn of(folder: RunFolder) -> Self {
        Self { folder, turn: Mutex::default() }
    }

    /// Waits until it is the run's turn, whose status says `queued` since `since`; false if `cancelled` turns true meanwhile.
    /// `waiting` is called once, if there is a wait. A run outside of a project's `runs` folder waits for nobody.
    ///
    /// # Errors
    /// When the queue's lock cannot be used.
    pub fn wait(
        &self,
        since: Timestamp,
        cancelled: &dyn Fn() -> bool,
        waiting: impl FnOnce(),
    ) -> Result<bool, TrainingError> {
        let turn = wait_for_turn(&self.folder, since, cancelled, waiting)?;
        let has = turn.is_some();
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
        Ok(has)
    }

    /// Lets the others have the turn, until this one waits for it again.
    pub fn pass_on(&self) {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Waits until it is the turn of the run in `folder`, whose status says `queued` since `since`; `None` if `cancelled` turns
/// true meanwhile. `waiting` is called once, if there is a wait.
fn wait_for_turn(
    folder: &RunFolder,
    since: Timestamp,
    cancelled: &dyn Fn() -> bool,
    waiting: impl FnOnce(),
) -> Result<Option<Turn>, TrainingError> {
    let Some(runs) = queue_of(folder) else { return Ok(Some(Turn(None))) };
    let path = runs.join("queue.lock");
    let mut waiting = Some(waiting);
    loop {
        if cancelled() {
            return Ok(None);
        }
        if is_first(&runs, folder, since) {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(|error| TrainingError::file(&path, error))?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(Turn(Some(file)))),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(TrainingError::file(path, error)),
            }
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// The folder whose runs take turns with this one.
fn queue_of(folder: &RunFolder) -> Option<PathBuf> {
    let absolute = std::path::absolute(folder.path()).ok()?;
    let parent = absolute.parent()?;
    (parent.file_name()? == "runs").then(|| parent.to_path_buf())
}

/// Whether no living run has waited longer.
fn is_first(runs: &Path, folder: &RunFolder, since: Timestamp) -> bool {
    let own = (since, folder.id());
    queued(runs).into_iter().all(|(other, id)| id == own.1 || own <= (other, id))
}

/// The runs that wait, with when they began to.
fn queued(runs: &Path) -> Vec<(Timestamp, RunId)> {
    let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
    let folders = entries.flatten().map(|entry| RunFolder::at(entry.path()));
    // Their statuses alone: this is asked a few times a second, and the histories are long.
    let statuses = folders.filter_map(|folder| Some((folder.status().ok()?, folder.id())));
    statuses.filter(|(status, _)| status.state == RunState::Queued).map(|(status, id)| (status.updated, id)).collect()
}
