//! `train dpo|grpo` on the command line, with a tiny random model: what it says, keeps, and goes on with.

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

const CHAIN: &str = "
seed = 3

[[stage]]
name = \"thoughts\"
recipe = \"recipe.toml\"
data.source = \"thoughts\"
length.steps = 2

[[stage]]
name = \"solutions\"
recipe = \"recipe.toml\"
length.steps = 2

[[stage]]
objective = \"dpo\"
recipe = \"recipe.toml\"

[[stage]]
objective = \"grpo\"
length.steps = 1
grpo = { rollouts = 2, max_tokens = 8 }
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
    // An adapter keeps its shape, of which a recipe need not speak.
    project.write("recipe.toml", RECIPE.replace("rank = 4", "rank = 8").as_bytes());
    let other = train("dpo", "preferred", &["--start", "taught", "--steps", "2"]);
    assert!(other.code == 1 && other.stderr.contains("recipe.toml:8: lora.rank = 8"), "{}", other.stderr);
    project.write("recipe.toml", RECIPE.replace("rank = 4", "").as_bytes());
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

    // How much is dropped is no part of an adapter's shape: the recipe says it.
    project.write("recipe.toml", RECIPE.replace("rank = 4", "dropout = 0.25").as_bytes());
    done(&train("sft", "dropped", &["--start", "taught", "--steps", "1"]));
    let config: Value =
        serde_json::from_slice(&fs::read(project.path("dropped/adapter/adapter_config.json")).unwrap()).unwrap();
    assert_eq!((&config["r"], &config["lora_dropout"]), (&Value::from(4), &Value::from(0.25)), "{config}");

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

/// So short that the tiny model learns it by heart.
const BY_HEART: &str = "<think>a</think><answer>yes</answer>";

#[test]
fn rollouts_are_rewarded_and_a_killed_run_draws_the_same_again() {
    let (project, model) = (Project::empty(), tiny());
    let rationales: String = (0..4)
        .map(|i| {
            let row = json!({ "id": format!("r{i}"), "task": "matching", "instruction": "?", "input": format!("log {i}"),
                "label": if i == 3 { "no" } else { "yes" }, "reasoning": BY_HEART });
            format!("{row}\n")
        })
        .collect();
    project.write("rationales.jsonl", rationales.as_bytes());
    assert_eq!(project.run(&["import", "rationales", "rationales.jsonl"]).code, 0);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    let sft = "[data]\ndev_fraction = 0.0\nanswer_weight = 1.0\n[lora]\nrank = 16\n[optimizer]\nlearning_rate = 1e-2\n";
    project.write("sft.toml", sft.as_bytes());
    let grpo = "[data]\nbatch = 2\ndev_fraction = 0.25\n[optimizer]\nlearning_rate = 1e-3\nwarmup_steps = 0\n[length]\nsave_every = 1\n\
                [grpo]\nrollouts = 4\nmax_tokens = 40\ntemperature = 0.6\nreuse = 2\nkl = 0.01\nclip_high = 0.28\n";
    project.write("grpo.toml", grpo.as_bytes());
    let train = |objective: &str, more: &[&str]| {
        let recipe = format!("{objective}.toml");
        project.run(&[&["train", objective, "--model", &model, "--recipe", &recipe, "--json"][..], more].concat())
    };
    done(&train("sft", &["--steps", "600", "--out", "by-heart"]));
    let reinforce = |out: &str| done(&train("grpo", &["--start", "by-heart", "--steps", "6", "--out", out]));
    let whole = reinforce("whole");
    let recorded = steps(&project, "whole");
    let figures =
        |name: &str| recorded.iter().map(|step| step["statistics"][name].as_f64().unwrap()).collect::<Vec<_>>();
    assert!(
        figures("flat_groups").iter().any(|&share| share < 1.0),
        "some rollouts are better than others: {recorded:?}"
    );
    assert!(figures("completion_tokens").iter().all(|&tokens| (1.0..=40.0).contains(&tokens)));
    // Two steps learn from the same rollouts; only the second finds the model moved.
    for pair in recorded.chunks(2) {
        assert_eq!(pair[0]["statistics"]["reward"], pair[1]["statistics"]["reward"]);
        assert_eq!(pair[0]["statistics"]["clip_fraction"], 0.0);
    }
    let parts = ["reward_format", "reward_answer", "reward_grounding", "reward_coherence", "reward_brevity"];
    let sum: f64 = parts.iter().map(|part| figures(part)[0]).sum();
    assert!((sum - figures("reward")[0]).abs() < 1e-9, "the parts add up");
    for name in ["kl", "entropy", "truncated", "advantage_deviation", "answer_accuracy", "dev_reward"] {
        assert!(recorded[0]["statistics"][name].is_number(), "{name}: {}", recorded[0]);
    }
    let samples = fs::read_to_string(project.path("whole/samples.jsonl")).unwrap();
    let sample: Value = serde_json::from_str(samples.lines().next().unwrap()).unwrap();
    assert!(sample["reward"]["total"].is_number() && sample["reward"]["reward_format"].is_number(), "{sample}");
    let recipe = fs::read_to_string(project.path("whole/recipe.toml")).unwrap();
    assert!(recipe.contains("preset = \"paper\"") && recipe.contains("missed_anomaly = -2"), "{recipe}");

    // Killed after step 5, the first of two on the same rollouts: they are read back, and the last step is the same.
    reinforce("killed");
    kill_after(&project, "killed", 6);
    assert!(project.path("killed/checkpoint-5/rollouts.json").is_file());
    let resumed = done(&project.run(&["train", "resume", "killed", "--model", &model, "--json"]));
    assert_eq!(resumed["loss"], whole["loss"]);
    assert!(weights(&project, "killed") == weights(&project, "whole"), "the resumed weights differ");
}

