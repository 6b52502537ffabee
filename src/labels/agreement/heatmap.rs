//! The pairs of annotators as a square: whoever agrees with nobody stands out.

use super::estimate::Coefficient;
use super::report::Agreement;

/// Every pair's kappa, to be drawn as a square.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap<'a> {
    /// Who, in the order of rows and columns.
    pub names: &'a [String],
    kappas: Vec<Coefficient>,
}

/// The glyphs of kappas, each with the lowest kappa that it stands for; below 0 is `-`, undefined `?`.
pub const SHADES: [(char, f64); 5] = [('.', 0.0), (':', 0.2), ('+', 0.4), ('*', 0.6), ('#', 0.8)];

/// The legend of [`SHADES`].
pub const SHADE_LEGEND: &str = "- below 0  . to .2  : to .4  + to .6  * to .8  # to 1  ? undefined";

impl<'a> Heatmap<'a> {
    /// The pairs of `agreement`.
    pub fn of(agreement: &'a Agreement) -> Self {
        let kappas = agreement.cohen.iter().map(|pair| pair.kappa.value).collect();
        Self { names: &agreement.annotator_names, kappas }
    }

    /// The kappa of two annotators by their places; `None` for one beside themselves.
    pub fn kappa(&self, one: usize, other: usize) -> Option<Coefficient> {
        let (a, b) = (one.min(other), one.max(other));
        if a == b {
            return None;
        }
        // Pairs come in the order (0,1), (0,2) … (1,2) ….
        self.kappas.get(a * (2 * self.names.len() - a - 1) / 2 + b - a - 1).copied()
    }
}

/// The glyph of a kappa: denser the higher.
pub fn shade(kappa: Coefficient) -> char {
    match kappa {
        Err(_) => '?',
        Ok(kappa) => SHADES.iter().rev().find(|(_, from)| kappa >= *from).map_or('-', |(glyph, _)| *glyph),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::agreement::{Bootstrap, Undefined};
    use crate::labels::{Label, Round, VoteTable};

    #[test]
    fn the_square_is_the_pairs() {
        use Label::{Abnormal as A, Normal as N};
        let rows = [[N, N, A], [A, A, N], [N, A, A]].map(|row| row.map(Some).to_vec());
        let table = VoteTable::from_rows(&["x", "y", "z"], &rows);
        let agreement = Agreement::of(&table, Round::Blind, Bootstrap::none());
        let square = Heatmap::of(&agreement);
        assert_eq!(square.kappa(1, 1), None);
        assert_eq!(square.kappa(2, 0), Some(agreement.cohen[1].kappa.value));
        assert_eq!(square.kappa(1, 2), Some(agreement.cohen[2].kappa.value));
        assert_eq!(square.kappa(0, 1), square.kappa(1, 0));
    }

    #[test]
    fn a_higher_kappa_has_a_denser_glyph() {
        let glyphs: String = [-0.3, 0.0, 0.2, 0.59, 0.6, 0.95, 1.0].into_iter().map(|kappa| shade(Ok(kappa))).collect();
        assert_eq!(glyphs, "-.:+*##");
        assert_eq!(shade(Err(Undefined::Constant)), '?');
    }
}
