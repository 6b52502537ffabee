//! The whole road with the real model, as a user walks it on the command line: a project, its templates and rationales, a
//! review, a fine-tuning, a verdict to step through, and scores. Skipped, saying so, where the model cannot be had.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Output, Project};

/// Two short rationales, so that every step sees the same batch and a falling loss is no luck.
const RATIONALES: &str = concat!(
    r#"{"id":"r-1","task":"anomaly","instruction":"Judge.","input":"kernel panic at <*>","label":"abnormal","reasoning":"<think>1. The kernel says \"panic\".\n2. Nothing tells of a recovery.</think><answer>abnormal</answer>"}"#,
    "\n",
    r#"{"id":"r-2","task":"anomaly","instruction":"Judge.","input":"ciod: ready on <*>","label":"normal","reasoning":"<think>1. The daemon says \"ready\".\n2. That is expected operation.</think><answer>normal</answer>"}"#,
    "\n",
);

const RECIPE: &str = "
[data]
batch = 2
dev_fraction = 0.0

[optimizer]
learning_rate = 2e-3
warmup_steps = 2

[length]
save_every = 4
";

fn demo(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/demo").join(name).display().to_string()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    output.json()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_road_from_templates_to_a_verdict_and_its_scores() {
    let project = Project::empty();
    let pulled = project.run(&["model", "pull", "smollm2-135m"]);
    if pulled.code != 0 {
        println!("skipped: {}", pulled.stderr);
        return;
    }

    project.write("rationales.jsonl", RATIONALES.as_bytes());
    project.write("recipe.toml", RECIPE.as_bytes());
    assert_eq!(
        json(&project.run(&["import", "templates", &demo("templates.csv"), "--json"]))["rejected"],
        Value::from(Vec::<u8>::new())
    );
    assert_eq!(json(&project.run(&["import", "rationales", "rationales.jsonl", "--json"]))["imported"], 2);

    // Nothing trains that nobody accepted.
    let early = project.run(&["train", "sft", "--steps", "1"]);
    assert_eq!(early.code, 1);
    assert!(early.stderr.contains("logwright review accept"), "{}", early.stderr);
    assert_eq!(early.stderr.trim_end().lines().count(), 1, "{}", early.stderr);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);

    let run = json(&project.run(&["train", "sft", "--recipe", "recipe.toml", "--steps", "8", "--json"]));
    let loss: Vec<f64> = run["loss"].as_array().unwrap().iter().map(number).collect();
    assert_eq!((loss.len(), &run["status"]), (8, &Value::from("finished")));
    assert!(loss[7] < 0.7 * loss[0], "{loss:?}");
    let dir = PathBuf::from(run["dir"].as_str().unwrap());
    for file in ["recipe.toml", "metrics.jsonl", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    assert_eq!(json(&project.run(&["train", "list", "--json"]))["runs"][0]["state"], "finished");

    let trace = json(&project.run(&["reason", "kernel panic at 0x01", "--adapter", "latest", "--json"]));
    for key in ["input", "text", "steps", "answer", "format_ok", "tokens_per_second"] {
        assert!(trace.get(key).is_some(), "{key}");
    }
    let token = &trace["steps"][0]["tokens"][0];
    assert!((0.0..=1.0).contains(&number(&token["probability"])));
    assert_eq!(token["alternatives"].as_array().unwrap().len(), 5);

    let arguments = ["evaluate", "anomaly", "--data", &demo("templates.csv"), "--truth", "label", "--limit", "4"];
    let report = json(&project.run(&[&arguments[..], &["--adapter", run["run"].as_str().unwrap(), "--json"]].concat()));
    for key in ["prevalence", "confusion", "unparsed", "items_per_second", "by_dataset", "errors"] {
        assert!(report.get(key).is_some(), "{key}");
    }
    for key in ["anomaly", "macro", "weighted"] {
        assert!(report[key].get("f1").is_some(), "{key}");
    }
    assert_eq!((&report["n"], &report["task"]), (&Value::from(4), &Value::from("anomaly")));
    assert_eq!(report["baselines"][0]["name"], "keyword");
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_weights_of_one_that_was_not() {
    let project = Project::empty();
    if project.run(&["model", "pull", "smollm2-135m"]).code != 0 {
        println!("skipped: the model cannot be had");
        return;
    }
    project.write("rationales.jsonl", RATIONALES.as_bytes());
    project.write("recipe.toml", RECIPE.as_bytes());
    assert_eq!(project.run(&["import", "rationales", "rationales.jsonl"]).code, 0);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    let train = |out: &str| {
        json(&project.run(&["train", "sft", "--recipe", "recipe.toml", "--steps", "6", "--out", out, "--json"]))
    };
    let whole = train("whole");
    // As a kill after step 5 leaves it: the checkpoint of step 4, and a status that says it is running.
    train("killed");
    let killed = project.path("killed");
    fs::remove_dir_all(killed.join("adapter")).unwrap();
    fs::remove_dir_all(killed.join("checkpoint-6")).unwrap();
    let status = fs::read_to_string(killed.join("status.json")).unwrap();
    fs::write(killed.join("status.json"), status.replace("finished", "running")).unwrap();

    let watched = json(&project.run(&["train", "watch", "killed", "--json"]));
    assert_eq!(watched["state"], "interrupted");
    let resumed = json(&project.run(&["train", "resume", "killed", "--json"]));
    assert_eq!(resumed["loss"], whole["loss"]);
    let weights = |run: &str| {
        // The header's length, the header – whose notes come in any order – and the numbers.
        let file = fs::read(project.path(run).join("adapter/adapter_model.safetensors")).unwrap();
        let (length, rest) = file.split_first_chunk::<8>().unwrap();
        rest[usize::try_from(u64::from_le_bytes(*length)).unwrap()..].to_vec()
    };
    assert!(weights("killed") == weights("whole"), "the resumed weights differ");
}
