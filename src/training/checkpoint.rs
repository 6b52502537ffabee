//! Checkpoints: what a run needs to go on to the same weights.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::replace;
use super::{AdamW, Objective, RunFolder, TrainingError};

const PREFIX: &str = "checkpoint-";

/// `progress.json` of a checkpoint: the position in the run. Everything else follows from it and the recipe: the
/// learning rate, the batches, and whatever is drawn at random.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps to do in all: the schedule depends on it.
    pub steps: usize,
    /// SHA-256 of what is trained on.
    pub examples_sha256: String,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    path: PathBuf,
    /// The position in the run.
    pub progress: Progress,
}

impl Checkpoint {
    /// Writes a checkpoint – in full, or not at all – and drops all but the `keep` newest.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(
        folder: &RunFolder,
        objective: &dyn Objective,
        optimizer: &AdamW,
        progress: &Progress,
        keep: usize,
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
        remove(&path)?;
        fs::rename(&partial, &path).map_err(|error| TrainingError::file(&path, error))?;
        for (_, old) in numbered(folder).into_iter().rev().skip(keep.max(1)) {
            remove(&old)?;
        }
        Ok(())
    }

    /// The newest whole checkpoint of a run.
    pub fn latest(folder: &RunFolder) -> Option<Self> {
        numbered(folder).into_iter().rev().find_map(|(step, path)| {
            let json = fs::read(path.join("progress.json")).ok()?;
            let progress: Progress = serde_json::from_slice(&json).ok()?;
            (progress.step == step).then_some(Self { path, progress })
        })
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
            let step = entry.file_name().to_str()?.strip_prefix(PREFIX)?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

fn remove(path: &Path) -> Result<(), TrainingError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TrainingError::file(path, error)),
        _ => Ok(()),
    }
}
