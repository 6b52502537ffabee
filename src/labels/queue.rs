//! The order in which one annotator goes through the templates.
//!
//! Nothing here may tell an annotator what a template came labelled as before they have judged it. So an [`Entry`] does not
//! even hold the original label, and a suggestion or a doubt moves only what the annotator has given a label to.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::near_duplicates::NearDuplicates;
use super::{Judgement, Label};

/// An order of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// As the templates came in.
    #[default]
    Imported,
    /// What the annotator has not judged first.
    Unseen,
    /// What the annotator has flagged first.
    Flagged,
    /// What occurs most often first.
    Frequent,
    /// Near-duplicates next to each other, the largest groups first.
    NearDuplicates,
    /// Only what the annotator labelled otherwise than the model or rule suggests.
    AgainstSuggestion,
    /// Only near-duplicates to which the annotator gave different labels, the outnumbered ones of each group first.
    AgainstOwnVotes,
    /// Only labels of the annotator that all their other labels speak against, the worst first.
    LabelErrors,
    /// What somebody contests a model's verdict on first.
    Contested,
}

impl Order {
    /// All orders, as they are offered.
    pub const ALL: [Self; 9] = [
        Self::Imported,
        Self::Unseen,
        Self::Flagged,
        Self::Frequent,
        Self::NearDuplicates,
        Self::AgainstSuggestion,
        Self::AgainstOwnVotes,
        Self::LabelErrors,
        Self::Contested,
    ];

    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Unseen => "unseen",
            Self::Flagged => "flagged",
            Self::Frequent => "frequent",
            Self::NearDuplicates => "near-duplicates",
            Self::AgainstSuggestion => "against-suggestion",
            Self::AgainstOwnVotes => "against-own-votes",
            Self::LabelErrors => "label-errors",
            Self::Contested => "contested",
        }
    }

    /// What it does, in a few words for a screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Imported => "as imported",
            Self::Unseen => "unseen first",
            Self::Flagged => "flagged first",
            Self::Frequent => "most frequent first",
            Self::NearDuplicates => "near-duplicates together",
            Self::AgainstSuggestion => "against the suggestion",
            Self::AgainstOwnVotes => "against my own votes on near-duplicates",
            Self::LabelErrors => "probable label errors",
            Self::Contested => "contested verdicts first",
        }
    }

    /// Whether it lists only some templates, all of them judged by the annotator, rather than all in another order.
    pub fn selects(self) -> bool {
        matches!(self, Self::AgainstSuggestion | Self::AgainstOwnVotes | Self::LabelErrors)
    }

    /// Whether it needs to know which templates are near-duplicates.
    pub fn needs_near_duplicates(self) -> bool {
        matches!(self, Self::NearDuplicates | Self::AgainstOwnVotes)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|order| order.as_str() == word).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|order| order.as_str()).collect();
            format!("order \"{word}\" is none of {}", words.join(", "))
        })
    }
}

/// What the orders may know of a template and one annotator.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The template's text.
    pub text: &'a str,
    /// How often it occurred.
    pub count: u64,
    /// The annotator's own newest judgement.
    pub own: Option<&'a Judgement>,
    /// Whether the annotator has flagged it.
    pub flagged: bool,
    /// Whether somebody contests a model's verdict on it. Which verdict that was, no order knows.
    pub contested: bool,
    /// What the model or rule suggests. It has no effect before the annotator has given a label.
    pub suggestion: Option<Label>,
}

impl Entry<'_> {
    fn label(&self) -> Option<Label> {
        self.own.and_then(Judgement::label)
    }
}

