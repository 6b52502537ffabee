//! The contracts of the command line: flags, JSON keys, exit statuses, and what is said of bad input.

mod support;

use std::fs;

use serde_json::Value;
use support::Project;

#[test]
fn usage_errors_exit_with_two_and_failures_with_one() {
    let project = Project::empty();
    assert_eq!(project.run(&["--version"]).code, 0);
    assert_eq!(project.run(&["import", "templates"]).code, 2);
    assert_eq!(project.run(&["vote", "x", "maybe"]).code, 2);
    assert_eq!(project.run(&["no-such-thing"]).code, 2);
    let missing = project.run(&["import", "templates", "absent.csv"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.starts_with("logwright: absent.csv: "), "{}", missing.stderr);
    assert_eq!(missing.stderr.lines().count(), 1);
}

#[test]
fn outside_a_project_it_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let output = support::logwright(dir.path(), &["agreement"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("logwright init DIR"), "{}", output.stderr);
}

#[test]
fn a_project_is_named_before_or_after_the_subcommand() {
    let project = Project::empty();
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = project.path("");
    let dir = dir.to_str().unwrap();
    assert_eq!(support::logwright(elsewhere.path(), &["-C", dir, "agreement"]).code, 0);
    assert_eq!(support::logwright(elsewhere.path(), &["agreement", "--project", dir]).code, 0);
    let both = support::logwright(elsewhere.path(), &[dir, "agreement"]);
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("stands before a subcommand"), "{}", both.stderr);
}

#[test]
fn import_counts_good_rows_and_tells_bad_ones_by_line() {
    let project = Project::empty();
    let mut table =
        b"dataset,id,template,label\nbgl,1,\"two\nlines\",normal\nbgl,2,x,anomalous\nbgl,3,bad\xff,normal\nbgl,4,"
            .to_vec();
    table.extend(std::iter::repeat_n(b'x', 10 << 20));
    table.extend(b",normal\nbgl,5,last,abnormal\n");
    project.write("t.csv", &table);
    let output = project.run(&["import", "templates", "t.csv", "--json"]);
    assert_eq!(output.code, 1, "rows were left out");
    let report = output.json();
    assert_eq!((&report["rows"], &report["imported"]), (&Value::from(5), &Value::from(2)));
    let lines: Vec<_> =
        report["rejected"].as_array().unwrap().iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [4, 5, 6]);
    let why = report["rejected"][0]["why"].as_str().unwrap();
    assert_eq!(why, "label \"anomalous\" is neither normal nor abnormal");
    assert!(output.stderr.starts_with("logwright: 3 of 5 rows left out; t.csv:4: label"), "{}", output.stderr);
}

#[test]
fn a_missing_column_fails_with_its_name() {
    let project = Project::empty();
    project.write("t.csv", b"dataset,id,template\nbgl,1,x\n");
    let output = project.run(&["import", "templates", "t.csv"]);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("t.csv: column \"label\" missing; the header has: dataset, id, template"),
        "{}",
        output.stderr
    );
}

