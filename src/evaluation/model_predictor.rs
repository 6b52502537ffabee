//! The language model as a predictor of anomalies.

use std::ops::ControlFlow;

use super::anomaly::{Cancelled, EvaluationError, Prediction, Predictor};
use super::asking::{Asked, END_OF_ANSWER, encode_to_fit};
use super::verdict::{Margins, START_OF_ANSWER};
use crate::model::{Adapter, GenerateSettings, LanguageModel, Trace};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::reasoning::{answer_label, parse};

/// Other tokens that are looked at beside each token: the other answer's is nearly always among them.
const ALTERNATIVES: usize = 8;

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
            alternatives: ALTERNATIVES,
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
        let asked = Asked {
            model: self.model,
            model_name: &self.model_name,
            adapter: self.adapter.zip(self.adapter_name.as_deref()),
            prompt: &self.prompt,
        };
        let margins = Margins::new(asked);
        let answers = margins.first_tokens().map_err(|error| failed(&error))?;
        let mut predictions = Vec::with_capacity(logs.len());
        for ((trace, log), bytes_cut) in traces.into_iter().zip(logs).zip(bytes_cut) {
            let margin = match written_margin(&trace, answers) {
                Some(margin) => Some(margin),
                // One whose reasoning leaves no room for an answer has no margin.
                None => {
                    let before = trace.text.find(START_OF_ANSWER).map_or(trace.text.as_str(), |at| &trace.text[..at]);
                    let log = &log[..log.len() - bytes_cut];
                    margins.after(log, before, &mut || watch(logs.len()).is_continue()).ok().flatten()
                }
            };
            if margin.is_none() && watch(logs.len()).is_break() {
                return Err(Cancelled.into());
            }
            predictions.push(Prediction { margin, ..read(trace.text, bytes_cut) });
        }
        Ok(predictions)
    }
}

/// The margin behind a reasoning, from what was recorded as the answer was written: the odds of its first token, which
/// tells the answers apart, against the other answer's. `None` where the answer begins otherwise, or the other is not among
/// the alternatives.
fn written_margin(trace: &Trace, [normal, abnormal]: [u32; 2]) -> Option<f64> {
    let start = trace.text.find(START_OF_ANSWER)? + START_OF_ANSWER.len();
    let token = trace.tokens.iter().find(|token| token.range.start >= start)?;
    let probability = |id: u32| {
        let chosen = (token.id == id).then_some(token.probability);
        let other = || token.alternatives.iter().find(|other| other.id == id).map(|other| other.probability);
        chosen.or_else(other).filter(|p| *p > 0.0).map(|p| f64::from(p).ln())
    };
    let whole = token.range.start == start && (token.id == normal || token.id == abnormal);
    if whole { Some(probability(abnormal)? - probability(normal)?) } else { None }
}

/// The verdict of an answer, if it has one that can be read. Reasoning out of format does not take a clear verdict away.
fn read(text: String, bytes_cut: usize) -> Prediction {
    Prediction { label: parse(&text).answer.as_deref().and_then(answer_label), text, margin: None, bytes_cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;
    use crate::model::{Alternative, Finish, TraceToken};

    #[test]
    fn a_margin_is_read_where_both_answers_were_in_sight() {
        let trace = |pieces: &[(u32, &str)], other: Option<(u32, f32)>| {
            let mut text = String::new();
            let token = |(id, piece): &(u32, &str)| {
                let start = text.len();
                text.push_str(piece);
                let alternative = |(id, probability)| Alternative { id, text: "x".into(), control: false, probability };
                TraceToken {
                    id: *id,
                    text: (*piece).to_owned(),
                    range: start..text.len(),
                    probability: 0.8,
                    entropy: None,
                    alternatives: other.into_iter().map(alternative).collect(),
                }
            };
            let tokens = pieces.iter().map(token).collect();
            Trace {
                text,
                tokens,
                ended_by: None,
                finish: Finish::Stop,
                prompt_tokens: 1,
                first_token_ms: 0.0,
                elapsed_ms: 0.0,
                tokens_per_second: 0.0,
            }
        };
        let (normal, abnormal) = (7, 9);
        let margin = |pieces: &[(u32, &str)], other| written_margin(&trace(pieces, other), [normal, abnormal]);
        let said = margin(&[(1, "1. x"), (2, "<answer>"), (9, "ab"), (7, "normal")], Some((7, 0.1))).unwrap();
        assert!((said - 8_f64.ln()).abs() < 1e-6, "{said}");
        let said = margin(&[(2, "<answer>"), (7, "normal")], Some((9, 0.1))).unwrap();
        assert!((said + 8_f64.ln()).abs() < 1e-6, "{said}");
        assert_eq!(margin(&[(2, "<answer>"), (7, "normal")], Some((5, 0.1))), None, "the other is out of sight");
        assert_eq!(margin(&[(2, "<answer>"), (5, "maybe")], Some((7, 0.1))), None);
        assert_eq!(margin(&[(2, "<answer>x"), (7, "normal")], Some((9, 0.1))), None, "the token before says a part");
        assert_eq!(margin(&[(1, "1. x")], Some((9, 0.1))), None);
    }

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
