//! The two labels, and the categories of what is abnormal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether a log means trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Expected operation.
    Normal,
    /// Trouble.
    Abnormal,
}

impl Label {
    /// The word for it, the same everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal => "abnormal",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that should have been a label.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("label \"{0}\" is neither normal nor abnormal")]
pub struct LabelError(pub String);

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(word: &str) -> Result<Self, LabelError> {
        match word.trim().to_ascii_lowercase().as_str() {
            "normal" => Ok(Self::Normal),
            "abnormal" => Ok(Self::Abnormal),
            _ => Err(LabelError(word.chars().take(40).collect())),
        }
    }
}

/// The kind of trouble that an abnormal template tells of, such as `hardware failure`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Category(String);

impl Category {
    /// A category by name; blank names are none.
    pub fn new(name: &str) -> Option<Self> {
        let name = name.trim();
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The categories that a project uses, in the order of the digit keys that pick them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Taxonomy(Vec<Category>);

impl Taxonomy {
    /// The categories, in order.
    pub fn categories(&self) -> &[Category] {
        &self.0
    }

    /// The category that the digit key `1`–`9` picks.
    pub fn by_digit(&self, digit: u8) -> Option<&Category> {
        self.0.get(usize::from(digit).checked_sub(1)?)
    }
}

impl FromIterator<Category> for Taxonomy {
    fn from_iter<I: IntoIterator<Item = Category>>(categories: I) -> Self {
        Self(categories.into_iter().collect())
    }
}

impl Default for Taxonomy {
    /// The four of RationAnomaly's Table 1.
    fn default() -> Self {
        ["system error", "network issue", "hardware failure", "software exception"]
            .into_iter()
            .filter_map(Category::new)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_label_is_told() {
        assert_eq!(" Normal ".parse(), Ok(Label::Normal));
        let error = "anomalous".parse::<Label>().unwrap_err();
        assert_eq!(error.to_string(), "label \"anomalous\" is neither normal nor abnormal");
    }

    #[test]
    fn digits_pick_categories_from_one() {
        let taxonomy = Taxonomy::default();
        assert_eq!(taxonomy.by_digit(0), None);
        assert_eq!(taxonomy.by_digit(3).map(Category::as_str), Some("hardware failure"));
        assert_eq!(taxonomy.by_digit(5), None);
    }
}
