//! Where a reviewer should look first: what is wrong with an item, and where.
//!
//! Some troubles show in the item alone (its format), some only beside others: the gold labels, the other items, what
//! reviewers said. [`Background`] holds what the others say, once for all items; [`Background::findings`] is then a matter
//! of one item, so that an edit is judged at once.

mod background;
mod grounds;
mod length;
mod repeats;
#[cfg(test)]
mod tests;
mod truth;

pub use background::{Background, Beside, Findings};
pub use grounds::PlacedClaim;
pub use length::Length;
pub use repeats::{Alike, Likeness, Near};
pub use truth::{GoldByText, Truth, TruthSource};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What may be wrong with an item, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Its answer is not the gold label, or where there is none, not its own.
    AnswerMismatch,
    /// The gold label is no longer what the item came with, or what it was reviewed for: its acceptance does not count.
    LabelChanged,
    /// The text is no longer what was reviewed: no decision on the old one counts.
    TextChanged,
    /// It does not keep the format.
    Malformed,
    /// The sides of a pair differ before the first wrong step.
    PrefixDiffers,
    /// Reviewers say different things of it, and nobody has decided between them.
    Disagreement,
    /// Several templates have the text of its log, and not all have the same gold label.
    GoldDivided,
    /// It quotes, counts or names what the log does not contain.
    Ungrounded,
    /// It says almost the same as an item before it.
    NearDuplicate,
    /// It is far longer than others of its task.
    TooLong,
    /// It is far shorter than others of its task.
    TooShort,
}

impl Trouble {
    /// All of them, the worst first.
    pub const ALL: [Self; 11] = [
        Self::AnswerMismatch,
        Self::LabelChanged,
        Self::TextChanged,
        Self::Malformed,
        Self::PrefixDiffers,
        Self::Disagreement,
        Self::GoldDivided,
        Self::Ungrounded,
        Self::NearDuplicate,
        Self::TooLong,
        Self::TooShort,
    ];

    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnswerMismatch => "answer is not the label",
            Self::LabelChanged => "label changed since",
            Self::TextChanged => "text changed since",
            Self::Malformed => "malformed",
            Self::PrefixDiffers => "sides differ too early",
            Self::Disagreement => "reviewers disagree",
            Self::GoldDivided => "gold labels of its text differ",
            Self::Ungrounded => "claims what the log does not say",
            Self::NearDuplicate => "near-duplicate",
            Self::TooLong => "too long",
            Self::TooShort => "too short",
        }
    }

    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerMismatch => "answer_mismatch",
            Self::LabelChanged => "label_changed",
            Self::TextChanged => "text_changed",
            Self::Malformed => "malformed",
            Self::PrefixDiffers => "prefix_differs",
            Self::Disagreement => "disagreement",
            Self::GoldDivided => "gold_divided",
            Self::Ungrounded => "ungrounded",
            Self::NearDuplicate => "near_duplicate",
            Self::TooLong => "too_long",
            Self::TooShort => "too_short",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Trouble {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let name = word.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        let name = if name == "duplicate" || name == "duplicates" { "near_duplicate" } else { &name };
        Self::ALL.into_iter().find(|trouble| trouble.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("\"{word}\" is none of {}", names.join(", "))
        })
    }
}
