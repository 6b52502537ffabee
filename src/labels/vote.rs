//! Votes, and the rounds they are cast in.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Judgement, Label};
use crate::logs::TemplateKey;

/// When in the process a vote is cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// Alone, without sight of the original label or anybody's vote.
    #[default]
    Blind,
    /// After seeing the blind votes of the panel.
    Panel,
}

impl Round {
    /// Both rounds, in order.
    pub const ALL: [Self; 2] = [Self::Blind, Self::Panel];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Panel => "panel",
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Round {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.trim().to_ascii_lowercase().as_str() {
            "blind" => Ok(Self::Blind),
            "panel" => Ok(Self::Panel),
            _ => Err(format!("round \"{word}\" is neither blind nor panel")),
        }
    }
}

/// One annotator's judgement of one template in one round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Whose vote.
    pub annotator: String,
    /// What was said.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// In which round.
    pub round: Round,
    /// What the annotator added in words.
    pub comment: Option<String>,
    /// Whether the annotator had seen the original label or a suggestion: such a vote is never a blind one.
    pub revealed: bool,
    /// How long the annotator looked, in milliseconds, where that is known.
    pub elapsed_ms: Option<u64>,
    /// For a panel vote: what the others said as it was cast.
    pub others: Option<Tally>,
    /// When.
    pub at: Timestamp,
}

impl Vote {
    /// Whether this is a vote of `round`, cast under its rules.
    pub fn counts_in(&self, round: Round) -> bool {
        self.round == round && !(round == Round::Blind && self.revealed)
    }
}

/// How many annotators gave each label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How many said normal.
    pub normal: u32,
    /// How many said abnormal.
    pub abnormal: u32,
}

impl Tally {
    /// The label that more gave; none on a tie.
    pub fn majority(self) -> Option<Label> {
        match self.normal.cmp(&self.abnormal) {
            Ordering::Greater => Some(Label::Normal),
            Ordering::Less => Some(Label::Abnormal),
            Ordering::Equal => None,
        }
    }

    /// Counts one more label.
    pub fn add(&mut self, label: Label) {
        match label {
            Label::Normal => self.normal += 1,
            Label::Abnormal => self.abnormal += 1,
        }
    }
}
