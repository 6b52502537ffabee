//! Key sequences on a small project, and what the screen shows of an evaluation. Reads are carried out on a real
//! workspace; the model's part is played.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::effects::{Effect, Message, load};
use super::state::{Setup, Source};
use crate::evaluation::{
    EvaluationError, KeywordRule, Prediction, Predictor, Progress, Report, Selection, Truth, evaluate_anomaly,
    project_items,
};
use crate::labels::Label;
use crate::logs::SafeText;
use crate::training::{Recipe, RunFolder, RunState, Status};
use crate::tui::app::{self, AppState};
use crate::tui::model::ModelStanding;
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};
use crate::workspace::{ImportKind, ImportSource, Workspace};

const TEMPLATES: &str = "dataset,id,template,label,gold
bgl,b-1,machine check interrupt (bit=<*>): L2 dcache unit data parity error,abnormal,abnormal
bgl,b-2,fpr5=0x8e7d21fd 3ffb6183 cc79128b 3cfecf86,normal,normal
bgl,b-3,total of <*> ddr error(s) detected and corrected,normal,normal
bgl,b-4,ciod: Message code <*> is not <*> or <*>,normal,abnormal
bgl,b-5,Lustre mount FAILED : <*>,normal,abnormal
spirit,s-1,session opened for user root by (uid=0),normal,normal
spirit,s-2,\x1b[2Jfailed to mount <*>,normal,abnormal
spirit,s-3,migration cache size: 10 msecs error free,normal,normal
";

/// A model that calls everything normal, and mumbles about mounts.
struct Placid;

impl Predictor for Placid {
    fn name(&self) -> &str {
        "model"
    }

    fn model(&self) -> Option<&str> {
        Some("smollm2-135m")
    }

    fn predict(
        &self,
        logs: &[&str],
        _: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Prediction>, EvaluationError> {
        let label = |log: &&str| (!log.contains("mount")).then_some(Label::Normal);
        Ok(logs
            .iter()
            .map(|log| Prediction { label: label(log), text: String::new(), margin: None, bytes_cut: 0 })
            .collect())
    }
}

/// The workbench on a small project, and the workspace behind it.
struct Bench {
    state: AppState,
    workspace: Workspace,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(TEMPLATES)
    }

    fn with(templates: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&dir.path().join("project")).unwrap();
        if !templates.is_empty() {
            let source =
                ImportSource { name: "templates.csv", bytes: templates.as_bytes(), format: None, dataset: None };
            assert!(workspace.import(ImportKind::Templates, source).unwrap().rejected.is_empty());
        }
        let mut bench = Self { state: workbench(PaneId::Evaluate), workspace, _dir: dir };
        tell(&mut bench.state, app::Message::Model(ModelStanding::Here("m.gguf".into())));
        bench.press("u");
        bench
    }

    /// Presses keys and carries out what they read; returns the other effects.
    fn press(&mut self, keys: &str) -> Vec<app::Effect> {
        let effects = press(&mut self.state, keys);
        self.settle(effects)
    }

    fn answer(&mut self, prompt_key: &str, text: &str) -> Vec<app::Effect> {
        self.press(prompt_key);
        for _ in 0..80 {
            press(&mut self.state, "backspace");
        }
        type_text(&mut self.state, text);
        self.press("enter")
    }

    fn settle(&mut self, effects: Vec<app::Effect>) -> Vec<app::Effect> {
        let mut others = Vec::new();
        for effect in effects {
            match effect {
                app::Effect::Evaluate(Effect::Load(setup)) => {
                    let loaded = load(&self.workspace, setup);
                    others.extend(self.hear(Message::Loaded(loaded)));
                }
                other => others.push(other),
            }
        }
        others
    }

    fn hear(&mut self, message: Message) -> Vec<app::Effect> {
        tell(&mut self.state, app::Message::Evaluate(message))
    }

    /// Starts, and lets the placid model answer.
    fn evaluate(&mut self) {
        let effects = self.press("s");
        let [app::Effect::Evaluate(Effect::Evaluate { setup, .. })] = &effects[..] else { panic!("{effects:?}") };
        let report = Box::new(self.report(setup));
        self.hear(Message::Evaluated(setup.clone(), report));
    }

    fn report(&self, setup: &Setup) -> Report {
        let items = project_items(&self.workspace, setup.truth).unwrap();
        let mut report = evaluate_anomaly(&items, Selection::default(), &Placid, &mut |_| {}, &|| false).unwrap();
        // A clock has no place in a snapshot.
        (report.seconds, report.items_per_second) = (4.0, 2.0);
        report
    }

    fn toast(&self) -> &str {
        self.state.toast.as_ref().map_or("", |toast| toast.text.as_str())
    }

    /// A finished run with an adapter.
    fn add_run(&self, name: &str) {
        let folder = RunFolder::at(self.workspace.runs_dir().join(name));
        fs::create_dir_all(folder.adapter_dir()).unwrap();
        fs::write(folder.adapter_dir().join("adapter_config.json"), "{}").unwrap();
        folder.write_recipe(&Recipe::default()).unwrap();
        let started = "2026-11-21T10:00:00Z".parse().unwrap();
        folder.write_status(&Status::new(RunState::Finished, 60, 60, started)).unwrap();
    }
}

