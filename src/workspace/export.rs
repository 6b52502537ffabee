//! Export: labels and votes as tables, which `import` reads back.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::files::write_whole;
use super::{Workspace, WorkspaceError};
use crate::labels::{GoldSource, Label, Round, Tally};
use crate::logs::table::{self, Format};

/// A template with all its labels: a row that `import templates` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelRow {
    /// The template's dataset.
    pub dataset: String,
    /// Its id there.
    pub id: String,
    /// Its text.
    pub template: String,
    /// The label that it came with.
    pub label: Option<Label>,
    /// The error category of gold, or else the one that it came with.
    pub category: Option<String>,
    /// The final label.
    pub gold: Option<Label>,
    /// How the final label came about.
    pub gold_source: Option<GoldSource>,
    /// Why.
    pub reason: Option<String>,
    /// How often it occurred.
    pub count: u64,
}

/// A vote that counts: a row that `import votes` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoteRow {
    /// The template's dataset.
    pub dataset: String,
    /// Its id there.
    pub id: String,
    /// Who voted.
    pub annotator: String,
    /// normal, abnormal, unsure or skip.
    pub label: &'static str,
    /// The error category.
    pub category: Option<String>,
    /// In which round.
    pub round: Round,
    /// When.
    pub at: Timestamp,
    /// What was added.
    pub comment: Option<String>,
    /// Whether the original label or a suggestion had been shown.
    pub revealed: bool,
    /// How long the annotator looked, in milliseconds.
    pub elapsed_ms: Option<u64>,
    /// For a panel vote: what most of the others said as it was cast; empty on a tie.
    pub majority: Option<Label>,
}

impl Workspace {
    /// Every template with its labels, in the order in which they first came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn label_rows(&self) -> Result<Vec<LabelRow>, WorkspaceError> {
        let mut gold = self.gold()?;
        let row = |record: super::TemplateRecord| {
            let gold = gold.remove(record.key());
            let labelled = record.labelled;
            let named = gold.as_ref().and_then(|gold| gold.category.clone()).or(labelled.category);
            LabelRow {
                dataset: labelled.template.key.dataset,
                id: labelled.template.key.id,
                template: labelled.template.text,
                label: labelled.original,
                category: named.map(|category| category.as_str().to_owned()),
                gold: gold.as_ref().map(|gold| gold.label),
                gold_source: gold.as_ref().map(|gold| gold.source),
                reason: gold.and_then(|gold| gold.reason),
                count: labelled.count,
            }
        };
        Ok(self.templates()?.into_iter().map(row).collect())
    }

    /// Every vote that counts, in the order they were cast.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn vote_rows(&self) -> Result<Vec<VoteRow>, WorkspaceError> {
        let rows = self.votes()?.into_iter().map(|vote| VoteRow {
            label: vote.judgement.word(),
            category: vote.judgement.category().map(|category| category.as_str().to_owned()),
            dataset: vote.template.dataset,
            id: vote.template.id,
            annotator: vote.annotator,
            round: vote.round,
            at: vote.at,
            comment: vote.comment,
            revealed: vote.revealed,
            elapsed_ms: vote.elapsed_ms,
            majority: vote.others.and_then(Tally::majority),
        });
        Ok(rows.collect())
    }
}

/// Writes rows as a table, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn export_table<T: Serialize>(rows: &[T], format: Format, file: &Path) -> Result<(), WorkspaceError> {
    let bytes =
        table::write(rows, format).map_err(|why| WorkspaceError::Invalid(format!("{}: {why}", file.display())))?;
    write_whole(file, &bytes).map_err(|error| WorkspaceError::io(file, error))
}
