//! How long an item is beside others of its task.

use std::collections::HashMap;

use serde::Serialize;

use crate::reasoning::{ItemKind, ReviewRule, Task};

/// From so many items on, their median says how long one should be.
const ENOUGH: usize = 10;

/// How long an item is, and how long others are, in words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Length {
    /// Its words.
    pub words: usize,
    /// The median of the accepted items of its kind and task, or where these are fewer than ten, of all.
    pub median: f64,
    /// Fewer words than this are too few.
    pub shortest: f64,
    /// More words than this are too many.
    pub longest: f64,
}

/// The median length of items, by kind and task, where there are enough to have one.
#[derive(Debug, Clone, Default)]
pub(super) struct Medians(HashMap<(ItemKind, Task), f64>);

impl Medians {
    /// Of items given as kind and task, words, and whether it is accepted.
    pub fn of(items: impl Iterator<Item = ((ItemKind, Task), usize, bool)>) -> Self {
        let mut lengths: HashMap<_, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (of, words, accepted) in items {
            let (all, trained) = lengths.entry(of).or_default();
            all.push(words);
            if accepted {
                trained.push(words);
            }
        }
        let medians = lengths.into_iter().filter_map(|(of, (all, accepted))| {
            let telling = if accepted.len() >= ENOUGH { accepted } else { all };
            Some((of, median(telling)?))
        });
        Self(medians.collect())
    }

    /// How `words` compare.
    pub fn compare(&self, of: (ItemKind, Task), words: usize, rule: &ReviewRule) -> Option<Length> {
        let median = *self.0.get(&of)?;
        Some(Length { words, median, shortest: median * rule.too_short, longest: median * rule.too_long })
    }
}

fn median(mut lengths: Vec<usize>) -> Option<f64> {
    let n = lengths.len();
    if n < ENOUGH {
        return None;
    }
    lengths.sort_unstable();
    Some((lengths[(n - 1) / 2] + lengths[n / 2]) as f64 / 2.0)
}
