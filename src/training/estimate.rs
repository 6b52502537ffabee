//! What a run will take, before it is launched: memory, time and tokens, from one step that is thrown away.

mod fit;
mod loaded;
mod tried;

use serde::Serialize;

use super::{BatchPlan, DataSummary, Objective, Recipe, TrainingError, memory};

pub(super) use fit::{fits, largest_batch};
pub use loaded::estimate;
pub use tried::Tried;
pub(super) use tried::{LOSS_PASSES, TRY_SECONDS, affordable};

/// Lengths of the examples in how many parts.
const BINS: usize = 12;

/// What a run will take; the object that `train … --dry-run --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// What it would train on.
    pub data: DataSummary,
    /// How long the examples are.
    pub lengths: Lengths,
    /// Steps in all.
    pub steps: usize,
    /// Tokens that the losses of all steps are of, prompts included, at most: a rollout may end early. Steps that learn from the
    /// same rollouts count them each.
    pub tokens: usize,
    /// Weights that train.
    pub trainable_parameters: usize,
    /// Bytes that the whole process is expected to take at most.
    pub memory_bytes: u64,
    /// The same, as the step that was tried took them; absent where only a part of one was.
    pub measured_bytes: Option<u64>,
    /// Bytes that there are.
    pub available_bytes: Option<u64>,
    /// These bytes are of a device of its own, such as a GPU, and not of the machine.
    pub on_device: bool,
    /// Tokens a second, with all that comes before the losses; nought where no step was tried.
    pub tokens_per_second: f64,
    /// Seconds that all steps take at that pace, without evaluations.
    pub seconds: f64,
    /// Why it should not be launched so, and what would help.
    pub refusal: Option<String>,
}

/// How long examples are, in tokens: before any cut, and for pairs as they are trained on, both sides together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    /// Tokens of the shortest example.
    pub from: usize,
    /// Upper end of each bin; the last is the longest example.
    pub up_to: Vec<usize>,
    /// Examples in each.
    pub examples: Vec<usize>,
}

impl Lengths {
    /// Bins of equal width over `lengths`.
    pub fn of(lengths: &[usize]) -> Self {
        let (Some(&from), Some(&longest)) = (lengths.iter().min(), lengths.iter().max()) else {
            return Self::default();
        };
        let width = (longest - from + 1).div_ceil(BINS).max(1);
        let bins = (longest - from + 1).div_ceil(width);
        let mut examples = vec![0; bins];
        for length in lengths {
            examples[(length - from) / width] += 1;
        }
        Self { from, up_to: (1..=bins).map(|bin| (from + bin * width - 1).min(longest)).collect(), examples }
    }
}

/// Says what the run of a loaded objective will take, from a part of a step that is tried if it fits, unless `cancelled` holds
/// before its backward pass begins. Nothing moves.
fn of_objective(
    objective: &dyn Objective,
    recipe: &Recipe,
    data: DataSummary,
    lengths: &[usize],
    cancelled: &dyn Fn() -> bool,
) -> Result<Estimate, TrainingError> {
    let reuse = objective.reuse();
    let plan = BatchPlan::new(objective.examples(), recipe.data.batch, recipe.data.accumulation, recipe.seed);
    let steps = plan.steps_of(&recipe.length, reuse);
    let one_pass: usize = (0..objective.examples()).map(|example| objective.tokens(example)).sum();
    // What is made before a loss serves so many steps, and every step passes it through the model.
    let made = one_pass as f64 * plan.epochs_after(steps) / reuse as f64;
    let tokens = made * reuse as f64;
    let (memory_bytes, room, refusal) = fits(objective, recipe, data.longest);
    let mut estimate = Estimate {
        data,
        lengths: Lengths::of(lengths),
        steps,
        tokens: tokens.round() as usize,
        trainable_parameters: objective.wearing().map_or(0, |(_, adapter)| adapter.parameter_count()),
        memory_bytes,
        measured_bytes: None,
        available_bytes: room.bytes,
        on_device: room.on_device,
        tokens_per_second: 0.0,
        seconds: 0.0,
        refusal,
    };
    let largest = largest_batch(objective, recipe.data.batch);
    if estimate.refusal.is_some() || largest.is_empty() {
        return Ok(estimate);
    }
    let forward = tried::forward_pace(objective)?;
    if cancelled() {
        return Err(TrainingError::NotTried);
    }
    let Some(tried) = objective.try_step(&largest, forward, cancelled)? else { return Err(TrainingError::NotTried) };
    let before = if tried.kept { made.min(one_pass as f64) } else { made };
    estimate.seconds = tried.training * tokens + tried.before * before;
    estimate.tokens_per_second = tokens / estimate.seconds.max(1e-9);
    // What the process took says nothing of a device's memory, nor does a part of a step of a whole one.
    estimate.measured_bytes = memory::peak_bytes().filter(|_| tried.whole && !room.on_device);
    estimate.memory_bytes = estimate.memory_bytes.max(estimate.measured_bytes.unwrap_or(0));
    Ok(estimate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_in_one_bin_of_its_length() {
        let lengths = Lengths::of(&[1, 12, 13, 120, 120]);
        assert_eq!(lengths.examples.iter().sum::<usize>(), 5);
        assert_eq!((lengths.up_to[0], lengths.examples[0]), (10, 1));
        assert_eq!((lengths.up_to.last(), lengths.examples.last()), (Some(&120), Some(&2)));
        assert_eq!(Lengths::of(&[]), Lengths::default());
        assert_eq!(Lengths::of(&[3, 3]), Lengths { from: 3, up_to: vec![3], examples: vec![2] });
    }
}
