//! How a model is asked about a log: the same turns for evaluation and stepping as for training.

use crate::model::{Adapter, LanguageModel, Message, ModelError, Role};
use crate::reasoning::prompt::{AnomalyPrompt, PromptError, Speaker, Turn};

/// What ends an answer: nothing after it is read.
pub(super) const END_OF_ANSWER: &str = "</answer>";

/// No token of any vocabulary in use is longer on average, so more bytes than this for each token never fit.
const BYTES_A_TOKEN: usize = 16;

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

/// Why a log cannot be asked about.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing to judge.
    #[error("the log is empty: give the text of a log entry")]
    Empty,
    /// The question with nothing of the log fills the model's context already.
    #[error(
        "an answer of {max_tokens} tokens leaves no room for the log in the model's context of {context}: give fewer \
         --max-tokens, or a model with a longer context"
    )]
    NoRoom {
        /// Tokens that the answer may take.
        max_tokens: usize,
        /// Tokens that the model can attend to.
        context: usize,
    },
    /// The project's prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The tokens that ask about `log`.
pub(super) fn encode(model: &LanguageModel, prompt: &AnomalyPrompt, log: &str) -> Result<Vec<u32>, AskError> {
    let messages: Vec<Message> = prompt.turns(log)?.into_iter().map(message).collect();
    Ok(model.encode_chat(&messages, true)?)
}

/// The tokens that ask about `log`, or about as much of its start as leaves room for `max_tokens` of answer; and how many
/// bytes of the log that is.
pub(super) fn encode_to_fit(
    model: &LanguageModel,
    prompt: &AnomalyPrompt,
    log: &str,
    max_tokens: usize,
) -> Result<(Vec<u32>, usize), AskError> {
    if log.trim().is_empty() {
        return Err(AskError::Empty);
    }
    let context = model.config().context;
    let room = context.saturating_sub(max_tokens);
    let mut length = char_floor(log, room.saturating_mul(BYTES_A_TOKEN));
    loop {
        // A log of which nothing is left, or only space, is not judged.
        if log[..length].trim().is_empty() {
            return Err(AskError::NoRoom { max_tokens, context });
        }
        let tokens = encode(model, prompt, &log[..length])?;
        if tokens.len() <= room {
            return Ok((tokens, length));
        }
        // Aim at the room by proportion, and a little lower so that this ends soon.
        length = char_floor(log, (length * room / tokens.len()).min(length - 1) * 95 / 100);
    }
}

/// The largest length of at most `length` bytes that cuts no character.
fn char_floor(text: &str, length: usize) -> usize {
    (0..=length.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// A turn of a prompt as the model takes it.
fn message(turn: Turn) -> Message {
    let role = match turn.speaker {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
    };
    Message::new(role, turn.text)
}
