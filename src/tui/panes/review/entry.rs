//! An item of the queue as one reviewer may see it.

use std::ops::Range;

use crate::labels::Label;
use crate::reasoning::{Claim, ClaimKind, Evidence, Mark, PlacedClaim, Reviewable, Standing, Trouble, claims, parse};
use crate::workspace::{NewReview, Queued, ReviewBoard, SaidOfItem};

/// An item of the queue, with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The item and what is decided of it, as far as the reviewer may see that.
    pub queued: Queued,
    /// As it trains, or as its newest review leaves it.
    pub current: Reviewable,
    /// The label that its template came with, where gold is another.
    pub original_label: Option<Label>,
    /// Whether it waits for a decision of the reviewer.
    pub open: bool,
    /// What it is listed under: the gravest trouble that it was in when the queue was read. It stays there while it is
    /// worked on: rows that jump about under the cursor would be decided by mistake.
    pub under: Option<Trouble>,
}

impl Entry {
    /// An item as `reviewer` may see it.
    pub fn new(queued: Queued, original_label: Option<Label>, board: &ReviewBoard, reviewer: &str) -> Self {
        let queued = board.seen_by(queued, reviewer);
        let current = queued.current();
        let under = queued.troubles().first().copied();
        let open = queued.waits_for(reviewer);
        Self { queued, current, original_label, open, under }
    }

    /// Takes in what is said of it now.
    pub fn take(&mut self, said: &SaidOfItem, board: &ReviewBoard, reviewer: &str) {
        let queued = &mut self.queued;
        (queued.decisions, queued.marks) = (said.decisions.clone(), said.marks.clone());
        queued.review = queued.decisions.last().cloned();
        board.hide(queued, reviewer);
        self.judge(board, reviewer);
    }

    /// Judges it anew, by what is known of the other items now.
    pub fn judge(&mut self, board: &ReviewBoard, reviewer: &str) {
        let queued = &mut self.queued;
        (queued.decided, queued.findings) = board.judge(&queued.item, &queued.decisions);
        self.current = queued.current();
        self.open = queued.waits_for(reviewer);
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.queued.item.id()
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        self.queued.standing()
    }

    /// What is wrong with it, the worst first.
    pub fn troubles(&self) -> &[Trouble] {
        self.queued.troubles()
    }

    /// Whether it is in a trouble, or in none.
    pub fn is_in(&self, trouble: Option<Trouble>) -> bool {
        trouble.map_or(self.troubles().is_empty(), |trouble| self.troubles().contains(&trouble))
    }

    /// What to record if the reviewer accepts it as it is shown.
    pub fn accepted_by(&self, reviewer: &str) -> NewReview {
        self.queued.review_by(reviewer, self.queued.decided.accepting(), None)
    }

    /// What it claims of its log and the log does not contain, in the order of its text; `words` asks for plain words too.
    pub fn made_up(&self, words: bool) -> Vec<PlacedClaim> {
        let mut found = self.queued.findings.ungrounded.clone();
        let (given, text) = match &self.current {
            Reviewable::Rationale(item) => ([&item.input, &item.instruction, &item.label], &item.reasoning),
            Reviewable::Pair(item) => ([&item.input, &item.instruction, &item.label], &item.chosen),
            Reviewable::Thought(_) => return found,
        };
        if words {
            let evidence = Evidence::of(&given.map(String::as_str).join("\n"));
            let wanted = |claim: &Claim| !claim.in_log && claim.kind == ClaimKind::Word;
            for (number, step) in (1..).zip(parse(text).steps) {
                let words = claims(&step.text, &evidence).into_iter().filter(wanted);
                found.extend(words.map(|claim| placed(claim, number, step.range.start)));
            }
            found.sort_by_key(|claim| claim.range.start);
        }
        found
    }

    /// What the reviewer says of its steps: nothing where they marked none.
    pub fn marks_of(&self, reviewer: &str) -> Vec<Mark> {
        let all = self.queued.step_marks();
        all.into_iter().find(|marks| marks.reviewer == reviewer).map(|marks| marks.marks).unwrap_or_default()
    }

    /// The texts of the steps that can be judged one by one.
    pub fn steps(&self) -> Vec<String> {
        let text = self.current.marked_text().unwrap_or_default();
        parse(text).steps.into_iter().map(|step| step.text).collect()
    }
}

fn placed(claim: Claim, step: usize, from: usize) -> PlacedClaim {
    let range: Range<usize> = from + claim.range.start..from + claim.range.end;
    PlacedClaim { text: claim.text, kind: claim.kind, step, range }
}
