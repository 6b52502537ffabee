//! Decisions on items as they were shown: what a program or a person looked at a while ago may read otherwise by now.

use super::queue::current;
use super::{NewReview, Queued, Workspace, WorkspaceError};
use crate::labels::Label;
use crate::reasoning::{ItemKind, Reviewable, Verdict};

/// An item that a reviewer decides as it was shown to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsShown<'a> {
    /// What kind of item.
    pub kind: ItemKind,
    /// Its id.
    pub item: &'a str,
    /// [`Queued::digest`] of what was shown.
    pub digest: &'a str,
}

/// Stands before the number of decisions that were shown with an item.
const SIGHT: char = '@';

impl AsShown<'_> {
    /// What the item was shown as, and with how many decisions.
    fn parts(&self) -> (&str, Option<usize>) {
        match self.digest.split_once(SIGHT) {
            Some((shown, decisions)) => (shown, decisions.parse().ok()),
            None => (self.digest, None),
        }
    }

    /// Refuses where the item is shown otherwise now.
    fn must_be(&self, now: &str) -> Result<(), WorkspaceError> {
        let (shown, now) = (self.parts().0, now.split(SIGHT).next().unwrap_or_default());
        // Who names the text alone cares for no label.
        let text = now.split(':').next().unwrap_or_default();
        if shown.eq_ignore_ascii_case(now) || shown.eq_ignore_ascii_case(text) {
            return Ok(());
        }
        Err(WorkspaceError::ShownOtherwise { kind: self.kind.to_string(), id: self.item.to_owned() })
    }
}

impl Queued {
    /// What tells how it is shown from any other way: the text as it reads here ([`Reviewable::judged`]) and, after a colon,
    /// the label that is held true of its log, where it is one; where several reviewers decide and their decisions are shown,
    /// also how many those are: only who has seen them breaks a tie.
    pub fn digest(&self) -> String {
        let shown = digest(&self.current(), self.findings.truth.as_ref().and_then(|truth| truth.label));
        match self.decided.open_decisions() {
            Some(decisions) => format!("{shown}{SIGHT}{decisions}"),
            None => shown,
        }
    }

    /// Refuses where it is not shown as somebody saw it.
    ///
    /// # Errors
    /// When it reads otherwise by now, or another label is held true of its log.
    pub fn must_be_shown_as(&self, digest: &str) -> Result<(), WorkspaceError> {
        AsShown { kind: self.item.kind(), item: self.item.id(), digest }.must_be(&self.digest())
    }
}

fn digest(current: &Reviewable, label: Option<Label>) -> String {
    match label {
        Some(label) => format!("{}:{label}", current.judged()),
        None => current.judged(),
    }
}

impl Workspace {
    /// The decisions of `reviewer` on items as they were shown to them, to be recorded: `verdict`, or accepting what was shown.
    ///
    /// # Errors
    /// When an item is unknown or reads otherwise by now, or another label is held true of its log; or the store cannot be
    /// read.
    pub fn reviews_as_shown(
        &self,
        shown: &[AsShown<'_>],
        reviewer: &str,
        verdict: Option<&Verdict>,
    ) -> Result<Vec<NewReview>, WorkspaceError> {
        let items: Vec<(ItemKind, &str)> = shown.iter().map(|shown| (shown.kind, shown.item)).collect();
        self.must_be_there(&items)?;
        let gold = self.gold_by_text()?;
        let standing = self.standings_of(self.reviewables_of(&items)?, &gold)?;
        let mut reviews = Vec::with_capacity(shown.len());
        for (stands, shown) in standing.iter().zip(shown) {
            let (seen, label) = stands.seen_by(reviewer, &gold);
            shown.must_be(&digest(&current(&stands.item, &seen), label))?;
            let mut review = stands.accepted_by(reviewer, &gold);
            if stands.decided.open_decisions().is_some_and(|open| shown.parts().1 != Some(open)) {
                // Made in sight of what was shown, not of what has come since.
                review.in_sight = Some(0);
            }
            reviews.push(NewReview { verdict: verdict.cloned().unwrap_or(review.verdict), ..review });
        }
        Ok(reviews)
    }
}
