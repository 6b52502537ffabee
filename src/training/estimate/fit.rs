//! Whether a run fits into memory, and if not, which settings would.

use crate::model::{Adapter, LanguageModel};
use crate::training::memory::Room;
use crate::training::{Objective, Recipe};

/// Beside weights, activations and the optimiser: tokenizer, code, buffers of the matrix products.
const OVERHEAD_BYTES: u64 = 96 << 20;

/// Shorter examples or answers than this are of no use.
const LEAST_TOKENS: usize = 16;

/// Bytes that training takes at most, the room there is, and if that is too little why it is refused and what would help.
/// `longest` is the longest example, in tokens.
pub(in crate::training) fn fits(
    objective: &dyn Objective,
    recipe: &Recipe,
    longest: usize,
) -> (u64, Room, Option<String>) {
    let Some((model, adapter)) = objective.wearing() else { return (0, Room::of_machine(), None) };
    let rows = objective.rows(&largest_batch(objective, recipe.data.batch));
    let needed = needed_bytes(model, adapter, rows, objective.writing_bytes());
    // The model is in memory by now: what is there is what is free and what it took.
    let room = Room::of(model);
    let needed_with = |recipe: &Recipe| {
        let (rows, writing) = objective.extent_with(recipe);
        needed_bytes(model, adapter, rows, writing)
    };
    (needed, room, refusal(needed, room, recipe, longest, &needed_with))
}

/// Bytes that training takes at most when the largest pass has `rows` rows, and answers that are written before it take
/// `writing` bytes.
fn needed_bytes(model: &LanguageModel, adapter: &Adapter, rows: usize, writing: usize) -> u64 {
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
pub(in crate::training) fn largest_batch<O: Objective + ?Sized>(objective: &O, batch: usize) -> Vec<usize> {
    let mut examples: Vec<usize> = (0..objective.examples()).collect();
    examples.sort_by_cached_key(|&example| std::cmp::Reverse(objective.rows(&[example])));
    examples.truncate(batch);
    examples
}

/// Why `needed` bytes are too many, and what would help: of the settings, only those with which it fits.
fn refusal(
    needed: u64,
    room: Room,
    recipe: &Recipe,
    longest: usize,
    needed_with: &dyn Fn(&Recipe) -> u64,
) -> Option<String> {
    let available = room.bytes?;
    let place = if room.on_device { " on the device" } else { "" };
    if needed <= available {
        return None;
    }
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let first = |ladder: Vec<Step>| ladder.into_iter().find(|step| needed_with(&step.recipe) <= available);
    let (width, length) = ladders(recipe, longest);
    let narrowest = width.last().cloned();
    let mut advice: Vec<String> = [width, length].into_iter().filter_map(first).map(|step| step.said).collect();
    if advice.is_empty()
        && let Some(narrowest) = narrowest
    {
        let (_, shorter) = ladders(&narrowest.recipe, longest);
        advice.extend(first(shorter).map(|step| format!("{} and {}", narrowest.said, step.said)));
    }
    advice.push("a smaller or quantised model".to_owned());
    Some(format!(
        "training needs about {} MiB and {} MiB are free{place}; try {}",
        mebibytes(needed),
        mebibytes(available),
        advice.join(", or ")
    ))
}

/// A recipe that takes less, and how to say what is other in it.
#[derive(Debug, Clone)]
struct Step {
    recipe: Recipe,
    said: String,
}

/// Recipes that do less at once, and recipes of shorter texts, each from the most to the least.
fn ladders(recipe: &Recipe, longest: usize) -> (Vec<Step>, Vec<Step>) {
    if let Some(grpo) = &recipe.grpo {
        let step = |name: &str, value: usize, set: fn(&mut crate::training::GrpoSettings) -> &mut usize| {
            let mut grpo = grpo.clone();
            *set(&mut grpo) = value;
            Step { recipe: Recipe { grpo: Some(grpo), ..recipe.clone() }, said: format!("grpo.{name} = {value}") }
        };
        let concurrent = halves(grpo.concurrent, 1).map(|value| step("concurrent", value, |grpo| &mut grpo.concurrent));
        let tokens =
            halves(grpo.max_tokens, LEAST_TOKENS).map(|value| step("max_tokens", value, |grpo| &mut grpo.max_tokens));
        return (concurrent.collect(), tokens.collect());
    }
    let data = &recipe.data;
    let narrower = |batch: usize| {
        let accumulation = data.accumulation * data.batch.div_ceil(batch);
        let mut recipe = recipe.clone();
        (recipe.data.batch, recipe.data.accumulation) = (batch, accumulation);
        Step { recipe, said: format!("data.batch = {batch} with data.accumulation = {accumulation}") }
    };
    let shorter = |max_length: usize| {
        let mut recipe = recipe.clone();
        recipe.data.max_length = max_length;
        Step { recipe, said: format!("data.max_length = {max_length} (the longest example has {longest} tokens)") }
    };
    let batches = halves(data.batch, 1).map(narrower).collect();
    (batches, halves(data.max_length.min(longest), LEAST_TOKENS).map(shorter).collect())
}

/// A half of `whole`, a half of that, and so on, down to `least`.
fn halves(whole: usize, least: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(whole), |value| Some(value / 2)).skip(1).take_while(move |&value| value >= least.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::ObjectiveName;

    fn told(recipe: &Recipe, longest: usize, free: u64, needed: &dyn Fn(&Recipe) -> u64) -> Option<String> {
        refusal(needed(recipe), Room { bytes: Some(free), on_device: false }, recipe, longest, needed)
    }

    /// As many bytes as the largest batch has tokens.
    fn by_tokens(longest: usize) -> impl Fn(&Recipe) -> u64 {
        move |recipe| (recipe.data.batch * recipe.data.max_length.min(longest)) as u64
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let recipe = Recipe::default();
        let needed = by_tokens(399);
        assert_eq!(told(&recipe, 399, 4 * 399, &needed), None);
        assert_eq!(refusal(u64::MAX, Room { bytes: None, on_device: false }, &recipe, 399, &needed), None);
        let advice = |free| told(&recipe, 399, free, &needed).unwrap().split_once("; try ").unwrap().1.to_owned();
        assert_eq!(
            advice(2 * 399),
            "data.batch = 2 with data.accumulation = 2, or data.max_length = 199 (the longest example has 399 tokens), \
             or a smaller or quantised model"
        );
        // Half a batch is too much still, and so is half of the longest example; what is longer than that changes nothing.
        assert!(advice(400).starts_with("data.batch = 1 with data.accumulation = 4, or data.max_length = 99 "));
        let both = advice(60);
        assert!(both.starts_with("data.batch = 1 with data.accumulation = 4 and data.max_length = 49 "), "{both}");
        assert_eq!(advice(3), "a smaller or quantised model");
    }

    #[test]
    fn rollouts_are_fewer_at_once_or_shorter_where_that_helps() {
        let recipe = Recipe::of(ObjectiveName::Grpo).completed();
        let needed = |recipe: &Recipe| {
            let grpo = recipe.grpo.as_ref().unwrap();
            (8 * grpo.max_tokens).max(grpo.concurrent * 10) as u64
        };
        let why = told(&recipe, 100, 1024, &needed).unwrap();
        assert!(why.contains("try grpo.max_tokens = 128, or a smaller"), "{why}");
        let room = Room { bytes: Some(100 << 20), on_device: true };
        let why = refusal(900 << 20, room, &recipe, 100, &needed).unwrap();
        for part in ["900 MiB", "100 MiB are free on the device"] {
            assert!(why.contains(part), "{why}");
        }
    }
}
