//! Key sequences, and what the screen shows of a run as it goes.

use std::path::PathBuf;

use super::effects::{Course, Effect, Loaded, Message};
use crate::logs::SafeText;
use crate::training::{
    DataSummary, Estimate, Event, Lengths, ObjectiveName, Recipe, RunId, RunInfo, RunState, Sample, Status, StepRecord,
    Summary,
};
use crate::tui::app::{self, AppState};
use crate::tui::model::ModelStanding;
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};

fn id(at: &str) -> RunId {
    RunId::new(at.parse().unwrap(), ObjectiveName::Sft)
}

fn info(at: &str, state: RunState, step: usize, loss: Option<f64>) -> RunInfo {
    let run = id(at);
    let mut status = Status::new(state, step, 60, at.parse().unwrap());
    status.memory_bytes = Some(1_158 << 20);
    status.message = (state == RunState::Failed).then(|| "loss is NaN at step 9".to_owned());
    RunInfo { dir: PathBuf::from("runs").join(run.as_str()), run, objective: ObjectiveName::Sft, status, loss }
}

fn record(step: usize) -> StepRecord {
    // A falling, slightly jagged curve.
    let loss = 3.2 * (-(step as f64) / 50.0).exp() + 0.2 * ((step * 7 % 5) as f64 / 5.0);
    StepRecord {
        step,
        loss,
        learning_rate: 1e-3,
        gradient_norm: 0.612,
        tokens: 1024,
        epoch: step as f64 / 182.0,
        seconds: 1.5,
        tokens_per_second: 682.7,
        dev_loss: (step == 60).then_some(1.734),
        ..StepRecord::default()
    }
}

fn news(state: &mut AppState, message: Message) -> Vec<app::Effect> {
    tell(state, app::Message::Train(message))
}

fn happened(state: &mut AppState, event: Event) -> Vec<app::Effect> {
    news(state, Message::Happened(Box::new(event)))
}

/// The pane with its model here and its runs read.
fn bench(runs: Vec<RunInfo>, accepted: usize) -> AppState {
    let mut state = workbench(PaneId::Train);
    tell(&mut state, app::Message::Model(ModelStanding::Here("m.gguf".into())));
    news(&mut state, Message::Loaded(Ok(Loaded { runs, accepted })));
    state
}

fn some_runs() -> Vec<RunInfo> {
    vec![
        info("2026-11-21T10:45:00Z", RunState::Interrupted, 24, Some(2.231)),
        info("2026-11-20T09:00:00Z", RunState::Failed, 8, Some(3.01)),
        info("2026-11-19T09:00:00Z", RunState::Finished, 60, Some(1.912)),
    ]
}

/// A run that was started from the form and has taken `steps` steps.
fn running(steps: usize) -> AppState {
    let mut state = bench(some_runs(), 727);
    press(&mut state, "n s");
    let run = id("2026-11-21T11:00:00Z");
    happened(&mut state, Event::Preparing(run.clone()));
    let mut runs = some_runs();
    runs.insert(0, info("2026-11-21T11:00:00Z", RunState::Running, 0, None));
    news(&mut state, Message::Loaded(Ok(Loaded { runs, accepted: 727 })));
    let data = DataSummary { examples: 691, held_out: 32, truncated: 4, ..DataSummary::default() };
    happened(&mut state, Event::Started { run, dir: "runs/x".into(), done: 0, steps: 60, data });
    for step in 1..=steps {
        happened(&mut state, Event::Step { record: record(step), eta_seconds: 1.5 * (60 - step) as f64 });
    }
    if steps >= 20 {
        let text =
            "<think>1. The kernel says \"panic\".\n2. It did not recover.</think><answer>abnormal</answer>".into();
        happened(
            &mut state,
            Event::Sampled(Sample { step: 20, input: "kernel panic \x1b[0m".into(), text, ..Sample::default() }),
        );
    }
    state
}

