//! What people say about templates in words, and the flags they put on them, in the store.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;

use super::ledger::COMMENTS;
use super::store::{At, uid};
use super::{Workspace, WorkspaceError};
use crate::logs::TemplateKey;

/// A remark on a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// On which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Whose.
    pub author: String,
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// An annotator's mark on a template to come back to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Flag {
    /// On which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Whose.
    pub annotator: String,
}

impl Workspace {
    /// Adds a comment. It is on disk when this returns.
    ///
    /// # Errors
    /// When it is blank, its author has no name, the template is unknown, or the store cannot be written.
    pub fn comment(&self, template: &TemplateKey, author: &str, text: &str) -> Result<Comment, WorkspaceError> {
        let (author, text) = (author.trim(), text.trim());
        if author.is_empty() || text.is_empty() {
            return Err(WorkspaceError::Invalid("a comment needs an author and some words".into()));
        }
        self.require_template(template)?;
        let at = self.store.write(|write, at| {
            let (template, author, text) = (template.clone(), author.to_owned(), text.to_owned());
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO comments (uid, at, dataset, template, author, text) VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(uid("comments", &(at.0, &template, &author, &text)))
                .bind(at.0)
                .bind(&template.dataset)
                .bind(&template.id)
                .bind(&author)
                .bind(&text)
                .execute(&mut **write)
                .await?;
                Ok(at)
            })
        })?;
        Ok(Comment { template: template.clone(), author: author.into(), text: text.into(), at: at.timestamp() })
    }

    /// All comments that stand, in the order they were made.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn comments(&self) -> Result<Vec<Comment>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = format!("SELECT r.* {} ORDER BY r.at, r.uid", COMMENTS.all_standing());
                sqlx::query(&query).fetch_all(connection).await
            })
        })?;
        rows.iter().map(comment_of).collect::<Result<_, _>>().map_err(|error| self.store.failed(error))
    }

    /// Takes back the newest comment of `author` that stands, and gives it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_comment(&self, author: &str) -> Result<Option<Comment>, WorkspaceError> {
        let row = self.store.write(|write, at| {
            let author = author.to_owned();
            Box::pin(async move { COMMENTS.take_back_newest(write, at, "r.author = ?", &author).await })
        })?;
        row.as_ref().map(comment_of).transpose().map_err(|error| self.store.failed(error))
    }

    /// Puts an annotator's flag on a template, or takes it off.
    ///
    /// # Errors
    /// When the annotator has no name, the template is unknown, or the store cannot be written.
    pub fn set_flag(&self, template: &TemplateKey, annotator: &str, raised: bool) -> Result<(), WorkspaceError> {
        let annotator = annotator.trim();
        if annotator.is_empty() {
            return Err(WorkspaceError::Invalid("a flag needs an annotator's name".into()));
        }
        self.require_template(template)?;
        self.store.write(|write, at| {
            let (template, annotator) = (template.clone(), annotator.to_owned());
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO flags (uid, at, dataset, template, annotator, raised) VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(uid("flags", &(at.0, &template, &annotator, raised)))
                .bind(at.0)
                .bind(&template.dataset)
                .bind(&template.id)
                .bind(&annotator)
                .bind(raised)
                .execute(&mut **write)
                .await
                .map(drop)
            })
        })
    }

    /// All flags that are up, by template and annotator.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn flags(&self) -> Result<Vec<Flag>, WorkspaceError> {
        let rows: Vec<(String, String, String)> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as(
                    "SELECT dataset, template, annotator FROM (
                         SELECT *, row_number() OVER (PARTITION BY dataset, template, annotator ORDER BY at DESC, uid DESC) AS age
                         FROM flags) WHERE age = 1 AND raised = 1 ORDER BY dataset, template, annotator",
                )
                .fetch_all(connection)
                .await
            })
        })?;
        let flag = |(dataset, id, annotator)| Flag { template: TemplateKey { dataset, id }, annotator };
        Ok(rows.into_iter().map(flag).collect())
    }
}

fn comment_of(row: &sqlx::sqlite::SqliteRow) -> Result<Comment, sqlx::Error> {
    let dataset: String = row.try_get("dataset")?;
    let id: String = row.try_get("template")?;
    Ok(Comment {
        template: TemplateKey { dataset, id },
        author: row.try_get("author")?,
        text: row.try_get("text")?,
        at: At(row.try_get("at")?).timestamp(),
    })
}
