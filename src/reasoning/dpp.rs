//! Choosing texts that differ: greedy MAP inference of a determinantal point process.
//!
//! Each choice is the item whose addition makes the determinant of the chosen ones' kernel grow by the largest factor. The
//! factor of an item is its variance given what is chosen, and one more choice changes it by one more element of the item's
//! row of an incremental Cholesky factor. Source: Chen, Zhang and Zhou (2018), "Fast Greedy MAP Inference for
//! Determinantal Point Process to Improve Recommendation Diversity", algorithm 1.
//!
//! Two things differ from that algorithm, and neither changes a choice. A factor can only fall as more is chosen, so an item
//! is brought up to date only when its old factor still comes first (Minoux 1978, "Accelerated Greedy
//! Algorithms for Maximizing Submodular Set Functions"). And the kernel is never stored: an element is computed when an
//! item needs it.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::dot::dot;
use super::neighbours::Vectors;

/// Variances under this part of the largest are what rounding leaves of none.
const NOTHING: f64 = 1e-10;

/// Items that are brought up to date at a time: enough for every thread, few enough that little of it is for nothing.
const BATCH: usize = 64;

/// Items that a thread brings up to date together, so that what it reads of the chosen ones is in its cache for all of them.
const TOGETHER: usize = 8;

/// How similar two points are in the kernel: 1 for the same direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// The cosine. Its matrix has the rank of the points, so that no more items can be chosen than a point has numbers.
    Cosine,
    /// exp((cosine − 1) / width²): of full rank on points that differ, so that any number can be chosen.
    Gaussian {
        /// The distance over which points become dissimilar, above 0.
        width: f64,
    },
}

impl Default for Kernel {
    fn default() -> Self {
        Self::Gaussian { width: 0.5 }
    }
}

/// A chosen item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Its place.
    pub place: usize,
    /// The factor by which it made the determinant grow: its quality squared times the part of it that those chosen
    /// before do not say.
    pub gain: f64,
}

/// Why nothing can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DppError {
    /// There is not one quality for each item.
    #[error("{qualities} qualities for {items} items")]
    Qualities {
        /// How many qualities.
        qualities: usize,
        /// How many items.
        items: usize,
    },
    /// A quality that ranks nothing.
    #[error("the quality of item {0} is not a number from 0 on")]
    Quality(usize),
    /// A kernel that is none.
    #[error("the width of the kernel is not a number above 0")]
    Width,
}

/// Chooses at most `count` items, one after the other, each the one that makes the determinant of L grow most, where
/// L_ij = q_i · q_j · similarity(i, j); of equals the first. Stops before an item that would add nothing, such as the copy
/// of one that is chosen. `qualities` may be empty: then all are 1.
///
/// # Errors
/// When the qualities or the kernel's width make no sense. (Points that are none are refused by [`Vectors::new`].)
pub fn greedy_map(points: &Vectors, qualities: &[f64], kernel: Kernel, count: usize) -> Result<Vec<Choice>, DppError> {
    let items = points.len();
    if !qualities.is_empty() && qualities.len() != items {
        return Err(DppError::Qualities { qualities: qualities.len(), items });
    }
    if let Some(place) = qualities.iter().position(|quality| !(quality.is_finite() && *quality >= 0.0)) {
        return Err(DppError::Quality(place));
    }
    if let Kernel::Gaussian { width } = kernel
        && !(width.is_finite() && width > 0.0)
    {
        return Err(DppError::Width);
    }
    let l = Ensemble::new(points, qualities, kernel);
    let mut factors: Vec<Factor> =
        (0..items).map(|item| Factor { row: Vec::new(), variance: l.at(item, item) }).collect();
    let none = NOTHING * factors.iter().map(|factor| factor.variance).fold(0.0, f64::max);
    let standing = |item: usize, factor: &Factor| Standing {
        variance: factor.variance,
        item: Reverse(item),
        covers: factor.row.len(),
    };
    let mut queue: BinaryHeap<Standing> =
        factors.iter().enumerate().map(|(item, factor)| standing(item, factor)).collect();

    let mut chosen: Vec<Choice> = Vec::new();
    while chosen.len() < count {
        let Some(top) = queue.peek().filter(|top| top.variance > none) else { break };
        if top.covers == chosen.len() {
            chosen.push(Choice { place: top.item.0, gain: top.variance });
            queue.pop();
            continue;
        }
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(stale) = queue.peek().filter(|top| top.covers < chosen.len())
        {
            let item = stale.item.0;
            queue.pop();
            batch.push((item, std::mem::take(&mut factors[item])));
        }
        batch.par_chunks_mut(TOGETHER).for_each(|items| catch_up(items, &chosen, &factors, &l));
        for (item, factor) in batch {
            queue.push(standing(item, &factor));
            factors[item] = factor;
        }
    }
    Ok(chosen)
}

