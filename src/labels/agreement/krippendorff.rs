//! Krippendorff's alpha for nominal data: the headline, since it takes missing votes as they come.

use super::counts::CountTable;
use super::estimate::{Coefficient, Undefined};

/// Krippendorff's alpha, nominal: one minus observed over expected disagreement.
///
/// Over templates with two votes or more, with `m` votes on one of them, `n_c` of all those votes for category `c` and `n`
/// together: `α = 1 − (n − 1) Σ (disagreeing ordered pairs) / (m − 1) / (n² − Σ n_c²)`. A template weighs by its votes.
/// Source: Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C.
///
/// # Errors
/// Where nothing can be compared, or every vote that can is the same.
pub fn krippendorff_alpha(table: &CountTable, templates: &[u64]) -> Coefficient {
    let mut votes = vec![0.0; table.categories()];
    let mut disagreement = 0.0;
    for pattern in table.comparable(templates) {
        disagreement += pattern.templates * (pattern.pairs() - pattern.agreeing_pairs()) / (pattern.votes - 1.0);
        for (votes, &count) in votes.iter_mut().zip(pattern.counts) {
            *votes += pattern.templates * f64::from(count);
        }
    }
    let n: f64 = votes.iter().sum();
    let expected = n * n - votes.iter().map(|votes| votes * votes).sum::<f64>();
    if n == 0.0 {
        Err(Undefined::NothingShared)
    } else if votes.iter().filter(|&&votes| votes > 0.0).count() < 2 {
        Err(Undefined::Constant)
    } else {
        Ok(1.0 - (n - 1.0) * disagreement / expected)
    }
}
