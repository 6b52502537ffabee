//! What an evaluation found, in a form that people print and programs read.

use std::path::PathBuf;

use serde::Serialize;

use super::{ItemMargin, Scores, Truth};
use crate::labels::Label;
use crate::logs::table::Rejected;

/// The result of an evaluation. Keys are stable; a new one may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `anomaly`.
    pub task: &'static str,
    /// The file that was evaluated on.
    pub data: PathBuf,
    /// Which column of it was the truth.
    pub truth: Truth,
    /// What answered: `model`, or the name of a baseline.
    pub predictor: String,
    /// The model's name or path, if one answered.
    pub model: Option<String>,
    /// The adapter that it wore.
    pub adapter: Option<String>,
    /// The scores over all items.
    #[serde(flatten)]
    pub scores: Scores,
    /// The scores over the items that have words in them.
    pub worded: Section,
    /// The scores of each dataset that the items name.
    pub by_dataset: Vec<Section>,
    /// What simpler predictors score on the same items.
    pub baselines: Vec<Baseline>,
    /// Items whose end was not read, because it did not fit the model's context.
    pub cut: usize,
    /// Items of the file that were not evaluated, because of a limit.
    pub skipped: usize,
    /// Rows of the file that could not be used.
    pub rejected: Vec<Rejected>,
    /// Seconds that the answers took.
    pub seconds: f64,
    /// Answers a second.
    pub items_per_second: f64,
    /// The margin of each item that the predictor has one of, in the order of the file: what its later margins are
    /// judged by.
    pub margins: Vec<ItemMargin>,
    /// The items that were answered wrongly or not readably, in the order of the file.
    pub errors: Vec<Mistake>,
}

/// The scores of a part of the items.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Which part: a dataset's name, or `worded`.
    pub name: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Scores,
    /// What simpler predictors score on it.
    pub baselines: Vec<Baseline>,
}

/// The scores of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baseline {
    /// Its name.
    pub name: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Scores,
}

/// An item that was answered wrongly, or not readably.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mistake {
    /// The dataset that it belongs to.
    pub dataset: String,
    /// Its id.
    pub id: String,
    /// The log.
    pub input: String,
    /// What it is.
    pub truth: Label,
    /// What was said; `null` if it could not be read.
    pub predicted: Option<Label>,
    /// The whole answer; empty for a baseline.
    pub text: String,
}