fn toast(state: &AppState) -> &str {
    state.toast.as_ref().map_or("", |toast| toast.text.as_str())
}

#[test]
fn a_changed_setting_goes_into_the_run_that_is_started() {
    let mut state = bench(Vec::new(), 10);
    press(&mut state, "n down enter backspace backspace");
    type_text(&mut state, "12");
    press(&mut state, "enter down down enter backspace");
    type_text(&mut state, "2");
    let effects = press(&mut state, "enter s");
    let [app::Effect::Train(Effect::Start(recipe))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((recipe.length.steps, recipe.data.batch), (Some(12), 2));
    assert!(state.train.is_busy());
}

#[test]
fn a_setting_that_cannot_work_is_told_beside_it_and_nothing_starts() {
    let mut state = bench(Vec::new(), 10);
    press(&mut state, "n down down down enter backspace");
    type_text(&mut state, "0");
    press(&mut state, "enter");
    assert!(screen(&state, 80, 24).contains("x data.batch = 0"), "{}", screen(&state, 80, 24));
    assert!(press(&mut state, "s").is_empty());
    assert!(toast(&state).contains("data.batch = 0"), "{}", toast(&state));
    press(&mut state, "down enter backspace");
    type_text(&mut state, "two");
    press(&mut state, "enter");
    assert!(screen(&state, 200, 60).contains("\"two\" is no number"), "{}", screen(&state, 200, 60));
}

#[test]
fn a_preset_fills_the_form_and_a_change_makes_it_ones_own() {
    let mut state = bench(Vec::new(), 10);
    press(&mut state, "n enter enter");
    assert_eq!(state.train.form.recipe.length.epochs, 5.0);
    assert!(screen(&state, 80, 24).contains("preset        LogReasoner SFT"), "{}", screen(&state, 80, 24));
    press(&mut state, "down enter");
    type_text(&mut state, "7");
    press(&mut state, "enter");
    assert!(screen(&state, 80, 24).contains("preset        own"));
}

#[test]
fn nothing_starts_without_a_model_or_an_accepted_rationale_or_beside_a_run() {
    let mut state = bench(Vec::new(), 0);
    press(&mut state, "n");
    assert!(toast(&state).contains("Review"), "{}", toast(&state));
    tell(&mut state, app::Message::Model(ModelStanding::Missing(SafeText::new("no network"))));
    press(&mut state, "n");
    assert!(toast(&state).contains("press m"), "{}", toast(&state));
    assert!(matches!(press(&mut state, "m")[..], [app::Effect::FetchModel(_)]));
    let mut state = running(3);
    assert!(press(&mut state, "n s").is_empty());
    assert!(toast(&state).contains("going on"), "{}", toast(&state));
    // A process of its own waits for its turn.
    assert!(matches!(press(&mut state, "d")[..], [app::Effect::Train(Effect::StartDetached(_))]));
}

#[test]
fn runs_of_other_processes_are_followed_until_they_are_over() {
    let mut state = workbench(PaneId::Train);
    let loaded = |runs| Message::Loaded(Ok(Loaded { runs, accepted: 9 }));
    let alive = info("2026-11-21T10:45:00Z", RunState::Running, 7, None);
    let effects = news(&mut state, loaded(vec![alive.clone()]));
    assert!(effects.iter().any(|effect| matches!(effect, app::Effect::Train(Effect::Watch))), "{effects:?}");
    assert!(
        !news(&mut state, loaded(vec![alive.clone()])).iter().any(|e| matches!(e, app::Effect::Train(Effect::Watch)))
    );
    let course = |steps| Ok(Course { steps: (1..=steps).map(record).collect(), ..Course::default() });
    assert!(news(&mut state, Message::Seen(Box::new(alive.clone()), course(8))).is_empty());
    assert_eq!(state.train.curve.len(), 8);
    assert!(matches!(press(&mut state, "p")[..], [app::Effect::Train(Effect::RequestPause(_))]));
    let over = info("2026-11-21T10:45:00Z", RunState::Finished, 60, Some(1.0));
    let effects = news(&mut state, Message::Seen(Box::new(over), course(60)));
    assert!(effects.iter().any(|effect| matches!(effect, app::Effect::Bell)), "{effects:?}");
    assert!(toast(&state).contains("is finished after step 60"), "{}", toast(&state));
}

#[test]
fn two_runs_are_laid_beside_each_other_with_what_differs_in_their_recipes() {
    let mut state = bench(some_runs(), 10);
    let (first, last) = (id("2026-11-21T10:45:00Z"), id("2026-11-19T09:00:00Z"));
    let mut other = Recipe::default();
    other.lora.rank = 32;
    let course = |recipe| {
        Ok(Course { steps: (1..=60).map(record).collect(), recipe: Some(Box::new(recipe)), ..Course::default() })
    };
    let effects = press(&mut state, "=");
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, app::Effect::Train(Effect::ReadCompared(run, _)) if *run == first))
    );
    news(&mut state, Message::ComparedSteps(first, course(Recipe::default())));
    press(&mut state, "down down");
    news(&mut state, Message::Steps(last, course(other)));
    insta::assert_snapshot!("train-200x60-compared", screen(&state, 200, 60));
    assert!(screen(&state, 80, 24).contains("lora.rank: 32 here, 8 there"));
    survives_any_size(&state);
}

