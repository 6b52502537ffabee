//! What a teacher is asked, what it replies, and the one interface of every teacher.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::reasoning::prompt::Turn;

/// Tokens that a service may add around each message, at most.
const FRAME_TOKENS: u64 = 16;
/// Bytes of English text and logs in a token, about.
const BYTES_A_TOKEN: u64 = 4;

/// One request: everything that the reply depends on but the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ask {
    /// The conversation so far.
    pub messages: Vec<Turn>,
    /// How freely to sample; 0 is the most probable text.
    pub temperature: f64,
    /// The most tokens to write.
    pub max_tokens: u32,
    /// What the sampling starts from; each sample has a seed of its own that follows from it.
    pub seed: u64,
    /// Which of several replies to the same question this is, from 0.
    pub sample: u32,
}

impl Ask {
    /// What it is kept under: SHA-256, in hexadecimal, of the model and everything in here. Where it is asked does not count.
    pub fn key(&self, model: &str) -> String {
        let content = serde_json::to_vec(&("completion", model, self)).expect("a request is plain data");
        format!("{:x}", Sha256::digest(content))
    }

    /// The seed of this sample: 31 bits, which every service takes.
    pub fn sample_seed(&self) -> u64 {
        // SplitMix64: neighbouring numbers give unlike seeds.
        let mut z = self.seed.wrapping_add(u64::from(self.sample).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // Not 0, which means "any" to some.
        (z ^ (z >> 31)) % 0x7fff_fffe + 1
    }

    /// How many tokens the conversation has, at the very most: no tokenizer makes more of them than there are bytes.
    pub fn prompt_tokens_at_most(&self) -> u64 {
        self.bytes() + FRAME_TOKENS * (self.messages.len() as u64 + 1)
    }

    /// How many tokens the conversation has, about.
    pub fn prompt_tokens_about(&self) -> u64 {
        self.bytes().div_ceil(BYTES_A_TOKEN) + 4 * (self.messages.len() as u64 + 1)
    }

    fn bytes(&self) -> u64 {
        self.messages.iter().map(|turn| turn.text.len() as u64).sum()
    }
}

/// Tokens read and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Read.
    pub prompt_tokens: u64,
    /// Written.
    pub completion_tokens: u64,
}

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done.
    Stop,
    /// It ran into [`Ask::max_tokens`].
    Length,
    /// Something else, such as a filter.
    Other,
}

/// What a teacher replied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The text, raw.
    pub text: String,
    /// What it took, where the teacher says.
    pub usage: Option<Usage>,
    /// How it ended.
    pub finish: Finish,
}

/// A request that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Why, in one line; from outside, so not safe to print as it is.
    pub why: String,
    /// What may help.
    pub remedy: Remedy,
    /// Whether it has to be paid for all the same.
    pub paid: Paid,
}

/// What may help against a [`Miss`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Asking again, after this long if the service says so.
    Again(Option<Duration>),
    /// Asking again; but a service that was never reached is given up.
    Reach,
    /// Nothing for this request; others may do better.
    Skip,
    /// Nothing for any request.
    GiveUp,
}

/// Whether a request that was not answered has to be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    /// It was refused before anything was written.
    No,
    /// Something may have been written and lost on the way.
    Perhaps,
    /// The service says so.
    Yes(Usage),
}

/// A model that can be asked. Implementations do one attempt; asking again, waiting, paying and keeping are the
/// [`Desk`](super::Desk)'s.
pub trait Teacher: Send + Sync {
    /// The model's name: what its rationales name as their source, and part of what replies are kept under.
    fn model(&self) -> &str;

    /// Where it is, for messages.
    fn place(&self) -> String;

    /// Asks once. A teacher that computes here must do it in a thread of its own: the future must not block.
    fn ask<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Reply, Miss>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::prompt::Speaker;

    fn ask(text: &str) -> Ask {
        let messages = vec![Turn { speaker: Speaker::User, text: text.into() }];
        Ask { messages, temperature: 0.8, max_tokens: 100, seed: 7, sample: 0 }
    }

    #[test]
    fn the_key_follows_from_everything_that_the_reply_depends_on() {
        let base = ask("a");
        assert_eq!(base.key("m"), ask("a").key("m"));
        let others = [
            ask("b").key("m"),
            base.key("n"),
            Ask { temperature: 0.7, ..ask("a") }.key("m"),
            Ask { max_tokens: 99, ..ask("a") }.key("m"),
            Ask { seed: 8, ..ask("a") }.key("m"),
            Ask { sample: 1, ..ask("a") }.key("m"),
        ];
        assert!(others.iter().all(|other| *other != base.key("m")), "{others:?}");
        assert_eq!(base.key("m").len(), 64);
    }

    #[test]
    fn samples_have_seeds_of_their_own() {
        let seeds: std::collections::HashSet<u64> =
            (0..1_000).map(|sample| Ask { sample, ..ask("a") }.sample_seed()).collect();
        assert_eq!(seeds.len(), 1_000);
        assert!(seeds.iter().all(|seed| (1..1 << 31).contains(seed)));
    }

    #[test]
    fn the_bound_on_tokens_is_above_the_guess() {
        for text in ["", "a", "größer als €", &"x ".repeat(5_000)] {
            let ask = ask(text);
            assert!(ask.prompt_tokens_at_most() >= ask.prompt_tokens_about());
            assert!(ask.prompt_tokens_at_most() >= text.len() as u64);
        }
    }
}
