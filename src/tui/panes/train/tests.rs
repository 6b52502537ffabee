//! Key sequences, and what the screen shows of a run as it goes.

use std::path::PathBuf;

use super::effects::{Course, Effect, Loaded, Message};
use crate::logs::SafeText;
use crate::model::DeviceChoice;
use crate::training::{
    DataSummary, Estimate, Event, Lengths, ObjectiveName, Recipe, RewardPreset, RunId, RunInfo, RunState, Sample,
    Status, StepRecord, Stock, Summary, Supply,
};
use crate::tui::app::{self, AppState};
use crate::tui::model::ModelStanding;
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};

mod following;
mod launching;

fn id(at: &str) -> RunId {
    RunId::new(at.parse().unwrap(), ObjectiveName::Sft)
}

fn info(at: &str, state: RunState, step: usize, loss: Option<f64>) -> RunInfo {
    let run = id(at);
    let mut status = Status::new(state, step, 60, at.parse().unwrap());
    status.memory_bytes = Some(1_158 << 20);
    status.message = (state == RunState::Failed).then(|| "loss is NaN at step 9".to_owned());
    let dir = PathBuf::from("runs").join(run.as_str());
    RunInfo { dir, run, objective: ObjectiveName::Sft, device: None, status, loss, reward: None }
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

/// So many accepted rationales, 40 pairs of which 12 wait, and a thought that waits.
fn supply(rationales: usize) -> Supply {
    let stock = |accepted, pending| Stock { accepted, pending };
    Supply { rationales: stock(rationales, 0), pairs: stock(28, 12), thoughts: stock(0, 1), templates: stock(0, 0) }
}

/// The pane with its model here and its runs read.
fn bench(runs: Vec<RunInfo>, accepted: usize) -> AppState {
    let mut state = workbench(PaneId::Train);
    tell(&mut state, app::Message::Model(ModelStanding::Here("m.gguf".into())));
    let supply = if accepted == 0 { Supply::default() } else { supply(accepted) };
    news(&mut state, Message::Loaded(Ok(Loaded { runs, supply, device: Some(DeviceChoice::default()) })));
    state
}

/// Opens the form, chooses an objective, and goes to a setting by its name.
fn go_to(state: &mut AppState, objective: ObjectiveName, name: &str) {
    if !state.train.filling {
        press(state, "n");
    }
    state.train.form.at = 0;
    while state.train.form.recipe.objective != objective {
        press(state, "enter");
    }
    while state.train.form.field().name != name {
        press(state, "down");
    }
}

/// Types another text in the place of the setting's in front.
fn retype(state: &mut AppState, text: &str) {
    press(state, "enter end");
    (0..24).for_each(|_| drop(press(state, "backspace")));
    type_text(state, text);
    press(state, "enter");
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
    news(&mut state, Message::Loaded(Ok(Loaded { runs, supply: supply(727), device: Some(DeviceChoice::default()) })));
    let data = DataSummary { examples: 691, held_out: 32, truncated: 4, ..DataSummary::default() };
    happened(&mut state, Event::Started { run, dir: "runs/x".into(), done: 0, steps: 60, data, note: None });
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
    go_to(&mut state, ObjectiveName::Sft, "steps");
    retype(&mut state, "12");
    go_to(&mut state, ObjectiveName::Sft, "batch");
    retype(&mut state, "2");
    let effects = press(&mut state, "s");
    let [app::Effect::Train(Effect::Start(wanted))] = &effects[..] else { panic!("{effects:?}") };
    let recipe = &wanted.recipe;
    assert_eq!((recipe.length.steps, recipe.data.batch), (Some(12), 2));
    assert!(state.train.is_busy());
}

#[test]
fn every_objective_is_started_with_its_own_settings_and_what_was_filled_in_stays() {
    let mut state = bench(Vec::new(), 10);
    go_to(&mut state, ObjectiveName::Dpo, "beta");
    retype(&mut state, "0.3");
    go_to(&mut state, ObjectiveName::Grpo, "reward");
    press(&mut state, "enter");
    go_to(&mut state, ObjectiveName::Grpo, "rollouts");
    retype(&mut state, "4");
    go_to(&mut state, ObjectiveName::Grpo, "start from");
    retype(&mut state, "20261119-090000-sft");
    assert!(screen(&state, 80, 24).contains("It goes on from the adapter of"), "{}", screen(&state, 80, 24));
    let effects = press(&mut state, "d");
    let [app::Effect::Train(Effect::StartDetached(wanted))] = &effects[..] else { panic!("{effects:?}") };
    let recipe = &wanted.recipe;
    assert_eq!(recipe.objective, ObjectiveName::Grpo);
    assert_eq!(recipe.grpo.as_ref().unwrap().rollouts, 4);
    assert_eq!(recipe.reward.as_ref().unwrap().preset, RewardPreset::Code);
    assert_eq!(recipe.start.as_deref(), Some("20261119-090000-sft"));
    assert!(recipe.dpo.is_none());
    go_to(&mut state, ObjectiveName::Dpo, "beta");
    let effects = press(&mut state, "s");
    let [app::Effect::Train(Effect::Start(wanted))] = &effects[..] else { panic!("{effects:?}") };
    let recipe = &wanted.recipe;
    assert_eq!((recipe.dpo.as_ref().unwrap().beta, recipe.start.as_deref()), (0.3, None));
    assert!(recipe.grpo.is_none());
}

#[test]
fn an_objective_without_anything_to_learn_from_says_so_and_does_not_start() {
    let mut state = bench(Vec::new(), 10);
    let mut supply = supply(10);
    supply.pairs = Stock { accepted: 0, pending: 12 };
    news(&mut state, Message::Loaded(Ok(Loaded { runs: Vec::new(), supply, device: Some(DeviceChoice::default()) })));
    go_to(&mut state, ObjectiveName::Dpo, "objective");
    insta::assert_snapshot!("train-80x24-nothing-to-learn-from", screen(&state, 80, 24));
    assert!(press(&mut state, "s").is_empty());
    assert!(toast(&state).contains("no accepted pair to train on; 12 wait for review"), "{}", toast(&state));
    assert!(press(&mut state, "t").is_empty());
}

#[test]
fn a_run_starts_from_the_selected_ones_adapter() {
    let mut state = bench(some_runs(), 10);
    press(&mut state, "f");
    assert_eq!(state.train.form.recipe.start.as_deref(), Some("20261121-104500-sft"));
    assert!(screen(&state, 200, 60).contains("LoRA rank     as where it starts"), "{}", screen(&state, 200, 60));
    let mut state = bench(vec![info("2026-11-21T10:45:00Z", RunState::Running, 0, None)], 10);
    press(&mut state, "f");
    assert!(toast(&state).contains("no adapter yet"), "{}", toast(&state));
    assert!(!state.train.filling);
}

#[test]
fn a_setting_that_cannot_work_is_told_beside_it_and_nothing_starts() {
    let mut state = bench(Vec::new(), 10);
    go_to(&mut state, ObjectiveName::Sft, "batch");
    retype(&mut state, "0");
    assert!(screen(&state, 80, 24).contains("x data.batch = 0"), "{}", screen(&state, 80, 24));
    assert!(press(&mut state, "s").is_empty());
    assert!(toast(&state).contains("data.batch = 0"), "{}", toast(&state));
    go_to(&mut state, ObjectiveName::Sft, "batches/step");
    retype(&mut state, "two");
    assert!(screen(&state, 200, 60).contains("\"two\" is no number"), "{}", screen(&state, 200, 60));
    go_to(&mut state, ObjectiveName::Grpo, "temperature");
    retype(&mut state, "0");
    assert!(screen(&state, 80, 24).contains("x grpo.temperature = 0"), "{}", screen(&state, 80, 24));
}

#[test]
fn a_preset_fills_the_form_and_a_change_makes_it_ones_own() {
    let mut state = bench(Vec::new(), 10);
    go_to(&mut state, ObjectiveName::Sft, "preset");
    press(&mut state, "enter enter");
    assert_eq!(state.train.form.recipe.length.epochs, 5.0);
    assert!(screen(&state, 80, 24).contains("preset        LogReasoner"), "{}", screen(&state, 80, 24));
    go_to(&mut state, ObjectiveName::Sft, "steps");
    retype(&mut state, "7");
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
    let effects = press(&mut state, "n");
    let [app::Effect::Train(Effect::Estimate(wanted, _))] = &effects[..] else { panic!("{effects:?}") };
    assert!(press(&mut state, "t").is_empty(), "it is being looked at already");
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
        on_device: false,
        tokens_per_second: 340.0,
        seconds: 421.0,
        refusal: Some("training needs about 1290 MiB and 900 MiB are free; try data.batch = 2".into()),
    };
    let on_device = Estimate { on_device: true, refusal: None, ..estimate.clone() };
    news(&mut state, Message::Estimated(wanted.clone(), Ok(Box::new(estimate))));
    insta::assert_snapshot!("train-80x24-estimate", screen(&state, 80, 24));
    survives_any_size(&state);
    assert!(press(&mut state, "s").is_empty() && toast(&state).contains("try data.batch = 2"), "{}", toast(&state));
    assert!(!press(&mut state, "t").is_empty(), "what is free may be another number by now");
    news(&mut state, Message::Estimated(wanted.clone(), Ok(Box::new(on_device.clone()))));
    assert!(screen(&state, 80, 24).contains("memory of the device: 1,290 MiB of 900"), "{}", screen(&state, 80, 24));
    // Another setting makes it a thing of the past.
    go_to(&mut state, ObjectiveName::Sft, "preset");
    press(&mut state, "enter");
    assert!(screen(&state, 80, 24).contains("Press t"));
    news(&mut state, Message::Estimated(wanted.clone(), Ok(Box::new(on_device))));
    assert!(screen(&state, 80, 24).contains("Press t"), "that is of other settings");
    assert!(matches!(press(&mut state, "t")[..], [app::Effect::Train(Effect::Estimate(..))]));
    let effects = press(&mut state, "s");
    assert!(
        matches!(effects[..], [app::Effect::Train(Effect::StopEstimate(_)), app::Effect::Train(Effect::Start(_))]),
        "a run does not wait for what nobody wants to know any more: {effects:?}"
    );
}

