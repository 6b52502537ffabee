//! `train dpo` on the command line, with a tiny random model: what it says, keeps, and goes on with.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{Output, Project};

const RECIPE: &str = "
[data]
batch = 2
dev_fraction = 0.25
max_length = 250

[lora]
rank = 4

[optimizer]
learning_rate = 2e-2
warmup_steps = 0

[length]
steps = 6
save_every = 2
";

fn tiny() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama").display().to_string()
}

fn done(output: &Output) -> Value {
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    output.json()
}

/// A project with accepted rationales, pairs and thoughts whose questions fit the tiny model's 256 tokens.
fn project() -> Project {
    let project = Project::empty();
    let (mut rationales, mut pairs, mut thoughts) = (String::new(), String::new(), String::new());
    for (i, log) in ["fan 3 stopped", "link up", "disk 7 is full", "daemon ready"].iter().enumerate() {
        let (right, wrong) = if i % 2 == 0 { ("yes", "no") } else { ("no", "yes") };
        let say =
            |step: &str, answer: &str| format!("<think>1. It says {log}.\n2. {step}</think><answer>{answer}</answer>");
        let common = json!({ "task": "matching", "instruction": "Trouble?", "input": log, "label": right });
        let with = |id: String, more: Value| {
            let mut all = common.as_object().unwrap().clone();
            all.insert("id".into(), id.into());
            all.extend(more.as_object().unwrap().clone());
            format!("{}\n", Value::from(all))
        };
        rationales += &with(format!("r{i}"), json!({ "reasoning": say("So be it.", right) }));
        let sides = json!({ "chosen": say("So be it.", right), "rejected": say("Odd.", wrong), "first_wrong_step": 2 });
        pairs += &with(format!("p{i}"), sides);
        let thought = json!({ "problem": format!("{log}?"), "analysis": "-", "challenge": "It is short.", "steps": ["Read.", "Judge."] });
        thoughts += &with(format!("t{i}"), thought);
    }
    for (kind, text) in [("rationales", rationales), ("pairs", pairs), ("thoughts", thoughts)] {
        let file = format!("{kind}.jsonl");
        project.write(&file, text.as_bytes());
        assert_eq!(done(&project.run(&["import", kind, &file, "--json"]))["imported"], 4);
    }
    project.write("recipe.toml", RECIPE.as_bytes());
    project
}

/// The steps of a run, as its folder tells them.
fn steps(project: &Project, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(project.path(run).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The numbers of a trained adapter, without the header of the file.
fn weights(project: &Project, run: &str) -> Vec<u8> {
    let file = fs::read(project.path(run).join("adapter/adapter_model.safetensors")).unwrap();
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    rest[usize::try_from(u64::from_le_bytes(*length)).unwrap()..].to_vec()
}

/// Leaves a finished run as a kill after its last checkpoint but one does.
fn kill_after(project: &Project, run: &str, last: usize) {
    let dir = project.path(run);
    fs::remove_dir_all(dir.join("adapter")).unwrap();
    fs::remove_dir_all(dir.join(format!("checkpoint-{last}"))).unwrap();
    let status = fs::read_to_string(dir.join("status.json")).unwrap();
    fs::write(dir.join("status.json"), status.replace("finished", "running")).unwrap();
}

#[test]
fn preferences_are_learnt_and_a_killed_run_goes_on_to_the_same_weights() {
    let (project, model) = (project(), tiny());
    let dpo = |out: &str, more: &[&str]| {
        let arguments = ["train", "dpo", "--model", &model, "--recipe", "recipe.toml", "--out", out, "--json"];
        project.run(&[&arguments[..], more].concat())
    };
    let early = dpo("early", &[]);
    assert_eq!(early.code, 1);
    assert!(early.stderr.contains("no accepted pair to train on"), "{}", early.stderr);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);

    let whole = done(&dpo("whole", &[]));
    assert_eq!((&whole["status"], &whole["examples"], &whole["held_out"]), (&"finished".into(), &3.into(), &1.into()));
    let recorded = steps(&project, "whole");
    let figure = |step: usize, name: &str| recorded[step]["statistics"][name].as_f64().unwrap();
    // A fresh adapter changes nothing: its loss is that of a coin.
    assert!((recorded[0]["loss"].as_f64().unwrap() - 2f64.ln()).abs() < 1e-4, "{}", recorded[0]);
    assert!(figure(0, "reward_margin").abs() < 1e-4);
    assert!(figure(5, "reward_margin") > 0.1 && figure(5, "reward_accuracy") == 1.0, "{}", recorded[5]);
    assert!((figure(5, "reward_chosen") - figure(5, "reward_rejected") - figure(5, "reward_margin")).abs() < 1e-6);
    assert!(figure(1, "dev_reward_accuracy") >= 0.0 && recorded[1]["dev_loss"].is_number());

    // The reference was asked once about each of the four pairs.
    let cache = |run: &str| {
        let files = fs::read_dir(project.path(run)).unwrap().map(|entry| entry.unwrap().path());
        let mut found = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("reference-"));
        let path = found.next().unwrap();
        assert_eq!(found.next(), None);
        fs::read_to_string(path).unwrap()
    };
    assert_eq!(cache("whole").lines().count(), 4);

    done(&dpo("killed", &[]));
    let asked = cache("killed");
    kill_after(&project, "killed", 6);
    let resumed = done(&project.run(&["train", "resume", "killed", "--model", &model, "--json"]));
    assert_eq!(resumed["loss"], whole["loss"]);
    assert!(weights(&project, "killed") == weights(&project, "whole"), "the resumed weights differ");
    assert_eq!(cache("killed"), asked, "a run that goes on asks the reference nothing again");
}

