//! What reviewers say: accept, edit or reject. Only accepted things train.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::labels::Label;

/// What kind of thing is reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A rationale.
    Rationale,
    /// A preference pair.
    Pair,
    /// A thought.
    Thought,
}

impl ItemKind {
    /// Every kind, in the order of the screen.
    pub const ALL: [Self; 3] = [Self::Rationale, Self::Pair, Self::Thought];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rationale => "rationale",
            Self::Pair => "pair",
            Self::Thought => "thought",
        }
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ItemKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let word = word.trim().to_ascii_lowercase();
        let singular = word.strip_suffix('s').unwrap_or(&word);
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == singular)
            .ok_or_else(|| format!("\"{word}\" is none of rationale, pair, thought"))
    }
}

/// A reviewer's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "text")]
pub enum Verdict {
    /// Good as it is.
    Accept,
    /// Good once it reads so: a rationale's reasoning, a pair's chosen side, or a thought's challenge and steps (the
    /// first line, then a step a line).
    Edit(String),
    /// Not good.
    Reject,
}

impl Verdict {
    /// Whether it lets the item train.
    pub fn accepts(&self) -> bool {
        matches!(self, Self::Accept | Self::Edit(_))
    }

    /// How the item is to read, where that is not as it came.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Edit(text) => Some(text),
            Self::Accept | Self::Reject => None,
        }
    }

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Edit(_) => "edit",
            Self::Reject => "reject",
        }
    }
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// What kind of thing.
    pub kind: ItemKind,
    /// Its id.
    pub item: String,
    /// Who reviewed it.
    pub reviewer: String,
    /// The decision.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The label that was held true of the item's log then, where it is one and was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// Which text of the item it judged ([`Reviewable::judged`](super::Reviewable::judged)), where that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<String>,
    /// How many other reviewers' decisions its reviewer had in sight.
    #[serde(default)]
    pub in_sight: u32,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Review {
    /// Whether it is about the text that is known as `judged`. One made before that was noted is about any.
    pub fn is_about(&self, judged: &str) -> bool {
        self.judged.as_deref().is_none_or(|own| own == judged)
    }
}

/// Where an item stands; [`Decided`](super::Decided) says how that comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is not decided, or not any more.
    Pending,
    /// It trains as it is.
    Accepted,
    /// It trains as edited.
    Edited,
    /// It does not train.
    Rejected,
}

impl Standing {
    /// Where an item stands by the review `review` alone.
    pub fn of(review: Option<&Review>) -> Self {
        match review.map(|review| &review.verdict) {
            None => Self::Pending,
            Some(Verdict::Accept) => Self::Accepted,
            Some(Verdict::Edit(_)) => Self::Edited,
            Some(Verdict::Reject) => Self::Rejected,
        }
    }

    /// Whether it trains.
    pub fn trains(self) -> bool {
        matches!(self, Self::Accepted | Self::Edited)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Edited => "edited",
            Self::Rejected => "rejected",
        }
    }
}
