//! What a recipe trains on: the accepted things of a project that its objective can learn from.

use std::collections::HashSet;

use super::{DataSource, Example, ObjectiveName, Recipe, TrainingError};
use crate::reasoning::Task;
use crate::reasoning::prompt::{AnomalyPrompt, PromptError};
use crate::workspace::{Workspace, WorkspaceError};

/// The examples that a recipe trains on, from what was accepted in a project: pairs for DPO; for SFT rationales or thoughts; for
/// GRPO rationales or labelled templates, or both, as `data.source` says.
///
/// # Errors
/// When the store cannot be read or a prompt is not valid.
pub fn accepted_examples(workspace: &Workspace, recipe: &Recipe) -> Result<Vec<Example>, TrainingError> {
    let prompt = AnomalyPrompt::default();
    let rationales = || -> Result<Vec<Example>, Failed> {
        let rationales = workspace.accepted_rationales()?;
        rationales.iter().map(|rationale| Ok(Example::from_rationale(rationale, &prompt)?)).collect()
    };
    let examples = || -> Result<Vec<Example>, Failed> {
        Ok(match (recipe.objective, recipe.data.source) {
            (ObjectiveName::Dpo, _) => {
                let pairs = workspace.accepted_pairs()?;
                pairs.iter().map(|pair| Example::from_pair(pair, &prompt)).collect::<Result<_, _>>()?
            }
            (_, DataSource::Thoughts) => workspace.accepted_thoughts()?.iter().map(Example::from_thought).collect(),
            (_, DataSource::Rationales) => rationales()?,
            (_, DataSource::Templates) => labelled_templates(workspace, &prompt)?,
            (_, DataSource::Both) => {
                let mut examples = rationales()?;
                let asked: HashSet<String> = examples
                    .iter()
                    .filter(|example| example.task == Task::Anomaly)
                    .map(|example| example.input.clone())
                    .collect();
                let templates = labelled_templates(workspace, &prompt)?;
                examples.extend(templates.into_iter().filter(|example| !asked.contains(&example.input)));
                examples
            }
        })
    };
    examples().map_err(|Failed(why)| TrainingError::Model(why))
}

/// Why examples cannot be had, in words.
struct Failed(String);

impl From<WorkspaceError> for Failed {
    fn from(error: WorkspaceError) -> Self {
        Self(error.to_string())
    }
}

impl From<PromptError> for Failed {
    fn from(error: PromptError) -> Self {
        Self(error.to_string())
    }
}

/// A question about each template that has gold, which is its truth. Nobody reasoned about it: a reward has no reference.
fn labelled_templates(workspace: &Workspace, prompt: &AnomalyPrompt) -> Result<Vec<Example>, Failed> {
    let gold = workspace.gold()?;
    let mut examples = Vec::new();
    for record in workspace.templates()? {
        let Some(gold) = gold.get(record.key()) else { continue };
        examples.push(Example {
            id: format!("{}/{}", record.key().dataset, record.key().id),
            task: Task::Anomaly,
            input: record.text().to_owned(),
            turns: prompt.turns(record.text())?,
            completion: String::new(),
            rejected: None,
            label: Some(gold.label.as_str().to_owned()),
        });
    }
    Ok(examples)
}
