//! The review queue: everything there is to review, with where it stands. The Review pane and `logwright review` read it.

use serde::Serialize;

use super::{Workspace, WorkspaceError};
use crate::reasoning::{Review, Reviewable, Standing};

/// An item and its newest review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Queued {
    /// The item, as it came in.
    pub item: Reviewable,
    /// Its newest review.
    pub review: Option<Review>,
}

impl Queued {
    /// Where it stands.
    pub fn standing(&self) -> Standing {
        Standing::of(self.review.as_ref())
    }

    /// The item as its newest review leaves it.
    pub fn current(&self) -> Reviewable {
        self.item.clone().under(self.review.as_ref().map(|review| &review.verdict))
    }
}

impl Workspace {
    /// Everything there is to review: rationales, then pairs, then thoughts, each in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn review_queue(&self) -> Result<Vec<Queued>, WorkspaceError> {
        let mut reviews = self.reviews()?;
        let rationales = self.rationales()?.into_iter().map(Reviewable::Rationale);
        let pairs = self.pairs()?.into_iter().map(Reviewable::Pair);
        let thoughts = self.thoughts()?.into_iter().map(Reviewable::Thought);
        let queue = rationales.chain(pairs).chain(thoughts).map(|item| {
            let review = reviews.remove(&(item.kind(), item.id().to_owned()));
            Queued { item, review }
        });
        Ok(queue.collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::reasoning::{ItemKind, Standing, Verdict};
    use crate::workspace::{NewReview, open_or_create_demo};

    #[test]
    fn the_queue_holds_every_kind_and_what_was_decided() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = open_or_create_demo(dir.path()).unwrap();
        let decide = |verdict| {
            let review = NewReview {
                kind: ItemKind::Thought,
                item: "thought-002".into(),
                reviewer: "ana".into(),
                verdict,
                reason: None,
            };
            workspace.review(&[review]).unwrap();
        };
        decide(Verdict::Accept);
        decide(Verdict::Edit("Hard.\nLook.\nJudge.".into()));
        let queue = workspace.review_queue().unwrap();
        let count = |kind| queue.iter().filter(|queued| queued.item.kind() == kind).count();
        assert_eq!(ItemKind::ALL.map(count), [60, 20, 20]);
        let decided: Vec<_> = queue.iter().filter(|queued| queued.standing() != Standing::Pending).collect();
        assert_eq!(decided.len(), 1);
        assert_eq!((decided[0].item.id(), decided[0].standing()), ("thought-002", Standing::Edited));
        assert_eq!(decided[0].current().text(), "Hard.\nLook.\nJudge.");
    }
}
