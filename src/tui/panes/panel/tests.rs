//! Keys in, votes and rulings out; and how the pane looks.

use super::{Board, Case, CorrectionRow, Effect, Message, Opinion, Remark, Settled, VoiceRow};
use crate::labels::agreement::{Agreement, Bootstrap};
use crate::labels::{
    Category, Correction, GoldSource, Judgement, Label, LabelledTemplate, PanelReason, Phase, Round, Table1, Tally,
    Taxonomy, Vote, VoteTable,
};
use crate::logs::{SafeText, Template, TemplateKey};
use crate::tui::app::{AppState, Effect as AppEffect, Message as AppMessage};
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};
use crate::workspace::{BothAgreements, NewRuling, NewVote};

fn opinion(judgement: Judgement) -> Option<Opinion> {
    Some(Opinion { judgement, comment: None, others: None })
}

fn case(id: &str, text: &str, why: PanelReason) -> Case {
    let key = TemplateKey::new("bgl", id);
    let voice = |who: &str, blind| VoiceRow { who: who.into(), name: None, blind, panel: None };
    let mut b = voice("B", opinion(Judgement::Abnormal(Category::new("hardware failure"))));
    if let Some(blind) = &mut b.blind {
        blind.comment = Some(SafeText::one_line("three \u{1b}[1mof these before R05 went down"));
    }
    let mut c = voice("C", opinion(Judgement::Abnormal(None)));
    let others = Some(Tally { normal: 1, abnormal: 1 });
    c.panel = Some(Opinion { judgement: Judgement::Normal, comment: None, others });
    let remark = Remark { who: "C".into(), name: None, text: SafeText::new("ECC corrects it.\nSee the manual.") };
    Case {
        name: SafeText::one_line(&key.to_string()),
        key,
        text: SafeText::one_line(text),
        count: 164,
        why,
        original: Some((Label::Normal, None)),
        voices: vec![voice("A (you)", opinion(Judgement::Normal)), b, c],
        remarks: vec![remark],
        tally: Tally { normal: 2, abnormal: 1 },
        settled: None,
        acted: false,
    }
}

fn agreements() -> BothAgreements {
    use Label::{Abnormal as A, Normal as N};
    let rows: Vec<Vec<Option<Label>>> = (0..40)
        .map(|row| {
            let truth = if row % 3 == 0 { A } else { N };
            (0..3)
                .map(|rater| {
                    if (row + 7 * rater) % 11 == 0 {
                        None
                    } else {
                        Some(if (row + rater) % 9 == 0 { A } else { truth })
                    }
                })
                .collect()
        })
        .collect();
    let gold: Vec<Option<Label>> = (0..40).map(|row| Some(if row % 3 == 0 { A } else { N })).collect();
    let table = VoteTable::from_rows(&["anna", "ben", "chidi"], &rows).beside_gold(&gold);
    let of = |table: &VoteTable, round| Agreement::of(table, round, Bootstrap::new(200, 1));
    BothAgreements { blind: of(&table, Round::Blind), panel: of(&VoteTable::from_rows(&[], &[]), Round::Panel) }
}

fn table1() -> Table1 {
    let key = |id: &str| TemplateKey::new("bgl", id);
    let template = |id: &str, text: &str| LabelledTemplate {
        template: Template { key: key(id), text: text.into() },
        original: Some(Label::Normal),
        category: None,
        count: 7,
    };
    let templates = [template("9", "ciod: LOGIN chdir(<*>) failed"), template("10", "rts: kernel terminated <*>")];
    let correction = |id: &str, text: &str, gold, category: Option<&str>| Correction {
        template: key(id),
        text: text.into(),
        original: if gold == Label::Normal { Label::Abnormal } else { Label::Normal },
        gold,
        category: category.and_then(Category::new),
        source: GoldSource::Ruling,
        by: Some("mei".into()),
        reason: Some("it \u{1b}[2Jhalts".into()),
    };
    let corrections = [
        correction("9", "ciod: LOGIN chdir(<*>) failed", Label::Normal, None),
        correction("10", "rts: kernel terminated <*>", Label::Abnormal, Some("system error")),
    ];
    Table1::of(&templates, 2, &corrections, &Taxonomy::default(), 3)
}

