//! The answer against the label: a verdict right or wrong, unequally dear; a template by its tokens; free text by its likeness.

use super::{Judged, Weights};
use crate::labels::Label;
use crate::reasoning::similarity::{Similarity, token_f1};
use crate::reasoning::{Task, answer_label};

/// What an answer came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    /// An anomaly, and said so.
    FoundAnomaly,
    /// A normal log, or another task's label, and said so.
    Right,
    /// Something else than the label.
    Wrong,
    /// An anomaly, and called normal or nothing.
    MissedAnomaly,
    /// A template, by the F1 of its tokens.
    Template(f64),
    /// Free text, by its likeness to the label.
    FreeText(f64),
}

impl Outcome {
    /// Whether it is right, where that can be told.
    pub fn right(self) -> Option<bool> {
        match self {
            Self::FoundAnomaly | Self::Right => Some(true),
            Self::Wrong | Self::MissedAnomaly => Some(false),
            Self::Template(f1) => Some(f1 >= 1.0),
            Self::FreeText(_) => None,
        }
    }
}

/// Holds the answer against the example's label.
pub(super) fn judge(judged: &Judged<'_>) -> Outcome {
    let label = judged.example.label.as_deref().unwrap_or_default();
    let answer = judged.parsed.answer.as_deref().unwrap_or_default();
    match judged.example.task {
        Task::Anomaly => match (answer_label(label), answer_label(answer)) {
            (Some(Label::Abnormal), Some(Label::Abnormal)) => Outcome::FoundAnomaly,
            (Some(Label::Abnormal), _) => Outcome::MissedAnomaly,
            (Some(Label::Normal), Some(Label::Normal)) => Outcome::Right,
            _ => Outcome::Wrong,
        },
        Task::SemanticMatching | Task::FailurePrediction => {
            let same = answer.trim().eq_ignore_ascii_case(label.trim());
            if same { Outcome::Right } else { Outcome::Wrong }
        }
        Task::Parsing => Outcome::Template(token_f1(answer, label)),
        Task::Interpretation | Task::RootCause | Task::Solution => {
            Outcome::FreeText(Similarity::of(answer, label).mean())
        }
    }
}

/// What the answer gives.
pub(super) fn reward(outcome: &Outcome, well_formed: bool, weights: &Weights) -> f64 {
    if !well_formed {
        return weights.malformed_answer;
    }
    match outcome {
        Outcome::FoundAnomaly => weights.found_anomaly,
        Outcome::Right => weights.right,
        Outcome::Wrong => weights.wrong,
        Outcome::MissedAnomaly => weights.missed_anomaly,
        Outcome::Template(f1) => *f1,
        Outcome::FreeText(likeness) => likeness / weights.free_text,
    }
}
