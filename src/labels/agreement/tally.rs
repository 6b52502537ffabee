//! One pass over the votes that counts all that any coefficient needs.

use rayon::prelude::*;

use super::cohen::Confusion;
use super::counts::CountTable;
use crate::labels::VoteTable;
use crate::labels::vote_table::{ABNORMAL, ABSENT, Cell, NORMAL};

/// How many rows a thread counts at a time.
const ROWS: usize = 1 << 14;

/// The places of the labels in the count patterns made here.
pub(super) const NORMAL_PLACE: usize = 0;
/// See [`NORMAL_PLACE`].
pub(super) const ABNORMAL_PLACE: usize = 1;

/// What one pass over a vote table counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    /// Rows of the table.
    pub templates: u64,
    /// Patterns of (normal, abnormal).
    pub labels: CountTable,
    /// For each category, patterns of (it, all else) over labelled votes.
    pub categories: Vec<CountTable>,
    /// For each pair of annotators a < b, (0,1), (0,2) … (1,2) …: what they said of the templates that both judged.
    pub pairs: Vec<Confusion>,
    /// For each annotator: gold (first) and their vote (second).
    pub gold: Vec<Confusion>,
}

/// Counts while they grow; every count has its fixed place.
#[derive(Clone)]
struct Counting {
    /// One more than the most votes that a template has.
    side: usize,
    /// At `normal * side + abnormal`.
    labels: Vec<u64>,
    /// At `(category * side + said) * side + all else`, for `said` above 0.
    categories: Vec<u64>,
    pairs: Vec<Confusion>,
    gold: Vec<Confusion>,
    /// The columns with a label in the row at hand, and whether it is `abnormal`.
    present: Vec<(usize, usize)>,
}

impl Counted {
    pub(super) fn of(table: &VoteTable) -> Self {
        let (cells, gold) = table.cells();
        let width = table.annotators().len();
        if width == 0 {
            let labels = CountTable::of_patterns(2, []);
            return Self { templates: 0, labels, categories: Vec::new(), pairs: Vec::new(), gold: Vec::new() };
        }
        let votes_on = |row: &[Cell]| row.iter().filter(|&&cell| cell != ABSENT).count();
        let most = cells
            .par_chunks(ROWS * width)
            .map(|rows| rows.chunks_exact(width).map(votes_on).max().unwrap_or(0))
            .max()
            .unwrap_or(0);
        let side = most + 1;
        let empty = Counting {
            side,
            labels: vec![0; side * side],
            categories: vec![0; table.categories().len() * side * side],
            pairs: vec![[0; 4]; width * (width - 1) / 2],
            gold: vec![[0; 4]; width],
            present: Vec::with_capacity(most),
        };
        let counted = cells
            .par_chunks(ROWS * width)
            .zip(gold.par_chunks(ROWS))
            .fold(
                || empty.clone(),
                |mut counting, (rows, gold)| {
                    for (row, &gold) in rows.chunks_exact(width).zip(gold) {
                        counting.count(row, gold);
                    }
                    counting
                },
            )
            .reduce(|| empty.clone(), Counting::and);
        counted.into_tally(table.len() as u64)
    }
}

/// The place of the pair a < b of `width` annotators among the pairs in order.
fn place_of_pair(width: usize, a: usize, b: usize) -> usize {
    a * (2 * width - a - 1) / 2 + b - a - 1
}

impl Counting {
    fn count(&mut self, row: &[Cell], gold: Cell) {
        self.present.clear();
        let spoken = row.iter().enumerate().filter(|(_, cell)| **cell != ABSENT);
        self.present.extend(spoken.map(|(column, &cell)| (column, usize::from(cell != NORMAL))));
        let votes = self.present.len();
        let abnormal: usize = self.present.iter().map(|(_, abnormal)| abnormal).sum();
        self.labels[(votes - abnormal) * self.side + abnormal] += 1;

        for (index, &(a, first)) in self.present.iter().enumerate() {
            for &(b, second) in &self.present[index + 1..] {
                self.pairs[place_of_pair(row.len(), a, b)][2 * first + second] += 1;
            }
        }
        if gold != ABSENT {
            let truth = usize::from(gold != NORMAL);
            for &(column, vote) in &self.present {
                self.gold[column][2 * truth + vote] += 1;
            }
        }
        if abnormal > 0 {
            self.count_categories(row, votes);
        }
    }

    /// Counts each category that the row names, once, with how often it does.
    fn count_categories(&mut self, row: &[Cell], votes: usize) {
        for (column, &cell) in row.iter().enumerate() {
            if cell <= ABNORMAL || row[..column].contains(&cell) {
                continue;
            }
            let said = row[column..].iter().filter(|&&other| other == cell).count();
            let category = usize::from(cell - ABNORMAL - 1);
            self.categories[(category * self.side + said) * self.side + votes - said] += 1;
        }
    }

    fn and(mut self, other: Self) -> Self {
        fn add<'a>(to: impl Iterator<Item = &'a mut u64>, from: impl Iterator<Item = &'a u64>) {
            for (to, from) in to.zip(from) {
                *to += from;
            }
        }
        add(self.labels.iter_mut(), other.labels.iter());
        add(self.categories.iter_mut(), other.categories.iter());
        add(self.pairs.iter_mut().flatten(), other.pairs.iter().flatten());
        add(self.gold.iter_mut().flatten(), other.gold.iter().flatten());
        self
    }

    fn into_tally(self, templates: u64) -> Counted {
        let side = self.side;
        let patterns = |counts: &[u64]| {
            let places = counts.iter().enumerate();
            let pattern = |(at, &templates): (usize, &u64)| (vec![(at / side) as u32, (at % side) as u32], templates);
            places.map(pattern).filter(|(_, templates)| *templates > 0).collect::<Vec<_>>()
        };
        let mut with_votes = vec![0u64; side];
        for (pattern, templates) in patterns(&self.labels) {
            with_votes[(pattern[0] + pattern[1]) as usize] += templates;
        }
        let categories = self.categories.chunks_exact(side * side).map(|counts| {
            // Where the category is not named, all votes are for something else.
            let mut silent = with_votes.clone();
            let named = patterns(counts);
            for (pattern, templates) in &named {
                silent[(pattern[0] + pattern[1]) as usize] -= templates;
            }
            let silent = silent.into_iter().enumerate().map(|(votes, templates)| (vec![0, votes as u32], templates));
            CountTable::of_patterns(2, silent.chain(named))
        });
        Counted {
            templates,
            categories: categories.collect(),
            labels: CountTable::of_patterns(2, patterns(&self.labels)),
            pairs: self.pairs,
            gold: self.gold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_its_place() {
        for width in 2..7 {
            let pairs = (0..width).flat_map(|a| (a + 1..width).map(move |b| (a, b)));
            let places: Vec<usize> = pairs.map(|(a, b)| place_of_pair(width, a, b)).collect();
            assert_eq!(places, (0..width * (width - 1) / 2).collect::<Vec<_>>());
        }
    }
}
