//! The teacher against a service on the loopback: good replies, every kind of bad one, and the real program killed.

#![allow(clippy::unwrap_used)]

#[path = "support/teacher.rs"]
mod service;
mod support;

use serde_json::Value;
use service::{Deed, Service};
use support::Project;

const RIGHT: &str = "<think>1. It says \"panic\".\n2. So it failed.</think>\n<answer>normal</answer>";
const WRONG: &str = "<think>1. It says \"panic\".\n2. So it failed.</think>\n<answer>abnormal</answer>";

/// `teacher rationales` of a service, with `--json`.
fn rationales(project: &Project, service: &Service, args: &[&str]) -> support::Output {
    let common = ["teacher", "rationales", "--endpoint", &service.url, "--model", "m", "--json"];
    project.run(&common.into_iter().chain(args.iter().copied()).collect::<Vec<_>>())
}

fn numbers(report: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| report[*name].as_u64().unwrap_or_else(|| panic!("{name} in {report}"))).collect()
}

#[test]
fn right_rationales_wait_for_review_and_are_never_paid_for_twice() {
    let project = Project::with_templates();
    let service = Service::start(|_| Deed::Reply(RIGHT.into()));
    let output = rationales(&project, &service, &["--n", "2"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let report = output.json();
    assert_eq!(
        numbers(&report, &["items", "asked", "cached", "kept", "wrong", "failed", "left"]),
        [2, 4, 0, 2, 0, 0, 0]
    );
    assert_eq!((&report["ended"], &report["spent"]), (&"whole".into(), &Value::Null));
    let again = rationales(&project, &service, &["--n", "2"]).json();
    assert_eq!(numbers(&again, &["asked", "cached", "kept", "new"]), [0, 4, 2, 0]);
    assert_eq!(service.requests(), 4);
    let listed = project.run(&["review", "list", "--json"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][0]["standing"], "pending");
}

#[test]
fn a_wrong_answer_is_asked_for_again_and_then_flagged() {
    let project = Project::with_templates();
    let service = Service::start(|asked| match asked.user().contains("ciod") {
        true => Deed::Reply(WRONG.into()),
        false => Deed::Reply(if asked.number <= 2 { WRONG } else { RIGHT }.into()),
    });
    let report = rationales(&project, &service, &["--tries", "2", "--concurrency", "1"]).json();
    assert_eq!(numbers(&report, &["asked", "kept", "wrong", "failed"]), [6, 1, 1, 0]);
    let flagged = project.run(&["review", "list", "--flagged", "--json"]).json();
    assert_eq!(flagged["items"][0]["troubles"], serde_json::json!(["answer_mismatch"]));
}
