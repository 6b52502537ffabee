//! Accepting what shows no trouble, once a sample of it was looked at.
//!
//! The sample follows from the seed and the items' ids alone, so that everybody can draw it again. It is drawn from the
//! items without trouble that wait for the reviewer, or that the reviewer decided one by one.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{NewReview, Queued, Workspace, WorkspaceError};
use crate::reasoning::{Alike, Background, Beside, Decided, ItemKind, Review, Standing, Verdict};

/// How the reason of such an acceptance begins.
const BULK: &str = "sample check:";

/// What is to be accepted, and on what condition.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleCheck {
    /// Of these kinds.
    pub kinds: Vec<ItemKind>,
    /// By whom.
    pub reviewer: String,
    /// How many must have been reviewed one by one.
    pub sample: usize,
    /// Where the draw starts.
    pub seed: u64,
    /// How many of these may have been rejected.
    pub tolerate: usize,
    /// Items that mean the same, as an encoder has it: none repeats another unless somebody who has one says so here, but for
    /// what has nearly the same words.
    pub alike: Vec<Alike>,
}

/// An item, as a sample names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Sampled {
    /// What kind of item.
    pub kind: ItemKind,
    /// Its id.
    pub id: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleOutcome {
    /// How many items were accepted: none unless the whole sample was reviewed and few enough of it were rejected.
    pub accepted: usize,
    /// How many items without trouble the sample was drawn from.
    pub drawn_from: usize,
    /// The sample.
    pub sample: Vec<Sampled>,
    /// What of it the reviewer has not decided yet.
    pub waiting: Vec<Sampled>,
    /// What of it the reviewer edited.
    pub edited: Vec<Sampled>,
    /// What of it the reviewer rejected.
    pub rejected: Vec<Sampled>,
    /// Why nothing was accepted, if that is so.
    pub refused: Option<String>,
}

