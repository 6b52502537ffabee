//! The loop that trains: step by step, watched, saved, and stoppable.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::Tensor;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    AdamW, BatchPlan, Checkpoint, DataSummary, Gradients, Objective, Progress, Recipe, RunFolder, RunId, RunState,
    Sample, Status, StepRecord, TrainingError, learning_rate,
};

/// Steps over which the pace is averaged for the time left.
const PACE_STEPS: usize = 20;

/// Asks a run in this process to stop after its present batch.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Asks.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

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
    /// Steps done in all.
    pub steps: usize,
    /// Mean loss of the first 5 steps, in nats a token.
    pub first_loss: Option<f64>,
    /// Mean loss of the last 10 steps, in nats a token.
    pub last_loss: Option<f64>,
    /// Mean loss over what is held out, when it was last measured.
    pub dev_loss: Option<f64>,
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

/// Trains an objective as a recipe says, in a run's folder.
pub struct Trainer<'a> {
    /// Where the run is kept.
    pub folder: &'a RunFolder,
    /// How to train.
    pub recipe: &'a Recipe,
    /// What is trained on.
    pub data: DataSummary,
    /// SHA-256 of what is trained on.
    pub examples_sha256: String,
    /// When the run was first started.
    pub started: Timestamp,
    /// Told of everything that happens.
    pub events: &'a dyn Fn(Event),
    /// Asked before every batch.
    pub cancel: &'a CancelFlag,
}

/// How the loop ended.
enum Outcome {
    Finished,
    Cancelled,
}

/// The moving parts of a run.
struct Loop {
    optimizer: AdamW,
    plan: BatchPlan,
    done: usize,
    steps: usize,
    saved: Option<usize>,
    pace: VecDeque<f64>,
}