#[test]
fn json_and_jsonl_are_read_like_csv() {
    let project = Project::empty();
    project.write("a.json", br#"[{"dataset":"s","template":"one","label":"normal","count":3,"node":"R1"}]"#);
    project.write("b.jsonl", b"{\"template\":\"two\",\"label\":\"abnormal\"}\n");
    assert_eq!(project.run(&["import", "templates", "a.json"]).code, 0);
    assert_eq!(project.run(&["import", "templates", "b.jsonl", "--dataset", "s"]).code, 0);
    assert_eq!(project.run(&["import", "templates", "b.jsonl"]).code, 1, "it names no dataset");
}

#[test]
fn votes_make_agreement_and_a_ruling_a_patch() {
    let project = Project::with_templates();
    for (annotator, label) in [("ana", "normal"), ("bao", "abnormal"), ("chi", "abnormal")] {
        assert_eq!(project.run(&["vote", "bgl/1", label, "--as", annotator]).code, 0);
    }
    for annotator in ["ana", "bao"] {
        assert_eq!(project.run(&["vote", "2", "normal", "--as", annotator]).code, 0);
    }
    let agreement = project.run(&["agreement", "--json"]).json();
    let keys = "round items annotators missing_rule prevalence percent krippendorff_alpha fleiss gwet_ac1 cohen specific \
                against_gold undefined annotator_names categories notes bootstrap";
    for key in keys.split(' ') {
        assert!(agreement.get(key).is_some(), "{key} is missing");
    }
    for estimate in [&agreement["krippendorff_alpha"], &agreement["fleiss"], &agreement["specific"]["positive"]] {
        assert!(["value", "low", "high", "n"].iter().all(|key| estimate.get(key).is_some()), "{estimate}");
    }
    assert_eq!(agreement["bootstrap"]["samples"], 1000);
    let bare = project.run(&["agreement", "--json", "--bootstraps", "0"]).json();
    assert_eq!(bare["fleiss"]["value"], agreement["fleiss"]["value"]);
    assert!(bare["fleiss"]["low"].is_null());
    assert_eq!(project.run(&["agreement", "--json"]).json(), agreement, "the same seed gives the same intervals");
    let report = project.run(&["agreement"]).stdout;
    assert!(report.contains("Krippendorff's alpha, nominal") && report.contains("95 % interval"), "{report}");
    assert_eq!((&agreement["round"], &agreement["items"]), (&Value::from("blind"), &Value::from(2)));
    assert_eq!(agreement["cohen"].as_array().unwrap().len(), 3);
    assert_eq!(agreement["cohen"][0]["n"], 2);

    let stranger = project.run(&["panel", "--json", "--as", "dora"]).json();
    assert_eq!((&stranger["hidden"], stranger["cases"].as_array().unwrap().len()), (&1.into(), 0));
    let ana = project.run(&["panel", "--json", "--as", "ana"]).json();
    assert_eq!((&ana["cases"][0]["why"], &ana["cases"][0]["id"]), (&"disagreement".into(), &"1".into()));
    let shown = project.run(&["panel", "--as", "ana"]).stdout;
    assert!(shown.contains("(you)") && !shown.contains("bao"), "{shown}");

    assert_eq!(project.run(&["rule", "bgl/1", "abnormal", "--reason", " ", "--as", "mei"]).code, 1);
    assert_eq!(project.run(&["rule", "bgl/1", "abnormal", "--reason", "it halts", "--as", "mei"]).code, 0);
    let made = project.run(&["patch", "make", "p.json", "--json"]).json();
    assert_eq!(made["corrections"], 1);

    let report = project.run(&["patch", "report", "--json"]).json();
    assert_eq!((&report["corrections"], &report["directions"]["normal_to_abnormal"]), (&1.into(), &1.into()));
    assert!(project.run(&["patch", "report"]).stdout.contains("it halts"));

    // The same as a table.
    assert_eq!(project.run(&["patch", "make", "p.csv"]).code, 0);
    let table = String::from_utf8(fs::read(project.path("p.csv")).unwrap()).unwrap();
    assert!(table.starts_with("dataset,id,template,original,gold,category,source,by,reason,"), "{table}");
    assert!(table.contains(made["template_set_sha256"].as_str().unwrap()));
    let by_table = Project::with_templates();
    by_table.write("p.csv", table.as_bytes());
    assert_eq!(by_table.run(&["patch", "apply", "p.csv", "--json"]).json()["corrections"], 1);
    assert_eq!(by_table.run(&["patch", "revert", "p.csv", "--json"]).json()["corrections"], 1);

    let other = Project::with_templates();
    other.write("p.json", &fs::read(project.path("p.json")).unwrap());
    assert_eq!(other.run(&["patch", "apply", "p.json", "--json"]).json()["corrections"], 1);
    assert_eq!(other.run(&["patch", "revert", "p.json", "--json"]).json()["corrections"], 1);
    let stranger = Project::empty();
    stranger.write("p.json", &fs::read(project.path("p.json")).unwrap());
    let refused = stranger.run(&["patch", "apply", "p.json"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("another set of templates"), "{}", refused.stderr);
    stranger.write("p.csv", table.as_bytes());
    assert!(stranger.run(&["patch", "apply", "p.csv"]).stderr.contains("another set of templates"));
}

#[test]
fn escape_sequences_never_reach_the_terminal() {
    let project = Project::empty();
    project.write("t.csv", b"dataset,id,template,label\nbgl,\x1b[31mid\x07,x,odd\x1b]0;title\x07\n");
    let output = project.run(&["import", "templates", "t.csv"]);
    assert!(!output.stderr.contains('\x1b') && output.stderr.contains("\\x1b"), "{:?}", output.stderr);
}

/// Root writes anywhere, so this holds only for other users; a folder that is a file fails for everybody.
#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let project = Project::empty();
    project.write("file", b"");
    let output = project.run(&["init", "file/project"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("file/project"), "{}", output.stderr);
}

#[test]
fn the_keyword_rule_suggests_once_for_each_template() {
    let project = Project::with_templates();
    let first = project.run(&["suggest", "--rule", "--limit", "1", "--json"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let expected = serde_json::json!({ "source": "keyword rule", "suggested": 1, "abnormal": 1, "left": 1 });
    assert_eq!(first.json(), expected);
    let rest = project.run(&["suggest", "--rule", "--json"]).json();
    assert_eq!((&rest["suggested"], &rest["abnormal"], &rest["left"]), (&1.into(), &0.into(), &0.into()));
    assert_eq!(project.run(&["suggest", "--rule", "--json"]).json()["suggested"], 0);
    assert_eq!(project.run(&["suggest", "--rule", "--adapter", "x"]).code, 2);
}

#[test]
fn what_people_and_logs_say_may_begin_with_a_hyphen() {
    let project = Project::with_templates();
    assert_eq!(project.run(&["comment", "1", "- why?", "--as", "ana"]).code, 0);
    assert_eq!(project.run(&["rule", "1", "normal", "--reason", "-", "--as", "mei"]).code, 0);
    // The options after a log that begins like one of BGL's are still options.
    let output = project.run(&["reason", "- 1117838570 2005.06.03 R02", "--json", "--model", "no-such-model"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("no-such-model"), "{}", output.stderr);
}
