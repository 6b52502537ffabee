//! The trouble queue by command line: what is flagged, what a changed label does, two reviewers, marks, the sample check.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::Project;

fn run(project: &Project, args: &[&str]) -> String {
    let output = project.run(args);
    assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
    output.stdout
}

fn as_json(project: &Project, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&run(project, &args)).unwrap()
}

fn ids(project: &Project, filters: &[&str]) -> Vec<String> {
    let args: Vec<&str> = ["review", "list"].into_iter().chain(filters.iter().copied()).collect();
    let listed = as_json(project, &args)["items"].as_array().unwrap().clone();
    listed.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// A project with two templates, and rationales of the same logs: `id`, log, label, reasoning, answer.
fn project(rows: &[(&str, &str, &str, &str, &str)]) -> Project {
    let project = Project::empty();
    let templates = "dataset,id,template,label,gold\nbgl,1,kernel panic at <*>,normal,abnormal\nbgl,2,ciod: ready on <*>,normal,normal\n";
    project.write("templates.csv", templates.as_bytes());
    run(&project, &["import", "templates", "templates.csv"]);
    let lines: Vec<String> = rows
        .iter()
        .map(|(id, input, label, reasoning, answer)| {
            let reasoning = format!("<think>{reasoning}</think><answer>{answer}</answer>");
            json!({ "id": id, "task": "anomaly", "input": input, "label": label, "reasoning": reasoning }).to_string()
        })
        .collect();
    project.write("rationales.jsonl", lines.join("\n").as_bytes());
    run(&project, &["import", "rationales", "rationales.jsonl"]);
    project
}

fn two_reviewers(project: &Project) {
    let settings = project.path("logwright.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains("[review]\nreviewers = 1\n"), "{text}");
    fs::write(&settings, text.replace("reviewers = 1", "reviewers = 2")).unwrap();
}

#[test]
fn check_counts_what_is_wrong_and_names_it() {
    let project = project(&[
        ("right", "kernel panic  at <*>", "abnormal", "1. It says \"kernel panic\".", "abnormal"),
        ("wrong", "kernel panic at <*>", "normal", "1. Nothing is said to fail.", "normal"),
        ("made-up", "ciod: ready on <*>", "normal", "1. It says \"restarted 17 times\".", "normal"),
        ("again", "kernel panic at <*>", "abnormal", "1. It says \"kernel panic\".", "abnormal"),
        ("broken", "ciod: ready on <*>", "normal", "1. Ready.</think><think>", "normal"),
    ]);
    let check = as_json(&project, &["review", "check"]);
    let counted =
        ["items", "answer_mismatch", "malformed", "ungrounded", "duplicates", "label_changed", "trouble_free"];
    assert_eq!(counted.map(|key| check[key].as_u64().unwrap()), [5, 1, 1, 1, 1, 1, 1], "{check}");
    assert_eq!(check["flagged"]["answer_mismatch"], json!(["wrong"]));
    assert_eq!(check["flagged"]["duplicates"], json!(["again"]));
    assert_eq!(check["with_gold"], 5);
    assert_eq!(as_json(&project, &["review", "check", "--kind", "pair"])["items"], 0);
    assert_eq!(ids(&project, &["--flagged"]), ["wrong", "broken", "made-up", "again"], "the worst first");
    assert_eq!(ids(&project, &["--trouble", "near-duplicate"]), ["again"]);
    let shown = run(&project, &["review", "show", "made-up"]);
    assert!(shown.contains("! claims what the log does not say: restarted 17 times"), "{shown}");
    let shown = run(&project, &["review", "show", "wrong"]);
    assert!(shown.contains("! answer is not the label: abnormal by bgl/1"), "{shown}");
    assert_eq!(project.run(&["review", "list", "--trouble", "boredom"]).code, 2);
}

#[test]
fn files_are_checked_without_a_project() {
    let project = project(&[("wrong", "kernel panic at <*>", "normal", "1. Quiet.", "normal")]);
    let dir = tempfile::tempdir().unwrap();
    let (rationales, templates) = (project.path("rationales.jsonl"), project.path("templates.csv"));
    let args = ["review", "check", rationales.to_str().unwrap(), "--templates", templates.to_str().unwrap(), "--json"];
    let output = support::logwright(dir.path(), &args);
    assert_eq!((output.code, output.json()["answer_mismatch"].as_u64()), (0, Some(1)), "{}", output.stderr);
    let without = support::logwright(dir.path(), &args[..3]);
    assert!(without.stdout.starts_with("1 item, 0 of them held against a gold label\n"), "{}", without.stdout);
    assert_eq!(support::logwright(dir.path(), &["review", "check"]).code, 1);
}

#[test]
fn an_acceptance_ends_with_the_label_that_it_was_made_for() {
    let project = project(&[
        ("panic", "kernel panic at <*>", "abnormal", "1. It says \"kernel panic\".", "abnormal"),
        ("ready", "ciod: ready on <*>", "normal", "1. It says \"ready\".", "normal"),
    ]);
    run(&project, &["review", "accept", "--all", "--as", "ana"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["panic", "ready"]);
    run(&project, &["rule", "bgl/2", "abnormal", "--reason", "it is not ready at all", "--as", "mei"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["panic"], "it does not train any more");
    assert_eq!(ids(&project, &["--trouble", "label_changed"]), ["ready"]);
    assert_eq!(ids(&project, &["--standing", "pending", "--waits-for", "ana"]), ["ready"]);
    assert_eq!(
        as_json(&project, &["review", "accept", "--all", "--as", "ana"])["count"],
        0,
        "it wants to be looked at"
    );

    run(&project, &["undo", "ruling", "--as", "mei"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["panic", "ready"], "the label is what it was");
    run(&project, &["rule", "bgl/2", "abnormal", "--reason", "it is not ready at all", "--as", "mei"]);
    run(&project, &["review", "accept", "ready", "--as", "bo"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["panic", "ready"], "reviewed again");
    assert_eq!(ids(&project, &["--trouble", "label_changed"]), [""; 0]);
    assert_eq!(ids(&project, &["--trouble", "answer_mismatch"]), ["ready"], "what was accepted is still told");
}

#[test]
fn with_two_reviewers_a_third_decides() {
    let project = project(&[
        ("a", "kernel panic at <*>", "abnormal", "1. It says \"kernel panic\".", "abnormal"),
        ("b", "ciod: ready on <*>", "normal", "1. It says \"ready\".", "normal"),
    ]);
    two_reviewers(&project);
    assert_eq!(as_json(&project, &["review", "accept", "--all", "--as", "ana"])["count"], 2);
    assert_eq!(ids(&project, &["--standing", "pending"]), ["a", "b"], "one of two");
    assert_eq!(ids(&project, &["--waits-for", "ana"]), [""; 0]);
    assert_eq!(ids(&project, &["--waits-for", "bo"]), ["a", "b"]);
    run(&project, &["review", "accept", "a", "--as", "bo"]);
    run(&project, &["review", "reject", "b", "--as", "bo"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["a"]);
    assert_eq!(ids(&project, &["--trouble", "disagreement"]), ["b"]);
    assert_eq!(as_json(&project, &["review", "accept", "--all", "--as", "cy"])["count"], 0, "a dispute is looked at");
    run(&project, &["review", "accept", "b", "--as", "cy"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["a", "b"]);
    assert_eq!(ids(&project, &["--trouble", "disagreement"]), [""; 0]);
    run(&project, &["review", "undo", "--as", "cy"]);
    assert_eq!(ids(&project, &["--trouble", "disagreement"]), ["b"]);

    let agreement = as_json(&project, &["review", "agreement", "--bootstraps", "0"]);
    assert_eq!((&agreement["items"], &agreement["reviewers"]), (&json!(2), &json!(["ana", "bo"])));
    assert_eq!(agreement["percent"]["value"], 50.0);
    assert_eq!(agreement["cohen"][0]["value"], 0.0);
    assert!(run(&project, &["review", "agreement"]).contains("Krippendorff's alpha"));
}

#[test]
fn steps_are_marked_by_each_reviewer_and_marks_are_taken_back() {
    let project = project(&[("a", "kernel panic at <*>", "abnormal", "1. One.\n2. Two.\n3. Three.", "abnormal")]);
    let marked = as_json(&project, &["review", "mark", "a", "--first-wrong", "2", "--as", "ana"]);
    assert_eq!(marked["marks"], json!(["right", "wrong", "unjudged"]));
    assert_eq!(marked["first_wrong"], 2);
    let marked = as_json(&project, &["review", "mark", "a", "--step", "3", "right", "--as", "ana"]);
    assert_eq!(marked["marks"], json!(["right", "wrong", "right"]));
    run(&project, &["review", "mark", "a", "--step", "2", "right", "--as", "bo"]);
    let shown = as_json(&project, &["review", "show", "a"]);
    assert_eq!(shown["review"]["marks"][1], json!({ "reviewer": "bo", "marks": ["unjudged", "right", "unjudged"] }));

    project.write("text", b"<think>1. One.\n2. Other.\n3. Three.</think><answer>abnormal</answer>");
    run(&project, &["review", "edit", "a", "--text", "text", "--as", "ana"]);
    let shown = as_json(&project, &["review", "show", "a"]);
    assert_eq!(
        shown["review"]["marks"][0]["marks"],
        json!(["right", "unjudged", "right"]),
        "a mark is on what was read"
    );
    assert!(shown["review"]["came_as"].as_str().unwrap().contains("2. Two."), "the original is kept");

    let undone = as_json(&project, &["review", "undo", "--mark", "--as", "ana"]);
    assert_eq!(undone["undone"][0]["step"], 3);
    assert_eq!(as_json(&project, &["review", "undo", "--mark", "--as", "ana"])["undone"].as_array().unwrap().len(), 2);
    assert_eq!(as_json(&project, &["review", "undo", "--mark", "--as", "ana"])["undone"], json!([]));
    let output = project.run(&["review", "mark", "a", "--step", "4", "wrong"]);
    assert_eq!((output.code, output.stderr.as_str()), (1, "logwright: a has no step 4: its steps are 1 to 3\n"));
    assert_eq!(project.run(&["review", "mark", "a", "wrong"]).code, 2);

    // A copy knows the marks that were made here.
    run(&project, &["review", "mark", "a", "--step", "1", "right", "--as", "bo"]);
    let copy = Project::empty();
    run(&copy, &["merge", project.path(".").to_str().unwrap()]);
    assert_eq!(as_json(&copy, &["review", "show", "a"])["review"]["marks"][0]["reviewer"], "bo");
    run(&project, &["dump", "dump.jsonl"]);
    let again = Project::empty();
    run(&again, &["merge", project.path("dump.jsonl").to_str().unwrap()]);
    assert_eq!(as_json(&again, &["review", "show", "a"])["review"]["marks"][0]["reviewer"], "bo");
}

#[test]
fn the_trouble_free_are_accepted_once_a_sample_of_them_was_reviewed() {
    let words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
    let reasonings: Vec<String> =
        words.iter().map(|word| format!("It is {word} {word}ish and {word}ly, said {word}er.")).collect();
    let names: Vec<String> = (0..8).map(|n| format!("r{n}")).collect();
    let mut rows: Vec<(&str, &str, &str, &str, &str)> = names
        .iter()
        .zip(&reasonings)
        .map(|(id, text)| (id.as_str(), "ciod: ready on <*>", "normal", text.as_str(), "normal"))
        .collect();
    rows.push(("wrong", "kernel panic at <*>", "normal", "All is quiet here.", "normal"));
    let project = project(&rows);
    assert_eq!(as_json(&project, &["review", "check"])["trouble_free"], 8);
    let attempt = ["review", "accept", "--trouble-free", "--sample", "3", "--seed", "7", "--as", "ana", "--json"];
    let refused = project.run(&attempt);
    assert_eq!(refused.code, 1);
    let outcome = refused.json();
    assert_eq!((&outcome["accepted"], &outcome["drawn_from"]), (&json!(0), &json!(8)));
    let sample: Vec<String> =
        outcome["waiting"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sample.len(), 3);
    assert!(refused.stderr.contains("3 of the sample of 3 wait for ana: review "), "{}", refused.stderr);

    run(&project, &["review", "accept", &sample[0], &sample[1], "--as", "ana"]);
    run(&project, &["review", "reject", &sample[2], "--as", "ana"]);
    let refused = project.run(&attempt);
    assert_eq!(refused.json()["sample"], outcome["sample"], "reviewing does not change the sample");
    assert!(refused.stderr.contains("1 of the sample of 3 were rejected and 0 are tolerated"), "{}", refused.stderr);

    let tolerant: Vec<&str> = attempt.iter().copied().chain(["--tolerate", "1"]).collect();
    let done = project.run(&tolerant);
    assert_eq!((done.code, &done.json()["accepted"]), (0, &json!(5)), "{}", done.stderr);
    assert_eq!(ids(&project, &["--standing", "accepted"]).len(), 7);
    assert_eq!(ids(&project, &["--standing", "pending"]), ["wrong"], "what has trouble is not accepted so");
    let listed = as_json(&project, &["review", "list", "--standing", "accepted"]);
    let reasons: BTreeSet<&str> =
        listed["items"].as_array().unwrap().iter().filter_map(|item| item["reason"].as_str()).collect();
    let expected = "sample check: 3 of 8 without trouble drawn with seed 7 and reviewed one by one: 1 rejected (1 tolerated), 0 edited";
    assert_eq!(reasons, BTreeSet::from([expected]));

    let other = ["review", "undo", "--as", "bo", "--json"];
    assert_eq!(project.run(&other).json(), json!({ "undone": null, "count": 0 }));
    let undone = project.run(&["review", "undo", "--as", "ana", "--json"]).json();
    assert_eq!((&undone["count"], &undone["undone"]["verdict"]), (&json!(5), &json!("accept")), "as one");
    assert_eq!(ids(&project, &["--standing", "accepted"]).len(), 2, "what was reviewed one by one stays");
    assert_eq!(project.run(&tolerant).json()["accepted"], json!(5));
    assert!(run(&project, &["review", "undo", "--as", "ana"]).starts_with("took back accept of 5 items"));
    assert!(run(&project, &["review", "undo", "--as", "ana"]).starts_with("took back "), "and then one by one");
}

/// What contradicts gold and what is malformed, told by other means than the program's.
#[test]
fn the_queue_of_the_published_rationales_holds_every_contradiction_and_every_malformed_one() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let rationales = data.join("rationales/anomaly.jsonl");
    if !rationales.is_file() {
        println!("skipped: {} is not here", rationales.display());
        return;
    }
    let rows: Vec<Value> =
        fs::read_to_string(&rationales).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (splits, expected) in [(&["train"][..], 10), (&["train", "dev"][..], 17)] {
        let tables: Vec<PathBuf> =
            splits.iter().map(|split| data.join(format!("templates/templates_{split}.csv"))).collect();
        let mut gold = std::collections::HashMap::new();
        for table in &tables {
            for row in csv::Reader::from_path(table).unwrap().records().map(Result::unwrap) {
                gold.insert(row[2].split_whitespace().collect::<Vec<_>>().join(" "), row[4].to_owned());
            }
        }
        let (mut contradictions, mut malformed) = (BTreeSet::new(), BTreeSet::new());
        for row in &rows {
            let (input, text) = (row["input"].as_str().unwrap(), row["reasoning"].as_str().unwrap());
            let once = |tag: &str| text.matches(tag).count() == 1;
            let whole = ["<think>", "</think>", "<answer>", "</answer>"].into_iter().all(once)
                && text.trim().starts_with("<think>")
                && text.trim().ends_with("</answer>");
            if !whole {
                malformed.insert(input.to_owned());
            }
            let answer = text.rsplit("<answer>").next().unwrap().split("</answer>").next().unwrap().trim().to_owned();
            let known = gold.get(&input.split_whitespace().collect::<Vec<_>>().join(" "));
            if known.is_some_and(|gold| *gold != answer) {
                contradictions.insert(input.to_owned());
            }
        }
        assert_eq!((contradictions.len(), malformed.len()), (expected, 1));

        let project = Project::empty();
        for table in &tables {
            run(&project, &["import", "templates", table.to_str().unwrap()]);
        }
        run(&project, &["import", "rationales", rationales.to_str().unwrap()]);
        let inputs = |trouble: &str| -> BTreeSet<String> {
            let listed = as_json(&project, &["review", "list", "--trouble", trouble]);
            listed["items"].as_array().unwrap().iter().map(|item| item["input"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(inputs("answer_mismatch"), contradictions);
        assert_eq!(inputs("malformed"), malformed);
        let check = as_json(&project, &["review", "check"]);
        assert_eq!((check["items"].as_u64(), check["malformed"].as_u64()), (Some(228), Some(1)));
    }
}

#[test]
fn task_sets_are_kept_and_told_apart_by_their_columns() {
    let project = Project::empty();
    project.write(
        "match.csv",
        b"log,description,match\nlink down,the link is down,True\nlink up,,True\nfan ok,fan broke,maybe\n",
    );
    let output = project.run(&["import", "tasks", "match.csv", "--json"]);
    assert_eq!((output.code, output.json()["imported"].as_u64()), (1, Some(1)));
    assert!(output.stderr.contains("match.csv:3: \"description\" is missing or empty"), "{}", output.stderr);
    project.write("cause.csv", b"log,cause\nlink down,the cable\n");
    project.write("failure.csv", b"log,failure\nlink down,False\n");
    run(&project, &["import", "tasks", "cause.csv", "failure.csv"]);
    let again = as_json(&project, &["import", "tasks", "cause.csv", "failure.csv"]);
    assert_eq!((&again["imported"], &again["unchanged"]), (&json!(2), &json!(2)));
    let workspace = logwright::workspace::Workspace::open(&project.path(".")).unwrap();
    let cases = workspace.task_cases().unwrap();
    let told: Vec<(&str, &str)> = cases.iter().map(|case| (case.task.as_str(), case.answer.as_str())).collect();
    assert_eq!(told, [("semantic_matching", "true"), ("root_cause", "the cable"), ("failure_prediction", "false")]);
}
