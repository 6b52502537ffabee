//! What a trainer needs to know of what it trains.
//!
//! One trait serves supervised fine-tuning, preference pairs and reinforcement: whatever a step needs beyond its examples
//! – log-probabilities under a reference, rollouts and their rewards – is made by [`Objective::prepare`] before the
//! step's batches. Nothing of that is drawn but from [`super::rng`], and what a later step needs again goes into the
//! checkpoint ([`Objective::save_state`]), so a run that was killed goes on to the same bits.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Tensor, Var};

use super::estimate::{Tried, largest_batch};
use super::{Recipe, TrainingError};
use crate::model::{Adapter, LanguageModel};

/// The gradient of the loss, one tensor for each parameter in the order of [`Objective::parameters`]; `None` where the
/// loss does not depend on it.
pub type Gradients = Vec<Option<Tensor>>;

/// What the loss of some examples is, and what goes with it.
#[derive(Debug)]
pub struct Part {
    /// Their share of the step's loss.
    pub loss: f64,
    /// Its gradient.
    pub gradients: Gradients,
    /// What else there is to tell of them.
    pub statistics: Statistics,
}

/// Named figures of a step, each the mean over what it counts: pairs, rollouts or tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics(BTreeMap<&'static str, (f64, f64)>);

impl Statistics {
    /// Counts `value` among those whose mean `name` is.
    pub fn count(&mut self, name: &'static str, value: f64) {
        self.add(name, value, 1.0);
    }

    /// Counts `count` values at once, which add up to `sum`.
    pub fn add(&mut self, name: &'static str, sum: f64, count: f64) {
        let entry = self.0.entry(name).or_default();
        *entry = (entry.0 + sum, entry.1 + count);
    }

    /// Counts all that `other` counted.
    pub fn merge(&mut self, other: Self) {
        for (name, (sum, count)) in other.0 {
            self.add(name, sum, count);
        }
    }

    /// The mean of each, where anything was counted.
    pub fn means(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let mean = |(&name, &(sum, count)): (&&'static str, &(f64, f64))| (count > 0.0).then(|| (name, sum / count));
        self.0.iter().filter_map(mean)
    }

    /// One of the means.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.means().find(|(known, _)| *known == name).map(|(_, mean)| mean)
    }
}

/// What the model is worth on what was held out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    /// The mean loss there: what training is to bring down.
    pub loss: f64,
    /// What else there is to tell.
    pub statistics: Statistics,
}

/// What a model said when it was asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The log that it was asked about.
    pub input: String,
    /// Its answer.
    pub text: String,
    /// What each part of the reward gave for it, and their `total`; empty where nothing is rewarded.
    pub reward: BTreeMap<String, f64>,
}

/// Something that can be trained: parameters, examples, and the loss of the ones on the others.
pub trait Objective {
    /// The parameters that move, each with its name, always in the same order.
    fn parameters(&self) -> &[(String, Var)];

    /// How many examples there are.
    fn examples(&self) -> usize;

    /// Steps in a row that work on the same batches: above one where what was prepared for the first serves the others.
    fn reuse(&self) -> usize {
        1
    }

    /// Makes what the batches of `step` (from 0) need, and tells of it; `None` if someone asked to stop meanwhile, in
    /// which case nothing has changed. Called once before the losses of a step.
    ///
    /// # Errors
    /// When the model's arithmetic or the disk fails.
    fn prepare(
        &self,
        step: usize,
        batches: &[Vec<usize>],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Statistics>, TrainingError> {
        let _ = (step, batches, cancelled);
        Ok(Some(Statistics::default()))
    }

    /// Tokens of an example that go through the model in a step, prompt included.
    fn tokens(&self, example: usize) -> usize;

    /// Rows of the largest single pass through the model that the loss of these examples takes, at most: what memory
    /// follows. Batches are cut, and common starts count once.
    fn rows(&self, examples: &[usize]) -> usize {
        examples.iter().map(|&example| self.tokens(example)).sum()
    }

    /// Bytes that writing answers takes before the loss, at most.
    fn writing_bytes(&self) -> usize {
        0
    }

    /// [`Objective::rows`] of the largest batch and [`Objective::writing_bytes`], if the run had these settings of batches,
    /// lengths and rollouts instead.
    fn extent_with(&self, recipe: &Recipe) -> (usize, usize) {
        (self.rows(&largest_batch(self, recipe.data.batch)), self.writing_bytes())
    }

    /// Tries a step on `examples`, or on fewer or shorter ones where that would take long – a token takes `forward` seconds to
    /// pass through the model –, and says how long its parts take. Nothing moves. `None` if someone asked to stop.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn try_step(
        &self,
        examples: &[usize],
        forward: f64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Tried>, TrainingError> {
        Tried::of_examples(self, examples, forward, cancelled)
    }

    /// The weight of all that the loss of these examples counts: what a step's loss is normalised by, over all its
    /// batches together, so that a step of four batches of one equals a step of one batch of four.
    fn weight(&self, examples: &[usize]) -> f64;

    /// The summed loss of these examples / `normaliser`, and its gradient.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn loss(&self, examples: &[usize], normaliser: f64) -> Result<Part, TrainingError>;

    /// What the model is worth on what was held out; `None` where nothing was, or someone asked to stop.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn held_out(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Held>, TrainingError>;

    /// What the model says now of some of the examples, the same each time; nothing where there is nothing to be asked, and
    /// `None` if someone asked to stop.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn samples(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Vec<Said>>, TrainingError>;

    /// The model with the adapter that trains, where others may ask it questions between two steps.
    fn wearing(&self) -> Option<(&LanguageModel, &Adapter)> {
        None
    }

    /// Writes the parameters in the layout in which others read them.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, folder: &Path) -> Result<(), TrainingError>;

    /// Writes what a run that goes on from this checkpoint needs besides parameters and moments.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save_state(&self, checkpoint: &Path) -> Result<(), TrainingError> {
        let _ = checkpoint;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_all_that_was_counted_in_all_parts() {
        let (mut one, mut two) = (Statistics::default(), Statistics::default());
        one.count("reward", 1.0);
        two.add("reward", 2.0, 3.0);
        two.add("nothing", 0.0, 0.0);
        one.merge(two);
        assert_eq!(one.means().collect::<Vec<_>>(), [("reward", 0.75)]);
        assert_eq!((one.mean("reward"), one.mean("nothing")), (Some(0.75), None));
    }
}
