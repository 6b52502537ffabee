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

/// A project with one rationale of each id, which reasons so.
fn project(rationales: &[(&str, &str)]) -> Project {
    let project = Project::empty();
    bring(&project, rationales);
    project
}

fn bring(project: &Project, rationales: &[(&str, &str)]) {
    let row = |(id, reasoning): &(&str, &str)| {
        let reasoning = format!("<think>1. {reasoning}</think><answer>normal</answer>");
        serde_json::json!({ "id": id, "input": "ciod: ready", "label": "normal", "reasoning": reasoning }).to_string()
    };
    let lines: Vec<String> = rationales.iter().map(row).collect();
    project.write("more.jsonl", lines.join("\n").as_bytes());
    run(project, &["import", "rationales", "more.jsonl"]);
}

/// Ids, by a filter of the list.
fn ids(project: &Project, filters: &[&str]) -> Vec<String> {
    listed(project, filters).iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect()
}

fn edit(project: &Project, id: &str, reasoning: &str, reviewer: &str) {
    project.write("text", format!("<think>1. {reasoning}</think><answer>normal</answer>").as_bytes());
    run(project, &["review", "edit", id, "--text", "text", "--as", reviewer]);
}

#[test]
fn a_decision_ends_with_the_text_that_it_was_made_on() {
    let project = project(&[("a", "It is ready."), ("b", "Nothing failed here."), ("c", "All is well again.")]);
    run(&project, &["review", "accept", "a", "--as", "ana"]);
    edit(&project, "b", "Nothing at all has failed.", "ana");
    run(&project, &["review", "reject", "c", "--as", "ana"]);
    assert_eq!(ids(&project, &["--standing", "pending"]), [""; 0]);

    bring(&project, &[("a", "It was ready before."), ("b", "The node is up."), ("c", "No error stands here.")]);
    assert_eq!(ids(&project, &["--standing", "pending"]), ["a", "b", "c"], "nobody has read these");
    assert_eq!(ids(&project, &["--trouble", "text_changed"]), ["a", "b", "c"]);
    assert_eq!(json(&project, &["review", "check"])["text_changed"], 3);
    let shown = json(&project, &["review", "show", "b"]);
    assert_eq!(shown["reasoning"], "<think>1. The node is up.</think><answer>normal</answer>", "no edit hides it");
    let told = project.run(&["review", "show", "b"]).stdout;
    assert!(told.contains("! text changed since: what was decided of the old one does not count"), "{told}");
    let report = json(&project, &["export", "sft", "sft.jsonl"]);
    assert_eq!((&report["rows"], &report["left_out"]["text_changed"]), (&0.into(), &3.into()));
    assert_eq!(json(&project, &["review", "accept", "--all", "--as", "ana"])["count"], 0, "it wants to be looked at");

    run(&project, &["review", "accept", "a", "--as", "ana"]);
    assert_eq!(ids(&project, &["--standing", "accepted"]), ["a"], "judged anew");
    bring(&project, &[("b", "Nothing failed here.")]);
    assert_eq!(ids(&project, &["--standing", "edited"]), ["b"], "the text is the one that was judged");

    // What is brought in with other attributes or another label is no other text.
    let text = "<think>1. It was ready before.</think><answer>normal</answer>";
    let row =
        serde_json::json!({ "id": "a", "input": "ciod: ready", "label": "abnormal", "reasoning": text, "lab": 3 });
    project.write("other.jsonl", row.to_string().as_bytes());
    run(&project, &["import", "rationales", "other.jsonl"]);
    assert_eq!(ids(&project, &["--trouble", "text_changed"]), ["c"]);
}

#[test]
fn a_copy_with_another_text_does_not_inherit_the_decision() {
    let project = project(&[("a", "It is ready.")]);
    let copy = Project::empty();
    run(&copy, &["merge", project.path(".").to_str().unwrap_or_default()]);
    bring(&copy, &[("a", "It was ready before.")]);
    run(&project, &["review", "accept", "a", "--as", "ana"]);
    run(&project, &["merge", copy.path(".").to_str().unwrap_or_default()]);
    assert_eq!(ids(&project, &["--trouble", "text_changed"]), ["a"]);
    assert_eq!(json(&project, &["export", "sft", "sft.jsonl"])["rows"], 0);
}

fn two_reviewers(project: &Project) {
    let settings = project.path("logwright.toml");
    let text = std::fs::read_to_string(&settings).unwrap_or_default();
    std::fs::write(&settings, text.replace("reviewers = 1", "reviewers = 2")).expect("the settings can be written");
}

