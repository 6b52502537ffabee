//! Keys in, votes out; and how the pane looks.

mod contested;

use std::sync::Arc;
use std::time::Duration;

use super::{Ask, Effect, Item, Loaded, Message, Occurrence, Restored};
use crate::evaluation::{Reveal, Suggested};
use crate::labels::near_duplicates::NearDuplicates;
use crate::labels::{Category, Judgement, Label, Vote};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::{AppState, Effect as AppEffect, Message as AppMessage};
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};
use crate::workspace::NewVote;

fn item(id: &str, text: &str, original: Label) -> Item {
    let key = TemplateKey::new("bgl", id);
    let name = SafeText::one_line(&key.to_string());
    let suggestion = Some(Suggested { label: Label::Normal, by: "keyword rule".to_owned() });
    Item {
        key,
        name,
        text: SafeText::one_line(text),
        count: 1234,
        samples: vec![SafeText::one_line("2005-06-03 R02-M1 RAS KERNEL INFO \u{1b}[31minstruction cache parity error")],
        own: None,
        comment: None,
        flagged: false,
        contested: None,
        hidden: Reveal { original: Some((original, None)), suggestion },
    }
}

fn items() -> Vec<Item> {
    vec![
        item("1", "instruction cache parity error corrected", Label::Abnormal),
        item(
            "2",
            "ciod: failed to read message prefix on control stream (CioStream socket to <*>:<*>",
            Label::Abnormal,
        ),
        item("3", "generating core.<*>", Label::Normal),
        item("4", "ノード<*>の電源が切れました", Label::Abnormal),
    ]
}

fn labelling() -> AppState {
    let mut state = workbench(PaneId::Label);
    load(&mut state, items());
    state
}

/// With two more templates that say almost what the second says.
fn labelling_near_duplicates() -> AppState {
    let mut state = workbench(PaneId::Label);
    let mut items = items();
    items.push(item(
        "5",
        "ciod: failed to read message prefix on control stream (CioStream socket to 1:2",
        Label::Normal,
    ));
    items.push(item(
        "6",
        "ciod: failed to read message suffix on control stream (CioStream socket to <*>:<*>",
        Label::Normal,
    ));
    load(&mut state, items);
    state
}

/// Hands the pane its templates, and what it then finds out about them.
fn load(state: &mut AppState, items: Vec<Item>) {
    let effects = tell(state, AppMessage::Label(Message::Loaded(Ok(Loaded { items, ..Loaded::default() }))));
    for effect in effects {
        if let AppEffect::Label(Effect::Relate(texts, list)) = effect {
            tell(state, AppMessage::Label(Message::Related(Arc::new(NearDuplicates::of(&texts)), list)));
        }
    }
}

