//! A model's reasoning about one log, laid out to be stepped through: its steps, and under each the tokens with their
//! probabilities and what the model might have written instead.

use std::ops::{ControlFlow, Range};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::asking::{AskError, Asked, END_OF_ANSWER, encode_to_fit};
use super::calibration::Band;
use super::counterfactual::Counterfactual;
use super::opening::{END_OF_REASONING, Opening, VERDICT_TOKENS};
use super::verdict::{EvidenceToken, Margins};
use crate::labels::Label;
use crate::model::{Finish, GenerateSettings, Sampling, Trace, TraceToken};
use crate::reasoning::{ClaimKind, Evidence, Order, claims, parse};

/// Other tokens that are recorded beside each token.
pub const ALTERNATIVES: usize = 5;

/// A token that the model might have written instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteppedAlternative {
    /// Its text; for a control token, its name.
    pub text: String,
    /// Whether it is a control token, such as the end of the answer.
    pub control: bool,
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
    /// The entropy of the distribution that it was chosen from, over the whole vocabulary at temperature 1, in nats;
    /// `None` where it was given and not chosen.
    #[serde(default)]
    pub entropy: Option<f32>,
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
    /// Whether the log is a session: lines that were judged as one.
    #[serde(default)]
    pub session: bool,
    /// All that the model wrote.
    pub text: String,
    /// Its steps, in order; the answer is the last, where there is one.
    pub steps: Vec<SteppedStep>,
    /// What stands between the answer tags; `None` unless there is exactly one answer.
    pub answer: Option<String>,
    /// Whether it keeps the format: reasoning, then answer, each once, nothing else.
    pub format_ok: bool,
    /// Whether the verdict came first and the reasons after.
    pub fast: bool,
    /// What the steps say of the log, and whether it stands there.
    pub grounding: Vec<GroundedClaim>,
    /// The log-odds of `abnormal` behind the reasoning: ln p(abnormal) − ln p(normal); `None` until [`weigh`] has seen it.
    pub margin: Option<f64>,
    /// The same with the answer right behind the question.
    pub margin_at_once: Option<f64>,
    /// What each word of the log does to [`SteppedTrace::margin_at_once`]; empty until asked for.
    pub evidence: Vec<EvidenceToken>,
    /// How often items with such a margin were abnormal when the model was last evaluated, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<Band>,
    /// What the verdict would be if the log said something else, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterfactual: Option<Counterfactual>,
    /// The model, as it was asked for.
    pub model: String,
    /// The adapter that it wears.
    pub adapter: Option<String>,
    /// From the question to the first token, in milliseconds.
    pub first_token_ms: f64,
    /// From the question to the whole answer, in milliseconds; `None` without an answer.
    pub answer_ms: Option<f64>,
    /// Tokens written a second, after the first.
    pub tokens_per_second: f64,
}

/// Something that a step says of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroundedClaim {
    /// The step's place in [`SteppedTrace::steps`], from 0.
    pub step: usize,
    /// What is claimed.
    pub claim: String,
    /// A quotation, a number, an identifier or a word.
    pub kind: ClaimKind,
    /// Where it stands in the step's text, in bytes.
    pub range: Range<usize>,
    /// Whether the log contains it.
    pub in_log: bool,
}

/// How to ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// Tokens that the answer may take at most.
    pub max_tokens: usize,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The verdict first, the reasons after (R-Log's fast mode): the verdict is the answer with the better odds right
    /// behind the question.
    pub fast: bool,
    /// What the answer begins with; the model writes on from there. Instead of [`Asking::fast`] where it is not empty.
    pub begun: String,
    /// Between the answer's tags only `normal` and `abnormal` may be written.
    pub constrained: bool,
}

impl Default for Asking {
    fn default() -> Self {
        Self { max_tokens: 320, sampling: Sampling::default(), fast: false, begun: String::new(), constrained: false }
    }
}

