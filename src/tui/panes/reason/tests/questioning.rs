//! Sessions, shading, what-ifs, and several asked about one log.

use super::*;
use crate::evaluation::{Calibration, Contested, Counterfactual, ItemMargin, Truth};
use crate::labels::Label;
use crate::logs::TemplateKey;
use crate::tui::panes::reason::{KeptRow, Opened, Question, Suppose};
use crate::workspace::{Contest, TraceRecord};

/// The numbers of questions, and the adapters that are asked.
type Everyone = Vec<(u64, Option<String>)>;

/// The questions among the effects: what, whether a session, and whom in order, with their numbers.
fn asked(effects: &[AppEffect]) -> Option<(Question, Everyone)> {
    effects.iter().find_map(|effect| match effect {
        AppEffect::Reason(Effect::Ask(ask)) => {
            let first = (ask.ticket, &ask.adapter);
            let everyone = std::iter::once(first).chain(ask.more.iter().map(|(ticket, adapter)| (*ticket, adapter)));
            let names = everyone.map(|(ticket, adapter)| (ticket, adapter.as_ref().map(|a| a.name.clone())));
            Some((ask.question.clone(), names.collect()))
        }
        _ => None,
    })
}

fn supposed(effects: &[AppEffect]) -> Option<&Suppose> {
    effects.iter().find_map(|effect| match effect {
        AppEffect::Reason(Effect::Suppose(suppose)) => Some(suppose.as_ref()),
        _ => None,
    })
}

fn answer(number: u64, margin: f64, delta: f64) -> AppMessage {
    let answer = Counterfactual { masked: vec!["Error".into()], input: "x".into(), margin, delta };
    AppMessage::Reason(Message::Supposed(number, Ok(answer)))
}

#[test]
fn marked_logs_are_asked_about_as_one_session() {
    let mut state = reason();
    press(&mut state, "space space");
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("2 marked: enter asks about them as one session"), "{shown}");
    let (question, _) = asked(&press(&mut state, "enter")).unwrap();
    assert_eq!(question, Question { text: format!("{LOG}\ngenerating core.<*>"), session: true });
    let mut trace = trace();
    (trace.input, trace.session) = (question.text, true);
    tell(&mut state, AppMessage::Reason(Message::Done { ticket: 1, trace: Box::new(trace), stopped: false }));
    insta::assert_snapshot!("session-200x60", screen(&state, 200, 60));
    insta::assert_snapshot!("session-80x24", screen(&state, 80, 24));
    survives_any_size(&state);
    let (again, _) = asked(&press(&mut state, "enter")).unwrap();
    assert!(again.session, "over its trace the session is asked about again");
    assert!(!state.session().bookmarks.contains_key(&PaneId::Reason));
    press(&mut state, "x esc esc esc");
    assert!(!screen(&state, 200, 60).contains("marked"), "esc takes the marks off");
}

#[test]
fn lines_are_typed_or_pasted_as_a_session_and_a_single_one_is_a_log() {
    let mut state = reason();
    press(&mut state, "I");
    type_text(&mut state, "link up");
    press(&mut state, "enter");
    type_text(&mut state, "link lost");
    let (question, _) = asked(&press(&mut state, "ctrl-s")).unwrap();
    assert_eq!(question, Question { text: "link up\nlink lost".into(), session: true });
    let send = |state: &mut AppState, text: &str| {
        asked(&tell(state, AppMessage::Reason(Message::AskSession(text.to_owned()))))
    };
    assert_eq!(send(&mut state, "\n one \n").unwrap().0, Question::log(" one"));
    assert!(send(&mut state, &"x\n".repeat(101)).is_none());
    assert!(screen(&state, 80, 24).contains("101 lines"));
    assert!(send(&mut state, " \n").is_none());
}

#[test]
fn what_the_log_does_not_contain_is_marked_in_the_text() {
    let mut state = answered();
    let text = "2. The socket belongs to a CioStream, so a job's input and output are cut off.";
    let claim = |claim: &str, kind, in_log| {
        let start = text.find(claim).unwrap();
        GroundedClaim { step: 1, claim: claim.to_owned(), kind, range: start..start + claim.len(), in_log }
    };
    let mut told = trace();
    told.grounding = vec![
        claim("socket", ClaimKind::Word, true),
        claim("CioStream", ClaimKind::Identifier, false),
        claim("output", ClaimKind::Word, false),
    ];
    tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(told)))));
    press(&mut state, "right");
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("belongs to a x[CioStream], so a job's input and output"), "{shown}");
    assert!(shown.contains("over 90 %  over 50  over 10  guessed  x[not in log]"), "{shown}");
    press(&mut state, "v");
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("x[CioStream], so a job's input and ~output"), "{shown}");
    insta::assert_snapshot!("grounding-80x24", screen(&state, 80, 24));
    survives_any_size(&state);
}