impl Trainer<'_> {
    /// Trains `objective` from `resume_from` – whose adapter it must hold already – or from the start, and gives what
    /// came of it. Whatever happens, the folder tells: finished, cancelled with a checkpoint, or failed and why.
    ///
    /// # Errors
    /// When the arithmetic or the disk fails, a parameter gets no gradient, or the loss is no longer a number.
    pub fn run(&self, objective: &dyn Objective, resume_from: Option<&Checkpoint>) -> Result<Summary, TrainingError> {
        let outcome = self.prepare(objective, resume_from).and_then(|mut state| {
            let outcome = self.steps(objective, &mut state);
            self.close(objective, &mut state, outcome)
        });
        if let Err(error) = &outcome {
            let steps = self.folder.steps().unwrap_or_default();
            let done = steps.last().map_or(0, |record| record.step);
            // The first error is the one to tell.
            let _ = self.write_status(RunState::Failed, done, self.recipe.length.steps.unwrap_or(0), None, Some(error));
        }
        outcome
    }

    fn prepare(&self, objective: &dyn Objective, resume_from: Option<&Checkpoint>) -> Result<Loop, TrainingError> {
        let recipe = self.recipe;
        let plan = BatchPlan::new(objective.examples(), recipe.data.batch, recipe.data.accumulation, recipe.seed);
        let mut optimizer = AdamW::new(objective.parameters(), &recipe.optimizer)?;
        let steps = recipe.length.steps.unwrap_or_else(|| plan.steps_for(recipe.length.epochs) * objective.reuse());
        let mut done = 0;
        if let Some(checkpoint) = resume_from {
            if checkpoint.progress.examples_sha256 != self.examples_sha256 {
                let why = "examples.jsonl is not what this checkpoint was trained on; a run cannot change its data";
                return Err(TrainingError::damaged(self.folder.path(), why));
            }
            done = checkpoint.progress.step;
            optimizer.restore(&checkpoint.moments_path(), done)?;
        }
        self.folder.rewind(done)?;
        self.folder.clear_cancel();
        self.write_status(RunState::Running, done, steps, None, None)?;
        (self.events)(Event::Started {
            run: self.folder.id(),
            dir: self.folder.path().to_path_buf(),
            done,
            steps,
            data: self.data.clone(),
        });
        Ok(Loop { optimizer, plan, done, steps, saved: resume_from.map(|_| done), pace: VecDeque::new() })
    }

    fn steps(&self, objective: &dyn Objective, state: &mut Loop) -> Result<Outcome, TrainingError> {
        let every = self.recipe.length.save_every;
        while state.done < state.steps {
            if self.asked_to_stop() {
                return Ok(Outcome::Cancelled);
            }
            let Some(mut record) = self.step(objective, state)? else { return Ok(Outcome::Cancelled) };
            state.done += 1;
            let eta_seconds = state.eta_seconds(record.seconds);
            (self.events)(Event::Step { record: record.clone(), eta_seconds });
            let last = state.done == state.steps;
            let due = last || every > 0 && state.done.is_multiple_of(every);
            if due {
                if let Some(held) = objective.held_out(&|| self.asked_to_stop())? {
                    record.dev_loss = Some(held.loss);
                    let statistics = held.statistics.means();
                    record.statistics.extend(statistics.map(|(name, mean)| (format!("dev_{name}"), mean)));
                    (self.events)(Event::Step { record: record.clone(), eta_seconds });
                }
            }
            self.folder.append_step(&record)?;
            self.write_status(RunState::Running, state.done, state.steps, Some(eta_seconds), None)?;
            let samples = if due { objective.samples(&|| self.asked_to_stop())? } else { Vec::new() };
            for said in samples {
                let sample = Sample { step: state.done, input: said.input, text: said.text, reward: said.reward };
                self.folder.append_sample(&sample)?;
                (self.events)(Event::Sampled(sample));
            }
            if due && !last {
                self.save(objective, state)?;
            }
        }
        Ok(Outcome::Finished)
    }

    /// Takes one step; `None` if it was cancelled before its last batch, in which case nothing has moved.
    fn step(&self, objective: &dyn Objective, state: &mut Loop) -> Result<Option<StepRecord>, TrainingError> {
        let begin = Instant::now();
        let reuse = objective.reuse();
        let batches = state.plan.step(state.done / reuse);
        let stop = || self.asked_to_stop();
        let Some(mut statistics) = objective.prepare(state.done, &batches, &stop)? else { return Ok(None) };
        let all: Vec<usize> = batches.concat();
        let normaliser = objective.weight(&all);
        let mut loss = 0.0;
        let mut gradients: Option<Gradients> = None;
        for batch in &batches {
            if gradients.is_some() && self.asked_to_stop() {
                return Ok(None);
            }
            let part = objective.loss(batch, normaliser)?;
            loss += part.loss;
            statistics.merge(part.statistics);
            gradients = Some(match gradients {
                None => part.gradients,
                Some(sum) => add(sum, part.gradients)?,
            });
        }
        let gradients = gradients.unwrap_or_default();
        if state.done == 0 {
            require_gradients(objective, &gradients)?;
        }
        let number = state.done + 1;
        let diverged = |what, value| TrainingError::Diverged { what, value, step: number, kept: number - 1 };
        if !loss.is_finite() {
            return Err(diverged("loss", loss));
        }
        let settings = &self.recipe.optimizer;
        let rate =
            learning_rate(settings.schedule, settings.learning_rate, settings.warmup_steps, state.done, state.steps);
        let gradient_norm = state.optimizer.step(&gradients, rate)?;
        if !gradient_norm.is_finite() {
            return Err(diverged("gradient norm", gradient_norm));
        }
        let seconds = begin.elapsed().as_secs_f64();
        let tokens = all.iter().map(|&example| objective.tokens(example)).sum();
        Ok(Some(StepRecord {
            step: number,
            loss,
            learning_rate: rate,
            gradient_norm,
            tokens,
            epoch: state.plan.epochs_after(number) / reuse as f64,
            seconds,
            tokens_per_second: tokens as f64 / seconds.max(1e-9),
            dev_loss: None,
            statistics: statistics.means().map(|(name, mean)| (name.to_owned(), mean)).collect(),
        }))
    }

    /// Saves what there is, writes the last status, and sums up. A run that diverged keeps its last good weights.
    fn close(
        &self,
        objective: &dyn Objective,
        state: &mut Loop,
        outcome: Result<Outcome, TrainingError>,
    ) -> Result<Summary, TrainingError> {
        let status = match outcome {
            Ok(Outcome::Finished) => RunState::Finished,
            Ok(Outcome::Cancelled) => RunState::Cancelled,
            Err(error @ TrainingError::Diverged { .. }) => {
                self.save(objective, state)?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        self.save(objective, state)?;
        objective.save(&self.folder.adapter_dir())?;
        self.folder.clear_cancel();
        self.write_status(status, state.done, state.steps, None, None)?;
        self.summary(status)
    }

    fn save(&self, objective: &dyn Objective, state: &mut Loop) -> Result<(), TrainingError> {
        if state.saved == Some(state.done) {
            return Ok(());
        }
        let progress = Progress { step: state.done, steps: state.steps, examples_sha256: self.examples_sha256.clone() };
        Checkpoint::write(self.folder, objective, &state.optimizer, &progress, self.recipe.length.keep_last)?;
        state.saved = Some(state.done);
        (self.events)(Event::Saved { step: state.done });
        Ok(())
    }

    fn asked_to_stop(&self) -> bool {
        self.cancel.is_set() || self.folder.cancel_requested()
    }

    fn write_status(
        &self,
        state: RunState,
        step: usize,
        steps: usize,
        eta_seconds: Option<f64>,
        error: Option<&TrainingError>,
    ) -> Result<(), TrainingError> {
        let mut status = Status::new(state, step, steps, self.started);
        status.eta_seconds = eta_seconds;
        status.message = error.map(ToString::to_string);
        self.folder.write_status(&status)
    }

    fn summary(&self, status: RunState) -> Result<Summary, TrainingError> {
        let records = self.folder.steps()?;
        let loss: Vec<f64> = records.iter().map(|record| record.loss).collect();
        let seconds: f64 = records.iter().map(|record| record.seconds).sum();
        let tokens: usize = records.iter().map(|record| record.tokens).sum();
        Ok(Summary {
            run: self.folder.id(),
            dir: self.folder.path().to_path_buf(),
            adapter: self.folder.adapter_dir(),
            status,
            steps: loss.len(),
            first_loss: mean(&loss[..loss.len().min(5)]),
            last_loss: mean(&loss[loss.len().saturating_sub(10)..]),
            dev_loss: records.iter().rev().find_map(|record| record.dev_loss),
            tokens_per_second: if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 },
            loss,
            examples: self.data.examples,
            held_out: self.data.held_out,
            truncated: self.data.truncated,
            left_out: self.data.left_out,
            seconds,
        })
    }
}

