//! `teacher corrections` and `teacher imitate` on the command line: a service on the loopback with scripted replies, and a tiny
//! random model of this machine.

#![allow(clippy::unwrap_used)]

#[path = "support/teacher.rs"]
mod service;
mod support;

use std::path::Path;

use serde_json::{Value, json};
use service::{Deed, Service};
use support::{Output, Project};

const WRONG: &str = "<solutions>1. The fan is named.\n2. Fans stop when they are told to.\n3. Routine, so normal.</solutions><answer>normal</answer>";

fn reply(step: usize, first: &str, answer: &str) -> String {
    let revision =
        [first, "Leaving that idea out, the log only says \"stopped\".", "A stopped fan lets the node overheat."];
    json!({ "first_wrong_step": step, "why": "Nobody told it to.", "revision": revision, "answer": answer }).to_string()
}

fn right() -> String {
    reply(2, "But wait, nothing in the log told the fan to stop.", "abnormal")
}

/// A project with one rationale that answers wrongly, and one that does not.
fn project() -> Project {
    let project = Project::empty();
    let rationale = |id: &str, reasoning: &str| {
        json!({ "id": id, "task": "anomaly", "instruction": "Normal or abnormal?", "input": "fan 3 stopped",
                "label": "abnormal", "dataset": "bgl", "reasoning": reasoning })
    };
    let good = "<think>1. The fan stopped.\n2. It should not.</think><answer>abnormal</answer>";
    let rows = format!("{}\n{}\n", rationale("wrong", WRONG), rationale("good", good));
    project.write("rationales.jsonl", rows.as_bytes());
    assert_eq!(project.run(&["import", "rationales", "rationales.jsonl"]).code, 0);
    project
}

fn corrections(project: &Project, service: &Service, args: &[&str]) -> Output {
    let common = ["teacher", "corrections", "--endpoint", &service.url, "--model", "m", "--json"];
    project.run(&common.into_iter().chain(args.iter().copied()).collect::<Vec<_>>())
}

fn done(output: &Output) -> Value {
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    output.json()
}

/// Numbers of a report; of a list, how long it is.
fn numbers(report: &Value, names: &[&str]) -> Vec<u64> {
    let number = |value: &Value| value.as_array().map(|list| list.len() as u64).or_else(|| value.as_u64());
    names.iter().map(|name| number(&report[*name]).unwrap_or_else(|| panic!("{name} in {report}"))).collect()
}

#[test]
fn a_correction_becomes_a_pair_that_waits_for_review_and_is_not_asked_for_again() {
    let project = project();
    let service = Service::start(|asked| {
        // Whatever the log says, it stands in a fence; the truth and the steps are there.
        assert!(asked.user().contains("```\nfan 3 stopped\n```") && asked.user().contains("[step 3] 3. Routine"));
        assert!(asked.user().contains("The right answer: abnormal"));
        Deed::Reply(right())
    });
    let report = done(&corrections(&project, &service, &[]));
    assert_eq!(
        numbers(&report, &["items", "asked", "corrected", "not_corrected", "failed", "new"]),
        [1, 1, 1, 0, 0, 1]
    );
    let listed = done(&project.run(&["review", "list", "--kind", "pair", "--json"]));
    let pair = &listed["items"][0];
    assert_eq!(pair["standing"], "pending");
    for trouble in ["answer_mismatch", "malformed", "prefix_differs"] {
        assert!(!pair["troubles"].as_array().unwrap().contains(&json!(trouble)), "{pair}");
    }
    let shown = done(&project.run(&["review", "show", pair["id"].as_str().unwrap(), "--json"]));
    let chosen = shown["chosen"].as_str().unwrap();
    assert!(chosen.starts_with("<solutions>1. The fan is named.\n2. But wait, nothing in the log"), "{chosen}");
    assert!(chosen.ends_with("</solutions><answer>abnormal</answer>"), "{chosen}");
    assert_eq!(
        (&shown["rejected"], &shown["first_wrong_step"], &shown["source"]),
        (&json!(WRONG), &json!(2), &json!("teacher"))
    );
    let again = done(&corrections(&project, &service, &[]));
    assert_eq!(numbers(&again, &["items", "corrected_before"]), [0, 1]);
    // Asked for on purpose, it is found where it was kept.
    let again = done(&corrections(&project, &service, &["--again"]));
    assert_eq!(numbers(&again, &["asked", "cached", "corrected", "new"]), [0, 1, 1, 0]);
}

