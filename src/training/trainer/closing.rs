//! What a run leaves: its checkpoints along the way, and its weights and last word at the end.

use super::{Event, Loop, Outcome, Summary, Trainer};
use crate::training::{Checkpoint, Objective, Progress, RunState, Status, Take, TrainingError};

impl Trainer<'_> {
    /// Saves what there is, writes the last status, and sums up. A run that diverged keeps its last good weights.
    pub(super) fn close(
        &self,
        objective: &dyn Objective,
        state: &mut Loop,
        outcome: Result<Outcome, TrainingError>,
    ) -> Result<Summary, TrainingError> {
        let closed = outcome.and_then(|outcome| self.end(objective, state, outcome));
        closed.map_err(|error| self.end_by(error, objective, state))
    }

    fn end(&self, objective: &dyn Objective, state: &mut Loop, outcome: Outcome) -> Result<Summary, TrainingError> {
        let cancelled = matches!(outcome, Outcome::Cancelled);
        if cancelled {
            self.save_sound(objective, state)?;
        } else {
            self.save(objective, state)?;
            // No step follows that could prove the last weights wrong.
            self.drop_old(state)?;
        }
        if state.saved == Some(state.done) {
            objective.save(&self.folder.adapter_dir())?;
        }
        let mut messages = Vec::new();
        if matches!(outcome, Outcome::StoppedEarly) {
            messages.push(self.why_early(state));
        }
        if self.recipe.length.take == Take::Best && !cancelled {
            messages.extend(self.take_best(state)?);
        }
        self.folder.clear_requests();
        let run_state = if cancelled { RunState::Cancelled } else { RunState::Finished };
        let mut status = Status::new(run_state, state.done, state.steps, self.started);
        status.message = (!messages.is_empty()).then(|| messages.join("; "));
        self.folder.write_status(&status)?;
        Summary::of(self.folder, &status, &self.data, state.best.map(|best| best.step))
    }

    fn why_early(&self, state: &Loop) -> String {
        let what = self.recipe.length.best_by.as_str();
        let best = state.best.map_or(0, |best| best.step);
        format!(
            "stopped early: no better held-out {what} in {} evaluations; the best was after step {best}",
            state.waited
        )
    }

    /// Puts the best checkpoint's weights in the place of the last, or says why the last stay.
    fn take_best(&self, state: &Loop) -> Result<Option<String>, TrainingError> {
        let Some(best) = state.best else {
            return Ok(Some("nothing held out was measured, so the adapter is that of the last step".into()));
        };
        if best.step == state.done {
            return Ok(None);
        }
        let Some(checkpoint) = Checkpoint::of_step(self.folder, best.step) else {
            let why =
                format!("the best checkpoint, of step {}, is gone, so the adapter is that of the last step", best.step);
            return Ok(Some(why));
        };
        let (from, to) = (checkpoint.adapter_dir(), self.folder.adapter_dir());
        let entries = std::fs::read_dir(&from).map_err(|error| TrainingError::file(&from, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| TrainingError::file(&from, error))?;
            let bytes = std::fs::read(entry.path()).map_err(|error| TrainingError::file(entry.path(), error))?;
            crate::training::run::replace(&to.join(entry.file_name()), &bytes)?;
        }
        Ok(None)
    }

    /// Saves what there is, unless the last steps were out of line and there is a checkpoint from before.
    pub(super) fn save_sound(&self, objective: &dyn Objective, state: &mut Loop) -> Result<(), TrainingError> {
        if state.watchdog.is_calm() || state.saved.is_none() { self.save(objective, state) } else { Ok(()) }
    }

    /// Saves what there is. Older checkpoints stay until these weights have given a loss that is like the others.
    pub(super) fn save(&self, objective: &dyn Objective, state: &mut Loop) -> Result<(), TrainingError> {
        if state.saved == Some(state.done) {
            return Ok(());
        }
        refuse_unsound(objective, state.done)?;
        let (best, waited, owed) = (state.best, state.waited, state.owed);
        let examples_sha256 = self.examples_sha256.clone();
        let progress = Progress { step: state.done, steps: state.steps, examples_sha256, best, waited, owed };
        Checkpoint::write(self.folder, objective, &state.optimizer, &progress)?;
        (state.saved, state.unproven) = (Some(state.done), true);
        (self.events)(Event::Saved { step: state.done });
        Ok(())
    }

    /// The last checkpoint's weights have proved good: those before it may go.
    pub(super) fn drop_old(&self, state: &mut Loop) -> Result<(), TrainingError> {
        if !state.unproven {
            return Ok(());
        }
        let length = &self.recipe.length;
        let best = state.best.filter(|_| length.keep_best).map(|best| best.step);
        Checkpoint::drop_old(self.folder, state.done, length.keep_last, best)?;
        state.unproven = false;
        Ok(())
    }

    /// The step that a run whose loss ran away goes on from: where nothing but steps out of line followed the last checkpoint of
    /// this process, that one has the weights that ran away, and is set aside if there is an older one.
    pub(super) fn kept_of_runaway(&self, state: &Loop) -> usize {
        let saved = state.saved.unwrap_or(0);
        let is_older = |step: usize| Checkpoint::steps(self.folder).into_iter().any(|other| other < step);
        if state.unproven && saved > state.first && is_older(saved) {
            let _ = Checkpoint::set_aside(self.folder, saved);
            return Checkpoint::latest(self.folder).map_or(0, |checkpoint| checkpoint.progress.step);
        }
        saved
    }

    /// The weights as they are lead to no numbers, so a checkpoint of them is set aside. Gives the step of the newest one that
    /// is left, or nought.
    pub(super) fn step_back(&self, state: &Loop) -> usize {
        if state.saved == Some(state.done) {
            // Where that fails, the run goes on from there and ends here again.
            let _ = Checkpoint::set_aside(self.folder, state.done);
        }
        Checkpoint::latest(self.folder).map_or(0, |checkpoint| checkpoint.progress.step)
    }
}

/// Weights that are no numbers are never saved.
fn refuse_unsound(objective: &dyn Objective, step: usize) -> Result<(), TrainingError> {
    for (_, parameter) in objective.parameters() {
        // Nought times what is infinite or no number is no number.
        let nought = (parameter.as_tensor() * 0.0)?.sum_all()?.to_scalar::<f32>()?;
        if nought.is_nan() {
            return Err(TrainingError::Diverged { what: "a weight of the adapter", value: f64::NAN, step, kept: 0 });
        }
    }
    Ok(())
}
