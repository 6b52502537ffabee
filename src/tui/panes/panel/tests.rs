//! Keys in, rulings out; and how the pane looks.

use super::{Board, Case, CorrectionRow, Effect, Message, Settled};
use crate::labels::agreement::{Agreement, Bootstrap};
use crate::labels::{Category, GoldSource, Judgement, Label, Round, VoteTable};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::{AppState, Effect as AppEffect, Message as AppMessage};
use crate::tui::panes::PaneId;
use crate::tui::panes::label::OtherVote;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};
use crate::workspace::NewRuling;

fn vote(annotator: &str, judgement: Judgement) -> OtherVote {
    OtherVote { annotator: SafeText::new(annotator), judgement, comment: None }
}

fn case(id: &str, text: &str) -> Case {
    let key = TemplateKey::new("bgl", id);
    let mut ben = vote("ben", Judgement::Abnormal(Category::new("hardware failure")));
    ben.comment = Some(SafeText::one_line("three \u{1b}[1mof these before R05 went down"));
    Case {
        name: SafeText::one_line(&key.to_string()),
        key,
        text: SafeText::one_line(text),
        count: 164,
        original: Some((Label::Normal, None)),
        votes: vec![vote("anna", Judgement::Normal), ben, vote("chidi", Judgement::Unsure)],
        settled: None,
        open_to_see: true,
    }
}

fn board() -> Board {
    use Label::{Abnormal, Normal};
    let rows = [[Some(Normal), Some(Normal)], [Some(Abnormal), Some(Abnormal)], [Some(Normal), Some(Abnormal)]];
    let table = VoteTable::from_rows(&["anna", "ben"], &rows.map(|row| row.to_vec()));
    Board {
        agreement: Box::new(Agreement::of(&table, Round::Blind, Bootstrap::new(100, 1))),
        cases: vec![
            case("3", "machine check: L3 directory parity error on way <*>, set <*>"),
            case("7", "torus receiver <*> retraining: <*> attempts without lock"),
        ],
        corrections: vec![CorrectionRow {
            key: TemplateKey::new("bgl", "9"),
            name: SafeText::new("bgl/9"),
            text: SafeText::new("ciod: LOGIN chdir(<*>) failed: No such file or directory"),
            original: Label::Abnormal,
            gold: Settled {
                judgement: Judgement::Normal,
                source: GoldSource::Consensus,
                by: None,
                reason: Some(SafeText::new("3 of 3 votes")),
            },
        }],
    }
}

fn panel() -> AppState {
    let mut state = workbench(PaneId::Panel);
    tell(&mut state, AppMessage::Panel(Message::Loaded(Ok(board()))));
    state
}

/// The one ruling among the effects.
fn ruling(effects: Vec<AppEffect>) -> Option<NewRuling> {
    match <[AppEffect; 1]>::try_from(effects) {
        Ok([AppEffect::Panel(Effect::Rule(ruling))]) => Some(ruling),
        _ => None,
    }
}

#[test]
fn a_ruling_has_a_label_a_category_and_a_reason() {
    let mut state = panel();
    press(&mut state, "down a 3");
    type_text(&mut state, "links that retrain that often die");
    let ruling = ruling(press(&mut state, "enter")).unwrap();
    assert_eq!(ruling.template, TemplateKey::new("bgl", "7"));
    assert_eq!((ruling.label, ruling.by.as_str()), (Label::Abnormal, "anna"));
    assert_eq!(ruling.category, Category::new("hardware failure"));
    assert_eq!(ruling.reason, "links that retrain that often die");
}

#[test]
fn a_ruling_without_a_reason_is_none() {
    let mut state = panel();
    assert!(ruling(press(&mut state, "n enter")).is_none());
    assert!(screen(&state, 80, 24).contains("error: a ruling needs a reason"));
    assert!(press(&mut state, "n esc a esc").is_empty());
}

#[test]
fn after_a_ruling_the_next_open_disagreement_is_selected() {
    let mut state = panel();
    press(&mut state, "n");
    type_text(&mut state, "corrected by ECC");
    assert!(ruling(press(&mut state, "enter")).is_some());
    assert!(ruling(press(&mut state, "n x enter")).is_none(), "one ruling at a time");
    let mut after = board();
    after.cases[0].settled = Some(Settled {
        judgement: Judgement::Normal,
        source: GoldSource::Ruling,
        by: Some(SafeText::new("anna")),
        reason: Some(SafeText::new("corrected by ECC")),
    });
    tell(&mut state, AppMessage::Panel(Message::Ruled(TemplateKey::new("bgl", "3"), Box::new(after))));
    assert_eq!(state.panel.selected_key().unwrap().id, "7");
    press(&mut state, "up");
    assert!(screen(&state, 200, 60).contains("Gold      o normal  ruling of anna: corrected by ECC"));
}

#[test]
fn undo_goes_back_to_the_template_of_the_ruling() {
    let mut state = panel();
    press(&mut state, "down c");
    assert!(matches!(&press(&mut state, "z")[..], [AppEffect::Panel(Effect::Undo(who))] if who == "anna"));
    let undone = Message::Undone(Some(TemplateKey::new("bgl", "3")), Box::new(board()));
    tell(&mut state, AppMessage::Panel(undone));
    assert_eq!(state.panel.selected_key().unwrap().id, "3");
}

#[test]
fn the_patch_goes_where_the_user_says() {
    let mut state = panel();
    let effects = press(&mut state, "w enter");
    assert!(matches!(&effects[..], [AppEffect::Panel(Effect::WritePatch(path))] if path == "exports/corrections.json"));
    let written = Message::PatchWritten { path: "/p/exports/corrections.json".into(), corrections: 1 };
    tell(&mut state, AppMessage::Panel(written));
    assert!(screen(&state, 80, 24).contains("1 correction written to /p/exports/corrections.json"));
}

#[test]
fn who_may_not_rule_sees_no_vote_before_their_own() {
    let mut state = workbench(PaneId::Panel);
    let mut board = board();
    board.cases[0].open_to_see = false;
    tell(&mut state, AppMessage::Panel(Message::Loaded(Ok(board))));
    let shown = screen(&state, 200, 60);
    assert!(!shown.contains("went down") && shown.contains("hidden until you have given a label"));
}

#[test]
fn the_pane_looks_as_it_should() {
    let mut state = panel();
    insta::assert_snapshot!("panel-80x24", screen(&state, 80, 24));
    insta::assert_snapshot!("panel-200x60", screen(&state, 200, 60));
    press(&mut state, "a");
    insta::assert_snapshot!("panel-80x24-choosing", screen(&state, 80, 24));
    survives_any_size(&state);
    press(&mut state, "2");
    type_text(&mut state, "links die");
    insta::assert_snapshot!("panel-80x24-reason", screen(&state, 80, 24));
    press(&mut state, "esc c");
    insta::assert_snapshot!("panel-80x24-corrections", screen(&state, 80, 24));
    insta::assert_snapshot!("panel-200x60-corrections", screen(&state, 200, 60));
    survives_any_size(&state);
    survives_any_size(&workbench(PaneId::Panel));
}
