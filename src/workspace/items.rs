//! Rationales, pairs and thoughts in the store.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::reasoning::{ItemKind, Pair, Rationale, Reviewable, Standing, Thought};

impl Workspace {
    /// All rationales, in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rationales(&self) -> Result<Vec<Rationale>, WorkspaceError> {
        self.items(ItemKind::Rationale)
    }

    /// All preference pairs, in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pairs(&self) -> Result<Vec<Pair>, WorkspaceError> {
        self.items(ItemKind::Pair)
    }

    /// All thoughts, in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn thoughts(&self) -> Result<Vec<Thought>, WorkspaceError> {
        self.items(ItemKind::Thought)
    }

    /// All items of a kind, in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn reviewables(&self, kind: ItemKind) -> Result<Vec<Reviewable>, WorkspaceError> {
        Ok(match kind {
            ItemKind::Rationale => self.rationales()?.into_iter().map(Reviewable::Rationale).collect(),
            ItemKind::Pair => self.pairs()?.into_iter().map(Reviewable::Pair).collect(),
            ItemKind::Thought => self.thoughts()?.into_iter().map(Reviewable::Thought).collect(),
        })
    }

    /// The items of a kind that may train: accepted ones as they are, edited ones as edited, all with the label that is
    /// held true now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn accepted(&self, kind: ItemKind) -> Result<Vec<Reviewable>, WorkspaceError> {
        let gold = self.gold_by_text()?;
        let standing = self.standings(&[kind], &gold)?.into_iter().filter(|stands| stands.decided.standing.trains());
        let trains = standing.map(|stands| {
            let truth = gold.truth(&stands.item);
            let item = match &stands.decided.text {
                Some(text) => stands.item.with_text(text),
                None => stands.item,
            };
            item.labelled(truth.and_then(|truth| truth.label))
        });
        Ok(trains.collect())
    }

    /// Where every item stands, without looking into what is wrong with it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn item_standings(&self) -> Result<Vec<(ItemKind, String, Standing)>, WorkspaceError> {
        let all = self.standings(&ItemKind::ALL, &self.gold_by_text()?)?;
        let told =
            |stands: super::queue::Stands| (stands.item.kind(), stands.item.id().to_owned(), stands.decided.standing);
        Ok(all.into_iter().map(told).collect())
    }

    /// The rationales that may train: accepted ones as they are, edited ones as edited. One whose label has changed since
    /// is not among them until it is reviewed again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn accepted_rationales(&self) -> Result<Vec<Rationale>, WorkspaceError> {
        let rationale = |item| if let Reviewable::Rationale(rationale) = item { Some(rationale) } else { None };
        Ok(self.accepted(ItemKind::Rationale)?.into_iter().filter_map(rationale).collect())
    }

    /// The preference pairs that may train: accepted ones as they are, edited ones with the chosen side as edited. One
    /// whose label has changed since is not among them until it is reviewed again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn accepted_pairs(&self) -> Result<Vec<Pair>, WorkspaceError> {
        let pair = |item| if let Reviewable::Pair(pair) = item { Some(pair) } else { None };
        Ok(self.accepted(ItemKind::Pair)?.into_iter().filter_map(pair).collect())
    }

    /// The thoughts that may train: accepted ones as they are, edited ones as edited.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn accepted_thoughts(&self) -> Result<Vec<Thought>, WorkspaceError> {
        let thought = |item| if let Reviewable::Thought(thought) = item { Some(thought) } else { None };
        Ok(self.accepted(ItemKind::Thought)?.into_iter().filter_map(thought).collect())
    }

    /// [`Workspace::add_pairs`] with one.
    ///
    /// # Errors
    /// When its first wrong step is none of the rejected side's, or the store cannot be written.
    pub fn add_pair(&self, pair: &Pair) -> Result<(), WorkspaceError> {
        self.add_pairs(std::slice::from_ref(pair)).map(drop)
    }

    /// Adds rationales, to be reviewed like imported ones; one that is there already stays as it is. Gives how many are new.
    /// They are on disk when this returns.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_rationales(&self, rationales: &[Rationale]) -> Result<usize, WorkspaceError> {
        self.add_items(ItemKind::Rationale, rationales, |rationale| &rationale.id)
    }

    /// Adds thoughts, to be reviewed like imported ones; one that is there already stays as it is. Gives how many are new.
    /// They are on disk when this returns.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_thoughts(&self, thoughts: &[Thought]) -> Result<usize, WorkspaceError> {
        self.add_items(ItemKind::Thought, thoughts, |thought| &thought.id)
    }

    /// Adds preference pairs, to be reviewed like imported ones; those that are there already stay as they are. Gives how
    /// many are new; they are on disk when this returns.
    ///
    /// # Errors
    /// When one is not valid, or the store cannot be written.
    pub fn add_pairs(&self, pairs: &[Pair]) -> Result<usize, WorkspaceError> {
        for pair in pairs {
            pair.validate().map_err(|error| WorkspaceError::Invalid(error.to_string()))?;
        }
        self.add_items(ItemKind::Pair, pairs, |pair| &pair.id)
    }

    fn add_items<T: Serialize + Clone + Send + Sync + 'static>(
        &self,
        kind: ItemKind,
        items: &[T],
        id: impl Fn(&T) -> &String,
    ) -> Result<usize, WorkspaceError> {
        let items: Vec<(String, T)> = items.iter().map(|item| (id(item).clone(), item.clone())).collect();
        self.store.write(|write, at| {
            Box::pin(async move {
                let mut added = 0;
                for (index, (id, item)) in items.iter().enumerate() {
                    let known: Option<i64> =
                        sqlx::query_scalar("SELECT 1 FROM items WHERE kind = ? AND id = ? LIMIT 1")
                            .bind(kind.as_str())
                            .bind(id)
                            .fetch_optional(&mut **write)
                            .await?;
                    if known.is_none() {
                        append(write, at.after(index), kind, id, item).await?;
                        added += 1;
                    }
                }
                Ok(added)
            })
        })
    }

    /// The ids of all items of a kind, in the order in which they came in.
    pub(super) fn item_ids(&self, kind: ItemKind) -> Result<Vec<String>, WorkspaceError> {
        self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT id FROM items WHERE kind = ? GROUP BY id ORDER BY min(at)")
                    .bind(kind.as_str())
                    .fetch_all(connection)
                    .await
            })
        })
    }

    /// Complains of the first of some items that is not in the store.
    pub(super) fn must_be_there(&self, items: &[(ItemKind, impl AsRef<str>)]) -> Result<(), WorkspaceError> {
        let found = self.contents_of(items)?;
        let missing = items.iter().zip(&found).find(|(_, content)| content.is_none());
        missing.map_or(Ok(()), |((kind, id), _)| {
            Err(WorkspaceError::NoItem { kind: kind.to_string(), id: id.as_ref().to_owned() })
        })
    }

    /// Some items by kind and id, in that order; those that are not there are left out.
    pub(super) fn reviewables_of(&self, items: &[(ItemKind, &str)]) -> Result<Vec<Reviewable>, WorkspaceError> {
        let mut found = Vec::with_capacity(items.len());
        for ((kind, _), content) in items.iter().zip(self.contents_of(items)?) {
            let Some(content) = content else { continue };
            let damaged = |error: serde_json::Error| self.store.damaged("items", error);
            found.push(match kind {
                ItemKind::Rationale => Reviewable::Rationale(serde_json::from_str(&content).map_err(damaged)?),
                ItemKind::Pair => Reviewable::Pair(serde_json::from_str(&content).map_err(damaged)?),
                ItemKind::Thought => Reviewable::Thought(serde_json::from_str(&content).map_err(damaged)?),
            });
        }
        Ok(found)
    }

    fn contents_of(&self, items: &[(ItemKind, impl AsRef<str>)]) -> Result<Vec<Option<String>>, WorkspaceError> {
        let wanted: Vec<(&'static str, String)> =
            items.iter().map(|(kind, id)| (kind.as_str(), id.as_ref().to_owned())).collect();
        self.store.read(|connection| {
            Box::pin(async move {
                let mut found = Vec::with_capacity(wanted.len());
                for (kind, id) in wanted {
                    let newest =
                        "SELECT content FROM items WHERE kind = ? AND id = ? ORDER BY at DESC, uid DESC LIMIT 1";
                    let content = sqlx::query_scalar(newest).bind(kind).bind(id).fetch_optional(&mut *connection);
                    found.push(content.await?);
                }
                Ok(found)
            })
        })
    }

    fn items<T: DeserializeOwned>(&self, kind: ItemKind) -> Result<Vec<T>, WorkspaceError> {
        let contents: Vec<String> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "SELECT content FROM (
                         SELECT *, row_number() OVER (PARTITION BY id ORDER BY at DESC, uid DESC) AS age,
                                min(at) OVER (PARTITION BY id) AS first_at
                         FROM items WHERE kind = ?
                     ) WHERE age = 1 ORDER BY first_at, id",
                )
                .bind(kind.as_str())
                .fetch_all(connection)
                .await
            })
        })?;
        let parse =
            |content: &String| serde_json::from_str(content).map_err(|error| self.store.damaged("items", error));
        contents.iter().map(parse).collect()
    }
}

/// Appends an item.
pub(super) async fn append(
    write: &mut Write<'_>,
    at: At,
    kind: ItemKind,
    id: &str,
    item: &impl Serialize,
) -> Result<(), sqlx::Error> {
    let content = serde_json::to_string(item).expect("items are plain data");
    sqlx::query("INSERT OR IGNORE INTO items (uid, at, kind, id, content) VALUES (?, ?, ?, ?, ?)")
        .bind(uid("items", &(at.0, kind, &content)))
        .bind(at.0)
        .bind(kind.as_str())
        .bind(id)
        .bind(content)
        .execute(&mut **write)
        .await
        .map(drop)
}