impl Workspace {
    /// Accepts every item without trouble that waits for the reviewer, if a sample of such items was reviewed one by one
    /// and at most so many of it were rejected. What the sample was stands in the reason of each acceptance.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn accept_trouble_free(&self, check: &SampleCheck) -> Result<SampleOutcome, WorkspaceError> {
        let mut board = self.review_board()?;
        for kind in ItemKind::ALL {
            board.mean_alike(kind, check.alike.iter().filter(|pair| pair.kind == kind).cloned().collect());
        }
        let items = std::mem::take(&mut board.items).into_iter();
        let queue: Vec<Queued> = items
            .filter(|queued| check.kinds.contains(&queued.item.kind()))
            .map(|queued| board.seen_by(queued, &check.reviewer))
            .collect();
        let mut drawable: Vec<(&Queued, Option<&Review>)> = Vec::new();
        for (queued, clean) in queue.iter().zip(self.clean_as_they_came(&queue, &check.alike)?) {
            let own = queued.decisions.iter().find(|review| review.reviewer == check.reviewer);
            let one_by_one = own.filter(|review| !review.reason.as_deref().unwrap_or_default().starts_with(BULK));
            // What is outdated is to be decided again.
            let one_by_one = one_by_one.filter(|_| !queued.decided.label_changed && !queued.decided.text_changed);
            if clean && (one_by_one.is_some() || queued.waits_for(&check.reviewer)) {
                drawable.push((queued, one_by_one));
            }
        }
        drawable.sort_by_cached_key(|(queued, _)| place(check.seed, queued));
        let sample = &drawable[..check.sample.min(drawable.len())];
        let named = |queued: &Queued| Sampled { kind: queued.item.kind(), id: queued.item.id().to_owned() };
        let those = |wanted: &dyn Fn(Option<&Verdict>) -> bool| -> Vec<Sampled> {
            let chosen = sample.iter().filter(|(_, own)| wanted(own.map(|review| &review.verdict)));
            chosen.map(|(queued, _)| named(queued)).collect()
        };
        let mut outcome = SampleOutcome {
            accepted: 0,
            drawn_from: drawable.len(),
            sample: those(&|_| true),
            waiting: those(&|verdict| verdict.is_none()),
            edited: those(&|verdict| matches!(verdict, Some(Verdict::Edit(_)))),
            rejected: those(&|verdict| matches!(verdict, Some(Verdict::Reject))),
            refused: None,
        };
        outcome.refused = outcome.complaint(check);
        if outcome.refused.is_some() {
            return Ok(outcome);
        }
        let reason = outcome.reason(check);
        let sampled: BTreeSet<&Sampled> = outcome.sample.iter().collect();
        // Only what the sample was drawn from, and that only where nothing has come up since.
        let accepted: Vec<NewReview> = drawable
            .iter()
            .map(|(queued, _)| queued)
            .filter(|queued| queued.findings.is_clear() && queued.waits_for(&check.reviewer))
            .filter(|queued| !sampled.contains(&named(queued)))
            .map(|queued| queued.review_by(&check.reviewer, queued.decided.accepting(), Some(reason.clone())))
            .collect();
        self.review(&accepted)?;
        outcome.accepted = accepted.len();
        Ok(outcome)
    }

    /// Which items had no trouble as they came, whatever was decided since: reviewing a sample must not change it.
    fn clean_as_they_came(&self, queue: &[Queued], alike: &[Alike]) -> Result<Vec<bool>, WorkspaceError> {
        let gold = self.gold_by_text()?;
        let beside: Vec<Beside<'_>> =
            queue.iter().map(|queued| Beside { current: &queued.item, standing: Standing::Pending }).collect();
        let mut background = Background::of(&beside, gold, self.settings().review);
        // What means the same by an edit did not come so.
        let edited: BTreeSet<(ItemKind, &str)> = queue
            .iter()
            .filter(|queued| queued.current() != queued.item)
            .map(|queued| (queued.item.kind(), queued.item.id()))
            .collect();
        for kind in ItemKind::ALL {
            let both = |pair: &&Alike| {
                pair.kind == kind && [&pair.first, &pair.second].iter().all(|id| !edited.contains(&(kind, id.as_str())))
            };
            background.mean_alike(kind, alike.iter().filter(both).cloned().collect());
        }
        let clean = queue.iter().map(|queued| {
            let truth = background.gold().truth(&queued.item).and_then(|truth| truth.label);
            let undecided = Decided::of(&queued.item, &[], truth, self.settings().review.reviewers);
            background.findings(&queued.item, &undecided).is_clear()
        });
        Ok(clean.collect())
    }
}

impl SampleOutcome {
    fn complaint(&self, check: &SampleCheck) -> Option<String> {
        let SampleCheck { reviewer, sample, tolerate, .. } = check;
        let rejected = self.rejected.len();
        if *sample == 0 {
            return Some("a sample check needs a sample of at least 1".into());
        }
        if self.sample.is_empty() {
            return Some(format!("nothing without trouble waits for {reviewer}"));
        }
        if rejected > *tolerate {
            return Some(format!(
                "{rejected} of the sample of {} were rejected and {tolerate} are tolerated: review the others one by one",
                self.sample.len()
            ));
        }
        if !self.waiting.is_empty() {
            let ids: Vec<&str> = self.waiting.iter().map(|item| item.id.as_str()).collect();
            let (waiting, of) = (ids.len(), self.sample.len());
            return Some(format!("{waiting} of the sample of {of} wait for {reviewer}: review {}", ids.join(", ")));
        }
        None
    }

    fn reason(&self, check: &SampleCheck) -> String {
        format!(
            "{BULK} {} of {} without trouble drawn with seed {} and reviewed one by one: {} rejected ({} tolerated), {} edited",
            self.sample.len(),
            self.drawn_from,
            check.seed,
            self.rejected.len(),
            check.tolerate,
            self.edited.len()
        )
    }
}

/// Where an item stands in the draw.
fn place(seed: u64, queued: &Queued) -> [u8; 32] {
    let drawn = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(queued.item.kind().as_str());
    drawn.chain_update([0]).chain_update(queued.item.id()).finalize().into()
}