#[test]
fn replies_that_make_no_pair_are_told_why_and_asked_for_again() {
    let project = project();
    let service = Service::start(|asked| {
        let replies = [
            reply(7, "But wait, no.", "abnormal"),
            reply(2, "But wait, no.", "normal"),
            right()[..40].to_owned(),
            reply(2, "The fan is broken.", "abnormal"),
            right(),
        ];
        Deed::Reply(replies[asked.number - 1].clone())
    });
    let report = done(&corrections(&project, &service, &["--tries", "4"]));
    assert_eq!(numbers(&report, &["asked", "corrected"]), [5, 1]);
    let complaints: Vec<&str> =
        report["items"][0]["complaints"].as_array().unwrap().iter().map(|why| why.as_str().unwrap()).collect();
    let expected = ["not one of the 3 steps", "not \"abnormal\"", "JSON object", "But wait"];
    assert_eq!(complaints.len(), 4);
    for (why, part) in complaints.iter().zip(expected) {
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn what_stays_wrong_is_reported_and_makes_no_pair() {
    let project = project();
    let service = Service::start(|_| Deed::Reply("I cannot say.".into()));
    let report = done(&corrections(&project, &service, &["--tries", "1"]));
    assert_eq!(numbers(&report, &["asked", "corrected", "not_corrected", "new"]), [2, 0, 1, 0]);
    let plain = project.run(&["teacher", "corrections", "--endpoint", &service.url, "--model", "m", "--tries", "1"]);
    assert!(plain.stderr.contains("wrong: no pair after 2 tries"), "{}", plain.stderr);
    assert!(
        done(&project.run(&["review", "list", "--kind", "pair", "--json"]))["items"].as_array().unwrap().is_empty()
    );
}

#[test]
fn the_step_that_a_reviewer_marked_is_the_first_wrong_one() {
    let project = project();
    let marked = project.run(&["review", "mark", "wrong", "--first-wrong", "3"]);
    assert_eq!(marked.code, 0, "{}", marked.stderr);
    let service = Service::start(|asked| {
        assert!(asked.user().contains("step 3 is the first wrong one"), "{}", asked.user());
        Deed::Reply(if asked.number == 1 { right() } else { reply(3, "But wait, a stop is not routine.", "abnormal") })
    });
    let report = done(&corrections(&project, &service, &[]));
    assert_eq!((&report["items"][0]["first_wrong_step"], &report["asked"]), (&json!(3), &json!(2)));
    assert!(report["items"][0]["complaints"][0].as_str().unwrap().contains("marked step 3"));
}

#[test]
fn a_dry_run_shows_what_would_be_asked_and_sends_nothing() {
    let project = project();
    let output = done(&project.run(&["teacher", "corrections", "--model", "m", "--dry-run", "--json"]));
    assert_eq!(output["estimate"]["requests"], 1);
    assert!(output["first_prompt"][0]["text"].as_str().unwrap().contains("first_wrong_step"));
}

#[test]
fn a_model_of_this_machine_solves_and_corrects() {
    let (project, tiny) = (project(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama"));
    let tiny = tiny.display().to_string();
    let data = "{\"input\": \"fan 3 stopped\", \"label\": \"true\", \"task\": \"failure\", \"instruction\": \"Failure?\"}\n\
                {\"input\": \"link up\", \"label\": \"because\", \"task\": \"root_cause\"}\n";
    project.write("tasks.jsonl", data.as_bytes());
    let imitate = |more: &[&str]| {
        let common = ["teacher", "imitate", "--base", &tiny, "--data", "tasks.jsonl", "--max-tokens", "6", "--json"];
        done(&project.run(&common.into_iter().chain(more.iter().copied()).collect::<Vec<_>>()))
    };
    // A random model says nothing that could be read.
    let report = imitate(&["--n", "3"]);
    assert_eq!(
        numbers(&report, &["items", "asked", "right", "wrong", "malformed", "unchecked", "left"]),
        [2, 6, 0, 0, 6, 0, 0]
    );
    assert_eq!(numbers(&imitate(&["--n", "4"]), &["asked", "cached"]), [2, 6], "what was written is there already");
    let dry = imitate(&["--dry-run"]);
    assert_eq!((&dry["questions"], &dry["solutions"]), (&json!(2), &json!(8)));
    // The tiny model reads 256 tokens, and the question about a correction has more.
    let output = project.run(&["teacher", "corrections", "--local", "--model", &tiny, "--json"]);
    assert_eq!(output.code, 1);
    assert_eq!((&output.json()["failed"], &output.json()["endpoint"]), (&json!(1), &json!("this machine")));
    assert!(output.json()["items"][0]["failed"].as_str().unwrap().contains("the model reads 256"), "{}", output.stdout);
}
