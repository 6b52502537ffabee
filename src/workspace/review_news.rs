//! What reviewers said of items since a time: what a screen that was read before needs to be up to date, without reading
//! everything again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row as _;

use super::ledger::{MARKS, REVIEWS};
use super::reviews::newest_of_each;
use super::store::At;
use super::{Workspace, WorkspaceError};
use crate::reasoning::{ItemKind, Review, StepMark};

/// All that stands of what was said of one item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SaidOfItem {
    /// The newest review of each reviewer, the oldest first.
    pub decisions: Vec<Review>,
    /// The marks on its steps, in the order in which they were made.
    pub marks: Vec<StepMark>,
}

/// What reviewers said since a time.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewNews {
    /// The items of which something was said or taken back, each with all that stands now.
    pub items: BTreeMap<(ItemKind, String), SaidOfItem>,
    /// Up to when this holds: the `since` of the next time.
    pub until: Timestamp,
}

/// The items of which anything was said after a time; the time stands in two places.
const TOUCHED: &str = "SELECT kind, item FROM reviews WHERE at > ? UNION SELECT kind, item FROM marks WHERE at > ?";

impl Workspace {
    /// When something was last said of an item.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_reviewed(&self) -> Result<Timestamp, WorkspaceError> {
        let at = self.store.read(|connection| {
            Box::pin(async move {
                let newest =
                    "SELECT max(coalesce((SELECT max(at) FROM reviews), 0), coalesce((SELECT max(at) FROM marks), 0))";
                sqlx::query_scalar::<_, i64>(newest).fetch_one(connection).await
            })
        })?;
        Ok(At(at).timestamp())
    }

    /// What was said of items after `since`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reviewed_since(&self, since: Timestamp) -> Result<ReviewNews, WorkspaceError> {
        let until = self.last_reviewed()?;
        let since = At::from(since);
        let found = self.store.read(|connection| {
            Box::pin(async move {
                let touched = sqlx::query(TOUCHED).bind(since.0).bind(since.0).fetch_all(&mut *connection).await?;
                // One by one: as one query over all of them, SQLite would go through every review there is.
                let [reviews, marks] = [REVIEWS, MARKS].map(|ledger| {
                    format!("SELECT r.* {} AND r.kind = ? AND r.item = ? ORDER BY r.at, r.uid", ledger.all_standing())
                });
                let mut found = Vec::with_capacity(touched.len());
                for row in touched {
                    let (kind, item): (String, String) = (row.try_get("kind")?, row.try_get("item")?);
                    let reviews = sqlx::query(&reviews).bind(&kind).bind(&item).fetch_all(&mut *connection).await?;
                    let marks = sqlx::query(&marks).bind(&kind).bind(&item).fetch_all(&mut *connection).await?;
                    found.push((kind, item, reviews, marks));
                }
                Ok(found)
            })
        })?;
        let mut items = BTreeMap::new();
        for (kind, item, reviews, marks) in &found {
            let kind = kind.parse().map_err(|error: String| self.store.damaged("reviews", error))?;
            let reviews = reviews.iter().map(|row| self.review_of(row)).collect::<Result<Vec<_>, _>>()?;
            let said = SaidOfItem {
                decisions: newest_of_each(reviews).into_values().next().unwrap_or_default(),
                marks: marks.iter().map(|row| self.mark_of(row)).collect::<Result<_, _>>()?,
            };
            items.insert((kind, item.clone()), said);
        }
        Ok(ReviewNews { items, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::{Mark, Verdict};
    use crate::workspace::{NewMarks, NewReview, open_or_create_demo};

    #[test]
    fn the_news_are_what_the_whole_store_says_of_what_was_touched() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = open_or_create_demo(dir.path()).unwrap();
        let say = |item: &str, reviewer: &str, verdict| {
            let (item, reviewer) = (item.to_owned(), reviewer.to_owned());
            let review =
                NewReview { kind: ItemKind::Thought, item, reviewer, verdict, label: None, judged: None, reason: None };
            workspace.review(&[review]).unwrap();
        };
        say("thought-001", "ana", Verdict::Accept);
        let since = workspace.last_reviewed().unwrap();
        assert!(workspace.reviewed_since(since).unwrap().items.is_empty());
        say("thought-002", "ana", Verdict::Accept);
        say("thought-002", "bo", Verdict::Reject);
        say("thought-003", "bo", Verdict::Accept);
        assert_eq!(workspace.undo_review("bo").unwrap().len(), 1);
        let pair = &workspace.pairs().unwrap()[0];
        let item = crate::reasoning::Reviewable::Pair(pair.clone());
        workspace.mark(&NewMarks::on_step(&item, "ana", 1, Mark::Right).unwrap()).unwrap();
        let news = workspace.reviewed_since(since).unwrap();
        let (decisions, marks) = (workspace.decisions().unwrap(), workspace.marks().unwrap());
        assert_eq!(news.items.len(), 3, "{news:?}");
        for (of, said) in &news.items {
            assert_eq!(Some(&said.decisions).filter(|said| !said.is_empty()), decisions.get(of));
            assert_eq!(Some(&said.marks).filter(|said| !said.is_empty()), marks.get(of));
        }
        assert!(news.items[&(ItemKind::Thought, "thought-003".to_owned())].decisions.is_empty(), "taken back");
        assert!(workspace.reviewed_since(news.until).unwrap().items.is_empty());
    }
}
