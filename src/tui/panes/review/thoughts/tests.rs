//! Keys on a map of small thoughts, and what the screen shows of it. Embeddings are made of the words, so that no encoder is needed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::effects::{Effect as Review, Message as ReviewMessage, carry_out};
use super::effects::{Effect, Message};
use super::state::Projection;
use crate::reasoning::neighbours::Vectors;
use crate::reasoning::{ItemKind, Thought};
use crate::teacher::{Overview, meaning};
use crate::tui::app::{self, AppState};
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, workbench};
use crate::workspace::{ImportKind, ImportSource, Workspace};

const TASKS: [&str; 4] = ["anomaly", "root_cause", "semantic_matching", "failure_prediction"];

/// Twenty-four thoughts on four tasks; `t-1` and `t-21` say the same in other words.
fn thoughts() -> String {
    let subjects = ["link", "disk", "fan", "clock", "memory", "job", "user", "power", "queue", "port", "mount"];
    let deeds = ["lost", "slow", "full", "hot", "wrong", "late"];
    let line = |i: usize| {
        let (subject, deed) = (subjects[i * 7 % 11], deeds[i * 5 % 6]);
        let task = TASKS[i % 4];
        let steps: Vec<String> = (0..3 + i % 3)
            .map(|step| {
                format!(
                    "{} the {} that is {deed} for reason {step}.",
                    ["Find", "Weigh", "Judge", "Ask", "Test"][step],
                    subjects[(i + step) % 11]
                )
            })
            .collect();
        let (challenge, steps) = if i == 20 {
            (
                format!("A {} is {} though its {task} says otherwise, still.", subjects[0], deeds[0]),
                (0..3)
                    .map(|step| {
                        format!(
                            "{} the {} that is {} for reason {step}.",
                            ["Find", "Weigh", "Judge"][step],
                            subjects[step],
                            deeds[0]
                        )
                    })
                    .collect(),
            )
        } else {
            (format!("A {subject} is {deed} though its {task} says otherwise."), steps)
        };
        serde_json::json!({"id": format!("t-{}", i + 1), "task": task, "problem": "p", "analysis": "a", "challenge": challenge, "steps": steps})
    };
    (0..24).map(|i| format!("{}\n", line(i))).collect()
}

/// Words as directions: the same text always lies in the same place.
fn points(thoughts: &[Thought]) -> Vectors {
    const WIDTH: usize = 48;
    let mut values = vec![0f32; thoughts.len() * WIDTH];
    for (row, thought) in values.chunks_mut(WIDTH).zip(thoughts) {
        for word in meaning(thought).split_whitespace() {
            let hash =
                word.bytes().fold(2_166_136_261u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
            row[hash as usize % WIDTH] += 1.0;
        }
    }
    Vectors::new(WIDTH, values).unwrap()
}

struct Bench {
    state: AppState,
    workspace: Workspace,
    /// Jobs that were asked for and are not carried out by [`Bench::settle`].
    held: Vec<Effect>,
    hold: bool,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::of(&thoughts())
    }

    fn of(table: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&dir.path().join("project")).unwrap();
        if !table.is_empty() {
            let source = ImportSource { name: "t.jsonl", bytes: table.as_bytes(), format: None, dataset: None };
            assert!(workspace.import(ImportKind::Thoughts, source).unwrap().rejected.is_empty());
        }
        let mut bench = Self { state: workbench(PaneId::Review), workspace, held: Vec::new(), hold: false, _dir: dir };
        bench.settle(vec![app::Effect::Review(Review::Load("anna".to_owned()))]);
        bench
    }

    fn settle(&mut self, mut effects: Vec<app::Effect>) {
        while let Some(effect) = effects.pop() {
            let message = match effect {
                app::Effect::Review(Review::Map(effect)) if self.hold => {
                    self.held.push(effect);
                    continue;
                }
                app::Effect::Review(Review::Map(Effect::Make { ticket, thoughts, .. })) => {
                    let overview = Arc::new(Overview::of_points(points(&thoughts)).unwrap());
                    ReviewMessage::Map(Message::Made(ticket, Ok((thoughts, overview))))
                }
                app::Effect::Review(Review::Map(Effect::Tsne { ticket, overview, .. })) => {
                    let laid = overview.tsne(&mut |_| std::ops::ControlFlow::Continue(())).unwrap();
                    ReviewMessage::Map(Message::Laid(ticket, laid))
                }
                app::Effect::Review(Review::Map(Effect::Stop(stop))) => {
                    stop.store(true, Ordering::Relaxed);
                    continue;
                }
                app::Effect::Review(effect) => carry_out(effect, &self.workspace),
                _ => continue,
            };
            effects.extend(tell(&mut self.state, app::Message::Review(message)));
        }
    }

    fn press(&mut self, keys: &str) {
        let effects = press(&mut self.state, keys);
        self.settle(effects);
    }

    fn hand(&self) -> &str {
        self.state.review.map.selected.as_deref().unwrap_or("none")
    }

    fn toast(&self) -> &str {
        self.state.toast.as_ref().map_or("", |toast| toast.text.as_str())
    }
}

#[test]
fn the_map_opens_on_the_thought_in_front_and_enter_goes_back_to_the_one_in_hand() {
    let mut bench = Bench::new();
    bench.press("left down down m");
    assert!(bench.state.review.map.is_open());
    let first = bench.hand().to_owned();
    bench.press("1");
    let near = bench.hand().to_owned();
    assert_ne!(first, near);
    bench.press("enter");
    assert!(!bench.state.review.map.is_open());
    assert_eq!(bench.state.review.selected().unwrap().id(), near);
    bench.press("m esc");
    assert_eq!(bench.state.review.selected().unwrap().id(), near);
}

