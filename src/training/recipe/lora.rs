//! The adapter that is trained.

use serde::{Deserialize, Serialize};

use super::unmet;
use crate::model::Target;

/// A greater scale than anybody trains with: what is above is a slip of the pen.
const MOST_ALPHA: f64 = 65_536.0;

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
        let known = Target::ALL.map(Target::name).join(", ");
        let unknown = self.targets.iter().filter(|name| Target::from_name(name).is_none());
        let unknown: Vec<String> = unknown.map(|name| format!("{name:?}")).collect();
        unmet([
            ((1..=512).contains(&self.rank), format!("lora.rank = {} (1 to 512)", self.rank)),
            (
                // It is computed with, and kept, in single precision.
                self.alpha as f32 > 0.0 && self.alpha <= MOST_ALPHA,
                format!("lora.alpha = {} (above 0, at most {MOST_ALPHA})", self.alpha),
            ),
            ((0.0..=0.9).contains(&self.dropout), format!("lora.dropout = {} (0 for none, at most 0.9)", self.dropout)),
            (!self.targets.is_empty(), "lora.targets is empty (name at least one linear layer)".into()),
            (unknown.is_empty(), format!("lora.targets: {} is no linear layer; there are {known}", unknown.join(", "))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_that_single_precision_cannot_hold_is_refused() {
        let complaints = |alpha| LoraRecipe { alpha, ..LoraRecipe::default() }.complaints();
        for alpha in [0.0, -1.0, 1e-60, 1e20, 1e39, f64::INFINITY, f64::NAN] {
            assert_eq!(complaints(alpha).len(), 1, "{alpha}");
        }
        for alpha in [0.5, 16.0, 4096.0] {
            assert!(complaints(alpha).is_empty(), "{alpha}");
        }
    }
}