/// L, an element at a time.
struct Ensemble {
    width: usize,
    /// Points of length 1 in double precision: the variance of a copy must come out as nothing.
    points: Vec<f64>,
    qualities: Vec<f64>,
    kernel: Kernel,
}

impl Ensemble {
    fn new(points: &Vectors, qualities: &[f64], kernel: Kernel) -> Self {
        let mut rows = Vec::with_capacity(points.len() * points.width());
        for row in points.rows() {
            let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            let scale = if length > 0.0 { length.recip() } else { 0.0 };
            rows.extend(row.iter().map(|value| f64::from(*value) * scale));
        }
        let mut qualities = if qualities.is_empty() { vec![1.0; points.len()] } else { qualities.to_vec() };
        // What has no direction says nothing.
        for (quality, row) in qualities.iter_mut().zip(rows.chunks(points.width())) {
            if row.iter().all(|value| *value == 0.0) {
                *quality = 0.0;
            }
        }
        Self { width: points.width(), points: rows, qualities, kernel }
    }

    fn at(&self, a: usize, b: usize) -> f64 {
        let row = |item: usize| &self.points[item * self.width..(item + 1) * self.width];
        let similarity = if a == b {
            1.0
        } else {
            let cosine = dot(row(a), row(b));
            match self.kernel {
                Kernel::Cosine => cosine,
                Kernel::Gaussian { width } => ((cosine - 1.0) / (width * width)).exp(),
            }
        };
        self.qualities[a] * self.qualities[b] * similarity
    }
}

/// What is known of an item: its row of the Cholesky factor, as far as it was computed, and its variance given the items
/// that the row covers.
#[derive(Default)]
struct Factor {
    row: Vec<f64>,
    variance: f64,
}

/// Extends the rows of some items by what was chosen since.
fn catch_up(items: &mut [(usize, Factor)], chosen: &[Choice], factors: &[Factor], l: &Ensemble) {
    let first = items.iter().map(|(_, factor)| factor.row.len()).min().unwrap_or(chosen.len());
    for (covered, choice) in chosen.iter().enumerate().skip(first) {
        for (item, factor) in items.iter_mut().filter(|(_, factor)| factor.row.len() == covered) {
            let before = dot(&factors[choice.place].row, &factor.row);
            let element = (l.at(choice.place, *item) - before) / choice.gain.sqrt();
            factor.variance -= element * element;
            factor.row.push(element);
        }
    }
}

