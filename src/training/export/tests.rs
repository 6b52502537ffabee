//! Exports are read back by our own loader: what the merged model says is what base and adapter say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::*;
use crate::model::weights::{WeightFiles, interleaved_row};
use crate::model::{LoraSettings, Message, ModelConfig, Role};

const TOKENS: [u32; 12] = [5, 80, 33, 200, 17, 99, 256, 4, 61, 61, 120, 7];

fn tiny(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(family)
}

fn load(path: &Path) -> LanguageModel {
    LanguageModel::load(path, &DeviceChoice::Cpu).unwrap()
}

/// A run whose adapter changes what the model says, and the model.
fn run_over(base: &Path, folder: &Path) -> (RunFolder, LanguageModel, Adapter) {
    let model = load(base);
    let settings = LoraSettings { rank: 4, rank_stabilized: true, ..LoraSettings::default() };
    let adapter = Adapter::new(&model, &settings).unwrap();
    for (at, (_, var)) in adapter.parameters().iter().enumerate().filter(|(_, (name, _))| name.contains("lora_B")) {
        let n = var.elem_count();
        let values: Vec<f32> = (0..n).map(|i| ((i * 37 + at * 11) % 23) as f32 / 230.0 - 0.05).collect();
        var.set(&Tensor::from_vec(values, var.shape(), var.device()).unwrap()).unwrap();
    }
    let run = RunFolder::at(folder.join("run"));
    adapter.save(&run.adapter_dir()).unwrap();
    (run, model, adapter)
}

