//! What an annotator can say of a template.

use serde::{Deserialize, Serialize};

use super::{Category, Label, LabelError};

/// What an annotator says of a template. `Unsure` and `Skip` are recorded, and absent from agreement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "label", content = "category")]
pub enum Judgement {
    /// It is normal.
    Normal,
    /// It is abnormal, of a category if the annotator named one.
    Abnormal(Option<Category>),
    /// Looked at, and undecided.
    Unsure,
    /// Put aside.
    Skip,
}

impl Judgement {
    /// Reads a judgement from its written parts; a category goes with `abnormal` alone and is dropped elsewhere.
    ///
    /// # Errors
    /// When the word is none of normal, abnormal, unsure, skip.
    pub fn parse(word: &str, category: Option<&str>) -> Result<Self, LabelError> {
        match word.trim().to_ascii_lowercase().as_str() {
            "unsure" => Ok(Self::Unsure),
            "skip" => Ok(Self::Skip),
            _ => Ok(Self::of(word.parse()?, category.and_then(Category::new))),
        }
    }

    /// The judgement that gives `label`.
    pub fn of(label: Label, category: Option<Category>) -> Self {
        match label {
            Label::Normal => Self::Normal,
            Label::Abnormal => Self::Abnormal(category),
        }
    }

    /// The label that it gives, if it gives one.
    pub fn label(&self) -> Option<Label> {
        match self {
            Self::Normal => Some(Label::Normal),
            Self::Abnormal(_) => Some(Label::Abnormal),
            Self::Unsure | Self::Skip => None,
        }
    }

    /// The category that it names.
    pub fn category(&self) -> Option<&Category> {
        match self {
            Self::Abnormal(category) => category.as_ref(),
            _ => None,
        }
    }

    /// The word for it: `normal`, `abnormal`, `unsure` or `skip`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal(_) => "abnormal",
            Self::Unsure => "unsure",
            Self::Skip => "skip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsure_and_skip_give_no_label() {
        assert_eq!(Judgement::parse("Unsure", None).unwrap().label(), None);
        assert_eq!(Judgement::parse("skip", None).unwrap(), Judgement::Skip);
    }

    #[test]
    fn a_category_goes_with_abnormal_alone() {
        let abnormal = Judgement::parse("abnormal", Some("network issue")).unwrap();
        assert_eq!(abnormal.category().map(Category::as_str), Some("network issue"));
        assert_eq!(Judgement::parse("normal", Some("network issue")).unwrap(), Judgement::Normal);
        assert!(Judgement::parse("maybe", None).is_err());
    }
}
