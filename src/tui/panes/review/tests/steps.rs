//! Judging steps one by one.

use super::*;
use crate::reasoning::Mark;

fn marks(bench: &Bench, id: &str) -> Vec<Mark> {
    let queue = bench.workspace.review_queue().unwrap();
    let queued = queue.into_iter().find(|queued| queued.item.id() == id).unwrap();
    queued.step_marks().pop().map(|marks| marks.marks).unwrap_or_default()
}

#[test]
fn the_first_wrong_step_is_one_key() {
    let mut bench = Bench::new();
    bench.press("end ] w");
    assert_eq!(marks(&bench, "r-1"), [Mark::Right, Mark::Wrong, Mark::Unjudged]);
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("  1+ ") && shown.contains("> 2x ") && shown.contains("  3  "), "{shown}");
    assert_eq!(bench.front(), "r-1", "marking decides nothing");
}

#[test]
fn steps_are_judged_one_after_the_other_and_taken_back() {
    let mut bench = Bench::new();
    bench.press("end + - + [ [ 0");
    assert_eq!(marks(&bench, "r-1"), [Mark::Unjudged, Mark::Wrong, Mark::Right]);
    bench.press("u u");
    assert_eq!(marks(&bench, "r-1"), [Mark::Right, Mark::Wrong, Mark::Unjudged]);
    assert_eq!(bench.toast(), "took back the last marks, on r-1");
}

#[test]
fn undo_takes_back_marks_and_decisions_in_their_order() {
    let mut bench = Bench::new();
    bench.press("+ a u");
    assert_eq!((bench.toast(), bench.front()), ("took back the last decision, on r-2", "r-2"));
    bench.press("u");
    assert_eq!((bench.toast(), marks(&bench, "r-2")), ("took back the last marks, on r-2", Vec::new()));
}

#[test]
fn a_thought_has_no_steps_to_judge() {
    let mut bench = Bench::new();
    bench.press("left w");
    assert_eq!(bench.toast(), "t-1 is a thought: its steps are not judged one by one");
}

#[test]
fn what_the_log_lacks_is_marked_and_listed() {
    let text = r#"{"id":"r-9","task":"anomaly","instruction":"Judge.","input":"fan <*> speed <*>","label":"normal","reasoning":"<think>1. It says \"fan failure\".\n2. Rank 7 of it.</think><answer>normal</answer>"}"#;
    let mut bench = Bench::with("", &[(ImportKind::Rationales, "r.jsonl", text)]);
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("1  It says \"x[fan failure]\"."), "{shown}");
    assert!(shown.contains("x 2 claims that the log lacks") && shown.contains("step 2 number x[7]"), "{shown}");
    assert!(!shown.contains("~Rank"), "{shown}");
    bench.press("v");
    assert!(screen(&bench.state, 80, 24).contains("~Rank x[7]"));
}
