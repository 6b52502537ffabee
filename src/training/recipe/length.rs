//! How long a run is, how often it is measured and saved, and what ends it early.

use serde::{Deserialize, Serialize};

use super::unmet;

/// More steps than any run takes: the number of its tokens can still be told.
const MOST_STEPS: usize = 100_000_000;

/// Which evaluation is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// That of the lowest loss on what is held out.
    #[default]
    Loss,
    /// That of the highest anomaly-class F1 on what is held out; needs `evaluate_answers`.
    F1,
}

impl BestBy {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::F1 => "F1",
        }
    }
}

/// Which weights a finished run gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// Those after its last step.
    #[default]
    Last,
    /// Those of its best evaluation.
    Best,
}

/// How long a run is, and how often its work is measured and saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LengthSettings {
    /// Steps of the optimiser. Absent: as many as `epochs` need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Passes over the data, where `steps` is absent.
    pub epochs: f64,
    /// Steps between two checkpoints. Nought: none but that of a cancelled run.
    pub save_every: usize,
    /// Checkpoints that are kept, newest first.
    pub keep_last: usize,
    /// Whether the checkpoint of the best evaluation is written and kept, too.
    pub keep_best: bool,
    /// Steps between two evaluations of what is held out. Nought: as often as checkpoints are written.
    pub evaluate_every: usize,
    /// Whether an evaluation also asks the model about the held-out logs, for the anomaly-class F1 of its verdicts. It
    /// takes as long as it takes to write the answers.
    pub evaluate_answers: bool,
    /// Which evaluation is the best.
    pub best_by: BestBy,
    /// Which weights a finished run gives.
    pub take: Take,
    /// Evaluations without a better one after which the run stops early. Nought: it does not.
    pub patience: usize,
    /// By how much an evaluation must surpass the best to be better.
    pub least_gain: f64,
}

impl Default for LengthSettings {
    fn default() -> Self {
        Self {
            steps: None,
            epochs: 2.0,
            save_every: 50,
            keep_last: 2,
            keep_best: true,
            evaluate_every: 0,
            evaluate_answers: false,
            best_by: BestBy::Loss,
            take: Take::Last,
            patience: 0,
            least_gain: 0.0,
        }
    }
}

/// When a loss that has run away stops the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchdogSettings {
    /// A step is out of line when its loss is so many times the median of the last 20, and a nat above it. Nought: never.
    pub factor: f64,
    /// Steps in a row that must be out of line.
    pub patience: usize,
}

impl Default for WatchdogSettings {
    fn default() -> Self {
        Self { factor: 4.0, patience: 3 }
    }
}

impl LengthSettings {
    /// What cannot work, each with what would.
    pub(super) fn complaints(&self) -> Vec<String> {
        let reach = match self.steps {
            Some(steps) => ((1..=MOST_STEPS).contains(&steps), format!("length.steps = {steps} (1 to {MOST_STEPS})")),
            None => (
                self.epochs > 0.0 && self.epochs <= 1000.0,
                format!("length.epochs = {} (above 0, at most 1000)", self.epochs),
            ),
        };
        unmet([
            reach,
            (self.keep_last >= 1, format!("length.keep_last = {} (at least 1)", self.keep_last)),
            (
                self.least_gain.is_finite() && self.least_gain >= 0.0,
                format!("length.least_gain = {} (0 or above)", self.least_gain),
            ),
            (
                self.best_by == BestBy::Loss || self.evaluate_answers,
                "length.best_by = f1 without length.evaluate_answers = true (which measures it)".into(),
            ),
            (
                self.take == Take::Last || self.keep_best,
                "length.take = best without length.keep_best = true (which keeps it)".into(),
            ),
        ])
    }
}

impl WatchdogSettings {
    /// What cannot work, each with what would.
    pub(super) fn complaints(&self) -> Vec<String> {
        unmet([
            (
                self.factor == 0.0 || self.factor > 1.0 && self.factor.is_finite(),
                format!("watchdog.factor = {} (0 for none, or above 1)", self.factor),
            ),
            (self.patience >= 1, format!("watchdog.patience = {} (at least 1)", self.patience)),
        ])
    }
}
