//! A model in Transformers' layout in GGUF's words: its metadata, and where its tensors go. The inverse of what this room reads.
//!
//! Keys and values are those of llama.cpp's `convert_hf_to_gguf.py`, so that llama.cpp takes the file for one of its own.

pub(crate) mod file;
mod shape;
mod tokens;

use std::fs;
use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use serde_json::Value as Json;

use super::config::Family;
use super::weights::{gguf_name, interleaved_row};
use super::{ModelError, language_model::folder_template};

/// What a GGUF file of a model says beside the weights.
#[derive(Debug)]
pub(crate) struct Description {
    /// Metadata in the order in which it is written; without `general.name`, `general.file_type` and the like.
    pub metadata: Vec<(String, Value)>,
    /// Divisors of the rotary frequencies, llama.cpp's `rope_freqs.weight`: Llama 3's scaling.
    pub divisors: Option<Vec<f32>>,
    /// Values of a head that turn together stand side by side, as llama.cpp has them for its `llama` architecture.
    interleaved: bool,
}

impl Description {
    /// Describes the model in a folder.
    ///
    /// # Errors
    /// When a file is missing or damaged, or says something that GGUF has no word for.
    pub fn of_folder(folder: &Path) -> Result<Self, ModelError> {
        let read = |name: &str| -> Result<Json, ModelError> {
            let path = folder.join(name);
            let bytes = fs::read(&path).map_err(|error| ModelError::file(&path, error))?;
            serde_json::from_slice(&bytes).map_err(|error| ModelError::damaged(&path, error))
        };
        let config = read("config.json")?;
        let refused = |name: &str| {
            let path = folder.join(name);
            move |what: String| ModelError::NoGguf { path, what }
        };
        let shape = shape::of(&folder.join("config.json"), &config)?;
        // Without settings the tokenizer still says enough.
        let settings =
            if folder.join("tokenizer_config.json").exists() { read("tokenizer_config.json")? } else { Json::Null };
        let source = tokens::Source {
            tokenizer: &read("tokenizer.json")?,
            settings: &settings,
            config: &config,
            generation: &read("generation_config.json").unwrap_or_default(),
            template: folder_template(folder),
            vocabulary: shape.vocabulary,
        };
        let mut metadata = shape.metadata;
        metadata.extend(source.metadata().map_err(refused("tokenizer.json"))?);
        let interleaved = matches!(shape.family, Family::Llama | Family::Mistral);
        Ok(Self { metadata, divisors: shape.divisors, interleaved })
    }

    /// GGUF's name of a tensor; `None` where llama.cpp has no use for it (a buffer, not a weight).
    ///
    /// # Errors
    /// When it is a weight that GGUF has no name for.
    pub fn name_of(&self, folder: &Path, tensor: &str) -> Result<Option<String>, ModelError> {
        match gguf_name(tensor) {
            Some(name) => Ok(Some(name)),
            None if tensor.ends_with("rotary_emb.inv_freq") => Ok(None),
            None => Err(ModelError::NoGguf { path: folder.to_owned(), what: format!("the tensor {tensor}") }),
        }
    }

    /// The rows of a tensor where llama.cpp has them: those of queries and keys, `dimension` for each head, may stand otherwise.
    pub fn rows_in_place(&self, tensor: &str, values: Vec<f32>, columns: usize, dimension: usize) -> Vec<f32> {
        let turned = ["q_proj.weight", "k_proj.weight"].iter().any(|end| tensor.ends_with(end));
        if !self.interleaved || !turned {
            return values;
        }
        let mut placed = vec![0f32; values.len()];
        for (row, from) in values.chunks_exact(columns).enumerate() {
            let at = interleaved_row(row, dimension) * columns;
            placed[at..at + columns].copy_from_slice(from);
        }
        placed
    }
}

#[cfg(test)]
mod tests;
