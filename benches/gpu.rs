//! LoRA training steps of random models in the shapes of Qwen2.5-1.5B and Llama-3.1-8B on a GPU, beside PyTorch with PEFT, in turn,
//! each run a process of its own.
//!
//! `PEFT_PYTHON=/path/to/python cargo bench --features cuda --bench gpu [-- PAIRS]`; without `PEFT_PYTHON` ours alone.
//! `GPU_SHAPES=1.5b,8b` chooses shapes, `GPU_DEVICE=cuda:0:bf16` the device, and `GPU_PEAK=989` says how many bf16 TFLOP/s of
//! dense products the GPU is made for. The weights go into the system's folder for temporary files (3 and 16 GB).
//! Skipped, saying so, where there is no GPU; `GPU_SHAPES=small GPU_DEVICE=cpu:bf16` tries the benchmark itself without one.

#![allow(missing_docs, clippy::unwrap_used)]

mod peers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use logwright::model::tensor_file::{self, PlainFormat, Planned};
use logwright::model::{Activations, Adapter, DeviceChoice, LanguageModel, LoraSettings, Sequence};
use peers::{last_line, median};
use serde_json::{Value, json};

const STEPS: usize = 8;
/// What an H200's data sheet says of dense bf16 products, in TFLOP/s.
const PEAK: f64 = 989.0;

/// The shape of a Llama-family model, and what a step of it trains on.
struct Shape {
    name: &'static str,
    hidden: usize,
    intermediate: usize,
    layers: usize,
    heads: usize,
    key_value_heads: usize,
    vocabulary: usize,
    batch: usize,
    length: usize,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "small",
        hidden: 128,
        intermediate: 256,
        layers: 2,
        heads: 4,
        key_value_heads: 2,
        vocabulary: 512,
        batch: 2,
        length: 64,
    },
    Shape {
        name: "1.5b",
        hidden: 1536,
        intermediate: 8960,
        layers: 28,
        heads: 12,
        key_value_heads: 2,
        vocabulary: 151_936,
        batch: 16,
        length: 512,
    },
    Shape {
        name: "8b",
        hidden: 4096,
        intermediate: 14_336,
        layers: 32,
        heads: 32,
        key_value_heads: 8,
        vocabulary: 128_256,
        batch: 8,
        length: 512,
    },
];

impl Shape {
    /// Name and shape of every matrix and norm, the head tied to the embedding.
    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let head = self.hidden / self.heads;
        let narrow = self.key_value_heads * head;
        let mut all = vec![
            ("model.embed_tokens.weight".to_owned(), vec![self.vocabulary, self.hidden]),
            ("model.norm.weight".to_owned(), vec![self.hidden]),
        ];
        for layer in 0..self.layers {
            let parts = [
                ("input_layernorm", vec![self.hidden]),
                ("post_attention_layernorm", vec![self.hidden]),
                ("self_attn.q_proj", vec![self.hidden, self.hidden]),
                ("self_attn.k_proj", vec![narrow, self.hidden]),
                ("self_attn.v_proj", vec![narrow, self.hidden]),
                ("self_attn.o_proj", vec![self.hidden, self.hidden]),
                ("mlp.gate_proj", vec![self.intermediate, self.hidden]),
                ("mlp.up_proj", vec![self.intermediate, self.hidden]),
                ("mlp.down_proj", vec![self.hidden, self.intermediate]),
            ];
            all.extend(parts.map(|(part, shape)| (format!("model.layers.{layer}.{part}.weight"), shape)));
        }
        all
    }

    /// Floating-point operations of a step: 2 for each weight and token forward, 2 back to the inputs; frozen weights get no
    /// gradient, and LoRA's and attention's own are left out.
    fn operations(&self) -> f64 {
        let weights: usize =
            self.tensors().iter().filter(|(_, shape)| shape.len() == 2).map(|(_, shape)| shape[0] * shape[1]).sum();
        4.0 * weights as f64 * (self.batch * self.length) as f64
    }

    /// A folder in Transformers' layout with random weights.
    fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama");
        for file in ["tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(tiny.join(file), folder.join(file)).unwrap();
        }
        let config = json!({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
            "hidden_size": self.hidden, "intermediate_size": self.intermediate, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads, "num_key_value_heads": self.key_value_heads,
            "vocab_size": self.vocabulary, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
            "rope_theta": 10_000.0, "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2
        });
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let path = folder.join("model.safetensors");
        if path.exists() {
            return;
        }
        let plan = |(name, shape)| Planned { name, shape, format: PlainFormat::BF16 };
        let planned: Vec<Planned> = self.tensors().into_iter().map(plan).collect();
        tensor_file::write(&path, &[("format", "pt")], &planned, |tensor| {
            let n = tensor.shape.iter().product::<usize>() as u32;
            if tensor.shape.len() == 1 {
                return Ok(vec![1.0; n as usize]);
            }
            let drawn = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5;
            Ok((0..n).map(|i| 0.06 * drawn(i)).collect())
        })
        .unwrap();
    }
}

