//! Agreement on each error category.

use serde::Serialize;

use super::bootstrap::Bootstrap;
use super::counts::CountTable;
use super::estimate::Estimate;
use super::{krippendorff_alpha, specific_agreement};
use crate::labels::Category;

/// What agreement on a category is, in words: printed beside the figure.
pub const CATEGORY_RULE: &str = "each category against all else among the votes that give a label: normal, another category, \
     and abnormal without a category are all else";

/// The place of a category in its count patterns; all else follows.
const IT: usize = 0;

/// Agreement on one category against all else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryAgreement {
    /// Which.
    pub category: Category,
    /// How many votes name it.
    pub votes: u64,
    /// Given that one vote names it, the probability that another on the same template does; n counts the templates
    /// with two votes or more of which at least one names it.
    pub specific: Estimate,
    /// Krippendorff's alpha of naming it or not.
    pub krippendorff_alpha: Estimate,
}

impl CategoryAgreement {
    /// From patterns of (it, all else).
    pub(super) fn of(category: &Category, counts: &CountTable, bootstrap: &Bootstrap, family: u32) -> Self {
        let figures =
            |templates: &[u64]| [specific_agreement(counts, templates, IT), krippendorff_alpha(counts, templates)];
        let values = figures(counts.templates());
        let intervals = bootstrap.intervals(family, counts.templates(), figures);
        let estimate = |figure: usize, n| {
            let (value, interval) = (values[figure], intervals[figure]);
            Estimate { value, interval: interval.filter(|_| value.is_ok()), n }
        };
        Self {
            category: category.clone(),
            votes: counts.votes()[IT],
            specific: estimate(0, counts.templates_where(IT)),
            krippendorff_alpha: estimate(1, counts.comparable_templates()),
        }
    }
}
