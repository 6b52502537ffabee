use std::io::Write as _;

use super::*;
use crate::training::adapter_of_run;
use crate::training::checkpoint::Progress;

fn record(step: usize, loss: f64) -> StepRecord {
    StepRecord {
        step,
        loss,
        learning_rate: 1e-3,
        gradient_norm: 0.5,
        tokens: 100,
        epoch: 0.1,
        seconds: 0.5,
        tokens_per_second: 200.0,
        ..StepRecord::default()
    }
}

fn status(state: RunState) -> Status {
    let at = Timestamp::UNIX_EPOCH;
    Status {
        state,
        step: 3,
        steps: 9,
        pid: 1,
        started: at,
        updated: at,
        eta_seconds: None,
        memory_bytes: None,
        message: None,
    }
}

#[test]
fn a_run_is_named_after_its_start_and_two_in_a_second_differ() {
    let folder = tempfile::tempdir().unwrap();
    let at: Timestamp = "2026-11-21T10:45:00Z".parse().unwrap();
    let first = RunFolder::create_in(folder.path(), at, ObjectiveName::Sft).unwrap();
    let second = RunFolder::create_in(folder.path(), at, ObjectiveName::Sft).unwrap();
    assert_eq!(first.id().as_str(), "20261121-104500-sft");
    assert_eq!(second.id().as_str(), "20261121-104500-sft-2");
}

#[test]
fn a_run_that_says_it_runs_while_nobody_holds_it_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create_at(folder.path()).unwrap();
    run.write_status(&status(RunState::Running)).unwrap();
    let lock = run.lock().unwrap();
    assert_eq!(run.status().unwrap().state, RunState::Running);
    assert!(matches!(run.lock(), Err(TrainingError::AlreadyRunning(..))));
    drop(lock);
    assert_eq!(run.status().unwrap().state, RunState::Interrupted);
}

#[test]
fn a_half_written_line_is_not_yet_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    run.append_step(&record(1, 2.0)).unwrap();
    run.append_step(&record(2, 1.5)).unwrap();
    let mut file = OpenOptions::new().append(true).open(run.metrics_path()).unwrap();
    file.write_all(b"{\"step\":3,\"lo").unwrap();
    assert_eq!(run.steps().unwrap().iter().map(|record| record.step).collect::<Vec<_>>(), [1, 2]);
    run.rewind(1).unwrap();
    run.append_step(&record(2, 1.4)).unwrap();
    assert_eq!(run.steps().unwrap()[1].loss, 1.4);
}

#[test]
fn a_run_is_meant_by_its_id_the_start_of_it_or_latest() {
    let parent = tempfile::tempdir().unwrap();
    for at in ["2026-11-21T10:45:00Z", "2026-11-22T10:45:00Z"] {
        let started = at.parse().unwrap();
        let run = RunFolder::create_in(parent.path(), started, ObjectiveName::Sft).unwrap();
        run.write_recipe(&Recipe::default()).unwrap();
        run.write_status(&Status { started, ..status(RunState::Finished) }).unwrap();
    }
    let id = |name: &str| resolve_run(parent.path(), name).map(|run| run.id().to_string());
    assert_eq!(id("20261121-104500-sft").unwrap(), "20261121-104500-sft");
    assert_eq!(id("20261122").unwrap(), "20261122-104500-sft");
    assert_eq!(id("latest").unwrap(), "20261122-104500-sft");
    assert!(id("2026112").unwrap_err().to_string().contains("train list"));
    assert_eq!(list_runs(parent.path()).len(), 2);
}

