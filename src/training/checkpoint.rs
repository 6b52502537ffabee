//! Checkpoints: what a run needs to go on to the same weights.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::{replace, sync_folder};
use super::{AdamW, LengthSettings, Objective, RunFolder, TrainingError};

const PREFIX: &str = "checkpoint-";

/// What is added to the name of a checkpoint while another one of the same step takes its place.
const ASIDE: &str = ".old";

/// `progress.json` of a checkpoint: the position in the run. Everything else follows from it and the recipe: the
/// learning rate, the batches, and whatever is drawn at random.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps to do in all: the schedule depends on it.
    pub steps: usize,
    /// SHA-256 of what is trained on.
    pub examples_sha256: String,
    /// The best evaluation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Evaluations since then.
    #[serde(default)]
    pub waited: usize,
    /// The evaluation after `step` was broken off and is still to be made.
    #[serde(default)]
    pub owed: bool,
}

/// An evaluation that none has surpassed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps done.
    pub step: usize,
    /// What was measured; the lower the better (an F1 is here with its sign turned).
    pub value: f64,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    path: PathBuf,
    /// The position in the run.
    pub progress: Progress,
}

impl Checkpoint {
    /// Writes a checkpoint – in full, or not at all – and drops all but the newest and the best, as `length` says.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(
        folder: &RunFolder,
        objective: &dyn Objective,
        optimizer: &AdamW,
        progress: &Progress,
        length: &LengthSettings,
    ) -> Result<(), TrainingError> {
        let path = folder.path().join(format!("{PREFIX}{}", progress.step));
        let partial = folder.path().join(format!("{PREFIX}{}.partial", progress.step));
        remove(&partial)?;
        fs::create_dir_all(&partial).map_err(|error| TrainingError::file(&partial, error))?;
        objective.save(&partial.join("adapter"))?;
        optimizer.save(&partial.join("optimizer.safetensors"))?;
        objective.save_state(&partial)?;
        let json = serde_json::to_vec_pretty(progress).map_err(|error| TrainingError::damaged(&partial, error))?;
        replace(&partial.join("progress.json"), &json)?;
        // All of it is on the disk before it has its name, and its name is before an older one goes.
        folder.sync_metrics()?;
        sync_all(&partial)?;
        // One of this very step moves aside first, where it is still found if all ends here.
        let aside = folder.path().join(format!("{PREFIX}{}{ASIDE}", progress.step));
        if aside.is_dir() && !path.is_dir() {
            // The only one: all ended here once before.
            fs::rename(&aside, &path).map_err(|error| TrainingError::file(&aside, error))?;
        }
        remove(&aside)?;
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrainingError::file(&path, error));
            }
            _ => {}
        }
        fs::rename(&partial, &path).map_err(|error| TrainingError::file(&path, error))?;
        sync_folder(folder.path())?;
        remove(&aside)?;
        let best = progress.best.filter(|_| length.keep_best).map(|best| best.step);
        for (step, old) in numbered(folder).into_iter().rev().skip(length.keep_last.max(1)) {
            if Some(step) != best {
                remove(&old)?;
            }
        }
        Ok(())
    }

    /// The newest whole checkpoint of a run.
    pub fn latest(folder: &RunFolder) -> Option<Self> {
        numbered(folder).into_iter().rev().find_map(|(step, path)| Self::read(step, path))
    }

    /// The checkpoint after `step`, if there is a whole one.
    pub fn of_step(folder: &RunFolder, step: usize) -> Option<Self> {
        let (step, path) = numbered(folder).into_iter().find(|(number, _)| *number == step)?;
        Self::read(step, path)
    }

    fn read(step: usize, path: PathBuf) -> Option<Self> {
        let json = fs::read(path.join("progress.json")).ok()?;
        let progress: Progress = serde_json::from_slice(&json).ok()?;
        (progress.step == step).then_some(Self { path, progress })
    }

    /// The adapter's weights, in PEFT's layout.
    pub fn adapter_dir(&self) -> PathBuf {
        self.path.join("adapter")
    }

    /// The optimiser's moments.
    pub fn moments_path(&self) -> PathBuf {
        self.path.join("optimizer.safetensors")
    }
}

/// The checkpoints of a run by step, oldest first; partial ones are passed over.
fn numbered(folder: &RunFolder) -> Vec<(usize, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder.path()) else { return Vec::new() };
    let mut found: Vec<(usize, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?.strip_prefix(PREFIX)?;
            let number = name.strip_suffix(ASIDE).unwrap_or(name);
            let replaced = number != name && folder.path().join(format!("{PREFIX}{number}")).exists();
            Some((number.parse().ok()?, entry.path())).filter(|_| !replaced)
        })
        .collect();
    found.sort();
    found
}

/// Waits until every file below `path` is on the disk, and the folders that name them.
fn sync_all(path: &Path) -> Result<(), TrainingError> {
    let entries = fs::read_dir(path).map_err(|error| TrainingError::file(path, error))?;
    for entry in entries {
        let at = entry.map_err(|error| TrainingError::file(path, error))?.path();
        if at.is_dir() {
            sync_all(&at)?;
        } else {
            File::open(&at).and_then(|file| file.sync_all()).map_err(|error| TrainingError::file(&at, error))?;
        }
    }
    sync_folder(path)
}

/// Removes a checkpoint, or what is left of one.
fn remove(path: &Path) -> Result<(), TrainingError> {
    // Without this it is no checkpoint any more, wherever its removal ends.
    let _ = fs::remove_file(path.join("progress.json"));
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TrainingError::file(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_was_measured_is_read_back_to_the_bit() {
        for numerator in 1..200 {
            for denominator in 1..200 {
                let best = Best { step: 3, value: -f64::from(numerator) / f64::from(denominator) };
                let read: Best = serde_json::from_slice(&serde_json::to_vec(&best).unwrap()).unwrap();
                assert_eq!(read.value.to_bits(), best.value.to_bits(), "{numerator}/{denominator}");
            }
        }
    }
}
