//! What a model is, read from the heads of its files: nothing of it is loaded, so that it may be larger than the memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::ModelError;
use super::language_model::Source;
use super::memory::Footprint;

/// What a model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// The family: llama, mistral, qwen2 or qwen3.
    pub family: String,
    /// Number of layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of token ids.
    pub vocabulary: usize,
    /// Tokens that it was made to attend to.
    pub context: usize,
    /// Number of weights.
    pub parameters: u64,
    /// Weights by the format that they are stored in.
    pub formats: BTreeMap<&'static str, u64>,
    /// What it takes of the memory.
    pub memory: Footprint,
}

impl ModelInfo {
    /// Reads what the model at a path is: a GGUF file, a folder that holds one, or a folder in Transformers' layout.
    ///
    /// # Errors
    /// When there is none, it is damaged, or it is not one that this decoder runs.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let Source { config, files, .. } = Source::open(path)?;
        let mut formats = BTreeMap::new();
        for (format, weights) in files.formats() {
            *formats.entry(format.name()).or_default() += weights;
        }
        Ok(Self {
            family: config.family.to_string(),
            layers: config.layers,
            hidden: config.hidden,
            vocabulary: config.vocabulary,
            context: config.context,
            parameters: formats.values().sum(),
            formats,
            memory: Footprint::of(&config, files.bytes()),
        })
    }
}
