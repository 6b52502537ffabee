//! Texts as points: which lie nearest to which, and which lie so near that they say the same.
//!
//! The points are embeddings, made elsewhere; where there are none, [`by_words`] compares the texts themselves.

use rayon::prelude::*;

use super::dot::dot;
use crate::labels::near_duplicates;

/// From this cosine on, two thoughts say the same. Of sixty thoughts in MiniLM's embeddings, eight of which were written again in
/// other words, those pairs have .97 or more and all others .70 or less.
pub const SAME_MEANING: f64 = 0.85;

/// From this similarity of words on, two thoughts say the same, where there are no embeddings.
pub const SAME_WORDS: f64 = 0.5;

/// Why numbers are no points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VectorsError {
    /// The numbers do not make whole points.
    #[error("{values} numbers do not make points of {width}")]
    Shape {
        /// How many numbers there are.
        values: usize,
        /// How many make a point.
        width: usize,
    },
    /// A point that lies nowhere.
    #[error("embedding {0} holds something that is no number")]
    NotFinite(usize),
}

/// Points of one width, each of length 1 (or 0, where it came so): embeddings, by the place of their text.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Points, row after row, brought to length 1.
    ///
    /// # Errors
    /// When the numbers do not fill rows, or one of them is infinite or no number.
    pub fn new(width: usize, mut values: Vec<f32>) -> Result<Self, VectorsError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(VectorsError::Shape { values: values.len(), width });
        }
        for (place, row) in values.chunks_mut(width).enumerate() {
            if row.iter().any(|value| !value.is_finite()) {
                return Err(VectorsError::NotFinite(place));
            }
            let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 {
                row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
            }
        }
        Ok(Self { width, values })
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers in a point.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of all points, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One point.
    pub fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.width..(place + 1) * self.width]
    }

    /// The points, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks(self.width)
    }

    /// The cosine of two points, from -1 to 1; 0 where one of them has no direction.
    pub fn cosine(&self, a: usize, b: usize) -> f64 {
        dot(self.row(a), self.row(b))
    }

    /// The points nearest to one, itself left out: nearest first, then in order.
    pub fn nearest(&self, of: usize, count: usize) -> Vec<Neighbour> {
        ranked(self.len(), of, count, |other| self.cosine(of, other))
    }

    /// All pairs from a cosine of `threshold` on, by place.
    pub fn pairs_from(&self, threshold: f64) -> Vec<NearPair> {
        pairs(self.len(), threshold, |a, b| self.cosine(a, b))
    }
}

/// A point near to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its place.
    pub place: usize,
    /// How similar it is, at most 1.
    pub similarity: f64,
}

/// Two points that are near to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearPair {
    /// The earlier one's place.
    pub first: usize,
    /// The later one's place.
    pub second: usize,
    /// How similar they are, at most 1.
    pub similarity: f64,
}

/// Texts compared by their words alone: words and pairs of neighbouring words in common, of all that either has.
pub mod by_words {
    use super::{NearPair, Neighbour, near_duplicates, pairs, ranked};

    /// The texts nearest to one, itself left out: nearest first, then in order.
    pub fn nearest<S: AsRef<str> + Sync>(texts: &[S], of: usize, count: usize) -> Vec<Neighbour> {
        let own = texts[of].as_ref();
        ranked(texts.len(), of, count, |other| near_duplicates::similarity(own, texts[other].as_ref()))
    }

    /// All pairs from a similarity of `threshold` on, by place.
    pub fn pairs_from<S: AsRef<str> + Sync>(texts: &[S], threshold: f64) -> Vec<NearPair> {
        pairs(texts.len(), threshold, |a, b| near_duplicates::similarity(texts[a].as_ref(), texts[b].as_ref()))
    }
}

fn ranked(len: usize, of: usize, count: usize, similarity: impl Fn(usize) -> f64 + Sync) -> Vec<Neighbour> {
    let others = (0..len).into_par_iter().filter(|&other| other != of);
    let mut near: Vec<Neighbour> = others.map(|place| Neighbour { place, similarity: similarity(place) }).collect();
    near.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.place.cmp(&b.place)));
    near.truncate(count);
    near
}

fn pairs(len: usize, threshold: f64, similarity: impl Fn(usize, usize) -> f64 + Sync) -> Vec<NearPair> {
    let after = |first: usize| {
        let near = (first + 1..len).map(|second| NearPair { first, second, similarity: similarity(first, second) });
        near.filter(|pair| pair.similarity >= threshold).collect::<Vec<_>>()
    };
    (0..len).into_par_iter().flat_map_iter(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_nearest_come_first_and_equals_in_order() {
        let points = Vectors::new(2, vec![1.0, 0.0, 0.0, 3.0, 2.0, 2.0, 2.0, 0.0, 4.0, 4.0]).unwrap();
        let near: Vec<usize> = points.nearest(0, 3).into_iter().map(|near| near.place).collect();
        assert_eq!(near, [3, 2, 4]);
        assert!((points.cosine(0, 2) - 0.5f64.sqrt()).abs() < 1e-7);
        let pairs = points.pairs_from(0.999);
        assert_eq!(pairs.iter().map(|pair| (pair.first, pair.second)).collect::<Vec<_>>(), [(0, 3), (2, 4)]);
    }

    #[test]
    fn what_is_no_point_is_refused_and_what_has_no_direction_is_like_nothing() {
        assert_eq!(Vectors::new(3, vec![0.0; 4]), Err(VectorsError::Shape { values: 4, width: 3 }));
        assert_eq!(Vectors::new(0, vec![]), Err(VectorsError::Shape { values: 0, width: 0 }));
        assert_eq!(Vectors::new(1, vec![1.0, f32::NAN]), Err(VectorsError::NotFinite(1)));
        assert_eq!(Vectors::new(1, vec![f32::INFINITY]), Err(VectorsError::NotFinite(0)));
        let points = Vectors::new(2, vec![0.0, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(points.cosine(0, 1), 0.0);
        assert_eq!(Vectors::new(2, vec![]).map(|none| none.pairs_from(0.0).len()), Ok(0));
    }

    #[test]
    fn texts_are_near_by_their_words() {
        let texts = ["Find the stated reason.", "Find the stated reason first.", "Add the numbers."];
        let near = by_words::nearest(&texts, 0, 5);
        assert_eq!(near.iter().map(|near| near.place).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(by_words::pairs_from(&texts, SAME_WORDS).len(), 1);
    }

    proptest! {
        #[test]
        fn a_point_is_like_itself_and_likeness_goes_both_ways(values in prop::collection::vec(-9f32..9.0, 24)) {
            let points = Vectors::new(12, values).unwrap();
            prop_assert!((points.cosine(0, 0) - 1.0).abs() < 1e-6);
            prop_assert_eq!(points.cosine(0, 1), points.cosine(1, 0));
        }
    }
}
