//! The default model's speed beside llama.cpp's, in turn, each run a process of its own.
//!
//! `LLAMA_BENCH=/path/to/llama_bench cargo bench --bench llama_cpp [-- PAIRS]`. The peer is a small program over llama.cpp's
//! library: `llama_bench MODEL.gguf bench PREFILL DECODE REPEATS BATCH CONTEXT`, threads in `NT`, prints
//! `load_s=… pp=… tg=… rss_mib=…` with medians in tokens a second; this program prints the same of ours when its first
//! argument is `ours`. Skipped, saying so, where either the peer or the model is absent.

#![allow(missing_docs, clippy::unwrap_used)]

mod peers;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use logwright::model::pull::DEFAULT_MODEL;
use logwright::model::{DeviceChoice, GenerateSettings, LanguageModel, installed};
use peers::{last_line, median, peak_mib};

/// Prompt to read, tokens to write, repeats within a process, sequences at a time, prompt before what is written.
type Work = [usize; 5];

const WORKS: [(&str, Work); 3] = [
    ("read a prompt of 512", [512, 0, 5, 1, 0]),
    ("write 128 after 128", [0, 128, 3, 1, 128]),
    ("write 8 times 128 after 128", [0, 128, 2, 8, 128]),
];

/// What a process found: seconds to load, tokens read and written a second, most memory in MiB.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    load: f64,
    read: f64,
    written: f64,
    memory: f64,
}

impl Figures {
    fn parse(line: &str) -> Self {
        let field = |name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.unwrap_or_else(|| panic!("no {name} in {line:?}")).parse().unwrap()
        };
        Self { load: field("load_s="), read: field("pp="), written: field("tg="), memory: field("rss_mib=") }
    }
}

fn prompt(sequence: usize, length: usize) -> Vec<u32> {
    (0..length).map(|i| (((sequence * length + i) * 7919 + 13) % 49_000) as u32).collect()
}

/// Seconds from the start to the first token of the last sequence, and from there to the end, and tokens in the latter.
fn generate(model: &LanguageModel, prompts: &[Vec<u32>], n: usize) -> (f64, f64, usize) {
    let settings = GenerateSettings { max_tokens: n, alternatives: 0, batch: prompts.len(), ..Default::default() };
    let start = Instant::now();
    let (mut seen, mut first) = (0, start);
    let traces = model
        .generate(prompts, None, &settings, &mut |_| {
            seen += 1;
            if seen == prompts.len() {
                first = Instant::now();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let written: usize = traces.iter().map(|trace| trace.tokens.len()).sum();
    assert_eq!(written, n * prompts.len(), "a sequence ended early; the figures would flatter");
    ((first - start).as_secs_f64(), first.elapsed().as_secs_f64(), written - prompts.len())
}

fn ours(model: &Path, [read, write, repeats, batch, context]: Work) {
    let start = Instant::now();
    let model = LanguageModel::load(model, &DeviceChoice::Cpu).unwrap();
    let load = start.elapsed().as_secs_f64();
    let (mut reading, mut writing) = (Vec::new(), Vec::new());
    for repeat in 0..=repeats {
        let prompts: Vec<Vec<u32>> = (0..batch).map(|i| prompt(i, read.max(context))).collect();
        let (to_first, rest, written) = generate(&model, &prompts, 1 + write);
        // The first round warms up, as the peer's does.
        if repeat > 0 {
            reading.push((batch * read) as f64 / to_first);
            writing.push(written as f64 / rest);
        }
    }
    let written = if write == 0 { 0.0 } else { median(writing) };
    println!("load_s={load:.3} pp={:.1} tg={written:.1} rss_mib={:.0}", median(reading), peak_mib());
}

fn run(command: &mut Command) -> Figures {
    Figures::parse(&last_line(command))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(("ours", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let work: Vec<usize> = rest[1..].iter().map(|number| number.parse().unwrap()).collect();
        return ours(Path::new(&rest[0]), work.try_into().unwrap());
    }
    let (Some(model), Ok(peer)) = (installed(DEFAULT_MODEL), std::env::var("LLAMA_BENCH")) else {
        println!("skipped: needs `logwright model pull {DEFAULT_MODEL}`, and LLAMA_BENCH set to the peer's program");
        return;
    };
    let pairs: usize = arguments.first().map_or(5, |pairs| pairs.parse().unwrap());
    let file = LanguageModel::load(&model, &DeviceChoice::Cpu).unwrap().path().to_owned();
    let threads = std::thread::available_parallelism().unwrap().to_string();
    println!("{threads} threads, {pairs} pairs; ours / llama.cpp, medians of the pairs' ratios (lowest to highest)");
    for (name, work) in WORKS {
        let numbers = work.map(|number| number.to_string());
        let (mut rate, mut memory, mut load, mut best) = (vec![], vec![], vec![], (0f64, 0f64));
        for _ in 0..pairs {
            let us = run(Command::new(std::env::current_exe().unwrap()).arg("ours").arg(&file).args(&numbers));
            let them = run(Command::new(&peer).arg(&file).arg("bench").args(&numbers).env("NT", &threads));
            let of = |figures: Figures| if work[1] == 0 { figures.read } else { figures.written };
            rate.push(of(us) / of(them));
            memory.push(us.memory / them.memory);
            load.push(us.load);
            best = (best.0.max(of(us)), best.1.max(of(them)));
        }
        let (low, high) = rate.iter().fold((f64::MAX, 0f64), |(low, high), r| (low.min(*r), high.max(*r)));
        println!(
            "{name:<28} {:.2}x ({low:.2} to {high:.2}; best {:.0} against {:.0} tokens/s), memory {:.2}x, load {:.2} s",
            median(rate),
            best.0,
            best.1,
            median(memory),
            median(load)
        );
    }
}