fn logits(model: &LanguageModel, adapter: Option<&Adapter>) -> Vec<f32> {
    model.logits(&TOKENS, adapter).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The tiny Llama as llama.cpp would have it: its names, its row order, its tokenizer.
fn tiny_gguf(path: &Path) {
    let base = tiny("llama");
    let config_json = serde_json::from_slice(&fs::read(base.join("config.json")).unwrap()).unwrap();
    let config = ModelConfig::from_json(&base, &config_json).unwrap();
    let mut files = WeightFiles::open_safetensors(&base).unwrap();
    let renamed = |name: &str| {
        let parts = [
            ("model.embed_tokens", "token_embd"),
            ("model.norm", "output_norm"),
            ("model.layers.", "blk."),
            ("self_attn.q_proj", "attn_q"),
            ("self_attn.k_proj", "attn_k"),
            ("self_attn.v_proj", "attn_v"),
            ("self_attn.o_proj", "attn_output"),
            ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"),
            ("mlp.down_proj", "ffn_down"),
            ("input_layernorm", "attn_norm"),
            ("post_attention_layernorm", "ffn_norm"),
        ];
        parts.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
    };
    let tensors: Vec<(String, QTensor)> = files
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let mut values = files.values(&name, &config).unwrap();
            if name.contains("q_proj") || name.contains("k_proj") {
                let (rows, columns) = (shape[0], shape[1]);
                let plain = values.clone();
                for row in 0..rows {
                    let to = interleaved_row(row, config.heads.dimension) * columns;
                    values[to..to + columns].copy_from_slice(&plain[row * columns..(row + 1) * columns]);
                }
            }
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            (renamed(&name), QTensor::quantize(&tensor, GgmlDType::F32).unwrap())
        })
        .collect();
    let tokenizer: serde_json::Value = serde_json::from_slice(&fs::read(base.join("tokenizer.json")).unwrap()).unwrap();
    let mut tokens: BTreeMap<u64, String> = BTreeMap::new();
    for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
        tokens.insert(id.as_u64().unwrap(), token.clone());
    }
    for added in tokenizer["added_tokens"].as_array().unwrap() {
        tokens.insert(added["id"].as_u64().unwrap(), added["content"].as_str().unwrap().to_owned());
    }
    let control = |id: &u64| Value::I32(if *id >= 256 { 3 } else { 1 });
    let metadata = [
        ("general.architecture", Value::String("llama".into())),
        ("general.file_type", Value::U32(0)),
        ("llama.attention.head_count", Value::U32(4)),
        ("llama.attention.head_count_kv", Value::U32(2)),
        ("llama.attention.key_length", Value::U32(8)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-6)),
        ("llama.block_count", Value::U32(2)),
        ("llama.context_length", Value::U32(256)),
        ("llama.embedding_length", Value::U32(32)),
        ("llama.feed_forward_length", Value::U32(64)),
        ("tokenizer.ggml.model", Value::String("gpt2".into())),
        ("tokenizer.ggml.pre", Value::String("gpt-2".into())),
        ("tokenizer.ggml.token_type", Value::Array(tokens.keys().map(control).collect())),
        ("tokenizer.ggml.tokens", Value::Array(tokens.values().map(|token| Value::String(token.clone())).collect())),
        ("tokenizer.ggml.merges", Value::Array(Vec::new())),
        ("tokenizer.ggml.eos_token_id", Value::U32(258)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

#[test]
fn a_merged_folder_says_what_base_and_adapter_say_in_every_family() {
    for family in ["llama", "llama3", "mistral", "qwen2", "qwen3"] {
        let folder = tempfile::tempdir().unwrap();
        let (run, model, adapter) = run_over(&tiny(family), folder.path());
        let out = folder.path().join("merged");
        let exported = export(&run, ExportKind::Merged(PlainFormat::F32), &tiny(family), &out).unwrap();
        assert_eq!(exported.merged_linears, 2 * 7, "{family}");
        let expected = logits(&model, Some(&adapter));
        let merged = load(&out);
        assert!(largest_difference(&expected, &logits(&model, None)) > 0.1, "{family}: the adapter does nothing");
        let difference = largest_difference(&expected, &logits(&merged, None));
        assert!(difference < 1e-4, "{family}: {difference}");
        assert_eq!(merged.tokenizer().encode("panic <*>").unwrap(), model.tokenizer().encode("panic <*>").unwrap());
    }
}

#[test]
fn a_merged_gguf_says_what_base_and_adapter_say() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("tiny.gguf");
    tiny_gguf(&base);
    let (run, model, adapter) = run_over(&base, folder.path());
    // The file is the model it was made of, rows turned and back.
    assert!(largest_difference(&logits(&model, None), &logits(&load(&tiny("llama")), None)) < 1e-5);
    let expected = logits(&model, Some(&adapter));
    let spread = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (format, tolerance) in [(GgufFormat::F32, 1e-4), (GgufFormat::F16, 0.02), (GgufFormat::Q8_0, 0.05)] {
        let out = folder.path().join(format!("{format:?}.gguf"));
        let exported = export(&run, ExportKind::Gguf(format), &base, &out).unwrap();
        assert_eq!(exported.merged_linears, 2 * 7);
        let difference = largest_difference(&expected, &logits(&load(&out), None));
        println!("{format:?}: {difference} of {spread}");
        assert!(difference < tolerance * spread.max(1.0), "{format:?}: {difference} of {spread}");
    }
    // And from the GGUF to a folder for Transformers, its tokenizer and configuration made from the metadata.
    let out = folder.path().join("merged");
    export(&run, ExportKind::Merged(PlainFormat::F32), &base, &out).unwrap();
    let merged = load(&out);
    assert!(largest_difference(&expected, &logits(&merged, None)) < 1e-4);
    assert_eq!(
        merged.tokenizer().encode("a log <|im_end|>").unwrap(),
        model.tokenizer().encode("a log <|im_end|>").unwrap()
    );
    assert_eq!(merged.tokenizer().eos(), model.tokenizer().eos());
}

