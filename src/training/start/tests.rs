use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::reasoning::Task;
use crate::reasoning::prompt::{Speaker, Turn};
use crate::training::{ObjectiveName, estimate};

fn examples() -> Vec<Example> {
    let one = |i: usize| Example {
        id: format!("r-{i}"),
        task: Task::Parsing,
        input: format!("ready on {i}"),
        turns: vec![Turn { speaker: Speaker::User, text: format!("Say. ready on {i}") }],
        completion: format!("<think>1. {}</think><answer>normal</answer>", "so. ".repeat(1 + i)),
        rejected: None,
        label: None,
    };
    (0..4).map(one).collect()
}

fn base() -> Base {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama");
    Base { path, device: Some(DeviceChoice::default()), measure: None }
}

/// A recipe of the objective on examples that it can learn from.
fn questions() -> (Recipe, Vec<Example>) {
    let mut recipe = Recipe::of(ObjectiveName::Grpo).completed();
    recipe.data.batch = 2;
    let grpo = recipe.grpo.as_mut().unwrap();
    (grpo.rollouts, grpo.concurrent, grpo.max_tokens) = (3, 4, 100);
    (recipe, examples().into_iter().map(|example| Example { label: Some("normal".into()), ..example }).collect())
}

#[test]
fn an_estimate_ends_wherever_it_is_stopped() {
    let mut recipe = Recipe::default();
    recipe.data.batch = 2;
    for (recipe, examples) in [(recipe, examples()), questions()] {
        let asked = AtomicUsize::new(0);
        let whole = estimate(recipe.clone(), &examples, None, &base(), &|| {
            asked.fetch_add(1, Ordering::Relaxed);
            false
        });
        assert!(whole.unwrap().tokens_per_second > 0.0);
        let times = asked.load(Ordering::Relaxed);
        assert!(times >= 6, "before and after the model, the examples and the step's answers: {times}");
        for stop in (0..times).step_by(times.div_ceil(12)) {
            let asked = AtomicUsize::new(0);
            let stopped = || asked.fetch_add(1, Ordering::Relaxed) >= stop;
            let ended = estimate(recipe.clone(), &examples, None, &base(), &stopped);
            assert!(matches!(ended, Err(TrainingError::NotTried)), "{stop}: {ended:?}");
            assert_eq!(asked.into_inner(), stop + 1, "nothing more is done");
        }
    }
}

#[test]
fn rollouts_that_are_learnt_from_again_are_written_once_and_trained_on_again() {
    let (recipe, examples) = questions();
    let of = |reuse: usize| {
        let mut recipe = recipe.clone();
        recipe.grpo.as_mut().unwrap().reuse = reuse;
        estimate(recipe, &examples, None, &base(), &|| false).unwrap()
    };
    let (once, thrice) = (of(1), of(3));
    assert_eq!((thrice.steps, thrice.tokens), (3 * once.steps, 3 * once.tokens));
    assert_eq!(once.measured_bytes, None, "a part of a step says nothing of the whole");
    assert!(once.memory_bytes > 0 && once.memory_bytes == thrice.memory_bytes);
    // Three questions, one being held out, each with three answers of at most a hundred tokens.
    assert_eq!((once.data.examples, once.tokens), (3, 3 * 3 * (once.data.longest + 100)), "{once:?}");
}

#[test]
fn a_run_says_that_it_goes_on_from_an_older_checkpoint_because_the_newest_is_damaged() {
    let temporary = tempfile::tempdir().unwrap();
    let place = Place::At(temporary.path().join("run"));
    let mut recipe = Recipe::default();
    recipe.data.batch = 2;
    recipe.length.steps = Some(6);
    recipe.length.save_every = 2;
    let told = |job: Job| {
        let events: Vec<Event> = job.events.iter().collect();
        let started = events.iter().find_map(|event| match event {
            Event::Started { done, note, .. } => Some((*done, note.clone())),
            _ => None,
        });
        let ended = events.into_iter().find_map(|event| if let Event::Ended(end) = event { Some(end) } else { None });
        job.join();
        (started, ended.unwrap())
    };
    let (started, ended) = told(start(recipe, &examples(), None, &place, base()).unwrap());
    assert_eq!(started, Some((0, None)));
    let folder = RunFolder::at(ended.unwrap().dir);
    let again = || {
        let status = Status { state: RunState::Cancelled, ..folder.status().unwrap() };
        folder.write_status(&status).unwrap();
        told(resume(folder.clone(), base()).unwrap())
    };
    let newest = folder.path().join("checkpoint-6/adapter/adapter_model.safetensors");
    std::fs::write(&newest, &std::fs::read(&newest).unwrap()[..100]).unwrap();
    let (started, ended) = again();
    let (done, note) = started.unwrap();
    assert_eq!((done, ended.unwrap().status), (4, RunState::Finished));
    let note = note.unwrap();
    assert!(note.contains("checkpoint-6 is damaged") && note.contains("from the checkpoint of step 4"), "{note}");

    for step in [4, 6] {
        std::fs::write(folder.path().join(format!("checkpoint-{step}/optimizer.safetensors")), "").unwrap();
    }
    let (started, ended) = again();
    assert_eq!(started, None);
    assert!(ended.unwrap_err().contains("no other checkpoint is whole"));
    assert_eq!(folder.steps().unwrap().len(), 6, "nothing was thrown away");
}

#[test]
fn a_start_that_no_recipe_may_ask_for_is_refused_and_leaves_no_run() {
    let temporary = tempfile::tempdir().unwrap();
    let (from, runs) = (temporary.path().join("adapter"), temporary.path().join("runs"));
    std::fs::create_dir(&from).unwrap();
    let config = "{\"r\": 4, \"lora_alpha\": 1e39, \"target_modules\": [\"q_proj\"]}";
    std::fs::write(from.join("adapter_config.json"), config).unwrap();
    std::fs::write(from.join("adapter_model.safetensors"), "").unwrap();
    let place = Place::In(runs.clone());
    let error = prepare(Recipe::default(), &examples(), Some(&from), &place, DeviceChoice::default()).unwrap_err();
    assert!(error.to_string().contains("lora.alpha = 1"), "{error}");
    assert_eq!(std::fs::read_dir(runs).unwrap().count(), 0);
}