#[test]
fn the_latest_run_is_the_one_that_was_started_last() {
    let parent = tempfile::tempdir().unwrap();
    // Stages of a chain are named after its start, and a clock can be set back in between.
    let runs = [
        ("20261121-104500-sft-2", "2026-11-21T10:45:00Z"),
        ("20261121-104500-sft-10", "2026-11-21T10:45:00Z"),
        ("20261121-120000-sft", "2026-11-21T12:00:00Z"),
        ("20261121-110000-chain-1-a", "2026-11-21T13:00:00Z"),
        ("20261121-110000-chain-2-b", "2026-11-21T14:00:00Z"),
    ];
    for (name, started) in runs {
        let run = RunFolder::create_at(&parent.path().join(name)).unwrap();
        run.write_recipe(&Recipe::default()).unwrap();
        run.write_status(&Status { started: started.parse().unwrap(), ..status(RunState::Finished) }).unwrap();
    }
    let listed: Vec<String> = list_runs(parent.path()).into_iter().map(|info| info.run.to_string()).collect();
    assert_eq!(listed, runs.iter().rev().map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!(resolve_run(parent.path(), "latest").unwrap().id().as_str(), "20261121-110000-chain-2-b");
}

#[test]
fn a_folder_with_a_run_is_not_used_for_another() {
    let folder = tempfile::tempdir().unwrap();
    RunFolder::create_at(folder.path()).unwrap().write_recipe(&Recipe::default()).unwrap();
    assert!(RunFolder::create_at(folder.path()).is_err());
}

#[test]
fn the_adapter_of_a_run_is_the_trained_one_or_that_of_its_last_checkpoint() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let adapter = |dir: &Path| {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("adapter_config.json"), "{}").unwrap();
        dir.to_path_buf()
    };
    assert!(adapter_of_run(&folder).is_err());
    let checkpoint = |step: usize| {
        let dir = temporary.path().join(format!("checkpoint-{step}"));
        let saved = adapter(&dir.join("adapter"));
        let tensor = candle_core::Tensor::new(&[1f32], &candle_core::Device::Cpu).unwrap();
        let tensors = std::collections::HashMap::from([("x".to_owned(), tensor)]);
        for path in [saved.join("adapter_model.safetensors"), dir.join("optimizer.safetensors")] {
            candle_core::safetensors::save(&tensors, path).unwrap();
        }
        let progress = Progress { step, ..Progress::default() };
        fs::write(dir.join("progress.json"), serde_json::to_vec(&progress).unwrap()).unwrap();
        saved
    };
    let at_three = checkpoint(3);
    assert_eq!(adapter_of_run(&folder).unwrap(), at_three);
    let at_seven = checkpoint(7);
    assert_eq!(adapter_of_run(&folder).unwrap(), at_seven);
    fs::write(checkpoint(8).join("adapter_model.safetensors"), "cut").unwrap();
    assert_eq!(adapter_of_run(&folder).unwrap(), at_seven);
    let trained = adapter(&folder.adapter_dir());
    assert_eq!(adapter_of_run(&folder).unwrap(), trained);
}

#[test]
fn figures_that_are_no_numbers_are_left_out_and_old_ones_are_read_past() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let figures = [("kl", f64::NAN), ("reward", 0.5), ("total", f64::INFINITY)];
    let figures = || figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect();
    run.append_step(&StepRecord { statistics: figures(), ..record(1, 2.0) }).unwrap();
    run.append_sample(&Sample { step: 1, reward: figures(), ..Sample::default() }).unwrap();
    let mut metrics = OpenOptions::new().append(true).open(run.metrics_path()).unwrap();
    let old = serde_json::to_string(&record(2, 1.0)).unwrap().replace('}', ",\"statistics\":{\"kl\":null}}");
    writeln!(metrics, "{old}").unwrap();
    let known = |figures: &std::collections::BTreeMap<String, f64>| figures.keys().cloned().collect::<Vec<_>>();
    let steps = run.steps().unwrap();
    assert_eq!(steps.iter().map(|step| known(&step.statistics)).collect::<Vec<_>>(), [vec!["reward"], vec![]]);
    assert_eq!(known(&run.samples().unwrap()[0].reward), ["reward"]);
}
