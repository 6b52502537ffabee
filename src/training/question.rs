//! One log that a run asks about again and again, to see how it goes.

use std::ops::ControlFlow;

use super::{Said, TrainingError};
use crate::model::{Adapter, Finish, GenerateSettings, LanguageModel, Trace};

/// Tokens of a sample; enough for a short chain of steps and its verdict.
const SAMPLE_TOKENS: usize = 200;

/// A log, and the tokens that ask about it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub input: String,
    pub prompt: Vec<u32>,
}

impl Question {
    /// The most probable answer; `None` if someone asked to stop.
    pub fn ask(
        &self,
        model: &LanguageModel,
        adapter: &Adapter,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Said>>, TrainingError> {
        let settings = GenerateSettings {
            max_tokens: SAMPLE_TOKENS,
            stop: vec!["</answer>".to_owned()],
            alternatives: 0,
            ..GenerateSettings::default()
        };
        let mut on_token = |_| if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let traces = model.generate(std::slice::from_ref(&self.prompt), Some(adapter), &settings, &mut on_token)?;
        if traces.iter().any(|trace| trace.finish == Finish::Cancelled) {
            return Ok(None);
        }
        let said = |trace: Trace| Said { input: self.input.clone(), text: trace.text, ..Said::default() };
        Ok(Some(traces.into_iter().map(said).collect()))
    }
}
