//! A run that is killed at any moment – the real program, by a signal that it cannot see – goes on to the bits of one that
//! was not.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::Project;

const STEPS: usize = 60;

/// Six rationales of unequal length, so that batches differ and their order matters.
fn rationales() -> String {
    let one = |i: usize| {
        let (label, input) = if i.is_multiple_of(2) { ("abnormal", "panic at") } else { ("normal", "ready on") };
        let reasoning = format!("<think>1. {}</think><answer>{label}</answer>", "so. ".repeat(1 + i));
        let row = serde_json::json!({
            "id": format!("r-{i}"), "task": "parsing", "instruction": "Say.", "input": format!("{input} {i}"),
            "label": label, "reasoning": reasoning,
        });
        format!("{row}\n")
    };
    (0..6).map(one).collect()
}

/// Dropout, held-out logs and a moving rate, so that all that is drawn or remembered must come back.
const RECIPE: &str = "
[lora]
rank = 4
dropout = 0.2
rank_stabilized = true

[data]
batch = 2
accumulation = 2
dev_fraction = 0.2

[optimizer]
learning_rate = 1e-2
warmup_steps = 7
weight_decay = 0.01

[length]
save_every = 3
";

fn model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama").display().to_string()
}

fn project() -> Project {
    let project = Project::empty();
    project.write("rationales.jsonl", rationales().as_bytes());
    project.write("recipe.toml", RECIPE.as_bytes());
    for args in [&["import", "rationales", "rationales.jsonl"][..], &["review", "accept", "--all"]] {
        let output = project.run(args);
        assert_eq!(output.code, 0, "{}", output.stderr);
    }
    project
}

/// Starts the program and does not wait for it.
fn spawn(project: &Project, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_logwright"))
        .args(args)
        .args(["--model", &model()])
        .current_dir(project.path("."))
        .env_remove("LOGWRIGHT_PROJECT")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn train<'a>(out: &'a str, steps: &'a str) -> [&'a str; 8] {
    ["train", "sft", "--recipe", "recipe.toml", "--steps", steps, "--out", out]
}

fn lines(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn partial_checkpoint(run: &Path) -> bool {
    let Ok(entries) = fs::read_dir(run) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".partial") && entry.path().is_dir())
}

/// Waits until `ready` holds or the child is over, then kills it.
fn kill_when(child: &mut Child, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() && child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(120), "the run did not get there");
    }
    // Signal 9, which no process can catch.
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a run came to: its weights as they lie in the file, and each step without its seconds.
fn outcome(run: &Path) -> (Vec<u8>, Vec<String>) {
    let weights = fs::read(run.join("adapter/adapter_model.safetensors")).unwrap();
    let step = |mut record: Value| {
        let record = record.as_object_mut().unwrap();
        record.retain(|key, _| key != "seconds" && key != "tokens_per_second");
        serde_json::to_string(record).unwrap()
    };
    (weights, lines(run).into_iter().map(step).collect())
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bits() {
    let project = project();
    let steps = STEPS.to_string();
    assert!(spawn(&project, &train("whole", &steps)).wait().unwrap().success());
    let whole = outcome(&project.path("whole"));
    assert_eq!(whole.1.len(), STEPS);

    // Kill points drawn anew in every run of this test; a failure names them.
    let seed = fastrand();
    let run = project.path("killed");
    let mut child = spawn(&project, &train("killed", &steps));
    let mut points = Vec::new();
    let mut during_a_write = 0;
    for kill in 0..8u64 {
        let drawn = usize::from(seed.to_le_bytes()[kill as usize]) % 17;
        let before = lines(&run).len();
        if kill.is_multiple_of(2) {
            // A few steps on, then a moment within a step; before there is a run, there is nothing to go on with.
            let begun = || run.join("status.json").is_file();
            kill_when(&mut child, || begun() && lines(&run).len() >= (before + drawn).min(STEPS - 2));
        } else {
            thread::sleep(Duration::from_millis(drawn as u64));
            kill_when(&mut child, || partial_checkpoint(&run));
        }
        points.push((lines(&run).len(), partial_checkpoint(&run)));
        during_a_write += usize::from(partial_checkpoint(&run));
        assert!(!run.join("adapter").exists(), "it was finished before it was killed: {points:?}");
        let args = ["train", "resume", run.to_str().unwrap()];
        child = spawn(&project, &args);
    }
    assert!(child.wait().unwrap().success(), "{points:?}");
    println!("killed after so many steps, within a checkpoint or not: {points:?}");
    assert!(during_a_write > 0, "no kill fell into a checkpoint: {points:?}");
    let killed = outcome(&run);
    let numbers: Vec<usize> = lines(&run).iter().map(|record| record["step"].as_u64().unwrap() as usize).collect();
    assert_eq!(numbers, (1..=STEPS).collect::<Vec<_>>(), "{points:?}");
    assert_eq!(killed.1, whole.1, "{points:?}");
    assert!(killed.0 == whole.0, "the weights differ after kills at {points:?}");
}

/// A number that differs from run to run.
fn fastrand() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
