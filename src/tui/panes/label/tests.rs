//! Keys in, votes out; and how the pane looks.

use super::{Effect, Item, Message, OtherVote, Reveal, Undone};
use crate::labels::{Category, Judgement, Label, Vote};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::{AppState, Effect as AppEffect, Message as AppMessage};
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};
use crate::workspace::NewVote;

fn item(id: &str, text: &str, original: Label) -> Item {
    let key = TemplateKey::new("bgl", id);
    let name = SafeText::one_line(&key.to_string());
    let text = SafeText::one_line(text);
    let ben = OtherVote {
        annotator: SafeText::new("ben"),
        judgement: Judgement::Abnormal(Category::new("network issue")),
        comment: Some(SafeText::new("seen on R05")),
    };
    Item {
        haystack: format!("{name} {text}").to_lowercase(),
        key,
        name,
        count: 1234,
        samples: vec![SafeText::one_line("2005-06-03 R02-M1 RAS KERNEL INFO \u{1b}[31minstruction cache parity error")],
        text,
        own: None,
        comment: None,
        hidden: Reveal { original: Some((original, None)), others: vec![ben] },
    }
}

fn labelling() -> AppState {
    let mut state = workbench(PaneId::Label);
    let items = vec![
        item("1", "instruction cache parity error corrected", Label::Abnormal),
        item(
            "2",
            "ciod: failed to read message prefix on control stream (CioStream socket to <*>:<*>",
            Label::Abnormal,
        ),
        item("3", "generating core.<*>", Label::Normal),
        item("4", "ノード<*>の電源が切れました", Label::Abnormal),
    ];
    load(&mut state, items);
    state
}

fn load(state: &mut AppState, items: Vec<Item>) {
    tell(state, AppMessage::Label(Message::Loaded(Ok(items))));
}

/// Puts every vote among the effects on the disk that tests have, and all that follow from it; returns them.
fn save(state: &mut AppState, effects: Vec<AppEffect>) -> Vec<NewVote> {
    let mut cast = Vec::new();
    let mut effects: std::collections::VecDeque<AppEffect> = effects.into();
    while let Some(effect) = effects.pop_front() {
        if let AppEffect::Label(Effect::Cast(vote)) = effect {
            effects.extend(tell(state, AppMessage::Label(Message::Saved(saved(&vote)))));
            cast.push(vote);
        }
    }
    cast
}

fn saved(vote: &NewVote) -> Vote {
    Vote {
        template: vote.template.clone(),
        annotator: vote.annotator.clone(),
        judgement: vote.judgement.clone(),
        round: vote.round,
        comment: vote.comment.clone(),
        revealed: vote.revealed,
        elapsed_ms: vote.elapsed_ms,
        others: None,
        at: "2026-11-21T10:00:00Z".parse().unwrap(),
    }
}

fn vote(state: &mut AppState, keys: &str) -> Vec<(String, Judgement)> {
    let effects = press(state, keys);
    save(state, effects).into_iter().map(|v| (v.template.id, v.judgement)).collect()
}

fn selected(state: &AppState) -> &str {
    state.label.selected_item().unwrap().key.id.as_str()
}

#[test]
fn a_vote_moves_on_only_when_it_is_on_disk() {
    let mut state = labelling();
    let effects = press(&mut state, "n");
    assert_eq!(selected(&state), "1");
    save(&mut state, effects);
    assert_eq!(selected(&state), "2");
}

#[test]
fn keys_pressed_ahead_of_the_disk_go_to_the_templates_they_were_meant_for() {
    let mut state = labelling();
    let cast = vote(&mut state, "n a 3 u");
    let hardware = Judgement::Abnormal(Category::new("hardware failure"));
    let expected = [("1", Judgement::Normal), ("2", hardware), ("3", Judgement::Unsure)];
    assert_eq!(cast, expected.map(|(id, judgement)| (id.to_owned(), judgement)));
    assert_eq!(selected(&state), "4");
}

#[test]
fn a_vote_that_fails_is_told_and_nothing_moves() {
    let mut state = labelling();
    press(&mut state, "n s s");
    tell(&mut state, AppMessage::Label(Message::Failed("workspace.db: the disk is full".to_owned())));
    assert_eq!(selected(&state), "1");
    assert!(screen(&state, 80, 24).contains("error: workspace.db: the disk is full"));
    assert_eq!(vote(&mut state, "n"), [("1".to_owned(), Judgement::Normal)]);
}

#[test]
fn digits_are_categories_only_while_one_is_chosen() {
    let mut state = labelling();
    assert!(vote(&mut state, "a 9").is_empty(), "there is no ninth category");
    assert!(vote(&mut state, "esc").is_empty());
    press(&mut state, "3");
    assert_eq!(state.pane, PaneId::Review);
    press(&mut state, "1");
    assert_eq!(vote(&mut state, "a enter"), [("1".to_owned(), Judgement::Abnormal(None))]);
}

