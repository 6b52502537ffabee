//! The sentence encoder's throughput beside Sentence Transformers', in turn, each run a process of its own.
//!
//! `SENTENCE_TRANSFORMERS_PYTHON=/path/to/python cargo bench --bench embedding [-- PAIRS]`. The interpreter needs torch and
//! sentence-transformers; `peers/sentence_transformers.py` is called with the model's folder and a file of texts, threads in `NT`,
//! and prints JSON with `texts_s` and `rss_mib`. The texts are made here, one to a few sentences about logs, the same for both.
//! Loading is not timed. Skipped, saying so, where the model is absent; ours runs alone where the peer is.

#![allow(missing_docs, clippy::unwrap_used)]

mod peers;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use logwright::model::Embedder;
use peers::{last_line, median, peak_mib};

const TEXTS: usize = 1_500;
const ROUNDS: usize = 3;

/// Texts a second, and most memory in MiB.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rate: f64,
    memory: f64,
}

/// Texts like analyses and thoughts: 10 to 200 tokens.
fn texts() -> Vec<String> {
    const PARTS: [&str; 8] = [
        "The daemon on the I/O node reports that the peer closed the connection before a reply was read.",
        "Find the stated reason and compare it with the form that an intended close would take.",
        "A corrected memory error is routine; the counter alone says nothing about the module.",
        "machine check interrupt: L2 dcache unit data parity error, rank 7, node R02-M1-N0",
        "Look for a retry or a success in the same entry.",
        "The kernel panics, so the job that ran here is lost and the node restarts.",
        "Is this entry normal or abnormal?",
        "Since nothing says that the operation was tried again, it stayed incomplete and the job has to be restarted.",
    ];
    let text = |i: usize| (0..1 + i * 7919 % 9).map(|j| PARTS[(i * 31 + j * 17) % 8]).collect::<Vec<_>>().join(" ");
    (0..TEXTS).map(|i| format!("{} {}", i * 7919 % 1009, text(i))).collect()
}

fn ours(folder: &Path) {
    let (embedder, texts) = (Embedder::load(folder).unwrap(), texts());
    let mut go_on = |_| ControlFlow::Continue(());
    // A first round warms up, as the peer's does.
    embedder.embed(&texts[..64], &mut go_on).unwrap();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let found = embedder.embed(&texts, &mut go_on).unwrap().unwrap();
        assert_eq!(found.len(), texts.len() * embedder.width());
        rates.push(texts.len() as f64 / start.elapsed().as_secs_f64());
    }
    println!("{{\"texts_s\": {}, \"rss_mib\": {}}}", median(rates), peak_mib());
}

fn run(command: &mut Command) -> Figures {
    let json: serde_json::Value = serde_json::from_str(&last_line(command)).unwrap();
    Figures { rate: json["texts_s"].as_f64().unwrap(), memory: json["rss_mib"].as_f64().unwrap() }
}

fn main() {
    let Some(folder) = Embedder::installed() else {
        println!("skipped: {}", Embedder::how_to_get_it());
        return;
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "ours") {
        return ours(&folder);
    }
    let pairs = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(3usize);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let own = || run(Command::new(std::env::current_exe().unwrap()).arg("ours").env("RAYON_NUM_THREADS", &threads));
    let Some(python) = std::env::var_os("SENTENCE_TRANSFORMERS_PYTHON") else {
        println!("{:?}; no peer: set SENTENCE_TRANSFORMERS_PYTHON", own());
        return;
    };
    let file = std::env::temp_dir().join(format!("logwright-texts-{}.json", std::process::id()));
    std::fs::write(&file, serde_json::to_string(&texts()).unwrap()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/sentence_transformers.py");
    let (mut speed, mut memory, mut best) = (Vec::new(), Vec::new(), (0f64, 0f64));
    for _ in 0..pairs {
        let a = own();
        let b = run(Command::new(&python).arg(&script).arg(&folder).arg(&file).env("NT", &threads));
        println!("ours {a:.1?}\ntheirs {b:.1?}");
        speed.push(a.rate / b.rate);
        memory.push(a.memory / b.memory);
        best = (best.0.max(a.rate), best.1.max(b.rate));
    }
    std::fs::remove_file(&file).unwrap();
    println!(
        "{TEXTS} texts, {threads} threads, {pairs} pairs: {:.2} of their texts/s (best {:.0} and {:.0}), {:.2} of their memory",
        median(speed),
        best.0,
        best.1,
        median(memory)
    );
}