#[test]
fn a_gpus_memory_stands_beside_the_processs() {
    let mut state = running(3);
    assert!(!screen(&state, 200, 60).contains("MiB, device "), "on the CPU there is no other memory");
    let record = StepRecord { device_memory_mib: Some(5_120), device_total_mib: Some(143_771), ..record(4) };
    happened(&mut state, Event::Step { record, eta_seconds: 9.0 });
    assert!(
        screen(&state, 200, 60).contains("memory 1,158 MiB, device 5,120 of 143,771 MiB"),
        "{}",
        screen(&state, 200, 60)
    );
}

/// A DPO run that is going on, with what it tells of its steps.
fn dpo(steps: usize) -> (RunInfo, Course) {
    let told = |step: usize| {
        let mut record = record(step);
        let t = step as f64 / 40.0;
        let told = [
            ("reward_margin", t),
            ("reward_accuracy", (0.5 + t / 2.0).min(1.0)),
            ("reward_chosen", t * 0.4),
            ("reward_rejected", -t * 0.6),
        ];
        for (name, value) in told {
            record.statistics.insert(name.to_owned(), value);
            if step.is_multiple_of(10) {
                record.statistics.insert(format!("dev_{name}"), value * 0.8);
            }
        }
        record
    };
    let run = RunId::new("2026-11-21T10:45:00Z".parse().unwrap(), ObjectiveName::Dpo);
    let info =
        RunInfo { run, objective: ObjectiveName::Dpo, ..info("2026-11-21T10:45:00Z", RunState::Running, steps, None) };
    let sample = Sample {
        step: steps,
        input: "fan 3 stopped".into(),
        text: "<think>1. The fan stopped.</think><answer>abnormal</answer>".into(),
        ..Sample::default()
    };
    let recipe = Some(Box::new(Recipe::of(ObjectiveName::Dpo)));
    (info, Course { steps: (1..=steps).map(told).collect(), samples: vec![sample], recipe })
}