/// An item in the queue, by a variance that it has at most.
struct Standing {
    variance: f64,
    item: Reverse<usize>,
    /// How many of the chosen items the variance takes into account.
    covers: usize,
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> Ordering {
        self.variance.total_cmp(&other.variance).then(self.item.cmp(&other.item))
    }
}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Standing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Standing {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use super::*;

    fn random(items: usize, width: usize, seed: u64) -> Vectors {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut number = || (rng.next_u32() as f32 / u32::MAX as f32) - 0.5;
        Vectors::new(width, (0..items * width).map(|_| number()).collect()).unwrap()
    }

    /// log det by Cholesky, from scratch.
    fn log_det(l: &Ensemble, items: &[usize]) -> f64 {
        let n = items.len();
        let mut factor = vec![vec![0f64; n]; n];
        let mut sum = 0.0;
        for i in 0..n {
            for j in 0..=i {
                let covered: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
                let rest = l.at(items[i], items[j]) - covered;
                factor[i][j] = if i == j { rest.max(0.0).sqrt() } else { rest / factor[j][j] };
            }
            sum += 2.0 * factor[i][i].ln();
        }
        sum
    }

    /// The definition: at each step, the item whose addition gives the largest log det.
    fn naive(points: &Vectors, qualities: &[f64], kernel: Kernel, count: usize) -> Vec<usize> {
        let l = Ensemble::new(points, qualities, kernel);
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < count {
            let mut best: Option<(f64, usize)> = None;
            for item in (0..points.len()).filter(|item| !chosen.contains(item)) {
                let with: Vec<usize> = chosen.iter().copied().chain([item]).collect();
                let found = log_det(&l, &with);
                if found.is_finite() && best.is_none_or(|(most, _)| found > most) {
                    best = Some((found, item));
                }
            }
            let Some((_, item)) = best else { break };
            chosen.push(item);
        }
        chosen
    }

    /// Algorithm 1 as it is printed: every item brought up to date at every step.
    fn eager(points: &Vectors, kernel: Kernel, count: usize) -> Vec<Choice> {
        let l = Ensemble::new(points, &[], kernel);
        let mut factors: Vec<Factor> =
            (0..points.len()).map(|item| Factor { row: Vec::new(), variance: l.at(item, item) }).collect();
        let mut chosen: Vec<Choice> = Vec::new();
        while chosen.len() < count {
            let left = (0..points.len()).filter(|item| chosen.iter().all(|choice| choice.place != *item));
            let best = left.reduce(|a, b| if factors[b].variance > factors[a].variance { b } else { a });
            let Some(best) = best.filter(|best| factors[*best].variance > NOTHING) else { break };
            chosen.push(Choice { place: best, gain: factors[best].variance });
            for item in (0..points.len()).filter(|item| *item != best) {
                if chosen.iter().all(|choice| choice.place != item) {
                    let mut one = [(item, std::mem::take(&mut factors[item]))];
                    catch_up(&mut one, &chosen, &factors, &l);
                    let [(_, factor)] = one;
                    factors[item] = factor;
                }
            }
        }
        chosen
    }

    fn places(choices: &[Choice]) -> Vec<usize> {
        choices.iter().map(|choice| choice.place).collect()
    }

    #[test]
    fn three_hundred_random_points_are_chosen_as_by_the_definition() {
        let points = random(300, 24, 7);
        for kernel in [Kernel::Cosine, Kernel::default()] {
            let found = greedy_map(&points, &[], kernel, 20).unwrap();
            assert_eq!(places(&found), naive(&points, &[], kernel, 20), "{kernel:?}");
            let l = Ensemble::new(&points, &[], kernel);
            let logs: f64 = found.iter().map(|choice| choice.gain.ln()).sum();
            assert!((logs - log_det(&l, &places(&found))).abs() < 1e-9);
        }
    }

    #[test]
    fn being_lazy_changes_no_choice_and_no_bit_of_a_gain() {
        let points = random(600, 48, 3);
        for kernel in [Kernel::Cosine, Kernel::Gaussian { width: 0.7 }] {
            assert_eq!(greedy_map(&points, &[], kernel, 250).unwrap(), eager(&points, kernel, 250), "{kernel:?}");
        }
    }

    #[test]
    fn gains_only_fall() {
        let found = greedy_map(&random(200, 16, 1), &[], Kernel::default(), 200).unwrap();
        assert!(found.windows(2).all(|pair| pair[0].gain >= pair[1].gain));
        assert_eq!(found[0], Choice { place: 0, gain: 1.0 }, "of equals the first");
    }

    #[test]
    fn copies_and_what_says_nothing_are_never_chosen() {
        let points = Vectors::new(2, vec![1.0, 2.0, 0.0, 0.0, 1.0, 2.0, -2.0, 1.0, 0.5, 1.0]).unwrap();
        for kernel in [Kernel::Cosine, Kernel::default()] {
            let found = greedy_map(&points, &[], kernel, 99).unwrap();
            assert_eq!(places(&found), [0, 3], "{kernel:?}");
        }
    }

    #[test]
    fn a_cosine_kernel_ends_at_its_rank_and_a_gaussian_one_does_not() {
        let points = random(60, 8, 5);
        assert_eq!(greedy_map(&points, &[], Kernel::Cosine, 60).unwrap().len(), 8);
        assert_eq!(greedy_map(&points, &[], Kernel::default(), 60).unwrap().len(), 60);
        assert_eq!(greedy_map(&points, &[], Kernel::default(), 1000).unwrap().len(), 60);
        assert!(greedy_map(&points, &[], Kernel::default(), 0).unwrap().is_empty());
        assert!(greedy_map(&random(0, 8, 5), &[], Kernel::default(), 5).unwrap().is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let points = random(2, 3, 1);
        let refused = |qualities: &[f64], kernel| greedy_map(&points, qualities, kernel, 2).unwrap_err();
        assert_eq!(refused(&[1.0], Kernel::Cosine), DppError::Qualities { qualities: 1, items: 2 });
        assert_eq!(refused(&[1.0, f64::NAN], Kernel::Cosine), DppError::Quality(1));
        assert_eq!(refused(&[-1.0, 1.0], Kernel::Cosine), DppError::Quality(0));
        assert_eq!(refused(&[], Kernel::Gaussian { width: 0.0 }), DppError::Width);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_choice_is_that_of_the_definition(
            seed in any::<u64>(),
            items in 1usize..14,
            width in 2usize..8,
            qualities in prop::collection::vec(0.1f64..3.0, 14),
            count in 0usize..16,
        ) {
            let points = random(items, width, seed);
            let qualities = &qualities[..items];
            let found = greedy_map(&points, qualities, Kernel::default(), count).unwrap();
            let expected = naive(&points, qualities, Kernel::default(), count);
            prop_assert_eq!(places(&found), expected);
        }
    }
}