#[test]
fn a_chain_hands_its_adapter_on_and_goes_on_where_it_was() {
    let (project, model) = (project(), tiny());
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    project.write("chain.toml", CHAIN.as_bytes());
    let start = |more: &[&str]| {
        project.run(&[&["train", "chain", "chain.toml", "--model", &model, "--json"][..], more].concat())
    };
    let whole = done(&start(&[]));
    let names: Vec<&str> =
        whole["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["thoughts", "solutions", "dpo", "grpo"]);
    let run = |chain: &Value, stage: usize| format!("runs/{}", chain["stages"][stage]["run"].as_str().unwrap());
    assert!(run(&whole, 2).ends_with("-chain-3-dpo"), "{whole}");
    for stage in 1..4 {
        let recipe = fs::read_to_string(project.path(&run(&whole, stage)).join("recipe.toml")).unwrap();
        assert!(
            recipe.contains(&format!("start = \"{}\"", whole["stages"][stage - 1]["run"].as_str().unwrap())),
            "{recipe}"
        );
        assert!(recipe.contains("rank = 4"), "the rank of the first stage is handed on: {recipe}");
    }

    // Finished: started again it begins anew. Killed in the third stage, it goes on there, to the same weights.
    let again = done(&start(&[]));
    assert_ne!(again["chain"], whole["chain"]);
    kill_after(&project, &run(&again, 2), 6);
    fs::remove_dir_all(project.path(&run(&again, 3))).unwrap();
    let resumed = start(&[]);
    assert!(resumed.stderr.contains("goes on where it was"), "{}", resumed.stderr);
    let resumed = done(&resumed);
    assert_eq!(resumed["chain"], again["chain"]);
    for stage in 0..4 {
        assert_eq!(resumed["stages"][stage]["state"], "finished");
        assert!(weights(&project, &run(&resumed, stage)) == weights(&project, &run(&whole, stage)), "stage {stage}");
    }
    // A dry run looks at every stage and begins none; in a process of its own it goes to its end.
    let runs = || fs::read_dir(project.path("runs")).unwrap().count();
    let before = runs();
    let estimated = done(&start(&["--dry-run"]));
    let tokens = |stage: usize| estimated["stages"][stage]["tokens"].as_u64().unwrap();
    assert!((0..4).all(|stage| tokens(stage) > 0) && estimated["stages"][3]["name"] == "grpo", "{estimated}");
    assert_eq!(runs(), before);
    let detached = done(&start(&["--detach", "--new"]));
    let record = |stage: &str| project.path(&format!("runs/{}-{stage}", detached["chain"].as_str().unwrap()));
    let adapter = record("4-grpo").join("adapter/adapter_model.safetensors");
    for _ in 0..600 {
        if adapter.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(
        adapter.exists(),
        "{}",
        fs::read_to_string(project.path(detached["dir"].as_str().unwrap()).join("output.log")).unwrap()
    );

    project.write("chain.toml", b"[[stage]]\nname = \"a\"\n[stage.data]\nbatch = 0\n");
    let wrong = start(&[]);
    assert!(wrong.code == 1 && wrong.stderr.contains("stage a: data.batch = 0"), "{}", wrong.stderr);
}

#[test]
fn a_chain_that_lacks_something_for_a_later_stage_does_not_begin() {
    let (project, model) = (project(), tiny());
    assert_eq!(project.run(&["review", "accept", "r0", "r1", "r2", "r3", "t0", "t1", "t2", "t3"]).code, 0);
    project.write("chain.toml", CHAIN.as_bytes());
    let output = project.run(&["train", "chain", "chain.toml", "--model", &model]);
    assert!(output.code == 1 && output.stderr.contains("stage dpo: "), "{}", output.stderr);
    assert!(output.stderr.contains("no accepted pair"), "{}", output.stderr);
    assert!(!project.path("runs").exists() || fs::read_dir(project.path("runs")).unwrap().count() == 0);
}

/// In 16 bits, over candle's own operations: what a GPU computes, on the CPU.
#[test]
fn every_objective_learns_as_on_a_gpu_and_goes_on_to_the_same_weights() {
    let (project, model) = (project(), tiny());
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    project.write("chain.toml", CHAIN.as_bytes());
    for device in ["cpu:bf16", "cpu:f16"] {
        let start = || project.run(&["train", "chain", "chain.toml", "--model", &model, "--device", device, "--json"]);
        let run = |chain: &Value, stage: usize| format!("runs/{}", chain["stages"][stage]["run"].as_str().unwrap());
        let whole = done(&start());
        let losses: Vec<f64> =
            steps(&project, &run(&whole, 2)).iter().map(|step| step["loss"].as_f64().unwrap()).collect();
        assert!(losses[5] < losses[0] && (losses[0] - 2f64.ln()).abs() < 1e-2, "{device}: {losses:?}");
        let reinforced = &steps(&project, &run(&whole, 3))[0];
        assert!(reinforced["statistics"]["reward"].is_number(), "{reinforced}");

        let again = done(&start());
        assert_ne!(again["chain"], whole["chain"]);
        kill_after(&project, &run(&again, 2), 6);
        fs::remove_dir_all(project.path(&run(&again, 3))).unwrap();
        let resumed = done(&start());
        assert_eq!(resumed["chain"], again["chain"]);
        for stage in 0..4 {
            let (resumed, whole) = (weights(&project, &run(&resumed, stage)), weights(&project, &run(&whole, stage)));
            assert!(resumed == whole, "{device}: stage {stage}");
        }
    }
}

#[test]
fn presets_begin_a_recipe_and_what_grpo_writes_itself_is_counted_before_a_run() {
    let (project, model) = (project(), tiny());
    let unknown = project.run(&["train", "grpo", "--preset", "logreasoner", "--model", &model]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("there are quick, rationanomaly, rationanomaly-code, r-log"), "{}", unknown.stderr);
    let accepted = project.run(&["review", "accept", "--all"]);
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    let estimate =
        done(&project.run(&["train", "grpo", "--preset", "Quick", "--model", &model, "--dry-run", "--json"]));
    assert_eq!(estimate["steps"], 20);
    for name in ["tokens", "tokens_per_second", "seconds", "memory_bytes"] {
        assert!(estimate[name].as_f64().unwrap() > 0.0, "{name} in {estimate}");
    }
    assert!(estimate["lengths"]["from"].as_u64().unwrap() > 0, "{estimate}");
}

/// The tiny model with a context that the anomaly prompt fits into.
fn roomy(project: &Project) -> String {
    let (from, to) = (Path::new(&tiny()).to_owned(), project.path("roomy"));
    fs::create_dir(&to).unwrap();
    for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let config = fs::read_to_string(from.join("config.json")).unwrap();
    let more = config.replace("\"max_position_embeddings\": 256", "\"max_position_embeddings\": 1024");
    assert_ne!(config, more);
    fs::write(to.join("config.json"), more).unwrap();
    to.display().to_string()
}

const TEMPLATES: &str = "dataset,id,template,label,gold\nbgl,1,fan <*> failed,normal,abnormal\nbgl,2,link <*> up,normal,normal\n\
                         bgl,3,nobody knows,normal,\nbgl,4,disk <*> is full,abnormal,abnormal\n";

#[test]
fn labelled_templates_are_questions_for_grpo() {
    let project = Project::empty();
    let model = roomy(&project);
    project.write("t.csv", TEMPLATES.as_bytes());
    let recipe = |source: &str| {
        let text = format!(
            "[data]\nsource = \"{source}\"\nbatch = 1\ndev_fraction = 0.0\n[length]\nsteps = 1\n\
             [grpo]\nrollouts = 2\nmax_tokens = 8\n"
        );
        project.write("grpo.toml", text.as_bytes());
    };
    let train = |objective: &str, out: &str| {
        project.run(&["train", objective, "--model", &model, "--recipe", "grpo.toml", "--out", out, "--json"])
    };
    recipe("templates");
    let early = train("grpo", "none");
    assert!(early.stderr.contains("no template with a gold label to train on"), "{}", early.stderr);
    assert_eq!(project.run(&["import", "templates", "t.csv"]).code, 0);
    let run = done(&train("grpo", "templates"));
    assert_eq!(run["examples"], 3, "the one without gold is no question: {run}");
    let examples = fs::read_to_string(project.path("templates/examples.jsonl")).unwrap();
    let examples: Vec<Value> = examples.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let labels: Vec<(&str, &str)> =
        examples.iter().map(|it| (it["id"].as_str().unwrap(), it["label"].as_str().unwrap())).collect();
    assert_eq!(labels, [("bgl/1", "abnormal"), ("bgl/2", "normal"), ("bgl/4", "abnormal")]);
    assert_eq!(examples[0]["completion"], "");
    assert!(steps(&project, "templates")[0]["statistics"]["answer_accuracy"].is_number());

    // With both, a template that a rationale is about is asked about once.
    let row = json!({ "id": "r", "task": "anomaly", "instruction": "?", "input": "link <*> up", "label": "normal",
        "reasoning": "<think>1. It is up.</think><answer>normal</answer>" });
    project.write("r.jsonl", format!("{row}\n").as_bytes());
    assert_eq!(project.run(&["import", "rationales", "r.jsonl"]).code, 0);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    recipe("both");
    assert_eq!(done(&train("grpo", "both"))["examples"], 3);
    project.write("grpo.toml", b"[data]\nsource = \"templates\"\n");
    let wrong = train("sft", "wrong");
    assert!(wrong.stderr.contains("data.source = templates with sft (rationales or thoughts)"), "{}", wrong.stderr);
}

#[test]
fn held_out_answers_are_measured_and_the_best_of_them_is_kept() {
    let project = Project::empty();
    let model = roomy(&project);
    let rationales: String = (0..10)
        .map(|i| {
            let label = if i % 2 == 0 { "abnormal" } else { "normal" };
            let row = json!({ "id": format!("r{i}"), "task": "anomaly", "instruction": "?", "input": format!("log {i}"),
                "label": label, "reasoning": format!("<think>1. a</think><answer>{label}</answer>") });
            format!("{row}\n")
        })
        .collect();
    project.write("rationales.jsonl", rationales.as_bytes());
    assert_eq!(project.run(&["import", "rationales", "rationales.jsonl"]).code, 0);
    assert_eq!(project.run(&["review", "accept", "--all"]).code, 0);
    let recipe = "[data]\nbatch = 2\ndev_fraction = 0.4\n[optimizer]\nlearning_rate = 2e-2\nwarmup_steps = 0\n\
                  [length]\nsteps = 8\nsave_every = 2\nkeep_last = 1\nevaluate_every = 2\nevaluate_answers = true\n\
                  best_by = \"f1\"\ntake = \"best\"\n";
    project.write("sft.toml", recipe.as_bytes());
    let run =
        done(&project.run(&["train", "sft", "--model", &model, "--recipe", "sft.toml", "--out", "run", "--json"]));
    assert_eq!(run["held_out"], 4);
    let recorded = steps(&project, "run");
    let mut best: Option<(u64, f64)> = None;
    for step in &recorded {
        let number = step["step"].as_u64().unwrap();
        let f1 = step["statistics"]["dev_f1"].as_f64();
        assert_eq!(f1.is_some(), number % 2 == 0, "{step}");
        if let Some(f1) = f1.filter(|&f1| best.is_none_or(|(_, best)| f1 > best)) {
            best = Some((number, f1));
        }
    }
    let (best, _) = best.unwrap();
    assert_eq!(run["best_step"], best, "{recorded:?}");
    let kept = project.path("run").join(format!("checkpoint-{best}/adapter/adapter_model.safetensors"));
    assert_eq!(
        fs::read(kept).unwrap(),
        fs::read(project.path("run/adapter/adapter_model.safetensors")).unwrap(),
        "the adapter is that of the best checkpoint"
    );
}
