//! A model's reasoning about one log, laid out to be stepped through: its steps, and under each the tokens with their
//! probabilities and what the model might have written instead.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::asking::{AskError, END_OF_ANSWER, encode_to_fit};
use crate::model::{Adapter, GenerateSettings, LanguageModel, Sampling, Trace, TraceToken};
use crate::reasoning::parse;
use crate::reasoning::prompt::AnomalyPrompt;

/// Other tokens that are recorded beside each token.
pub const ALTERNATIVES: usize = 5;

/// A token that the model might have written instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteppedAlternative {
    /// Its text.
    pub text: String,
    /// The model's probability for it, 0–1, at temperature 1.
    pub probability: f32,
}

/// A token that the model wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteppedToken {
    /// The text that it adds.
    pub text: String,
    /// The model's probability for it, 0–1, at temperature 1.
    pub probability: f32,
    /// The most probable other tokens, best first; up to [`ALTERNATIVES`].
    pub alternatives: Vec<SteppedAlternative>,
}

/// What a stretch of the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteppedKind {
    /// A step of the reasoning.
    Step,
    /// The answer, with its tags.
    Answer,
}

/// A stretch of the text with its tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteppedStep {
    /// What it is.
    pub kind: SteppedKind,
    /// Its text, without the space around it.
    pub text: String,
    /// Its tokens, and those of the tags and spaces around it: every token of the trace stands in exactly one step.
    pub tokens: Vec<SteppedToken>,
}

impl SteppedStep {
    /// The geometric mean of the tokens' probabilities; `None` without tokens.
    pub fn mean_probability(&self) -> Option<f64> {
        let count = self.tokens.len();
        let log_sum: f64 = self.tokens.iter().map(|token| f64::from(token.probability).max(1e-12).ln()).sum();
        (count > 0).then(|| (log_sum / count as f64).exp())
    }
}

/// A model's reasoning about one log, ready to be stepped through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteppedTrace {
    /// The log that was asked about, as far as the model read it.
    pub input: String,
    /// Bytes of the log that the model did not read, because they did not fit its context.
    pub input_bytes_cut: usize,
    /// All that the model wrote.
    pub text: String,
    /// Its steps, in order; the answer is the last, where there is one.
    pub steps: Vec<SteppedStep>,
    /// What stands between the answer tags; `None` unless there is exactly one answer.
    pub answer: Option<String>,
    /// Whether it keeps the format: reasoning, then answer, each once, nothing else.
    pub format_ok: bool,
    /// The model, as it was asked for.
    pub model: String,
    /// The adapter that it wears.
    pub adapter: Option<String>,
    /// From the question to the first token, in milliseconds.
    pub first_token_ms: f64,
    /// Tokens written a second, after the first.
    pub tokens_per_second: f64,
}

/// How to ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// Tokens that the answer may take at most.
    pub max_tokens: usize,
    /// 0 is greedy: always the most probable token.
    pub temperature: f64,
    /// Seed of the samples.
    pub seed: u64,
}

impl Default for Asking {
    fn default() -> Self {
        Self { max_tokens: 320, temperature: 0.0, seed: 0 }
    }
}

/// A model that is asked, and what it is called.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a LanguageModel,
    /// Its name.
    pub model_name: &'a str,
    /// The adapter that it wears, with its name.
    pub adapter: Option<(&'a Adapter, &'a str)>,
    /// The prompt.
    pub prompt: &'a AnomalyPrompt,
}

/// Asks about one log. `on_token` sees each token as it is written and may stop; what was written by then is laid out
/// all the same.
///
/// # Errors
/// When the log is empty, the prompt cannot be rendered, or the model fails.
pub fn step_through(
    asked: Asked<'_>,
    log: &str,
    asking: &Asking,
    on_token: &mut dyn FnMut(&TraceToken) -> ControlFlow<()>,
) -> Result<SteppedTrace, AskError> {
    let (tokens, read) = encode_to_fit(asked.model, asked.prompt, log, asking.max_tokens)?;
    let settings = GenerateSettings {
        max_tokens: asking.max_tokens,
        sampling: Sampling { temperature: asking.temperature, seed: asking.seed, ..Sampling::default() },
        stop: vec![END_OF_ANSWER.to_owned()],
        alternatives: ALTERNATIVES,
        batch: 1,
        ..GenerateSettings::default()
    };
    let adapter = asked.adapter.map(|(adapter, _)| adapter);
    let traces = asked.model.generate(&[tokens], adapter, &settings, &mut |written| on_token(&written.token))?;
    let trace = traces.into_iter().next().expect("one prompt gives one trace");
    let parsed = parse(&trace.text);
    Ok(SteppedTrace {
        input: log[..read].to_owned(),
        input_bytes_cut: log.len() - read,
        steps: lay_out(&trace),
        answer: parsed.answer,
        format_ok: parsed.format_ok,
        model: asked.model_name.to_owned(),
        adapter: asked.adapter.map(|(_, name)| name.to_owned()),
        first_token_ms: trace.first_token_ms,
        tokens_per_second: trace.tokens_per_second,
        text: trace.text,
    })
}

