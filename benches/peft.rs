//! The speed of a LoRA training step on the default model beside PyTorch with PEFT, in turn, each run a process of its own.
//!
//! `PEFT_PYTHON=/path/to/python PEFT_SCRIPT=… PEFT_MODEL=/folder cargo bench --bench peft [-- PAIRS]`. The script is called
//! `SCRIPT MODEL --steps 6 --batch 4 --length 256`, trains rank 8 on all linears of the same weights in 32-bit floats on as many
//! threads as `NT` says, and prints JSON with `tok_s` and `rss_mib`. Ours trains over the file as it is, quantised. Skipped, saying
//! so, where either is absent.

#![allow(missing_docs, clippy::unwrap_used)]

mod peers;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use logwright::model::pull::DEFAULT_MODEL;
use logwright::model::{Activations, Adapter, DeviceChoice, LanguageModel, LoraSettings, Sequence, installed};
use peers::{last_line, median, peak_mib};

const BATCH: usize = 4;
const LENGTH: usize = 256;
const STEPS: usize = 6;

/// Tokens a second, and most memory in MiB.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rate: f64,
    memory: f64,
}

fn ours(model: &Path, activations: Activations) {
    let model = LanguageModel::load(model, &DeviceChoice::Cpu).unwrap();
    let adapter = Adapter::new(&model, &LoraSettings::default()).unwrap();
    let tokens = |i: usize| (0..LENGTH).map(|j| 10 + ((i * LENGTH + j) * 7919 % 40_000) as u32).collect();
    let batch: Vec<Sequence> = (0..BATCH).map(|i| Sequence { tokens: tokens(i), weights: vec![1.0; LENGTH] }).collect();
    let mut seconds = Vec::new();
    for _ in 0..STEPS {
        let start = Instant::now();
        let found = model.loss_with(&batch, &adapter, (BATCH * (LENGTH - 1)) as f32, activations).unwrap();
        assert!(found.loss.is_finite() && !found.gradients.is_empty());
        seconds.push(start.elapsed().as_secs_f64());
    }
    let rate = (BATCH * LENGTH) as f64 / median(seconds.split_off(1));
    println!("{{\"tok_s\": {rate}, \"rss_mib\": {}}}", peak_mib());
}

fn run(command: &mut Command) -> Figures {
    let json: serde_json::Value = serde_json::from_str(&last_line(command)).unwrap();
    Figures { rate: json["tok_s"].as_f64().unwrap(), memory: json["rss_mib"].as_f64().unwrap() }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [first, model, activations] = arguments.as_slice()
        && first == "ours"
    {
        let recompute = activations == "recompute";
        return ours(Path::new(model), if recompute { Activations::Recompute } else { Activations::Keep });
    }
    let named = |name: &str| std::env::var(name).ok();
    let (Some(model), Some(python), Some(script), Some(folder)) =
        (installed(DEFAULT_MODEL), named("PEFT_PYTHON"), named("PEFT_SCRIPT"), named("PEFT_MODEL"))
    else {
        println!(
            "skipped: needs `logwright model pull {DEFAULT_MODEL}`, and PEFT_PYTHON, PEFT_SCRIPT and PEFT_MODEL set"
        );
        return;
    };
    let pairs: usize = arguments.first().map_or(3, |pairs| pairs.parse().unwrap());
    let file = LanguageModel::load(&model, &DeviceChoice::Cpu).unwrap().path().to_owned();
    let threads = std::thread::available_parallelism().unwrap().to_string();
    println!(
        "{threads} threads, {pairs} pairs of {STEPS} steps of {BATCH}x{LENGTH}; ours / PEFT, medians of the ratios"
    );
    for activations in ["keep", "recompute"] {
        let (mut rate, mut memory, mut best) = (vec![], vec![], (0f64, 0f64));
        for _ in 0..pairs {
            let us = run(Command::new(std::env::current_exe().unwrap()).arg("ours").arg(&file).arg(activations));
            let them = run(Command::new(&python)
                .args([&script, &folder])
                .args(["--steps", &STEPS.to_string(), "--batch", &BATCH.to_string(), "--length", &LENGTH.to_string()])
                .env("NT", &threads));
            rate.push(us.rate / them.rate);
            memory.push(us.memory / them.memory);
            best = (best.0.max(us.rate), best.1.max(them.rate));
        }
        println!(
            "{activations:<10} {:.2}x (best {:.0} against {:.0} tokens/s), memory {:.2}x",
            median(rate),
            best.0,
            best.1,
            median(memory)
        );
    }
}
