//! The panel's process by the command line: rounds, what they freeze, undo and redo, comments, flags, and merging copies.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use serde_json::Value;
use support::{Output, Project};

fn ok(output: Output) -> Output {
    assert_eq!(output.code, 0, "{}", output.stderr);
    output
}

fn vote(project: &Project, id: &str, label: &str, who: &str, more: &[&str]) -> Output {
    project.run(&[&["vote", id, label, "--as", who, "--json"], more].concat())
}

fn with_senior() -> Project {
    let project = Project::with_templates();
    let settings = fs::read_to_string(project.path("logwright.toml")).unwrap();
    project.write("logwright.toml", settings.replace("seniors = []", "seniors = [\"mei\"]").as_bytes());
    project
}

#[test]
fn a_closed_blind_round_is_frozen_and_the_panel_votes_in_sight_of_it() {
    let project = with_senior();
    ok(vote(&project, "1", "normal", "ana", &[]));
    ok(vote(&project, "1", "abnormal", "bao", &[]));
    let early = vote(&project, "1", "abnormal", "ana", &["--round", "panel"]);
    assert_eq!(early.code, 1);
    assert!(early.stderr.contains("logwright round close"), "{}", early.stderr);

    let refused = project.run(&["round", "close", "--as", "ana"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("seniors are mei"), "{}", refused.stderr);
    let status = ok(project.run(&["round", "close", "--as", "mei", "--reason", "all voted", "--json"])).json();
    assert_eq!(status["phase"], "panel");
    assert_eq!(status["rounds"][0]["state"], "closed");
    assert_eq!(status["rounds"][0]["votes"], 2);
    assert_eq!(status["rounds"][0]["last"]["reason"], "all voted");

    let late = vote(&project, "2", "normal", "ana", &[]);
    assert_eq!(late.code, 1);
    assert!(late.stderr.contains("frozen"), "{}", late.stderr);
    assert_eq!(project.run(&["undo", "--as", "ana"]).code, 1, "a frozen vote cannot be taken back");

    ok(vote(&project, "1", "abnormal", "chi", &["--round", "panel"]));
    let changed = ok(vote(&project, "1", "abnormal", "ana", &["--round", "panel"])).json();
    assert_eq!(changed["others"], serde_json::json!({ "normal": 0, "abnormal": 2 }));
    let blind = ok(project.run(&["agreement", "--json"])).json();
    assert_eq!(blind["items"], 1, "the blind round stays as it was");

    let reopen = project.run(&["round", "open", "blind", "--as", "mei"]);
    assert_eq!(reopen.code, 1);
    assert!(reopen.stderr.contains("in sight of the blind votes"), "{}", reopen.stderr);
    ok(project.run(&["round", "close", "--as", "mei"]));
    assert_eq!(ok(project.run(&["round", "status", "--json"])).json()["phase"], "ruling");
    ok(project.run(&["round", "open", "panel", "--as", "mei"]));
    assert_eq!(ok(project.run(&["round", "status", "--json"])).json()["phase"], "panel");
}

#[test]
fn a_vote_in_sight_of_the_label_is_kept_apart_from_the_blind_one() {
    let project = Project::with_templates();
    for who in ["ana", "bao"] {
        ok(vote(&project, "1", "normal", who, &["--elapsed-ms", "2400"]));
    }
    let second = ok(vote(&project, "1", "abnormal", "ana", &["--revealed"])).json();
    assert_eq!((&second["revealed"], &second["others"]), (&Value::Bool(true), &Value::Null));
    let agreement = ok(project.run(&["agreement", "--json"])).json();
    assert_eq!(agreement["percent"], 100.0, "the blind votes agree");
}

#[test]
fn what_was_taken_back_can_be_cast_again_until_something_new_is_said() {
    let project = Project::with_templates();
    ok(vote(&project, "1", "normal", "ana", &[]));
    ok(vote(&project, "2", "abnormal", "ana", &["--category", "network issue"]));
    let taken = |command: &str| -> Vec<String> {
        let votes = ok(project.run(&[command, "--as", "ana", "--json"])).json()["votes"].clone();
        votes.as_array().unwrap().iter().map(|vote| vote["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(taken("undo"), ["2"]);
    assert_eq!(taken("undo"), ["1"]);
    assert!(taken("undo").is_empty());
    assert_eq!(taken("redo"), ["1"]);
    assert_eq!(taken("redo"), ["2"]);
    assert!(taken("redo").is_empty());
    assert_eq!(taken("undo"), ["2"]);
    ok(vote(&project, "1", "abnormal", "ana", &[]));
    assert!(taken("redo").is_empty(), "a new vote ends the way back");
    assert_eq!(taken("undo"), ["1"]);
    assert_eq!(ok(project.run(&["round", "status", "--json"])).json()["rounds"][0]["votes"], 1);
}

#[test]
fn comments_and_flags_are_kept_by_name() {
    let project = Project::with_templates();
    let comment = ok(project.run(&["comment", "bgl/1", "a dead link", "--as", "ana", "--json"])).json();
    assert_eq!((&comment["id"], &comment["text"]), (&Value::from("1"), &Value::from("a dead link")));
    assert_eq!(project.run(&["comment", "1", " ", "--as", "ana"]).code, 1);
    assert_eq!(project.run(&["comment", "9", "x", "--as", "ana"]).code, 1);
    let undone = ok(project.run(&["undo", "comment", "--as", "ana", "--json"])).json();
    assert_eq!(undone["comment"]["text"], "a dead link");
    assert_eq!(ok(project.run(&["undo", "comment", "--as", "ana", "--json"])).json()["comment"], Value::Null);
    assert_eq!(ok(project.run(&["flag", "2", "--as", "ana", "--json"])).json()["flagged"], true);
    assert_eq!(ok(project.run(&["flag", "2", "--as", "ana", "--off", "--json"])).json()["flagged"], false);
}

#[test]
fn importing_votes_is_idempotent_in_any_order_and_respects_a_closed_round() {
    let first = "dataset,id,annotator,label\nbgl,1,ana,normal\nbgl,2,ana,normal\n";
    let second = "dataset,id,annotator,label,at\nbgl,1,ana,abnormal,2026-03-01T10:00:00Z\nbgl,2,bao,unsure,2026-03-01T10:00:00Z\n";
    let votes = |order: &[&str]| {
        let project = Project::with_templates();
        for (index, table) in order.iter().enumerate() {
            let name = format!("votes{index}.csv");
            project.write(&name, table.as_bytes());
            ok(project.run(&["import", "votes", &name]));
        }
        let workspace = logwright::workspace::Workspace::open(&project.path("")).unwrap();
        workspace.votes().unwrap()
    };
    let expected = votes(&[first, second]);
    assert_eq!(expected.len(), 3);
    assert_eq!(votes(&[second, first]), expected);
    assert_eq!(votes(&[first, second, first, second]), expected);

    let project = Project::with_templates();
    project.write("first.csv", first.as_bytes());
    project.write("second.csv", second.as_bytes());
    ok(project.run(&["import", "votes", "first.csv"]));
    ok(project.run(&["round", "close", "--as", "mei"]));
    let again = ok(project.run(&["import", "votes", "first.csv", "second.csv", "--json"])).json();
    assert_eq!((&again["imported"], &again["unchanged"]), (&Value::from(4), &Value::from(2)));
    project.write("late.csv", b"dataset,id,annotator,label\nbgl,1,chi,normal\nbgl,2,chi,normal\n");
    let late = project.run(&["import", "votes", "late.csv", "--json"]);
    assert_eq!((late.code, &late.json()["imported"]), (1, &Value::from(0)));
    assert!(late.stderr.contains("the blind round was closed at"), "{}", late.stderr);
}

#[test]
fn exported_labels_and_votes_are_read_back_as_they_were() {
    let project = Project::with_templates();
    ok(vote(&project, "1", "abnormal", "ana", &["--category", "network issue", "--comment", "-=so, \"really\""]));
    ok(vote(&project, "1", "abnormal", "bao", &["--elapsed-ms", "1900"]));
    ok(vote(&project, "2", "unsure", "bao", &["--revealed"]));
    for (votes, labels) in [("votes.csv", "labels.csv"), ("votes.jsonl", "labels.json")] {
        assert_eq!(ok(project.run(&["export", "votes", votes, "--json"])).json()["rows"], 3);
        assert_eq!(ok(project.run(&["export", "labels", labels, "--json"])).json()["rows"], 2);
        let back = ok(project.run(&["import", "votes", votes, "--json"])).json();
        assert_eq!((&back["imported"], &back["unchanged"]), (&Value::from(3), &Value::from(3)));
        let other = Project::empty();
        for (kind, file) in [("templates", labels), ("votes", votes)] {
            other.write(file, &fs::read(project.path(file)).unwrap());
            ok(other.run(&["import", kind, file]));
        }
        let open = |project: &Project| logwright::workspace::Workspace::open(&project.path("")).unwrap();
        assert_eq!(open(&other).votes().unwrap(), open(&project).votes().unwrap());
        let gold = |project: &Project| open(project).gold().unwrap().into_iter().map(|(key, gold)| (key, gold.label));
        assert!(gold(&other).eq(gold(&project)));
    }
}

#[test]
fn copies_merge_to_the_same_whatever_the_order() {
    let origin = Project::with_templates();
    let copies: Vec<Project> = ["ana", "bao", "chi"]
        .iter()
        .enumerate()
        .map(|(index, who)| {
            let copy = Project::empty();
            for entry in fs::read_dir(origin.path("")).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), copy.path(&entry.file_name().to_string_lossy())).unwrap();
            }
            ok(vote(&copy, "1", if index == 2 { "abnormal" } else { "normal" }, who, &[]));
            ok(vote(&copy, "2", "abnormal", who, &["--comment", "so"]));
            ok(copy.run(&["undo", "--as", who]));
            ok(copy.run(&["comment", "1", who, "--as", who]));
            ok(copy.run(&["flag", "1", "--as", who]));
            copy
        })
        .collect();
    let dir = |copy: &Project| copy.path("").display().to_string();
    let state = |project: &Project| {
        let workspace = logwright::workspace::Workspace::open(&project.path("")).unwrap();
        let said = (workspace.votes().unwrap(), workspace.comments().unwrap(), workspace.flags().unwrap());
        (said, workspace.templates().unwrap(), workspace.gold().unwrap())
    };
    let left = ok(copies[0].run(&["merge", &dir(&copies[1]), &dir(&copies[2]), "--json"])).json();
    assert_eq!(left["added"]["votes"], 6, "two votes and an undo of each");
    assert_eq!(left["added"]["templates"], 0);
    ok(copies[2].run(&["merge", &dir(&copies[1])]));
    ok(copies[2].run(&["merge", &dir(&copies[0])]));
    assert_eq!(state(&copies[0]), state(&copies[2]));
    assert_eq!(state(&copies[0]).0.0.len(), 3);
    let again = ok(copies[0].run(&["merge", &dir(&copies[2]), "--json"])).json();
    assert_eq!(again["rows"], 0);
    let itself = ok(copies[0].run(&["merge", &dir(&copies[0]), "--json"])).json();
    assert_eq!(itself["rows"], 0);
}

#[test]
fn a_blind_vote_from_a_copy_that_had_not_heard_of_the_closing_does_not_count() {
    let origin = Project::with_templates();
    ok(vote(&origin, "1", "normal", "ana", &[]));
    let copy = Project::empty();
    ok(copy.run(&["merge", &origin.path("").display().to_string()]));
    ok(vote(&copy, "2", "normal", "bao", &[]));
    ok(origin.run(&["round", "close", "--as", "mei"]));
    ok(vote(&copy, "2", "abnormal", "bao", &[]));
    let merged = ok(origin.run(&["merge", &copy.path("").display().to_string(), "--json"])).json();
    assert_eq!((&merged["added"]["votes"], &merged["late"]), (&Value::from(2), &Value::from(1)));
    let workspace = logwright::workspace::Workspace::open(&origin.path("")).unwrap();
    let votes = workspace.votes().unwrap();
    assert_eq!(votes.iter().map(|vote| vote.judgement.word()).collect::<Vec<_>>(), ["normal", "normal"]);
}

#[test]
fn what_is_no_copy_is_refused_and_nothing_is_added() {
    let project = Project::with_templates();
    assert_eq!(project.run(&["merge", "nowhere"]).code, 1);
    project.write("other.db", b"not a database, but long enough to look at");
    let output = project.run(&["merge", "other.db"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("other.db"), "{}", output.stderr);
    assert_eq!(output.stderr.lines().count(), 1);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(support::logwright(dir.path(), &["merge", "."]).code, 1, "outside a project");
}