#[test]
fn a_run_starts_from_another_ones_adapter_and_is_compared_with_it() {
    let (project, model) = (project(), tiny());
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    let train = |objective: &str, out: &str, more: &[&str]| {
        let arguments = ["train", objective, "--model", &model, "--recipe", "recipe.toml", "--out", out, "--json"];
        project.run(&[&arguments[..], more].concat())
    };
    done(&train("sft", "taught", &["--steps", "2"]));
    // The recipe asks for rank 8 now; the adapter that it starts from has 4.
    project.write("recipe.toml", RECIPE.replace("rank = 4", "rank = 8").as_bytes());
    done(&train("dpo", "preferred", &["--start", "taught", "--steps", "2"]));
    let recipe = fs::read_to_string(project.path("preferred/recipe.toml")).unwrap();
    assert!(recipe.contains("rank = 4") && recipe.contains("start = \"taught\""), "{recipe}");
    assert!(recipe.contains("[dpo]") && recipe.contains("reference = \"start\""), "{recipe}");
    // What it started from is also what it is compared with: the first step's loss is that of a coin again.
    let first = &steps(&project, "preferred")[0];
    assert!((first["loss"].as_f64().unwrap() - 2f64.ln()).abs() < 1e-4, "{first}");

    project.write("recipe.toml", format!("{RECIPE}\n[dpo]\nreference = \"base\"\n").as_bytes());
    done(&train("dpo", "far", &["--start", "taught", "--steps", "1"]));
    let first = &steps(&project, "far")[0];
    assert!((first["loss"].as_f64().unwrap() - 2f64.ln()).abs() > 1e-4, "{first}");

    let missing = train("dpo", "none", &["--start", "nowhere"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
    project.write("recipe.toml", b"objective = \"sft\"\n");
    let other = train("dpo", "none", &[]);
    assert!(other.stderr.contains("recipe.toml:1: this recipe is not for dpo"), "{}", other.stderr);
}

#[test]
fn thoughts_train_where_the_recipe_says_so() {
    let (project, model) = (project(), tiny());
    project.write("recipe.toml", RECIPE.replace("[data]", "[data]\nsource = \"thoughts\"").as_bytes());
    let arguments = ["train", "sft", "--model", &model, "--recipe", "recipe.toml", "--out", "run", "--json"];
    let early = project.run(&arguments);
    assert!(early.stderr.contains("no accepted thought"), "{}", early.stderr);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    let run = done(&project.run(&arguments));
    assert_eq!(run["examples"].as_u64().unwrap() + run["held_out"].as_u64().unwrap(), 4);
    let examples = fs::read_to_string(project.path("run/examples.jsonl")).unwrap();
    assert!(examples.contains("Challenge: It is short.\\n1. Read.\\n2. Judge."), "{examples}");
}