fn board(phase: Phase) -> Board {
    Board {
        phase,
        standing: SafeText::new("118 judgements of 3 annotators on 40 templates in the blind round"),
        rule: "Consensus: 2 labels or more, all agreeing. Sampled: 5 % of the unanimous.".into(),
        senior: true,
        hidden: 0,
        agreements: agreements(),
        cases: vec![
            case("3", "machine check: L3 directory parity error on way <*>, set <*>", PanelReason::Disagreement),
            case("7", "torus receiver <*> retraining: <*> attempts without lock", PanelReason::Disagreement),
            case("8", "instruction cache parity error corrected", PanelReason::Sampled),
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
        table: table1(),
    }
}

fn loaded(state: &mut AppState, board: Board) {
    tell(state, AppMessage::Panel(Message::Loaded(Ok(Box::new(board)))));
}

fn panel(phase: Phase) -> AppState {
    let mut state = workbench(PaneId::Panel);
    loaded(&mut state, board(phase));
    state
}

/// The one thing asked of the store.
fn asked(effects: Vec<AppEffect>) -> Option<Effect> {
    match <[AppEffect; 1]>::try_from(effects) {
        Ok([AppEffect::Panel(effect)]) => Some(effect),
        _ => None,
    }
}

fn ruling(effects: Vec<AppEffect>) -> Option<NewRuling> {
    asked(effects).and_then(|effect| if let Effect::Rule(ruling) = effect { Some(ruling) } else { None })
}

fn vote(effects: Vec<AppEffect>) -> Option<NewVote> {
    asked(effects).and_then(|effect| if let Effect::Vote(vote) = effect { Some(vote) } else { None })
}

#[test]
fn a_ruling_has_a_label_a_category_and_a_reason() {
    let mut state = panel(Phase::Ruling);
    press(&mut state, "down A 3");
    type_text(&mut state, "links that retrain that often die");
    let ruling = ruling(press(&mut state, "enter")).unwrap();
    assert_eq!(ruling.template, TemplateKey::new("bgl", "7"));
    assert_eq!((ruling.label, ruling.by.as_str()), (Label::Abnormal, "anna"));
    assert_eq!(ruling.category, Category::new("hardware failure"));
    assert_eq!(ruling.reason, "links that retrain that often die");
}

#[test]
fn a_ruling_without_a_reason_or_a_senior_is_none() {
    let mut state = panel(Phase::Ruling);
    assert!(ruling(press(&mut state, "N enter")).is_none());
    assert!(screen(&state, 80, 24).contains("error: a ruling needs a reason"));
    assert!(press(&mut state, "N esc A esc").is_empty());
    loaded(&mut state, Board { senior: false, ..board(Phase::Ruling) });
    for keys in ["N", "A", "C", "O", "i"] {
        assert!(press(&mut state, keys).is_empty());
        assert!(screen(&state, 80, 24).contains("senior"), "{keys}");
    }
}

#[test]
fn the_panel_votes_again_and_goes_on() {
    let mut state = panel(Phase::Panel);
    let cast = vote(press(&mut state, "a 2")).unwrap();
    assert_eq!((cast.round, cast.annotator.as_str(), cast.template.id.as_str()), (Round::Panel, "anna", "3"));
    assert_eq!(cast.judgement, Judgement::Abnormal(Category::new("network issue")));
    assert!(press(&mut state, "n").is_empty(), "one vote at a time");
    let saved = Vote {
        template: cast.template,
        annotator: cast.annotator,
        judgement: cast.judgement,
        round: Round::Panel,
        comment: None,
        revealed: false,
        elapsed_ms: None,
        others: Some(Tally { normal: 1, abnormal: 1 }),
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    let after = tell(&mut state, AppMessage::Panel(Message::Voted(saved)));
    assert!(matches!(asked(after), Some(Effect::Load(_))), "the board is read again behind it");
    assert_eq!(state.panel.selected_key().unwrap().id, "7");
    assert!(matches!(asked(press(&mut state, "z")), Some(Effect::UndoVote(who)) if who == "anna"));
    let undone = Message::VoteUndone(Some(TemplateKey::new("bgl", "3")));
    tell(&mut state, AppMessage::Panel(undone));
    assert_eq!(state.panel.selected_key().unwrap().id, "3");
}

#[test]
fn a_long_discussion_is_read_to_its_end() {
    let mut state = workbench(PaneId::Panel);
    let mut board = board(Phase::Panel);
    let text = (1..=30).map(|n| format!("remark {n}.")).collect::<Vec<_>>().join("\n");
    board.cases[0].remarks = vec![Remark { who: "A (you)".into(), name: None, text: SafeText::new(&text) }];
    loaded(&mut state, board);
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("J more") && !shown.contains("remark 30."));
    for _ in 0..60 {
        press(&mut state, "J");
    }
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("remark 30.") && !shown.contains("J more"), "{shown}");
    press(&mut state, "down");
    assert!(screen(&state, 80, 24).contains("torus receiver <*> retraining: <*> attempts without lock"));
}

