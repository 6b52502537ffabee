//! Log templates: the constant text of a message, with `<*>` for what varies.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What stands for a varying part in a template.
pub const VARIABLE: &str = "<*>";

/// Which template is meant: its dataset and its id there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TemplateKey {
    /// The corpus that the template belongs to, such as `bgl`.
    pub dataset: String,
    /// The template's id within its dataset.
    pub id: String,
}

impl TemplateKey {
    /// A key from its parts.
    pub fn new(dataset: impl Into<String>, id: impl Into<String>) -> Self {
        Self { dataset: dataset.into(), id: id.into() }
    }
}

impl fmt::Display for TemplateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.dataset, self.id)
    }
}

/// A log template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Which template this is.
    #[serde(flatten)]
    pub key: TemplateKey,
    /// Its text, raw.
    #[serde(rename = "template")]
    pub text: String,
}

/// A stretch of a template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Text that every occurrence shares.
    Constant(&'a str),
    /// A `<*>`: what varies from occurrence to occurrence.
    Variable,
}

/// The constant and varying stretches of a template's text, in order.
pub fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut parts = Vec::new();
    for (index, constant) in text.split(VARIABLE).enumerate() {
        if index > 0 {
            parts.push(Segment::Variable);
        }
        if !constant.is_empty() {
            parts.push(Segment::Constant(constant));
        }
    }
    parts
}

/// The id of an item that came without one: made from its dataset and a hash of its text, so that importing the same
/// text again gives the same id.
pub fn made_id(dataset: &str, text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{dataset}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_splits_into_constants_and_variables() {
        assert_eq!(
            segments("<*> exited: <*><*>"),
            [Segment::Variable, Segment::Constant(" exited: "), Segment::Variable, Segment::Variable]
        );
        assert_eq!(segments(""), []);
    }

    #[test]
    fn a_made_id_depends_on_the_text_alone_within_a_dataset() {
        assert_eq!(made_id("bgl", "data TLB error"), made_id("bgl", "data TLB error"));
        assert_ne!(made_id("bgl", "a"), made_id("bgl", "b"));
        assert!(made_id("bgl", "a").starts_with("bgl-"));
    }
}
