//! An estimate from nothing but a recipe and examples: the model is loaded for it, and gone again with it.

use std::path::Path;
use std::thread;

use super::{Estimate, of_objective};
use crate::model::LanguageModel;
use crate::training::background::{builder, panic_text};
use crate::training::build::{Keep, build, keep_start};
use crate::training::held_out::held_out;
use crate::training::prepare::{first_adapter, wanted};
use crate::training::{
    Base, DataSettings, Example, ObjectiveName, Recipe, RunFolder, TrainingError, memory, tokenize, tokenize_prompts,
};

/// What a run would take, from one step that is thrown away; see [`Estimate`]. Takes as long as loading the model and that
/// step; between them, and within the step where the objective can, it ends once `cancelled` holds.
///
/// # Errors
/// As [`super::super::start`], when the model cannot be loaded, and when it was cancelled.
pub fn estimate(
    recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    base: &Base,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Estimate, TrainingError> {
    let recipe = recipe.completed().validated()?;
    let examples = wanted(&recipe, examples)?;
    let go_on = || if cancelled() { Err(TrainingError::NotTried) } else { Ok(()) };
    let work = || {
        go_on()?;
        memory::forget_peak();
        let model = LanguageModel::load(&base.path, &base.device())?;
        go_on()?;
        held_out(&examples, &model, &recipe, base.measure.as_ref())?;
        let (objective, data, lengths) = {
            // The folder of the start's adapter alone, and gone before the step is tried: a program that is left meanwhile
            // leaves nothing behind.
            let place = tempfile::Builder::new().prefix("logwright-estimate-").tempdir();
            let place = place.map_err(|error| TrainingError::file(std::env::temp_dir(), error))?;
            let folder = RunFolder::create_at(&place.path().join("run"))?;
            let mut recipe = recipe.clone();
            if let Some(from) = from {
                recipe.lora = keep_start(from, &folder, recipe.lora)?;
                recipe = recipe.validated()?;
            }
            let adapter = first_adapter(&folder, &model, &recipe)?;
            go_on()?;
            let uncut = uncut_lengths(&examples, &model, &recipe)?;
            go_on()?;
            let (objective, data) = build(model, adapter, &examples, &recipe, &folder, Keep::Nothing)?;
            let built = || (0..objective.examples()).map(|example| objective.tokens(example)).collect();
            let lengths: Vec<usize> = uncut.unwrap_or_else(built);
            (objective, data, lengths)
        };
        go_on()?;
        of_objective(&*objective, &recipe, data, &lengths, cancelled)
    };
    thread::scope(|scope| {
        let thread =
            builder("estimate").spawn_scoped(scope, work).map_err(|error| TrainingError::Thread(error.to_string()))?;
        thread.join().unwrap_or_else(|panic| Err(TrainingError::Thread(panic_text(&*panic))))
    })
}

/// How long the examples are before any cut; `None` for pairs, which are told as they are trained on.
fn uncut_lengths(
    examples: &[Example],
    model: &LanguageModel,
    recipe: &Recipe,
) -> Result<Option<Vec<usize>>, TrainingError> {
    Ok(match recipe.objective {
        ObjectiveName::Sft => {
            let whole = DataSettings { max_length: usize::MAX, ..recipe.data.clone() };
            let tokenized = tokenize(examples, model, &whole)?.0;
            Some(tokenized.into_iter().map(|example| example.tokens.len()).collect())
        }
        ObjectiveName::Grpo => {
            let prompts = tokenize_prompts(examples, model, &recipe.data)?.0;
            Some(prompts.into_iter().map(|prompt| prompt.tokens.len()).collect())
        }
        ObjectiveName::Dpo => None,
    })
}