#[test]
fn nobody_votes_here_while_the_panel_round_is_not_open() {
    for (phase, why) in [(Phase::Blind, "vote in Label"), (Phase::Ruling, "a senior rules")] {
        for key in ["n", "a", "u", "s", "z"] {
            let mut state = panel(phase);
            assert!(press(&mut state, key).is_empty());
            assert!(screen(&state, 200, 60).contains(why), "{key}");
        }
    }
}

#[test]
fn after_a_ruling_the_next_open_case_is_selected() {
    let mut state = panel(Phase::Ruling);
    press(&mut state, "N");
    type_text(&mut state, "corrected by ECC");
    assert!(ruling(press(&mut state, "enter")).is_some());
    assert!(ruling(press(&mut state, "N x enter")).is_none(), "one ruling at a time");
    tell(&mut state, AppMessage::Panel(Message::Ruled(TemplateKey::new("bgl", "3"))));
    assert_eq!(state.panel.selected_key().unwrap().id, "7");
    let mut after = board(Phase::Ruling);
    after.cases[0].settled = Some(Settled {
        judgement: Judgement::Normal,
        source: GoldSource::Ruling,
        by: Some(SafeText::new("anna")),
        reason: Some(SafeText::new("corrected by ECC")),
    });
    loaded(&mut state, after);
    assert_eq!(state.panel.selected_key().unwrap().id, "7", "reading again does not move");
    press(&mut state, "up");
    assert!(screen(&state, 200, 60).contains("o normal  ruling of anna: corrected by ECC"));
    assert!(matches!(asked(press(&mut state, "U")), Some(Effect::UndoRuling(who)) if who == "anna"));
}

#[test]
fn a_senior_closes_a_round_after_being_asked() {
    let mut state = panel(Phase::Blind);
    assert!(press(&mut state, "C n").is_empty());
    assert!(matches!(asked(press(&mut state, "C y")), Some(Effect::CloseRound(who)) if who == "anna"));
    let after = tell(&mut state, AppMessage::Panel(Message::RoundChanged(Round::Blind, false)));
    assert!(matches!(asked(after), Some(Effect::Load(_))));
    let mut state = panel(Phase::Ruling);
    assert!(matches!(asked(press(&mut state, "O y")), Some(Effect::OpenRound(Round::Panel, _))));
}

