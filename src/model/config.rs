//! The shape of a Llama-family model, from GGUF metadata or a `config.json`.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use serde_json::Value as Json;

use super::ModelError;
use super::kernels::attention::Heads;
use super::rotary::{Rotary, Scaling, Yarn};

/// The families that the decoder runs; they differ in biases and head norms only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama 1 to 3, SmolLM2, TinyLlama.
    Llama,
    /// Mistral (full attention within its window).
    Mistral,
    /// Qwen2 and Qwen2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: a norm on each head's query and key.
    Qwen3,
}

impl Family {
    /// The family of an architecture name, as GGUF (`general.architecture`) and Transformers (`model_type`) spell it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "llama" | "smollm2" => Self::Llama,
            "mistral" => Self::Mistral,
            "qwen2" => Self::Qwen2,
            "qwen3" => Self::Qwen3,
            _ => return None,
        })
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        })
    }
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: Heads,
    /// Number of token ids.
    pub vocabulary: usize,
    /// Tokens that the model was made to attend to.
    pub context: usize,
    /// ε of the norms.
    pub norm_epsilon: f32,
    /// Radians per position for each pair of a head's dimensions.
    pub inverse_frequencies: Vec<f32>,
    /// What rotated queries and keys are scaled by: 1 but under YaRN.
    pub rotation_scale: f32,
}

