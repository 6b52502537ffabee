//! Reviewing by command line, on the bundled demo's files.

mod support;

use serde_json::Value;
use support::Project;

/// A project with the demo's rationales, pairs and thoughts.
fn demo() -> Project {
    let project = Project::empty();
    for kind in ["rationales", "pairs", "thoughts"] {
        let file = format!("{}/datasets/demo/{kind}.jsonl", env!("CARGO_MANIFEST_DIR"));
        run(&project, &["import", kind, &file]);
    }
    project
}

/// Runs a command that must succeed.
fn run(project: &Project, args: &[&str]) {
    let output = project.run(args);
    assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
}

/// Runs a command that must succeed with `--json`.
fn json(project: &Project, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let output = project.run(&args);
    assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
    output.json()
}

fn listed(project: &Project, filters: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["review", "list"].into_iter().chain(filters.iter().copied()).collect();
    json(project, &args)["items"].as_array().expect("a list").clone()
}

#[test]
fn accepting_everything_leaves_nothing_pending() {
    let project = demo();
    assert_eq!(listed(&project, &["--standing", "pending"]).len(), 100);
    let outcome = json(&project, &["review", "accept", "--all", "--kind", "rationale", "--as", "ana"]);
    assert_eq!(outcome, serde_json::json!({ "verdict": "accept", "reviewer": "ana", "count": 60 }));
    assert_eq!(json(&project, &["review", "accept", "--all"])["count"], 40);
    assert_eq!(listed(&project, &["--standing", "pending"]).len(), 0);
    assert_eq!(json(&project, &["review", "accept", "--all"])["count"], 0);
}

#[test]
fn accepting_everything_spares_what_is_decided() {
    let project = demo();
    run(&project, &["review", "reject", "pair-001", "thought-003", "--reason", "too vague"]);
    assert_eq!(json(&project, &["review", "accept", "--all"])["count"], 98);
    let rejected = listed(&project, &["--standing", "rejected"]);
    assert_eq!(rejected.len(), 2);
    assert_eq!((&rejected[0]["id"], &rejected[0]["reason"]), (&"pair-001".into(), &"too vague".into()));
}

#[test]
fn the_demo_has_the_trouble_that_its_guide_promises() {
    let project = demo();
    let flagged = listed(&project, &["--flagged"]);
    let troubles: Vec<_> = flagged.iter().map(|item| item["troubles"].to_string()).collect();
    let mismatches = troubles.iter().filter(|text| text.contains("answer_mismatch")).count();
    let malformed = troubles.iter().filter(|text| text.contains("malformed")).count();
    assert_eq!((mismatches, malformed), (2, 2), "{flagged:#?}");
    let grave = |item: &&Value| item["troubles"][0] == "answer_mismatch" || item["troubles"][0] == "malformed";
    let grave: Vec<&Value> = flagged.iter().filter(grave).collect();
    assert!(grave.len() == 4 && grave.iter().all(|item| item["kind"] == "rationale"), "{flagged:#?}");
}

#[test]
fn an_edit_may_change_both_sides_of_a_pair() {
    let project = demo();
    let (chosen, rejected) = ("1. a\n2. But wait, b", "1. a\n2. c\n3. d");
    let wrapped = |steps: &str, answer: &str| format!("<solutions>{steps}</solutions><answer>{answer}</answer>");
    let (chosen, rejected) = (wrapped(chosen, "normal"), wrapped(rejected, "abnormal"));
    project.write("text", format!("{chosen}\n=== rejected ===\n{rejected}\n").as_bytes());
    run(&project, &["review", "edit", "pair-001", "--text", "text"]);
    let shown = json(&project, &["review", "show", "pair-001"]);
    assert_eq!((&shown["chosen"], &shown["rejected"]), (&chosen.into(), &rejected.into()));
    assert_eq!(shown["first_wrong_step"], 2, "where the sides part");
}

#[test]
fn an_edit_and_its_undo() {
    let project = demo();
    project.write("text", b"<think>1. A reading.</think><answer>normal</answer>\n");
    run(&project, &["review", "edit", "rationale-053", "--text", "text"]);
    let shown = json(&project, &["review", "show", "rationale-053"]);
    assert_eq!(shown["reasoning"], "<think>1. A reading.</think><answer>normal</answer>");
    run(&project, &["review", "accept", "rationale-053"]);
    assert_eq!(listed(&project, &["--standing", "edited"]).len(), 1, "accepting an edited item keeps the edit");
    run(&project, &["review", "undo"]);
    assert_eq!(json(&project, &["review", "undo"])["undone"]["item"], "rationale-053");
    assert_eq!(listed(&project, &["--standing", "edited"]).len(), 0);
    assert_eq!(json(&project, &["review", "undo"])["undone"], Value::Null);
}

#[test]
fn an_unknown_item_decides_nothing_at_all() {
    let project = demo();
    let output = project.run(&["review", "accept", "rationale-001", "nobody"]);
    assert_eq!(output.code, 1);
    assert_eq!(output.stderr, "logwright: no item nobody: `logwright review list` shows them\n");
    assert_eq!(listed(&project, &["--standing", "pending"]).len(), 100);
    assert_eq!(project.run(&["review", "accept"]).code, 2);
}

#[test]
fn an_id_of_two_kinds_has_to_be_told_apart() {
    let project = demo();
    let first = std::fs::read_to_string(format!("{}/datasets/demo/pairs.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let row = first.lines().next().unwrap().replace("\"pair-001\"", "\"rationale-001\"");
    project.write("more.jsonl", row.as_bytes());
    run(&project, &["import", "pairs", "more.jsonl"]);
    let output = project.run(&["review", "accept", "rationale-001"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("is a rationale and a pair: say which with --kind"));
    run(&project, &["review", "accept", "rationale-001", "--kind", "pair"]);
    let accepted = listed(&project, &["--standing", "accepted"]);
    assert_eq!((accepted.len(), &accepted[0]["kind"]), (1, &"pair".into()));
}