/// The queue: places in `entries`, in the order in which to go through them.
///
/// `near` must be of the same templates where [`Order::needs_near_duplicates`]; without it these orders list nothing.
///
/// # Errors
/// When the order cannot be made yet, with the reason for the annotator.
pub fn arrange(order: Order, entries: &[Entry<'_>], near: Option<&NearDuplicates>) -> Result<Vec<usize>, String> {
    let mut queue: Vec<usize> = (0..entries.len()).collect();
    // Every sort is stable, so that equals stay as they were imported.
    match order {
        Order::Imported => {}
        Order::Unseen => queue.sort_by_key(|item| entries[*item].own.is_some()),
        Order::Flagged => queue.sort_by_key(|item| !entries[*item].flagged),
        Order::Contested => queue.sort_by_key(|item| !entries[*item].contested),
        Order::Frequent => queue.sort_by_key(|item| Reverse(entries[*item].count)),
        Order::NearDuplicates => {
            let near = near.ok_or("near-duplicates are still being looked for")?;
            let mut sizes = vec![0_usize; entries.len()];
            for item in 0..entries.len() {
                sizes[near.group_of(item)] += 1;
            }
            queue.sort_by_key(|item| {
                let group = near.group_of(*item);
                (Reverse(sizes[group]), group)
            });
        }
        Order::AgainstSuggestion => queue.retain(|item| {
            let entry = &entries[*item];
            entry.label().is_some_and(|label| entry.suggestion.is_some_and(|suggestion| suggestion != label))
        }),
        Order::AgainstOwnVotes => {
            let near = near.ok_or("near-duplicates are still being looked for")?;
            return Ok(against_own_votes(entries, near));
        }
        Order::LabelErrors => {
            queue.retain(|item| entries[*item].label().is_some());
            let own: Vec<(&str, Label)> =
                queue.iter().filter_map(|item| Some((entries[*item].text, entries[*item].label()?))).collect();
            let errors = super::confident::label_errors(&own).map_err(|why| why.to_string())?;
            return Ok(errors.into_iter().map(|error| queue[error.item]).collect());
        }
    }
    Ok(queue)
}

/// Every labelled template of the groups in which the annotator gave both labels, group by group.
fn against_own_votes(entries: &[Entry<'_>], near: &NearDuplicates) -> Vec<usize> {
    let mut given: HashMap<usize, [usize; 2]> = HashMap::new();
    for (item, entry) in entries.iter().enumerate() {
        if let Some(label) = entry.label() {
            given.entry(near.group_of(item)).or_default()[usize::from(label == Label::Abnormal)] += 1;
        }
    }
    let mut split: Vec<(usize, bool, usize)> = Vec::new();
    for (item, entry) in entries.iter().enumerate() {
        let Some(label) = entry.label() else { continue };
        let group = near.group_of(item);
        let [normal, abnormal] = given[&group];
        if normal > 0 && abnormal > 0 {
            let outnumbers = if label == Label::Abnormal { abnormal > normal } else { normal > abnormal };
            split.push((group, outnumbers, item));
        }
    }
    split.sort_unstable();
    split.into_iter().map(|(_, _, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXTS: [&str; 6] = [
        "torus receiver <*> retraining without lock",
        "kernel panic on node <*>",
        "torus receiver <*> retraining without any lock",
        "ciod started",
        "torus receiver 7 retraining without lock",
        "fan speed is <*> rpm",
    ];

    fn entries<'a>(own: &'a [Option<Judgement>]) -> Vec<Entry<'a>> {
        let counts = [4, 1, 4, 9, 0, 2];
        let entry = |(index, text): (usize, &&'static str)| Entry {
            text,
            count: counts[index],
            own: own[index].as_ref(),
            flagged: index == 3,
            contested: index == 4,
            suggestion: Some(if text.contains("panic") { Label::Abnormal } else { Label::Normal }),
        };
        TEXTS.iter().enumerate().map(entry).collect()
    }

    fn queue(order: Order, own: &[Option<Judgement>]) -> Vec<usize> {
        arrange(order, &entries(own), Some(&NearDuplicates::of(&TEXTS))).unwrap()
    }

    #[test]
    fn each_order_puts_first_what_it_says() {
        let own = [Some(Judgement::Normal), None, Some(Judgement::Skip), None, None, None];
        assert_eq!(queue(Order::Imported, &own), [0, 1, 2, 3, 4, 5]);
        assert_eq!(queue(Order::Unseen, &own), [1, 3, 4, 5, 0, 2]);
        assert_eq!(queue(Order::Flagged, &own), [3, 0, 1, 2, 4, 5]);
        assert_eq!(queue(Order::Contested, &own), [4, 0, 1, 2, 3, 5]);
        assert_eq!(queue(Order::Frequent, &own), [3, 0, 2, 5, 1, 4]);
        assert_eq!(queue(Order::NearDuplicates, &own), [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn the_outnumbered_of_a_split_group_come_first() {
        let abnormal = || Some(Judgement::Abnormal(None));
        let own = [abnormal(), abnormal(), Some(Judgement::Normal), None, abnormal(), None];
        assert_eq!(queue(Order::AgainstOwnVotes, &own), [2, 0, 4]);
        let consistent = [abnormal(), abnormal(), Some(Judgement::Unsure), None, abnormal(), None];
        assert_eq!(queue(Order::AgainstOwnVotes, &consistent), [0_usize; 0]);
    }

    #[test]
    fn a_suggestion_moves_only_what_has_a_label_of_ones_own() {
        assert_eq!(queue(Order::AgainstSuggestion, &[const { None }; 6]), [0_usize; 0]);
        let own = [None, Some(Judgement::Normal), Some(Judgement::Unsure), None, Some(Judgement::Normal), None];
        assert_eq!(queue(Order::AgainstSuggestion, &own), [1]);
    }

    #[test]
    fn an_order_that_cannot_be_made_yet_says_why() {
        let own = [const { None }; 6];
        assert!(arrange(Order::LabelErrors, &entries(&own), None).unwrap_err().contains("too few"));
        assert!(arrange(Order::NearDuplicates, &entries(&own), None).is_err());
    }

    #[test]
    fn an_order_is_called_on_the_command_line_what_it_is_called_here() {
        for order in Order::ALL {
            assert_eq!(order.as_str().parse(), Ok(order));
        }
        assert!("random".parse::<Order>().unwrap_err().contains("label-errors"));
    }

    proptest! {
        /// What an annotator has not judged yet stands where it would stand if the suggestions were the other way round.
        #[test]
        fn no_order_lets_a_suggestion_shine_through_unjudged_templates(
            judged in proptest::collection::vec(proptest::option::of(0u8..4), 6),
            suggested in proptest::collection::vec(any::<bool>(), 6),
        ) {
            let judgement = |word: &u8| match word {
                0 => Judgement::Normal,
                1 => Judgement::Abnormal(None),
                2 => Judgement::Unsure,
                _ => Judgement::Skip,
            };
            let own: Vec<Option<Judgement>> = judged.iter().map(|word| word.as_ref().map(judgement)).collect();
            let near = NearDuplicates::of(&TEXTS);
            let mut turned = entries(&own);
            for (entry, abnormal) in turned.iter_mut().zip(&suggested) {
                if entry.label().is_none() {
                    entry.suggestion = Some(if *abnormal { Label::Abnormal } else { Label::Normal });
                }
            }
            for order in Order::ALL {
                let queue = arrange(order, &entries(&own), Some(&near));
                prop_assert_eq!(&arrange(order, &turned, Some(&near)), &queue);
                let Ok(queue) = queue else { continue };
                if order.selects() {
                    prop_assert!(queue.iter().all(|item| own[*item].as_ref().is_some_and(|own| own.label().is_some())));
                } else {
                    let mut all = queue;
                    all.sort_unstable();
                    prop_assert_eq!(all, (0..6).collect::<Vec<_>>());
                }
            }
        }
    }
}
