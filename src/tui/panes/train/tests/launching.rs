//! Where a run computes, what stops an estimate, and what is said of a run that is damaged.

use super::*;

#[test]
fn an_estimate_under_way_ends_when_the_form_is_left_or_changed() {
    let mut state = bench(Vec::new(), 727);
    let asked = |effects: &[app::Effect]| match effects {
        [app::Effect::Train(Effect::Estimate(wanted, stop))] => (wanted.clone(), stop.clone()),
        other => panic!("{other:?}"),
    };
    let stopped = |effects: Vec<app::Effect>| match effects.into_iter().next() {
        Some(app::Effect::Train(Effect::StopEstimate(stop))) => stop.cancel(),
        other => panic!("{other:?}"),
    };
    let (_, first) = asked(&press(&mut state, "n"));
    stopped(press(&mut state, "esc"));
    assert!(first.is_set() && !state.train.filling);
    let (_, second) = asked(&press(&mut state, "n"));
    assert!(!second.is_set(), "each attempt has its own flag");
    go_to(&mut state, ObjectiveName::Sft, "preset");
    stopped(press(&mut state, "enter"));
    assert!(second.is_set());
    assert!(screen(&state, 80, 24).contains("Press t"));
    // What is known stays known while the form is closed.
    let (wanted, _) = asked(&press(&mut state, "t"));
    news(&mut state, Message::Estimated(wanted, Err("no such model".into())));
    assert!(press(&mut state, "esc").is_empty());
    assert!(press(&mut state, "n").is_empty());
    assert!(screen(&state, 80, 24).contains("no such model"));
}

#[test]
fn where_to_compute_is_a_line_of_the_form_and_not_of_the_recipe() {
    let mut state = bench(Vec::new(), 10);
    go_to(&mut state, ObjectiveName::Sft, "device");
    assert_eq!(state.train.form.initial(), "cpu", "as the project has it");
    retype(&mut state, "gpu");
    assert!(screen(&state, 80, 24).contains("x device \"gpu\""), "{}", screen(&state, 80, 24));
    assert!(press(&mut state, "s").is_empty());
    retype(&mut state, "cuda:1");
    insta::assert_snapshot!("train-80x24-device", screen(&state, 80, 24));
    let before = state.train.form.recipe.clone();
    let effects = press(&mut state, "s");
    let [app::Effect::Train(Effect::Start(wanted))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wanted.device, Some("cuda:1".parse().unwrap()));
    assert_eq!(wanted.recipe, before);
    // Nothing typed: wherever the project computes when the run is begun.
    let mut state = bench(Vec::new(), 10);
    go_to(&mut state, ObjectiveName::Dpo, "device");
    let effects = press(&mut state, "d");
    let [app::Effect::Train(Effect::StartDetached(wanted))] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wanted.device, None);
}

#[test]
fn a_run_whose_status_is_damaged_is_shown_with_what_to_do() {
    let mut damaged = info("2026-11-21T10:45:00Z", RunState::Damaged, 24, Some(2.231));
    damaged.status.message = Some("status.json: EOF; `logwright train resume` writes it anew".into());
    let mut state = bench(vec![damaged], 10);
    let shown = screen(&state, 200, 60);
    for part in ["? damaged", "status.json: EOF", "writes it anew"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(matches!(press(&mut state, "r")[..], [app::Effect::Train(Effect::Resume(_))]));
}

#[test]
fn nothing_is_estimated_beside_a_run_unless_it_is_asked_for() {
    let mut state = running(3);
    assert!(press(&mut state, "n").is_empty());
    assert!(screen(&state, 80, 24).contains("Press t"));
    assert!(matches!(press(&mut state, "t")[..], [app::Effect::Train(Effect::Estimate(..))]));
}