/// Puts every decision among the effects on the disk that tests have, and all that follow from it; returns the votes.
fn save(state: &mut AppState, effects: Vec<AppEffect>) -> Vec<NewVote> {
    let mut cast = Vec::new();
    let mut effects: std::collections::VecDeque<AppEffect> = effects.into();
    while let Some(effect) = effects.pop_front() {
        match effect {
            AppEffect::Label(Effect::Cast(votes)) => {
                effects.extend(tell(state, AppMessage::Label(Message::Saved(votes.iter().map(saved).collect()))));
                cast.extend(votes);
            }
            AppEffect::Label(Effect::Flag(key, _, raised)) => {
                effects.extend(tell(state, AppMessage::Label(Message::Flagged(key, raised))));
            }
            _ => {}
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

fn votes(state: &mut AppState, keys: &str) -> Vec<NewVote> {
    let effects = press(state, keys);
    save(state, effects)
}

fn vote(state: &mut AppState, keys: &str) -> Vec<(String, Judgement)> {
    votes(state, keys).into_iter().map(|v| (v.template.id, v.judgement)).collect()
}

fn restored(id: &str) -> Vec<Restored> {
    vec![Restored { template: TemplateKey::new("bgl", id), own: None }]
}

fn selected(state: &AppState) -> &str {
    state.label.selected_item().unwrap().key.id.as_str()
}

fn wait(state: &mut AppState, seconds: f64) {
    state.shared.now += Duration::from_secs_f64(seconds);
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
fn original_label_and_suggestion_show_only_after_a_label_of_ones_own() {
    let mut state = labelling();
    let hidden = |state: &AppState| {
        let shown = screen(state, 200, 60);
        !shown.contains("keyword rule") && !shown.contains("came as !") && shown.contains("hidden")
    };
    assert!(hidden(&state));
    vote(&mut state, "s");
    press(&mut state, "k ;");
    press(&mut state, "esc");
    assert!(hidden(&state), "a skip reveals nothing");
    vote(&mut state, "home u");
    assert!(hidden(&state), "nor does unsure");
    vote(&mut state, "home n");
    assert!(screen(&state, 200, 60).contains("came as ! abnormal  keyword rule says o normal"));
}

#[test]
fn a_vote_in_sight_of_the_original_label_is_kept_apart_also_after_an_undo() {
    let mut state = labelling();
    assert!(!votes(&mut state, "n")[0].revealed);
    assert!(votes(&mut state, "home a 0")[0].revealed, "changed after the reveal");
    press(&mut state, "z");
    tell(&mut state, AppMessage::Label(Message::Undone(restored("1"))));
    assert!(votes(&mut state, "n")[0].revealed, "taken back after the reveal");
    votes(&mut state, "u");
    assert!(!votes(&mut state, "k n")[0].revealed, "unsure reveals nothing");
}

#[test]
fn undo_takes_back_goes_back_and_hides_again_and_redo_casts_again() {
    let mut state = labelling();
    vote(&mut state, "n");
    let effects = press(&mut state, "z");
    assert!(matches!(&effects[..], [AppEffect::Label(Effect::Undo(who))] if who == "anna"));
    tell(&mut state, AppMessage::Label(Message::Undone(restored("1"))));
    assert_eq!(selected(&state), "1");
    assert!(screen(&state, 200, 60).contains("hidden"));
    press(&mut state, "z");
    tell(&mut state, AppMessage::Label(Message::Undone(Vec::new())));
    assert!(screen(&state, 80, 24).contains("no vote of yours"));

    press(&mut state, "down");
    let effects = press(&mut state, "Z");
    assert!(matches!(&effects[..], [AppEffect::Label(Effect::Redo(_))]));
    let vote = saved(&NewVote::new(TemplateKey::new("bgl", "1"), "anna", Judgement::Normal));
    let again = vec![Restored { template: vote.template.clone(), own: Some(vote) }];
    tell(&mut state, AppMessage::Label(Message::Redone(again)));
    assert_eq!(selected(&state), "1");
    assert!(screen(&state, 80, 24).contains("cast again your vote on bgl/1"));
    press(&mut state, "ctrl-r");
    tell(&mut state, AppMessage::Label(Message::Redone(Vec::new())));
    assert!(screen(&state, 80, 24).contains("nothing that you took back"));
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
    tell(&mut state, AppMessage::Label(Message::Undone(Vec::new())));
    press(&mut state, "esc");
    assert_eq!(state.label.list.visible.len(), 4);
}

#[test]
fn filter_and_fuzzy_search_compose_and_both_stand_in_the_title() {
    let mut state = labelling_near_duplicates();
    press(&mut state, "/");
    type_text(&mut state, "prefix");
    press(&mut state, "enter ;");
    type_text(&mut state, "fld12");
    press(&mut state, "enter");
    assert_eq!(selected(&state), "5");
    assert!(screen(&state, 80, 24).contains("1 match \"prefix\" ~\"fld12\""));
    press(&mut state, "; esc");
    assert_eq!(state.label.list.visible.len(), 2, "the words still count");
    press(&mut state, "esc");
    assert_eq!(state.label.list.visible.len(), 6);
}

#[test]
fn the_order_is_chosen_by_a_digit_stands_in_the_title_and_survives_a_restart() {
    let mut state = labelling_near_duplicates();
    press(&mut state, "j f");
    let effects = press(&mut state, "f");
    save(&mut state, effects);
    press(&mut state, "o");
    assert!(screen(&state, 80, 24).contains("3  flagged first"));
    press(&mut state, "3");
    assert_eq!(selected(&state), "2");
    assert!(screen(&state, 80, 24).contains("└ flagged first ─"));
    press(&mut state, "o 5");
    assert!(screen(&state, 80, 24).contains("near-duplicates together"));
    let ids: Vec<&str> = state.label.list.visible.iter().map(|i| state.label.items[*i].key.id.as_str()).collect();
    assert_eq!(ids, ["2", "5", "6", "1", "3", "4"]);

    let mut next = workbench(PaneId::Label);
    let _ = next.start(&state.session());
    load(&mut next, labelling_near_duplicates().label.items);
    assert!(screen(&next, 80, 24).contains("near-duplicates together"));
    assert_eq!(selected(&next), "2");
}

#[test]
fn an_order_that_lists_nothing_says_why() {
    let mut state = labelling();
    press(&mut state, "o 8");
    assert!(screen(&state, 80, 24).contains("too few"));
    press(&mut state, "o 6");
    assert!(screen(&state, 80, 24).contains("Nothing is to be seen in this order"));
    assert!(vote(&mut state, "n a x d c").is_empty());
    press(&mut state, "o 1");
    assert_eq!(selected(&state), "1");
}

#[test]
fn what_disagrees_with_the_suggestion_is_listed_only_once_it_has_a_vote() {
    let mut state = labelling();
    vote(&mut state, "n a 0");
    press(&mut state, "o 6");
    assert_eq!(selected(&state), "2");
    assert_eq!(state.label.list.visible.len(), 1);
    vote(&mut state, "esc o 1 a 0 a 0 o 6");
    let rows = state.label.list.visible.len();
    assert!(rows > 1 && selected(&state) == "1");
    vote(&mut state, "n");
    assert_eq!(selected(&state), "2", "on to the next row, which has a vote as well");
    assert_eq!(state.label.list.visible.len(), rows, "and nothing jumps away");
}

#[test]
fn near_duplicates_are_shown_can_be_unticked_and_are_one_decision() {
    let mut state = labelling_near_duplicates();
    votes(&mut state, "end n");
    press(&mut state, "home j d");
    let shown = screen(&state, 80, 24);
    assert!(
        shown.contains("2 of 3 near-duplicates ticked") || shown.contains("3 of 3 near-duplicates ticked"),
        "{shown}"
    );
    // The last has a vote already: it is listed and not ticked.
    assert!(shown.contains("2 of 3"), "{shown}");
    insta::assert_snapshot!("label-80x24-together", shown);
    survives_any_size(&state);
    wait(&mut state, 3.0);
    let cast = votes(&mut state, "n");
    let ids: Vec<(&str, Option<u64>)> = cast.iter().map(|v| (v.template.id.as_str(), v.elapsed_ms)).collect();
    assert_eq!(ids, [("2", Some(3000)), ("5", None)]);
    assert!(screen(&state, 80, 24).contains("normal on 2 templates; z takes all of it back"));
    assert_eq!(selected(&state), "3", "on to the next open one");

    press(&mut state, "home j d x");
    assert!(votes(&mut state, "esc").is_empty());
    press(&mut state, "d * *");
    assert!(votes(&mut state, "u").is_empty(), "nothing is ticked");
    assert!(screen(&state, 80, 24).contains("nothing is ticked"));
    press(&mut state, "esc home d");
    assert!(screen(&state, 80, 24).contains("no other template says almost the same"));
}

#[test]
fn marked_rows_are_shown_and_decided_together() {
    let mut state = labelling();
    press(&mut state, "b");
    assert!(screen(&state, 80, 24).contains("nothing is marked"));
    press(&mut state, "x j x");
    assert!(screen(&state, 80, 24).contains("2 marked"));
    // A marked row that a filter hides is still marked.
    press(&mut state, "/");
    type_text(&mut state, "cache");
    press(&mut state, "enter b");
    assert!(screen(&state, 80, 24).contains("2 of 2 marked ticked"));
    let cast = vote(&mut state, "a 2");
    let network = || Judgement::Abnormal(Category::new("network issue"));
    assert_eq!(cast, [("1".to_owned(), network()), ("3".to_owned(), network())]);
    assert!(!screen(&state, 80, 24).contains("marked"));
    press(&mut state, "esc x esc");
    assert!(state.label.marked.is_empty(), "esc unmarks all");
}

#[test]
fn a_comment_waits_for_its_vote_or_goes_with_the_one_there_is() {
    let mut state = labelling();
    press(&mut state, "c");
    type_text(&mut state, "see ticket 7");
    press(&mut state, "enter");
    type_text(&mut state, "and 8");
    press(&mut state, "ctrl-s");
    let cast = votes(&mut state, "n");
    assert_eq!(cast[0].comment.as_deref(), Some("see ticket 7\nand 8"));
    press(&mut state, "home c");
    type_text(&mut state, "0");
    let cast = votes(&mut state, "ctrl-s");
    assert_eq!((cast[0].comment.as_deref(), &cast[0].judgement), (Some("see ticket 7\nand 80"), &Judgement::Normal));
    assert_eq!(selected(&state), "1", "a comment does not move on");
    assert!(screen(&state, 80, 24).contains("1 this session"), "nor is it a vote of its own");
}

#[test]
fn the_time_of_a_decision_is_that_with_the_template_in_sight() {
    let mut state = labelling();
    wait(&mut state, 2.5);
    press(&mut state, "?");
    wait(&mut state, 60.0);
    press(&mut state, "?");
    wait(&mut state, 1.0);
    assert_eq!(votes(&mut state, "n")[0].elapsed_ms, Some(3500));
    wait(&mut state, 1.0);
    press(&mut state, "j k");
    wait(&mut state, 0.7);
    press(&mut state, "a");
    wait(&mut state, 0.3);
    assert_eq!(votes(&mut state, "1")[0].elapsed_ms, Some(1000), "from when the cursor came back");
    wait(&mut state, 301.0);
    assert_eq!(votes(&mut state, "n")[0].elapsed_ms, Some(0), "a pause does not count");
}

#[test]
fn a_run_of_quick_votes_is_told_quietly_and_never_blocked() {
    let mut state = labelling_near_duplicates();
    for _ in 0..4 {
        wait(&mut state, 1.0);
        votes(&mut state, "n");
    }
    assert!(!screen(&state, 80, 24).contains("under 2 s"));
    wait(&mut state, 1.0);
    votes(&mut state, "n");
    assert!(screen(&state, 80, 24).contains(" 5 decisions in a row under 2 s "));
    wait(&mut state, 2.5);
    assert_eq!(votes(&mut state, "n").len(), 1);
    assert!(!screen(&state, 80, 24).contains("under 2 s"));
    press(&mut state, "S");
    insta::assert_snapshot!("label-80x24-session", screen(&state, 80, 24));
    let line = state.label.farewell().unwrap();
    assert!(line.starts_with("6 votes: 6 normal") && line.ends_with("median 1.0 s; 1 run under 2 s"), "{line}");
}

#[test]
fn a_closed_blind_round_takes_no_votes_here_and_says_where_to_go() {
    let mut state = workbench(PaneId::Label);
    let closed = Some("the blind round is closed: vote in the Panel pane (2)".to_owned());
    tell(&mut state, AppMessage::Label(Message::Loaded(Ok(Loaded { items: items(), closed, ..Loaded::default() }))));
    for key in ["n", "a", "u", "s"] {
        assert!(press(&mut state, key).is_empty());
        assert!(
            screen(&state, 80, 24).contains("warning: the blind round is closed: vote in the Panel pane (2)"),
            "{key}"
        );
    }
    press(&mut state, "2");
    assert_eq!(state.pane, PaneId::Panel);
}

#[test]
fn guidelines_are_shown_and_where_there_are_none_it_says_how_to_write_them() {
    let mut state = labelling();
    let effects = press(&mut state, "i");
    assert!(matches!(&effects[..], [AppEffect::Label(Effect::Guidelines { edit: false })]));
    tell(&mut state, AppMessage::Label(Message::Guidelines(Ok(None), false)));
    insta::assert_snapshot!("label-80x24-no-guidelines", screen(&state, 80, 24));
    let effects = press(&mut state, "e");
    assert!(matches!(&effects[..], [AppEffect::Label(Effect::Guidelines { edit: true })]));
    let effects = tell(&mut state, AppMessage::Label(Message::Guidelines(Ok(None), true)));
    let [AppEffect::Edit(draft, reply)] = &effects[..] else { panic!("{effects:?}") };
    assert!(draft.starts_with("# Guidelines"));
    assert!(tell(&mut state, reply(draft.clone())).is_empty(), "an untouched draft is not kept");
    let text: String = (0..60).map(|n| format!("rule {n}: \x1b[31mthe text\n")).collect();
    let effects = tell(&mut state, reply(text.clone()));
    assert!(matches!(&effects[..], [AppEffect::Label(Effect::SaveGuidelines(kept))] if *kept == text));
    tell(&mut state, AppMessage::Label(Message::Guidelines(Ok(Some(text)), false)));
    assert!(screen(&state, 80, 24).contains("rule 0: \\x1b[31mthe text"));
    press(&mut state, "G");
    assert!(screen(&state, 80, 24).contains("rule 59"));
    press(&mut state, "k k space g");
    assert!(screen(&state, 80, 24).contains("rule 0:"));
    survives_any_size(&state);
    press(&mut state, "esc");
    assert!(!screen(&state, 80, 24).contains("rule"));
}

fn occurrence(occurrences: u64) -> Occurrence {
    let long =
        "1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.675872 R02-M1-N0-C:J12-U11 RAS KERNEL INFO";
    let line = |n: u64| (n, SafeText::one_line(&format!("{long} line {n}")), n == 4711);
    Occurrence { source: SafeText::new("logs/bgl.log.gz"), occurrences, lines: (4700..4722).map(line).collect() }
}

/// The contexts among the effects that are to be read.
fn asks(effects: &[AppEffect]) -> Vec<Ask> {
    let ask = |effect: &AppEffect| match effect {
        AppEffect::Label(Effect::Context(ask)) => Some(ask.clone()),
        _ => None,
    };
    effects.iter().filter_map(ask).collect()
}

#[test]
fn the_lines_around_an_occurrence_are_read_ahead_and_can_be_stepped_through() {
    let mut state = workbench(PaneId::Label);
    let loaded = Loaded { items: items(), ..Loaded::default() };
    let first = asks(&tell(&mut state, AppMessage::Label(Message::Loaded(Ok(loaded)))));
    let ids: Vec<&str> = first.iter().map(|ask| ask.template.id.as_str()).collect();
    assert_eq!(ids, ["4", "3", "2", "1"], "the next three are read ahead; the last asked for is read first");
    for ask in first {
        tell(&mut state, AppMessage::Label(Message::Context(ask, Ok(Some(occurrence(2))))));
    }
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("Occurrence 1 of 2, +-10 lines  logs/bgl.log.gz"), "{shown}");
    assert!(shown.contains("> 4711  1117838570 2005.06.03") && shown.contains("KERNEL INFO line 4711"), "{shown}");
    assert!(shown.contains("  4712  ..") && shown.contains("RAS KERNEL INFO line 4712"), "{shown}");
    insta::assert_snapshot!("label-200x60-occurrence", screen(&state, 200, 60));
    survives_any_size(&state);

    let next = asks(&press(&mut state, "]"));
    assert_eq!(next.iter().map(|ask| ask.occurrence).collect::<Vec<_>>(), [1]);
    for ask in next {
        tell(&mut state, AppMessage::Label(Message::Context(ask, Ok(Some(occurrence(2))))));
    }
    assert!(asks(&press(&mut state, "] ]")).is_empty(), "there is no third");
    assert!(screen(&state, 80, 24).contains("Occurrence 2 of 2"));
    let wider = asks(&press(&mut state, "+"));
    assert_eq!(wider.last().map(|ask| (ask.around, ask.occurrence)), Some((30, 1)));
    let node = asks(&press(&mut state, "- m"));
    assert!(node.iter().all(|ask| ask.same_node && ask.around == 10));
    press(&mut state, "m");
    let moved = press(&mut state, "j");
    assert!(asks(&moved).is_empty(), "nothing is read while the cursor moves");
    tell(&mut state, AppMessage::Label(Message::Rested));
    assert!(screen(&state, 80, 24).contains("Occurrence 1 of 2"));
}

#[test]
fn details_wait_until_the_cursor_rests() {
    let mut state = labelling();
    let effects = press(&mut state, "j");
    assert!(matches!(effects[..], [AppEffect::After { slot: "label-rest", .. }]));
    assert!(screen(&state, 80, 24).contains("┌ bgl/1  occurs"));
    tell(&mut state, AppMessage::Label(Message::Rested));
    assert!(screen(&state, 80, 24).contains("┌ bgl/2  occurs"));
    press(&mut state, "j");
    let cast = vote(&mut state, "n");
    assert_eq!(cast[0].0, "3", "a vote goes to the row under the cursor, drawn in full or not");
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
    press(&mut state, "o");
    insta::assert_snapshot!("label-80x24-order", screen(&state, 80, 24));
    survives_any_size(&state);
    press(&mut state, "esc a");
    insta::assert_snapshot!("label-80x24-choosing", screen(&state, 80, 24));
    insta::assert_snapshot!("label-200x60-choosing", screen(&state, 200, 60));
    survives_any_size(&state);
    press(&mut state, "esc up f x up");
    let effects = press(&mut state, "f");
    save(&mut state, effects);
    tell(&mut state, AppMessage::Label(Message::Rested));
    insta::assert_snapshot!("label-200x60-revealed", screen(&state, 200, 60));
    press(&mut state, "/");
    type_text(&mut state, "電源");
    insta::assert_snapshot!("label-80x24-filtering", screen(&state, 80, 24));
    survives_any_size(&state);
    survives_any_size(&workbench(PaneId::Label));
}