/// The same of GRPO, with the best and the worst answer of each evaluation.
fn grpo(steps: usize) -> (RunInfo, Course) {
    let told = |step: usize| {
        let mut record = StepRecord { loss: 0.002 / step as f64, ..record(step) };
        let t = step as f64 / 20.0;
        let told = [
            ("reward", t - 0.5),
            ("reward_format", 0.5 * t),
            ("reward_answer", t - 1.2),
            ("reward_grounding", 0.1),
            ("reward_coherence", 0.05 * t),
            ("reward_brevity", 0.05),
            ("answer_accuracy", 0.4 + t / 4.0),
            ("kl", 0.01 * t),
            ("entropy", 1.4 - t / 4.0),
            ("clip_fraction", 0.02),
            ("completion_tokens", 120.0 - 20.0 * t),
            ("flat_groups", 0.25),
            ("truncated", 0.1),
            ("reward_deviation", 0.8),
            ("advantage_deviation", 0.9),
        ];
        record.statistics.extend(told.map(|(name, value)| (name.to_owned(), value)));
        if step.is_multiple_of(5) {
            record.dev_loss = Some(-t);
            record.statistics.extend([("dev_reward".to_owned(), t), ("dev_f1".to_owned(), 0.5 + t / 5.0)]);
        }
        record
    };
    let sample = |step: usize, total: f64, text: &str| {
        let parts = [
            ("reward_format", 0.5),
            ("reward_answer", total - 0.75),
            ("reward_grounding", 0.2),
            ("reward_brevity", 0.05),
            ("total", total),
        ];
        let reward = parts.map(|(name, value)| (name.to_owned(), value)).into();
        Sample { step, input: "ciod: Error reading message prefix \x1b[31m".into(), text: text.into(), reward }
    };
    let good = "<think>\n1. The daemon ciod reads a message prefix from the control stream.\n2. It could not: the stream ended, which \
                happens when the node behind it is gone.\n3. A lost node is not routine.\n</think>\n<answer>abnormal</answer>";
    let bad = "<think>1. It is a message.</think><answer>normal</answer>";
    let samples = vec![sample(5, 1.9, good), sample(5, -1.6, bad), sample(10, 2.1, good), sample(10, -1.5, bad)];
    let run = RunId::new("2026-11-21T10:46:00Z".parse().unwrap(), ObjectiveName::Grpo);
    let info =
        RunInfo { run, objective: ObjectiveName::Grpo, ..info("2026-11-21T10:46:00Z", RunState::Running, steps, None) };
    let recipe = Some(Box::new(Recipe::of(ObjectiveName::Grpo)));
    (info, Course { steps: (1..=steps).map(told).collect(), samples, recipe })
}

