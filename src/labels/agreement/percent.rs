//! Percent agreement: how often two votes on the same template are the same.

use super::counts::CountTable;
use super::estimate::{Coefficient, Undefined};

/// The share (0–1) of agreeing pairs of votes on a template, averaged over templates with two votes or more: each such
/// template weighs the same, however many votes it has. Source: Fleiss (1971), generalised as in Gwet (2014), "Handbook
/// of Inter-Rater Reliability", 4th ed., section 2.4.
///
/// # Errors
/// [`Undefined::NothingShared`].
pub fn observed_agreement(table: &CountTable, templates: &[u64]) -> Coefficient {
    let (mut agreement, mut n) = (0.0, 0.0);
    for pattern in table.comparable(templates) {
        agreement += pattern.templates * pattern.agreeing_pairs() / pattern.pairs();
        n += pattern.templates;
    }
    if n == 0.0 { Err(Undefined::NothingShared) } else { Ok(agreement / n) }
}
