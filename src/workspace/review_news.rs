//! What reviewers said of items since they were read: what a screen needs to be up to date, without reading everything again.
//!
//! News is what arrived since, not what was said since: a merge or an import brings in rows that are older than those that
//! are here. Rows are only added, so the number that SQLite gives a row tells the order in which they arrived.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::ledger::{MARKS, REVIEWS};
use super::reviews::newest_of_each;
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

/// The last rows that a reader has heard of, in the order in which they arrived in this copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    reviews: i64,
    marks: i64,
    items: i64,
}

impl Heard {
    async fn read(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let last = "SELECT coalesce((SELECT max(rowid) FROM reviews), 0), coalesce((SELECT max(rowid) FROM marks), 0),
                           coalesce((SELECT max(rowid) FROM items), 0)";
        let (reviews, marks, items) = sqlx::query_as(last).fetch_one(connection).await?;
        Ok(Self { reviews, marks, items })
    }
}

/// What reviewers said since the queue was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewNews {
    /// The items of which something was said or taken back, each with all that stands now.
    pub items: BTreeMap<(ItemKind, String), SaidOfItem>,
    /// Whether items came in, or new versions of items.
    pub more_items: bool,
    /// What is heard with this: the `since` of the next time.
    pub heard: Heard,
}

/// The items of which anything was said in later rows than these.
const TOUCHED: &str =
    "SELECT kind, item FROM reviews WHERE rowid > ? UNION SELECT kind, item FROM marks WHERE rowid > ?";

impl Workspace {
    /// What there is now: to be asked before the queue is read, so that what comes in meanwhile is told again, and not missed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn heard_reviews(&self) -> Result<Heard, WorkspaceError> {
        self.store.read(|connection| Box::pin(Heard::read(connection)))
    }

    /// What of items arrived in this copy after `since`: said here, in another process, or brought in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reviewed_since(&self, since: Heard) -> Result<ReviewNews, WorkspaceError> {
        let heard = self.heard_reviews()?;
        let found = self.store.read(|connection| {
            Box::pin(async move {
                let touched =
                    sqlx::query(TOUCHED).bind(since.reviews).bind(since.marks).fetch_all(&mut *connection).await?;
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
        Ok(ReviewNews { items, more_items: heard.items > since.items, heard })
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
            workspace.review(&[NewReview::new(ItemKind::Thought, item, reviewer, verdict)]).unwrap();
        };
        say("thought-001", "ana", Verdict::Accept);
        let since = workspace.heard_reviews().unwrap();
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
        assert!(!news.more_items && workspace.reviewed_since(news.heard).unwrap().items.is_empty());
    }

    #[test]
    fn what_a_merge_brings_in_is_news_also_where_it_was_said_earlier() {
        let dir = tempfile::tempdir().unwrap();
        let here = open_or_create_demo(&dir.path().join("here")).unwrap();
        let there = open_or_create_demo(&dir.path().join("there")).unwrap();
        let accept = |item: &str, by: &str| NewReview::new(ItemKind::Thought, item, by, Verdict::Accept);
        there.review(&[accept("thought-002", "bo")]).unwrap();
        here.review(&[accept("thought-001", "ana")]).unwrap();
        let since = here.heard_reviews().unwrap();
        here.merge(there.dir()).unwrap();
        let news = here.reviewed_since(since).unwrap();
        let told: Vec<&str> = news.items.keys().map(|(_, item)| item.as_str()).collect();
        assert_eq!(told, ["thought-002"], "{news:?}");
        assert_eq!(news.items.values().next().unwrap().decisions[0].reviewer, "bo");
        here.merge(there.dir()).unwrap();
        assert!(here.reviewed_since(news.heard).unwrap().items.is_empty(), "nothing new the second time");
        let row =
            br#"{"id":"new","task":"anomaly","problem":"p","analysis":"a","challenge":"c","steps":["x","y","z"]}"#;
        let source = crate::workspace::ImportSource { name: "t.jsonl", bytes: row, format: None, dataset: None };
        here.import(crate::workspace::ImportKind::Thoughts, source).unwrap();
        assert!(here.reviewed_since(news.heard).unwrap().more_items);
    }
}
