//! What the pane looks like, at both sizes.

use super::*;
use crate::tui::testing::survives_any_size;
use crate::tui::theme::Theme;

#[test]
fn control_characters_never_reach_the_screen() {
    let mut bench = Bench::new();
    bench.press("down");
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("\\x1b[2Jboot") && shown.contains("\\u{202e}"), "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
}

#[test]
fn the_pane_bears_any_size() {
    let mut bench = Bench::new();
    for keys in ["down", "right", "o", "right"] {
        survives_any_size(&bench.state);
        bench.press(keys);
    }
    bench.press("t");
    survives_any_size(&bench.state);
    bench.press("esc e");
    survives_any_size(&bench.state);
    survives_any_size(&workbench(PaneId::Review));
}

#[test]
fn without_colour_everything_is_told_all_the_same() {
    let mut bench = Bench::new();
    let coloured = screen(&bench.state, 80, 24);
    bench.state.shared.theme = Theme::monochrome();
    assert_eq!(screen(&bench.state, 80, 24), coloured);
}

/// The queue at both sizes, after some keys. Reviews carry the time, so snapshots show none.
fn shown(name: &str, keys: &str) {
    let mut bench = Bench::new();
    bench.press(keys);
    for (width, height) in [(80, 24), (200, 60)] {
        insta::assert_snapshot!(format!("review_{width}x{height}_{name}"), screen(&bench.state, width, height));
    }
}

#[test]
fn a_rationale_on_the_screen() {
    shown("rationale", "end ] w");
}

#[test]
fn a_rationale_that_contradicts_its_label_on_the_screen() {
    shown("mismatch", "");
}

#[test]
fn a_malformed_rationale_on_the_screen() {
    shown("malformed", "down");
}

#[test]
fn a_pair_on_the_screen() {
    shown("pair", "right");
}

#[test]
fn a_thought_on_the_screen() {
    shown("thought", "left");
}

#[test]
fn the_choice_of_a_trouble_on_the_screen() {
    shown("troubles", "t");
}

#[test]
fn the_edit_mode_on_the_screen() {
    shown("edit", "e");
}

#[test]
fn the_question_before_a_rejection_on_the_screen() {
    shown("reject", "r");
}

#[test]
fn the_question_before_a_sample_on_the_screen() {
    shown("sample", "A");
}

#[test]
fn an_empty_queue_on_the_screen() {
    let bench = Bench::with("", &[]);
    insta::assert_snapshot!("review_80x24_empty", screen(&bench.state, 80, 24));
}
