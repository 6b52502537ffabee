//! What is held out of a run's examples, for whoever asks the model about it.

use std::collections::HashSet;

use super::{
    BestBy, DataSettings, Example, Measure, ObjectiveName, OfLog, Recipe, TrainingError, split_dev, tokenize,
    tokenize_pairs, tokenize_prompts,
};
use crate::model::LanguageModel;

/// What is held out, as text, where the recipe wants the model to be asked about it.
///
/// # Errors
/// When the best evaluation is to be that of the highest F1, and there is nothing held out to measure one on.
pub(super) fn held_out(
    examples: &[Example],
    model: &LanguageModel,
    recipe: &Recipe,
    measure: Option<&Measure>,
) -> Result<Vec<Example>, TrainingError> {
    if !recipe.length.evaluate_answers {
        return Ok(Vec::new());
    }
    let max_length = recipe.data.max_length.min(model.config().context);
    let settings = DataSettings { max_length, ..recipe.data.clone() };
    fn ids<T: OfLog>(examples: Vec<T>, recipe: &Recipe, id: impl Fn(&T) -> &str) -> HashSet<String> {
        let (_, dev) = split_dev(examples, &recipe.data, recipe.seed);
        dev.iter().map(|example| id(example).to_owned()).collect()
    }
    let held = match recipe.objective {
        ObjectiveName::Sft => ids(tokenize(examples, model, &settings)?.0, recipe, |example| &example.id),
        ObjectiveName::Dpo => ids(tokenize_pairs(examples, model, &settings)?.0, recipe, |pair| &pair.id),
        ObjectiveName::Grpo => ids(tokenize_prompts(examples, model, &settings)?.0, recipe, |it| &it.example.id),
    };
    let held: Vec<Example> = examples.iter().filter(|example| held.contains(&example.id)).cloned().collect();
    if recipe.length.best_by == BestBy::F1 && !measure.is_some_and(|measure| measure.can_measure(&held)) {
        return Err(TrainingError::NoVerdicts(held.len()));
    }
    Ok(held)
}
