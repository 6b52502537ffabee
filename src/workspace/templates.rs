//! Templates in the store.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::labels::{Category, Label, LabelledTemplate};
use crate::logs::{Template, TemplateKey};

/// A template as the store holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TemplateRecord {
    /// The template and the label that it came with.
    #[serde(flatten)]
    pub labelled: LabelledTemplate,
    /// The gold label that it came with, if any.
    pub imported_gold: Option<Label>,
    /// Whatever else came with it; `sample` holds occurrence lines.
    pub attributes: Map<String, Value>,
}

impl TemplateRecord {
    /// Which template this is.
    pub fn key(&self) -> &TemplateKey {
        &self.labelled.template.key
    }

    /// Its text, raw.
    pub fn text(&self) -> &str {
        &self.labelled.template.text
    }

    /// Occurrence lines that came with it, raw.
    pub fn sample_lines(&self) -> impl Iterator<Item = &str> {
        let sample = self.attributes.get("sample").and_then(Value::as_str).unwrap_or_default();
        sample.lines().filter(|line| !line.trim().is_empty())
    }
}

impl Workspace {
    /// All templates, in the order in which they first came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn templates(&self) -> Result<Vec<TemplateRecord>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                // The newest row of each key, placed where the key's oldest row stands.
                sqlx::query(
                    "SELECT dataset, id, text, label, category, gold, count, attributes FROM (
                         SELECT *, row_number() OVER newest AS age, min(at) OVER (PARTITION BY dataset, id) AS first_at
                         FROM templates WINDOW newest AS (PARTITION BY dataset, id ORDER BY at DESC, uid DESC)
                     ) WHERE age = 1 ORDER BY first_at, dataset, id",
                )
                .fetch_all(connection)
                .await
            })
        })?;
        rows.iter().map(|row| self.template_of(row)).collect()
    }

    fn template_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<TemplateRecord, WorkspaceError> {
        let label = |column| -> Result<Option<Label>, WorkspaceError> {
            let word: Option<String> = row.try_get(column).map_err(|error| self.store.failed(error))?;
            word.map(|word| word.parse()).transpose().map_err(|error| self.store.damaged("templates", error))
        };
        let text = |column| row.try_get::<String, _>(column).map_err(|error| self.store.failed(error));
        let category: Option<String> = row.try_get("category").map_err(|error| self.store.failed(error))?;
        let count: i64 = row.try_get("count").map_err(|error| self.store.failed(error))?;
        let template = Template { key: TemplateKey::new(text("dataset")?, text("id")?), text: text("text")? };
        Ok(TemplateRecord {
            labelled: LabelledTemplate {
                template,
                original: label("label")?,
                category: category.as_deref().and_then(Category::new),
                count: count.max(0) as u64,
            },
            imported_gold: label("gold")?,
            attributes: serde_json::from_str(&text("attributes")?)
                .map_err(|error| self.store.damaged("templates", error))?,
        })
    }

    /// Refuses a key that no template has.
    pub(super) fn require_template(&self, key: &TemplateKey) -> Result<(), WorkspaceError> {
        let known = self.store.read(|connection| {
            let key = key.clone();
            Box::pin(async move { is_known(connection, &key).await })
        })?;
        if known { Ok(()) } else { Err(WorkspaceError::NoTemplate(key.to_string())) }
    }

    /// The template that a person names: `DATASET/ID`, or `ID` where only one dataset has it.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn find_template(&self, name: &str) -> Result<TemplateRecord, WorkspaceError> {
        let rows = self.store.read(|connection| {
            let name = name.to_owned();
            Box::pin(async move {
                sqlx::query(
                    "SELECT * FROM (
                         SELECT *, row_number() OVER (PARTITION BY dataset, id ORDER BY at DESC, uid DESC) AS age
                         FROM templates WHERE id = ?1 OR dataset || '/' || id = ?1
                     ) WHERE age = 1",
                )
                .bind(name)
                .fetch_all(connection)
                .await
            })
        })?;
        match &rows[..] {
            [row] => self.template_of(row),
            [] => Err(WorkspaceError::NoTemplate(name.into())),
            _ => Err(WorkspaceError::AmbiguousTemplate(name.into())),
        }
    }
}

/// Whether there is a template of this key.
pub(super) async fn is_known(connection: &mut SqliteConnection, key: &TemplateKey) -> Result<bool, sqlx::Error> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM templates WHERE dataset = ? AND id = ? LIMIT 1")
        .bind(&key.dataset)
        .bind(&key.id)
        .fetch_optional(connection)
        .await?;
    Ok(known.is_some())
}

/// Appends a template.
pub(super) async fn append(write: &mut Write<'_>, at: At, record: &TemplateRecord) -> Result<(), sqlx::Error> {
    let labelled = &record.labelled;
    sqlx::query(
        "INSERT OR IGNORE INTO templates (uid, at, dataset, id, text, label, category, gold, count, attributes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid("templates", &(at.0, record)))
    .bind(at.0)
    .bind(&labelled.template.key.dataset)
    .bind(&labelled.template.key.id)
    .bind(&labelled.template.text)
    .bind(labelled.original.map(Label::as_str))
    .bind(labelled.category.as_ref().map(Category::as_str))
    .bind(record.imported_gold.map(Label::as_str))
    .bind(i64::try_from(labelled.count).unwrap_or(i64::MAX))
    .bind(Value::Object(record.attributes.clone()).to_string())
    .execute(&mut **write)
    .await
    .map(drop)
}

/// Appends templates, many rows in one statement: each statement is a round trip to the thread that holds the database.
pub(super) async fn append_all(write: &mut Write<'_>, at: At, records: &[TemplateRecord]) -> Result<(), sqlx::Error> {
    let rows: Vec<(At, &TemplateRecord)> = (0..).map(|index| at.after(index)).zip(records).collect();
    for rows in rows.chunks(1_000) {
        let mut insert = sqlx::QueryBuilder::new(
            "INSERT OR IGNORE INTO templates (uid, at, dataset, id, text, label, category, gold, count, attributes) ",
        );
        insert.push_values(rows, |mut row, (at, record)| {
            let labelled = &record.labelled;
            row.push_bind(uid("templates", &(at.0, record)))
                .push_bind(at.0)
                .push_bind(&labelled.template.key.dataset)
                .push_bind(&labelled.template.key.id)
                .push_bind(&labelled.template.text)
                .push_bind(labelled.original.map(Label::as_str))
                .push_bind(labelled.category.as_ref().map(Category::as_str))
                .push_bind(record.imported_gold.map(Label::as_str))
                .push_bind(i64::try_from(labelled.count).unwrap_or(i64::MAX))
                .push_bind(Value::Object(record.attributes.clone()).to_string());
        });
        insert.build().persistent(false).execute(&mut **write).await?;
    }
    Ok(())
}