#[test]
fn a_comment_goes_to_the_selected_case() {
    let mut state = panel(Phase::Panel);
    press(&mut state, "down c");
    type_text(&mut state, "seen daily");
    let comment = asked(press(&mut state, "ctrl-s"));
    let Some(Effect::Comment { template, author, text }) = comment else { panic!("{comment:?}") };
    assert_eq!((template.id.as_str(), author.as_str(), text.as_str()), ("7", "anna", "seen daily"));
    assert!(press(&mut state, "c ctrl-s").is_empty(), "nothing written is no comment");
}

#[test]
fn names_are_for_seniors_and_only_at_the_end() {
    let named = |phase| {
        let mut board = board(phase);
        board.cases[0].voices[1].name = Some(SafeText::new("benjamin"));
        board
    };
    let mut state = workbench(PaneId::Panel);
    loaded(&mut state, named(Phase::Ruling));
    assert!(!screen(&state, 80, 24).contains("benjamin"), "under letters unless asked for");
    press(&mut state, "i");
    assert!(screen(&state, 80, 24).contains("B benjamin"));
    press(&mut state, "i");
    assert!(!screen(&state, 80, 24).contains("benjamin"));
}

#[test]
fn the_patch_goes_where_the_user_says() {
    let mut state = panel(Phase::Ruling);
    let path = asked(press(&mut state, "w enter"));
    assert!(matches!(path, Some(Effect::WritePatch(path)) if path == "exports/corrections.json"));
    let written = Message::PatchWritten { path: "/p/exports/corrections.json".into(), corrections: 1 };
    tell(&mut state, AppMessage::Panel(written));
    assert!(screen(&state, 80, 24).contains("1 correction written to /p/exports/corrections.json"));
}

#[test]
fn in_the_blind_round_only_the_number_of_hidden_cases_is_told() {
    let mut state = workbench(PaneId::Panel);
    loaded(&mut state, Board { cases: Vec::new(), hidden: 26, senior: false, ..board(Phase::Blind) });
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("26 hidden until you have judged them"), "{shown}");
    insta::assert_snapshot!("panel-80x24-blind-hidden", shown);
}

#[test]
fn the_pane_looks_as_it_should() {
    let mut state = panel(Phase::Panel);
    insta::assert_snapshot!("panel-80x24", screen(&state, 80, 24));
    insta::assert_snapshot!("panel-200x60", screen(&state, 200, 60));
    press(&mut state, "A");
    insta::assert_snapshot!("panel-80x24-choosing", screen(&state, 80, 24));
    survives_any_size(&state);
    press(&mut state, "2");
    type_text(&mut state, "links die");
    insta::assert_snapshot!("panel-80x24-reason", screen(&state, 80, 24));
    press(&mut state, "esc C");
    insta::assert_snapshot!("panel-80x24-closing", screen(&state, 80, 24));
    press(&mut state, "n v");
    insta::assert_snapshot!("panel-80x24-agreement", screen(&state, 80, 24));
    insta::assert_snapshot!("panel-200x60-agreement", screen(&state, 200, 60));
    survives_any_size(&state);
    // A page is what was drawn last.
    screen(&state, 80, 24);
    press(&mut state, "G");
    insta::assert_snapshot!("panel-80x24-agreement-end", screen(&state, 80, 24));
    press(&mut state, "r");
    insta::assert_snapshot!("panel-80x24-agreement-panel-round", screen(&state, 80, 24));
    press(&mut state, "v");
    insta::assert_snapshot!("panel-80x24-table1", screen(&state, 80, 24));
    insta::assert_snapshot!("panel-200x60-table1", screen(&state, 200, 60));
    survives_any_size(&state);
    press(&mut state, "v");
    insta::assert_snapshot!("panel-80x24-corrections", screen(&state, 80, 24));
    insta::assert_snapshot!("panel-200x60-corrections", screen(&state, 200, 60));
    survives_any_size(&state);
    survives_any_size(&workbench(PaneId::Panel));
}
