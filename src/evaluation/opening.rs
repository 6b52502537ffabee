//! What an answer begins with before the model writes on: a verdict that comes before its reasons, or a text that somebody
//! gave.

use super::asking::{AskError, Asked, END_OF_ANSWER};
use super::verdict::Margins;
use crate::labels::Label;
use crate::model::tokenizer::Utf8Stream;
use crate::model::{Alternative, Sequence, Trace, TraceToken};

/// What ends the reasons after a verdict.
pub(super) const END_OF_REASONING: &str = "</think>";

/// More tokens than a verdict with its tags takes.
pub(super) const VERDICT_TOKENS: usize = 24;

/// What an answer begins with before the model writes on.
pub(super) struct Opening {
    /// The text.
    pub text: String,
    tokens: Vec<TraceToken>,
    /// The margin that the verdict was given by, where it opens the answer.
    pub margin: Option<f64>,
}

impl Opening {
    /// The verdict with the better odds, as one token with its probability among the two, and the tag that asks for reasons.
    pub fn verdict(asked: Asked<'_>, log: &str) -> Result<Self, AskError> {
        let margins = Margins::new(asked).at_once(&[log], &mut || true)?.expect("nobody says no");
        let margin = margins[0];
        let (label, other) =
            if margin > 0.0 { (Label::Abnormal, Label::Normal) } else { (Label::Normal, Label::Abnormal) };
        let text = format!("<answer>{label}{END_OF_ANSWER}\n<think>");
        let probability = (1.0 / (1.0 + (-margin.abs()).exp())) as f32;
        let alternatives =
            vec![Alternative { id: 0, text: other.to_string(), control: false, probability: 1.0 - probability }];
        let token =
            TraceToken { id: 0, text: text.clone(), range: 0..text.len(), probability, entropy: None, alternatives };
        Ok(Self { text, tokens: vec![token], margin: Some(margin) })
    }

    /// A text that somebody gave, with the probability that the model has for each of its tokens.
    pub fn given(asked: Asked<'_>, question: &[u32], written: &[u32]) -> Result<Self, AskError> {
        let tokens = [question, written].concat();
        let weights = (0..tokens.len()).map(|at| if at < question.len() { 0.0 } else { 1.0 }).collect();
        let adapter = asked.adapter.map(|(adapter, _)| adapter);
        let scored = asked.model.log_probabilities(&[Sequence { tokens, weights }], adapter)?;
        let mut text = String::new();
        let mut stream = Utf8Stream::default();
        let scored = scored[0][question.len()..].iter();
        let tokens = written.iter().zip(scored).map(|(&id, log_probability)| {
            let piece = stream.push(asked.model.tokenizer().bytes(id));
            let range = text.len()..text.len() + piece.len();
            text.push_str(&piece);
            let probability = log_probability.exp();
            TraceToken { id, text: piece, range, probability, entropy: None, alternatives: Vec::new() }
        });
        let tokens = tokens.collect();
        Ok(Self { text, tokens, margin: None })
    }

    /// Puts it before what was written.
    pub fn put_before(self, trace: &mut Trace) {
        for token in &mut trace.tokens {
            token.range = token.range.start + self.text.len()..token.range.end + self.text.len();
        }
        trace.text.insert_str(0, &self.text);
        trace.tokens.splice(0..0, self.tokens);
    }
}
