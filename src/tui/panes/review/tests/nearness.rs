//! What repeats what, while it is decided; and what is around a thought.

use std::sync::Arc;

use super::super::closeness::by_points;
use super::*;
use crate::reasoning::neighbours::Vectors;
use crate::reasoning::{Reviewable, Thought, Trouble};
use crate::tui::testing::survives_any_size;

const CHALLENGES: [&str; 5] = [
    "An alarming heading of the memory controller introduces a value that may well be quite harmless.",
    "An alarming heading of the memory controller introduces a value that may well be harmless.",
    "A frightening title stands before a number without danger.",
    "A fault may be far from the place where it shows.",
    "Two clocks disagree.",
];

fn thoughts() -> String {
    let line = |(number, challenge): (usize, &&str)| {
        let steps: Vec<String> = (0..2 + number % 3).map(|step| format!("Step {step} of thought {number}.")).collect();
        serde_json::json!({
            "id": format!("t-{}", number + 1), "task": "anomaly", "problem": "p", "analysis": "a",
            "challenge": challenge, "steps": if number < 2 { vec!["Find the value.".into(), "Judge by it.".into()] } else { steps },
        })
        .to_string()
    };
    CHALLENGES.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

impl Bench {
    fn of_thoughts() -> Self {
        let mut bench = Self::with("", &[(ImportKind::Thoughts, "thoughts.jsonl", &thoughts())]);
        bench.press("left home");
        bench
    }

    fn is_near(&self, id: &str) -> bool {
        let place = self.state.review.place_of(ItemKind::Thought, id).unwrap();
        self.state.review.queues[ItemKind::Thought as usize][place].troubles().contains(&Trouble::NearDuplicate)
    }

    fn go_to(&mut self, id: &str) {
        self.press("home");
        for _ in 0..CHALLENGES.len() {
            if self.front() != id {
                self.press("down");
            }
        }
        assert_eq!(self.front(), id);
    }

    /// An encoder comes, for which the first and the third thought mean the same.
    fn embed(&mut self) {
        let state = &mut self.state.review;
        let thoughts: Vec<Thought> = state.queues[ItemKind::Thought as usize]
            .iter()
            .filter_map(|entry| match &entry.current {
                Reviewable::Thought(thought) => Some(thought.clone()),
                _ => None,
            })
            .collect();
        let direction = |thought: &Thought| match thought.id.as_str() {
            "t-1" => [1.0, 0.0, 0.0],
            "t-3" => [0.98, 0.1, 0.0],
            "t-2" => [0.5, 0.8, 0.1],
            "t-4" => [0.0, 1.0, 0.5],
            _ => [0.0, 0.0, 1.0],
        };
        let points = Vectors::new(3, thoughts.iter().flat_map(direction).collect()).unwrap();
        let found = by_points(state.looks, Arc::new(thoughts), points);
        let effects = tell(&mut self.state, app::Message::Review(Message::Compared(Box::new(found))));
        self.settle(effects);
    }
}

#[test]
fn rejecting_the_first_of_two_clears_the_other_at_once() {
    let mut bench = Bench::of_thoughts();
    assert_eq!(bench.front(), "t-2", "what repeats another stands first");
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("Repeats ! almost as t-1 (") && shown.contains("What is other than in t-1"), "{shown}");
    assert!(shown.contains("[-quite-] harmless"), "{shown}");
    bench.go_to("t-1");
    bench.press("r enter");
    assert!(!bench.is_near("t-2"));
    bench.press("u");
    assert!(bench.is_near("t-2"));
    bench.go_to("t-2");
    bench.press("a");
    assert!(!bench.is_near("t-2") && bench.is_near("t-1"), "what was accepted comes first");
}

#[test]
fn an_edit_that_makes_or_ends_a_repetition_is_seen_at_once() {
    let mut bench = Bench::of_thoughts();
    let edit = |bench: &mut Bench, id: &str, words: &str| {
        bench.go_to(id);
        bench.press("e alt-< ctrl-k");
        bench.type_text(words);
        bench.press("ctrl-s");
    };
    edit(&mut bench, "t-2", "Something else.");
    assert!(!bench.is_near("t-1") && !bench.is_near("t-2"));
    edit(&mut bench, "t-2", CHALLENGES[0]);
    assert!(bench.is_near("t-1"), "the edited one trains, so the other repeats it");
}

#[test]
fn what_means_the_same_is_flagged_once_the_encoder_has_read_it() {
    let mut bench = Bench::of_thoughts();
    assert!(!bench.is_near("t-3"));
    bench.embed();
    assert!(bench.is_near("t-3"));
    bench.go_to("t-3");
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("Repeats ! means the same as t-1 (cosine 0.99)"), "{shown}");
    assert!(shown.contains("Nearest in meaning"), "{shown}");
    assert!(screen(&bench.state, 80, 24).contains("! near-duplicate"), "it is listed so");
    bench.load();
    assert!(bench.is_near("t-3"), "that is still known when the pane is entered again");
    bench.press("e alt-< ctrl-k");
    bench.type_text("Something else.");
    bench.press("ctrl-s");
    assert!(!bench.is_near("t-3"), "what it means now nobody knows yet");
}

#[test]
fn what_is_around_a_thought_on_the_screen() {
    let mut bench = Bench::of_thoughts();
    bench.go_to("t-4");
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("Nearest in words") && shown.contains("> 2 ") && shown.contains(" as this one"), "{shown}");
    bench.embed();
    bench.go_to("t-1");
    for (width, height) in [(80, 24), (200, 60)] {
        insta::assert_snapshot!(format!("review_{width}x{height}_around"), screen(&bench.state, width, height));
    }
    survives_any_size(&bench.state);
}
