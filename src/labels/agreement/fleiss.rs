//! Fleiss' kappa, generalised to unequal numbers of votes.

use super::counts::CountTable;
use super::estimate::{Coefficient, beyond_chance};
use super::percent::observed_agreement;

/// How the generalisation goes, in words: printed beside the figure.
pub const FLEISS_RULE: &str = "Gwet's generalisation to unequal votes: observed agreement averaged over templates with two votes \
     or more, chance agreement from each label's mean share per template over all templates with a vote";

/// Fleiss' kappa.
///
/// Observed agreement is averaged over templates with at least two votes; chance agreement is the sum of squares of each
/// category's mean share per template over all templates with a vote. With equal numbers of votes this is Fleiss (1971),
/// "Measuring nominal scale agreement among many raters"; the generalisation is Gwet (2014), "Handbook of Inter-Rater
/// Reliability", 4th ed., section 2.4, as in the package irrCAC.
///
/// # Errors
/// Where nothing can be compared, or every vote is the same.
pub fn fleiss(table: &CountTable, templates: &[u64]) -> Coefficient {
    let observed = observed_agreement(table, templates)?;
    beyond_chance(observed, table.mean_shares(templates).iter().map(|share| share * share).sum())
}
