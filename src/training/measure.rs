//! Asking the model questions between two steps. This room knows nothing of evaluation: whoever starts a run says how.

use std::fmt;
use std::sync::Arc;

use super::Example;
use crate::model::{Adapter, LanguageModel};

/// What a [`Measure`] does: the anomaly-class F1 of the model's verdicts on some examples; `None` where none of them has a
/// verdict, or someone asked to stop.
type Ask = dyn Fn(&LanguageModel, &Adapter, &[Example], &dyn Fn() -> bool) -> Result<Option<f64>, String> + Send + Sync;

/// Measures what the model's answers to the held-out examples are worth.
#[derive(Clone)]
pub struct Measure {
    has_verdict: fn(&Example) -> bool,
    ask: Arc<Ask>,
}

impl Measure {
    /// Measures by `ask`, on those examples that have a verdict.
    pub fn new(
        has_verdict: fn(&Example) -> bool,
        ask: impl Fn(&LanguageModel, &Adapter, &[Example], &dyn Fn() -> bool) -> Result<Option<f64>, String>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { has_verdict, ask: Arc::new(ask) }
    }

    /// Whether there is anything to measure on `examples`.
    pub fn can_measure(&self, examples: &[Example]) -> bool {
        examples.iter().any(self.has_verdict)
    }

    /// The F1 of `model` wearing `adapter` on `examples`.
    ///
    /// # Errors
    /// When the model cannot be asked.
    pub fn ask(
        &self,
        model: &LanguageModel,
        adapter: &Adapter,
        examples: &[Example],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<f64>, String> {
        (self.ask)(model, adapter, examples, cancelled)
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measure")
    }
}
