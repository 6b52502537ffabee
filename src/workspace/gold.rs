//! Gold labels, rulings, and the patch.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use sqlx::Row as _;

use super::files::write_whole;
use super::ledger::RULINGS;
use super::store::{At, Write, uid};
use super::{TemplateRecord, Workspace, WorkspaceError};
use crate::labels::{
    Category, Correction, Disagreement, Gold, GoldSource, Label, LabelledTemplate, Patch, Table1, Vote, consensus,
    corrections, disagreements,
};
use crate::logs::TemplateKey;

/// A ruling about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRuling {
    /// On which template.
    pub template: TemplateKey,
    /// The final label.
    pub label: Label,
    /// The kind of trouble, if abnormal.
    pub category: Option<Category>,
    /// The senior.
    pub by: String,
    /// Why: a ruling without a reason is refused.
    pub reason: String,
}

impl Workspace {
    /// The gold label of every template that has one: the newest ruling or patch; else the gold that it came with;
    /// else consensus of the votes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn gold(&self) -> Result<BTreeMap<TemplateKey, Gold>, WorkspaceError> {
        self.gold_given(&self.votes()?)
    }

    /// [`Workspace::gold`] for who has read the votes already.
    pub(super) fn gold_given(&self, votes: &[Vote]) -> Result<BTreeMap<TemplateKey, Gold>, WorkspaceError> {
        self.gold_of(votes, &self.templates()?)
    }

    /// [`Workspace::gold`] for who has read votes and templates already.
    pub(super) fn gold_of(
        &self,
        votes: &[Vote],
        templates: &[TemplateRecord],
    ) -> Result<BTreeMap<TemplateKey, Gold>, WorkspaceError> {
        let mut gold = consensus(votes, self.settings().consensus);
        for record in templates {
            if let Some(label) = record.imported_gold {
                let category = (label == Label::Abnormal).then(|| record.labelled.category.clone()).flatten();
                let source = GoldSource::Import;
                let came = Gold { label, category, source, by: None, reason: None, at: None };
                gold.insert(record.key().clone(), came);
            }
        }
        gold.extend(self.rulings()?);
        Ok(gold)
    }

    /// The newest ruling or patch of every template that has one.
    fn rulings(&self) -> Result<Vec<(TemplateKey, Gold)>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = format!("SELECT r.* {} ORDER BY r.at, r.uid", RULINGS.all_standing());
                sqlx::query(&query).fetch_all(connection).await
            })
        })?;
        rows.iter().map(|row| self.ruling_of(row)).collect()
    }

    fn ruling_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<(TemplateKey, Gold), WorkspaceError> {
        let optional = |column| row.try_get::<Option<String>, _>(column).map_err(|error| self.store.failed(error));
        let text = |column| optional(column).map(Option::unwrap_or_default);
        let at: i64 = row.try_get("at").map_err(|error| self.store.failed(error))?;
        let source = text("source")?;
        let gold = Gold {
            label: text("label")?.parse().map_err(|error| self.store.damaged("rulings", error))?,
            category: optional("category")?.as_deref().and_then(Category::new),
            source: GoldSource::from_word(&source).ok_or_else(|| self.store.damaged("rulings", &source))?,
            by: optional("ruled_by")?,
            reason: optional("reason")?,
            at: Some(At(at).timestamp()),
        };
        Ok((TemplateKey::new(text("dataset")?, text("template")?), gold))
    }

    /// Makes a ruling. It is on disk when this returns.
    ///
    /// # Errors
    /// When the reason is blank, the ruler is no senior of this project, the template is unknown, or the store cannot
    /// be written.
    pub fn rule(&self, ruling: &NewRuling) -> Result<(), WorkspaceError> {
        if ruling.reason.trim().is_empty() {
            return Err(WorkspaceError::Invalid("a ruling needs a reason".into()));
        }
        self.require_senior(&ruling.by, "rule")?;
        self.require_template(&ruling.template)?;
        self.store.write(|write, at| {
            let ruling = ruling.clone();
            Box::pin(async move {
                let row = RulingRow {
                    template: &ruling.template,
                    label: ruling.label,
                    category: ruling.category.as_ref(),
                    source: GoldSource::Ruling,
                    by: &ruling.by,
                    reason: Some(ruling.reason.trim()),
                    patch: None,
                };
                row.append(write, at).await
            })
        })
    }

    /// Takes back the newest ruling of `senior` that is not taken back yet, and says on which template it was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_ruling(&self, senior: &str) -> Result<Option<TemplateKey>, WorkspaceError> {
        let row = self.store.write(|write, at| {
            let senior = senior.to_owned();
            Box::pin(async move {
                RULINGS.take_back_newest(write, at, "r.source = 'ruling' AND r.ruled_by = ?", &senior).await
            })
        })?;
        row.map(|row| self.ruling_of(&row).map(|(template, _)| template)).transpose()
    }

    /// The templates that annotators judge differently.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn disagreements(&self) -> Result<Vec<Disagreement>, WorkspaceError> {
        Ok(disagreements(&self.votes()?))
    }

    /// What is corrected: where gold differs from the original label.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn corrections(&self) -> Result<Vec<Correction>, WorkspaceError> {
        Ok(corrections(&self.labelled_templates()?, &self.gold()?))
    }

    fn labelled_templates(&self) -> Result<Vec<LabelledTemplate>, WorkspaceError> {
        Ok(self.templates()?.into_iter().map(|record| record.labelled).collect())
    }

    /// The patch that holds this project's corrections.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn make_patch(&self) -> Result<Patch, WorkspaceError> {
        let templates = self.labelled_templates()?;
        let corrections = corrections(&templates, &self.gold()?);
        Ok(Patch::new(&templates, corrections, Timestamp::now()))
    }

    /// What is corrected, counted as in RationAnomaly's Table 1, with at most `examples` templates of each row.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn table1(&self, examples: usize) -> Result<Table1, WorkspaceError> {
        let (templates, gold) = (self.labelled_templates()?, self.gold()?);
        let corrections = corrections(&templates, &gold);
        Ok(self.table1_of(&templates, &gold, &corrections, examples))
    }

    pub(super) fn table1_of(
        &self,
        templates: &[LabelledTemplate],
        gold: &BTreeMap<TemplateKey, Gold>,
        corrections: &[Correction],
        examples: usize,
    ) -> Table1 {
        let compared = templates.iter().filter(|t| t.original.is_some() && gold.contains_key(&t.template.key)).count();
        Table1::of(templates, compared, corrections, &self.settings().taxonomy, examples)
    }

    /// Writes a patch to a file, whole or not at all: as CSV where its name ends so, else as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_patch(&self, patch: &Patch, file: &Path) -> Result<(), WorkspaceError> {
        let as_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let bytes = if as_csv {
            patch.to_csv()
        } else {
            let mut text = serde_json::to_string_pretty(patch).expect("a patch is plain data");
            text.push('\n');
            text.into_bytes()
        };
        write_whole(file, &bytes).map_err(|error| WorkspaceError::io(file, error))
    }

    /// Applies a patch: each of its corrections becomes gold. Gives how many.
    ///
    /// # Errors
    /// When the patch was made from other templates, or the store cannot be written.
    pub fn apply_patch(&self, patch: &Patch, by: &str) -> Result<usize, WorkspaceError> {
        patch.check(&self.labelled_templates()?)?;
        let id = patch_id(patch);
        self.store.write(|write, at| {
            let (patch, by) = (patch.clone(), by.to_owned());
            Box::pin(async move {
                for (index, correction) in patch.corrections.iter().enumerate() {
                    let row = RulingRow {
                        template: &correction.template,
                        label: correction.gold,
                        category: correction.category.as_ref(),
                        source: GoldSource::Patch,
                        by: &by,
                        reason: correction.reason.as_deref(),
                        patch: Some(&id),
                    };
                    row.append(write, at.after(index)).await?;
                }
                Ok(patch.corrections.len())
            })
        })
    }

    /// Reverts a patch: what it made gold is taken back. Gives how many labels that was.
    ///
    /// # Errors
    /// When the patch was made from other templates, or the store cannot be written.
    pub fn revert_patch(&self, patch: &Patch) -> Result<usize, WorkspaceError> {
        patch.check(&self.labelled_templates()?)?;
        let id = patch_id(patch);
        self.store.write(|write, at| {
            Box::pin(async move {
                let query = format!("SELECT r.uid {} AND r.patch = ? ORDER BY r.at, r.uid", RULINGS.all_standing());
                let uids: Vec<String> = sqlx::query_scalar(&query).bind(&id).fetch_all(&mut **write).await?;
                RULINGS.take_back(write, at, &uids).await?;
                Ok(uids.len())
            })
        })
    }
}

/// What tells one patch from another in the store.
fn patch_id(patch: &Patch) -> String {
    uid("patch", patch)
}

struct RulingRow<'a> {
    template: &'a TemplateKey,
    label: Label,
    category: Option<&'a Category>,
    source: GoldSource,
    by: &'a str,
    reason: Option<&'a str>,
    patch: Option<&'a str>,
}

impl RulingRow<'_> {
    async fn append(&self, write: &mut Write<'_>, at: At) -> Result<(), sqlx::Error> {
        let category = self.category.map(Category::as_str);
        sqlx::query(
            "INSERT OR IGNORE INTO rulings (uid, at, dataset, template, label, category, source, ruled_by, reason, patch)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(uid("rulings", &(at.0, self.template, self.label, category, self.by, self.reason, self.patch)))
        .bind(at.0)
        .bind(&self.template.dataset)
        .bind(&self.template.id)
        .bind(self.label.as_str())
        .bind(category)
        .bind(self.source.as_str())
        .bind(self.by)
        .bind(self.reason)
        .bind(self.patch)
        .execute(&mut **write)
        .await
        .map(drop)
    }
}
