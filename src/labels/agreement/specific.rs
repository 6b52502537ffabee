//! Specific agreement: of what one annotator says, how much would another say too, label by label.

use super::counts::CountTable;
use super::estimate::{Coefficient, Undefined};

/// What specific agreement is, in words: printed beside the figure.
pub const SPECIFIC_RULE: &str = "given that one vote says so, the probability that another on the same template does \
     (all pairs of votes pooled)";

/// The agreement specific to one category, over all pairs of votes on a template:
/// `Σ n_c (n_c − 1) / Σ n_c (m − 1)`, with `n_c` of a template's `m` votes for the category, summed over templates.
///
/// For two annotators this is `2a / (2a + b + c)`: Cicchetti & Feinstein (1990), "High agreement but low kappa: II.
/// Resolving the paradoxes", J Clin Epidemiol 43:551–558. For more it is their pairwise tables added up: de Vet, Dikmans &
/// Eekhout (2017), "Specific agreement on dichotomous outcomes can be calculated for more than two raters", J Clin
/// Epidemiol 83:85–89. A missing vote takes part in no pair.
///
/// # Errors
/// Where nothing can be compared, or nobody says so.
pub fn specific_agreement(table: &CountTable, templates: &[u64], category: usize) -> Coefficient {
    let (mut both, mut either, mut comparable) = (0.0, 0.0, 0.0);
    for pattern in table.comparable(templates) {
        let said = f64::from(pattern.counts[category]);
        both += pattern.templates * said * (said - 1.0);
        either += pattern.templates * said * (pattern.votes - 1.0);
        comparable += pattern.templates;
    }
    if comparable == 0.0 {
        Err(Undefined::NothingShared)
    } else if either == 0.0 {
        Err(Undefined::NeverSaid)
    } else {
        Ok(both / either)
    }
}
