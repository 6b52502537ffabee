//! The runs of a project, and which one someone means.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::{RunFolder, RunId, RunState, Status};
use crate::training::{ObjectiveName, TrainingError};

/// A run, as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct RunInfo {
    /// Its name.
    pub run: RunId,
    /// Its folder.
    pub dir: PathBuf,
    /// What it optimises.
    pub objective: ObjectiveName,
    /// Where it computes, as it was last begun; absent where that was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub status: Status,
    /// Loss of its last step.
    pub loss: Option<f64>,
    /// Mean reward of its last step, where it has rewards: its loss says nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reward: Option<f64>,
}

impl RunInfo {
    /// What it came to so far, in a word and a number.
    pub fn result(&self) -> Option<(&'static str, f64)> {
        self.reward.map(|reward| ("reward", reward)).or_else(|| self.loss.map(|loss| ("loss", loss)))
    }
}

/// Every run under `parent`, the one that was started last first, damaged ones too; folders that hold no run are passed over.
pub fn list_runs(parent: &Path) -> Vec<RunInfo> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut runs: Vec<RunInfo> = entries.flatten().filter_map(|entry| run_info(&RunFolder::at(entry.path()))).collect();
    runs.sort_by(|a, b| {
        b.status.started.cmp(&a.status.started).then_with(|| by_number(b.run.as_str(), a.run.as_str()))
    });
    runs
}

/// The order of two names, with numbers in them by what they count: `-2` is before `-10`.
pub(in crate::training) fn by_number(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some(first), Some(second)) = (a.first(), b.first()) {
        let digits = |name: &[u8]| name.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (in_a, in_b) = (digits(a), digits(b));
        let order = if in_a > 0 && in_b > 0 {
            let (number_a, number_b) = (&a[..in_a], &b[..in_b]);
            (a, b) = (&a[in_a..], &b[in_b..]);
            let trim = |number: &'_ [u8]| number.iter().take_while(|&&byte| byte == b'0').count();
            let (number_a, number_b) = (&number_a[trim(number_a)..], &number_b[trim(number_b)..]);
            number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b))
        } else {
            let order = first.cmp(second);
            (a, b) = (&a[1..], &b[1..]);
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// What a list shows of the run in `folder`; `None` if there is none.
pub fn run_info(folder: &RunFolder) -> Option<RunInfo> {
    let status = match folder.status() {
        Ok(status) => status,
        Err(why) => without_status(folder, &why)?,
    };
    let objective = folder.recipe().map(|recipe| recipe.objective).unwrap_or_default();
    let last = folder.steps().ok().and_then(|mut steps| steps.pop());
    let reward = last.as_ref().and_then(|record| record.statistics.get("reward").copied());
    let loss = last.map(|record| record.loss);
    let device = folder.device().map(|device| device.to_string());
    Some(RunInfo { run: folder.id(), dir: folder.path().to_path_buf(), objective, device, status, loss, reward })
}

/// What can be said of a run whose status cannot be read, and what to do; `None` where there is no run, or not yet.
fn without_status(folder: &RunFolder, why: &TrainingError) -> Option<Status> {
    let (begun, has_recipe) = (folder.has_status(), folder.recipe_path().is_file());
    let locked = folder.is_locked();
    if !begun && (!has_recipe || locked) {
        return None;
    }
    let run = folder.id();
    let help = match (locked, has_recipe) {
        (true, _) => "the process that works on it writes it anew after its present step".to_owned(),
        (false, true) => format!("`logwright train resume {run}` writes it anew and goes on from what was saved"),
        (false, false) => "its recipe.toml is gone, too: move the folder away".to_owned(),
    };
    let changed = fs::metadata(folder.path()).and_then(|metadata| metadata.modified()).ok();
    let changed = changed.and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let step = folder.steps().ok().and_then(|steps| steps.last().map(|record| record.step)).unwrap_or(0);
    Some(Status {
        state: RunState::Damaged,
        step,
        steps: folder.recipe().ok().and_then(|recipe| recipe.length.steps).unwrap_or(0),
        pid: 0,
        started: changed,
        updated: changed,
        eta_seconds: None,
        memory_bytes: None,
        message: Some(format!("{why}; {help}")),
    })
}

/// The run that someone means: a folder's path, an id under `parent`, the start of one, or `latest`.
///
/// # Errors
/// When there is no such run, or several.
pub fn resolve_run(parent: &Path, name: &str) -> Result<RunFolder, TrainingError> {
    let direct = RunFolder::at(name);
    if direct.recipe_path().is_file() {
        return Ok(direct);
    }
    let inside = RunFolder::at(parent.join(name));
    if !name.is_empty() && inside.recipe_path().is_file() {
        return Ok(inside);
    }
    let runs = list_runs(parent);
    let mut meant = runs.iter().filter(|run| name == "latest" || run.run.as_str().starts_with(name));
    match (meant.next(), meant.next()) {
        (Some(run), rest) if name == "latest" || rest.is_none() => Ok(RunFolder::at(&run.dir)),
        _ => Err(TrainingError::NoSuchRun(name.to_owned(), parent.to_path_buf())),
    }
}
