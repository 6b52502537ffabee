//! A `config.json` in GGUF's words.

use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use serde_json::Value as Json;

use crate::model::ModelError;
use crate::model::config::{DEFAULT_CONTEXT, Family, ModelConfig, rope_of, window_of};
use crate::model::rotary::{Scaling, Yarn, frequencies};

/// The shape of a model.
pub(super) struct Shape {
    pub family: Family,
    pub vocabulary: usize,
    pub metadata: Vec<(String, Value)>,
    pub divisors: Option<Vec<f32>>,
}

/// Reads the shape; `path` is the file's, for messages.
pub(super) fn of(path: &Path, json: &Json) -> Result<Shape, ModelError> {
    let refused = |what: String| ModelError::NoGguf { path: path.to_owned(), what };
    let config = ModelConfig::from_json(path, json)?;
    let family = config.family;
    // llama.cpp runs Mistral as the Llama that it is.
    let architecture = match family {
        Family::Llama | Family::Mistral => "llama",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    };
    let context = json["max_position_embeddings"].as_u64().map_or(DEFAULT_CONTEXT, |context| context as usize);
    let (theta, scaling) = rope_of(json, context).map_err(refused)?;
    let heads = config.heads;
    let mut metadata = vec![
        ("general.architecture".to_owned(), Value::String(architecture.to_owned())),
        ("general.type".to_owned(), Value::String("model".to_owned())),
    ];
    let mut add = |key: &str, value: Value| metadata.push((format!("{architecture}.{key}"), value));
    let count = |n: usize| Value::U32(n as u32);
    add("block_count", count(config.layers));
    add("context_length", count(context));
    add("embedding_length", count(config.hidden));
    add("feed_forward_length", count(config.intermediate));
    add("attention.head_count", count(heads.query));
    add("attention.head_count_kv", count(heads.key_value));
    add("attention.key_length", count(heads.dimension));
    add("attention.value_length", count(heads.dimension));
    if let Some(window) = window_of(json) {
        add("attention.sliding_window", count(window));
    }
    add("attention.layer_norm_rms_epsilon", Value::F32(config.norm_epsilon));
    add("vocab_size", count(config.vocabulary));
    add("rope.dimension_count", count(heads.dimension));
    add("rope.freq_base", Value::F32(theta));
    let mut divisors = None;
    match scaling {
        Scaling::None => {}
        Scaling::Linear { factor } => {
            add("rope.scaling.type", Value::String("linear".to_owned()));
            add("rope.scaling.factor", Value::F32(factor));
        }
        Scaling::Llama3 { .. } if architecture != "llama" => {
            return Err(ModelError::NoGguf {
                path: path.to_owned(),
                what: format!("Llama 3's rope scaling in {family}"),
            });
        }
        Scaling::Llama3 { .. } => {
            let plain = frequencies(theta, heads.dimension);
            divisors =
                Some(plain.iter().zip(&config.inverse_frequencies).map(|(plain, scaled)| plain / scaled).collect());
        }
        Scaling::Yarn(Yarn { truncate: false, .. }) => {
            return Err(ModelError::NoGguf { path: path.to_owned(), what: "YaRN with truncate = false".to_owned() });
        }
        Scaling::Yarn(yarn) => {
            add("rope.scaling.type", Value::String("yarn".to_owned()));
            add("rope.scaling.factor", Value::F32(yarn.factor));
            add("rope.scaling.original_context_length", count(yarn.original as usize));
            add("rope.scaling.yarn_beta_fast", Value::F32(yarn.fast));
            add("rope.scaling.yarn_beta_slow", Value::F32(yarn.slow));
            if let Some(attention) = yarn.attention {
                // llama.cpp multiplies with the paper's own scale.
                add("rope.scaling.attn_factor", Value::F32(attention / Yarn::attention(yarn.factor)));
            }
        }
    }
    Ok(Shape { family, vocabulary: config.vocabulary, metadata, divisors })
}
