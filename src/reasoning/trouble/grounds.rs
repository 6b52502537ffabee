//! What an item claims of its log that neither the log nor the question says, with its place in the item's text.

use std::ops::Range;

use serde::Serialize;

use crate::reasoning::denial::is_denied;
use crate::reasoning::{Claim, ClaimKind, Evidence, Reviewable, Task, claims, parse};

/// A quotation, number or name that is not in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacedClaim {
    /// What is claimed.
    pub text: String,
    /// What it is.
    pub kind: ClaimKind,
    /// In which step, from 1.
    pub step: usize,
    /// Where it stands in [`Reviewable::text`], in bytes.
    pub range: Range<usize>,
}

/// The hard claims of an item that nothing it was given contains, in the order of its text. A thought makes none.
pub(super) fn ungrounded(item: &Reviewable) -> Vec<PlacedClaim> {
    let (task, given, text) = match item {
        Reviewable::Rationale(item) => (item.task, [&item.input, &item.instruction, &item.label], &item.reasoning),
        Reviewable::Pair(item) => (item.task, [&item.input, &item.instruction, &item.label], &item.chosen),
        Reviewable::Thought(_) => return Vec::new(),
    };
    let evidence = Evidence::of(&given.map(String::as_str).join("\n"));
    let mut found = Vec::new();
    for (number, step) in (1..).zip(parse(text).steps) {
        let missing = claims(&step.text, &evidence)
            .into_iter()
            .filter(|claim| is_made_up(claim, task) && !is_denied(&step.text, &claim.range));
        found.extend(missing.map(|claim| PlacedClaim {
            range: step.range.start + claim.range.start..step.range.start + claim.range.end,
            text: claim.text,
            kind: claim.kind,
            step: number,
        }));
    }
    found
}

fn is_made_up(claim: &Claim, task: Task) -> bool {
    // The two answers of the anomaly task are quoted as answers, not as words of the log.
    let is_answer = task == Task::Anomaly && ["normal", "abnormal"].contains(&claim.text.to_lowercase().as_str());
    claim.kind.is_hard() && !claim.in_log && !is_answer
}