/// Steps of ours, optimiser left out as on the peer's side.
fn ours(shape: &Shape, folder: &Path, device: DeviceChoice) {
    let model = LanguageModel::load(folder, &device).unwrap();
    if let Some(note) = model.note() {
        println!("{}", json!({ "skipped": note }));
        return;
    }
    let adapter = Adapter::new(&model, &LoraSettings::default()).unwrap();
    let token = |i: usize| 10 + (i * 7919 % (shape.vocabulary - 20)) as u32;
    let sequence = |s: usize| Sequence {
        tokens: (0..shape.length).map(|i| token(s * shape.length + i)).collect(),
        weights: vec![1.0; shape.length],
    };
    let batch: Vec<Sequence> = (0..shape.batch).map(sequence).collect();
    let mut seconds = Vec::new();
    for _ in 0..STEPS {
        let start = Instant::now();
        let normaliser = (shape.batch * (shape.length - 1)) as f32;
        let found = model.loss_with(&batch, &adapter, normaliser, Activations::Auto).unwrap();
        // Reading one number waits for all that was asked of the device.
        let last = found.gradients.first().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(found.loss.is_finite() && last.is_finite());
        seconds.push(start.elapsed().as_secs_f64());
    }
    let memory = model.device_memory().map_or_else(peers::peak_mib, |memory| (memory.used() >> 20) as f64);
    let rate = (shape.batch * shape.length) as f64 / median(seconds.split_off(2));
    println!("{}", json!({ "tok_s": rate, "memory_mib": memory }));
}

fn main() {
    let named = |name: &str| std::env::var(name).ok();
    let device: DeviceChoice = named("GPU_DEVICE").unwrap_or_else(|| "cuda:0:bf16".into()).parse().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let shape_of = |name: &str| SHAPES.iter().find(|shape| shape.name == name).unwrap();
    if let [first, name, folder] = arguments.as_slice()
        && first == "ours"
    {
        return ours(shape_of(name), Path::new(folder), device);
    }
    if matches!(device, DeviceChoice::Cuda(..)) && !candle_core::utils::cuda_is_available() {
        println!("skipped: no CUDA device (this build has no CUDA support)");
        return;
    }
    let pairs: usize = arguments.first().map_or(3, |pairs| pairs.parse().unwrap());
    let peak = named("GPU_PEAK").map_or(PEAK, |peak| peak.parse().unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/peft_gpu.py");
    for name in named("GPU_SHAPES").unwrap_or_else(|| "1.5b,8b".into()).split(',') {
        let shape = shape_of(name);
        let folder: PathBuf = std::env::temp_dir().join(format!("logwright-gpu-{name}"));
        shape.write(&folder);
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let us: Value = serde_json::from_str(&last_line(command.args(["ours", name]).arg(&folder))).unwrap();
            if let Some(why) = us["skipped"].as_str() {
                println!("skipped: no CUDA device ({why})");
                return;
            }
            let rate = us["tok_s"].as_f64().unwrap();
            rates.push(rate);
            let Some(python) = named("PEFT_PYTHON") else { continue };
            let (batch, length, steps) = (shape.batch.to_string(), shape.length.to_string(), STEPS.to_string());
            let them = last_line(Command::new(python).arg(&script).arg(&folder).args([batch, length, steps]));
            let them: Value = serde_json::from_str(&them).unwrap();
            ratios.push(rate / them["tok_s"].as_f64().unwrap());
        }
        let rate = median(rates);
        let reached = rate / (shape.batch * shape.length) as f64 * shape.operations() / 1e12;
        println!(
            "{name}: {}x{} tokens a step on {device}: {rate:.0} tokens/s, {reached:.0} TFLOP/s, {:.0} % of {peak}",
            shape.batch,
            shape.length,
            100.0 * reached / peak
        );
        match ratios.is_empty() {
            true => println!("{name}: PEFT left out (no PEFT_PYTHON)"),
            false => println!("{name}: {:.2} times PEFT's rate, median of {pairs} pairs", median(ratios)),
        }
    }
}