/// Deals the tokens of a trace out to its steps. A token that begins in one step and ends in the next stays with the
/// first; the space before a word counts as part of the word.
pub fn lay_out(trace: &Trace) -> Vec<SteppedStep> {
    let mut steps: Vec<(usize, SteppedStep)> = parse(&trace.text)
        .steps
        .into_iter()
        .map(|step| (step.range.start, SteppedStep { kind: SteppedKind::Step, text: step.text, tokens: Vec::new() }))
        .collect();
    if let Some(start) = trace.text.find("<answer>") {
        let text = trace.text[start..].trim().to_owned();
        let at = steps.partition_point(|(begin, _)| *begin < start);
        steps.insert(at, (start, SteppedStep { kind: SteppedKind::Answer, text, tokens: Vec::new() }));
    }
    if steps.is_empty() && !trace.tokens.is_empty() {
        let text = trace.text.trim().to_owned();
        steps.push((0, SteppedStep { kind: SteppedKind::Step, text, tokens: Vec::new() }));
    }
    for token in &trace.tokens {
        let word = token.text.trim_start();
        let space = if word.is_empty() { 0 } else { token.text.len() - word.len() };
        let after = steps.partition_point(|(begin, _)| *begin <= token.range.start + space);
        if let Some((_, step)) = steps.get_mut(after.saturating_sub(1)) {
            step.tokens.push(stepped(token));
        }
    }
    steps.into_iter().map(|(_, step)| step).collect()
}

fn stepped(token: &TraceToken) -> SteppedToken {
    let alternatives = token
        .alternatives
        .iter()
        .map(|other| SteppedAlternative { text: other.text.clone(), probability: other.probability });
    SteppedToken { text: token.text.clone(), probability: token.probability, alternatives: alternatives.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Finish;

    fn trace(pieces: &[&str]) -> Trace {
        let mut text = String::new();
        let tokens = pieces.iter().map(|piece| {
            let start = text.len();
            text.push_str(piece);
            TraceToken {
                id: 0,
                text: (*piece).to_owned(),
                range: start..text.len(),
                probability: 0.5,
                alternatives: Vec::new(),
            }
        });
        let tokens = tokens.collect();
        Trace {
            text,
            tokens,
            finish: Finish::Stop,
            prompt_tokens: 1,
            first_token_ms: 0.0,
            elapsed_ms: 0.0,
            tokens_per_second: 0.0,
        }
    }

    fn laid_out(pieces: &[&str]) -> Vec<(String, String)> {
        let join = |step: &SteppedStep| step.tokens.iter().map(|token| token.text.as_str()).collect::<String>();
        lay_out(&trace(pieces)).iter().map(|step| (step.text.clone(), join(step))).collect()
    }

    #[test]
    fn every_token_stands_in_one_step_and_the_answer_is_the_last() {
        let steps =
            laid_out(&["<th", "ink>", "1.", " a", ".\n", "2. b", "</think>", "<answer>", "normal", "</answer>"]);
        let expected = [
            ("1. a.", "<think>1. a.\n"),
            ("2. b", "2. b</think>"),
            ("<answer>normal</answer>", "<answer>normal</answer>"),
        ];
        assert_eq!(steps, expected.map(|(text, tokens)| (text.to_owned(), tokens.to_owned())));
    }

    #[test]
    fn a_word_goes_to_its_step_with_the_space_before_it() {
        let steps = laid_out(&["It", " failed", ".", " The", " disk", " ", "is gone."]);
        let expected = [("It failed.", "It failed."), ("The disk is gone.", " The disk is gone.")];
        assert_eq!(steps, expected.map(|(text, tokens)| (text.to_owned(), tokens.to_owned())));
    }

    #[test]
    fn a_text_without_form_is_still_stepped_through() {
        let steps = laid_out(&["Hel", "lo"]);
        assert_eq!(steps, [("Hello".to_owned(), "Hello".to_owned())]);
        assert!(laid_out(&[]).is_empty());
    }

    #[test]
    fn the_mean_of_probabilities_is_geometric() {
        let mut step = lay_out(&trace(&["a", "b"])).remove(0);
        step.tokens[1].probability = 0.125;
        assert!((step.mean_probability().unwrap() - 0.25).abs() < 1e-6);
    }
}
