//! Money that a teacher costs, exact: prices are small fractions of a cent, and a budget is a promise.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize, Serializer};

/// Billionths of a US dollar in one.
const NANOS: f64 = 1e9;

/// An amount of money in billionths of a US dollar; in JSON, a number of dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in dollars, rounded up; `None` where that is no amount.
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let nanos = (dollars * NANOS).round();
        (nanos.is_finite() && (0.0..1e18).contains(&nanos)).then_some(Self(nanos as u64))
    }

    /// An amount in billionths of a dollar.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// In billionths of a dollar.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// In dollars.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / NANOS
    }

    /// What is left when `other` is taken away; nothing where that is more.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

/// Cents and, below a dollar, as many digits more as tell small amounts apart.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0 {
            0 => 2,
            1..=9_999_999 => 6,
            10_000_000..=999_999_999 => 4,
            _ => 2,
        };
        write!(f, "${:.digits$}", self.dollars())
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens that it reads.
    pub input: f64,
    /// Tokens that it writes.
    pub output: f64,
}

impl Price {
    /// What so many tokens cost, rounded up to a billionth of a dollar.
    pub fn of(self, prompt_tokens: u64, completion_tokens: u64) -> Money {
        // A dollar for a million tokens is 1,000 billionths for one.
        let nanos = (self.input * prompt_tokens as f64 + self.output * completion_tokens as f64) * 1e3;
        // What is exact but for the last bit of a double is not rounded up by a whole billionth.
        Money((nanos - 1e-6).ceil().max(0.0) as u64)
    }

    /// What is wrong with it.
    pub(super) fn complaint(self) -> Option<String> {
        let bad = [("input", self.input), ("output", self.output)]
            .into_iter()
            .find(|(_, dollars)| !(dollars.is_finite() && (0.0..=1e6).contains(dollars)));
        bad.map(|(name, dollars)| format!("{name} {dollars} is no price in dollars for a million tokens"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_for_a_million_is_exact_for_one() {
        let price = Price { input: 0.15, output: 0.6 };
        assert_eq!(price.of(1_000_000, 0), Money::from_dollars(0.15).unwrap());
        assert_eq!(price.of(1, 1), Money::from_nanos(750));
        assert_eq!(Price { input: 0.0375, output: 0.0 }.of(1, 0), Money::from_nanos(38), "up, never down");
        assert_eq!(Price { input: 0.0, output: 0.0 }.of(9, 9), Money::ZERO);
    }

    #[test]
    fn amounts_read_as_money() {
        let text = |dollars| Money::from_dollars(dollars).unwrap().to_string();
        assert_eq!([0.0, 0.001_234, 0.25, 12.5].map(text), ["$0.00", "$0.001234", "$0.2500", "$12.50"]);
        assert_eq!(Money::from_dollars(-1.0), None);
        assert_eq!(Money::from_dollars(f64::NAN), None);
        assert_eq!(serde_json::to_string(&Money::from_dollars(0.25).unwrap()).unwrap(), "0.25");
    }

    #[test]
    fn a_price_that_is_none_is_told() {
        assert!(Price { input: -1.0, output: 0.0 }.complaint().is_some());
        assert!(Price { input: 1.0, output: f64::INFINITY }.complaint().is_some());
        assert_eq!(Price { input: 0.0, output: 75.0 }.complaint(), None);
    }
}
