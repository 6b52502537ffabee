//! Reviewing by command line, on the bundled demo's files.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A project with the demo's rationales, pairs and thoughts.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().expect("a folder for the test"));
        project.json(&["init", "."], false);
        for kind in ["rationales", "pairs", "thoughts"] {
            let file = format!("{}/datasets/demo/{kind}.jsonl", env!("CARGO_MANIFEST_DIR"));
            assert!(project.run(&["import", kind, &file]).status.success());
        }
        project
    }

    fn run(&self, args: &[&str]) -> Output {
        logwright(self.0.path(), args)
    }

    /// Runs a command that must succeed; its JSON, if asked for.
    fn json(&self, args: &[&str], json: bool) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(json.then_some("--json")).collect();
        let output = self.run(&args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        if json { serde_json::from_slice(&output.stdout).expect("--json prints JSON") } else { Value::Null }
    }

    fn listed(&self, filters: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = ["review", "list"].into_iter().chain(filters.iter().copied()).collect();
        self.json(&args, true)["items"].as_array().expect("a list").clone()
    }
}

fn logwright(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logwright"))
        .args(args)
        .current_dir(dir)
        .env_remove("LOGWRIGHT_PROJECT")
        .output()
        .expect("the program starts")
}

#[test]
fn accepting_everything_leaves_nothing_pending() {
    let project = Project::new();
    assert_eq!(project.listed(&["--standing", "pending"]).len(), 100);
    let outcome = project.json(&["review", "accept", "--all", "--kind", "rationale", "--as", "ana"], true);
    assert_eq!(outcome, serde_json::json!({ "verdict": "accept", "reviewer": "ana", "count": 60 }));
    assert_eq!(project.json(&["review", "accept", "--all"], true)["count"], 40);
    assert_eq!(project.listed(&["--standing", "pending"]).len(), 0);
    assert_eq!(project.json(&["review", "accept", "--all"], true)["count"], 0);
}

#[test]
fn accepting_everything_spares_what_is_decided() {
    let project = Project::new();
    project.json(&["review", "reject", "pair-001", "thought-003", "--reason", "too vague"], false);
    assert_eq!(project.json(&["review", "accept", "--all"], true)["count"], 98);
    let rejected = project.listed(&["--standing", "rejected"]);
    assert_eq!(rejected.len(), 2);
    assert_eq!((&rejected[0]["id"], &rejected[0]["reason"]), (&"pair-001".into(), &"too vague".into()));
}

#[test]
fn the_demo_has_the_trouble_that_its_guide_promises() {
    let project = Project::new();
    let flagged = project.listed(&["--flagged"]);
    let troubles: Vec<_> = flagged.iter().map(|item| item["troubles"].to_string()).collect();
    let mismatches = troubles.iter().filter(|text| text.contains("answer_mismatch")).count();
    let malformed = troubles.iter().filter(|text| text.contains("malformed")).count();
    assert_eq!((flagged.len(), mismatches, malformed), (4, 2, 2), "{flagged:#?}");
    assert!(flagged.iter().all(|item| item["kind"] == "rationale"));
}

#[test]
fn an_edit_and_its_undo() {
    let project = Project::new();
    let text = project.0.path().join("text");
    std::fs::write(&text, "<think>1. A reading.</think><answer>normal</answer>\n").unwrap();
    project.json(&["review", "edit", "rationale-053", "--text", text.to_str().unwrap()], false);
    let shown = project.json(&["review", "show", "rationale-053"], true);
    assert_eq!(shown["reasoning"], "<think>1. A reading.</think><answer>normal</answer>");
    project.json(&["review", "accept", "rationale-053"], false);
    assert_eq!(project.listed(&["--standing", "edited"]).len(), 1, "accepting an edited item keeps the edit");
    project.json(&["review", "undo"], false);
    assert_eq!(project.json(&["review", "undo"], true)["undone"]["item"], "rationale-053");
    assert_eq!(project.listed(&["--standing", "edited"]).len(), 0);
    assert_eq!(project.json(&["review", "undo"], true)["undone"], Value::Null);
}

#[test]
fn an_unknown_item_decides_nothing_at_all() {
    let project = Project::new();
    let output = project.run(&["review", "accept", "rationale-001", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(message, "logwright: no item nobody: `logwright review list` shows them\n");
    assert_eq!(project.listed(&["--standing", "pending"]).len(), 100);
    assert_eq!(project.run(&["review", "accept"]).status.code(), Some(2));
}

#[test]
fn an_id_of_two_kinds_has_to_be_told_apart() {
    let project = Project::new();
    let file = project.0.path().join("more.jsonl");
    let first = std::fs::read_to_string(format!("{}/datasets/demo/pairs.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let row = first.lines().next().unwrap().replace("\"pair-001\"", "\"rationale-001\"");
    std::fs::write(&file, row).unwrap();
    project.json(&["import", "pairs", file.to_str().unwrap()], false);
    let output = project.run(&["review", "accept", "rationale-001"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is a rationale and a pair: say which with --kind"));
    project.json(&["review", "accept", "rationale-001", "--kind", "pair"], false);
    let accepted = project.listed(&["--standing", "accepted"]);
    assert_eq!((accepted.len(), &accepted[0]["kind"]), (1, &"pair".into()));
}
