//! Looking up from the steps: what is held out is measured, the best checkpoint remembered, and a run that no longer gets
//! better stopped.

use super::{Event, Loop, Outcome, Trainer};
use crate::training::checkpoint::Best;
use crate::training::{BestBy, Objective, Sample, StepRecord, TrainingError};

/// The statistic that an evaluation of the answers gives; in the records `dev_f1`.
pub(super) const F1: &str = "dev_f1";

impl Trainer<'_> {
    /// Measures what is held out and adds it to `record`; false if someone asked to stop before it was done, in which
    /// case nothing is added.
    pub(super) fn measure(&self, objective: &dyn Objective, record: &mut StepRecord) -> Result<bool, TrainingError> {
        let stop = || self.asked_to_stop();
        let held = objective.held_out(&stop)?;
        if held.is_none() && self.asked_to_stop() {
            return Ok(false);
        }
        if let Some(value) = held.as_ref().map(|held| held.loss).filter(|loss| !loss.is_finite()) {
            let (what, step) = ("the loss on what is held out", record.step);
            return Err(TrainingError::Diverged { what, value, step, kept: 0 });
        }
        let mut statistics: Vec<(String, f64)> = Vec::new();
        if let Some(held) = &held {
            statistics.extend(held.statistics.means().map(|(name, mean)| (format!("dev_{name}"), mean)));
        }
        if self.recipe.length.evaluate_answers
            && let Some(measure) = self.measure
            && let Some((model, adapter)) = objective.wearing()
        {
            let f1 = measure.ask(model, adapter, self.held_out, &stop).map_err(TrainingError::Model)?;
            if f1.is_none() && self.asked_to_stop() {
                return Ok(false);
            }
            statistics.extend(f1.map(|f1| (F1.to_owned(), f1)));
        }
        record.dev_loss = held.map(|held| held.loss);
        record.statistics.extend(statistics.into_iter().filter(|(_, figure)| figure.is_finite()));
        Ok(true)
    }

    /// Remembers whether this evaluation is the best so far; gives whether it is.
    pub(super) fn compare(&self, state: &mut Loop, record: &StepRecord) -> bool {
        let value = match self.recipe.length.best_by {
            BestBy::Loss => record.dev_loss,
            // The lower the better, for both.
            BestBy::F1 => record.statistics.get(F1).map(|f1| -f1),
        };
        let Some(value) = value.filter(|value| value.is_finite()) else { return false };
        // What is out of line gets no checkpoint, so it cannot be the best.
        let better = state.watchdog.is_calm()
            && state.best.is_none_or(|best| value < best.value - self.recipe.length.least_gain);
        if better {
            (state.best, state.waited) = (Some(Best { step: state.done, value }), 0);
        } else {
            state.waited += 1;
        }
        better
    }

    /// What the model says now goes into the folder; false if someone asked to stop before it was said.
    pub(super) fn sample(&self, objective: &dyn Objective, state: &Loop) -> Result<bool, TrainingError> {
        let Some(all) = objective.samples(&|| self.asked_to_stop())? else { return Ok(false) };
        for said in all {
            let sample = Sample { step: state.done, input: said.input, text: said.text, reward: said.reward };
            self.folder.append_sample(&sample)?;
            (self.events)(Event::Sampled(sample));
        }
        Ok(true)
    }

    /// Whether the run has not got better for as long as the recipe waits.
    pub(super) fn has_waited_enough(&self, state: &Loop) -> Option<Outcome> {
        let patience = self.recipe.length.patience;
        (patience > 0 && state.waited >= patience).then_some(Outcome::StoppedEarly)
    }

    /// An evaluation that a cancelled run still owes: its step is done and recorded, and what follows depends on it.
    pub(super) fn pay_evaluation(
        &self,
        objective: &dyn Objective,
        state: &mut Loop,
    ) -> Result<Option<Outcome>, TrainingError> {
        let Some(mut record) = self.folder.steps()?.pop().filter(|record| record.step == state.done) else {
            state.owed = false;
            return Ok(None);
        };
        // Whatever was measured is recorded whole; what was broken off then came after it.
        if record.dev_loss.is_none() && !record.statistics.contains_key(F1) {
            if !self.measure(objective, &mut record)? {
                return Ok(Some(Outcome::Cancelled));
            }
            self.folder.amend_step(&record)?;
            (self.events)(Event::Step { record: record.clone(), eta_seconds: 0.0 });
        }
        if !self.sample(objective, state)? {
            return Ok(Some(Outcome::Cancelled));
        }
        state.owed = false;
        self.compare(state, &record);
        // The checkpoint of this very step says that the evaluation is owed.
        state.saved = None;
        self.save(objective, state)?;
        // After the last step there is nothing to stop early.
        Ok(if state.done < state.steps { self.has_waited_enough(state) } else { None })
    }
}
