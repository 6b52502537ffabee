//! What a recipe trains on: the accepted things of a project that its objective can learn from.

use std::collections::HashSet;

use serde::Serialize;

use super::{DataSource, Example, ObjectiveName, Recipe, TrainingError};
use crate::reasoning::prompt::{AnomalyPrompt, PromptError};
use crate::reasoning::{ItemKind, Standing, Task};
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

/// How many things of a kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stock {
    /// Those that may train.
    pub accepted: usize,
    /// Those that wait for review.
    pub pending: usize,
}

impl Stock {
    fn and(self, other: Self) -> Self {
        Self { accepted: self.accepted + other.accepted, pending: self.pending + other.pending }
    }
}

/// What a project has for objectives to learn from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Supply {
    /// For SFT and GRPO.
    pub rationales: Stock,
    /// For DPO.
    pub pairs: Stock,
    /// For SFT where `data.source` says so.
    pub thoughts: Stock,
    /// For GRPO where `data.source` says so: those with gold may train, the others wait for it.
    pub templates: Stock,
}

impl Supply {
    /// What a project has now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(workspace: &Workspace) -> Result<Self, TrainingError> {
        let standings = workspace.item_standings().map_err(|error| TrainingError::Model(error.to_string()))?;
        let mut supply = Self::default();
        for (kind, _, standing) in standings {
            let stock = match kind {
                ItemKind::Rationale => &mut supply.rationales,
                ItemKind::Pair => &mut supply.pairs,
                ItemKind::Thought => &mut supply.thoughts,
            };
            stock.accepted += usize::from(standing.trains());
            stock.pending += usize::from(standing == Standing::Pending);
        }
        let failed = |error: WorkspaceError| TrainingError::Model(error.to_string());
        let gold = workspace.gold().map_err(failed)?;
        for record in workspace.templates().map_err(failed)? {
            match gold.get(record.key()) {
                Some(_) => supply.templates.accepted += 1,
                None => supply.templates.pending += 1,
            }
        }
        Ok(supply)
    }

    /// What there is for a recipe to learn from.
    pub fn stock(&self, recipe: &Recipe) -> Stock {
        match recipe.learns_from() {
            "pair" => self.pairs,
            "thought" => self.thoughts,
            "template" => self.templates,
            "rationale" => self.rationales,
            _ => self.rationales.and(self.templates),
        }
    }

    /// Whether no objective has anything to learn from.
    pub fn is_empty(&self) -> bool {
        [self.rationales, self.pairs, self.thoughts, self.templates].iter().all(|stock| stock.accepted == 0)
    }

    /// Why a recipe has nothing to learn from, if that is so.
    pub fn lack(&self, recipe: &Recipe) -> Option<TrainingError> {
        let Stock { accepted, pending } = self.stock(recipe);
        (accepted == 0).then(|| TrainingError::NothingAccepted { what: recipe.learns_from(), pending: Some(pending) })
    }
}