#[test]
fn the_form_shows_what_it_would_train_on_and_what_that_takes() {
    let mut state = bench(Vec::new(), 727);
    let effects = press(&mut state, "n t");
    assert!(matches!(&effects[..], [app::Effect::Train(Effect::Estimate(_))]), "{effects:?}");
    let lengths: Vec<usize> = (0..300).map(|i| 60 + i * i % 1300).collect();
    let estimate = Estimate {
        data: DataSummary { examples: 285, held_out: 15, truncated: 12, longest: 1359, ..DataSummary::default() },
        lengths: Lengths::of(&lengths),
        steps: 60,
        tokens: 143_213,
        trainable_parameters: 2_442_240,
        memory_bytes: 1_290 << 20,
        measured_bytes: Some(1_100 << 20),
        available_bytes: Some(900 << 20),
        tokens_per_second: 340.0,
        seconds: 421.0,
        refusal: Some("training needs about 1290 MiB and 900 MiB are free; try data.batch = 2".into()),
    };
    news(&mut state, Message::Estimated(Ok(Box::new(estimate))));
    insta::assert_snapshot!("train-80x24-estimate", screen(&state, 80, 24));
    survives_any_size(&state);
    // Another setting makes it a thing of the past.
    press(&mut state, "enter");
    assert!(screen(&state, 80, 24).contains("Press t"));
}

#[test]
fn what_an_objective_tells_of_its_steps_is_drawn_and_written() {
    let mut state = bench(some_runs(), 10);
    let told = |step: usize| {
        let mut record = record(step);
        record.statistics.insert("reward_margin".into(), step as f64 / 40.0);
        record.statistics.insert("dev_reward_margin".into(), step as f64 / 50.0);
        record
    };
    let reward = [("format".to_owned(), 0.1), ("total".to_owned(), 1.1)].into();
    let sample = Sample { step: 40, input: "log".into(), text: "<answer>normal</answer>".into(), reward };
    let course = Course { steps: (1..=40).map(told).collect(), samples: vec![sample], recipe: None };
    news(&mut state, Message::Steps(id("2026-11-21T10:45:00Z"), Ok(course)));
    press(&mut state, "v");
    insta::assert_snapshot!("train-200x60-statistics", screen(&state, 200, 60));
    assert!(matches!(&press(&mut state, "o")[..], []), "the page is an overlay");
    assert!(screen(&state, 80, 24).contains("[format 0.100, total 1.100]"), "{}", screen(&state, 80, 24));
}

