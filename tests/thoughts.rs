//! Thoughts by command line: distilled from a handbook by a service on the loopback, chosen, compared and laid on a map. The encoder
//! is a tiny one, so that none has to be fetched.

#![allow(clippy::unwrap_used)]

#[path = "support/teacher.rs"]
mod service;
mod support;

use std::path::Path;

use serde_json::{Value, json};
use service::{Deed, Service};
use support::{Output, Project, command, finish};

const GOOD: &str = r#"{"challenge":"A fault may be far from where it shows.","steps":["Ask who reports it.","Follow the path back.","Test each part alone."]}"#;

const CASES: &str = concat!(
    r#"{"symptom":"Host r17 cannot reach 10.0.0.5 over the link","steps":["Ping 10.0.0.5.","Look at /var/log/net.","Replace the cable."]}"#,
    "\n",
    r#"{"symptom":"The disk of node r18 reports 7 bad sectors","steps":["Read the counters.","Compare with yesterday.","Take the node out."]}"#,
    "\n",
    r#"{"symptom":"Host r17 cannot reach 10.0.0.5 over the link","steps":["Ping 10.0.0.5.","Look at /var/log/net.","Replace the cable."]}"#,
    "\n",
    r#"{"symptom":"The clock of the node drifts","steps":["Look.","Set it."]}"#,
    "\n",
    r#"{"symptom":"No light","steps":["Look.","Clean.","Replace."]}"#,
    "\n"
);