#[test]
fn two_reviewers_accept_what_each_may_see() {
    let project = project(&[("a", "It is ready."), ("b", "Nothing failed here."), ("c", "All is well again.")]);
    two_reviewers(&project);
    for id in ["a", "b", "c"] {
        edit(&project, id, &format!("Read by ana, {id}."), "ana");
    }
    let came = "<think>1. It is ready.</think><answer>normal</answer>";
    assert_eq!(json(&project, &["review", "show", "a", "--as", "bo"])["reasoning"], came, "blind");
    let listed = |name: &str| json(&project, &["review", "list", "--as", name])["items"][0]["reviewers"].clone();
    assert_eq!(
        (listed("bo"), listed("ana")),
        (Value::Array(Vec::new()), Value::Array(vec!["ana".into()])),
        "so is the list"
    );
    let seen_by_ana = json(&project, &["review", "show", "a", "--as", "ana"])["reasoning"].to_string();
    assert!(seen_by_ana.contains("Read by ana"), "{seen_by_ana}");
    run(&project, &["review", "accept", "a", "--as", "bo"]);
    assert_eq!(json(&project, &["review", "accept", "--all", "--as", "bo"])["count"], 2);
    for id in ["a", "b", "c"] {
        let decisions = json(&project, &["review", "show", id])["review"]["decisions"].clone();
        assert_eq!((&decisions[1]["reviewer"], &decisions[1]["verdict"]), (&"bo".into(), &"accept".into()), "{id}");
    }
    assert_eq!(ids(&project, &["--trouble", "disagreement"]), ["a", "b", "c"], "nobody agreed unseen");
    // A third sees both.
    edit(&project, "a", "Read by ana, a.", "cy");
    assert_eq!(ids(&project, &["--standing", "edited"]), ["a"]);
    run(&project, &["review", "reject", "a", "--as", "dan"]);
    run(&project, &["review", "accept", "a", "--as", "eve"]);
    let decisions = json(&project, &["review", "show", "a"])["review"]["decisions"].clone();
    assert_eq!(decisions[4]["verdict"], "edit", "what eve saw: the text that two agreed on");
}

#[test]
fn only_who_was_shown_the_decisions_breaks_their_tie() {
    let project = project(&[("a", "It is ready.")]);
    two_reviewers(&project);
    edit(&project, "a", "Read by ana.", "ana");
    let judged = |name: &str| {
        let listed = json(&project, &["review", "list", "--as", name]);
        listed["items"][0]["judged"].as_str().expect("a digest").to_owned()
    };
    let blind = judged("cy");
    run(&project, &["review", "accept", "a", "--as", "bo"]);
    let reject =
        |judged: &str| run(&project, &["review", "reject", "a", "--reason", "vague", "--as", "cy", "--judged", judged]);
    reject(&blind);
    assert_eq!(ids(&project, &["--trouble", "disagreement"]), ["a"], "cy has seen neither");
    let seen = judged("cy");
    assert_ne!(seen, blind);
    reject(&seen);
    assert_eq!(ids(&project, &["--standing", "rejected"]), ["a"]);
}

#[test]
fn a_bulk_acceptance_of_two_blind_reviewers_copies_no_edit() {
    let project = project(&[("a", "It is ready."), ("b", "Nothing failed here."), ("c", "All is well again.")]);
    two_reviewers(&project);
    edit(&project, "a", "Read by ana.", "ana");
    edit(&project, "b", "Read by ana, too.", "ana");
    let attempt = ["review", "accept", "--trouble-free", "--sample", "1", "--as", "bo", "--json"];
    let sampled = project.run(&attempt).json()["waiting"][0]["id"].as_str().unwrap_or_default().to_owned();
    run(&project, &["review", "accept", &sampled, "--as", "bo"]);
    assert_eq!(project.run(&attempt).json()["accepted"], 2);
    for id in ["a", "b"] {
        let decisions = json(&project, &["review", "show", id])["review"]["decisions"].clone();
        assert_eq!((&decisions[1]["reviewer"], &decisions[1]["verdict"]), (&"bo".into(), &"accept".into()), "{id}");
    }
}

