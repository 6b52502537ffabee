//! What a run's folder records: its name, where it stands, and its steps.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::training::{ObjectiveName, memory};

/// The name of a run, such as `20261121-104500-sft`: when it started (UTC) and what it optimises.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub(super) String);

impl RunId {
    /// The id of a run that starts at `at`.
    pub fn new(at: Timestamp, objective: ObjectiveName) -> Self {
        Self(format!("{}-{}", at.strftime("%Y%m%d-%H%M%S"), objective.as_str()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It waits for its turn, in a process of its own.
    Queued,
    /// A process works on it.
    Running,
    /// Its process waits, with a checkpoint written, until someone wants it to go on.
    Paused,
    /// All its steps are done.
    Finished,
    /// Someone stopped it; it can be resumed.
    Cancelled,
    /// It stopped by itself; `message` says why.
    Failed,
    /// Its process died; it can be resumed from its last checkpoint. Never written, only found.
    Interrupted,
    /// Its `status.json` is gone or cannot be read; `message` says why, and what to do. Never written, only found.
    Damaged,
}

impl RunState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Damaged => "damaged",
        }
    }
}

impl RunState {
    /// Whether a process has it in hand.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Paused)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `status.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Where the run stands.
    pub state: RunState,
    /// Steps done.
    pub step: usize,
    /// Steps to do in all; nought until the data is counted.
    pub steps: usize,
    /// The process that works, or worked last, on it.
    pub pid: u32,
    /// When it was first started.
    pub started: Timestamp,
    /// When this was written.
    pub updated: Timestamp,
    /// Seconds that the rest takes at the present pace.
    pub eta_seconds: Option<f64>,
    /// Bytes that the process had in memory then.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Why it failed, or stopped early.
    pub message: Option<String>,
}

impl Status {
    /// The status of a run that this process works on, as of now.
    pub fn new(state: RunState, step: usize, steps: usize, started: Timestamp) -> Self {
        let (pid, updated) = (std::process::id(), Timestamp::now());
        let memory_bytes = memory::resident_bytes();
        Self { state, step, steps, pid, started, updated, eta_seconds: None, memory_bytes, message: None }
    }
}

/// A line of `metrics.jsonl`: one step of the optimiser.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Number of the step, from 1.
    pub step: usize,
    /// Mean loss of the step's batches, in nats a token (weighted).
    pub loss: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Tokens that went through the model, prompts included.
    pub tokens: usize,
    /// Passes over the data, after the step.
    pub epoch: f64,
    /// Seconds that the step took.
    pub seconds: f64,
    /// Tokens a second.
    pub tokens_per_second: f64,
    /// Mean loss over what is held out, where it was measured after this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev_loss: Option<f64>,
    /// MiB of the device's memory that were in use after the step, by whomever; absent on the CPU, whose memory is the
    /// process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_memory_mib: Option<u64>,
    /// MiB that the device has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_total_mib: Option<u64>,
    /// What else the objective tells of the step, each a mean: DPO's `reward_margin` and `reward_accuracy`, GRPO's
    /// `reward` and its parts, `kl`, `entropy`, `clip_fraction`, `completion_tokens`; of what is held out as `dev_…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "figures")]
    pub statistics: BTreeMap<String, f64>,
}

/// A line of `samples.jsonl`: what the model said of a log along the way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Steps done.
    pub step: usize,
    /// The log.
    pub input: String,
    /// What the model said of it.
    pub text: String,
    /// What each part of the reward gave for it, and their `total`; empty where nothing is rewarded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "figures")]
    pub reward: BTreeMap<String, f64>,
}

/// Named figures in JSON, which has no word for infinity or for what is no number: such figures are left out, so that what was
/// written can be read again.
mod figures {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(figures: &BTreeMap<String, f64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(figures.iter().filter(|(_, figure)| figure.is_finite()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
        let written = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
        Ok(written.into_iter().filter_map(|(name, figure)| Some((name, figure?))).collect())
    }
}
