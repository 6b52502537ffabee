//! What can go wrong with a model, each in one line: what, where, what to do.

use std::path::PathBuf;

use super::memory::{Footprint, MEMORY_VARIABLE, told_bytes};

/// An error of the model room.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The path holds neither a GGUF file nor a folder with safetensors.
    #[error("{}: no model here; expected a .gguf file or a folder with config.json and *.safetensors", path.display())]
    NotAModel {
        /// The path that was given.
        path: PathBuf,
    },
    /// The model's file is cut short, malformed or lacks something.
    #[error("{}: {why}; pull the model again or choose another file", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The model is well formed but not one that this decoder runs.
    #[error("{}: {what} is not supported; use a Llama, Qwen2, Qwen3 or Mistral model", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The architecture, tokenizer or format that is not supported.
        what: String,
    },
    /// A model in Transformers' layout that GGUF has no words for, or this program does not know them.
    #[error(
        "{}: {what} cannot be written as a GGUF; export --to merged, and try llama.cpp's convert_hf_to_gguf.py on that",
        path.display()
    )]
    NoGguf {
        /// The file.
        path: PathBuf,
        /// What there is no word for.
        what: String,
    },
    /// The model would not fit into the memory.
    #[error(
        "{}: it needs about {} (weights {}, {tokens} tokens {}) and {} are free; take a smaller model or one in fewer bits, \
         fewer tokens (--max-tokens or a shorter log; data.max_length in a recipe), or set {MEMORY_VARIABLE}=unlimited to try all the same",
        path.display(),
        told_bytes(footprint.total_bytes(*tokens)),
        told_bytes(footprint.weights_bytes),
        told_bytes(footprint.total_bytes(*tokens) - footprint.weights_bytes),
        told_bytes(*available)
    )]
    Memory {
        /// The model's file or folder.
        path: PathBuf,
        /// What it takes.
        footprint: Footprint,
        /// The sequence that it was reckoned for.
        tokens: usize,
        /// Bytes that are free.
        available: u64,
    },
    /// The chat template of the model cannot be parsed or rendered.
    #[error("chat template: {0}")]
    Template(String),
    /// A text cannot be tokenised.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A prompt leaves no room for an answer.
    #[error("prompt of {tokens} tokens does not fit the model's context of {context}; shorten the input")]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that the model can attend to.
        context: usize,
    },
    /// An adapter that was made for another base model, or damaged.
    #[error("{}: {why}", path.display())]
    Adapter {
        /// The adapter's folder or file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// A request that makes no sense, such as an empty batch.
    #[error("{0}")]
    Request(String),
    /// The tensor library refused (out of memory, a lost device, a shape that does not fit).
    #[error("computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}

impl ModelError {
    /// Wraps an I/O error with the path it happened at.
    pub(crate) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    /// A model file that is cut short or malformed.
    pub(crate) fn damaged(path: impl Into<PathBuf>, why: impl std::fmt::Display) -> Self {
        // candle's messages may carry a backtrace on further lines; an error here is one line.
        let why = why.to_string().lines().next().unwrap_or_default().to_owned();
        Self::Damaged { path: path.into(), why }
    }
}
