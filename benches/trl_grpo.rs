//! The seconds of a GRPO step on the default model beside TRL's, in turn, each run a process of its own.
//!
//! `TRL_PYTHON=/path/to/python TRL_MODEL=/folder cargo bench --bench trl_grpo [-- PAIRS]`. The peer is `peers/trl_grpo.py` over the
//! same weights as 32-bit floats; ours works on the file as it is, quantised. Both write 8 rollouts of 128 tokens on one prompt of
//! 128, ask the reference, go forward and backward and move a LoRA of rank 8 on all linears. Neither
//! may end a rollout early; a process that wrote fewer tokens fails, since its figure would flatter. Skipped, saying so, where either is absent.

#![allow(missing_docs, clippy::unwrap_used)]

mod peers;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use logwright::model::pull::DEFAULT_MODEL;
use logwright::model::{Adapter, DeviceChoice, LanguageModel, LoraSettings, installed};
use logwright::training::{
    AdamW, Grpo, GrpoSettings, Objective, OptimizerSettings, Prompted, Reference, Reward, RewardSettings,
};
use peers::{last_line, median, peak_mib};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/trl_grpo.py");
const PROMPT: usize = 128;
const ROLLOUTS: usize = 8;
const TOKENS: usize = 128;
/// The first of them warms up.
const STEPS: usize = 3;

/// Seconds of a step, and most memory in MiB.
#[derive(Debug, Clone, Copy)]
struct Figures {
    seconds: f64,
    memory: f64,
}

/// Lines of a log without an end: nothing calls for the end of the text.
fn prompt(model: &LanguageModel) -> Vec<u32> {
    let line = |i: usize| format!("R{i:02}-M{}-N{i} RAS KERNEL INFO instruction cache parity error corrected\n", i % 2);
    let mut tokens = model.tokenizer().encode(&(0..20).map(line).collect::<String>()).unwrap();
    tokens.truncate(PROMPT);
    tokens
}

fn ours(path: &Path) {
    let model = LanguageModel::load(path, &DeviceChoice::Cpu).unwrap();
    let adapter = Adapter::new(&model, &LoraSettings::default()).unwrap();
    let tokens = prompt(&model);
    let settings = GrpoSettings {
        rollouts: ROLLOUTS,
        max_tokens: TOKENS,
        min_tokens: TOKENS,
        temperature: 1.0,
        kl: 0.001,
        ..GrpoSettings::default()
    };
    let (reference, reward) = (Reference::base(&model), Reward::new(&RewardSettings::default()));
    let prompts = vec![Prompted::of_tokens(tokens)];
    let grpo = Grpo::new(model, adapter, reference, settings, reward, prompts, Vec::new(), 0);
    let mut optimizer = AdamW::new(grpo.parameters(), &OptimizerSettings::default()).unwrap();
    let (mut seconds, mut parts) = (Vec::new(), Vec::new());
    for step in 0..STEPS {
        let start = Instant::now();
        assert!(grpo.prepare(step, &[vec![0]], &|| false).unwrap().is_some());
        let rolled_out = start.elapsed().as_secs_f64();
        let part = grpo.loss(&[0], grpo.weight(&[0])).unwrap();
        let differentiated = start.elapsed().as_secs_f64();
        optimizer.step(&part.gradients, 2e-4).unwrap();
        seconds.push(start.elapsed().as_secs_f64());
        parts.push([rolled_out, differentiated - rolled_out]);
        assert_eq!(grpo.tokens(0), ROLLOUTS * (PROMPT + TOKENS), "a rollout ended early; the figures would flatter");
    }
    println!("{}", serde_json::json!({ "seconds": seconds, "rss_mib": peak_mib(), "parts": parts }));
}

fn run(command: &mut Command) -> Figures {
    let json: serde_json::Value = serde_json::from_str(&last_line(command)).unwrap();
    println!("  {json}");
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    if let Some(written) = json["completion_tokens"].as_array() {
        assert_eq!(json["prompt_tokens"].as_f64().unwrap(), PROMPT as f64);
        assert!(written.iter().all(|step| numbers(step) == [TOKENS as f64; ROLLOUTS]), "{written:?}");
    }
    Figures { seconds: median(numbers(&json["seconds"]).split_off(1)), memory: json["rss_mib"].as_f64().unwrap() }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [first, model] = arguments.as_slice()
        && first == "ours"
    {
        return ours(Path::new(model));
    }
    let named = |name: &str| std::env::var(name).ok();
    let (Some(model), Some(python), Some(folder)) = (installed(DEFAULT_MODEL), named("TRL_PYTHON"), named("TRL_MODEL"))
    else {
        println!("skipped: needs `logwright model pull {DEFAULT_MODEL}`, and TRL_PYTHON and TRL_MODEL set");
        return;
    };
    let pairs: usize = arguments.first().map_or(3, |pairs| pairs.parse().unwrap());
    let model = LanguageModel::load(&model, &DeviceChoice::Cpu).unwrap();
    let (file, ids) = (model.path().to_owned(), prompt(&model));
    drop(model);
    let ids = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let threads = std::thread::available_parallelism().unwrap().to_string();
    println!("{threads} threads, {pairs} pairs of {STEPS} steps of {ROLLOUTS}x{TOKENS} after {PROMPT}");
    let (mut faster, mut memory, mut best) = (vec![], vec![], (f64::MAX, f64::MAX));
    for _ in 0..pairs {
        let us = run(Command::new(std::env::current_exe().unwrap()).arg("ours").arg(&file));
        let them = run(Command::new(&python)
            .args([SCRIPT, &folder, "--prompt", &ids, "--kl", "0.001", "--steps", &STEPS.to_string()])
            .args(["--rollouts", &ROLLOUTS.to_string(), "--tokens", &TOKENS.to_string()])
            .env("NT", &threads));
        faster.push(them.seconds / us.seconds);
        memory.push(us.memory / them.memory);
        best = (best.0.min(us.seconds), best.1.min(them.seconds));
    }
    println!(
        "a step: {:.2}x as fast (best {:.2} s against {:.2} s), memory {:.2}x; medians of the ratios",
        median(faster),
        best.0,
        best.1,
        median(memory)
    );
}
