//! Reviews in the store.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::ledger::REVIEWS;
use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::reasoning::{ItemKind, Review, Standing, Verdict};

/// A review about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// What kind of thing.
    pub kind: ItemKind,
    /// Its id.
    pub item: String,
    /// By whom.
    pub reviewer: String,
    /// The decision.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
}

impl Workspace {
    /// The newest review of every item that has one, by kind and id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reviews(&self) -> Result<BTreeMap<(ItemKind, String), Review>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = format!("SELECT r.* {} ORDER BY r.at, r.uid", REVIEWS.all_standing());
                sqlx::query(&query).fetch_all(connection).await
            })
        })?;
        let reviews = rows.iter().map(|row| self.review_of(row));
        reviews.map(|review| review.map(|review| ((review.kind, review.item.clone()), review))).collect()
    }

    fn review_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<Review, WorkspaceError> {
        let optional = |column| row.try_get::<Option<String>, _>(column).map_err(|error| self.store.failed(error));
        let text = |column| optional(column).map(Option::unwrap_or_default);
        let at: i64 = row.try_get("at").map_err(|error| self.store.failed(error))?;
        let verdict = match text("verdict")?.as_str() {
            "accept" => Verdict::Accept,
            "edit" => Verdict::Edit(text("text")?),
            "reject" => Verdict::Reject,
            other => return Err(self.store.damaged("reviews", format!("verdict \"{other}\""))),
        };
        Ok(Review {
            kind: text("kind")?.parse().map_err(|error: String| self.store.damaged("reviews", error))?,
            item: text("item")?,
            reviewer: text("reviewer")?,
            verdict,
            reason: optional("reason")?,
            at: At(at).timestamp(),
        })
    }

    /// Records reviews, all or none. They are on disk when this returns.
    ///
    /// # Errors
    /// When an item is unknown, or the store cannot be written.
    pub fn review(&self, reviews: &[NewReview]) -> Result<(), WorkspaceError> {
        for kind in ItemKind::ALL {
            let mut wanted = reviews.iter().filter(|review| review.kind == kind).peekable();
            if wanted.peek().is_some() {
                let known: std::collections::HashSet<String> = self.item_ids(kind)?.into_iter().collect();
                if let Some(unknown) = wanted.find(|review| !known.contains(&review.item)) {
                    return Err(WorkspaceError::NoItem { kind: kind.to_string(), id: unknown.item.clone() });
                }
            }
        }
        self.store.write(|write, at| {
            let reviews = reviews.to_vec();
            Box::pin(async move {
                for (index, review) in reviews.iter().enumerate() {
                    append(write, at.after(index), review).await?;
                }
                Ok(())
            })
        })
    }

    /// Accepts every pending item of `kinds`, and gives how many those were.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn accept_pending(&self, kinds: &[ItemKind], reviewer: &str) -> Result<usize, WorkspaceError> {
        let reviews = self.reviews()?;
        let mut accepted = Vec::new();
        for &kind in kinds {
            for item in self.item_ids(kind)? {
                if Standing::of(reviews.get(&(kind, item.clone()))) == Standing::Pending {
                    let reviewer = reviewer.to_owned();
                    accepted.push(NewReview { kind, item, reviewer, verdict: Verdict::Accept, reason: None });
                }
            }
        }
        self.review(&accepted)?;
        Ok(accepted.len())
    }

    /// The kinds of items that go by `id`.
    ///
    /// # Errors
    /// When there is no item of that id, or the store cannot be read.
    pub fn kinds_of(&self, id: &str) -> Result<Vec<ItemKind>, WorkspaceError> {
        let mut kinds = Vec::new();
        for kind in ItemKind::ALL {
            if self.item_ids(kind)?.iter().any(|known| known == id) {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() { Err(WorkspaceError::NoItem { kind: "item".into(), id: id.into() }) } else { Ok(kinds) }
    }

    /// Takes back the newest review of `reviewer` that is not taken back yet; an earlier one counts again. Gives the
    /// review taken back, or `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_review(&self, reviewer: &str) -> Result<Option<Review>, WorkspaceError> {
        let row = self.store.write(|write, at| {
            let reviewer = reviewer.to_owned();
            Box::pin(async move { REVIEWS.take_back_newest(write, at, "r.reviewer = ?", &reviewer).await })
        })?;
        row.map(|row| self.review_of(&row)).transpose()
    }
}

async fn append(write: &mut Write<'_>, at: At, review: &NewReview) -> Result<(), sqlx::Error> {
    let text = match &review.verdict {
        Verdict::Edit(text) => Some(text),
        Verdict::Accept | Verdict::Reject => None,
    };
    let verdict = review.verdict.word();
    sqlx::query(
        "INSERT OR IGNORE INTO reviews (uid, at, kind, item, reviewer, verdict, text, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid("reviews", &(at.0, review.kind, &review.item, &review.reviewer, verdict, text, &review.reason)))
    .bind(at.0)
    .bind(review.kind.as_str())
    .bind(&review.item)
    .bind(&review.reviewer)
    .bind(verdict)
    .bind(text)
    .bind(&review.reason)
    .execute(&mut **write)
    .await
    .map(drop)
}
