//! The loop that trains: step by step, watched, saved, and stoppable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::checkpoint::Best;
use super::parts::add;
use super::watchdog::{Verdict, Watchdog};
use super::{
    AdamW, BatchPlan, Checkpoint, DataSummary, Example, Gradients, Measure, Objective, Recipe, RunFolder, RunState,
    Seat, Status, StepRecord, TrainingError, learning_rate,
};

mod closing;
mod events;
mod looking;
mod trouble;

pub use events::{Event, Summary};

/// Steps over which the pace is averaged for the time left.
const PACE_STEPS: usize = 20;

/// How often a paused run looks whether it should go on.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
    /// The held-out examples as text, for `measure`.
    pub held_out: &'a [Example],
    /// Asks the model about them, where the recipe wants that.
    pub measure: Option<&'a Measure>,
    /// What the user should know of the device, such as that the CPU trains in place of a missing GPU.
    pub note: Option<String>,
    /// Its place in the queue, which it gives up while it is paused.
    pub seat: Option<&'a Seat>,
}

/// How the loop ended.
enum Outcome {
    Finished,
    /// What is held out no longer got better.
    StoppedEarly,
    Cancelled,
}

/// The moving parts of a run.
struct Loop {
    optimizer: AdamW,
    plan: BatchPlan,
    /// Steps that were done before this process took over.
    first: usize,
    done: usize,
    steps: usize,
    /// The step of the last checkpoint.
    saved: Option<usize>,
    /// No step after the last checkpoint has shown yet that its weights are good.
    unproven: bool,
    pace: VecDeque<f64>,
    watchdog: Watchdog,
    best: Option<Best>,
    /// Evaluations since the best.
    waited: usize,
    /// The evaluation of the last step, or what the model was asked after it, was broken off.
    owed: bool,
    /// The optimiser is at work: some parameters may have moved and others not.
    moving: bool,
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
            let done = self.folder.steps().unwrap_or_default().last().map_or(0, |record| record.step);
            let steps = self.folder.status().map_or(0, |status| status.steps);
            // The first error is the one to tell.
            let _ = self.write_status(RunState::Failed, done, steps, None, Some(error));
        }
        outcome
    }

    fn prepare(&self, objective: &dyn Objective, resume_from: Option<&Checkpoint>) -> Result<Loop, TrainingError> {
        let recipe = self.recipe;
        let plan = BatchPlan::new(objective.examples(), recipe.data.batch, recipe.data.accumulation, recipe.seed);
        let mut optimizer = AdamW::new(objective.parameters(), &recipe.optimizer)?;
        let steps = plan.steps_of(&recipe.length, objective.reuse());
        let progress = resume_from.map(|checkpoint| checkpoint.progress.clone()).unwrap_or_default();
        let done = progress.step;
        if let Some(checkpoint) = resume_from {
            if progress.examples_sha256 != self.examples_sha256 {
                let why = "examples.jsonl is not what this checkpoint was trained on; a run cannot change its data";
                return Err(TrainingError::damaged(self.folder.path(), why));
            }
            optimizer.restore(&checkpoint.moments_path(), done)?;
        }
        self.folder.rewind(done)?;
        if progress.owed {
            // What the model says then was perhaps noted before the evaluation was broken off.
            self.folder.rewind_samples(done.saturating_sub(1))?;
        }
        // The weights of an earlier end: from now on the checkpoints are newer.
        self.folder.remove_adapter()?;
        let losses = self.folder.steps()?.into_iter().map(|record| record.loss);
        let watchdog = Watchdog::new(&recipe.watchdog, losses);
        self.write_status(RunState::Running, done, steps, None, None)?;
        (self.events)(Event::Started {
            run: self.folder.id(),
            dir: self.folder.path().to_path_buf(),
            done,
            steps,
            data: self.data.clone(),
            note: self.note.clone(),
        });
        let (best, waited, owed) = (progress.best, progress.waited, progress.owed);
        let (saved, pace) = (resume_from.map(|_| done), VecDeque::new());
        let (first, unproven, moving) = (done, resume_from.is_some(), false);
        Ok(Loop { optimizer, plan, first, done, steps, saved, unproven, pace, watchdog, best, waited, owed, moving })
    }

    fn steps(&self, objective: &dyn Objective, state: &mut Loop) -> Result<Outcome, TrainingError> {
        let length = &self.recipe.length;
        let evaluate_every = if length.evaluate_every > 0 { length.evaluate_every } else { length.save_every };
        let due = |every: usize, done: usize| every > 0 && done.is_multiple_of(every);
        if state.owed
            && let Some(outcome) = self.pay_evaluation(objective, state)?
        {
            return Ok(outcome);
        }
        // A run that was killed between its last checkpoint and its last word has nothing left to do.
        if state.done < state.steps
            && let Some(outcome) = self.has_waited_enough(state)
        {
            return Ok(outcome);
        }
        while state.done < state.steps {
            self.wait_while_paused(objective, state)?;
            if self.asked_to_stop() {
                return Ok(Outcome::Cancelled);
            }
            let Some(mut record) = self.step(objective, state)? else { return Ok(Outcome::Cancelled) };
            state.done += 1;
            let eta_seconds = state.eta_seconds(record.seconds);
            (self.events)(Event::Step { record: record.clone(), eta_seconds });
            let verdict = state.watchdog.see(record.loss);
            if let Verdict::Runaway { usual } = verdict {
                self.folder.append_step(&record)?;
                let kept = self.kept_of_runaway(state);
                return Err(TrainingError::Runaway { loss: record.loss, usual, step: state.done, kept });
            }
            if state.watchdog.is_calm() {
                self.drop_old(state)?;
            }
            let last = state.done == state.steps;
            let look = last || due(evaluate_every, state.done);
            // Until it is compared, whatever breaks it off.
            state.owed = look;
            let measured = if look { self.measure(objective, &mut record) } else { Ok(true) };
            let is_measured = matches!(measured, Ok(true));
            if look && is_measured {
                (self.events)(Event::Step { record: record.clone(), eta_seconds });
            }
            // Whatever became of the evaluation, the step is done.
            self.folder.append_step(&record)?;
            measured?;
            self.write_status(RunState::Running, state.done, state.steps, Some(eta_seconds), None)?;
            if !is_measured {
                return Ok(Outcome::Cancelled);
            }
            let mut better = false;
            if look {
                if !self.sample(objective, state)? {
                    return Ok(Outcome::Cancelled);
                }
                better = self.compare(state, &record);
                state.owed = false;
            }
            let sound = state.watchdog.is_calm();
            if sound && !last && (better && length.keep_best || due(length.save_every, state.done)) {
                self.save(objective, state)?;
            }
            if !last && let Some(outcome) = self.has_waited_enough(state) {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Finished)
    }

    /// While someone wants a pause, the run waits with its checkpoint written.
    fn wait_while_paused(&self, objective: &dyn Objective, state: &mut Loop) -> Result<(), TrainingError> {
        if !self.folder.pause_requested() || self.asked_to_stop() {
            return Ok(());
        }
        self.save_sound(objective, state)?;
        self.write_status(RunState::Paused, state.done, state.steps, None, None)?;
        (self.events)(Event::Paused { step: state.done });
        // Whoever waits for a turn need not wait for this one.
        self.seat.iter().for_each(|seat| seat.pass_on());
        while self.folder.pause_requested() && !self.asked_to_stop() {
            thread::sleep(LOOK_EVERY);
        }
        if let Some(seat) = self.seat.filter(|_| !self.asked_to_stop()) {
            let queued = Status::new(RunState::Queued, state.done, state.steps, self.started);
            self.folder.write_status(&queued)?;
            let waiting = || (self.events)(Event::Queued(self.folder.id()));
            if !seat.wait(queued.updated, &|| self.asked_to_stop(), waiting)? {
                return Ok(());
            }
        }
        self.write_status(RunState::Running, state.done, state.steps, None, None)
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
        if state.done == state.first {
            require_gradients(objective, &gradients)?;
        }
        let number = state.done + 1;
        let done = state.done;
        let diverged = |what, value| match done {
            0 => TrainingError::Unsound { what, value },
            _ => TrainingError::Diverged { what, value, step: number, kept: 0 },
        };
        if !loss.is_finite() {
            return Err(diverged("the loss", loss));
        }
        let settings = &self.recipe.optimizer;
        let rate =
            learning_rate(settings.schedule, settings.learning_rate, settings.warmup_steps, state.done, state.steps);
        state.moving = true;
        let gradient_norm = state.optimizer.step(&gradients, rate)?;
        state.moving = false;
        if !gradient_norm.is_finite() {
            return Err(diverged("the gradient's norm", gradient_norm));
        }
        let seconds = begin.elapsed().as_secs_f64();
        let tokens = all.iter().map(|&example| objective.tokens(example)).sum();
        let device = objective.wearing().and_then(|(model, _)| model.device_memory());
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
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
            device_memory_mib: device.map(|memory| mebibytes(memory.used())),
            device_total_mib: device.map(|memory| mebibytes(memory.total)),
            statistics: statistics.means().map(|(name, mean)| (name.to_owned(), mean)).collect(),
        }))
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
        status.message = error.map(ToString::to_string).or_else(|| self.note.clone());
        self.folder.write_status(&status)
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

/// A matrix without a gradient would silently stay as it began: some fused operations have no backward pass.
fn require_gradients(objective: &dyn Objective, gradients: &Gradients) -> Result<(), TrainingError> {
    let parameters = objective.parameters();
    if gradients.len() != parameters.len() {
        let why = format!("{} gradients for {} parameters", gradients.len(), parameters.len());
        return Err(TrainingError::Model(why));
    }
    let mut still = Vec::new();
    let mut moves = false;
    for ((name, _), gradient) in parameters.iter().zip(gradients) {
        let Some(gradient) = gradient else { return Err(TrainingError::NoGradient(name.clone())) };
        let largest = gradient.abs()?.max_all()?.to_scalar::<f32>()?;
        moves |= largest > 0.0;
        // As a run begins B is nought, and so is A's gradient; B's is not.
        if largest == 0.0 && name.contains("lora_B") {
            still.push(name);
        }
    }
    // Where nothing was to be learnt from a step, nothing moves.
    match still.first() {
        Some(name) if moves => Err(TrainingError::NoGradient((*name).clone())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