/// The pane with one run in front.
fn showing((mut info, course): (RunInfo, Course)) -> AppState {
    info.status.eta_seconds = Some(412.0);
    let run = info.run.clone();
    let mut state = bench(vec![info], 10);
    news(&mut state, Message::Steps(run, Ok(course)));
    state
}

#[test]
fn what_dpo_tells_of_its_steps_is_drawn_and_written() {
    let mut state = showing(dpo(40));
    insta::assert_snapshot!("train-80x24-dpo", screen(&state, 80, 24));
    press(&mut state, "v");
    insta::assert_snapshot!("train-200x60-dpo", screen(&state, 200, 60));
    survives_any_size(&state);
}

#[test]
fn what_grpo_tells_of_its_steps_is_drawn_and_written() {
    let mut state = showing(grpo(10));
    insta::assert_snapshot!("train-80x24-grpo", screen(&state, 80, 24));
    insta::assert_snapshot!("train-200x60-grpo", screen(&state, 200, 60));
    // Each part of the reward has a chart of its own.
    let seen: Vec<bool> = ["reward for the form", "reward for the answer", "reward for grounding", "KL to", "clipped"]
        .into_iter()
        .map(|title| {
            (0..30).any(|_| {
                press(&mut state, "v");
                screen(&state, 80, 24).contains(title)
            })
        })
        .collect();
    assert_eq!(seen, [true; 5]);
    survives_any_size(&state);
}

