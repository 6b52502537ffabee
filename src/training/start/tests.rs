use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::reasoning::Task;
use crate::reasoning::prompt::{Speaker, Turn};

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

#[test]
fn an_estimate_ends_wherever_it_is_stopped() {
    let mut recipe = Recipe::default();
    recipe.data.batch = 2;
    let asked = AtomicUsize::new(0);
    let whole = estimate(recipe.clone(), &examples(), None, &base(), &|| {
        asked.fetch_add(1, Ordering::Relaxed);
        false
    });
    assert!(whole.unwrap().tokens_per_second > 0.0);
    let times = asked.load(Ordering::Relaxed);
    assert!(times >= 5, "before and after the model, the examples and the step's answers: {times}");
    for stop in 0..times {
        let asked = AtomicUsize::new(0);
        let stopped = || asked.fetch_add(1, Ordering::Relaxed) >= stop;
        let ended = estimate(recipe.clone(), &examples(), None, &base(), &stopped);
        assert!(matches!(ended, Err(TrainingError::NotTried)), "{stop}: {ended:?}");
        assert_eq!(asked.into_inner(), stop + 1, "nothing more is done");
    }
}
