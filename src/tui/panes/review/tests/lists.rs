//! What is listed, and how the cursor goes through it.

use super::*;
use crate::tui::app::update;
use crate::tui::testing::CountingScreen;
use crossterm::event::{Event, KeyCode};

#[test]
fn items_stand_under_their_worst_trouble_with_counts() {
    let mut bench = Bench::new();
    bench.press("a");
    let shown = screen(&bench.state, 80, 24);
    for heading in ["! answer is not the label 1/1", "! malformed               0/1", "= no trouble              0/1"] {
        assert!(shown.contains(heading), "{heading} in {shown}");
    }
    assert!(shown.contains("[rationales 1/3]"), "{shown}");
}

#[test]
fn a_digit_lists_one_trouble_and_escape_everything() {
    let mut bench = Bench::new();
    bench.press("t 2");
    let ids = |bench: &Bench| -> Vec<String> {
        let state = &bench.state.review;
        state.list().places().map(|place| state.queue()[place].id().to_owned()).collect()
    };
    assert_eq!((bench.front(), ids(&bench)), ("r-3", vec!["r-3".to_owned()]));
    assert!(screen(&bench.state, 80, 24).contains("; listed: malformed"));
    bench.press("t 4");
    assert_eq!(ids(&bench), ["r-1"]);
    bench.press("t 9");
    assert!(screen(&bench.state, 80, 24).contains("List which trouble?"), "a digit without meaning is none");
    bench.press("esc esc");
    assert_eq!((bench.front(), ids(&bench).len()), ("r-1", 3));
}

#[test]
fn words_are_searched_as_they_are_typed() {
    let mut bench = Bench::new();
    bench.press("/");
    bench.type_text("RETRIES link");
    assert_eq!(bench.front(), "r-1");
    bench.press("enter down down");
    assert_eq!(bench.front(), "r-1");
    bench.press("/");
    bench.type_text(" nowhere");
    bench.press("enter");
    assert!(screen(&bench.state, 80, 24).contains("No rationale is listed like this; esc lists everything again."));
    bench.press("esc");
    assert_eq!(bench.front(), "r-1", "the cursor stays on its item");
}

#[test]
fn the_undecided_filter_keeps_the_place() {
    let mut bench = Bench::new();
    bench.press("a p");
    assert_eq!(bench.front(), "r-3");
    bench.press("a");
    assert_eq!(bench.front(), "r-1");
    bench.press("a");
    assert!(bench.state.review.selected().is_none());
    assert!(screen(&bench.state, 80, 24).contains("All rationales are decided. Press p to see them."));
    bench.press("a");
    assert_eq!(bench.toast(), "there is no rationale here to review");
    bench.press("u");
    assert_eq!(bench.front(), "r-1");
}

#[test]
fn next_open_skips_what_is_decided() {
    let mut bench = Bench::new();
    bench.press("down a home n");
    assert_eq!(bench.front(), "r-1");
    bench.press("n n");
    assert_eq!(bench.front(), "r-1");
    bench.press("a a n");
    assert_eq!(bench.toast(), "no other rationale listed here is undecided");
}

#[test]
fn an_item_stays_where_it_is_listed_while_it_is_worked_on() {
    let mut bench = Bench::new();
    bench.press("e");
    for _ in 0.."abnormal</answer>".len() {
        bench.press("backspace");
    }
    bench.type_text("normal</answer>");
    bench.press("ctrl-s home");
    assert_eq!((bench.front(), bench.standing(ItemKind::Rationale, "r-2")), ("r-2", Standing::Edited));
    assert!(bench.state.review.selected().unwrap().troubles().is_empty(), "though it is in no trouble any more");
    bench.load();
    bench.press("home");
    assert_eq!(bench.front(), "r-3");
}

#[test]
fn a_move_of_the_cursor_sends_two_marks_and_a_number_at_once() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut bench = Bench::new();
        let mut terminal = CountingScreen::new(width, height);
        terminal.draw(&bench.state);
        for key in [KeyCode::Down, KeyCode::Down, KeyCode::Up] {
            let event = Event::Key(crate::tui::keys::Key::code(key).to_event());
            let effects = update(&mut bench.state, app::Message::Input(vec![event]));
            let at_once = terminal.draw(&bench.state);
            assert!(at_once <= 60, "{width}x{height}: {at_once} bytes");
            bench.settle(effects);
            let at_rest = terminal.draw(&bench.state);
            println!("{width}x{height}: {at_once} bytes at once, {at_rest} more at rest");
        }
    }
}

#[test]
fn the_log_is_listed_and_stays_in_sight_while_its_rationale_is_read() {
    let mut bench = Bench::new();
    let narrow = screen(&bench.state, 80, 24);
    assert!(narrow.contains(">. fan <*> speed <*>") && narrow.contains("r-2: anomaly"), "{narrow}");
    let wide = screen(&bench.state, 200, 60);
    assert!(wide.contains(">. pending  fan <*> speed <*>"), "{wide}");
    bench.press("right");
    assert!(screen(&bench.state, 80, 24).contains(">. DDR lane <*> replaced .."), "{}", screen(&bench.state, 80, 24));
    let shown = screen(&bench.state, 80, 16);
    assert!(shown.contains("┌ DDR lane <*> replaced by spare, no data lost ─"), "{shown}");
    assert!(shown.contains("└ label normal ─"), "{shown}");
}

#[test]
fn accepting_a_wrong_answer_is_told() {
    let mut bench = Bench::new();
    bench.press("a");
    assert_eq!(bench.toast(), "accepted all the same: answer is not the label; u takes it back");
    bench.press("end a");
    assert!(!bench.toast().contains("all the same"), "{}", bench.toast());
}
