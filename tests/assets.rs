//! What is bundled under `assets/` and not read by the program yet holds what it says.

use std::collections::HashSet;

use logwright::reasoning::Task;
use serde_json::Value;

#[test]
fn the_seed_thoughts_are_the_thirteen_frames_of_five_tasks() {
    let seeds: Vec<Value> = include_str!("../assets/thoughts/seeds.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: HashSet<&str> = seeds.iter().map(|seed| seed["id"].as_str().unwrap()).collect();
    let tasks: HashSet<Task> = seeds.iter().map(|seed| seed["task"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!((seeds.len(), ids.len(), tasks.len()), (13, 13, 5));
    for seed in &seeds {
        assert!(["conceptual", "procedural", "manual"].contains(&seed["kind"].as_str().unwrap()), "{seed}");
        assert!(seed["challenge"].as_str().is_some_and(|text| !text.is_empty()), "{seed}");
        assert!(seed["steps"].as_array().is_some_and(|steps| (4..=5).contains(&steps.len())), "{seed}");
    }
}
