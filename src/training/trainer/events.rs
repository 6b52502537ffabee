//! What a run tells: what happens as it happens, and what came of it.

use std::path::PathBuf;

use serde::Serialize;

use crate::training::{DataSummary, RunFolder, RunId, RunState, Sample, Status, StepRecord, TrainingError};

/// What happens in a run, as it happens.
#[derive(Debug, Clone)]
pub enum Event {
    /// The model is being loaded and the examples turned into tokens.
    Preparing(RunId),
    /// The first step is about to be taken.
    Started {
        /// Which run.
        run: RunId,
        /// Its folder.
        dir: PathBuf,
        /// Steps done before, if it is resumed.
        done: usize,
        /// Steps to do in all.
        steps: usize,
        /// What it trains on.
        data: DataSummary,
        /// What the user should know of the device.
        note: Option<String>,
    },
    /// A step is done.
    Step {
        /// What it gave.
        record: StepRecord,
        /// Seconds that the rest takes at the present pace.
        eta_seconds: f64,
    },
    /// The model was asked about a log, to see how it goes.
    Sampled(Sample),
    /// A checkpoint is on disk.
    Saved {
        /// Steps done.
        step: usize,
    },
    /// The run waits, with a checkpoint written, until someone wants it to go on.
    Paused {
        /// Steps done.
        step: usize,
    },
    /// The run waits for its turn: another one trains.
    Queued(RunId),
    /// The run is over, well or not; nothing follows.
    Ended(Result<Summary, String>),
}

/// What came of a run; the object that `train … --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its name.
    pub run: RunId,
    /// Its folder.
    pub dir: PathBuf,
    /// The trained weights, in PEFT's layout.
    pub adapter: PathBuf,
    /// `finished` or `cancelled`.
    pub status: RunState,
    /// Why it stopped before its last step, if it was not cancelled.
    pub message: Option<String>,
    /// The step after which what is held out was best.
    pub best_step: Option<usize>,
    /// Steps done in all.
    pub steps: usize,
    /// Mean loss of the first 5 steps, in nats a token.
    pub first_loss: Option<f64>,
    /// Mean loss of the last 10 steps, in nats a token.
    pub last_loss: Option<f64>,
    /// Mean loss over what is held out, when it was last measured.
    pub dev_loss: Option<f64>,
    /// Mean reward of the first 5 steps, where there are rewards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_reward: Option<f64>,
    /// Mean reward of the last 10 steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reward: Option<f64>,
    /// Mean reward over what is held out, when it was last measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_reward: Option<f64>,
    /// Loss of each step.
    pub loss: Vec<f64>,
    /// Tokens a second over all steps, prompts included.
    pub tokens_per_second: f64,
    /// Examples that trained.
    pub examples: usize,
    /// Examples held out.
    pub held_out: usize,
    /// Examples whose end was cut off to fit.
    pub truncated: usize,
    /// Examples left out, because not even their prompt fits.
    pub left_out: usize,
    /// Seconds that the steps took.
    pub seconds: f64,
}

impl Summary {
    /// What came of the run in `folder`, from what it recorded.
    pub(in crate::training) fn of(
        folder: &RunFolder,
        status: &Status,
        data: &DataSummary,
        best_step: Option<usize>,
    ) -> Result<Self, TrainingError> {
        let records = folder.steps()?;
        let loss: Vec<f64> = records.iter().map(|record| record.loss).collect();
        let named = |name: &str| -> Vec<f64> {
            records.iter().filter_map(|record| record.statistics.get(name).copied()).collect()
        };
        let (reward, flat) = (named("reward"), named("flat_groups"));
        // Nothing is learnt from answers that are all rewarded alike.
        let flat = (!flat.is_empty() && flat.iter().all(|share| *share == 1.0)).then(|| NOTHING_LEARNT.to_owned());
        let seconds: f64 = records.iter().map(|record| record.seconds).sum();
        let tokens: usize = records.iter().map(|record| record.tokens).sum();
        Ok(Self {
            run: folder.id(),
            dir: folder.path().to_path_buf(),
            adapter: folder.adapter_dir(),
            status: status.state,
            message: status.message.clone().or(flat),
            steps: loss.len(),
            best_step,
            first_loss: first(&loss),
            last_loss: last(&loss),
            first_reward: first(&reward),
            last_reward: last(&reward),
            dev_reward: named("dev_reward").pop(),
            dev_loss: records.iter().rev().find_map(|record| record.dev_loss),
            tokens_per_second: if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 },
            loss,
            examples: data.examples,
            held_out: data.held_out,
            truncated: data.truncated,
            left_out: data.left_out,
            seconds,
        })
    }
}

const NOTHING_LEARNT: &str = "the answers to every question were rewarded alike, so nothing was learnt: start from a run that answers \
                              in the right form (--start), or raise grpo.temperature or grpo.rollouts";

fn first(values: &[f64]) -> Option<f64> {
    mean(&values[..values.len().min(5)])
}

fn last(values: &[f64]) -> Option<f64> {
    mean(&values[values.len().saturating_sub(10)..])
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
