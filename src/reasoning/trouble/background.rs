//! What all items together say of each one.

use serde::Serialize;

use super::grounds::ungrounded;
use super::length::Medians;
use super::repeats::Repeats;
use super::{Alike, GoldByText, Length, Near, PlacedClaim, Trouble, Truth};
use crate::reasoning::{Decided, ItemKind, Judged, ReviewRule, Reviewable, Standing, parse};

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

/// What the gold labels and the other items say.
#[derive(Debug, Clone, Default)]
pub struct Background {
    gold: GoldByText,
    rule: ReviewRule,
    medians: Medians,
    repeats: Repeats,
    /// What means the same, as far as anybody said so.
    alike: Vec<Alike>,
}

impl Background {
    /// Compares all items. Ten thousand take some tenths of a second: not for the thread that draws.
    pub fn of(items: &[Beside<'_>], gold: GoldByText, rule: ReviewRule) -> Self {
        let lengths = items.iter().filter(|item| item.standing != Standing::Rejected).map(|item| {
            let of = (item.current.kind(), item.current.task());
            (of, words(&item.current.text()), item.standing.trains())
        });
        let medians = Medians::of(lengths);
        let repeats = Repeats::of(items, rule.near_duplicate);
        Self { gold, rule, medians, repeats, alike: Vec::new() }
    }

    /// Takes in which items mean the same, as an encoder has it: of the kind `kind`, as they read now, instead of what was
    /// known of that. Gives the ids of all that now repeat another item than before, or none, or one.
    pub fn mean_alike(&mut self, kind: ItemKind, alike: Vec<Alike>) -> Vec<String> {
        self.alike.retain(|pair| pair.kind != kind);
        self.alike.extend(alike);
        self.repeats.mean_alike(kind, &self.alike)
    }

    /// What means the same, as far as anybody said so.
    pub fn alike(&self) -> &[Alike] {
        &self.alike
    }

    /// Takes in how an item reads and stands now. Gives the ids, of its kind, of all that now repeat another item than before,
    /// or none, or one. The usual lengths stay what they were.
    pub fn settle(&mut self, current: &Reviewable, standing: Standing) -> Vec<String> {
        self.repeats.settle(current, standing)
    }

    /// The gold labels that items are held against.
    pub fn gold(&self) -> &GoldByText {
        &self.gold
    }

    /// Whether an item answers otherwise than what is held true of its log.
    pub fn contradicts(&self, current: &Reviewable) -> bool {
        self.gold.truth(current).is_some_and(|truth| {
            current.troubles_against(&truth.answer).contains(&Trouble::AnswerMismatch)
                || free_text_judged(current, &truth, &self.rule) == Some(Judged::Wrong)
        })
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
        let judged = truth.as_ref().and_then(|truth| free_text_judged(current, truth, &self.rule));
        let mismatch = judged == Some(Judged::Wrong) && !troubles.contains(&Trouble::AnswerMismatch);
        let near = self.repeats.near(current, &text);
        let length = self.medians.compare((current.kind(), current.task()), words(&text), &self.rule);
        let found = [
            (mismatch, Trouble::AnswerMismatch),
            (decided.label_changed, Trouble::LabelChanged),
            (decided.text_changed, Trouble::TextChanged),
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

/// What the answer in free text of a rationale, or of a pair's chosen side, is when it is held against the truth.
fn free_text_judged(current: &Reviewable, truth: &Truth, rule: &ReviewRule) -> Option<Judged> {
    let answer = parse(&current.text()).answer.filter(|_| current.task().is_free_text())?;
    Some(current.task().judge(&answer, &truth.answer, rule.same_answer))
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
