//! How the pane follows runs: of this workbench, and of other processes.

use super::*;

#[test]
fn runs_of_other_processes_are_followed_until_they_are_over() {
    let mut state = workbench(PaneId::Train);
    let loaded = |runs| Message::Loaded(Ok(Loaded { runs, supply: supply(9), device: Some(DeviceChoice::default()) }));
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
fn a_run_of_this_workbench_goes_on_in_the_list_and_in_the_overlay_while_another_is_in_front() {
    let mut state = running(5);
    let active = id("2026-11-21T11:00:00Z");
    news(
        &mut state,
        Message::ComparedSteps(
            active.clone(),
            Ok(Course { steps: (1..=5).map(record).collect(), ..Course::default() }),
        ),
    );
    press(&mut state, "down down down");
    happened(&mut state, Event::Step { record: record(6), eta_seconds: 4.0 });
    let listed = state.train.runs.iter().find(|info| info.run == active).unwrap();
    assert_eq!((listed.status.step, listed.status.eta_seconds), (6, Some(4.0)));
    assert_eq!(state.train.compared.as_ref().unwrap().curve.len(), 6);
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
        first_reward: None,
        last_reward: None,
        dev_reward: None,
        dev_loss: None,
        loss: Vec::new(),
        tokens_per_second: 680.0,
        examples: 691,
        held_out: 32,
        truncated: 4,
        left_out: 0,
        seconds: 90.0,
    };
    let rewarded = Summary { first_reward: Some(-0.5), last_reward: Some(1.25), ..summary.clone() };
    let effects = happened(&mut state, Event::Ended(Ok(summary)));
    assert!(effects.iter().any(|effect| matches!(effect, app::Effect::Train(Effect::Load))));
    assert!(toast(&state).contains("finished: loss 3.100 (first 5) to 1.200 (last 10)"), "{}", toast(&state));
    assert!(!state.train.is_busy());
    happened(&mut state, Event::Ended(Ok(rewarded)));
    assert!(toast(&state).contains("reward -0.500 (first 5) to 1.250 (last 10)"), "{}", toast(&state));
}