#[test]
fn a_run_is_stopped_only_after_a_question() {
    let mut state = running(5);
    assert!(press(&mut state, "c n").is_empty());
    assert!(matches!(press(&mut state, "c y")[..], [app::Effect::CancelJobs(PaneId::Train)]));
    assert!(screen(&state, 200, 60).contains("stopping"));
}

#[test]
fn a_run_of_another_process_is_asked_through_its_folder() {
    let mut state = bench(vec![info("2026-11-21T10:45:00Z", RunState::Running, 7, None)], 10);
    let effects = press(&mut state, "c y");
    assert!(matches!(&effects[..], [app::Effect::Train(Effect::RequestCancel(_))]), "{effects:?}");
}

#[test]
fn only_what_stopped_early_is_resumed() {
    let mut state = bench(some_runs(), 10);
    press(&mut state, "down down");
    assert!(press(&mut state, "r").is_empty());
    assert!(toast(&state).contains("nothing to resume"));
    press(&mut state, "up up");
    assert!(matches!(&press(&mut state, "r")[..], [app::Effect::Train(Effect::Resume(_))]));
}

#[test]
fn steps_of_a_run_in_the_background_do_not_enter_another_run_s_curve() {
    let mut state = running(5);
    let run = id("2026-11-19T09:00:00Z");
    press(&mut state, "down down down");
    news(&mut state, Message::Steps(run, Ok(Course { steps: (1..=60).map(record).collect(), ..Course::default() })));
    happened(&mut state, Event::Step { record: record(6), eta_seconds: 1.0 });
    assert_eq!(state.train.curve.len(), 60);
}

#[test]
fn the_end_of_a_run_is_told_and_its_folder_read_again() {
    let mut state = running(60);
    let summary = Summary {
        run: id("2026-11-21T11:00:00Z"),
        dir: "runs/x".into(),
        adapter: "runs/x/adapter".into(),
        status: RunState::Finished,
        message: None,
        best_step: None,
        steps: 60,
        first_loss: Some(3.1),
        last_loss: Some(1.2),
        dev_loss: None,
        loss: Vec::new(),
        tokens_per_second: 680.0,
        examples: 691,
        held_out: 32,
        truncated: 4,
        left_out: 0,
        seconds: 90.0,
    };
    let effects = happened(&mut state, Event::Ended(Ok(summary)));
    assert!(effects.iter().any(|effect| matches!(effect, app::Effect::Train(Effect::Load))));
    assert!(toast(&state).contains("finished: loss 3.100 (first 5) to 1.200 (last 10)"), "{}", toast(&state));
    assert!(!state.train.is_busy());
}

#[test]
fn what_a_run_s_folder_says_cannot_move_the_cursor() {
    let mut bad = info("2026-11-21T10:45:00Z", RunState::Failed, 7, None);
    bad.status.message = Some("\x1b[2Jgone".into());
    let state = bench(vec![bad], 10);
    assert!(screen(&state, 200, 60).contains("\\x1b[2Jgone"));
}

#[test]
fn the_pane_looks_as_it_should() {
    let mut state = bench(Vec::new(), 0);
    insta::assert_snapshot!("train-80x24-nothing-accepted", screen(&state, 80, 24));
    tell(&mut state, app::Message::Model(ModelStanding::Missing(SafeText::new("no network"))));
    insta::assert_snapshot!("train-80x24-model-missing", screen(&state, 80, 24));
    let mut state = bench(some_runs(), 727);
    press(&mut state, "n down");
    insta::assert_snapshot!("train-80x24-form", screen(&state, 80, 24));
    survives_any_size(&state);
    let state = running(24);
    insta::assert_snapshot!("train-80x24-running", screen(&state, 80, 24));
    insta::assert_snapshot!("train-200x60-running", screen(&state, 200, 60));
    survives_any_size(&state);
}
