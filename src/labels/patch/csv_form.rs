//! A patch as a table: what people open in a spreadsheet. It says the same as the JSON, to the letter, so that one made
//! as CSV is reverted as JSON and the other way round.
//!
//! Cells are written as they are: a template that begins with `=` or `-` is data, and guarding it as a formula would
//! correct another template than the one meant.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KIND, Patch, PatchError, checked_hash};
use crate::labels::{Category, Correction, GoldSource, Label};
use crate::logs::TemplateKey;

/// One correction, with what binds it to its set of templates.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    dataset: String,
    id: String,
    template: String,
    original: Label,
    gold: Label,
    category: Option<Category>,
    source: GoldSource,
    by: Option<String>,
    reason: Option<String>,
    made_at: Timestamp,
    templates: usize,
    template_set_sha256: String,
}

impl Patch {
    /// Writes a patch as CSV.
    pub fn to_csv(&self) -> Vec<u8> {
        let written = || -> Result<Vec<u8>, csv::Error> {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for correction in &self.corrections {
                writer.serialize(Row {
                    dataset: correction.template.dataset.clone(),
                    id: correction.template.id.clone(),
                    template: correction.text.clone(),
                    original: correction.original,
                    gold: correction.gold,
                    category: correction.category.clone(),
                    source: correction.source,
                    by: correction.by.clone(),
                    reason: correction.reason.clone(),
                    made_at: self.made_at,
                    templates: self.templates,
                    template_set_sha256: self.template_set_sha256.clone(),
                })?;
            }
            if self.corrections.is_empty() {
                writer.write_record(HEADER)?;
            }
            writer.into_inner().map_err(|error| csv::Error::from(io::Error::other(error.to_string())))
        };
        written().expect("writing to memory fails for nobody")
    }

    /// Reads a patch from CSV.
    ///
    /// # Errors
    /// When a row cannot be read, rows belong to different patches, or there is none.
    pub fn from_csv(bytes: &[u8]) -> Result<Self, PatchError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut patch: Option<Self> = None;
        for row in csv::Reader::from_reader(bytes).into_deserialize() {
            let row: Row = row.map_err(|error| PatchError::Unreadable(error.to_string()))?;
            let patch = match &mut patch {
                Some(patch) => patch,
                none => none.insert(Self {
                    kind: KIND.into(),
                    version: 1,
                    template_set_sha256: checked_hash(&row.template_set_sha256)?,
                    templates: row.templates,
                    made_at: row.made_at,
                    corrections: Vec::new(),
                }),
            };
            let binding = (&patch.template_set_sha256, patch.templates, patch.made_at);
            if binding != (&row.template_set_sha256, row.templates, row.made_at) {
                let row = format!("{}/{}", row.dataset, row.id);
                return Err(PatchError::Unreadable(format!("its rows are of different patches, from {row} on")));
            }
            let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
            patch.corrections.push(Correction {
                template: TemplateKey::new(row.dataset, row.id),
                text: row.template,
                original: row.original,
                gold: row.gold,
                category: row.category.as_ref().and_then(|category| Category::new(category.as_str())),
                source: row.source,
                by: said(row.by),
                reason: said(row.reason),
            });
        }
        patch.ok_or_else(|| PatchError::Unreadable("it holds no correction".into()))
    }
}

const HEADER: [&str; 12] = [
    "dataset",
    "id",
    "template",
    "original",
    "gold",
    "category",
    "source",
    "by",
    "reason",
    "made_at",
    "templates",
    "template_set_sha256",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(corrections: Vec<Correction>) -> Patch {
        Patch {
            kind: KIND.into(),
            version: 1,
            template_set_sha256: "ab".repeat(32),
            templates: 2,
            made_at: Timestamp::from_second(1_700_000_000).unwrap(),
            corrections,
        }
    }

    fn correction(text: &str) -> Correction {
        Correction {
            template: TemplateKey::new("bgl", "1"),
            text: text.into(),
            original: Label::Normal,
            gold: Label::Abnormal,
            category: Category::new("system error"),
            source: GoldSource::Ruling,
            by: Some("mei".into()),
            reason: Some("it halts, \"twice\"\nat least".into()),
        }
    }

    #[test]
    fn csv_says_what_the_patch_says_to_the_letter() {
        let odd = ["=cmd|' /C calc'!A0", "- node up", "+1", "@x", "a,b\"c\r\nd", " spaced "];
        let mut corrections: Vec<Correction> = odd.iter().map(|text| correction(text)).collect();
        corrections[1] = Correction { category: None, reason: None, by: None, ..corrections[1].clone() };
        let patch = patch(corrections);
        let csv = patch.to_csv();
        assert!(String::from_utf8_lossy(&csv).starts_with(&HEADER.join(",")));
        assert_eq!(Patch::from_csv(&csv), Ok(patch.clone()));
        assert_eq!(Patch::from_bytes(&csv), Ok(patch.clone()));
        assert_eq!(Patch::from_bytes(&serde_json::to_vec(&patch).unwrap()), Ok(patch));
    }

    #[test]
    fn rows_of_two_patches_and_no_rows_are_refused() {
        let one = patch(vec![correction("x")]);
        let other = Patch { template_set_sha256: "cd".repeat(32), ..one.clone() };
        let mut csv = String::from_utf8(one.to_csv()).unwrap();
        csv.push_str(String::from_utf8(other.to_csv()).unwrap().split_once('\n').unwrap().1);
        assert!(
            matches!(Patch::from_csv(csv.as_bytes()), Err(PatchError::Unreadable(why)) if why.contains("different patches"))
        );
        assert!(
            matches!(Patch::from_csv(&patch(vec![]).to_csv()), Err(PatchError::Unreadable(why)) if why.contains("no correction"))
        );
        assert!(matches!(Patch::from_csv(b"dataset,id\nbgl,1\n"), Err(PatchError::Unreadable(_))));
        let cut = Patch { template_set_sha256: "ab".into(), ..one };
        assert!(matches!(Patch::from_csv(&cut.to_csv()), Err(PatchError::Unreadable(why)) if why.contains("SHA-256")));
    }
}
