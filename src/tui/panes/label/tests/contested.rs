//! Verdicts that somebody contests, as the queue shows them.

use super::*;
use crate::evaluation::ContestedBy;

#[test]
fn a_contested_verdict_is_attached_and_its_trace_opens_in_reason() {
    let mut state = workbench(PaneId::Label);
    let mut items = items();
    items[2].contested = Some(ContestedBy { trace: "0a1b2c".into(), by: "b\u{1b}o".into() });
    load(&mut state, items);
    press(&mut state, "t");
    assert!(screen(&state, 80, 24).contains("nobody contests a verdict on this template"));
    press(&mut state, "o 9");
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("a model's verdict on it is contested by b\\x1bo; t opens its trace"), "{shown}");
    insta::assert_snapshot!("contested-80x24", screen(&state, 80, 24));
    insta::assert_snapshot!("contested-200x60", shown);
    survives_any_size(&state);
    let effects = press(&mut state, "t");
    assert_eq!(state.pane, PaneId::Reason);
    let opens = |effect: &AppEffect| matches!(effect, AppEffect::Reason(crate::tui::panes::reason::Effect::Open(id)) if id == "0a1b2c");
    assert!(effects.iter().any(opens), "{effects:?}");
    // What the trace says was seen: a vote after it is no blind one.
    press(&mut state, "1");
    let effects = press(&mut state, "n");
    assert!(save(&mut state, effects)[0].revealed);
}

#[test]
fn another_pane_can_bring_the_cursor_to_a_template() {
    let mut state = labelling();
    let go = |state: &mut AppState, id: &str| {
        tell(state, AppMessage::Label(Message::GoTo(TemplateKey::new("bgl", id))));
    };
    go(&mut state, "4");
    assert_eq!(state.label.selected_item().unwrap().key.id, "4");
    go(&mut state, "9");
    assert_eq!(state.label.selected_item().unwrap().key.id, "4");
    // A pane that was not in front yet has nothing to go to: it remembers.
    let mut state = workbench(PaneId::Reason);
    go(&mut state, "3");
    press(&mut state, "1");
    load(&mut state, items());
    assert_eq!(state.label.selected_item().unwrap().key.id, "3");
}