fn run(project: &Project, args: &[&str]) -> Output {
    let mut command = command(&project.path("."), args);
    command.env("LOGWRIGHT_ENCODER", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/bert"));
    // What it embeds is kept in the project's folder, not in the user's.
    command.env("LOGWRIGHT_CACHE", project.path("cache"));
    finish(command)
}

fn with_cases() -> Project {
    let project = Project::empty();
    project.write("cases.jsonl", CASES.as_bytes());
    project
}

fn distil(project: &Project, service: &Service, more: &[&str]) -> Output {
    let common =
        ["teacher", "thoughts", "--cases", "cases.jsonl", "--endpoint", &service.url, "--model", "m", "--json"];
    run(project, &common.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn a_handbook_becomes_thoughts_that_wait_for_review_and_is_never_paid_for_twice() {
    let project = with_cases();
    let service = Service::start(|asked| {
        assert!(asked.user().contains("root cause") && !asked.user().contains("clock"), "{}", asked.user());
        Deed::Reply(if asked.user().contains("disk") { GOOD.replace("fault", "warning") } else { GOOD.into() })
    });
    let output = distil(&project, &service, &[]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let report = output.json();
    // The third case is a copy of the first: it would add nothing.
    let numbers = ["analyses", "chosen", "asked", "cached", "kept", "flagged", "failed", "left", "new"]
        .map(|name| report[name].as_u64().unwrap_or_else(|| panic!("{name} in {report}")));
    assert_eq!(numbers, [3, 2, 2, 0, 2, 0, 0, 0, 2]);
    let excluded: Vec<String> = report["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| format!("{}: {}", bad["source"].as_str().unwrap(), bad["why"].as_str().unwrap()))
        .collect();
    assert_eq!(excluded, ["cases.jsonl:4: 2 steps, fewer than 3", "cases.jsonl:5: a symptom of 2 words, fewer than 4"]);
    let listed = run(&project, &["review", "list", "--kind", "thought", "--json"]).json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["standing"] == "pending"));
    let shown = run(&project, &["review", "show", items[0]["id"].as_str().unwrap(), "--json"]).json();
    assert_eq!((&shown["source"], &shown["task"]), (&json!("m"), &json!("root_cause")));
    assert!(shown["dpp_order"].as_u64().is_some() && shown["dpp_gain"].as_f64().is_some(), "{shown}");
    assert!(shown["from"].as_str().unwrap().starts_with("cases.jsonl:"));

    let again = distil(&project, &service, &[]).json();
    assert_eq!((&again["asked"], &again["cached"], &again["new"]), (&json!(0), &json!(2), &json!(0)));
    assert_eq!(service.requests(), 2);
    let one = distil(&project, &service, &["--count", "1"]).json();
    assert_eq!((&one["chosen"], &one["asked"]), (&json!(1), &json!(0)));
}

#[test]
fn what_is_malformed_or_names_its_case_is_asked_for_again_and_then_flagged() {
    let project = with_cases();
    let service = Service::start(|asked| {
        let turns = asked.body["messages"].as_array().unwrap().len();
        let naming = GOOD.replace("each part", "10.0.0.5 and r18");
        if asked.user().contains("disk") {
            // Always names its node.
            return Deed::Reply(naming);
        }
        if turns == 2 {
            return Deed::Reply("Here you are!".into());
        }
        let complaint = asked.body["messages"][3]["content"].as_str().unwrap();
        if complaint.contains("not one JSON object") {
            assert_eq!(asked.body["messages"][2]["content"], "Here you are!");
            return Deed::Reply(naming);
        }
        assert!(complaint.contains("Details of the case") && complaint.contains("10.0.0.5"), "{complaint}");
        Deed::Reply(GOOD.into())
    });
    let output = distil(&project, &service, &["--tries", "2"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let report = output.json();
    assert_eq!((&report["kept"], &report["flagged"], &report["asked"]), (&json!(1), &json!(1), &json!(6)), "{report}");
    let flagged = report["items"].as_array().unwrap().iter().find(|item| item["details"] != json!([])).unwrap();
    assert_eq!(flagged["details"], json!(["r18"]));
    let shown = run(&project, &["review", "show", flagged["id"].as_str().unwrap(), "--json"]).json();
    assert_eq!(shown["instance_details"], json!(["r18"]));
}

#[test]
fn what_never_keeps_the_form_is_reported_and_leaves_nothing() {
    let project = with_cases();
    let service = Service::start(|_| Deed::Reply("No.".into()));
    let output = distil(&project, &service, &["--tries", "1"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("2 thoughts could not be had"), "{}", output.stderr);
    assert_eq!(output.json()["failed"], json!(2));
    assert_eq!(run(&project, &["review", "list", "--json"]).json()["items"], json!([]));
}

#[test]
fn a_rehearsal_sends_nothing() {
    let project = with_cases();
    let args = ["teacher", "thoughts", "--cases", "cases.jsonl", "--model", "m", "--dry-run", "--json"];
    let output = run(&project, &args);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let report = output.json();
    assert_eq!(report["estimate"]["requests"], json!(2));
    let prompt = report["first_prompt"].to_string();
    assert!(prompt.contains("challenge") && prompt.contains("```"), "{prompt}");
}

#[test]
fn the_projects_own_right_reasoning_is_distilled_too() {
    let project = Project::empty();
    let rationale = |id: &str, answer: &str| {
        json!({"id": id, "task": "anomaly", "instruction": "Judge the entry.", "input": format!("fan {id} failed"), "label": "abnormal",
               "reasoning": format!("<think>1. It says failed.\n2. A fan {id} cools.\n3. So it matters.</think><answer>{answer}</answer>")})
    };
    let rows = [rationale("a", "abnormal"), rationale("b", "normal"), rationale("c", "abnormal")];
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    project.write("rationales.jsonl", text.as_bytes());
    assert_eq!(run(&project, &["import", "rationales", "rationales.jsonl"]).code, 0);
    assert_eq!(run(&project, &["review", "reject", "c"]).code, 0);
    let args = ["teacher", "thoughts", "--tasks", "--model", "m", "--dry-run", "--json"];
    let report = run(&project, &args).json();
    assert_eq!(report["estimate"]["requests"], json!(1), "one is wrong and one rejected: {report}");
}

#[test]
fn the_seeds_are_there_for_the_asking() {
    let project = Project::empty();
    let seeds = |project: &Project| run(project, &["teacher", "thoughts", "--seeds", "--json"]).json();
    assert_eq!(seeds(&project), json!({"seeds": 13, "new": 13}));
    assert_eq!(seeds(&project), json!({"seeds": 13, "new": 0}));
    let nothing = run(&project, &["teacher", "thoughts"]);
    assert_eq!(nothing.code, 2);
}

fn demo() -> Project {
    let project = Project::empty();
    let file = format!("{}/datasets/demo/thoughts.jsonl", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(run(&project, &["import", "thoughts", &file]).code, 0);
    project
}

#[test]
fn thoughts_are_laid_on_a_map_and_put_in_order() {
    let project = demo();
    for projection in ["pca", "tsne"] {
        let output = run(&project, &["review", "thoughts", "--map", projection, "--json"]);
        assert_eq!(output.code, 0, "{}", output.stderr);
        let report = output.json();
        let thoughts = report["thoughts"].as_array().unwrap();
        assert_eq!((&report["basis"], &report["projection"]), (&json!("meaning"), &json!(projection)));
        assert!(thoughts.iter().all(|thought| thought["x"].is_number() && thought["y"].is_number()));
        let mut order: Vec<u64> = thoughts.iter().filter_map(|thought| thought["order"].as_u64()).collect();
        order.sort_unstable();
        assert_eq!(order, (1..=order.len() as u64).collect::<Vec<_>>());
        let counted: u64 = report["step_counts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(counted, thoughts.len() as u64);
    }
    let id = run(&project, &["review", "thoughts", "--json"]).json()["thoughts"][0]["id"].as_str().unwrap().to_owned();
    let near = run(&project, &["review", "neighbours", &id, "--count", "3", "--json"]).json();
    let similar: Vec<f64> =
        near["neighbours"].as_array().unwrap().iter().map(|near| near["similarity"].as_f64().unwrap()).collect();
    assert!(similar.len() == 3 && similar.is_sorted_by(|a, b| a >= b), "{near}");
    let missing = run(&project, &["review", "neighbours", "gone"]);
    assert!(missing.code == 1 && missing.stderr.contains("no thought gone"), "{}", missing.stderr);
}

#[test]
fn without_the_encoder_words_are_compared_and_the_way_to_it_is_told() {
    let project = demo();
    let cache = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = command(&project.path("."), args);
        command.env_remove("LOGWRIGHT_ENCODER").env("LOGWRIGHT_CACHE", cache.path());
        finish(command)
    };
    let output = run(&["review", "thoughts", "--json"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("logwright model pull minilm"), "{}", output.stderr);
    let report = output.json();
    assert_eq!((&report["basis"], &report["thoughts"][0]["order"]), (&json!("words"), &Value::Null));
    let map = run(&["review", "thoughts", "--map", "pca"]);
    assert!(map.code == 1 && map.stderr.contains("logwright model pull minilm"), "{}", map.stderr);
    let check = run(&["review", "check", "--json"]);
    assert!(check.code == 0 && check.stderr.contains("compared by words alone"), "{}", check.stderr);
    assert_eq!(
        (&check.json()["thoughts_compared_by"], &check.json()["duplicates_by"]["meaning"]),
        (&json!("words"), &json!(0))
    );
    project.write("cases.jsonl", CASES.as_bytes());
    let teacher = run(&["teacher", "thoughts", "--cases", "cases.jsonl", "--model", "m", "--dry-run"]);
    assert!(teacher.code == 1 && teacher.stderr.contains("logwright model pull minilm"), "{}", teacher.stderr);
}

#[test]
fn the_queue_of_trouble_has_what_means_the_same_and_says_by_which_measure() {
    let project = Project::empty();
    let thought = |id: &str, challenge: &str| json!({"id": id, "task": "anomaly", "problem": "p", "analysis": "a", "challenge": challenge, "steps": ["Find the value.", "Judge by it."]});
    // The tiny encoder does not know most words, so that all of these are nearly the same to it.
    let rows = [thought("a", "error on the link of rank 3"), thought("b", "a failure of the link, says rank 5")];
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    project.write("thoughts.jsonl", text.as_bytes());
    assert_eq!(run(&project, &["import", "thoughts", "thoughts.jsonl"]).code, 0);
    let near = run(&project, &["review", "neighbours", "a", "--json"]).json()["neighbours"][0]["similarity"].clone();
    assert!(near.as_f64().unwrap() > 0.85, "{near}");
    let check = run(&project, &["review", "check", "--json"]).json();
    assert_eq!((&check["duplicates"], &check["thoughts_compared_by"]), (&json!(1), &json!("meaning")), "{check}");
    assert_eq!(check["duplicates_by"], json!({"words": 0, "meaning": 1}));
    assert_eq!(check["repeats"], json!([{"id": "b", "of": "a", "similarity": near, "by": "meaning"}]));
    let shown = run(&project, &["review", "show", "b"]);
    assert!(shown.stdout.contains("! near-duplicate of a (it means the same: cosine "), "{}", shown.stdout);
    let flagged = run(&project, &["review", "list", "--trouble", "near_duplicate", "--json"]).json();
    assert_eq!(flagged["items"][0]["near"]["by"], "meaning");
    let words = run(&project, &["review", "check", "--words", "--json"]).json();
    assert_eq!((&words["duplicates"], &words["thoughts_compared_by"]), (&json!(0), &json!("words")));
    assert!(run(&project, &["review", "check"]).stdout.contains("1  near-duplicate (0 by words, 1 by meaning)"));
    // A sample check does not accept it either.
    let args = ["review", "accept", "--trouble-free", "--sample", "5", "--json"];
    let outcome = run(&project, &args).json();
    assert_eq!((&outcome["drawn_from"], &outcome["sample"][0]["id"]), (&json!(1), &json!("a")));
    assert!(std::fs::read_dir(project.path("cache/embeddings")).unwrap().count() == 1);
}

/// On the real encoder and the shared thoughts, eight of which were written again on purpose.
#[test]
fn what_was_written_again_on_purpose_is_found() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/thoughts/thoughts.jsonl");
    if !file.exists() {
        println!("skipped: {} is not here", file.display());
        return;
    }
    let project = Project::empty();
    let run = |args: &[&str]| finish(command(&project.path("."), args));
    assert_eq!(run(&["import", "thoughts", &file.display().to_string()]).code, 0);
    let report = run(&["review", "thoughts", "--json"]).json();
    let pairs: Vec<(&str, &str)> = report["same"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair["first"].as_str().unwrap(), pair["second"].as_str().unwrap()))
        .collect();
    let written_again = [
        ("thought-001", "thought-021"),
        ("thought-003", "thought-024"),
        ("thought-009", "thought-023"),
        ("thought-012", "thought-022"),
        ("thought-026", "thought-036"),
        ("thought-038", "thought-047"),
        ("thought-039", "thought-048"),
        ("thought-055", "thought-060"),
    ];
    assert_eq!(pairs, written_again, "by {}", report["basis"]);
    let flagged = run(&["review", "list", "--trouble", "near_duplicate", "--json"]).json();
    let mut flagged: Vec<&str> =
        flagged["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    flagged.sort_unstable();
    let mut again = written_again.map(|(_, second)| second);
    again.sort_unstable();
    assert_eq!(flagged, again);
}
