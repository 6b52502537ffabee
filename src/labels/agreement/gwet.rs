//! Gwet's AC1: agreement beyond chance that a skewed prevalence does not mislead.

use super::counts::CountTable;
use super::estimate::{Coefficient, beyond_chance};
use super::percent::observed_agreement;

/// Gwet's AC1.
///
/// Observed agreement as in [`super::fleiss`]; chance agreement is `Σ p(1 − p) / (q − 1)` over the mean shares `p` of all
/// `q` categories, used or not, so that it has a value even where every vote is the same. Source: Gwet (2008), "Computing
/// inter-rater reliability and its variance in the presence of high agreement", BJMSP 61:29–48.
///
/// # Errors
/// Where nothing can be compared, or there is but one category.
pub fn gwet_ac1(table: &CountTable, templates: &[u64]) -> Coefficient {
    let observed = observed_agreement(table, templates)?;
    let spread: f64 = table.mean_shares(templates).iter().map(|share| share * (1.0 - share)).sum();
    let chance = match table.categories() {
        0 | 1 => 1.0,
        categories => spread / (categories - 1) as f64,
    };
    beyond_chance(observed, chance)
}
