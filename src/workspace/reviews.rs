//! Reviews in the store.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;

use super::ledger::REVIEWS;
use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::labels::{Label, LabelError};
use crate::reasoning::{ItemKind, Review, Task, Verdict};

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
    /// The label that the reviewer held true of the item's log, where it is one; found out if `None`, which takes reading
    /// all gold labels ([`Queued::review_by`](super::Queued::review_by) knows it).
    pub label: Option<Label>,
    /// Why.
    pub reason: Option<String>,
}

impl Workspace {
    /// The newest review of every item that has one, by kind and id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reviews(&self) -> Result<BTreeMap<(ItemKind, String), Review>, WorkspaceError> {
        let newest = |(of, mut decisions): (_, Vec<Review>)| decisions.pop().map(|newest| (of, newest));
        Ok(self.decisions()?.into_iter().filter_map(newest).collect())
    }

    /// The newest review of each reviewer of every item that has one, the oldest first, by kind and id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn decisions(&self) -> Result<BTreeMap<(ItemKind, String), Vec<Review>>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = format!("SELECT r.* {} ORDER BY r.at, r.uid", REVIEWS.all_standing());
                sqlx::query(&query).fetch_all(connection).await
            })
        })?;
        Ok(newest_of_each(rows.iter().map(|row| self.review_of(row)).collect::<Result<Vec<_>, _>>()?))
    }

    pub(super) fn review_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<Review, WorkspaceError> {
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
            label: optional("label")?
                .map(|word| word.parse())
                .transpose()
                .map_err(|error: LabelError| self.store.damaged("reviews", error))?,
            reason: optional("reason")?,
            at: At(at).timestamp(),
        })
    }

    /// Records reviews, all or none: one decision, taken back as one. They are on disk when this returns.
    ///
    /// # Errors
    /// When an item is unknown, or the store cannot be written.
    pub fn review(&self, reviews: &[NewReview]) -> Result<(), WorkspaceError> {
        let items: Vec<(ItemKind, &str)> = reviews.iter().map(|review| (review.kind, review.item.as_str())).collect();
        self.must_be_there(&items)?;
        let reviews = self.with_labels(reviews)?;
        self.store.write(|write, at| {
            Box::pin(async move {
                let decision = (reviews.len() > 1).then(|| uid("reviews", &(at.0, reviews.len(), &reviews[0].item)));
                for (index, review) in reviews.iter().enumerate() {
                    append(write, at.after(index), review, decision.as_deref()).await?;
                }
                Ok(())
            })
        })
    }

    /// Reviews with the label that is held true noted, where that was left out.
    fn with_labels(&self, reviews: &[NewReview]) -> Result<Vec<NewReview>, WorkspaceError> {
        let mut reviews = reviews.to_vec();
        let unknown = |review: &NewReview| review.label.is_none() && review.kind != ItemKind::Thought;
        if !reviews.iter().any(unknown) {
            return Ok(reviews);
        }
        let asked: Vec<(ItemKind, &str)> =
            reviews.iter().filter(|review| unknown(review)).map(|review| (review.kind, review.item.as_str())).collect();
        // Only the anomaly task asks for a label. Gold labels take long to gather where there are many templates.
        let mut asked = self.reviewables_of(&asked)?;
        asked.retain(|item| item.task() == Task::Anomaly);
        if asked.is_empty() {
            return Ok(reviews);
        }
        let gold = self.gold_by_text()?;
        let labels: HashMap<_, Label> = asked
            .into_iter()
            .filter_map(|item| Some(((item.kind(), item.id().to_owned()), gold.truth(&item)?.label?)))
            .collect();
        for review in reviews.iter_mut().filter(|review| unknown(review)) {
            review.label = labels.get(&(review.kind, review.item.clone())).copied();
        }
        Ok(reviews)
    }

    /// Accepts every item of `kinds` that waits for a decision of `reviewer` and is not disputed, as its newest review
    /// leaves it; gives how many those were. What others disagree on, and what was accepted for another label, wants to be
    /// looked at.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn accept_pending(&self, kinds: &[ItemKind], reviewer: &str) -> Result<usize, WorkspaceError> {
        let gold = self.gold_by_text()?;
        let waiting = self.standings(kinds, &gold)?.into_iter().filter(|stands| {
            let outdated = stands.decided.label_changed && !stands.decisions.is_empty();
            stands.waits_for(reviewer) && !stands.decided.disputed && !outdated
        });
        let accepted: Vec<NewReview> = waiting
            .map(|stands| NewReview {
                kind: stands.item.kind(),
                item: stands.item.id().to_owned(),
                reviewer: reviewer.to_owned(),
                verdict: Verdict::accepting(stands.decisions.last()),
                label: gold.truth(&stands.item).and_then(|truth| truth.label),
                reason: None,
            })
            .collect();
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

    /// Takes back the newest reviews of `reviewer` that are not taken back yet, all that were made in one go; earlier ones
    /// count again. Gives the reviews taken back, in the order in which they were made; none where there are none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_review(&self, reviewer: &str) -> Result<Vec<Review>, WorkspaceError> {
        let rows = self.store.write(|write, at| {
            let reviewer = reviewer.to_owned();
            Box::pin(async move { REVIEWS.take_back_decision(write, at, &reviewer).await })
        })?;
        rows.iter().map(|row| self.review_of(row)).collect()
    }
}

/// The newest review of each reviewer, the oldest first, by item; of reviews in the order in which they were made.
pub(super) fn newest_of_each(reviews: Vec<Review>) -> BTreeMap<(ItemKind, String), Vec<Review>> {
    let mut decisions: BTreeMap<_, Vec<Review>> = BTreeMap::new();
    for review in reviews {
        let of_item = decisions.entry((review.kind, review.item.clone())).or_default();
        of_item.retain(|earlier| earlier.reviewer != review.reviewer);
        of_item.push(review);
    }
    decisions
}

async fn append(write: &mut Write<'_>, at: At, review: &NewReview, decision: Option<&str>) -> Result<(), sqlx::Error> {
    let text = match &review.verdict {
        Verdict::Edit(text) => Some(text),
        Verdict::Accept | Verdict::Reject => None,
    };
    let verdict = review.verdict.word();
    sqlx::query(
        "INSERT OR IGNORE INTO reviews (uid, at, kind, item, reviewer, verdict, text, reason, label, decision)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid("reviews", &(at.0, review.kind, &review.item, &review.reviewer, verdict, text, &review.reason)))
    .bind(at.0)
    .bind(review.kind.as_str())
    .bind(&review.item)
    .bind(&review.reviewer)
    .bind(verdict)
    .bind(text)
    .bind(&review.reason)
    .bind(review.label.map(Label::as_str))
    .bind(decision)
    .execute(&mut **write)
    .await
    .map(drop)
}