#[test]
fn the_map_opens_from_any_kind() {
    let mut bench = Bench::new();
    bench.press("m");
    assert!(bench.state.review.map.is_open());
    assert_eq!(bench.state.review.kind(), ItemKind::Thought);
}

#[test]
fn arrows_go_to_a_point_that_lies_there_and_digits_to_neighbours() {
    let mut bench = Bench::new();
    bench.press("m");
    let at = |bench: &Bench| {
        let map = &bench.state.review.map;
        map.points()[map.place().unwrap()]
    };
    for _ in 0..30 {
        let before = at(&bench);
        let hand = bench.hand().to_owned();
        bench.press("right");
        assert!(at(&bench).x > before.x || bench.hand() == hand);
    }
    let rightmost = bench.state.review.map.points().iter().map(|point| point.x).fold(f64::MIN, f64::max);
    assert_eq!(at(&bench).x, rightmost);
    bench.press("up down left");
    assert!(at(&bench).x < rightmost);
}

#[test]
fn brackets_go_along_the_order_in_which_thoughts_are_chosen() {
    let mut bench = Bench::new();
    bench.press("m");
    for _ in 0..30 {
        bench.press("[");
    }
    let rank = |bench: &Bench| {
        let map = &bench.state.review.map;
        map.made.as_ref().unwrap().overview.order_of(map.place().unwrap()).unwrap()
    };
    assert_eq!(rank(&bench), 1);
    bench.press("] ] ]");
    assert_eq!(rank(&bench), 4);
}

#[test]
fn the_list_is_put_in_that_order_and_back() {
    let mut bench = Bench::new();
    let ids = |bench: &Bench| -> Vec<String> {
        bench.state.review.queues[ItemKind::Thought as usize].iter().map(|entry| entry.id().to_owned()).collect()
    };
    let before = ids(&bench);
    bench.press("D");
    let ordered = ids(&bench);
    let map = &bench.state.review.map;
    let made = map.made.as_ref().unwrap();
    let ranks: Vec<Option<usize>> = ordered
        .iter()
        .map(|id| made.overview.order_of(made.thoughts.iter().position(|thought| thought.id == *id).unwrap()))
        .collect();
    assert!(ranks.iter().flatten().is_sorted(), "{ranks:?}");
    assert_ne!(before, ordered);
    assert_eq!(bench.toast(), "thoughts in the order in which each adds most to those before");
    bench.press("D");
    assert_eq!(ids(&bench), before);
}

#[test]
fn another_projection_is_made_once_and_toggled_after() {
    let mut bench = Bench::new();
    bench.press("m");
    bench.press("t");
    assert_eq!(bench.state.review.map.projection, Projection::Tsne);
    bench.hold = true;
    bench.press("t");
    assert_eq!(bench.state.review.map.projection, Projection::Components);
    bench.press("t");
    assert_eq!(bench.state.review.map.projection, Projection::Tsne);
    assert!(bench.held.is_empty(), "what is there is not made again");
}

#[test]
fn leaving_breaks_the_work_off_and_a_late_result_changes_nothing() {
    let mut bench = Bench::new();
    bench.hold = true;
    bench.press("m");
    assert!(screen(&bench.state, 80, 24).contains("Reading the thoughts"));
    bench.press("esc");
    let stops = bench.held.iter().filter(|effect| matches!(effect, Effect::Stop(_))).count();
    assert_eq!((bench.held.len(), stops), (2, 1));
    let Effect::Make { ticket, thoughts, .. } = bench.held.remove(0) else { panic!("{:?}", bench.held) };
    let overview = Arc::new(Overview::of_points(points(&thoughts)).unwrap());
    let late = ReviewMessage::Map(Message::Made(ticket, Ok((thoughts, overview))));
    let _ = tell(&mut bench.state, app::Message::Review(late));
    assert!(bench.state.review.map.made.is_none());
}

#[test]
fn without_the_encoder_the_map_says_how_to_get_it() {
    let mut bench = Bench::new();
    bench.hold = true;
    bench.press("m");
    let Effect::Make { ticket, .. } = bench.held[0] else { panic!("{:?}", bench.held) };
    let why = crate::model::Embedder::how_to_get_it();
    let _ = tell(&mut bench.state, app::Message::Review(ReviewMessage::Map(Message::Made(ticket, Err(why)))));
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("logwright model pull minilm"), "{shown}");
    bench.press("left t 1 ] enter");
    assert!(!bench.state.review.map.is_open());
}

#[test]
fn there_is_no_map_of_nothing() {
    let mut bench = Bench::of("");
    bench.press("m");
    assert_eq!(bench.toast(), "there are no thoughts yet to put on a map");
    bench.press("D");
    assert_eq!(bench.toast(), "there are no thoughts yet to put in order");
}

#[test]
fn the_map_bears_any_size_and_any_text() {
    let hostile = r#"{"id":"\u001b[2Jx","task":"anomaly","problem":"p","analysis":"a","challenge":"\u202edlrow \u0007","steps":["日本語のログ\u001b]0;t\u0007","b","c"]}"#;
    for table in [thoughts(), format!("{hostile}\n")] {
        let mut bench = Bench::of(&table);
        bench.press("m");
        survives_any_size(&bench.state);
        let shown = screen(&bench.state, 200, 60);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}') && !shown.contains('\u{7}'));
    }
}

#[test]
fn the_map_on_the_screen() {
    let mut bench = Bench::new();
    bench.press("m 1");
    for (width, height) in [(80, 24), (200, 60)] {
        insta::assert_snapshot!(format!("review_{width}x{height}_map"), screen(&bench.state, width, height));
    }
}
