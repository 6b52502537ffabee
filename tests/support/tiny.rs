//! The tiny random models of `tests/fixtures/tiny`, and what other programs say of them.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::path::PathBuf;

use logwright::model::Sequence;
use serde_json::Value;

pub const FAMILIES: [&str; 6] = ["llama", "llama3", "mistral", "qwen2", "qwen3", "qwen2-yarn"];

/// Those that are there as GGUF too, as llama.cpp's converter would write them.
pub const IN_GGUF: [&str; 3] = ["llama3", "qwen2-yarn", "qwen3"];

pub fn folder(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(family)
}

pub fn expected(family: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder(family).join("expected.json")).unwrap()).unwrap()
}

pub fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

pub fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

pub fn gguf(name: &str) -> PathBuf {
    folder(&format!("{name}.gguf"))
}

pub fn in_gguf() -> Value {
    serde_json::from_slice(&std::fs::read(folder("gguf.json")).unwrap()).unwrap()
}

/// A ragged batch: tokens, and the first of them that is learned.
pub fn lora_batch(expected: &Value) -> Vec<Sequence> {
    let sequence = |entry: &Value| {
        let tokens = ids(&entry["tokens"]);
        let start = entry["start"].as_u64().unwrap() as usize;
        let weights = (0..tokens.len()).map(|i| if i >= start { 1.0 } else { 0.0 }).collect();
        Sequence { tokens, weights }
    };
    expected["lora"]["batch"].as_array().unwrap().iter().map(sequence).collect()
}

pub fn weight_sum(batch: &[Sequence]) -> f32 {
    batch.iter().flat_map(|s| &s.weights).sum()
}