impl ModelConfig {
    /// Reads the metadata of a GGUF file.
    pub fn from_gguf(path: &Path, metadata: &HashMap<String, Value>) -> Result<Self, ModelError> {
        let architecture = match metadata.get("general.architecture") {
            Some(Value::String(name)) => name.as_str(),
            _ => return Err(ModelError::damaged(path, "no general.architecture in its metadata")),
        };
        let family = Family::from_name(architecture).ok_or_else(|| ModelError::Unsupported {
            path: path.to_owned(),
            what: format!("architecture {architecture:?}"),
        })?;
        let integer = |key: &str| metadata.get(&format!("{architecture}.{key}")).and_then(gguf_integer);
        let float = |key: &str| metadata.get(&format!("{architecture}.{key}")).and_then(|v| v.to_f32().ok());
        let required = |key: &str| {
            integer(key).ok_or_else(|| ModelError::damaged(path, format!("no {architecture}.{key} in its metadata")))
        };
        let query = required("attention.head_count")?;
        let hidden = required("embedding_length")?;
        let dimension = integer("attention.key_length").unwrap_or(hidden / query.max(1));
        let vocabulary = match (metadata.get("tokenizer.ggml.tokens"), integer("vocab_size")) {
            (Some(Value::Array(tokens)), _) => tokens.len(),
            (_, Some(size)) => size,
            _ => return Err(ModelError::damaged(path, "no vocabulary size in its metadata")),
        };
        let context = required("context_length")?;
        let named = match metadata.get(&format!("{architecture}.rope.scaling.type")) {
            Some(Value::String(kind)) => kind.as_str(),
            _ => "linear",
        };
        let factor = float("rope.scaling.factor").unwrap_or(1.0);
        let scaling = match named {
            "none" => Scaling::None,
            "linear" => Scaling::Linear { factor },
            "yarn" => Scaling::Yarn(Yarn {
                original: integer("rope.scaling.original_context_length").unwrap_or(context) as f32,
                fast: float("rope.scaling.yarn_beta_fast").unwrap_or(Yarn::FAST),
                slow: float("rope.scaling.yarn_beta_slow").unwrap_or(Yarn::SLOW),
                attention: float("rope.scaling.attn_factor").map(|by| by * Yarn::attention(factor)),
                ..Yarn::by(factor)
            }),
            kind => {
                return Err(ModelError::Unsupported { path: path.to_owned(), what: format!("rope scaling {kind:?}") });
            }
        };
        let base = float("rope.freq_base").unwrap_or(10_000.0);
        let Rotary { inverse_frequencies, scale: rotation_scale } = Rotary::new(base, dimension, scaling);
        Self {
            family,
            hidden,
            intermediate: required("feed_forward_length")?,
            layers: required("block_count")?,
            heads: Heads { query, key_value: integer("attention.head_count_kv").unwrap_or(query), dimension },
            vocabulary,
            context: integer("attention.sliding_window").map_or(context, |window| window.min(context)),
            norm_epsilon: float("attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
            inverse_frequencies,
            rotation_scale,
        }
        .checked(path)
    }

    /// Reads the `config.json` of a Transformers folder.
    pub fn from_json(path: &Path, json: &Json) -> Result<Self, ModelError> {
        let kind = json["model_type"].as_str().unwrap_or("(none)");
        let family = Family::from_name(kind)
            .ok_or_else(|| ModelError::Unsupported { path: path.to_owned(), what: format!("model_type {kind:?}") })?;
        let integer = |key: &str| json[key].as_u64().map(|v| v as usize);
        let required = |key: &str| integer(key).ok_or_else(|| ModelError::damaged(path, format!("no {key}")));
        let query = required("num_attention_heads")?;
        let hidden = required("hidden_size")?;
        let dimension = integer("head_dim").unwrap_or(hidden / query.max(1));
        let context = integer("max_position_embeddings").unwrap_or(DEFAULT_CONTEXT);
        let (theta, scaling) =
            rope_of(json, context).map_err(|what| ModelError::Unsupported { path: path.to_owned(), what })?;
        let Rotary { inverse_frequencies, scale: rotation_scale } = Rotary::new(theta, dimension, scaling);
        let window = window_of(json);
        Self {
            family,
            hidden,
            intermediate: required("intermediate_size")?,
            layers: required("num_hidden_layers")?,
            heads: Heads { query, key_value: integer("num_key_value_heads").unwrap_or(query), dimension },
            vocabulary: required("vocab_size")?,
            context: window.map_or(context, |window| window.min(context)),
            norm_epsilon: json["rms_norm_eps"].as_f64().unwrap_or(1e-5) as f32,
            inverse_frequencies,
            rotation_scale,
        }
        .checked(path)
    }

    /// Refuses shapes that no decoder can have.
    fn checked(self, path: &Path) -> Result<Self, ModelError> {
        let Heads { query, key_value, dimension } = self.heads;
        let sensible = [self.hidden, self.intermediate, self.layers, query, key_value, dimension, self.vocabulary]
            .iter()
            .all(|v| (1..=1 << 24).contains(v));
        if !sensible || query % key_value != 0 || dimension % 2 != 0 || self.context == 0 {
            let why = format!("impossible shape: width {}, heads {query}/{key_value}×{dimension}", self.hidden);
            return Err(ModelError::damaged(path, why));
        }
        Ok(self)
    }

    /// Parameters of the layers' linears, the part that a token's forward multiplies with.
    pub fn linear_parameters(&self) -> usize {
        let attention = self.hidden * (2 * self.heads.query_width() + 2 * self.heads.key_value_width());
        self.layers * (attention + 3 * self.hidden * self.intermediate)
    }
}

/// Tokens that a model attends to where its `config.json` does not say.
pub(super) const DEFAULT_CONTEXT: usize = 2048;

/// The base of the rotary frequencies and their scaling, as a `config.json` has them; an error names what is not supported.
pub(super) fn rope_of(json: &Json, context: usize) -> Result<(f32, Scaling), String> {
    // Transformers 5 moved rope_theta and rope_scaling into rope_parameters.
    let parameters = &json["rope_parameters"];
    let theta = json["rope_theta"].as_f64().or(parameters["rope_theta"].as_f64()).unwrap_or(10_000.0);
    let scaling = if json["rope_scaling"].is_object() { &json["rope_scaling"] } else { parameters };
    Ok((theta as f32, Scaling::from_json(scaling, context)?))
}

/// The tokens that a token sees of those before it, where a `config.json` limits them.
pub(super) fn window_of(json: &Json) -> Option<usize> {
    if json["use_sliding_window"] == Json::Bool(false) {
        return None;
    }
    json["sliding_window"].as_u64().map(|window| window as usize)
}

/// Any of GGUF's integer types.
pub(crate) fn gguf_integer(value: &Value) -> Option<usize> {
    match value {
        Value::I32(v) => usize::try_from(*v).ok(),
        Value::I64(v) => usize::try_from(*v).ok(),
        value => value.to_u64().ok().map(|v| v as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn smollm2() -> Json {
        json!({"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
            "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152, "max_position_embeddings": 8192,
            "rope_theta": 100000, "rms_norm_eps": 1e-5})
    }

    #[test]
    fn a_config_json_gives_the_shape() {
        let config = ModelConfig::from_json(Path::new("config.json"), &smollm2()).unwrap();
        assert_eq!(config.heads, Heads { query: 9, key_value: 3, dimension: 64 });
        assert_eq!(config.inverse_frequencies.len(), 32);
        assert!((config.inverse_frequencies[1] - 100_000f32.powf(-1.0 / 32.0)).abs() < 1e-6);
    }

    #[test]
    fn a_sliding_window_limits_the_context() {
        let mut json = smollm2();
        json["sliding_window"] = 4096.into();
        assert_eq!(ModelConfig::from_json(Path::new("config.json"), &json).unwrap().context, 4096);
        json["use_sliding_window"] = false.into();
        assert_eq!(ModelConfig::from_json(Path::new("config.json"), &json).unwrap().context, 8192);
    }

    #[test]
    fn another_architecture_is_named() {
        let mut json = smollm2();
        json["model_type"] = "gpt_neox".into();
        let error = ModelConfig::from_json(Path::new("config.json"), &json).unwrap_err().to_string();
        assert!(error.contains("gpt_neox") && error.contains("not supported"), "{error}");
    }

    #[test]
    fn impossible_heads_are_refused() {
        let mut json = smollm2();
        json["num_key_value_heads"] = 4.into();
        assert!(ModelConfig::from_json(Path::new("config.json"), &json).is_err());
        json["num_key_value_heads"] = 0.into();
        assert!(ModelConfig::from_json(Path::new("config.json"), &json).is_err());
    }
}
