//! What a recipe trains on: the accepted things of a project that its objective can learn from.

use super::{DataSource, Example, ObjectiveName, Recipe, TrainingError};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::workspace::Workspace;

/// The examples that a recipe trains on, from what was accepted in a project: pairs for DPO, rationales for GRPO,
/// and for SFT rationales or, where `data.source` says so, thoughts.
///
/// # Errors
/// When the store cannot be read or a prompt is not valid.
pub fn accepted_examples(workspace: &Workspace, recipe: &Recipe) -> Result<Vec<Example>, TrainingError> {
    let prompt = AnomalyPrompt::default();
    let failed = |error: &dyn std::fmt::Display| TrainingError::Model(error.to_string());
    let examples: Result<Vec<Example>, _> = match (recipe.objective, recipe.data.source) {
        (ObjectiveName::Dpo, _) => {
            let pairs = workspace.accepted_pairs().map_err(|error| failed(&error))?;
            pairs.iter().map(|pair| Example::from_pair(pair, &prompt)).collect()
        }
        (ObjectiveName::Sft, DataSource::Thoughts) => {
            let thoughts = workspace.accepted_thoughts().map_err(|error| failed(&error))?;
            Ok(thoughts.iter().map(Example::from_thought).collect())
        }
        (ObjectiveName::Sft | ObjectiveName::Grpo, _) => {
            let rationales = workspace.accepted_rationales().map_err(|error| failed(&error))?;
            rationales.iter().map(|rationale| Example::from_rationale(rationale, &prompt)).collect()
        }
    };
    examples.map_err(|error| failed(&error))
}
