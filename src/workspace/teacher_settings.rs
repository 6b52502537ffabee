//! `[teacher]` of the settings: whom to ask, how fast, and for how much. Never a key: that comes from the environment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Price;

/// Whom to ask, how fast, and for how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeacherSettings {
    /// The address of an OpenAI-compatible service, with or without `/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The model's name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Requests at a time.
    pub concurrency: usize,
    /// The most requests in any minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// The most tokens in any minute, read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// How long a reply may take, in seconds.
    pub timeout_seconds: f64,
    /// How often a request that failed is sent again.
    pub retries: u32,
    /// The most that is waited before a request is sent a second time, in seconds; it doubles each time after.
    pub backoff_seconds: f64,
    /// The most that all jobs of the project together may cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// What models cost, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, Price>,
}

impl Default for TeacherSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            model: None,
            concurrency: 8,
            requests_per_minute: None,
            tokens_per_minute: None,
            timeout_seconds: 180.0,
            retries: 6,
            backoff_seconds: 1.0,
            budget: None,
            prices: BTreeMap::new(),
        }
    }
}

impl TeacherSettings {
    /// Whether nothing is set.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong, with the name of what it is about.
    pub(super) fn complaint(&self) -> Option<(&str, String)> {
        let seconds = |seconds: f64| seconds.is_finite() && seconds > 0.0 && seconds <= 86_400.0;
        if !(1..=256).contains(&self.concurrency) {
            return Some(("concurrency", format!("concurrency {} is not from 1 to 256", self.concurrency)));
        }
        if self.requests_per_minute == Some(0) {
            return Some(("requests_per_minute", "requests_per_minute 0 lets nothing through".into()));
        }
        if self.tokens_per_minute == Some(0) {
            return Some(("tokens_per_minute", "tokens_per_minute 0 lets nothing through".into()));
        }
        if !seconds(self.timeout_seconds) {
            let why = format!("timeout_seconds {} is not above 0 and at most a day", self.timeout_seconds);
            return Some(("timeout_seconds", why));
        }
        if !seconds(self.backoff_seconds) {
            let why = format!("backoff_seconds {} is not above 0 and at most a day", self.backoff_seconds);
            return Some(("backoff_seconds", why));
        }
        if self.retries > 100 {
            return Some(("retries", format!("retries {} is over 100", self.retries)));
        }
        if let Some(budget) = self.budget.filter(|budget| super::Money::from_dollars(*budget).is_none()) {
            return Some(("budget", format!("budget {budget} is no amount of dollars")));
        }
        let bad = self.prices.iter().find_map(|(name, price)| Some((name, price.complaint()?)));
        bad.map(|(name, why)| (name.as_str(), format!("price of {name}: {why}")))
    }
}
