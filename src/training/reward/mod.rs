//! What a rollout is worth: for its form, its answer, and how it reasons.
//!
//! The parts are those of RationAnomaly and of R-Log; a preset sets what each counts, and a recipe may change any of it. Every part
//! is told apart, as it counts in the total:
//!
//! | part | what it looks at | file |
//! | --- | --- | --- |
//! | `reward_format` | reasoning and answer in their tags, once and in order | `format` |
//! | `reward_answer` | the answer against the label | `answer` |
//! | `reward_grounding` | BLEU and ROUGE of the reasoning against the log, the reference, or both | `thinking` |
//! | `reward_coherence` | perplexity of the reasoning under the base | `thinking` |
//! | `reward_brevity` | length of the reasoning against the reference's | `thinking` |

mod answer;
mod format;
mod settings;
mod thinking;

use std::collections::BTreeMap;

use settings::Weights;
pub use settings::{GroundIn, RewardPreset, RewardSettings};

use super::Example;
use crate::reasoning::{Parsed, parse};

/// What a rollout got.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rewarded {
    /// Each part as it counts in the total.
    pub parts: BTreeMap<&'static str, f64>,
    /// Whether the answer is right; `None` where it cannot be told, as with free text.
    pub right: Option<bool>,
}

impl Rewarded {
    /// The sum of the parts.
    pub fn total(&self) -> f64 {
        self.parts.values().sum()
    }
}

/// A rollout beside what it should have been.
struct Judged<'a> {
    example: &'a Example,
    text: &'a str,
    parsed: Parsed,
}

/// Gives rewards as a recipe says.
#[derive(Debug, Clone)]
pub struct Reward {
    preset: RewardPreset,
    weights: Weights,
}

impl Reward {
    /// The reward of these settings.
    pub fn new(settings: &RewardSettings) -> Self {
        Self { preset: settings.preset, weights: settings.weights() }
    }

    /// Whether [`Reward::of`] wants to know perplexities.
    pub fn needs_perplexity(&self) -> bool {
        self.weights.thinking != 0.0 && self.weights.coherence != 0.0
    }

    /// The reasoning of a rollout, whose perplexity it is about; `None` where there is none to judge.
    pub fn reasoning(text: &str) -> Option<&str> {
        let steps = parse(text).steps;
        let range = steps.first()?.range.start..steps.last()?.range.end;
        Some(&text[range])
    }

    /// What `text` gets as an answer to `example`; `perplexity` is that of its reasoning under the base, if it is known.
    pub fn of(&self, example: &Example, text: &str, perplexity: Option<f64>) -> Rewarded {
        let judged = Judged { example, text, parsed: parse(text) };
        let well_formed = judged.parsed.format_ok;
        let mut rewarded = Rewarded::default();
        rewarded.parts.insert("reward_format", format::reward(well_formed, &self.weights));
        let answer = answer::judge(&judged);
        rewarded.right = answer.right();
        rewarded.parts.insert("reward_answer", answer::reward(&answer, well_formed, &self.weights));
        // What is not well formed gets nothing for its reasoning; the published code also wants a right answer first.
        let counts = well_formed && (self.preset != RewardPreset::Code || answer.right() != Some(false));
        if counts && self.weights.thinking != 0.0 {
            let thinking = thinking::rewards(&judged, perplexity, self.preset, &self.weights);
            rewarded.parts.extend(thinking.map(|(name, value)| (name, self.weights.thinking * value)));
        }
        rewarded
    }
}

#[cfg(test)]
mod tests;