#[test]
fn the_keyword_rule_has_judged_before_the_model_is_asked() {
    let bench = Bench::new();
    let report = bench.state.evaluate.shown().unwrap();
    assert_eq!((report.predictor.as_str(), report.truth, report.scores.n), (KeywordRule::NAME, Truth::Gold, 8));
    assert!(screen(&bench.state, 80, 24).contains("errors of keyword"));
}

#[test]
fn an_error_opens_in_reason() {
    let mut bench = Bench::new();
    bench.evaluate();
    let wrong = bench.state.evaluate.errors()[1].input.clone();
    let _ = bench.press("down enter");
    assert_eq!(bench.state.pane, PaneId::Reason);
    // What Reason was handed is what stood in front.
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains(&wrong[..20]), "{wrong} is not in\n{shown}");
}

#[test]
fn another_setup_shows_the_keyword_rule_again_until_the_model_was_asked() {
    let mut bench = Bench::new();
    bench.evaluate();
    assert_eq!(bench.state.evaluate.shown().unwrap().predictor, "model");
    bench.press("t");
    let report = bench.state.evaluate.shown().unwrap();
    assert_eq!((report.predictor.as_str(), report.truth), (KeywordRule::NAME, Truth::Label));
}

#[test]
fn a_file_is_read_and_a_bad_one_is_told() {
    let mut bench = Bench::new();
    let path = bench.workspace.dir().join("other.csv");
    fs::write(&path, "template,label\nkernel panic,abnormal\n").unwrap();
    bench.answer("d", &path.display().to_string());
    assert_eq!(bench.state.evaluate.shown().unwrap().scores.n, 1);
    assert_eq!(bench.state.evaluate.setup.source, Source::File(PathBuf::from(&path)));
    bench.answer("d", "nowhere.csv");
    assert!(bench.state.evaluate.shown().is_none());
    assert!(screen(&bench.state, 200, 60).contains("nowhere.csv"));
    bench.press("s");
    assert!(bench.toast().contains("nothing to ask about"), "{}", bench.toast());
    bench.answer("d", "");
    assert_eq!(bench.state.evaluate.shown().unwrap().scores.n, 8);
}

#[test]
fn a_limit_is_a_number_of_items() {
    let mut bench = Bench::new();
    bench.answer("n", "3");
    assert_eq!(bench.state.evaluate.shown().unwrap().scores.n, 3);
    bench.answer("n", "none");
    assert!(bench.toast().contains("no number"), "{}", bench.toast());
    bench.answer("n", "");
    assert_eq!(bench.state.evaluate.shown().unwrap().scores.n, 8);
}

#[test]
fn the_newest_run_s_adapter_is_worn_until_another_is_chosen() {
    let mut bench = Bench::new();
    bench.press("a");
    assert!(bench.toast().contains("no run has an adapter"), "{}", bench.toast());
    for name in ["20261119-090000-sft", "20261121-090000-sft"] {
        bench.add_run(name);
    }
    bench.press("u");
    let worn = |bench: &Bench| bench.state.evaluate.setup.adapter.as_ref().map(ToString::to_string);
    assert_eq!(worn(&bench).as_deref(), Some("20261121-090000-sft"));
    bench.press("a");
    assert_eq!(worn(&bench).as_deref(), Some("20261119-090000-sft"));
    bench.press("a");
    assert_eq!(worn(&bench), None);
    bench.press("u");
    assert_eq!(worn(&bench), None, "a choice is kept");
}

#[test]
fn nothing_is_asked_without_a_model_or_twice_at_once() {
    let mut bench = Bench::new();
    tell(&mut bench.state, app::Message::Model(ModelStanding::Missing(SafeText::new("no network"))));
    assert!(bench.press("s").is_empty());
    assert!(bench.toast().contains("model pull"), "{}", bench.toast());
    tell(&mut bench.state, app::Message::Model(ModelStanding::Here("m.gguf".into())));
    assert_eq!(bench.press("s").len(), 1);
    assert!(bench.press("s").is_empty());
    assert!(bench.toast().contains("going on"), "{}", bench.toast());
    assert!(matches!(bench.press("c")[..], [app::Effect::CancelJobs(PaneId::Evaluate)]));
    bench.hear(Message::Stopped);
    assert_eq!(bench.press("s").len(), 1);
}

#[test]
fn a_log_with_escape_sequences_is_shown_and_does_not_act() {
    let mut bench = Bench::new();
    bench.evaluate();
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("\\x1b[2Jfailed") && !shown.contains('\x1b'));
}

#[test]
fn the_pane_looks_as_it_should() {
    insta::assert_snapshot!("evaluate-80x24-no-items", screen(&Bench::with("").state, 80, 24));
    let mut bench = Bench::new();
    insta::assert_snapshot!("evaluate-80x24-keyword", screen(&bench.state, 80, 24));
    bench.evaluate();
    insta::assert_snapshot!("evaluate-80x24-model", screen(&bench.state, 80, 24));
    insta::assert_snapshot!("evaluate-200x60-model", screen(&bench.state, 200, 60));
    survives_any_size(&bench.state);
    bench.press("p s");
    bench.hear(Message::Progress(Progress { done: 3, of: 8, items_per_second: 1.5 }));
    insta::assert_snapshot!("evaluate-80x24-running-one-dataset", screen(&bench.state, 80, 24));
    survives_any_size(&bench.state);
}
