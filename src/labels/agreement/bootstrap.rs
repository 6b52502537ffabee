//! Bootstrap intervals over templates, drawn as counts of patterns.
//!
//! A resample draws as many templates as there are, with replacement. How often each of a handful of kinds of template
//! comes up in it is multinomial, and a multinomial is a row of binomials, each of what is left: so the kinds are drawn,
//! not the templates, which is the same in distribution and a thousand times cheaper. Every figure is resampled over
//! just the kinds that it depends on (its intervals are about it alone, so nothing is lost by that).
//!
//! The interval is the percentile one: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Binomial, Distribution as _};
use rayon::prelude::*;
use serde::Serialize;

use super::estimate::{Coefficient, Interval};

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    /// How many resamples; none gives no intervals.
    pub samples: u32,
    /// Where the random numbers start: the same seed gives the same intervals.
    pub seed: u64,
    /// What kind of interval it is.
    pub method: &'static str,
}

/// What kind of interval it is, in words.
const METHOD: &str = "95 % percentile interval, templates resampled with replacement";

/// The share of the resamples that must have a value for an interval to be given.
const DEFINED_SHARE: f64 = 0.95;

impl Bootstrap {
    /// So many resamples from this seed.
    pub fn new(samples: u32, seed: u64) -> Self {
        Self { samples, seed, method: METHOD }
    }

    /// No intervals.
    pub fn none() -> Self {
        Self::new(0, 0)
    }

    /// Intervals of `K` figures that depend on how often each kind of template occurs. `family` keeps figures that are
    /// resampled apart from using the same random numbers. Resamples in which a figure has no value are left out of its
    /// interval; where they are more than 5 %, there is none.
    pub(super) fn intervals<const K: usize>(
        &self,
        family: u32,
        kinds: &[u64],
        figures: impl Fn(&[u64]) -> [Coefficient; K] + Sync,
    ) -> [Option<Interval>; K] {
        if self.samples == 0 || kinds.iter().all(|&templates| templates == 0) {
            return [None; K];
        }
        let seeded = ChaCha8Rng::seed_from_u64(self.seed);
        let resamples: Vec<[Coefficient; K]> = (0..self.samples)
            .into_par_iter()
            .map_init(
                || vec![0; kinds.len()],
                |drawn, sample| {
                    let mut rng = seeded.clone();
                    rng.set_stream(u64::from(family) << 32 | u64::from(sample));
                    resample(&mut rng, kinds, drawn);
                    figures(drawn)
                },
            )
            .collect();
        std::array::from_fn(|figure| {
            let values: Vec<f64> = resamples.iter().filter_map(|figures| figures[figure].ok()).collect();
            let enough = values.len() as f64 >= DEFINED_SHARE * f64::from(self.samples);
            enough.then(|| percentiles(values))
        })
    }
}

/// Draws as many templates as `kinds` has, with replacement, and counts each kind in `drawn`.
fn resample(rng: &mut ChaCha8Rng, kinds: &[u64], drawn: &mut [u64]) {
    let mut left: u64 = kinds.iter().sum();
    let mut to_draw = left;
    for (drawn, &kind) in drawn.iter_mut().zip(kinds) {
        let chance = if left == 0 { 0.0 } else { kind as f64 / left as f64 };
        *drawn = match Binomial::new(to_draw, chance) {
            _ if chance >= 1.0 => to_draw,
            Ok(binomial) if chance > 0.0 && to_draw > 0 => binomial.sample(rng),
            _ => 0,
        };
        to_draw -= *drawn;
        left -= kind;
    }
}

/// The 2.5th and 97.5th percentile, between neighbours in proportion (type 7 of Hyndman & Fan 1996).
fn percentiles(mut values: Vec<f64>) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let below = values[place.floor() as usize];
        below + (values[place.ceil() as usize] - below) * place.fract()
    };
    Interval { low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::agreement::{CountTable, krippendorff_alpha};
    use rand_chacha::rand_core::RngCore as _;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let Interval { low, high } = percentiles((0..=100).map(f64::from).collect());
        assert_eq!((low, high), (2.5, 97.5));
    }

    #[test]
    fn a_resample_has_as_many_templates_and_only_kinds_that_exist() {
        let kinds = [3, 0, 1_000_000, 5, 0];
        let mut drawn = [9; 5];
        for sample in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(sample);
            resample(&mut rng, &kinds, &mut drawn);
            assert_eq!(drawn.iter().sum::<u64>(), 1_000_008);
            assert_eq!((drawn[1], drawn[4]), (0, 0));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_another() {
        let figures = |kinds: &[u64]| [Ok(kinds[0] as f64)];
        let interval = |seed| Bootstrap::new(200, seed).intervals(1, &[40, 60], figures)[0].unwrap();
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
        assert_eq!(Bootstrap::none().intervals(1, &[40, 60], figures), [None]);
    }

    #[test]
    fn too_few_resamples_with_a_value_give_no_interval() {
        let rarely =
            |kinds: &[u64]| [if kinds[0] == 0 { Err(crate::labels::agreement::Undefined::Constant) } else { Ok(1.0) }];
        assert_eq!(Bootstrap::new(500, 1).intervals(1, &[1, 9], rarely), [None]);
        assert!(Bootstrap::new(500, 1).intervals(1, &[8, 2], rarely)[0].is_some());
    }

    /// Kinds drawn as counts against templates drawn one by one: alpha's mean, spread and ends must be the same but for
    /// the luck of 4,000 draws.
    #[test]
    fn drawing_kinds_is_drawing_templates() {
        let vote = |row: usize, rater: usize| {
            let abnormal = row.is_multiple_of(3) && !(row + rater).is_multiple_of(4);
            (!(row * 7 + rater * 3).is_multiple_of(5)).then_some(usize::from(abnormal))
        };
        let rows: Vec<Vec<Option<usize>>> = (0..60).map(|row| (0..4).map(|rater| vote(row, rater)).collect()).collect();
        let table = CountTable::of_ratings(2, &rows);
        const DRAWS: u32 = 4000;
        let seeded = ChaCha8Rng::seed_from_u64(7);
        let mut by_kind = Vec::new();
        let mut by_template = Vec::new();
        let mut drawn = vec![0; table.templates().len()];
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for sample in 0..DRAWS {
            let mut kinds = seeded.clone();
            kinds.set_stream(u64::from(sample));
            resample(&mut kinds, table.templates(), &mut drawn);
            by_kind.push(krippendorff_alpha(&table, &drawn).unwrap());
            let picked: Vec<_> =
                rows.iter().map(|_| rows[(rng.next_u64() % rows.len() as u64) as usize].clone()).collect();
            let naive = CountTable::of_ratings(2, &picked);
            by_template.push(krippendorff_alpha(&naive, naive.templates()).unwrap());
        }
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
            (mean, variance.sqrt())
        };
        let ((kinds, kinds_sd), (naive, naive_sd)) = (moments(&by_kind), moments(&by_template));
        assert!(naive_sd > 0.01, "alpha varies: {naive} ± {naive_sd}");
        // Four standard errors of a difference of means, and of standard deviations.
        let error = naive_sd * (2.0 / f64::from(DRAWS)).sqrt();
        assert!((kinds - naive).abs() < 4.0 * error, "{kinds} is not {naive}");
        assert!((kinds_sd - naive_sd).abs() < 4.0 * error, "{kinds_sd} is not {naive_sd}");
        let (kinds, naive) = (percentiles(by_kind), percentiles(by_template));
        assert!((kinds.low - naive.low).abs() < 0.2 * naive_sd && (kinds.high - naive.high).abs() < 0.2 * naive_sd);
    }
}
