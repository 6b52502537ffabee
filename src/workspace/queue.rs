//! The review queue: everything there is to review, with where it stands and what is wrong with it. The Review pane and
//! `logwright review` read it.

use std::collections::HashSet;

use serde::Serialize;

use super::{NewReview, Workspace, WorkspaceError};
use crate::labels::Label;
use crate::reasoning::{
    Alike, Background, Beside, Decided, Findings, GoldByText, ItemKind, Review, Reviewable, Standing, StepMark,
    StepMarks, Trouble, Verdict, parse,
};

/// An item, what was decided of it, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Queued {
    /// The item, as it came in.
    pub item: Reviewable,
    /// Its newest review.
    pub review: Option<Review>,
    /// The newest review of each of its reviewers, the oldest first.
    pub decisions: Vec<Review>,
    /// What these come to.
    pub decided: Decided,
    /// What is wrong with it as it is now, and where.
    pub findings: Findings,
    /// The marks on its steps that stand, in the order in which they were made.
    pub marks: Vec<StepMark>,
}

impl Queued {
    /// Where it stands.
    pub fn standing(&self) -> Standing {
        self.decided.standing
    }

    /// The item as it trains, or where it does not, as its newest review leaves it.
    pub fn current(&self) -> Reviewable {
        current(&self.item, &self.decided)
    }

    /// What is wrong with it, the worst first.
    pub fn troubles(&self) -> &[Trouble] {
        &self.findings.troubles
    }

    /// Whether it waits for a decision of `reviewer`: it is pending, and they have said nothing that still counts.
    pub fn waits_for(&self, reviewer: &str) -> bool {
        self.decided.waits_for(reviewer)
    }

    /// The decision of `reviewer` on it, to be recorded: on the text that it has, for the label that is held true now.
    pub fn review_by(&self, reviewer: &str, verdict: Verdict, reason: Option<String>) -> NewReview {
        NewReview {
            kind: self.item.kind(),
            item: self.item.id().to_owned(),
            reviewer: reviewer.to_owned(),
            verdict,
            label: self.findings.truth.as_ref().and_then(|truth| truth.label),
            judged: Some(self.item.judged()),
            in_sight: Some(self.decided.in_sight_of(reviewer)),
            reason,
            at: None,
        }
    }

    /// What each reviewer says of its steps as they are now: of a rationale's reasoning, of a pair's rejected side.
    pub fn step_marks(&self) -> Vec<StepMarks> {
        let current = self.current();
        current.marked_text().map_or_else(Vec::new, |text| StepMarks::of(&parse(text).steps, &self.marks))
    }
}

/// The review queue, and what is needed to judge an item of it that changes.
#[derive(Debug, Clone, Default)]
pub struct ReviewBoard {
    /// Rationales, then pairs, then thoughts, each in the order in which they came in.
    pub items: Vec<Queued>,
    /// What the gold labels and all items say of each.
    pub background: Background,
    /// How many reviewers must agree.
    pub reviewers: usize,
}

impl ReviewBoard {
    /// Takes in which items mean the same, as an encoder has it: of the kind `kind`, as they read now. What that changes of the
    /// items' troubles is changed; gives the ids of these.
    pub fn mean_alike(&mut self, kind: ItemKind, alike: Vec<Alike>) -> Vec<String> {
        let changed = self.background.mean_alike(kind, alike);
        let ids: HashSet<&str> = changed.iter().map(String::as_str).collect();
        for queued in &mut self.items {
            if queued.item.kind() == kind && ids.contains(queued.item.id()) {
                queued.findings = self.background.findings(&queued.current(), &queued.decided);
            }
        }
        changed
    }

    /// Takes in what was decided of an item: each reviewer's newest, the oldest first. Gives the ids, of its kind, of all that
    /// now repeat another item than before, or none, or one. To judge these anew is left to the caller.
    pub fn settle(&mut self, item: &Reviewable, decisions: &[Review]) -> Vec<String> {
        let decided = self.decide(item, decisions);
        self.background.settle(&current(item, &decided), decided.standing)
    }

    /// An item as `reviewer` may see it: where two must agree, neither sees what the other said before both have decided.
    /// Screen and command line show, and accept, no other.
    pub fn seen_by(&self, mut queued: Queued, reviewer: &str) -> Queued {
        if self.hide(&mut queued, reviewer) {
            (queued.decided, queued.findings) = self.judge(&queued.item, &queued.decisions);
        }
        queued
    }

    /// Takes out of an item what `reviewer` may not see; says whether that is anything. To judge it anew is left to the
    /// caller.
    pub fn hide(&self, queued: &mut Queued, reviewer: &str) -> bool {
        if self.reviewers <= 1 || !self.decide(&queued.item, &queued.decisions).is_blind() {
            return false;
        }
        queued.decisions.retain(|review| review.reviewer == reviewer);
        queued.marks.retain(|mark| mark.reviewer == reviewer);
        queued.review = queued.decisions.last().cloned();
        true
    }

