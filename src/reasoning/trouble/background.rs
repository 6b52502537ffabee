//! What all items together say of each one.

use std::collections::HashMap;

use serde::Serialize;

use super::grounds::ungrounded;
use super::length::Medians;
use super::{GoldByText, Length, PlacedClaim, Trouble, Truth};
use crate::labels::near_duplicates::{NearDuplicates, similarity};
use crate::reasoning::{Decided, ItemKind, Judged, ReviewRule, Reviewable, Standing, Task, parse};

/// An item among others.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// As it is now.
    pub current: &'a Reviewable,
    /// Where it stands.
    pub standing: Standing,
}

/// What is wrong with an item, and where.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Findings {
    /// What is wrong, the worst first.
    pub troubles: Vec<Trouble>,
    /// What is held true of its log; nothing for a thought.
    pub truth: Option<Truth>,
    /// What it claims of its log and the log does not contain, in the order of its text.
    pub ungrounded: Vec<PlacedClaim>,
    /// The item before it that says almost the same.
    pub near: Option<Near>,
    /// Its length beside that of others, where there are enough to compare with.
    pub length: Option<Length>,
    /// Whether it answers in free text and there is no reference to hold that against: nothing says that it is right.
    pub unchecked: bool,
}

impl Findings {
    /// Whether nothing speaks against it, and its answer could be checked.
    pub fn is_clear(&self) -> bool {
        self.troubles.is_empty() && !self.unchecked
    }
}

/// An item that another one nearly repeats.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Near {
    /// Its id; it is of the same kind and task.
    pub id: String,
    /// Shared words and pairs of words by all of them, from 0 to 1.
    pub similarity: f64,
}

/// What the gold labels and the other items say.
#[derive(Debug, Clone, Default)]
pub struct Background {
    gold: GoldByText,
    rule: ReviewRule,
    medians: Medians,
    /// The first of its group, for every item that is not: id and text.
    firsts: HashMap<(ItemKind, String), (String, String)>,
}

impl Background {
    /// Compares all items. Ten thousand take some tenths of a second: not for the thread that draws.
    pub fn of(items: &[Beside<'_>], gold: GoldByText, rule: ReviewRule) -> Self {
        let lengths = items.iter().filter(|item| item.standing != Standing::Rejected).map(|item| {
            let of = (item.current.kind(), item.current.task());
            (of, words(&item.current.text()), item.standing.trains())
        });
        let medians = Medians::of(lengths);
        let firsts = firsts(items, rule.near_duplicate);
        Self { gold, rule, medians, firsts }
    }

    /// The gold labels that items are held against.
    pub fn gold(&self) -> &GoldByText {
        &self.gold
    }

    /// What is wrong with an item as it is now, given what reviewers decided.
    pub fn findings(&self, current: &Reviewable, decided: &Decided) -> Findings {
        let truth = self.gold.truth(current);
        let mut troubles = match &truth {
            Some(truth) => current.troubles_against(&truth.answer),
            None => current.troubles(),
        };
        let ungrounded = ungrounded(current);
        let text = current.text();
        // The answer of a rationale, or of a pair's chosen side.
        let answer = truth.as_ref().filter(|_| current.task().is_free_text()).zip(parse(&text).answer);
        let judged = answer.map(|(truth, answer)| current.task().judge(&answer, &truth.answer, self.rule.same_answer));
        let mismatch = judged == Some(Judged::Wrong) && !troubles.contains(&Trouble::AnswerMismatch);
        let near = self.firsts.get(&(current.kind(), current.id().to_owned())).and_then(|(id, first)| {
            // The item may have been edited since.
            let similarity = similarity(first, &text);
            (similarity >= self.rule.near_duplicate).then(|| Near { id: id.clone(), similarity })
        });
        let length = self.medians.compare((current.kind(), current.task()), words(&text), &self.rule);
        let found = [
            (mismatch, Trouble::AnswerMismatch),
            (decided.label_changed, Trouble::LabelChanged),
            (decided.disputed, Trouble::Disagreement),
            (truth.as_ref().is_some_and(|truth| truth.divided), Trouble::GoldDivided),
            (!ungrounded.is_empty(), Trouble::Ungrounded),
            (near.is_some(), Trouble::NearDuplicate),
            (length.is_some_and(|length| length.words as f64 > length.longest), Trouble::TooLong),
            (length.is_some_and(|length| (length.words as f64) < length.shortest), Trouble::TooShort),
        ];
        troubles.extend(found.into_iter().filter_map(|(is_so, trouble)| is_so.then_some(trouble)));
        troubles.sort_unstable();
        Findings { troubles, truth, ungrounded, near, length, unchecked: judged == Some(Judged::Unchecked) }
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// For every item that nearly repeats an earlier one of its kind and task, that one. Accepted items come before others,
/// so that what trains is not flagged for the sake of what does not; rejected ones repeat nothing.
fn firsts(items: &[Beside<'_>], similar: f64) -> HashMap<(ItemKind, String), (String, String)> {
    let mut groups: HashMap<(ItemKind, Task), Vec<&Beside<'_>>> = HashMap::new();
    for item in items.iter().filter(|item| item.standing != Standing::Rejected) {
        groups.entry((item.current.kind(), item.current.task())).or_default().push(item);
    }
    let mut firsts = HashMap::new();
    for ((kind, _), mut members) in groups {
        members.sort_by_key(|item| !item.standing.trains());
        let texts: Vec<String> = members.iter().map(|item| item.current.text()).collect();
        let near = NearDuplicates::from_similarity(&texts, similar);
        for (place, item) in members.iter().enumerate() {
            let first = near.group_of(place);
            if first != place {
                let of = (members[first].current.id().to_owned(), texts[first].clone());
                firsts.insert((kind, item.current.id().to_owned()), of);
            }
        }
    }
    firsts
}