/// Asks about one log. `on_text` sees the text as it is written and may stop; what was written by then is laid out all
/// the same.
///
/// # Errors
/// When the log is empty, the prompt cannot be rendered, or the model fails.
pub fn step_through(
    asked: Asked<'_>,
    log: &str,
    asking: &Asking,
    on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<SteppedTrace, AskError> {
    let begun = Instant::now();
    let written = asked.model.tokenizer().encode(&asking.begun)?;
    let room = asking.max_tokens + written.len().max(VERDICT_TOKENS);
    let (mut tokens, read) = encode_to_fit(asked.model, asked.prompt, log, room)?;
    let log_read = &log[..read];
    let opening = match (asking.begun.is_empty(), asking.fast) {
        (false, _) => Some(Opening::given(asked, &tokens, &written)?),
        (true, true) => Some(Opening::verdict(asked, log_read)?),
        (true, false) => None,
    };
    let fast = opening.as_ref().is_some_and(|opening| opening.text.contains(END_OF_ANSWER));
    let opening_ms = milliseconds(begun);
    let mut settings = GenerateSettings {
        max_tokens: asking.max_tokens,
        sampling: asking.sampling,
        stop: vec![END_OF_ANSWER.to_owned()],
        alternatives: ALTERNATIVES,
        batch: 1,
        ..GenerateSettings::default()
    };
    if asking.constrained {
        settings.answers = [Label::Normal, Label::Abnormal].map(|label| label.to_string()).into();
    }
    if fast {
        settings.stop = vec![END_OF_REASONING.to_owned()];
    }
    if let Some(opening) = &opening {
        tokens.extend(asked.model.tokenizer().encode(&opening.text)?);
        settings.begun.clone_from(&opening.text);
        if on_text(&opening.text).is_break() {
            settings.max_tokens = 0;
        }
    }
    let adapter = asked.adapter.map(|(adapter, _)| adapter);
    let traces = asked.model.generate(&[tokens], adapter, &settings, &mut |written| on_text(&written.token.text))?;
    let mut trace = traces.into_iter().next().expect("one prompt gives one trace");
    let mut answer_ms = (trace.finish == Finish::Stop).then_some(trace.elapsed_ms);
    let mut first_token_ms = trace.first_token_ms;
    let margin_at_once = opening.as_ref().and_then(|opening| opening.margin);
    if let Some(opening) = opening {
        if fast {
            (answer_ms, first_token_ms) = (Some(opening_ms), opening_ms);
        }
        opening.put_before(&mut trace);
    }
    let parsed = parse(&trace.text);
    let steps = lay_out(&trace);
    let fast_format = parsed.order == Some(Order::AnswerFirst) && trace.finish == Finish::Stop;
    Ok(SteppedTrace {
        input: log_read.to_owned(),
        input_bytes_cut: log.len() - read,
        session: asked.prompt.session,
        grounding: grounding(&steps, log_read),
        steps,
        answer_ms: parsed.answer.as_ref().and(answer_ms),
        answer: parsed.answer,
        format_ok: if fast { fast_format } else { parsed.format_ok },
        fast,
        margin: margin_at_once,
        margin_at_once,
        evidence: Vec::new(),
        band: None,
        counterfactual: None,
        model: asked.model_name.to_owned(),
        adapter: asked.adapter.map(|(_, name)| name.to_owned()),
        first_token_ms,
        tokens_per_second: trace.tokens_per_second,
        text: trace.text,
    })
}

/// Fills in the margins of a trace, and the evidence where it is asked for. Says `false`, and leaves what is missing,
/// when `go_on` said no.
///
/// # Errors
/// When the model fails, or the reasoning leaves no room in its context.
pub fn weigh(
    asked: Asked<'_>,
    trace: &mut SteppedTrace,
    evidence: bool,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<bool, AskError> {
    let margins = Margins::new(asked);
    if trace.margin.is_none() {
        let before = match trace.text.find("<answer>") {
            Some(at) => &trace.text[..at],
            None => &trace.text,
        };
        trace.margin = margins.after(&trace.input, before, go_on)?;
    }
    if evidence && trace.evidence.is_empty() {
        if let Some((margin, evidence)) = margins.evidence(&trace.input, go_on)? {
            (trace.margin_at_once, trace.evidence) = (Some(margin), evidence);
        } else {
            return Ok(false);
        }
    }
    Ok(trace.margin.is_some())
}

fn grounding(steps: &[SteppedStep], log: &str) -> Vec<GroundedClaim> {
    let evidence = Evidence::of(log);
    let reasoning = steps.iter().enumerate().filter(|(_, step)| step.kind == SteppedKind::Step);
    let claims = reasoning.flat_map(|(index, step)| claims(&step.text, &evidence).into_iter().map(move |c| (index, c)));
    claims
        .map(|(step, claim)| GroundedClaim {
            step,
            claim: claim.text,
            kind: claim.kind,
            range: claim.range,
            in_log: claim.in_log,
        })
        .collect()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
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
        let end =
            trace.text[start..].find(END_OF_ANSWER).map_or(trace.text.len(), |at| start + at + END_OF_ANSWER.len());
        let text = trace.text[start..end].trim().to_owned();
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
    let alternatives = token.alternatives.iter().map(|other| SteppedAlternative {
        text: other.text.clone(),
        control: other.control,
        probability: other.probability,
    });
    SteppedToken {
        text: token.text.clone(),
        probability: token.probability,
        entropy: token.entropy,
        alternatives: alternatives.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                entropy: None,
                alternatives: Vec::new(),
            }
        });
        let tokens = tokens.collect();
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
    fn a_verdict_that_comes_first_is_the_first_step() {
        let steps = laid_out(&["<answer>normal</answer>\n<think>", "1. a.\n", "2. b", "</think>"]);
        let expected = [
            ("<answer>normal</answer>", "<answer>normal</answer>\n<think>"),
            ("1. a.", "1. a.\n"),
            ("2. b", "2. b</think>"),
        ];
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
