//! What a run will take, before it is launched: memory, time and tokens, from one step that is thrown away.

use std::time::Instant;

use serde::Serialize;

use super::{BatchPlan, DataSummary, Objective, Recipe, TrainingError, memory, memory::Room};
use crate::model::{Adapter, LanguageModel};

/// Beside weights, activations and the optimiser: tokenizer, code, buffers of the matrix products.
const OVERHEAD_BYTES: u64 = 96 << 20;

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
    /// Tokens that go through the model in all, prompts included, without evaluations.
    pub tokens: usize,
    /// Weights that train.
    pub trainable_parameters: usize,
    /// Bytes that the whole process is expected to take at most.
    pub memory_bytes: u64,
    /// The same, as the step that was tried took them.
    pub measured_bytes: Option<u64>,
    /// Bytes that there are.
    pub available_bytes: Option<u64>,
    /// These bytes are of a device of its own, such as a GPU, and not of the machine.
    pub on_device: bool,
    /// Tokens a second of the step that was tried; nought where it was not.
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

/// Bytes that training takes at most when the largest pass has `rows` rows, and answers that are written before it take
/// `writing` bytes.
pub(super) fn needed_bytes(model: &LanguageModel, adapter: &Adapter, rows: usize, writing: usize) -> u64 {
    let config = model.config();
    let (all, most) = (model.activation_bytes(rows), model.keep_bytes());
    let inputs = rows * config.hidden * config.layers * 4;
    // Smaller batches than the largest keep theirs, up to that size.
    let activations = if all <= most { all } else { most.max(inputs + 3 * all / config.layers.max(1)) };
    // The weights themselves, their gradients (twice while they are added up), both moments and the new ones.
    let adapter = adapter.parameter_count() * 4 * 7;
    let head = rows * config.hidden * 4 * 4 + model.decoder().scratch_bytes(rows);
    (model.decoder().memory_bytes() + (activations + head).max(writing) + adapter) as u64 + OVERHEAD_BYTES
}

/// The largest batch that chance can put together: as many of the longest examples as go into one.
pub(super) fn largest_batch(objective: &dyn Objective, batch: usize) -> Vec<usize> {
    let mut examples: Vec<usize> = (0..objective.examples()).collect();
    examples.sort_by_cached_key(|&example| std::cmp::Reverse(objective.rows(&[example])));
    examples.truncate(batch);
    examples
}

