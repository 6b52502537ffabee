//! The language model as a predictor of anomalies.

use std::ops::ControlFlow;

use super::anomaly::{Cancelled, EvaluationError, Prediction, Predictor};
use super::asking::{END_OF_ANSWER, encode_to_fit};
use crate::model::{Adapter, GenerateSettings, LanguageModel};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::reasoning::{answer_label, parse};

/// The language model, asked about each log with the prompt that it was trained and is shown with, always taking the
/// most probable token.
pub struct ModelPredictor<'a> {
    model: &'a LanguageModel,
    adapter: Option<&'a Adapter>,
    model_name: String,
    adapter_name: Option<String>,
    prompt: AnomalyPrompt,
    settings: GenerateSettings,
}

impl<'a> ModelPredictor<'a> {
    /// Tokens that an answer may take; one that takes more was not going anywhere, and is not readable.
    pub const MAX_TOKENS: usize = 320;

    /// `model`, wearing `adapter` (with the name that it is reported by), asked with `prompt`.
    pub fn new(
        model: &'a LanguageModel,
        model_name: &str,
        adapter: Option<(&'a Adapter, &str)>,
        prompt: AnomalyPrompt,
    ) -> Self {
        let settings = GenerateSettings {
            max_tokens: Self::MAX_TOKENS,
            stop: vec![END_OF_ANSWER.to_owned()],
            alternatives: 0,
            ..GenerateSettings::default()
        };
        Self {
            model,
            adapter: adapter.map(|(adapter, _)| adapter),
            model_name: model_name.to_owned(),
            adapter_name: adapter.map(|(_, name)| name.to_owned()),
            prompt,
            settings,
        }
    }
}

impl Predictor for ModelPredictor<'_> {
    fn name(&self) -> &str {
        "model"
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model_name)
    }

    fn adapter(&self) -> Option<&str> {
        self.adapter_name.as_deref()
    }

    fn predict(
        &self,
        logs: &[&str],
        watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>, EvaluationError> {
        let failed = |error: &dyn std::fmt::Display| EvaluationError::Predictor(error.to_string());
        let mut prompts = Vec::with_capacity(logs.len());
        let mut bytes_cut = Vec::with_capacity(logs.len());
        for log in logs {
            let asked = encode_to_fit(self.model, &self.prompt, log, self.settings.max_tokens);
            let (prompt, length) = asked.map_err(|error| failed(&error))?;
            prompts.push(prompt);
            bytes_cut.push(log.len() - length);
        }
        let mut texts = vec![String::new(); prompts.len()];
        let mut done = 0;
        let mut stopped = false;
        let traces = self
            .model
            .generate(&prompts, self.adapter, &self.settings, &mut |written| {
                let text = &mut texts[written.sequence];
                text.push_str(&written.token.text);
                done += usize::from(text.ends_with(END_OF_ANSWER));
                let flow = watch(done);
                stopped |= flow.is_break();
                flow
            })
            .map_err(|error| failed(&error))?;
        if stopped || watch(logs.len()).is_break() {
            return Err(Cancelled.into());
        }
        Ok(traces.into_iter().zip(bytes_cut).map(|(trace, bytes_cut)| read(trace.text, bytes_cut)).collect())
    }
}

/// The verdict of an answer, if it has one that can be read. Reasoning out of format does not take a clear verdict away.
fn read(text: String, bytes_cut: usize) -> Prediction {
    Prediction { label: parse(&text).answer.as_deref().and_then(answer_label), text, bytes_cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;

    #[test]
    fn an_answer_without_one_clear_verdict_is_not_readable() {
        let label = |text: &str| read(text.to_owned(), 0).label;
        assert_eq!(label("<think>1. x</think><answer>Abnormal.</answer>"), Some(Label::Abnormal));
        assert_eq!(label("1. x <answer>normal</answer>"), Some(Label::Normal));
        for text in ["", "it is normal", "<answer>maybe</answer>", "<answer>normal</answer><answer>abnormal</answer>"] {
            assert_eq!(label(text), None, "{text}");
        }
    }
}