#[test]
fn only_what_the_sample_was_drawn_from_is_accepted() {
    let project = project(&[("a", "It is ready."), ("b", "Nothing failed here."), ("c", "It says \"99 errors\".")]);
    assert_eq!(ids(&project, &["--flagged"]), ["c"]);
    // Once edited it shows no trouble, but it came with some.
    edit(&project, "c", "All is well again.", "bo");
    run(&project, &["review", "undo", "--as", "bo"]);
    edit(&project, "c", "All is well again.", "bo");
    bring(&project, &[("c", "It says \"98 errors\".")]);
    run(&project, &["review", "accept", "a", "b", "--as", "ana"]);
    let done = project.run(&["review", "accept", "--trouble-free", "--sample", "2", "--as", "ana", "--json"]);
    assert_eq!((done.code, &done.json()["drawn_from"], &done.json()["accepted"]), (0, &2.into(), &0.into()));
    assert_eq!(ids(&project, &["--standing", "pending"]), ["c"]);
}

#[test]
fn an_attribute_does_not_hide_the_kind() {
    let project = Project::empty();
    let row = serde_json::json!({
        "id": "a", "input": "ciod: ready", "label": "normal", "kind": "thought",
        "reasoning": "<think>1. It is ready.</think><answer>normal</answer>",
    });
    project.write("r.jsonl", row.to_string().as_bytes());
    run(&project, &["import", "rationales", "r.jsonl"]);
    assert_eq!(json(&project, &["review", "show", "a"])["kind"], "rationale");
}

#[test]
fn a_decision_bound_to_what_was_shown_is_refused_once_that_has_changed() {
    let project = demo();
    let item = |id: &str| listed(&project, &[]).into_iter().find(|item| item["id"] == id).unwrap();
    let judged = |id: &str| item(id)["judged"].as_str().unwrap().to_owned();
    let (one, two) = (judged("rationale-001"), judged("thought-003"));
    assert_eq!(json(&project, &["review", "show", "rationale-001"])["review"]["judged"], one.as_str());
    assert!(one.ends_with(":normal") || one.ends_with(":abnormal"), "{one}");
    assert!(!two.contains(':'), "a thought has no label: {two}");
    // Somebody edits one of the two meanwhile.
    project.write("text", b"<think>1. Read again.</think><answer>normal</answer>");
    run(&project, &["review", "edit", "rationale-001", "--text", "text", "--as", "bo", "--judged", &one]);
    let refused = |args: &[&str]| {
        let output = project.run(args);
        assert_eq!(output.code, 1, "{args:?}: {}", output.stdout);
        assert!(output.stderr.contains("rationale rationale-001 is not what was judged"), "{}", output.stderr);
        assert!(
            output.stderr.contains("look at it again (`logwright review show rationale-001`)"),
            "{}",
            output.stderr
        );
    };
    refused(&["review", "accept", "thought-003", "rationale-001", "--judged", &two, &one]);
    assert_eq!(item("thought-003")["standing"], "pending", "all or none");
    refused(&["review", "reject", "rationale-001", "--judged", &one, "--reason", "vague"]);
    refused(&["review", "edit", "rationale-001", "--text", "text", "--judged", &one]);
    refused(&["review", "mark", "rationale-001", "--first-wrong", "1", "--judged", &one]);
    assert_eq!(item("rationale-001")["reviewer"], "bo");
    // What is shown now is accepted as it is shown; the text alone may be named, too.
    let now = judged("rationale-001");
    assert_ne!(now, one);
    let text = now.split(':').next().unwrap();
    run(&project, &["review", "mark", "rationale-001", "--first-wrong", "1", "--judged", text]);
    run(&project, &["review", "accept", "thought-003", "rationale-001", "--judged", &two, &now]);
    assert_eq!(
        (&item("rationale-001")["standing"], &item("thought-003")["standing"]),
        (&"edited".into(), &"accepted".into())
    );
    let output = project.run(&["review", "accept", "thought-003", "rationale-001", "--judged", &two]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.contains("one digest for each id: 1 for 2"), "{}", output.stderr);
}

#[test]
fn a_changed_gold_label_is_a_change_of_what_was_shown() {
    let project = Project::with_templates();
    let row = r#"{"id":"r","input":"ciod: ready on <*>","label":"normal","reasoning":"<think>1. Ready.</think><answer>normal</answer>"}"#;
    project.write("r.jsonl", row.as_bytes());
    run(&project, &["import", "rationales", "r.jsonl"]);
    let judged = listed(&project, &[])[0]["judged"].as_str().unwrap().to_owned();
    run(&project, &["rule", "bgl/2", "abnormal", "--reason", "it is not", "--as", "mei"]);
    let output = project.run(&["review", "accept", "r", "--judged", &judged]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("its text or its label has changed since"), "{}", output.stderr);
    assert_eq!(listed(&project, &[])[0]["standing"], "pending");
}
