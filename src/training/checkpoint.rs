//! Checkpoints: what a run needs to go on to the same weights.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::{replace, sync_folder};
use super::{AdamW, Objective, RunFolder, TrainingError};

mod whole;

use whole::flaw;

const PREFIX: &str = "checkpoint-";

/// What is added to the name of a checkpoint that leads to no numbers: nothing goes on from it.
const UNSOUND: &str = ".unsound";

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

/// A checkpoint that cannot be gone on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its folder.
    pub path: PathBuf,
    /// Which file of it, and what is wrong with that.
    pub why: String,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    path: PathBuf,
    /// The position in the run.
    pub progress: Progress,
}

impl Checkpoint {
    /// Writes a checkpoint, in full or not at all. Older ones stay until [`Checkpoint::drop_old`].
    ///
    /// # Errors
    /// When a file cannot be written; nothing is left of it then.
    pub fn write(
        folder: &RunFolder,
        objective: &dyn Objective,
        optimizer: &AdamW,
        progress: &Progress,
    ) -> Result<(), TrainingError> {
        let path = named(folder, progress.step, "");
        let partial = named(folder, progress.step, ".partial");
        remove(&partial)?;
        let write = || {
            fs::create_dir_all(&partial).map_err(|error| TrainingError::file(&partial, error))?;
            objective.save(&partial.join("adapter"))?;
            optimizer.save(&partial.join("optimizer.safetensors"))?;
            objective.save_state(&partial)?;
            let json = serde_json::to_vec_pretty(progress).map_err(|error| TrainingError::damaged(&partial, error))?;
            replace(&partial.join("progress.json"), &json)?;
            // All of it is on the disk before it has its name, and its name is before an older one goes.
            folder.sync_metrics()?;
            sync_all(&partial)
        };
        if let Err(error) = write() {
            // Where the disk is full, this is what there is no room for; the first error is the one to tell.
            let _ = remove(&partial);
            return Err(error);
        }
        // One of this very step moves aside first, where it is still found if all ends here.
        let aside = named(folder, progress.step, ASIDE);
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
        remove(&aside)
    }

    /// Drops all checkpoints up to `step` but the `keep` newest whole ones and that of the step `best`, and what was set aside
    /// on the way there.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn drop_old(folder: &RunFolder, step: usize, keep: usize, best: Option<usize>) -> Result<(), TrainingError> {
        let mut kept = 0;
        for (number, path) in numbered(folder).into_iter().rev().filter(|(number, _)| *number <= step) {
            let counts = kept < keep.max(1) && Self::read(number, &path).is_ok_and(|found| found.is_some());
            kept += usize::from(counts);
            if !counts && Some(number) != best {
                remove(&path)?;
            }
        }
        for (number, path) in with_suffix(folder, UNSOUND) {
            if number <= step {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Sets the checkpoint after `step` aside: nothing goes on from it any more.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(folder: &RunFolder, step: usize) -> Result<(), TrainingError> {
        let (path, aside) = (named(folder, step, ""), named(folder, step, UNSOUND));
        remove(&aside)?;
        fs::rename(&path, &aside).map_err(|error| TrainingError::file(&path, error))?;
        sync_folder(folder.path())
    }

    /// The newest whole checkpoint of a run.
    pub fn latest(folder: &RunFolder) -> Option<Self> {
        Self::search(folder).0
    }

    /// The newest whole checkpoint of a run, and what is wrong with those after it, newest first.
    pub fn search(folder: &RunFolder) -> (Option<Self>, Vec<Damage>) {
        let mut damaged = Vec::new();
        for (step, path) in numbered(folder).into_iter().rev() {
            match Self::read(step, &path) {
                Ok(Some(found)) => return (Some(found), damaged),
                // What is left of one that was being removed.
                Ok(None) => {}
                Err(why) => damaged.push(Damage { path, why }),
            }
        }
        (None, damaged)
    }

    /// After which steps there are whole checkpoints.
    pub fn steps(folder: &RunFolder) -> Vec<usize> {
        let whole =
            |(step, path): (usize, PathBuf)| Self::read(step, &path).ok().flatten().map(|found| found.progress.step);
        numbered(folder).into_iter().filter_map(whole).collect()
    }

    /// Whether there is anything of a checkpoint, whole or not.
    pub fn is_any(folder: &RunFolder) -> bool {
        !numbered(folder).is_empty()
    }

    /// The checkpoint after `step`, if there is a whole one.
    pub fn of_step(folder: &RunFolder, step: usize) -> Option<Self> {
        let (step, path) = numbered(folder).into_iter().find(|(number, _)| *number == step)?;
        Self::read(step, &path).ok().flatten()
    }

    /// The checkpoint in `path`; `None` where there is none any more, and what is wrong where it is not whole.
    fn read(step: usize, path: &Path) -> Result<Option<Self>, String> {
        let json = match fs::read(path.join("progress.json")) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("progress.json: {error}")),
        };
        let progress: Progress = serde_json::from_slice(&json).map_err(|error| format!("progress.json: {error}"))?;
        if progress.step != step {
            return Err(format!("progress.json is of step {}", progress.step));
        }
        flaw(path).map_or_else(|| Ok(Some(Self { path: path.to_path_buf(), progress })), Err)
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

/// Where the checkpoint after `step` is, or what has its name and a suffix.
fn named(folder: &RunFolder, step: usize, suffix: &str) -> PathBuf {
    folder.path().join(format!("{PREFIX}{step}{suffix}"))
}

/// What has the name of a checkpoint and a suffix, with its step.
fn with_suffix(folder: &RunFolder, suffix: &str) -> Vec<(usize, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder.path()) else { return Vec::new() };
    let found = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let number = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(suffix)?;
        Some((number.parse().ok()?, entry.path()))
    });
    found.collect()
}

/// The checkpoints of a run by step, oldest first; partial ones, and those set aside, are passed over.
fn numbered(folder: &RunFolder) -> Vec<(usize, PathBuf)> {
    let mut found = with_suffix(folder, "");
    let replaced = |step: usize| named(folder, step, "").exists();
    found.extend(with_suffix(folder, ASIDE).into_iter().filter(|(step, _)| !replaced(*step)));
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
