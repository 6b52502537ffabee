//! Runs as processes: what they will take, detached ones, the queue, pause and cancel – by the real program.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Output, Project, command, finish};

fn model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama").display().to_string()
}

fn project() -> Project {
    let project = Project::empty();
    let row = |i: usize| {
        let row = serde_json::json!({
            "id": format!("r-{i}"), "task": "parsing", "instruction": "Say.", "input": format!("ready on {i}"),
            "label": "normal", "reasoning": format!("<think>1. {}</think><answer>normal</answer>", "so. ".repeat(i)),
        });
        format!("{row}\n")
    };
    project.write("rationales.jsonl", (0..8).map(row).collect::<String>().as_bytes());
    project.write("recipe.toml", b"[data]\nbatch = 2\n[length]\nsave_every = 1000000\n");
    for args in [&["import", "rationales", "rationales.jsonl"][..], &["review", "accept", "--all"]] {
        assert_eq!(project.run(args).code, 0);
    }
    project
}

fn json(output: &Output) -> Value {
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    output.json()
}

fn train(project: &Project, args: &[&str]) -> Output {
    project.run(&[&["train", "sft", "--recipe", "recipe.toml", "--model", &model(), "--json"], args].concat())
}

fn state(project: &Project, run: &str) -> String {
    let runs = json(&project.run(&["train", "list", "--json"]));
    let found = runs["runs"].as_array().unwrap().iter().find(|info| info["run"] == run).cloned().unwrap();
    found["state"].as_str().unwrap().to_owned()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "still not: {what}");
        thread::sleep(Duration::from_millis(30));
    }
}

