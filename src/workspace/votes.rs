//! Votes in the store.

use jiff::Timestamp;
use sqlx::Row as _;

use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::labels::agreement::Agreement;
use crate::labels::{Category, Judgement, Round, Vote, VoteTable};
use crate::logs::TemplateKey;

/// A vote about to be cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVote {
    /// On which template.
    pub template: TemplateKey,
    /// By whom.
    pub annotator: String,
    /// What is said.
    pub judgement: Judgement,
    /// In which round.
    pub round: Round,
    /// What is added in words.
    pub comment: Option<String>,
    /// How long the annotator looked, in milliseconds.
    pub elapsed_ms: Option<u64>,
    /// When it was cast; now if `None`. Imported votes keep their own time.
    pub at: Option<Timestamp>,
}

/// The rows that nobody took back, newest of each (template, annotator, round) last.
const EFFECTIVE: &str = "FROM votes v WHERE v.judgement IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM votes u WHERE u.undoes = v.uid)";

impl Workspace {
    /// Every annotator's newest vote on every template in every round, in the order they were cast.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn votes(&self) -> Result<Vec<Vote>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = format!(
                    "SELECT * FROM (SELECT v.*, row_number() OVER (
                         PARTITION BY dataset, template, annotator, round ORDER BY at DESC, uid DESC) AS age {EFFECTIVE})
                     WHERE age = 1 ORDER BY at, uid"
                );
                sqlx::query(&query).fetch_all(connection).await
            })
        })?;
        rows.iter().map(|row| self.vote_of(row)).collect()
    }

    fn vote_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<Vote, WorkspaceError> {
        let optional = |column| row.try_get::<Option<String>, _>(column).map_err(|error| self.store.failed(error));
        let text = |column| optional(column).map(Option::unwrap_or_default);
        let at: i64 = row.try_get("at").map_err(|error| self.store.failed(error))?;
        let judgement = Judgement::parse(&text("judgement")?, optional("category")?.as_deref());
        Ok(Vote {
            template: TemplateKey::new(text("dataset")?, text("template")?),
            annotator: text("annotator")?,
            judgement: judgement.map_err(|error| self.store.damaged("votes", error))?,
            round: text("round")?.parse().map_err(|error: String| self.store.damaged("votes", error))?,
            comment: optional("comment")?,
            at: At(at).timestamp(),
        })
    }

    /// Casts a vote. It is on disk when this returns.
    ///
    /// # Errors
    /// When the template is unknown, the annotator has no name, or the store cannot be written.
    pub fn cast_vote(&self, vote: &NewVote) -> Result<Vote, WorkspaceError> {
        if vote.annotator.trim().is_empty() {
            return Err(WorkspaceError::Invalid("a vote needs an annotator's name".into()));
        }
        let cast = self.store.write(|write, at| {
            let vote = vote.clone();
            Box::pin(async move {
                let known: Option<i64> =
                    sqlx::query_scalar("SELECT 1 FROM templates WHERE dataset = ? AND id = ? LIMIT 1")
                        .bind(&vote.template.dataset)
                        .bind(&vote.template.id)
                        .fetch_optional(&mut **write)
                        .await?;
                if known.is_none() {
                    return Ok(None);
                }
                let at = vote.at.map_or(at, At::from);
                append(write, at, &vote).await?;
                Ok(Some(at))
            })
        })?;
        let at = cast.ok_or_else(|| WorkspaceError::NoTemplate(vote.template.to_string()))?;
        Ok(Vote {
            template: vote.template.clone(),
            annotator: vote.annotator.clone(),
            judgement: vote.judgement.clone(),
            round: vote.round,
            comment: vote.comment.clone(),
            at: at.timestamp(),
        })
    }

    /// Takes back the newest vote of `annotator` that is not taken back yet; an earlier vote on the same template
    /// counts again. Gives the vote taken back, or `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_vote(&self, annotator: &str) -> Result<Option<Vote>, WorkspaceError> {
        let row = self.store.write(|write, at| {
            let annotator = annotator.to_owned();
            Box::pin(async move {
                let query = format!("SELECT v.* {EFFECTIVE} AND v.annotator = ? ORDER BY at DESC, uid DESC LIMIT 1");
                let newest = sqlx::query(&query).bind(&annotator).fetch_optional(&mut **write).await?;
                if let Some(row) = &newest {
                    let undoes: String = row.try_get("uid")?;
                    sqlx::query(
                        "INSERT INTO votes (uid, at, dataset, template, annotator, round, undoes)
                         SELECT ?, ?, dataset, template, annotator, round, uid FROM votes WHERE uid = ?",
                    )
                    .bind(uid("votes", &(at.0, "undo", &undoes)))
                    .bind(at.0)
                    .bind(&undoes)
                    .execute(&mut **write)
                    .await?;
                }
                Ok(newest)
            })
        })?;
        row.map(|row| self.vote_of(&row)).transpose()
    }

    /// The agreement of the annotators over the votes of `round`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn agreement(&self, round: Round) -> Result<Agreement, WorkspaceError> {
        Ok(Agreement::of(&VoteTable::of_round(&self.votes()?, round), round))
    }
}

/// Appends a vote; one that is there already, to the letter, is not appended twice.
pub(super) async fn append(write: &mut Write<'_>, at: At, vote: &NewVote) -> Result<bool, sqlx::Error> {
    let category = vote.judgement.category().map(Category::as_str);
    let uid = uid(
        "votes",
        &(at.0, &vote.template, &vote.annotator, vote.round, vote.judgement.word(), category, &vote.comment),
    );
    let done = sqlx::query(
        "INSERT OR IGNORE INTO votes (uid, at, dataset, template, annotator, round, judgement, category, comment, elapsed_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid)
    .bind(at.0)
    .bind(&vote.template.dataset)
    .bind(&vote.template.id)
    .bind(&vote.annotator)
    .bind(vote.round.as_str())
    .bind(vote.judgement.word())
    .bind(category)
    .bind(&vote.comment)
    .bind(vote.elapsed_ms.and_then(|ms| i64::try_from(ms).ok()))
    .execute(&mut **write)
    .await?;
    Ok(done.rows_affected() > 0)
}
