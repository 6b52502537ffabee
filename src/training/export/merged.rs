//! Base and adapter as one model in Transformers' layout: what `AutoModelForCausalLM.from_pretrained` reads.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::copy;
use crate::model::config::Family;
use crate::model::tensor_file::{self, PlainFormat, Planned};
use crate::model::weights::WeightFiles;
use crate::model::{Adapter, LanguageModel, ModelError, Target};
use crate::training::TrainingError;

/// What is beside the weights in a Transformers folder and belongs to the model.
const COMPANIONS: [&str; 9] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
];

/// Writes the folder; gives how many linears the adapter changed.
pub(super) fn write(
    model: &LanguageModel,
    adapter: &Adapter,
    format: PlainFormat,
    out: &Path,
) -> Result<usize, TrainingError> {
    let base = model.path();
    let mut files = if base.is_dir() { WeightFiles::open_safetensors(base) } else { WeightFiles::open_gguf(base) }?;
    // llama.cpp's divisors of the rotary frequencies; Transformers has them in the configuration.
    let of_model = |(name, _): &(String, Vec<usize>)| name != "rope_freqs.weight";
    let tensors: Vec<(String, Vec<usize>)> = files.tensors().into_iter().filter(of_model).collect();
    let plan = |(name, shape): &(String, Vec<usize>)| Planned { name: name.clone(), shape: shape.clone(), format };
    let planned: Vec<Planned> = tensors.iter().map(plan).collect();
    let mut merged = 0;
    tensor_file::write(&out.join("model.safetensors"), &[("format", "pt")], &planned, |tensor| {
        let mut values = files.values(&tensor.name, model.config())?;
        if let Some((layer, target)) = Target::of_weight(&tensor.name)
            && let Some(update) = adapter.update(layer, target)?
        {
            values.iter_mut().zip(update).for_each(|(value, change)| *value += change);
            merged += 1;
        }
        Ok(values)
    })?;

    let (config, tokenizer) = if base.is_dir() {
        for name in COMPANIONS.iter().filter(|name| base.join(name).is_file()) {
            copy(&base.join(name), &out.join(name))?;
        }
        (read_json(&base.join("config.json"))?, None)
    } else {
        let divisors = match tensors.len() == files.tensors().len() {
            true => None,
            false => Some(files.values("rope_freqs.weight", model.config())?),
        };
        let tied = !tensors.iter().any(|(name, _)| name == "lm_head.weight");
        (made_config(model, &files, divisors, tied)?, Some(made_tokenizer(model, &files)))
    };
    write_json(&out.join("config.json"), &in_format(config, format))?;
    if let Some(settings) = tokenizer {
        let path = out.join("tokenizer.json");
        fs::write(&path, model.tokenizer().to_json()?).map_err(|error| TrainingError::file(&path, error))?;
        write_json(&out.join("tokenizer_config.json"), &settings)?;
    }
    Ok(merged)
}

/// The configuration, saying how its numbers are stored now.
fn in_format(mut config: Value, format: PlainFormat) -> Value {
    let name = match format {
        PlainFormat::F32 => "float32",
        PlainFormat::BF16 => "bfloat16",
    };
    for key in ["torch_dtype", "dtype"] {
        if config.get(key).is_some() {
            config[key] = json!(name);
        }
    }
    config
}

/// A `config.json` for a model that came as a GGUF file.
fn made_config(
    model: &LanguageModel,
    files: &WeightFiles,
    divisors: Option<Vec<f32>>,
    tied: bool,
) -> Result<Value, ModelError> {
    let config = model.config();
    let (kind, class) = match config.family {
        Family::Llama => ("llama", "LlamaForCausalLM"),
        Family::Mistral => ("mistral", "MistralForCausalLM"),
        Family::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
        Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
    };
    let number = |key: &str| {
        let of = |name: &str| files.metadata.get(&format!("{name}.{key}")).and_then(|value| value.to_f32().ok());
        of(kind)
            .or_else(|| files.metadata.iter().find(|(name, _)| name.ends_with(key)).and_then(|(_, v)| v.to_f32().ok()))
    };
    let mut json = json!({
        "architectures": [class],
        "model_type": kind,
        "hidden_act": "silu",
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads.query,
        "num_key_value_heads": config.heads.key_value,
        "head_dim": config.heads.dimension,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "rms_norm_eps": shortest(config.norm_epsilon),
        "rope_theta": shortest(number("rope.freq_base").unwrap_or(10_000.0)),
        "tie_word_embeddings": tied,
        "attention_bias": false,
        "mlp_bias": false,
        "eos_token_id": model.tokenizer().eos(),
        "bos_token_id": model.tokenizer().bos(),
        "torch_dtype": "float32",
    });
    if let Some(divisors) = divisors {
        // Llama 3's scaling (Transformers' `llama3`): the largest divisor is its factor, the rest its published defaults.
        let factor = divisors.iter().copied().fold(1.0f32, f32::max);
        json["rope_scaling"] = json!({
            "rope_type": "llama3",
            "factor": shortest(factor),
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        });
    } else if let Some(factor) = number("rope.scaling.factor") {
        json["rope_scaling"] = json!({"rope_type": "linear", "factor": shortest(factor)});
    }
    Ok(json)
}

/// The shortest decimal that means the same single-precision number: 1e-5, not 9.999999747378752e-6.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// A `tokenizer_config.json` for a model that came as a GGUF file.
fn made_tokenizer(model: &LanguageModel, files: &WeightFiles) -> Value {
    use candle_core::quantized::gguf_file::Value as Gguf;
    let mut settings = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.config().context,
        "clean_up_tokenization_spaces": false,
        "eos_token": model.tokenizer().eos_text(),
    });
    if model.tokenizer().bos().is_some() {
        settings["bos_token"] = json!(model.tokenizer().bos_text());
    }
    if let Some(Gguf::String(template)) = files.metadata.get("tokenizer.chat_template") {
        settings["chat_template"] = json!(template);
    }
    settings
}

fn read_json(path: &Path) -> Result<Value, TrainingError> {
    let bytes = fs::read(path).map_err(|error| TrainingError::file(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| TrainingError::damaged(path, error))
}

fn write_json(path: &Path, value: &Value) -> Result<(), TrainingError> {
    fs::write(path, format!("{value:#}\n")).map_err(|error| TrainingError::file(path, error))
}
