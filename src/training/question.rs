//! One log that a run asks about again and again, to see how it goes.

use std::ops::ControlFlow;

use super::{Said, TrainingError};
use crate::model::{Adapter, Finish, GenerateSettings, LanguageModel};

/// Tokens of a sample; enough for a short chain of steps and its verdict.
const SAMPLE_TOKENS: usize = 200;

/// A log, and the tokens that ask about it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub input: String,
    pub prompt: Vec<u32>,
}

impl Question {
    /// The most probable answer; nothing if someone asked to stop.
    pub fn ask(
        &self,
        model: &LanguageModel,
        adapter: &Adapter,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<Said>, TrainingError> {
        let settings = GenerateSettings {
            max_tokens: SAMPLE_TOKENS,
            stop: vec!["</answer>".to_owned()],
            alternatives: 0,
            ..GenerateSettings::default()
        };
        let mut on_token = |_| if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let traces = model.generate(std::slice::from_ref(&self.prompt), Some(adapter), &settings, &mut on_token)?;
        let whole = traces.into_iter().filter(|trace| trace.finish != Finish::Cancelled);
        Ok(whole.map(|trace| Said { input: self.input.clone(), text: trace.text, ..Said::default() }).collect())
    }
}
