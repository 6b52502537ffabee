//! One recorded reasoning of a model, token by token.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A token that the model might have written instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// Its id.
    pub id: u32,
    /// Its text (for a control token, its name).
    pub text: String,
    /// Whether it is a control token, such as the end of the answer: its name is no text to go on from.
    pub control: bool,
    /// The model's probability for it, at temperature 1.
    pub probability: f32,
}

/// A token that the model wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceToken {
    /// Its id.
    pub id: u32,
    /// The text it adds: whole characters; empty for the first parts of a character split over several tokens.
    pub text: String,
    /// The bytes of the trace's text that it wrote.
    pub range: Range<usize>,
    /// The model's probability for it, at temperature 1.
    pub probability: f32,
    /// The entropy of the distribution that it was chosen from, over the whole vocabulary at temperature 1, in nats;
    /// `None` where it was given and not chosen.
    #[serde(default)]
    pub entropy: Option<f32>,
    /// The most probable other tokens, best first.
    pub alternatives: Vec<Alternative>,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended its answer.
    EndOfText,
    /// A stop string appeared.
    Stop,
    /// The limit of tokens, or the model's context, was reached.
    Length,
    /// Someone asked to stop.
    Cancelled,
}

/// What a model wrote for one prompt, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The whole text; the tokens' texts, one after the other.
    pub text: String,
    /// The tokens, without the one that ended the answer.
    pub tokens: Vec<TraceToken>,
    /// The token that ended the answer, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// From the start of the prompt's processing to the first token.
    pub first_token_ms: f64,
    /// From the start of the prompt's processing to the end.
    pub elapsed_ms: f64,
    /// Tokens written per second after the first; for a trace in a batch, its own share.
    pub tokens_per_second: f64,
}

impl Trace {
    /// The tokens that overlap some bytes of the text.
    pub fn tokens_in(&self, range: Range<usize>) -> impl Iterator<Item = &TraceToken> {
        self.tokens.iter().filter(move |t| t.range.start < range.end && range.start < t.range.end)
    }

    /// Σ ln p of its tokens.
    pub fn log_probability(&self) -> f64 {
        self.tokens.iter().map(|t| (t.probability as f64).ln()).sum()
    }
}
