//! What rules and models suggest, in the store.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::Row as _;

use super::store::uid;
use super::{Workspace, WorkspaceError};
use crate::labels::Label;
use crate::logs::TemplateKey;

/// What a rule or a model would say of a template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suggestion {
    /// On which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Who suggests it: the model with its adapter, or a rule.
    pub source: String,
    /// The label.
    pub label: Label,
    /// The log-odds of `abnormal`, where the source has them.
    pub margin: Option<f64>,
}

impl Workspace {
    /// Adds suggestions, all or none. They are on disk when this returns.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn suggest(&self, suggestions: &[Suggestion]) -> Result<(), WorkspaceError> {
        self.store.write(|write, at| {
            let suggestions = suggestions.to_vec();
            Box::pin(async move {
                for (index, suggestion) in suggestions.iter().enumerate() {
                    let Suggestion { template, source, label, margin } = suggestion;
                    let at = at.after(index);
                    sqlx::query(
                        "INSERT OR IGNORE INTO suggestions (uid, at, dataset, template, source, label, margin)
                         VALUES (?, ?, ?, ?, ?, ?, ?)",
                    )
                    .bind(uid("suggestions", &(at.0, template, source, label, margin)))
                    .bind(at.0)
                    .bind(&template.dataset)
                    .bind(&template.id)
                    .bind(source)
                    .bind(label.as_str())
                    .bind(margin)
                    .execute(&mut **write)
                    .await?;
                }
                Ok(())
            })
        })
    }

    /// The newest suggestion for every template that has one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn suggestions(&self) -> Result<HashMap<TemplateKey, Suggestion>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query(
                    "SELECT * FROM (
                         SELECT *, row_number() OVER (PARTITION BY dataset, template ORDER BY at DESC, uid DESC) AS age
                         FROM suggestions) WHERE age = 1",
                )
                .fetch_all(connection)
                .await
            })
        })?;
        let suggestion = |row: &sqlx::sqlite::SqliteRow| -> Result<(TemplateKey, Suggestion), WorkspaceError> {
            let text = |column| row.try_get::<String, _>(column).map_err(|error| self.store.failed(error));
            let template = TemplateKey::new(text("dataset")?, text("template")?);
            let label = text("label")?.parse().map_err(|error| self.store.damaged("suggestions", error))?;
            let margin = row.try_get("margin").map_err(|error| self.store.failed(error))?;
            Ok((template.clone(), Suggestion { template, source: text("source")?, label, margin }))
        };
        rows.iter().map(suggestion).collect()
    }
}
