//! What a margin is worth: how often items with margins like it were abnormal when the model was last evaluated.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Report, SteppedTrace, Truth};
use crate::labels::Label;
use crate::workspace::{Workspace, WorkspaceError};

/// The margin of an item, with what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemMargin {
    /// The dataset that it belongs to.
    pub dataset: String,
    /// Its id.
    pub id: String,
    /// The log-odds of `abnormal` behind the model's reasoning.
    pub margin: f64,
    /// What it is.
    pub truth: Label,
}

/// The margins of an evaluation, by which others are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The model.
    pub model: String,
    /// The adapter that it wore.
    pub adapter: Option<String>,
    /// What it was evaluated on.
    pub data: PathBuf,
    /// Which column of that was the truth.
    pub truth: Truth,
    /// The margins.
    pub margins: Vec<ItemMargin>,
}

/// The items of an evaluation whose margins are nearest to one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// The lowest of their margins.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many they are.
    pub n: usize,
    /// How many of them are abnormal.
    pub abnormal: usize,
    /// The share of those, 0–1.
    pub share: f64,
    /// The share's 95 % interval (Wilson 1927).
    pub interval: [f64; 2],
    /// How many items the evaluation had a margin of.
    pub of: usize,
    /// What it was on.
    pub data: PathBuf,
    /// Which column of that was the truth.
    pub truth: Truth,
}

/// For people, in a line.
impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.interval.map(|share| share * 100.0);
        write!(
            f,
            "of the {} nearest margins ({:+.2} to {:+.2}) in the last evaluation {:.0} % were abnormal, 95 % interval \
             {low:.0} to {high:.0} %; {} items of {}, by {}",
            self.n,
            self.low,
            self.high,
            self.share * 100.0,
            self.of,
            self.data.display(),
            self.truth.column()
        )
    }
}

/// A band has a quarter of the items, and at least and at most so many.
const FEWEST: usize = 10;
const MOST: usize = 40;

/// The normal distribution's 97.5 % point.
const Z: f64 = 1.959_963_984_540_054;

impl Calibration {
    /// The band around a margin; `None` where the evaluation had too few items to say anything.
    pub fn band(&self, margin: f64) -> Option<Band> {
        let n = (self.margins.len() / 4).clamp(FEWEST, MOST);
        if self.margins.len() < FEWEST || !margin.is_finite() {
            return None;
        }
        let mut nearest: Vec<&ItemMargin> = self.margins.iter().collect();
        nearest.sort_by(|a, b| (a.margin - margin).abs().total_cmp(&(b.margin - margin).abs()));
        nearest.truncate(n);
        let abnormal = nearest.iter().filter(|item| item.truth == Label::Abnormal).count();
        let margins = || nearest.iter().map(|item| item.margin);
        Some(Band {
            low: margins().fold(f64::INFINITY, f64::min),
            high: margins().fold(f64::NEG_INFINITY, f64::max),
            n,
            abnormal,
            share: abnormal as f64 / n as f64,
            interval: wilson(abnormal, n),
            of: self.margins.len(),
            data: self.data.clone(),
            truth: self.truth,
        })
    }
}

/// The score interval of a share of `k` in `n`.
fn wilson(k: usize, n: usize) -> [f64; 2] {
    let (n, p) = (n as f64, k as f64 / n as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    [((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0)]
}

/// Keeps the report of a model as its last one in the project; a baseline's is not kept.
///
/// # Errors
/// When it cannot be written.
pub fn keep_report(workspace: &Workspace, report: &Report) -> Result<(), WorkspaceError> {
    let Some(model) = &report.model else { return Ok(()) };
    let name = match &report.adapter {
        Some(adapter) => format!("{model}+{adapter}"),
        None => model.clone(),
    };
    let report =
        serde_json::to_value(report).map_err(|error| WorkspaceError::Invalid(format!("the report: {error}")))?;
    workspace.keep_evaluation(&name, &report)
}

/// The margins of the project's last evaluations.
pub fn calibrations(workspace: &Workspace) -> Vec<Calibration> {
    let read = |report| serde_json::from_value(report).ok();
    workspace.evaluations().into_iter().filter_map(read).collect()
}

/// The band around a margin of a model and its adapter, where they were evaluated.
pub fn band_of(calibrations: &[Calibration], model: &str, adapter: Option<&str>, margin: f64) -> Option<Band> {
    let of = |calibration: &&Calibration| calibration.model == model && calibration.adapter.as_deref() == adapter;
    calibrations.iter().find(of)?.band(margin)
}

impl SteppedTrace {
    /// Says what its margin is worth, where its model was evaluated. The evaluation's margins are those of single logs
    /// behind a reasoning, so a session or a verdict that came first has no band.
    pub fn set_band(&mut self, calibrations: &[Calibration]) {
        let margin = self.margin.filter(|_| !self.fast && !self.session);
        self.band = margin.and_then(|margin| band_of(calibrations, &self.model, self.adapter.as_deref(), margin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(margins: impl IntoIterator<Item = (f64, bool)>) -> Calibration {
        let item = |(margin, abnormal)| ItemMargin {
            dataset: "bgl".into(),
            id: "1".into(),
            margin,
            truth: if abnormal { Label::Abnormal } else { Label::Normal },
        };
        Calibration {
            model: "m".into(),
            adapter: None,
            data: "dev.csv".into(),
            truth: Truth::Gold,
            margins: margins.into_iter().map(item).collect(),
        }
    }

    #[test]
    fn a_band_is_of_the_nearest_items() {
        // 100 items, one for each tenth from -5 on; all above 0 are abnormal, and one below.
        let items = (0..100).map(|i| (f64::from(i) / 10.0 - 5.0, i > 50 || i == 40));
        let calibration = calibration(items);
        let band = calibration.band(4.0).unwrap();
        assert_eq!((band.n, band.abnormal, band.of), (25, 25, 100));
        assert!((band.low - 2.5).abs() < 1e-9 && (band.high - 4.9).abs() < 1e-9, "{band:?}");
        let middle = calibration.band(0.0).unwrap();
        assert!(middle.abnormal > 10 && middle.abnormal < 15 && middle.interval[0] < middle.share);
        let beyond = calibration.band(99.0).unwrap();
        assert!((beyond.high - 4.9).abs() < 1e-9, "what is beyond all is told by its neighbours");
        assert!(calibration.band(f64::NAN).is_none());
    }

    #[test]
    fn few_items_say_nothing() {
        assert!(calibration((0..9).map(|i| (f64::from(i), true))).band(1.0).is_none());
        assert_eq!(calibration((0..10).map(|i| (f64::from(i), true))).band(1.0).unwrap().n, 10);
    }

    /// The examples of Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3.
    #[test]
    fn intervals_are_wilsons() {
        for (k, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let [a, b] = wilson(k, n);
            assert!((a - low).abs() < 6e-5 && (b - high).abs() < 6e-5, "{k} of {n}: {a} to {b}");
        }
    }

    #[test]
    fn each_model_and_adapter_has_margins_of_its_own() {
        let base = calibration((0..10).map(|i| (f64::from(i), false)));
        let run = Calibration { adapter: Some("run".into()), ..calibration((0..10).map(|i| (f64::from(i), true))) };
        let all = [base, run];
        assert_eq!(band_of(&all, "m", None, 1.0).unwrap().abnormal, 0);
        assert_eq!(band_of(&all, "m", Some("run"), 1.0).unwrap().abnormal, 10);
        assert!(band_of(&all, "m", Some("other"), 1.0).is_none() && band_of(&all, "x", None, 1.0).is_none());
    }
}
