//! Reviews in the store.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use sqlx::Row as _;

use super::ledger::REVIEWS;
use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::labels::{Label, LabelError};
use crate::reasoning::{Decided, GoldByText, ItemKind, Review, Reviewable, Task, Verdict};

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
    /// Which text of the item the reviewer judged ([`Reviewable::judged`]); the one that it has now if `None`.
    pub judged: Option<String>,
    /// How many other reviewers' decisions the reviewer had in sight; as many as the store would show now if `None`.
    pub in_sight: Option<u32>,
    /// Why.
    pub reason: Option<String>,
    /// When it was made; now if `None`. What was decided elsewhere keeps its own time.
    pub at: Option<Timestamp>,
}

impl NewReview {
    /// A decision that is made now, on the item as it is in the store.
    pub fn new(kind: ItemKind, item: impl Into<String>, reviewer: impl Into<String>, verdict: Verdict) -> Self {
        Self {
            kind,
            item: item.into(),
            reviewer: reviewer.into(),
            verdict,
            label: None,
            judged: None,
            in_sight: None,
            reason: None,
            at: None,
        }
    }
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
            judged: optional("judged")?,
            in_sight: row.try_get("in_sight").map_err(|error| self.store.failed(error))?,
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
        let reviews = self.completed(reviews)?;
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

    /// Reviews with the text that was judged, the label that is held true and what was in sight noted, where that was left out.
    fn completed(&self, reviews: &[NewReview]) -> Result<Vec<NewReview>, WorkspaceError> {
        let mut reviews = reviews.to_vec();
        let unlabelled = |review: &NewReview| review.label.is_none() && review.kind != ItemKind::Thought;
        let needs_sight = self.settings().review.reviewers > 1;
        let unsighted = |review: &NewReview| needs_sight && review.in_sight.is_none();
        let open = |review: &&NewReview| review.judged.is_none() || unlabelled(review) || unsighted(review);
        let asked: Vec<(ItemKind, &str)> =
            reviews.iter().filter(open).map(|review| (review.kind, review.item.as_str())).collect();
        let items = self.reviewables_of(&asked)?;
        // Only the anomaly task asks for a label. Gold labels take long to gather where there are many templates.
        let asks = |item: &Reviewable| item.kind() != ItemKind::Thought && item.task() == Task::Anomaly;
        let gold = if items.iter().any(asks) { self.gold_by_text()? } else { GoldByText::default() };
        let decided = if reviews.iter().any(unsighted) { self.standings_of(items.clone(), &gold)? } else { Vec::new() };
        let decided: HashMap<(ItemKind, &str), &Decided> =
            decided.iter().map(|stands| ((stands.item.kind(), stands.item.id()), &stands.decided)).collect();
        let known: HashMap<(ItemKind, &str), &Reviewable> =
            items.iter().map(|item| ((item.kind(), item.id()), item)).collect();
        for review in &mut reviews {
            let of = (review.kind, review.item.as_str());
            let Some(item) = known.get(&of) else { continue };
            if asks(item) {
                review.label = review.label.or_else(|| gold.truth(item)?.label);
            }
            review.judged.get_or_insert_with(|| item.judged());
            let sight = decided.get(&of).map(|decided| decided.in_sight_of(&review.reviewer));
            review.in_sight = review.in_sight.or(sight);
        }
        Ok(reviews)
    }

    /// Accepts every item of `kinds` that waits for a decision of `reviewer` and is not disputed, as far as they may see
    /// that, and as it reads for them; gives how many those were. What others disagree on, and what was decided for another
    /// label or text, wants to be looked at.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn accept_pending(&self, kinds: &[ItemKind], reviewer: &str) -> Result<usize, WorkspaceError> {
        let gold = self.gold_by_text()?;
        let waiting = self.standings(kinds, &gold)?.into_iter().filter(|stands| {
            let outdated = stands.decided.is_outdated(&stands.decisions);
            stands.decided.waits_for(reviewer) && !stands.decided.disputed && !outdated
        });
        let accepted: Vec<NewReview> = waiting.map(|stands| stands.accepted_by(reviewer, &gold)).collect();
        self.review(&accepted)?;
        Ok(accepted.len())
    }

    /// Accepts some items as they read for `reviewer`, all or none.
    ///
    /// # Errors
    /// When an item is unknown, or the store cannot be read or written.
    pub fn accept(&self, items: &[(ItemKind, &str)], reviewer: &str) -> Result<(), WorkspaceError> {
        self.must_be_there(items)?;
        let gold = self.gold_by_text()?;
        let standing = self.standings_of(self.reviewables_of(items)?, &gold)?;
        let accepted: Vec<NewReview> = standing.into_iter().map(|stands| stands.accepted_by(reviewer, &gold)).collect();
        self.review(&accepted)
    }

    /// The kinds of items that go by each of `ids`.
    ///
    /// # Errors
    /// When there is no item of an id, or the store cannot be read.
    pub fn kinds_of(&self, ids: &[String]) -> Result<Vec<Vec<ItemKind>>, WorkspaceError> {
        let mut known: HashMap<String, Vec<ItemKind>> = HashMap::new();
        for kind in ItemKind::ALL {
            for id in self.item_ids(kind)? {
                known.entry(id).or_default().push(kind);
            }
        }
        let kinds = |id: &String| {
            known.get(id).cloned().ok_or_else(|| WorkspaceError::NoItem { kind: "item".into(), id: id.clone() })
        };
        ids.iter().map(kinds).collect()
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

/// Appends a review.
async fn append(write: &mut Write<'_>, at: At, review: &NewReview, decision: Option<&str>) -> Result<(), sqlx::Error> {
    let verdict = review.verdict.word();
    let text = review.verdict.text();
    sqlx::query(
        "INSERT OR IGNORE INTO reviews (uid, at, kind, item, reviewer, verdict, text, reason, label, judged, decision, in_sight)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(&review.judged)
    .bind(decision)
    .bind(review.in_sight.unwrap_or(0))
    .execute(&mut **write)
    .await
    .map(drop)
}

/// Appends a review that was made elsewhere, unless its reviewer has said just that of the item before, taken back or not: a
/// file that comes in once more must not outrank what was decided since. Where it has a time of its own, it is known only
/// if that was said then or later: whoever comes back to an earlier answer has decided anew. Says whether it is new.
pub(super) async fn append_once(write: &mut Write<'_>, at: At, review: &NewReview) -> Result<bool, sqlx::Error> {
    // The time of a clock that is ahead is none: what it stands at must not outrank all that is decided until then.
    let own = review.at.map(At::from).filter(|own| *own <= at);
    let (at, since) = own.map_or((at, i64::MIN), |own| (own, own.0));
    // Reviews from before texts were noted may have been for any text, and for a label found out as they came in.
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM reviews WHERE at >= ? AND kind = ? AND item = ? AND reviewer = ? AND verdict = ? AND text IS ?
             AND reason IS ? AND (judged IS NULL OR (judged IS ? AND label IS ?)) LIMIT 1",
    )
    .bind(since)
    .bind(review.kind.as_str())
    .bind(&review.item)
    .bind(&review.reviewer)
    .bind(review.verdict.word())
    .bind(review.verdict.text())
    .bind(&review.reason)
    .bind(&review.judged)
    .bind(review.label.map(Label::as_str))
    .fetch_optional(&mut **write)
    .await?;
    if known.is_none() {
        append(write, at, review, None).await?;
    }
    Ok(known.is_none())
}
