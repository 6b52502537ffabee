//! A batch cut into passes whose activations can be kept: one pass that is too large would compute them twice.

use std::ops::Range;

use super::{Gradients, Part, TrainingError};
use crate::model::{LanguageModel, Sequence};

/// Cuts `batch` into runs of whole units of `unit` sequences, each of at most `most` rows as far as a unit allows.
///
/// A pass with its activations kept is about three forward passes of work, one that computes them again four. What sequences
/// begin with alike is computed in every pass anew: where that costs more than computing activations twice, the batch stays whole.
pub(super) fn parts(batch: &[Sequence], unit: usize, most: usize) -> Vec<Range<usize>> {
    let (all, whole) = (0..batch.len(), LanguageModel::rows(batch));
    if whole <= most {
        return vec![all];
    }
    let mut parts: Vec<Range<usize>> = Vec::new();
    for start in (0..batch.len()).step_by(unit.max(1)) {
        let end = (start + unit.max(1)).min(batch.len());
        match parts.last_mut() {
            Some(part) if LanguageModel::rows(&batch[part.start..end]) <= most => part.end = end,
            _ => parts.push(start..end),
        }
    }
    let cost = |range: &Range<usize>| {
        let rows = LanguageModel::rows(&batch[range.clone()]);
        if rows <= most { 3 * rows } else { 4 * rows }
    };
    if parts.iter().map(cost).sum::<usize>() <= 4 * whole { parts } else { vec![all] }
}

/// Rows of the largest of [`parts`].
pub(super) fn largest_part(batch: &[Sequence], unit: usize, most: usize) -> usize {
    parts(batch, unit, most).into_iter().map(|range| LanguageModel::rows(&batch[range])).max().unwrap_or(0)
}

/// Rows of the largest pass over a batch of `batch` units, each of sequences of so many tokens that begin with nothing alike.
pub(super) fn largest_pass(mut units: Vec<Vec<usize>>, batch: usize, most: usize) -> usize {
    units.sort_by_key(|lengths| std::cmp::Reverse(lengths.iter().sum::<usize>()));
    units.truncate(batch);
    let unit = units.first().map_or(1, Vec::len);
    let mut next = 0;
    let sequence = |length: usize| {
        next += length as u32;
        Sequence { tokens: (next - length as u32..next).collect(), weights: Vec::new() }
    };
    let all: Vec<Sequence> = units.into_iter().flatten().map(sequence).collect();
    largest_part(&all, unit, most)
}

impl Part {
    /// Both together; their losses have the same normaliser.
    pub(super) fn and(mut self, other: Self) -> Result<Self, TrainingError> {
        self.statistics.merge(other.statistics);
        let gradients = add(self.gradients, other.gradients)?;
        Ok(Self { loss: self.loss + other.loss, gradients, statistics: self.statistics })
    }
}

/// The sum of two gradients; one that is not there is nought.
pub(super) fn add(sum: Gradients, more: Gradients) -> Result<Gradients, TrainingError> {
    let both = |(a, b)| match (a, b) {
        (Some(a), Some(b)) => Ok(Some((a + b)?)),
        (a, b) => Ok(Option::or(a, b)),
    };
    sum.into_iter().zip(more).map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(start: &[u32], length: usize, seed: u32) -> Sequence {
        let own = (0..length).map(|i| seed * 1000 + i as u32);
        Sequence { tokens: start.iter().copied().chain(own).collect(), weights: Vec::new() }
    }

    #[test]
    fn what_fits_stays_whole_and_the_rest_is_cut_between_units() {
        let batch: Vec<Sequence> = (1..=6).map(|seed| sequence(&[], 100, seed)).collect();
        let all = 0..6;
        assert_eq!(parts(&batch, 1, 600), [all]);
        assert_eq!(parts(&batch, 1, 250), [0..2, 2..4, 4..6]);
        assert_eq!(parts(&batch, 2, 350), [0..2, 2..4, 4..6]);
        assert_eq!(parts(&batch, 1, 50), (0..6).map(|i| i..i + 1).collect::<Vec<_>>(), "one may be too large alone");
        assert_eq!(largest_part(&batch, 1, 350), 300);
    }

    #[test]
    fn a_long_common_start_is_not_computed_again_and_again() {
        let start: Vec<u32> = (0..100).collect();
        let answers = |length| (1..=8).map(|seed| sequence(&start, length, seed)).collect::<Vec<_>>();
        assert_eq!(parts(&answers(128), 1, 900), [0..6, 6..8], "a question of 100 asked twice for 1,024 tokens");
        let all = 0..8;
        assert_eq!(parts(&answers(10), 1, 120), [all], "asked four times for 80 tokens");
    }
}
