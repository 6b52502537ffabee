//! What is trained on.

use serde::{Deserialize, Serialize};

use super::{ObjectiveName, unmet};
use crate::reasoning::Task;

/// Which things of a project an objective learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// Rationales: reasoning and answer.
    #[default]
    Rationales,
    /// Thoughts: the core challenge of a question and the steps to take (LogReasoner's first stage); for SFT.
    Thoughts,
    /// Labelled templates: gold is the truth that an answer is held against; for GRPO, which needs no reasoning to learn from.
    Templates,
    /// Rationales, and the labelled templates that none of them is about; for GRPO.
    Both,
}

impl DataSource {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rationales => "rationales",
            Self::Thoughts => "thoughts",
            Self::Templates => "templates",
            Self::Both => "both",
        }
    }

    /// Whether `objective` can learn from it.
    pub fn suits(self, objective: ObjectiveName) -> bool {
        match objective {
            ObjectiveName::Sft => matches!(self, Self::Rationales | Self::Thoughts),
            // It learns pairs, whatever is said here.
            ObjectiveName::Dpo => true,
            ObjectiveName::Grpo => self != Self::Thoughts,
        }
    }
}

/// What is trained on, and how it is cut into batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// Only these tasks (`anomaly`, `parsing`, …); empty means all.
    pub tasks: Vec<String>,
    /// What is learnt from: SFT learns accepted rationales or thoughts, GRPO asks about the logs of accepted rationales, about
    /// labelled templates, or both; DPO learns pairs.
    pub source: DataSource,
    /// Examples in a batch.
    pub batch: usize,
    /// Batches that make one step.
    pub accumulation: usize,
    /// Longest example, in tokens; longer ones are cut, and counted.
    pub max_length: usize,
    /// Weight of a token of the verdict (its tags included) against one of the reasoning: a hundred tokens of reasoning
    /// drown the ten of the verdict, so that at 10 each has about half of the say. Reported losses are weighted so, too.
    pub answer_weight: f32,
    /// Share of the examples that is held out to measure the loss on.
    pub dev_fraction: f64,
    /// Most examples held out.
    pub dev_limit: usize,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            source: DataSource::Rationales,
            batch: 4,
            accumulation: 1,
            max_length: 1024,
            answer_weight: 10.0,
            dev_fraction: 0.05,
            dev_limit: 32,
        }
    }
}

impl DataSettings {
    /// What cannot work, each with what would.
    pub(super) fn complaints(&self) -> Vec<String> {
        let answer_weight = self.answer_weight;
        let unknown = self.tasks.iter().filter_map(|task| task.parse::<Task>().err());
        let mut complaints = unmet([
            ((1..=1024).contains(&self.batch), format!("data.batch = {} (1 to 1024)", self.batch)),
            ((1..=4096).contains(&self.accumulation), format!("data.accumulation = {} (1 to 4096)", self.accumulation)),
            (self.max_length >= 16, format!("data.max_length = {} (at least 16 tokens)", self.max_length)),
            (
                (1e-6..=1e6).contains(&answer_weight),
                format!("data.answer_weight = {answer_weight} (0.000001 to 1000000)"),
            ),
            ((0.0..=0.5).contains(&self.dev_fraction), format!("data.dev_fraction = {} (0 to 0.5)", self.dev_fraction)),
        ]);
        complaints.extend(unknown.map(|error| format!("data.tasks: {error}")));
        complaints
    }
}