/// Why `needed` bytes are too many, and what would help.
pub(super) fn refusal(needed: u64, room: Room, recipe: &Recipe, rows: usize) -> Option<String> {
    let available = room.bytes?;
    let place = if room.on_device { " on the device" } else { "" };
    if needed <= available {
        return None;
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let (batch, length) = (recipe.data.batch, recipe.data.max_length);
    let mut advice = Vec::new();
    if let Some(grpo) = &recipe.grpo {
        advice.push(format!("grpo.concurrent = {}", (grpo.concurrent / 2).max(1)));
        advice.push(format!("grpo.max_tokens = {}", (grpo.max_tokens / 2).max(16)));
    } else if batch > 1 {
        let smaller = (batch / 2).max(1);
        let more = recipe.data.accumulation * batch.div_ceil(smaller);
        advice.push(format!("data.batch = {smaller} with data.accumulation = {more}"));
    }
    advice.push(format!("data.max_length = {} (the largest pass has {rows} tokens)", (length / 2).max(16)));
    advice.push("a smaller or quantised model".to_owned());
    Some(format!(
        "training needs about {} MiB and {} MiB are free{place}; try {}",
        mebibytes(needed),
        mebibytes(available),
        advice.join(", or ")
    ))
}

/// Tries one step – forward and backward of the largest batch; nothing moves – and says what the run will take, unless
/// `cancelled` holds before its backward pass begins.
pub(super) fn estimate(
    objective: &dyn Objective,
    recipe: &Recipe,
    data: DataSummary,
    lengths: &[usize],
    cancelled: &dyn Fn() -> bool,
) -> Result<Estimate, TrainingError> {
    let plan = BatchPlan::new(objective.examples(), recipe.data.batch, recipe.data.accumulation, recipe.seed);
    let steps = recipe.length.steps.unwrap_or_else(|| plan.steps_for(recipe.length.epochs) * objective.reuse());
    let one_pass: usize = (0..objective.examples()).map(|example| objective.tokens(example)).sum();
    let tokens = (one_pass as f64 * plan.epochs_after(steps) / objective.reuse() as f64).round() as usize;
    let largest = largest_batch(objective, recipe.data.batch);
    let rows = objective.rows(&largest);
    let (memory_bytes, trainable_parameters) = match objective.wearing() {
        Some((model, adapter)) => {
            (needed_bytes(model, adapter, rows, objective.writing_bytes()), adapter.parameter_count())
        }
        None => (0, 0),
    };
    // The model is in memory by now: what is there is what is free and what it took.
    let room = objective.wearing().map_or_else(Room::of_machine, |(model, _)| Room::of(model));
    let refusal = refusal(memory_bytes, room, recipe, rows);
    let mut estimate = Estimate {
        data,
        lengths: Lengths::of(lengths),
        steps,
        tokens,
        trainable_parameters,
        memory_bytes,
        measured_bytes: None,
        available_bytes: room.bytes,
        on_device: room.on_device,
        tokens_per_second: 0.0,
        seconds: 0.0,
        refusal,
    };
    if estimate.refusal.is_some() || largest.is_empty() {
        return Ok(estimate);
    }
    let batches = [largest.clone()];
    let begin = Instant::now();
    if objective.prepare(0, &batches, cancelled)?.is_none() || cancelled() {
        return Err(TrainingError::NotTried);
    }
    objective.loss(&largest, objective.weight(&largest).max(f64::MIN_POSITIVE))?;
    let seconds = begin.elapsed().as_secs_f64();
    let tried: usize = largest.iter().map(|&example| objective.tokens(example)).sum();
    estimate.tokens_per_second = tried as f64 / seconds.max(1e-9);
    estimate.seconds = tokens as f64 / estimate.tokens_per_second.max(1e-9);
    // What the process took says nothing of a device's memory.
    estimate.measured_bytes = if room.on_device { None } else { memory::peak_bytes() };
    estimate.memory_bytes = estimate.memory_bytes.max(estimate.measured_bytes.unwrap_or(0));
    Ok(estimate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::ObjectiveName;

    #[test]
    fn every_example_is_in_one_bin_of_its_length() {
        let lengths = Lengths::of(&[1, 12, 13, 120, 120]);
        assert_eq!(lengths.examples.iter().sum::<usize>(), 5);
        assert_eq!((lengths.up_to[0], lengths.examples[0]), (10, 1));
        assert_eq!((lengths.up_to.last(), lengths.examples.last()), (Some(&120), Some(&2)));
        assert_eq!(Lengths::of(&[]), Lengths::default());
        assert_eq!(Lengths::of(&[3, 3]), Lengths { from: 3, up_to: vec![3], examples: vec![2] });
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let recipe = Recipe::default();
        let room = |bytes| Room { bytes, on_device: false };
        assert_eq!(refusal(100, room(Some(100)), &recipe, 9), None);
        assert_eq!(refusal(u64::MAX, room(None), &recipe, 9), None);
        let why = refusal(900 << 20, room(Some(100 << 20)), &recipe, 4096).unwrap();
        for part in ["900 MiB", "100 MiB", "data.batch = 2 with data.accumulation = 2", "data.max_length = 512"] {
            assert!(why.contains(part), "{why}");
        }
        let recipe = Recipe::of(ObjectiveName::Grpo).completed();
        let why = refusal(900 << 20, Room { bytes: Some(100 << 20), on_device: true }, &recipe, 4096).unwrap();
        assert!(why.contains("100 MiB are free on the device"), "{why}");
        assert!(why.contains("grpo.concurrent = ") && why.contains("grpo.max_tokens = 128"), "{why}");
    }
}
