//! What reviewers look at: rationales, preference pairs and thoughts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Parsed, Trouble, answer_label, parse};
use crate::labels::Category;

/// What is asked about a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Is it normal or abnormal?
    Anomaly,
    /// What is its template?
    Parsing,
    /// What does it mean?
    Interpretation,
    /// Why did it happen?
    RootCause,
    /// What to do about it?
    Solution,
    /// Does a description fit it?
    SemanticMatching,
    /// Does it foretell a failure?
    FailurePrediction,
}

impl Task {
    const ALL: [Self; 7] = [
        Self::Anomaly,
        Self::Parsing,
        Self::Interpretation,
        Self::RootCause,
        Self::Solution,
        Self::SemanticMatching,
        Self::FailurePrediction,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anomaly => "anomaly",
            Self::Parsing => "parsing",
            Self::Interpretation => "interpretation",
            Self::RootCause => "root_cause",
            Self::Solution => "solution",
            Self::SemanticMatching => "semantic_matching",
            Self::FailurePrediction => "failure_prediction",
        }
    }
}

impl Task {
    /// Whether `answer` says what `truth` says; `None` where that cannot be told word by word, in free text.
    pub fn answers(self, answer: &str, truth: &str) -> Option<bool> {
        match self {
            Self::Anomaly => Some(answer_label(answer).is_some() && answer_label(answer) == answer_label(truth)),
            Self::Interpretation | Self::RootCause | Self::Solution => None,
            Self::Parsing => Some(answer.split_whitespace().eq(truth.split_whitespace())),
            Self::SemanticMatching | Self::FailurePrediction => match (yes_or_no(answer), yes_or_no(truth)) {
                (Some(said), Some(right)) => Some(said == right),
                _ => Some(answer.trim().eq_ignore_ascii_case(truth.trim())),
            },
        }
    }
}

/// The word for yes or no, `true` or `false`, that an answer stands for, if it is one.
pub fn yes_or_no(answer: &str) -> Option<&'static str> {
    match answer.trim().trim_matches(|c: char| c.is_ascii_punctuation()).to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "1.0" | "match" | "failure" => Some("true"),
        "false" | "no" | "0" | "0.0" | "mismatch" | "normal" => Some("false"),
        _ => None,
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Task {
    type Err = ItemError;

    fn from_str(word: &str) -> Result<Self, ItemError> {
        let word = word.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        match word.as_str() {
            "matching" => Ok(Self::SemanticMatching),
            "failure" => Ok(Self::FailurePrediction),
            _ => Self::ALL.into_iter().find(|task| task.as_str() == word).ok_or(ItemError::Task(word)),
        }
    }
}

/// Why an item is not what it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ItemError {
    /// No such task.
    #[error(
        "task \"{0}\" is unknown; tasks are anomaly, parsing, interpretation, root_cause, solution, semantic_matching, failure_prediction"
    )]
    Task(String),
    /// A step number outside the rejected trajectory.
    #[error("first_wrong_step {step} is not one of the {steps} steps of the rejected side")]
    FirstWrongStep {
        /// The number given.
        step: usize,
        /// How many steps there are.
        steps: usize,
    },
}

/// Reasoning and answer for one log, by a teacher or a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rationale {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub task: Task,
    /// The question in words.
    pub instruction: String,
    /// The log.
    pub input: String,
    /// The true answer, as far as known when it was written.
    pub label: String,
    /// The kind of trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// The text: `<think>…</think><answer>…</answer>`.
    pub reasoning: String,
    /// Who or what wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whatever else came with it.
    #[serde(flatten)]
    pub attributes: Map<String, Value>,
}

impl Rationale {
    /// The reasoning, taken apart.
    pub fn parsed(&self) -> Parsed {
        parse(&self.reasoning)
    }

    /// What is wrong with it at first sight.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.troubles_against(&self.label)
    }

    /// What is wrong with it at first sight where `truth` is the right answer.
    pub fn troubles_against(&self, truth: &str) -> Vec<Trouble> {
        let parsed = self.parsed();
        let mut troubles = Vec::new();
        if parsed.answer.is_some_and(|answer| self.task.answers(&answer, truth) == Some(false)) {
            troubles.push(Trouble::AnswerMismatch);
        }
        if !parsed.format_ok {
            troubles.push(Trouble::Malformed);
        }
        troubles
    }
}

/// A chosen and a rejected trajectory for one log, the same up to the first wrong step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub task: Task,
    /// The question in words.
    pub instruction: String,
    /// The log.
    pub input: String,
    /// The true answer.
    pub label: String,
    /// The corrected trajectory.
    pub chosen: String,
    /// The wrong one.
    pub rejected: String,
    /// Which step of the rejected trajectory is the first wrong one, from 1.
    pub first_wrong_step: usize,
    /// Whatever else came with it.
    #[serde(flatten)]
    pub attributes: Map<String, Value>,
}

/// A high-level template of reasoning, free of instance detail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thought {
    /// Its id.
    pub id: String,
    /// What kind of question it helps with.
    pub task: Task,
    /// The question that it was distilled from.
    pub problem: String,
    /// The raw analysis that it was distilled from.
    pub analysis: String,
    /// What makes such questions hard.
    pub challenge: String,
    /// What to do, in order.
    pub steps: Vec<String>,
    /// Whatever else came with it.
    #[serde(flatten)]
    pub attributes: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rationale(label: &str, reasoning: &str) -> Rationale {
        Rationale {
            id: "r".into(),
            task: Task::Anomaly,
            instruction: String::new(),
            input: "x".into(),
            label: label.into(),
            category: None,
            reasoning: reasoning.into(),
            source: None,
            attributes: Map::new(),
        }
    }

    #[test]
    fn an_answer_against_the_label_and_a_broken_format_are_trouble() {
        assert!(rationale("normal", "<think>a</think><answer>normal</answer>").troubles().is_empty());
        let wrong = rationale("normal", "<think>a</think><answer>abnormal</answer>");
        assert_eq!(wrong.troubles(), [Trouble::AnswerMismatch]);
        assert_eq!(rationale("normal", "<think>a<answer>normal</answer>").troubles(), [Trouble::Malformed]);
        assert_eq!(
            rationale("normal", "<answer>maybe</answer>").troubles(),
            [Trouble::AnswerMismatch, Trouble::Malformed]
        );
    }

    #[test]
    fn yes_and_no_are_understood_in_any_word_and_free_text_is_not_judged() {
        assert_eq!(Task::SemanticMatching.answers("Yes.", "True"), Some(true));
        assert_eq!(Task::FailurePrediction.answers("normal", "1"), Some(false));
        assert_eq!(Task::Parsing.answers("a  <*>", "a <*>"), Some(true));
        assert_eq!(Task::RootCause.answers("the cable", "the fan"), None);
    }

    #[test]
    fn tasks_are_known_by_their_short_names_too() {
        assert_eq!("matching".parse(), Ok(Task::SemanticMatching));
        assert_eq!("Root Cause".parse(), Ok(Task::RootCause));
        assert!("poetry".parse::<Task>().is_err());
    }
}