#[test]
fn a_gguf_made_of_a_folder_says_what_the_merged_folder_says_in_every_family() {
    for family in ["llama", "llama3", "mistral", "qwen2", "qwen2-yarn", "qwen3"] {
        let folder = tempfile::tempdir().unwrap();
        let (run, model, _) = run_over(&tiny(family), folder.path());
        let made = |kind: ExportKind, name: &str| {
            let out = folder.path().join(name);
            assert_eq!(export(&run, kind, &tiny(family), &out).unwrap().merged_linears, 2 * 7, "{family}");
            load(&out)
        };
        let merged = made(ExportKind::Merged(PlainFormat::F32), "merged");
        let whole = made(ExportKind::Gguf(GgufFormat::F32), "f32.gguf");
        // Nothing is rounded but Llama 3's angles, which a GGUF holds as divisors, and YaRN's scale.
        let expected = logits(&merged, None);
        let difference = largest_difference(&expected, &logits(&whole, None));
        let allowed = if matches!(family, "llama3" | "qwen2-yarn") { 1e-4 } else { 0.0 };
        assert!(difference <= allowed, "{family}: {difference}");
        let spread = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
        for (format, tolerance) in [(GgufFormat::F16, 0.01), (GgufFormat::Q8_0, 0.1), (GgufFormat::Keep, 0.05)] {
            let name = format!("{format:?}.gguf");
            let difference = largest_difference(&expected, &logits(&made(ExportKind::Gguf(format), &name), None));
            assert!(difference < tolerance * spread, "{family} {format:?}: {difference} of {spread}");
        }
        for text in ["panic <*>", "disk 12 failed\n\tat 0x1f <|im_end|>", "h\u{e9}llo \u{65e5}\u{672c}", ""] {
            assert_eq!(whole.tokenizer().encode(text).unwrap(), model.tokenizer().encode(text).unwrap(), "{text:?}");
        }
        let chat = [Message::new(Role::User, "fan 3 failed")];
        assert_eq!(whole.encode_chat(&chat, true).unwrap(), model.encode_chat(&chat, true).unwrap(), "{family}");
        assert_eq!(whole.tokenizer().eos(), model.tokenizer().eos(), "{family}");
    }
}

#[test]
fn a_peft_folder_names_its_base_as_the_hub_does_and_old_ones_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (run, model, adapter) = run_over(&tiny("llama"), folder.path());
    let base_of = |path: &Path| -> String {
        let config: serde_json::Value = serde_json::from_slice(&fs::read(path.join(CONFIG)).unwrap()).unwrap();
        config["base_model_name_or_path"].as_str().unwrap().to_owned()
    };
    for (at, (model_name, expected)) in [
        (None, "llama"),
        (Some("smollm2-135m"), "HuggingFaceTB/SmolLM2-135M-Instruct"),
        (Some("Qwen/Qwen2.5-1.5B-Instruct"), "Qwen/Qwen2.5-1.5B-Instruct"),
        (Some("/models/own"), "llama"),
    ]
    .into_iter()
    .enumerate()
    {
        let recipe = crate::training::Recipe { model: model_name.map(str::to_owned), ..Default::default() };
        run.write_recipe(&recipe).unwrap();
        let out = folder.path().join(format!("peft-{at}"));
        export(&run, ExportKind::Peft, Path::new(""), &out).unwrap();
        assert_eq!(base_of(&out), expected);
        // The name is for others: here the fingerprint tells whose it is.
        let read = Adapter::load(&out, &model).unwrap();
        assert_eq!(logits(&model, Some(&read)), logits(&model, Some(&adapter)));
    }
}

#[test]
fn what_is_there_is_not_written_over_and_a_failure_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (run, ..) = run_over(&tiny("llama"), folder.path());
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    assert!(export(&run, ExportKind::Peft, &tiny("llama"), &out).unwrap_err().to_string().contains("--out"));
    let other = folder.path().join("other");
    let error = export(&run, ExportKind::Merged(PlainFormat::BF16), &tiny("qwen3"), &other).unwrap_err();
    assert!(error.to_string().contains("made for llama"), "{error}");
    let odd = folder.path().join("odd");
    fs::create_dir(&odd).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(tiny("llama").join(name), odd.join(name)).unwrap();
    }
    let text = fs::read_to_string(odd.join("tokenizer.json")).unwrap();
    fs::write(odd.join("tokenizer.json"), text.replace("\"use_regex\":true", "\"use_regex\":false")).unwrap();
    let error = export(&run, ExportKind::Gguf(GgufFormat::Q8_0), &odd, &other).unwrap_err().to_string();
    assert!(error.contains("cuts text in a way of its own") && error.contains("convert_hf_to_gguf"), "{error}");
    assert!(!other.exists() && !folder.path().join("other.partial").exists());
    export(&run, ExportKind::Peft, &tiny("llama"), &other).unwrap();
    assert_eq!(
        fs::read(other.join("adapter_model.safetensors")).unwrap(),
        fs::read(run.adapter_dir().join("adapter_model.safetensors")).unwrap()
    );
}
