//! Traces from the command line: compared, kept, contested, exported as JSON and as a page. With a tiny random model, so
//! that nothing has to be fetched.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use logwright::model::{Adapter, DeviceChoice, LanguageModel, LoraSettings};
use serde_json::Value;
use support::{Output, Project};

/// A project with two templates and a tiny model that has room for a question.
fn project() -> Project {
    let project = Project::with_templates();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama");
    fs::create_dir(project.path("tiny")).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(fixture.join(name), project.path("tiny").join(name)).unwrap();
    }
    let config = fs::read_to_string(project.path("tiny/config.json")).unwrap();
    let longer = config.replace("\"max_position_embeddings\": 256", "\"max_position_embeddings\": 1536");
    fs::write(project.path("tiny/config.json"), longer).unwrap();
    project
}

/// `log` judged with a verdict that can be read.
fn reason(project: &Project, log: &str, more: &[&str]) -> Output {
    let begun = "<think>1. It says \"panic\" 7 times.</think><answer>";
    let arguments = ["reason", log, "--model", "tiny", "--max-tokens", "20", "--constrained", "--begin", begun];
    let output = project.run(&[&arguments[..], more].concat());
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    output
}

#[test]
fn a_trace_is_kept_contested_and_exported() {
    let project = project();
    assert!(project.run(&["export", "traces"]).stdout.contains("`logwright reason LOG --keep` keeps one"));
    let kept = reason(&project, "kernel panic at 0x1f", &["--keep", "--template", "bgl/1", "--as", "ana", "--json"]);
    let id = kept.json()["id"].as_str().unwrap().to_owned();
    let other = reason(&project, "ciod: ready on R00", &["--keep"]);
    assert!(other.stdout.contains("kept as "), "{}", other.stdout);
    reason(&project, "not kept", &[]);

    let listed = project.run(&["export", "traces", "--json"]).json();
    let traces = listed["traces"].as_array().unwrap();
    assert_eq!((traces.len(), &traces[1]["id"]), (2, &Value::from(id.as_str())));
    assert_eq!((&traces[1]["template"]["id"], &traces[1]["by"]), (&"1".into(), &"ana".into()));
    assert!(["normal", "abnormal"].contains(&traces[1]["verdict"].as_str().unwrap()));
    assert_eq!(traces[1]["base_fingerprint"].as_str().unwrap().len(), 64);
    assert!(traces[1].get("trace").is_none(), "a list does not hold whole traces");

    let contest = ["contest", &id[..8], "--reason", "panic stands there once", "--as", "bao", "--json"];
    assert_eq!(project.run(&contest).json()["contested"], true);
    assert_eq!(project.run(&["contest", "ffff"]).code, 1);
    let queue = project.run(&["queue", "--order", "contested", "--as", "bao", "--json"]).json();
    assert_eq!(
        (&queue["templates"][0]["id"], &queue["templates"][0]["contested"]["trace"]),
        (&"1".into(), &id.as_str().into())
    );
    let contested = project.run(&["export", "traces", "--contested", "--json"]).json();
    assert_eq!(contested["traces"][0]["contested"]["reason"], "panic stands there once");
    assert!(project.run(&["export", "traces"]).stdout.contains(" contested  kernel panic at 0x1f"));

    // The same trace in every format.
    assert_eq!(project.run(&["export", "traces", "all.json", "--json"]).json()["traces"], 2);
    let all: Value = serde_json::from_slice(&fs::read(project.path("all.json")).unwrap()).unwrap();
    let (mut shown, stored) = (kept.json(), &all[0]);
    shown.as_object_mut().unwrap().remove("id");
    assert_eq!((&stored["trace"], &stored["id"]), (&shown, &Value::from(id.as_str())));
    assert_eq!(project.run(&["export", "traces", "of-one.jsonl", "--template", "1"]).code, 0);
    assert_eq!(fs::read_to_string(project.path("of-one.jsonl")).unwrap().lines().count(), 1);
    assert_eq!(project.run(&["export", "traces", "one.html", "--id", &id]).code, 0);
    let page = fs::read_to_string(project.path("one.html")).unwrap();
    for part in ["<!DOCTYPE html>", "x not in the log: &quot;7&quot;", "panic stands there once", &id, "bgl&#x2f;1"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("ciod: ready"));

    assert_eq!(project.run(&["contest", &id, "--withdraw", "--json"]).json()["contested"], false);
    assert_eq!(
        project.run(&["export", "traces", "--contested", "--json"]).json()["traces"].as_array().unwrap().len(),
        0
    );

    // Another copy of the project gets them with everything else.
    let copy = Project::empty();
    assert_eq!(copy.run(&["merge", &project.path("").display().to_string(), "--json"]).json()["added"]["traces"], 2);
    assert_eq!(copy.run(&["export", "traces", "copy.json"]).code, 0);
    assert_eq!(fs::read(copy.path("copy.json")).unwrap().len(), {
        assert_eq!(project.run(&["export", "traces", "again.json"]).code, 0);
        fs::read(project.path("again.json")).unwrap().len()
    });
}