#[test]
fn answers_are_read_one_by_one_with_what_they_got() {
    let mut state = showing(grpo(10));
    press(&mut state, "o");
    let text = screen(&state, 80, 24);
    assert!(text.contains("Answer 3 of 4, after step 10") && text.contains("Reward +2.100"), "{text}");
    insta::assert_snapshot!("train-80x24-answer", text);
    insta::assert_snapshot!("train-200x60-answer", screen(&state, 200, 60));
    survives_any_size(&state);
    press(&mut state, "n n n");
    assert!(screen(&state, 80, 24).contains("Answer 4 of 4"));
    press(&mut state, "left left left left");
    assert!(screen(&state, 80, 24).contains("Answer 1 of 4, after step 5"));
    // A long answer is scrolled, as far as it goes.
    let first_row = |state: &AppState| screen(state, 80, 16).lines().nth(2).unwrap_or_default().to_owned();
    let before = first_row(&state);
    press(&mut state, "down down");
    assert_ne!(first_row(&state), before);
    press(&mut state, "esc");
    assert!(screen(&state, 80, 24).contains("reward, mean of the answers"));
    let mut empty = bench(some_runs(), 10);
    press(&mut empty, "o");
    assert!(toast(&empty).contains("not asked anything yet"), "{}", toast(&empty));
}

#[test]
fn runs_of_two_objectives_are_compared_too() {
    let ((first, dpo), (second, grpo)) = (dpo(40), grpo(10));
    let (left, right) = (first.run.clone(), second.run.clone());
    let mut state = bench(vec![second, first], 10);
    press(&mut state, "=");
    news(&mut state, Message::ComparedSteps(right.clone(), Ok(grpo)));
    press(&mut state, "down");
    news(&mut state, Message::Steps(left, Ok(dpo)));
    insta::assert_snapshot!("train-80x24-compared-objectives", screen(&state, 80, 24));
    press(&mut state, "i");
    let text = screen(&state, 200, 60);
    assert!(text.contains("grpo.rollouts: – here, 8 there") && text.contains("dpo.beta: 0.1 here, – there"), "{text}");
    assert!(text.contains(right.as_str()) && text.contains("[lora]"), "{text}");
    assert!(text.find("objective:") < text.find("data.batch:"), "what matters most comes first: {text}");
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
    go_to(&mut state, ObjectiveName::Dpo, "beta");
    insta::assert_snapshot!("train-80x24-form-dpo", screen(&state, 80, 24));
    go_to(&mut state, ObjectiveName::Grpo, "reward");
    insta::assert_snapshot!("train-80x24-form-grpo", screen(&state, 80, 24));
    insta::assert_snapshot!("train-200x60-form-grpo", screen(&state, 200, 60));
    survives_any_size(&state);
    let state = running(24);
    insta::assert_snapshot!("train-80x24-running", screen(&state, 80, 24));
    insta::assert_snapshot!("train-200x60-running", screen(&state, 200, 60));
    survives_any_size(&state);
}
