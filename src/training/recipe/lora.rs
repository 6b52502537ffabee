//! The adapter that is trained.

use serde::{Deserialize, Serialize};

use super::unmet;

/// The low-rank adapter (Hu et al. 2021): W·x + (alpha / rank)·B·A·x. Its weights are single precision whatever the
/// base's format is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraRecipe {
    /// Rank of the update.
    pub rank: usize,
    /// Scale of the update; alpha / rank multiplies it.
    pub alpha: f64,
    /// Multiply by alpha / √rank instead (rsLoRA): for ranks from 32 on, which would learn slowly otherwise.
    pub rank_stabilized: bool,
    /// Share of each linear's inputs that the update does not see, drawn anew for every batch.
    pub dropout: f64,
    /// Names of the linear layers that get an update.
    pub targets: Vec<String>,
}

impl Default for LoraRecipe {
    fn default() -> Self {
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        let targets = targets.map(str::to_owned).to_vec();
        Self { rank: 8, alpha: 16.0, rank_stabilized: false, dropout: 0.0, targets }
    }
}

impl LoraRecipe {
    /// What cannot work, each with what would.
    pub(super) fn complaints(&self) -> Vec<String> {
        unmet([
            ((1..=512).contains(&self.rank), format!("lora.rank = {} (1 to 512)", self.rank)),
            (
                self.alpha.is_finite() && self.alpha > 0.0,
                format!("lora.alpha = {} (a number above nought)", self.alpha),
            ),
            ((0.0..=0.9).contains(&self.dropout), format!("lora.dropout = {} (0 for none, at most 0.9)", self.dropout)),
            (!self.targets.is_empty(), "lora.targets is empty (name at least one linear layer)".into()),
        ])
    }
}