#[test]
fn entropies_stand_in_a_line_with_the_current_token_in_it() {
    let mut state = answered();
    let line = |state: &AppState, width| {
        screen(state, width, 60).lines().find(|line| line.contains("entropy")).unwrap_or_default().to_owned()
    };
    let wide = line(&state, 200);
    assert!(wide.contains(".@-.@-.@-.@-.|.@-.@-.@-.@-.@-.|.@-.@-|."), "{wide}");
    assert!(wide.contains("mean 1.05, most 2.40 nats at"), "{wide}");
    press(&mut state, "right w");
    assert!(!line(&state, 60).is_empty());
    let mut without = trace();
    without.steps.iter_mut().flat_map(|step| &mut step.tokens).for_each(|token| token.entropy = None);
    tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(without)))));
    assert!(line(&state, 200).is_empty());
}

#[test]
fn a_masked_word_moves_the_verdict_without_another_answer() {
    let mut state = answered();
    tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(weighed())))));
    let effects = press(&mut state, "c right space");
    let first = supposed(&effects).expect("it is scored at once");
    assert_eq!((first.changes[0].range.clone(), first.changes[0].with.as_str()), (6..11, "<*>"));
    assert_eq!((first.as_it_is, first.adapter.as_ref().unwrap().name.as_str()), (Some(1.2), "20260102-sft"));
    let number = first.number;
    assert!(screen(&state, 80, 24).contains("margin at once +1.2 -> ..."));
    // While one is scored nothing more is asked; then all that was changed meanwhile.
    assert!(press(&mut state, "right space right space").is_empty());
    let effects = tell(&mut state, answer(number, -0.5, -1.7));
    let second = supposed(&effects).unwrap();
    assert_eq!(second.changes.len(), 3);
    let number = second.number;
    assert!(tell(&mut state, answer(99, 9.0, 9.0)).is_empty(), "an answer that nobody waits for");
    assert!(tell(&mut state, answer(number, -0.4, -1.6)).is_empty());
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("+1.2 -> -0.4 (-1.6)  ! abnormal -> o normal"), "{shown}");
    assert!(shown.contains("ciod: [<*>] [<*>] [<*>] prefix"), "{shown}");
    insta::assert_snapshot!("what-if-80x24", shown);
    insta::assert_snapshot!("what-if-200x60", screen(&state, 200, 60));
    survives_any_size(&state);
    // Taken back one by one; the whole log needs no scoring.
    assert!(supposed(&press(&mut state, "u")).is_some());
    press(&mut state, "u");
    assert!(press(&mut state, "u").is_empty());
    assert!(screen(&state, 80, 24).contains("margin at once +1.2"));
    press(&mut state, "u");
    assert!(screen(&state, 80, 24).contains("nothing of the log is changed"));
}

#[test]
fn a_word_is_replaced_and_the_changed_log_asked_about() {
    let mut state = answered();
    press(&mut state, "c right e");
    assert!(screen(&state, 80, 24).contains("Instead of Error"));
    press(&mut state, "esc");
    let effects = tell(&mut state, AppMessage::Reason(Message::Word("Success".into())));
    let number = supposed(&effects).unwrap().number;
    assert_eq!(supposed(&effects).unwrap().as_it_is, None);
    let failed = AppMessage::Reason(Message::Supposed(number, Err("out\u{1b} of memory".into())));
    tell(&mut state, failed);
    assert!(screen(&state, 80, 24).contains("out\\x1b of memory"));
    // The word itself is no change.
    assert!(tell(&mut state, AppMessage::Reason(Message::Word("Error".into()))).is_empty());
    tell(&mut state, AppMessage::Reason(Message::Word("Success".into())));
    press(&mut state, "9 q i d");
    let (question, _) = asked(&press(&mut state, "enter")).unwrap();
    assert_eq!(question.text, LOG.replace("Error", "Success"));
    let mut state = reason();
    press(&mut state, "c");
    assert!(screen(&state, 80, 24).contains("no verdict to question yet"));
}