#[test]
fn a_log_is_compared_under_the_base_and_its_adapters() {
    let project = project();
    let model = LanguageModel::load(&project.path("tiny"), &DeviceChoice::Cpu).unwrap();
    let adapter = Adapter::new(&model, &LoraSettings { rank: 2, ..LoraSettings::default() }).unwrap();
    for (name, size) in [("A", 0.5_f32), ("B", -0.5)] {
        for (_, var) in adapter.parameters() {
            var.set(
                &(candle_core::Tensor::ones(var.shape(), candle_core::DType::F32, var.device()).unwrap()
                    * f64::from(size))
                .unwrap(),
            )
            .unwrap();
        }
        adapter.save(&project.path(name)).unwrap();
    }
    let alone = reason(&project, "kernel panic", &["--adapter", "A", "--json"]).json();
    assert_eq!(alone["adapter"], "A");
    let more = ["--adapter", "base", "--adapter", "A", "--adapter", "B"];
    let compared = reason(&project, "kernel panic", &[&more[..], &["--json", "--html", "three.html"]].concat()).json();
    let traces = compared["compared"].as_array().unwrap();
    let adapters: Vec<&Value> = traces.iter().map(|trace| &trace["adapter"]).collect();
    assert_eq!(adapters, [&Value::Null, &"A".into(), &"B".into()]);
    assert_eq!((&traces[1]["margin"], &traces[1]["text"]), (&alone["margin"], &alone["text"]));
    assert_ne!(traces[0]["margin"], traces[1]["margin"]);
    let page = fs::read_to_string(project.path("three.html")).unwrap();
    assert_eq!(page.matches("<article").count(), 3);
    let shown = reason(&project, "kernel panic", &more).stdout;
    let headings: Vec<&str> = shown.lines().filter(|line| line.starts_with("--- ")).collect();
    assert_eq!(headings, ["--- base", "--- A", "--- B"]);
    assert_eq!(project.run(&["reason", "x", "--model", "tiny", "--adapter", "no-such-run"]).code, 1);
}

#[test]
fn a_hostile_log_does_nothing_in_the_page() {
    let project = project();
    let log = "</style><script>alert(1)</script> panic \u{202e}gnp.exe\u{1b}]0;x\u{7} <img src=http://evil.example/x>";
    reason(&project, log, &["--html", "page.html", "--keep"]);
    let page = fs::read_to_string(project.path("page.html")).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && page.matches("</style>").count() == 1);
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}') && page.contains("\\u{202e}gnp.exe"));
    let listed = project.run(&["export", "traces"]).stdout;
    assert!(!listed.contains('\u{1b}') && listed.contains("\\u{202e}"), "{listed}");
    assert_eq!(
        project.run(&["reason", "x", "--model", "tiny", "--template", "bgl/1"]).code,
        2,
        "--template needs --keep"
    );
    assert_eq!(project.run(&["reason", "x", "--model", "tiny", "--keep", "--template", "nine"]).code, 1);
}

#[test]
fn a_session_is_judged_as_one_and_words_are_masked_and_replaced() {
    let project = project();
    let lines = "link up\n\n  kernel panic at 0x1f\nlink lost\n";
    let trace = reason(&project, lines, &["--session", "--json"]).json();
    assert_eq!(
        (&trace["session"], &trace["input"]),
        (&true.into(), &"link up\n  kernel panic at 0x1f\nlink lost".into())
    );
    let alone = reason(&project, lines, &["--json"]).json();
    assert_eq!(alone["session"], false);
    assert_ne!(trace["margin"], alone["margin"], "another question");
    let many = "x\n".repeat(101);
    let refused = project.run(&["reason", &many, "--session", "--model", "tiny"]);
    assert_eq!((refused.code, refused.stderr.contains("1 to 100")), (1, true), "{}", refused.stderr);
    assert_eq!(project.run(&["reason", "\n \n", "--session", "--model", "tiny"]).code, 1);

    let more = ["--mask", "panic", "--replace", "kernel", "daemon", "--json", "--html", "if.html"];
    let trace = reason(&project, "kernel panic at 0x1f", &more).json();
    let what_if = &trace["counterfactual"];
    assert_eq!((&what_if["input"], &what_if["masked"][0]), (&"daemon <*> at 0x1f".into(), &"kernel".into()));
    let moved = what_if["margin"].as_f64().unwrap() - trace["margin_at_once"].as_f64().unwrap();
    assert!((moved - what_if["delta"].as_f64().unwrap()).abs() < 1e-9 && moved != 0.0);
    assert!(fs::read_to_string(project.path("if.html")).unwrap().contains("<dt>What if</dt>"));
    let shown = reason(&project, "kernel panic at 0x1f", &["--mask", "panic"]).stdout;
    assert!(shown.contains("without \"panic\" the margin asked at once is"), "{shown}");
    let absent = project.run(&["reason", "kernel panic", "--mask", "disk", "--model", "tiny"]);
    assert!(absent.code == 1 && absent.stderr.contains("the log does not say \"disk\""), "{}", absent.stderr);
}
