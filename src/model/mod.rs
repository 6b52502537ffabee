//! The language model: weights, tokenizer, chat template, decoder, LoRA, key-value cache, sampler, trace.
//!
//! The room knows nothing of logs, labels or projects: it turns messages into tokens, tokens into tokens, and weighted
//! token sequences into a loss with its gradients. Everything turns around two types:
//!
//! - [`LanguageModel`]: the frozen base – weights, tokenizer, chat template, device. [`LanguageModel::generate`] writes,
//!   [`LanguageModel::loss`] teaches, and both run the same [`decoder`].
//! - [`Adapter`]: the LoRA weights, the only thing that trains; saved in the layout of PEFT.
//!
//! Beside it stands [`Embedder`], a small encoder that turns sentences into points.
//!
//! Sequences are never padded. A batch is a concatenation of rows with a [`decoder::Span`] for each sequence, so a ragged batch gives
//! exactly what its sequences give alone.
//!
//! On the CPU the weights stay as the file has them (quantised or half precision) and are expanded a panel at a time
//! inside [`kernels`], for inference and training alike. On other devices [`portable`] computes in the precision that was asked
//! for, over weights that are dense, or quantised as the file has them.

pub mod adapter;
pub mod cache;
pub mod chat;
pub mod config;
pub mod decoder;
mod device;
mod embedder;
mod error;
mod forward;
pub mod generate;
pub mod gguf;
mod inspect;
pub mod kernels;
mod language_model;
mod loss;
mod memory;
pub mod ops;
mod portable;
mod pre_tokenizer;
pub mod pull;
mod random;
mod raw_layer;
mod rotary;
pub mod sampler;
mod score;
mod sentence_piece;
pub mod tensor_file;
pub mod tokenizer;
pub mod trace;
pub mod weights;

pub use adapter::{Adapter, LoraSettings, Target};
pub use chat::{Message, Role};
pub use config::ModelConfig;
pub use device::{DeviceChoice, DeviceMemory, Precision, default_device};
pub use embedder::{ENCODER_VARIABLE, Embedder, EmbedderInfo, KeptEmbedder, close_pairs};
pub use error::ModelError;
pub use generate::{GenerateSettings, GeneratedToken};
pub use inspect::ModelInfo;
pub use language_model::LanguageModel;
pub use loss::{Activations, LossAndGradients, Sequence, Weigh};
pub use memory::{Footprint, MEMORY_VARIABLE, limit as memory_limit, told_bytes};

pub use pull::{Installed, Progress, PullError, installed, list, models_dir, pull};
pub use sampler::Sampling;
pub use score::Endings;
pub use tokenizer::ModelTokenizer;
pub use trace::{Alternative, Finish, Trace, TraceToken};