#[test]
fn original_label_and_others_votes_show_only_after_a_label_of_ones_own() {
    let mut state = labelling();
    let hidden = |state: &AppState| {
        let shown = screen(state, 200, 60);
        !shown.contains("ben:") && !shown.contains("network issue") && shown.contains("hidden")
    };
    assert!(hidden(&state));
    vote(&mut state, "s");
    press(&mut state, "up");
    assert!(hidden(&state), "a skip reveals nothing");
    vote(&mut state, "u");
    press(&mut state, "home");
    assert!(hidden(&state), "nor does unsure");
    vote(&mut state, "n");
    press(&mut state, "home");
    assert!(screen(&state, 200, 60).contains("! abnormal  ben: ! abnormal \"seen on R05\""));
}

#[test]
fn undo_takes_back_goes_back_and_hides_again() {
    let mut state = labelling();
    vote(&mut state, "n");
    let effects = press(&mut state, "z");
    assert!(matches!(&effects[..], [AppEffect::Label(Effect::Undo(who))] if who == "anna"));
    let undone = Undone { template: TemplateKey::new("bgl", "1"), before: None };
    tell(&mut state, AppMessage::Label(Message::Undone(Some(undone))));
    assert_eq!(selected(&state), "1");
    assert!(!screen(&state, 200, 60).contains("ben:"));
    press(&mut state, "z");
    tell(&mut state, AppMessage::Label(Message::Undone(None)));
    assert!(screen(&state, 80, 24).contains("no vote of yours"));
}

#[test]
fn after_the_last_open_template_the_pane_stays_and_says_so() {
    let mut state = labelling();
    vote(&mut state, "n n n n");
    assert_eq!(selected(&state), "4");
    assert!(screen(&state, 80, 24).contains("every template has your vote"));
    assert!(screen(&state, 80, 24).contains("4 of 4 voted, 4 this session"));
}

#[test]
fn a_filter_narrows_as_one_types_and_esc_shows_all() {
    let mut state = labelling();
    press(&mut state, "/");
    type_text(&mut state, "CIOD str");
    press(&mut state, "enter");
    assert_eq!(selected(&state), "2");
    assert!(screen(&state, 80, 24).contains("1 match \"CIOD str\""));
    press(&mut state, "/");
    type_text(&mut state, "zzz");
    assert!(screen(&state, 80, 24).contains("No template holds these words"));
    assert!(vote(&mut state, "enter n a z").is_empty());
    tell(&mut state, AppMessage::Label(Message::Undone(None)));
    press(&mut state, "esc");
    assert_eq!(state.label.visible.len(), 4);
}

#[test]
fn a_comment_waits_for_its_vote_or_goes_with_the_one_there_is() {
    let mut state = labelling();
    press(&mut state, "c");
    type_text(&mut state, "see ticket 7");
    press(&mut state, "enter");
    let effects = press(&mut state, "n");
    let cast = save(&mut state, effects);
    assert_eq!(cast[0].comment.as_deref(), Some("see ticket 7"));
    press(&mut state, "home c");
    type_text(&mut state, "0");
    let effects = press(&mut state, "enter");
    let cast = save(&mut state, effects);
    assert_eq!((cast[0].comment.as_deref(), &cast[0].judgement), (Some("see ticket 70"), &Judgement::Normal));
    assert_eq!(selected(&state), "1", "a comment does not move on");
}

#[test]
fn the_selection_survives_a_reload_and_a_restart() {
    let mut state = labelling();
    press(&mut state, "down down");
    let items = state.label.items.clone();
    load(&mut state, items.into_iter().rev().collect());
    assert_eq!(selected(&state), "3");
    let session = state.session();
    let mut next = workbench(PaneId::Label);
    let _ = next.start(&session);
    load(&mut next, labelling().label.items);
    assert_eq!(selected(&next), "3");
}

#[test]
fn a_hundred_thousand_templates_draw_only_what_is_in_sight() {
    let mut state = workbench(PaneId::Label);
    let one = item("1", "instruction cache parity error corrected", Label::Abnormal);
    load(&mut state, vec![one; 100_000]);
    press(&mut state, "end");
    assert!(screen(&state, 80, 24).contains("0 of 100,000 voted"));
}

#[test]
fn the_pane_looks_as_it_should() {
    let mut state = labelling();
    insta::assert_snapshot!("label-80x24-first", screen(&state, 80, 24));
    vote(&mut state, "n");
    press(&mut state, "a");
    insta::assert_snapshot!("label-80x24-choosing", screen(&state, 80, 24));
    insta::assert_snapshot!("label-200x60-choosing", screen(&state, 200, 60));
    survives_any_size(&state);
    press(&mut state, "esc up");
    insta::assert_snapshot!("label-200x60-revealed", screen(&state, 200, 60));
    press(&mut state, "/");
    type_text(&mut state, "電源");
    insta::assert_snapshot!("label-80x24-filtering", screen(&state, 80, 24));
    survives_any_size(&state);
    survives_any_size(&workbench(PaneId::Label));
}
