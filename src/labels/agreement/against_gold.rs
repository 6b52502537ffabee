//! Each annotator beside the gold labels.

use serde::Serialize;

use super::bootstrap::Bootstrap;
use super::cohen::{Confusion, cohen_kappa, precision_recall, same};
use super::estimate::{Estimate, Interval, Undefined};

/// One annotator against gold, over the templates that they judged and that have gold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstGold {
    /// Who.
    pub annotator: String,
    /// How many templates that is.
    pub n: u64,
    /// Same labels in per cent (0–100); null where nothing can be compared.
    pub percent: Option<f64>,
    /// The interval of `percent`.
    pub percent_interval: Option<Interval>,
    /// Cohen's kappa with gold.
    pub cohen: Estimate,
    /// Of what they call abnormal, the share that is.
    pub precision: Estimate,
    /// Of what is abnormal, the share that they call so.
    pub recall: Estimate,
}

impl AgainstGold {
    /// What `confusion` (gold first, then vote) says of `annotator`, among `templates` templates.
    pub(super) fn of(
        annotator: &str,
        confusion: Confusion,
        templates: u64,
        bootstrap: &Bootstrap,
        family: u32,
    ) -> Self {
        let n: u64 = confusion.iter().sum();
        let figures = |kinds: &[u64]| {
            let confusion: Confusion = std::array::from_fn(|cell| kinds[cell]);
            let (precision, recall) = precision_recall(confusion);
            [same(confusion), cohen_kappa(2, &confusion), precision, recall].map(|figure| {
                figure.map_err(|why| if why == Undefined::NothingShared { Undefined::NoGold } else { why })
            })
        };
        let [nn, na, an, aa] = confusion;
        let kinds = [nn, na, an, aa, templates - n];
        let [percent, cohen, precision, recall] = if n == 0 { [Err(Undefined::NoGold); 4] } else { figures(&kinds) };
        let intervals = if n == 0 { [None; 4] } else { bootstrap.intervals(family, &kinds, figures) };
        let estimate =
            |value, interval: Option<_>, n| Estimate { value, interval: interval.filter(|_| value.is_ok()), n };
        let percent = estimate(percent, intervals[0], n).in_per_cent();
        Self {
            annotator: annotator.to_owned(),
            n,
            percent: percent.value.ok(),
            percent_interval: percent.interval,
            cohen: estimate(cohen, intervals[1], n),
            precision: estimate(precision, intervals[2], na + aa),
            recall: estimate(recall, intervals[3], an + aa),
        }
    }

    /// Percent agreement with its interval.
    pub fn percent_estimate(&self) -> Estimate {
        Estimate { value: self.percent.ok_or(Undefined::NoGold), interval: self.percent_interval, n: self.n }
    }
}