#[test]
fn a_log_that_another_pane_hands_over_ends_what_the_keys_were_about() {
    for keys in ["c", "A", "b"] {
        let mut state = answered();
        press(&mut state, keys);
        assert!(asked(&tell(&mut state, AppMessage::Reason(Message::Ask("link lost".into())))).is_some(), "{keys}");
        assert_eq!(state.mode(), crate::tui::action::Mode::BROWSE, "{keys}");
    }
}

#[test]
fn base_and_adapters_are_asked_in_one_go_and_stand_side_by_side() {
    let mut state = reason();
    press(&mut state, "A");
    insta::assert_snapshot!("whom-to-ask-80x24", screen(&state, 80, 24));
    survives_any_size(&state);
    press(&mut state, "9 7 q");
    let (question, everyone) = asked(&press(&mut state, "enter")).unwrap();
    let run = |id: &str| Some(format!("{id}-sft"));
    assert_eq!(question, Question::log(LOG));
    assert_eq!(everyone, [(1, None), (2, run("20260102")), (3, run("20260101"))]);
    assert!(screen(&state, 80, 24).contains("The base model (1 of 3)"));
    let mut base = malformed();
    base.input = LOG.into();
    let tell_done = |state: &mut AppState, ticket, trace: SteppedTrace| {
        tell(state, AppMessage::Reason(Message::Done { ticket, trace: Box::new(trace), stopped: false }));
    };
    tell_done(&mut state, 1, base);
    assert!(screen(&state, 80, 24).contains("20260102-sft (2 of 3)"));
    tell_done(&mut state, 2, weighed());
    let mut older = trace();
    older.text = older.text.replace("fails to read", "reads").replace("abnormal", "normal");
    (older.adapter, older.answer) = (run("20260101"), Some("normal".into()));
    tell_done(&mut state, 3, older);
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("step 1: \"I\" | \"1.\""), "{shown}");
    insta::assert_snapshot!("several-200x60", shown);
    insta::assert_snapshot!("several-80x24", screen(&state, 80, 24));
    survives_any_size(&state);
    press(&mut state, "right right right");
    assert!(screen(&state, 80, 24).contains("> 20260101-sft"));
    press(&mut state, "esc");
    assert!(screen(&state, 80, 24).contains("Token 1 of"));
    press(&mut state, "[ =");
    assert!(screen(&state, 80, 24).contains("first difference"), "each of them leads back to the comparison");
}

#[test]
fn who_fails_is_told_and_the_others_are_compared() {
    let mut state = reason();
    press(&mut state, "A enter");
    tell(&mut state, AppMessage::Reason(done(1)));
    tell(&mut state, AppMessage::Reason(Message::Failed(2, "another base".into())));
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("20260102-sft: another base") && shown.contains("(3 of 3)"), "{shown}");
    tell(&mut state, AppMessage::Reason(done(3)));
    assert!(screen(&state, 80, 24).contains("first difference"));
    let mut state = reason();
    press(&mut state, "A 2 3 enter");
    assert!(screen(&state, 80, 24).contains("tick two or more"));
}

#[test]
fn a_margin_stands_with_what_such_margins_were_worth() {
    let mut state = reason();
    let item = |at: u8| ItemMargin {
        dataset: "bgl".into(),
        id: at.to_string(),
        margin: f64::from(at) / 10.0 - 1.0,
        truth: if at > 15 { Label::Abnormal } else { Label::Normal },
    };
    let calibration = Calibration {
        model: "smollm2-135m".into(),
        adapter: Some("20260102-sft".into()),
        data: "x/templates_dev.csv".into(),
        truth: Truth::Gold,
        margins: (0..40).map(item).collect(),
    };
    let offer =
        Offer { items: vec![item_of_log()], adapters: vec![run("20260102-sft")], calibrations: vec![calibration] };
    tell(&mut state, AppMessage::Reason(Message::Loaded(Ok(offer))));
    press(&mut state, "enter");
    tell(&mut state, AppMessage::Reason(done(1)));
    tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(weighed())))));
    let shown = screen(&state, 200, 60);
    assert!(
        shown.contains("100 % abnormal (72-100) of 10 with margins +1.9 to +2.8 in templates_dev.csv, gold"),
        "{shown}"
    );
    insta::assert_snapshot!("band-80x24", screen(&state, 80, 24));
    survives_any_size(&state);
}

fn item_of_log() -> Item {
    item("1", LOG)
}

