//! A figure of agreement: its value or why it has none, its interval, and how many templates stand behind it.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

/// Why a figure has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Undefined {
    /// Nothing to compare.
    #[error("no template has two votes to compare")]
    NothingShared,
    /// Chance agreement is 1, so that agreement beyond chance has no meaning.
    #[error("every vote is the same, so chance alone explains all agreement")]
    Constant,
    /// Specific agreement on what nobody says.
    #[error("no vote that can be compared says this")]
    NeverSaid,
    /// Precision of somebody who never calls out.
    #[error("none of these votes says abnormal")]
    NoVoteAbnormal,
    /// Recall where there is nothing to find.
    #[error("none of these gold labels is abnormal")]
    NoGoldAbnormal,
    /// No gold beside the votes.
    #[error("no template that was judged has a gold label")]
    NoGold,
    /// Fewer than two annotators.
    #[error("fewer than two annotators gave a label")]
    NoPair,
    /// An interval that too few resamples could give.
    #[error("more than 5 % of the resamples have no value, so they bound nothing")]
    Unstable,
}

/// A figure, or why there is none.
pub type Coefficient = Result<f64, Undefined>;

/// What a figure lies between, with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A figure with its interval. As JSON `{value, low, high, n}`, null where undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: Coefficient,
    /// Its interval; none where no bootstrap was asked for, or the value or too many resamples are undefined.
    pub interval: Option<Interval>,
    /// How many templates it rests on.
    pub n: u64,
}

impl Estimate {
    /// The ends of the interval, each null if there is none.
    fn ends(&self) -> (Option<f64>, Option<f64>) {
        (self.interval.map(|interval| interval.low), self.interval.map(|interval| interval.high))
    }

    /// The same figure in per cent.
    #[must_use]
    pub fn in_per_cent(self) -> Self {
        let interval = self.interval.map(|Interval { low, high }| Interval { low: low * 100.0, high: high * 100.0 });
        Self { value: self.value.map(|share| share * 100.0), interval, n: self.n }
    }
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (low, high) = self.ends();
        let mut object = serializer.serialize_struct("Estimate", 4)?;
        object.serialize_field("value", &self.value.ok())?;
        object.serialize_field("low", &low)?;
        object.serialize_field("high", &high)?;
        object.serialize_field("n", &self.n)?;
        object.end()
    }
}

/// Agreement beyond chance: `(observed − chance) / (1 − chance)`, the form that all kappas share.
pub(super) fn beyond_chance(observed: f64, chance: f64) -> Coefficient {
    if 1.0 - chance < 1e-12 { Err(Undefined::Constant) } else { Ok((observed - chance) / (1.0 - chance)) }
}
