//! How the weights move.

use serde::{Deserialize, Serialize};

use super::unmet;

/// How the learning rate goes on after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleName {
    /// Along half a cosine down to nought.
    #[default]
    Cosine,
    /// In a line down to nought.
    Linear,
    /// Not at all.
    Constant,
}

/// Parameters that decay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayGroup {
    /// A, from a linear's inputs to the rank.
    LoraA,
    /// B, from the rank to its outputs.
    LoraB,
}

impl DecayGroup {
    /// Whether a parameter of this name belongs to it.
    pub fn holds(self, name: &str) -> bool {
        name.contains(match self {
            Self::LoraA => "lora_A",
            Self::LoraB => "lora_B",
        })
    }
}

/// How the weights move: AdamW.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerSettings {
    /// Highest learning rate.
    pub learning_rate: f64,
    /// How the learning rate goes on after its warm-up.
    pub schedule: ScheduleName,
    /// Steps over which the learning rate rises.
    pub warmup_steps: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The matrices that decay: all of an update, by default. Decaying `lora_b` alone pulls the update back to nothing
    /// and leaves the directions that `lora_a` has found.
    pub decay: Vec<DecayGroup>,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
    /// Largest norm of a step's gradient; longer ones are scaled down to it. Nought: no clipping.
    pub clip: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            learning_rate: 3e-3,
            schedule: ScheduleName::Cosine,
            warmup_steps: 10,
            weight_decay: 0.0,
            decay: vec![DecayGroup::LoraA, DecayGroup::LoraB],
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip: 1.0,
        }
    }
}

impl OptimizerSettings {
    /// What cannot work, each with what would.
    pub(super) fn complaints(&self) -> Vec<String> {
        let Self { learning_rate, weight_decay, beta1, beta2, epsilon, clip, .. } = *self;
        let beta =
            |name: &str, beta: f64| ((0.0..1.0).contains(&beta), format!("optimizer.{name} = {beta} (0 to below 1)"));
        unmet([
            (
                learning_rate > 0.0 && learning_rate <= 1.0,
                format!("optimizer.learning_rate = {learning_rate} (above 0, at most 1)"),
            ),
            ((0.0..=1.0).contains(&weight_decay), format!("optimizer.weight_decay = {weight_decay} (0 to 1)")),
            beta("beta1", beta1),
            beta("beta2", beta2),
            // What is nought in single precision keeps no division finite.
            ((1e-30..=1e-2).contains(&epsilon), format!("optimizer.epsilon = {epsilon} (1e-30 to 0.01)")),
            (clip.is_finite() && clip >= 0.0, format!("optimizer.clip = {clip} (0 for none, or above)")),
        ])
    }
}
