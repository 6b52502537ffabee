//! What a recipe says of GRPO.

use serde::{Deserialize, Serialize};

use super::{AdvantageName, AggregationName};
use crate::training::ReferenceName;
use crate::training::recipe::unmet;

/// The settings of GRPO, `[grpo]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpoSettings {
    /// Rollouts of each question.
    pub rollouts: usize,
    /// Temperature that they are drawn at.
    pub temperature: f64,
    /// Draw among the best tokens that together have this probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Draw among this many best tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Draw among the tokens with at least this share of the best one's probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Longest rollout, in tokens.
    pub max_tokens: usize,
    /// Shortest rollout, in tokens: before, the model cannot end it.
    pub min_tokens: usize,
    /// Rollouts that are written at the same time; more are faster and take more memory.
    pub concurrent: usize,
    /// Steps that learn from the same rollouts (μ).
    pub reuse: usize,
    /// How far below one a ratio may go.
    pub clip_low: f64,
    /// How far above one a ratio may go.
    pub clip_high: f64,
    /// β: how dear it is to leave the reference; nought does without one.
    pub kl: f64,
    /// Weigh the distance by the ratio: its gradient is then KL's own, without bias (DeepSeek-V3.2; TRL's default). Without, as
    /// DeepSeekMath and verl have it, one improbable token can pull hard.
    pub unbiased_kl: bool,
    /// What the model is held to.
    pub reference: ReferenceName,
    /// How rewards become advantages.
    pub advantage: AdvantageName,
    /// How the losses of tokens become one.
    pub aggregation: AggregationName,
    /// Leave groups whose rewards are all the same out of the mean; they count as nought otherwise.
    pub skip_flat_groups: bool,
    /// Leave rollouts that were cut off at the longest length without a gradient.
    pub mask_truncated: bool,
}

impl Default for GrpoSettings {
    fn default() -> Self {
        Self {
            rollouts: 8,
            temperature: 0.9,
            top_p: None,
            top_k: None,
            min_p: None,
            max_tokens: 256,
            min_tokens: 0,
            concurrent: 16,
            reuse: 1,
            clip_low: 0.2,
            clip_high: 0.2,
            kl: 0.001,
            unbiased_kl: true,
            reference: ReferenceName::Start,
            advantage: AdvantageName::Trl,
            aggregation: AggregationName::Grpo,
            skip_flat_groups: false,
            mask_truncated: false,
        }
    }
}

impl GrpoSettings {
    /// What cannot work, each with what would.
    pub(in crate::training) fn complaints(&self) -> Vec<String> {
        let within = |value: Option<f64>| value.is_none_or(|value| value > 0.0 && value <= 1.0);
        unmet([
            ((2..=1024).contains(&self.rollouts), format!("grpo.rollouts = {} (2 to 1024)", self.rollouts)),
            (
                self.temperature > 0.0 && self.temperature <= 10.0,
                format!("grpo.temperature = {} (above 0, at most 10)", self.temperature),
            ),
            (within(self.top_p) && within(self.min_p), "grpo.top_p and grpo.min_p are above 0, at most 1".to_owned()),
            (self.top_k != Some(0), "grpo.top_k = 0 (at least 1, or none)".to_owned()),
            ((1..=65_536).contains(&self.max_tokens), format!("grpo.max_tokens = {} (1 to 65536)", self.max_tokens)),
            (
                self.min_tokens <= self.max_tokens,
                format!("grpo.min_tokens = {} (at most grpo.max_tokens)", self.min_tokens),
            ),
            ((1..=1024).contains(&self.concurrent), format!("grpo.concurrent = {} (1 to 1024)", self.concurrent)),
            ((1..=64).contains(&self.reuse), format!("grpo.reuse = {} (1 to 64)", self.reuse)),
            ((0.0..1.0).contains(&self.clip_low), format!("grpo.clip_low = {} (0 to below 1)", self.clip_low)),
            ((0.0..=100.0).contains(&self.clip_high), format!("grpo.clip_high = {} (0 to 100)", self.clip_high)),
            ((0.0..=100.0).contains(&self.kl), format!("grpo.kl = {} (0 to 100)", self.kl)),
        ])
    }
}