impl Loop {
    /// Seconds that the rest takes at the mean pace of the last steps.
    fn eta_seconds(&mut self, seconds: f64) -> f64 {
        self.pace.push_back(seconds);
        if self.pace.len() > PACE_STEPS {
            self.pace.pop_front();
        }
        let pace = self.pace.iter().sum::<f64>() / self.pace.len() as f64;
        pace * (self.steps - self.done) as f64
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn add(sum: Gradients, more: Gradients) -> Result<Gradients, TrainingError> {
    let both = |(a, b): (Option<Tensor>, Option<Tensor>)| match (a, b) {
        (Some(a), Some(b)) => Ok(Some((a + b)?)),
        (a, b) => Ok(a.or(b)),
    };
    sum.into_iter().zip(more).map(both).collect()
}

/// A matrix without a gradient would silently stay as it began: some fused operations have no backward pass.
fn require_gradients(objective: &dyn Objective, gradients: &Gradients) -> Result<(), TrainingError> {
    let parameters = objective.parameters();
    if gradients.len() != parameters.len() {
        let why = format!("{} gradients for {} parameters", gradients.len(), parameters.len());
        return Err(TrainingError::Model(why));
    }
    match parameters.iter().zip(gradients).find(|(_, gradient)| gradient.is_none()) {
        Some(((name, _), _)) => Err(TrainingError::NoGradient(name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
