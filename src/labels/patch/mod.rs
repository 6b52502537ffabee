//! The correction patch: what a panel changed, bound to the hash of what it changed.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Correction, LabelledTemplate};
use crate::logs::TemplateKey;

mod csv_form;

const KIND: &str = "logwright-patch";

/// A list of corrections, bound to the set of templates that it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Always `logwright-patch`: tells the file from others.
    pub kind: String,
    /// The layout of this file; 1.
    pub version: u32,
    /// [`template_set_sha256`] of the templates that it corrects.
    pub template_set_sha256: String,
    /// How many templates that set has.
    pub templates: usize,
    /// When it was made.
    pub made_at: Timestamp,
    /// The corrections.
    pub corrections: Vec<Correction>,
}

/// Why a patch cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatchError {
    /// Not a patch, or a damaged one.
    #[error("not a correction patch: {0}")]
    Unreadable(String),
    /// From a later program.
    #[error("a correction patch of version {0}; this program reads version 1")]
    Version(u32),
    /// Made from other templates.
    #[error(
        "the patch corrects another set of templates (it names SHA-256 {}… of {theirs} templates; here is {}… of {ours}): \
         import the templates that it was made from, with their original labels",
        &wanted[..12], &found[..12]
    )]
    OtherTemplates {
        /// The hash that the patch names.
        wanted: String,
        /// The hash of the templates here.
        found: String,
        /// How many templates the patch was made from.
        theirs: usize,
        /// How many are here.
        ours: usize,
    },
}

impl Patch {
    /// The patch that `corrections` make to `templates`.
    pub fn new(templates: &[LabelledTemplate], corrections: Vec<Correction>, made_at: Timestamp) -> Self {
        Self {
            kind: KIND.into(),
            version: 1,
            template_set_sha256: template_set_sha256(templates),
            templates: templates.len(),
            made_at,
            corrections,
        }
    }

    /// Reads a patch from JSON.
    ///
    /// # Errors
    /// When it is no patch, or of a later version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PatchError> {
        let patch: Self = serde_json::from_slice(bytes).map_err(|error| PatchError::Unreadable(error.to_string()))?;
        match (patch.kind.as_str(), patch.version) {
            (KIND, 1) => checked_hash(&patch.template_set_sha256).map(|_| patch),
            (KIND, version) => Err(PatchError::Version(version)),
            (other, _) => Err(PatchError::Unreadable(format!("its kind is \"{other}\""))),
        }
    }

    /// Reads a patch from JSON or CSV, whichever it is.
    ///
    /// # Errors
    /// When it is no patch, or of a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PatchError> {
        let first = bytes.iter().find(|byte| byte.is_ascii_graphic());
        if first == Some(&b'{') { Self::from_json(bytes) } else { Self::from_csv(bytes) }
    }

    /// Whether this patch was made from just these templates, and corrects what they have.
    ///
    /// # Errors
    /// [`PatchError::OtherTemplates`] where it was not; [`PatchError::Unreadable`] where somebody changed it into
    /// correcting what the set does not have.
    pub fn check(&self, templates: &[LabelledTemplate]) -> Result<(), PatchError> {
        let found = template_set_sha256(templates);
        if found != self.template_set_sha256 {
            let wanted = self.template_set_sha256.clone();
            return Err(PatchError::OtherTemplates { wanted, found, theirs: self.templates, ours: templates.len() });
        }
        let originals: HashMap<&TemplateKey, _> =
            templates.iter().map(|labelled| (&labelled.template.key, labelled.original)).collect();
        for correction in &self.corrections {
            if originals.get(&correction.template) != Some(&Some(correction.original)) {
                let why = format!(
                    "it corrects {} from {}, which the set of templates does not have",
                    correction.template, correction.original
                );
                return Err(PatchError::Unreadable(why));
            }
        }
        Ok(())
    }
}

/// A SHA-256 as a patch names it.
fn checked_hash(hash: &str) -> Result<String, PatchError> {
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        Ok(hash.to_owned())
    } else {
        Err(PatchError::Unreadable("its template_set_sha256 is not a SHA-256".into()))
    }
}

/// SHA-256, in lower-case hex, of a set of templates: of the JSON array `[dataset, id, text, original label]` of each,
/// one a line, sorted by dataset and id. Order of import, gold, counts and attributes do not matter.
pub fn template_set_sha256(templates: &[LabelledTemplate]) -> String {
    let mut sorted: Vec<&LabelledTemplate> = templates.iter().collect();
    sorted.sort_by(|a, b| a.template.key.cmp(&b.template.key));
    let mut hash = Sha256::new();
    for labelled in sorted {
        let key = &labelled.template.key;
        let line = serde_json::json!([key.dataset, key.id, labelled.template.text, labelled.original]);
        hash.update(line.to_string());
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;
    use crate::logs::{Template, TemplateKey};

    fn template(id: &str, original: Label) -> LabelledTemplate {
        let template = Template { key: TemplateKey::new("bgl", id), text: format!("text {id}") };
        LabelledTemplate { template, original: Some(original), category: None, count: 1 }
    }

    #[test]
    fn a_patch_refuses_another_set_of_templates() {
        let templates = [template("1", Label::Normal), template("2", Label::Abnormal)];
        let patch = Patch::new(&templates, vec![], Timestamp::UNIX_EPOCH);
        let again = Patch::from_json(&serde_json::to_vec(&patch).unwrap()).unwrap();
        let reversed: Vec<_> = templates.iter().rev().cloned().collect();
        assert_eq!(again.check(&reversed), Ok(()));
        let relabelled = [template("1", Label::Abnormal), template("2", Label::Abnormal)];
        assert!(matches!(again.check(&relabelled), Err(PatchError::OtherTemplates { theirs: 2, ours: 2, .. })));
    }

    #[test]
    fn a_patch_that_was_changed_to_correct_something_else_is_refused() {
        let templates = [template("1", Label::Normal)];
        let correction = |id: &str, original| Correction {
            template: TemplateKey::new("bgl", id),
            text: "text".into(),
            original,
            gold: Label::Abnormal,
            category: None,
            source: crate::labels::GoldSource::Ruling,
            by: None,
            reason: None,
        };
        let check = |correction| Patch::new(&templates, vec![correction], Timestamp::UNIX_EPOCH).check(&templates);
        assert_eq!(check(correction("1", Label::Normal)), Ok(()));
        assert!(matches!(check(correction("2", Label::Normal)), Err(PatchError::Unreadable(_))));
        assert!(matches!(check(correction("1", Label::Abnormal)), Err(PatchError::Unreadable(_))));
    }

    #[test]
    fn other_json_is_no_patch() {
        assert!(matches!(Patch::from_json(b"{\"kind\":\"x\"}"), Err(PatchError::Unreadable(_))));
    }
}