/// The number of the session that a process belongs to.
fn session(process: u64) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = &stat[stat.rfind(')').unwrap() + 2..];
    after_name.split(' ').nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_dry_run_says_what_it_would_take_and_leaves_nothing() {
    let project = project();
    let estimate = json(&train(&project, &["--steps", "10", "--dry-run"]));
    for key in ["tokens", "seconds", "tokens_per_second", "memory_bytes", "available_bytes", "trainable_parameters"] {
        assert!(estimate[key].as_f64().unwrap() > 0.0, "{key}: {estimate}");
    }
    assert_eq!((&estimate["steps"], &estimate["refusal"]), (&Value::from(10), &Value::Null));
    assert_eq!(estimate["lengths"]["examples"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 8);
    assert!(!project.path("runs").exists() || fs::read_dir(project.path("runs")).unwrap().count() == 0);
}

#[test]
fn a_run_that_does_not_fit_is_not_begun_and_told_what_would() {
    let project = project();
    let run = |limit: &str, more: &[&str]| {
        let arguments = ["train", "sft", "--recipe", "recipe.toml", "--steps", "1", "--model", &model()];
        let mut command = command(&project.path("."), &[&arguments[..], more].concat());
        command.env("LOGWRIGHT_MEMORY", limit);
        finish(command)
    };
    // Enough for the model, and not for the code and the buffers that a training takes.
    for more in [&["--dry-run"][..], &[]] {
        let output = run("45 MB", more);
        assert_eq!(output.code, 1, "{}", output.stdout);
        for part in ["training needs about", "MiB are free; try a smaller or quantised model"] {
            assert!(output.stderr.contains(part), "{}", output.stderr);
        }
    }
    let runs = json(&project.run(&["train", "list", "--json"]));
    assert!(runs["runs"].as_array().unwrap().iter().all(|run| run["step"] == 0), "{runs}");
    assert_eq!(run("4 GB", &[]).code, 0);
}

#[test]
fn a_detached_run_has_a_session_of_its_own_and_others_wait_for_their_turn() {
    let project = project();
    // So long that it does not end by itself.
    let first = json(&train(&project, &["--steps", "1000000", "--detach"]));
    let (first, process) = (first["run"].as_str().unwrap().to_owned(), first["process"].as_u64().unwrap());
    wait_until("the first run trains", || state(&project, &first) == "running");
    if cfg!(target_os = "linux") {
        assert_eq!(session(process), process, "it is not the leader of a session of its own");
        assert_ne!(session(process), session(u64::from(std::process::id())));
    }

    let second = json(&train(&project, &["--steps", "5", "--detach"]))["run"].as_str().unwrap().to_owned();
    let third = json(&train(&project, &["--steps", "5", "--detach"]))["run"].as_str().unwrap().to_owned();
    wait_until("both wait", || [&second, &third].iter().all(|run| state(&project, run) == "queued"));
    assert!(project.run(&["train", "resume", &second, "--model", &model()]).stderr.contains("running already"));
    assert_eq!(project.run(&["train", "cancel", &third]).code, 0);
    wait_until("the third has left the queue", || state(&project, &third) == "cancelled");

    assert_eq!(project.run(&["train", "pause", &first]).code, 0);
    wait_until("the first waits", || state(&project, &first) == "paused");
    let paused = project.path("runs").join(&first);
    let saved = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("checkpoint-");
    assert!(fs::read_dir(&paused).unwrap().flatten().any(saved), "a paused run has its checkpoint");
    let lines = || fs::read_to_string(paused.join("metrics.jsonl")).unwrap().lines().count();
    let before = lines();
    thread::sleep(Duration::from_millis(400));
    assert_eq!(lines(), before);
    // While it is paused, the second has the turn.
    let watched = json(&project.run(&["train", "watch", &second, "--json"]));
    assert_eq!((&watched["state"], &watched["step"]), (&Value::from("finished"), &Value::from(5)));
    assert_eq!(state(&project, &first), "paused");
    let fourth = json(&train(&project, &["--steps", "1000000", "--detach"]))["run"].as_str().unwrap().to_owned();
    wait_until("the fourth trains", || state(&project, &fourth) == "running");
    assert_eq!(json(&project.run(&["train", "resume", &first, "--json"]))["asked"], "resume");
    wait_until("the first waits for its turn", || state(&project, &first) == "queued");
    assert_eq!(lines(), before);
    assert_eq!(project.run(&["train", "cancel", &fourth]).code, 0);
    wait_until("the first goes on", || lines() > before);

    assert_eq!(project.run(&["train", "cancel", &first]).code, 0);
    wait_until("the first is cancelled", || state(&project, &first) == "cancelled");
    let log = fs::read_to_string(project.path("runs").join(&second).join("output.log")).unwrap();
    assert!(log.contains("finished after 5 steps"), "{log}");
}

/// Whether this process, and so those that it starts, outlive their terminal.
fn hangs_on() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("1");
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn a_run_whose_terminal_closes_stops_with_a_checkpoint() {
    if hangs_on() {
        println!("skipped: these tests themselves outlive their terminal");
        return;
    }
    let project = project();
    let arguments = ["train", "sft", "--recipe", "recipe.toml", "--steps", "1000000", "--model", &model()];
    let mut process = command(&project.path("."), &arguments);
    let mut process = process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let runs = || fs::read_dir(project.path("runs")).into_iter().flatten().flatten().map(|entry| entry.path());
    let trained = || runs().any(|run| fs::metadata(run.join("metrics.jsonl")).is_ok_and(|file| file.len() > 0));
    wait_until("it trains", trained);
    // Kernel and shell both say so.
    for _ in 0..2 {
        let sent = std::process::Command::new("kill").args(["-HUP", &process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
    assert_eq!(process.wait().unwrap().code(), Some(1));
    let run = runs().find(|path| path.join("status.json").is_file()).unwrap();
    assert_eq!(state(&project, &run.file_name().unwrap().to_string_lossy()), "cancelled");
    assert!(run.join("adapter").is_dir());
}

#[test]
fn a_pause_that_has_not_begun_can_be_taken_back() {
    let project = project();
    let begun = json(&train(&project, &["--steps", "1000000", "--detach"]));
    let (run, process) = (begun["run"].as_str().unwrap().to_owned(), begun["process"].to_string());
    wait_until("it trains", || state(&project, &run) == "running");
    let signal = |name: &str| {
        assert!(std::process::Command::new("kill").args([name, &process]).status().unwrap().success());
    };
    // As if its step took long.
    signal("-STOP");
    assert_eq!(project.run(&["train", "pause", &run]).code, 0);
    let resumed = project.run(&["train", "resume", &run]);
    assert!(resumed.code == 0 && resumed.stdout.contains("taken back"), "{}{}", resumed.stdout, resumed.stderr);
    signal("-CONT");
    let lines = || fs::read_to_string(project.path("runs").join(&run).join("metrics.jsonl")).unwrap().lines().count();
    let before = lines();
    wait_until("it goes on", || lines() > before + 10);
    assert_eq!(state(&project, &run), "running");
    assert_eq!(project.run(&["train", "cancel", &run]).code, 0);
    wait_until("it is cancelled", || state(&project, &run) == "cancelled");
}

#[test]
fn a_killed_run_lets_the_next_one_begin() {
    let project = project();
    let first = json(&train(&project, &["--steps", "1000000", "--detach"]));
    let run = first["run"].as_str().unwrap().to_owned();
    wait_until("it trains", || state(&project, &run) == "running");
    let second = json(&train(&project, &["--steps", "3", "--detach"]))["run"].as_str().unwrap().to_owned();
    let killed = std::process::Command::new("kill").args(["-9", &first["process"].to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(json(&project.run(&["train", "watch", &second, "--json"]))["state"], "finished");
    assert_eq!(state(&project, &run), "interrupted");
}

#[test]
fn an_export_is_written_where_it_was_asked_for() {
    let project = project();
    let run = json(&train(&project, &["--steps", "2"]))["run"].as_str().unwrap().to_owned();
    let export = |to: &str| project.run(&["train", "export", "latest", "--to", to, "--json"]);
    let peft = json(&export("peft"));
    assert!(Path::new(peft["path"].as_str().unwrap()).join("adapter_model.safetensors").is_file());
    let merged = json(&export("merged"));
    assert_eq!((merged["merged_linears"].as_u64(), &merged["run"]), (Some(14), &Value::from(run)));
    assert!(project.path("exports").is_dir());
    assert!(json(&export("tensorboard"))["bytes"].as_u64().unwrap() > 100);
    let again = export("peft");
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("--out"), "{}", again.stderr);
    let gguf = json(&export("gguf"));
    assert_eq!(gguf["merged_linears"], 14);
    assert!(std::fs::read(gguf["path"].as_str().unwrap()).unwrap().starts_with(b"GGUF"));
    let unfit = project.run(&["train", "export", "latest", "--to", "peft", "--format", "f32"]);
    assert_eq!(unfit.code, 2);
}

/// What `train list --json` says of a run.
fn listed(project: &Project, run: &str) -> Value {
    let runs = project.run(&["train", "list", "--json"]).json();
    runs["runs"].as_array().unwrap().iter().find(|info| info["run"] == run).cloned().unwrap()
}

/// A GPU that no machine of ours has: whoever is told to compute on it says that the CPU does.
const NO_GPU: &str = "cuda:77";

fn notes(project: &Project, run: &str) -> usize {
    let log = fs::read_to_string(project.path("runs").join(run).join("output.log")).unwrap_or_default();
    log.matches(NO_GPU).count()
}

#[test]
fn a_run_goes_on_where_it_was_begun_unless_told_otherwise() {
    let project = project();
    let begun = json(&train(&project, &["--steps", "1000000", "--detach", "--device", NO_GPU]));
    let run = begun["run"].as_str().unwrap().to_owned();
    let cancelled = || {
        wait_until("it trains", || state(&project, &run) == "running");
        assert_eq!(project.run(&["train", "cancel", &run]).code, 0);
        wait_until("it is cancelled", || state(&project, &run) == "cancelled");
    };
    cancelled();
    assert_eq!(listed(&project, &run)["device"], NO_GPU);
    assert_eq!(notes(&project, &run), 1);
    // Of the run, not of what is learnt: the recipe goes to other machines.
    let recipe = fs::read_to_string(project.path("runs").join(&run).join("recipe.toml")).unwrap();
    assert!(!recipe.contains("device"), "{recipe}");

    json(&project.run(&["train", "resume", &run, "--detach", "--model", &model(), "--json"]));
    cancelled();
    assert_eq!((&listed(&project, &run)["device"], notes(&project, &run)), (&Value::from(NO_GPU), 2));
    let watched = project.run(&["train", "watch", &run]);
    assert!(watched.stdout.contains(&format!("cancelled on {NO_GPU}")), "{}", watched.stdout);

    json(&project.run(&["train", "resume", &run, "--detach", "--model", &model(), "--device", "cpu", "--json"]));
    cancelled();
    assert_eq!((&listed(&project, &run)["device"], notes(&project, &run)), (&Value::from("cpu"), 2));
}

#[test]
fn a_chain_goes_on_where_its_last_stage_was() {
    let project = project();
    let stage = "[[stage]]\nname = \"NAME\"\ndata.batch = 2\nlength.steps = 2\n";
    let file = ["a", "b"].map(|name| stage.replace("NAME", name)).concat();
    project.write("chain.toml", file.as_bytes());
    let run = |more: &[&str]| {
        let chain = ["train", "chain", "chain.toml", "--model", &model(), "--json"];
        json(&project.run(&[&chain[..], more].concat()))
    };
    let devices = |chained: &Value| {
        let stages = chained["stages"].as_array().unwrap().clone();
        stages.into_iter().map(|stage| stage["device"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = run(&["--device", NO_GPU]);
    assert_eq!(devices(&first), [NO_GPU, NO_GPU]);
    // As if it had been stopped between its stages.
    fs::remove_dir_all(first["stages"][1]["dir"].as_str().unwrap()).unwrap();
    let again = run(&[]);
    assert_eq!((&again["chain"], devices(&again)), (&first["chain"], vec![NO_GPU.to_owned(); 2]));
}

#[test]
fn a_project_says_where_to_compute() {
    let project = project();
    let settings = fs::read_to_string(project.path("logwright.toml")).unwrap();
    let set = |device: &str| {
        project.write("logwright.toml", format!("device = \"{device}\"\n{settings}").as_bytes());
    };
    set(NO_GPU);
    let output = train(&project, &["--steps", "1"]);
    assert!(output.stderr.contains(NO_GPU) && output.stderr.contains("using the CPU"), "{}", output.stderr);
    let run = json(&output)["run"].as_str().unwrap().to_owned();
    assert_eq!(listed(&project, &run)["device"], NO_GPU);
    let run = json(&train(&project, &["--steps", "1", "--device", "cpu"]))["run"].as_str().unwrap().to_owned();
    assert_eq!(listed(&project, &run)["device"], "cpu");
    set("gpu");
    let output = train(&project, &["--steps", "1"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("logwright.toml: device \"gpu\" is neither"), "{}", output.stderr);
}

#[test]
fn a_run_whose_status_is_broken_is_listed_with_what_to_do_and_that_helps() {
    let project = project();
    let run = json(&train(&project, &["--steps", "2"]))["run"].as_str().unwrap().to_owned();
    let other = json(&train(&project, &["--steps", "1"]))["run"].as_str().unwrap().to_owned();
    let dir = project.path("runs").join(&run);
    let weights = || fs::read(dir.join("adapter/adapter_model.safetensors")).unwrap();
    let before = weights();
    for broken in [Some("{\"state\": \"fin"), None] {
        match broken {
            Some(text) => fs::write(dir.join("status.json"), text).unwrap(),
            None => fs::remove_file(dir.join("status.json")).unwrap(),
        }
        let output = project.run(&["train", "list", "--json"]);
        assert_eq!(output.code, 1);
        assert!(output.stderr.contains("1 of 2 runs cannot be read"), "{}", output.stderr);
        let info = listed(&project, &run);
        assert_eq!((&info["state"], &info["step"]), (&Value::from("damaged"), &Value::from(2)));
        let message = info["message"].as_str().unwrap();
        for part in ["status.json", &format!("`logwright train resume {run}`")] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(listed(&project, &other)["state"], "finished");
        let text = project.run(&["train", "list"]);
        assert!(text.code == 1 && text.stdout.contains("damaged") && text.stdout.contains(&other), "{}", text.stdout);
        json(&project.run(&["train", "resume", &run, "--model", &model(), "--json"]));
        assert_eq!(json(&project.run(&["train", "list", "--json"]))["runs"].as_array().unwrap().len(), 2);
        assert!(weights() == before, "what was learnt is as it was");
    }
}

#[test]
fn a_recipes_own_shape_is_not_silently_given_up_for_a_starts() {
    let project = project();
    let first = json(&train(&project, &["--steps", "1"]))["run"].as_str().unwrap().to_owned();
    project.write("four.toml", b"[data]\nbatch = 2\n[lora]\nrank = 4\n");
    let from = |recipe: &str, more: &[&str]| {
        let args = ["train", "sft", "--recipe", recipe, "--steps", "1", "--model", &model(), "--start", &first];
        project.run(&[&args[..], more].concat())
    };
    let runs = || fs::read_dir(project.path("runs")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    for more in [&[][..], &["--dry-run"], &["--detach"]] {
        let refused = from("four.toml", more);
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        for part in ["four.toml:4: lora.rank = 4", &first, "has 8", "Take the line out"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
    }
    assert_eq!(runs(), 1, "nothing was begun");
    // What only the defaults say gives way.
    let output = from("recipe.toml", &["--json"]);
    assert_eq!(json(&output)["status"], "finished");
    let chain = "[[stage]]\nstart = \"START\"\ndata.batch = 2\nlength.steps = 1\n[[stage]]\nlora.rank = 4\n";
    project.write("chain.toml", chain.replace("START", &first).as_bytes());
    let refused = project.run(&["train", "chain", "chain.toml", "--model", &model()]);
    assert!(refused.code == 1 && refused.stderr.contains("chain.toml:6: lora.rank = 4"), "{}", refused.stderr);
    assert_eq!(runs(), 2, "not even the first stage");
}
