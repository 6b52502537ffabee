//! Which examples go into which batch of which step.
//!
//! The plan is a pure function of the seed and the number of examples, so that a resumed run needs only its step number
//! to go on with exactly the batches that come next. Examples are not grouped by length: the model never pads, so a
//! batch costs what its tokens cost, and grouping would only make the steps' sizes swing.

use super::LengthSettings;
use super::rng::{Stream, shuffle};

/// The batches of every epoch of a run.
#[derive(Debug, Clone)]
pub struct BatchPlan {
    examples: usize,
    batch: usize,
    accumulation: usize,
    seed: u64,
}

impl BatchPlan {
    /// A plan over `examples` examples, `batch` in a batch, `accumulation` batches in a step.
    pub fn new(examples: usize, batch: usize, accumulation: usize, seed: u64) -> Self {
        Self { examples, batch: batch.max(1), accumulation: accumulation.max(1), seed }
    }

    /// Batches in one pass over the data; the last may be smaller.
    pub fn batches_per_epoch(&self) -> usize {
        self.examples.div_ceil(self.batch)
    }

    /// Steps that `epochs` passes need, at least one.
    pub fn steps_for(&self, epochs: f64) -> usize {
        let batches = (self.batches_per_epoch() as f64 * epochs).ceil() as usize;
        batches.div_ceil(self.accumulation).max(1)
    }

    /// Steps of a run, of which `reuse` in a row work on the same batches.
    pub fn steps_of(&self, length: &LengthSettings, reuse: usize) -> usize {
        length.steps.unwrap_or_else(|| self.steps_for(length.epochs) * reuse)
    }

    /// How many passes over the data the first `steps` steps make.
    pub fn epochs_after(&self, steps: usize) -> f64 {
        (steps * self.accumulation) as f64 / self.batches_per_epoch().max(1) as f64
    }

    /// The batches of `step` (from 0), as indices of examples. Batches run on from one epoch into the next.
    pub fn step(&self, step: usize) -> Vec<Vec<usize>> {
        let per_epoch = self.batches_per_epoch();
        if per_epoch == 0 {
            return Vec::new();
        }
        let first = step * self.accumulation;
        let mut order = (first / per_epoch, self.order(first / per_epoch));
        (first..first + self.accumulation)
            .map(|batch| {
                let (epoch, within) = (batch / per_epoch, batch % per_epoch);
                if order.0 != epoch {
                    order = (epoch, self.order(epoch));
                }
                let from = within * self.batch;
                order.1[from..(from + self.batch).min(self.examples)].to_vec()
            })
            .collect()
    }

    /// The order of the examples in an epoch.
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.examples).collect();
        shuffle(&mut order, self.seed, Stream::Order(epoch as u64));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_cover_the_epochs_asked_for() {
        let plan = BatchPlan::new(10, 4, 2, 0);
        assert_eq!(plan.batches_per_epoch(), 3);
        assert_eq!(plan.steps_for(2.0), 3);
        assert!((plan.epochs_after(3) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn accumulated_batches_are_those_of_a_plan_without() {
        let (single, double) = (BatchPlan::new(10, 4, 1, 5), BatchPlan::new(10, 4, 2, 5));
        for step in 0..5 {
            assert_eq!(double.step(step), [single.step(2 * step), single.step(2 * step + 1)].concat());
        }
    }

    proptest! {
        #[test]
        fn every_example_is_in_every_epoch_once(examples in 1usize..70, batch in 1usize..9, seed in any::<u64>()) {
            let plan = BatchPlan::new(examples, batch, 1, seed);
            for epoch in 0..3 {
                let from = epoch * plan.batches_per_epoch();
                let mut seen: Vec<usize> =
                    (from..from + plan.batches_per_epoch()).flat_map(|step| plan.step(step)).flatten().collect();
                seen.sort_unstable();
                prop_assert_eq!(seen, (0..examples).collect::<Vec<_>>());
            }
        }
    }
}
