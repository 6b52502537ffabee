//! What a recipe trains on: the accepted things of a project that its objective can learn from.

use serde::Serialize;

use super::{DataSource, Example, ObjectiveName, Recipe, TrainingError};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::reasoning::{ItemKind, Standing};
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

/// How many things of a kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stock {
    /// Those that may train.
    pub accepted: usize,
    /// Those that wait for review.
    pub pending: usize,
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
}

impl Supply {
    /// What a project has now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(workspace: &Workspace) -> Result<Self, TrainingError> {
        let standings = workspace.item_standings().map_err(|error| TrainingError::Model(error.to_string()))?;
        let mut supply = Self::default();
        for (kind, standing) in standings {
            let stock = match kind {
                ItemKind::Rationale => &mut supply.rationales,
                ItemKind::Pair => &mut supply.pairs,
                ItemKind::Thought => &mut supply.thoughts,
            };
            stock.accepted += usize::from(standing.trains());
            stock.pending += usize::from(standing == Standing::Pending);
        }
        Ok(supply)
    }

    /// What there is for a recipe to learn from.
    pub fn stock(&self, recipe: &Recipe) -> Stock {
        match recipe.learns_from() {
            "pair" => self.pairs,
            "thought" => self.thoughts,
            _ => self.rationales,
        }
    }

    /// Whether no objective has anything to learn from.
    pub fn is_empty(&self) -> bool {
        [self.rationales, self.pairs, self.thoughts].iter().all(|stock| stock.accepted == 0)
    }

    /// Why a recipe has nothing to learn from, if that is so.
    pub fn lack(&self, recipe: &Recipe) -> Option<TrainingError> {
        let Stock { accepted, pending } = self.stock(recipe);
        (accepted == 0).then(|| TrainingError::NothingAccepted { what: recipe.learns_from(), pending: Some(pending) })
    }
}