    /// What `decisions` (each reviewer's newest, the oldest first) of an item come to.
    fn decide(&self, item: &Reviewable, decisions: &[Review]) -> Decided {
        let truth = self.background.gold().truth(item).and_then(|truth| truth.label);
        Decided::of(item, decisions, truth, self.reviewers)
    }

    /// What `decisions` (each reviewer's newest, the oldest first) of an item come to, and what is then wrong with it. The
    /// other items are as they were when the board was read.
    pub fn judge(&self, item: &Reviewable, decisions: &[Review]) -> (Decided, Findings) {
        let decided = self.decide(item, decisions);
        let findings = self.background.findings(&current(item, &decided), &decided);
        (decided, findings)
    }
}

/// An item that is decided, or not, before anything else is asked of it.
pub(super) struct Stands {
    pub item: Reviewable,
    pub decisions: Vec<Review>,
    pub decided: Decided,
}

impl Stands {
    fn current(&self) -> Reviewable {
        current(&self.item, &self.decided)
    }

    /// What it comes to as far as `reviewer` may see that, with the label that is held true now.
    pub fn seen_by(&self, reviewer: &str, gold: &GoldByText) -> (Decided, Option<Label>) {
        let label = gold.truth(&self.item).and_then(|truth| truth.label);
        if !self.decided.is_blind() {
            return (self.decided.clone(), label);
        }
        let own: Vec<Review> = self.decisions.iter().filter(|review| review.reviewer == reviewer).cloned().collect();
        (Decided::of(&self.item, &own, label, self.decided.reviewers), label)
    }

    /// The acceptance of it by `reviewer`, as they may see it.
    pub fn accepted_by(&self, reviewer: &str, gold: &GoldByText) -> NewReview {
        let (seen, label) = self.seen_by(reviewer, gold);
        NewReview {
            label,
            judged: Some(self.item.judged()),
            in_sight: Some(self.decided.in_sight_of(reviewer)),
            ..NewReview::new(self.item.kind(), self.item.id(), reviewer, seen.accepting())
        }
    }
}

/// An item as it reads now.
pub(super) fn current(item: &Reviewable, decided: &Decided) -> Reviewable {
    match &decided.text {
        Some(text) => item.clone().with_text(text),
        None => item.clone(),
    }
}

impl Workspace {
    /// Everything there is to review: rationales, then pairs, then thoughts, each in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn review_queue(&self) -> Result<Vec<Queued>, WorkspaceError> {
        Ok(self.review_board()?.items)
    }

    /// [`Workspace::review_queue`], with what is needed to judge an item that changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn review_board(&self) -> Result<ReviewBoard, WorkspaceError> {
        let gold = self.gold_by_text()?;
        let standing = self.standings(&ItemKind::ALL, &gold)?;
        let mut marks = self.marks()?;
        let currents: Vec<Reviewable> = standing.iter().map(Stands::current).collect();
        let beside: Vec<Beside<'_>> = standing
            .iter()
            .zip(&currents)
            .map(|(stands, current)| Beside { current, standing: stands.decided.standing })
            .collect();
        let rule = self.settings().review;
        let background = Background::of(&beside, gold, rule);
        let queued = |(Stands { item, decisions, decided }, current): (Stands, &Reviewable)| Queued {
            findings: background.findings(current, &decided),
            review: decisions.last().cloned(),
            marks: marks.remove(&(item.kind(), item.id().to_owned())).unwrap_or_default(),
            item,
            decisions,
            decided,
        };
        let items = standing.into_iter().zip(&currents).map(queued).collect();
        Ok(ReviewBoard { items, background, reviewers: rule.reviewers })
    }

    /// The gold labels, by the texts of their templates.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn gold_by_text(&self) -> Result<GoldByText, WorkspaceError> {
        let templates = self.templates()?;
        let gold = self.gold_of(&self.votes()?, &templates)?;
        let known = templates
            .iter()
            .filter_map(|record| gold.get(record.key()).map(|gold| (record.key(), record.text(), gold.label)));
        Ok(GoldByText::of(known))
    }

    /// All items of some kinds, with what was decided of them.
    pub(super) fn standings(&self, kinds: &[ItemKind], gold: &GoldByText) -> Result<Vec<Stands>, WorkspaceError> {
        let mut items = Vec::new();
        for &kind in kinds {
            items.extend(self.reviewables(kind)?);
        }
        self.standings_of(items, gold)
    }

    /// Items, with what was decided of them.
    pub(super) fn standings_of(
        &self,
        items: Vec<Reviewable>,
        gold: &GoldByText,
    ) -> Result<Vec<Stands>, WorkspaceError> {
        let decisions = self.decisions()?;
        let reviewers = self.settings().review.reviewers;
        let stands = |item: Reviewable| {
            let decisions = decisions.get(&(item.kind(), item.id().to_owned())).cloned().unwrap_or_default();
            let truth = gold.truth(&item).and_then(|truth| truth.label);
            let decided = Decided::of(&item, &decisions, truth, reviewers);
            Stands { item, decisions, decided }
        };
        Ok(items.into_iter().map(stands).collect())
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
            workspace.review(&[NewReview::new(ItemKind::Thought, "thought-002", "ana", verdict)]).unwrap();
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