fn record(id: &str, verdict: Option<Label>, log: &str) -> TraceRecord {
    TraceRecord {
        id: id.to_owned(),
        at: "2026-11-21T10:00:00Z".parse().unwrap(),
        by: "anna".to_owned(),
        template: None,
        input: log.to_owned(),
        model: "smollm2-135m".to_owned(),
        base_fingerprint: None,
        adapter: (id == "1").then(|| "20260102-sft".to_owned()),
        verdict,
        gold: None,
        contested: (id == "2").then(|| Contest {
            by: "anna".into(),
            at: "2026-11-21T10:00:00Z".parse().unwrap(),
            reason: None,
        }),
    }
}

#[test]
fn kept_traces_are_listed_and_opened_again() {
    let mut state = reason();
    let lists = |effects: &[AppEffect]| matches!(effects, [AppEffect::Reason(Effect::ListKept)]);
    assert!(lists(&press(&mut state, "t")));
    tell(&mut state, AppMessage::Reason(Message::ListedKept(Ok(Vec::new()))));
    assert!(screen(&state, 80, 24).contains("no trace is kept"));
    let records = [
        record("1", Some(Label::Abnormal), LOG),
        record("2", None, "bad \u{1b}[2J"),
        record("3", Some(Label::Normal), "x"),
    ];
    let rows = || Message::ListedKept(Ok(records.iter().map(KeptRow::from).collect()));
    tell(&mut state, AppMessage::Reason(rows()));
    insta::assert_snapshot!("kept-80x24", screen(&state, 80, 24));
    insta::assert_snapshot!("kept-200x60", screen(&state, 200, 60));
    survives_any_size(&state);
    let effects = press(&mut state, "down down up 5 enter");
    assert!(matches!(&effects[..], [AppEffect::Reason(Effect::Open(id))] if id == "2"), "{effects:?}");
    let opened = Opened { id: "2".into(), trace: Box::new(malformed()), contested: true };
    tell(&mut state, AppMessage::Reason(Message::Opened(Ok(opened))));
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("C contested") && shown.contains("I am not sure"), "{shown}");
    // One of this session is not read again.
    tell(&mut state, AppMessage::Reason(rows()));
    assert!(press(&mut state, "down enter").is_empty());
    tell(&mut state, AppMessage::Reason(Message::Opened(Err("damaged".into()))));
    assert!(screen(&state, 80, 24).contains("damaged"));
    // What is being written is not lost to it.
    press(&mut state, "enter");
    assert!(tell(&mut state, AppMessage::Reason(Message::Open("3".into()))).is_empty());
    assert!(screen(&state, 80, 24).contains("the model is writing"));
}

#[test]
fn a_wrong_verdict_goes_to_the_label_queue_with_its_trace() {
    let mut state = reason();
    press(&mut state, "!");
    assert!(screen(&state, 80, 24).contains("no verdict to contest yet"));
    let mut state = answered();
    press(&mut state, "!");
    type_text(&mut state, "it recovers");
    // Its trace is not whole yet: the contest waits until it is kept.
    assert!(press(&mut state, "enter").is_empty());
    tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(weighed())))));
    let effects = tell(&mut state, AppMessage::Reason(Message::Stored(1, "0a1b".into())));
    let [AppEffect::Reason(Effect::Contest { ticket, kept, why, by, .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((*ticket, kept.as_deref(), why.as_str(), by.as_str()), (1, Some("0a1b"), "it recovers", "anna"));
    let template = Some(TemplateKey::new("bgl", "1"));
    let contested = Contested { trace: "0a1b".into(), template, cited: Vec::new() };
    tell(&mut state, AppMessage::Reason(Message::Contested(1, Ok(contested))));
    let shown = screen(&state, 200, 60);
    assert!(
        shown.contains("C contested") && shown.contains("bgl/1 is flagged, and waits in the Label queue"),
        "{shown}"
    );
    insta::assert_snapshot!("contested-80x24", screen(&state, 80, 24));
    press(&mut state, "!");
    assert!(screen(&state, 80, 24).contains("contested already"));
}

#[test]
fn a_trace_is_written_where_the_user_says() {
    let mut state = answered();
    press(&mut state, "E");
    assert!(screen(&state, 80, 24).contains("exports/trace-1.html"));
    let effects = press(&mut state, "backspace enter");
    let [AppEffect::Reason(Effect::Export { trace: written, path })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((written.as_ref(), path.to_str()), (&trace(), Some("exports/trace-1.htm")));
    tell(&mut state, AppMessage::Reason(Message::Exported(Ok("/p/exports/trace-1.htm".into()))));
    assert!(screen(&state, 80, 24).contains("written to /p/exports/trace-1.htm"));
    assert!(tell(&mut state, AppMessage::Reason(Message::ExportTo(" ".into()))).is_empty());
}
