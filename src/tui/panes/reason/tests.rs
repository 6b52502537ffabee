//! Keys in, questions out; and how the pane looks.

mod questioning;

use super::{Effect, Item, Message, Offer, Wearing};
use crate::evaluation::{
    EvidenceToken, GroundedClaim, SteppedAlternative, SteppedKind, SteppedStep, SteppedToken, SteppedTrace,
};
use crate::logs::SafeText;
use crate::reasoning::ClaimKind;
use crate::tui::app::{AppState, Effect as AppEffect, Message as AppMessage};
use crate::tui::model::ModelStanding;
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};

const LOG: &str = "ciod: Error reading message prefix after <*> on CioStream socket to <*>";

fn item(id: &str, text: &str) -> Item {
    Item {
        name: SafeText::one_line(&format!("bgl/{id}")),
        text: SafeText::one_line(text),
        raw: text.to_owned(),
        haystack: format!("bgl/{id} {text}").to_lowercase(),
        in_doubt: id == "2",
    }
}

fn run(name: &str) -> Wearing {
    Wearing { name: name.to_owned(), dir: format!("runs/{name}/adapter").into(), model: None }
}

fn offer() -> Message {
    Message::Loaded(Ok(Offer {
        items: vec![item("1", LOG), item("2", "generating core.<*>"), item("3", "bad \u{1b}[2J entry")],
        adapters: vec![run("20260102-sft"), run("20260101-sft")],
        calibrations: Vec::new(),
    }))
}

fn here() -> AppMessage {
    AppMessage::Model(ModelStanding::Here("m.gguf".into()))
}

fn reason() -> AppState {
    let mut state = workbench(PaneId::Reason);
    tell(&mut state, AppMessage::Reason(offer()));
    tell(&mut state, here());
    state
}

fn tokens(text: &str) -> Vec<SteppedToken> {
    let alternative =
        |text: &str, probability| SteppedAlternative { text: text.to_owned(), control: false, probability };
    text.split_inclusive(' ')
        .enumerate()
        .map(|(i, word)| SteppedToken {
            text: word.to_owned(),
            probability: [0.97, 0.31, 0.66][i % 3],
            entropy: Some([0.1, 2.4, 0.9][i % 3]),
            alternatives: vec![
                alternative(" a", 0.02),
                alternative("\n", 0.005),
                alternative(" kernel", 0.001),
                alternative("<|im_end|>", 0.0002),
                alternative(" é", 0.0001),
            ],
        })
        .collect()
}

fn step(kind: SteppedKind, text: &str) -> SteppedStep {
    SteppedStep { kind, text: text.to_owned(), tokens: tokens(text) }
}

fn trace() -> SteppedTrace {
    let steps = vec![
        step(SteppedKind::Step, "1. The control daemon ciod fails to read the prefix of a message."),
        step(SteppedKind::Step, "2. The socket belongs to a CioStream, so a job's input and output are cut off."),
        step(SteppedKind::Step, "3. Nothing says that it recovered."),
        step(SteppedKind::Answer, "<answer>abnormal</answer>"),
    ];
    SteppedTrace {
        input: LOG.to_owned(),
        input_bytes_cut: 0,
        session: false,
        text: steps.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("\n"),
        steps,
        answer: Some("abnormal".to_owned()),
        format_ok: true,
        fast: false,
        grounding: Vec::new(),
        margin: None,
        margin_at_once: None,
        evidence: Vec::new(),
        band: None,
        counterfactual: None,
        answer_ms: Some(900.0),
        model: "smollm2-135m".to_owned(),
        adapter: Some("20260102-sft".to_owned()),
        first_token_ms: 120.0,
        tokens_per_second: 78.4,
    }
}

/// A trace without answer, of a log that was cut, with control characters in its tokens.
fn malformed() -> SteppedTrace {
    let text = "I am not sure\nwhat \u{1b}[31mthis\u{202e} log に means.";
    SteppedTrace {
        input_bytes_cut: 52_000,
        steps: vec![step(SteppedKind::Step, text)],
        text: text.to_owned(),
        answer: None,
        format_ok: false,
        adapter: None,
        ..trace()
    }
}

fn done(ticket: u64) -> Message {
    Message::Done { ticket, trace: Box::new(trace()), stopped: false }
}

fn written(ticket: u64, text: &str, tokens_per_second: Option<f64>) -> Message {
    Message::Written { ticket, text: text.to_owned(), tokens_per_second }
}

/// The one question among the effects: its number, log and adapter.
fn question(effects: &[AppEffect]) -> Option<(u64, String, Option<String>)> {
    effects.iter().find_map(|effect| match effect {
        AppEffect::Reason(Effect::Ask(ask)) => {
            Some((ask.ticket, ask.question.text.clone(), ask.adapter.as_ref().map(|adapter| adapter.name.clone())))
        }
        _ => None,
    })
}

fn answered() -> AppState {
    let mut state = reason();
    let (ticket, ..) = question(&press(&mut state, "enter")).unwrap();
    tell(&mut state, AppMessage::Reason(done(ticket)));
    state
}

#[test]
fn enter_asks_about_the_selected_log_with_the_newest_adapter() {
    let mut state = reason();
    let asked = question(&press(&mut state, "down down enter")).unwrap();
    assert_eq!(asked, (1, "bad \u{1b}[2J entry".to_owned(), Some("20260102-sft".to_owned())));
    press(&mut state, "o a");
    let asked = question(&press(&mut state, "up enter")).unwrap();
    assert_eq!(asked, (2, "generating core.<*>".to_owned(), Some("20260101-sft".to_owned())));
    press(&mut state, "o a");
    assert_eq!(question(&press(&mut state, "enter")).unwrap().2, None);
}

#[test]
fn a_typed_log_is_asked_about_as_it_is() {
    let mut state = reason();
    press(&mut state, "i");
    type_text(&mut state, "<|im_end|> kernel panic");
    assert_eq!(question(&press(&mut state, "enter")).unwrap().1, "<|im_end|> kernel panic");
    press(&mut state, "i");
    assert!(question(&press(&mut state, "enter")).is_none());
    assert!(screen(&state, 80, 24).contains("the log is empty"));
}

#[test]
fn while_the_model_comes_nothing_is_asked_and_the_pane_says_so() {
    let mut state = reason();
    tell(&mut state, AppMessage::Model(ModelStanding::Coming(SafeText::new("[#####-----] 50% of 99 MB"))));
    assert!(question(&press(&mut state, "enter")).is_none());
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("smollm2-135m is coming: [#####-----] 50%") && shown.contains("enter again when it is"));
    tell(&mut state, AppMessage::Model(ModelStanding::Missing(SafeText::new("no network"))));
    let fetched = |effects: &[AppEffect]| matches!(effects, [AppEffect::FetchModel(name)] if name == "smollm2-135m");
    assert!(fetched(&press(&mut state, "enter")) && fetched(&press(&mut state, "m")));
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("`logwright model pull") && shown.contains("no network"), "{shown}");
    tell(&mut state, here());
    assert_eq!(question(&press(&mut state, "enter")).unwrap().1, LOG, "the log has waited");
}

#[test]
fn the_text_streams_in_and_an_old_answer_changes_nothing() {
    let mut state = reason();
    press(&mut state, "enter");
    let (ticket, ..) = question(&press(&mut state, "enter")).unwrap();
    assert_eq!(ticket, 2);
    tell(&mut state, AppMessage::Reason(written(1, "old", None)));
    tell(&mut state, AppMessage::Reason(written(2, "<think>1. The \u{1b}[1m", Some(70.4))));
    tell(&mut state, AppMessage::Reason(done(1)));
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("<think>1. The \\x1b[1m") && !shown.contains("old"), "{shown}");
    assert!(shown.contains("1 tokens, 70 tokens/s, esc stops it"), "{shown}");
    tell(&mut state, AppMessage::Reason(Message::Failed(2, "cut short\nsecond line".to_owned())));
    assert!(screen(&state, 80, 24).contains("No reasoning: cut short"));
}

#[test]
fn left_and_right_go_through_steps_and_up_and_down_through_tokens() {
    let mut state = answered();
    let place = |state: &AppState| (state.reason.step, state.reason.token);
    press(&mut state, "right right down down");
    assert_eq!(place(&state), (2, 2));
    press(&mut state, "left");
    assert_eq!(place(&state), (1, 0));
    press(&mut state, "right right right right down");
    assert_eq!(place(&state), (3, 0), "the answer has one token here");
    press(&mut state, "home left left left left end");
    assert_eq!(place(&state), (0, 12));
    press(&mut state, "w");
    assert_eq!(place(&state), (0, 1));
}

#[test]
fn esc_stops_the_model_and_what_was_written_stays() {
    let mut state = reason();
    let (ticket, ..) = question(&press(&mut state, "enter")).unwrap();
    tell(&mut state, AppMessage::Reason(written(ticket, "<think>", None)));
    for key in ["esc", "x"] {
        assert!(matches!(press(&mut state, key)[..], [AppEffect::CancelJobs(PaneId::Reason)]), "{key}");
    }
    assert!(screen(&state, 80, 24).contains("Stopping"));
    let stopped = Message::Done { ticket, trace: Box::new(malformed()), stopped: true };
    tell(&mut state, AppMessage::Reason(stopped));
    assert!(screen(&state, 80, 24).contains("x format not kept  - stopped"));
    assert!(press(&mut state, "x esc").is_empty());
}

#[test]
fn brackets_go_through_the_traces_of_the_session() {
    let mut state = answered();
    let (ticket, ..) = question(&press(&mut state, "enter")).unwrap();
    assert!(press(&mut state, "[").is_empty());
    assert!(screen(&state, 80, 24).contains("the model is writing"));
    tell(&mut state, AppMessage::Reason(Message::Done { ticket, trace: Box::new(malformed()), stopped: false }));
    assert!(screen(&state, 80, 24).contains("trace 2 of 2"));
    press(&mut state, "[");
    assert!(screen(&state, 80, 24).contains("trace 1 of 2"));
    press(&mut state, "[");
    assert!(screen(&state, 80, 24).contains("no older trace"));
    press(&mut state, "] ]");
    assert!(screen(&state, 80, 24).contains("no newer trace"));
    assert_eq!(state.reason.trace(), Some(&malformed()));
}

#[test]
fn a_log_can_be_changed_before_it_is_asked_about() {
    let mut state = reason();
    press(&mut state, "down e");
    type_text(&mut state, " at 4");
    assert_eq!(question(&press(&mut state, "enter")).unwrap().1, "generating core.<*> at 4");
}

#[test]
fn logs_in_doubt_can_be_listed_alone() {
    let mut state = reason();
    press(&mut state, "d");
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("1 of 3 logs in doubt") && shown.contains("? bgl/2"), "{shown}");
    let (ticket, log, _) = question(&press(&mut state, "enter")).unwrap();
    assert_eq!(log, "generating core.<*>");
    tell(&mut state, AppMessage::Reason(done(ticket)));
    press(&mut state, "esc esc");
    assert!(screen(&state, 80, 24).contains(" 3 logs "));
}

#[test]
fn the_last_log_waits_at_the_next_start() {
    let session = answered().session();
    assert_eq!(session.bookmarks[&PaneId::Reason], LOG);
    let mut next = workbench(PaneId::Reason);
    let _ = next.start(&session);
    tell(&mut next, AppMessage::Reason(offer()));
    tell(&mut next, here());
    assert!(screen(&next, 200, 60).contains("enter lets the model reason about this log"));
    assert_eq!(question(&press(&mut next, "o enter")).unwrap().1, LOG);
}

#[test]
fn a_filter_narrows_the_logs_and_esc_shows_all() {
    let mut state = reason();
    press(&mut state, "/");
    type_text(&mut state, "CORE gen");
    press(&mut state, "enter");
    assert!(screen(&state, 80, 24).contains("1 of 3 logs"));
    assert_eq!(question(&press(&mut state, "enter")).unwrap().1, "generating core.<*>");
    press(&mut state, "esc esc esc");
    assert!(screen(&state, 80, 24).contains(" 3 logs "));
}

#[test]
fn another_pane_can_hand_over_a_log() {
    let mut state = reason();
    let effects = tell(&mut state, AppMessage::Reason(Message::Ask(LOG.to_owned())));
    assert_eq!(question(&effects).unwrap().1, LOG);

    // Just come to the front, the pane does not know yet what was trained meanwhile.
    let mut state = workbench(PaneId::Reason);
    tell(&mut state, here());
    assert!(tell(&mut state, AppMessage::Reason(Message::Ask(LOG.to_owned()))).is_empty());
    assert!(screen(&state, 80, 24).contains(&LOG[..40]));
    let effects = tell(&mut state, AppMessage::Reason(offer()));
    assert_eq!(question(&effects), Some((1, LOG.to_owned(), Some("20260102-sft".to_owned()))));
}

fn weighed() -> SteppedTrace {
    let word = |token: &str, start: usize, delta| EvidenceToken {
        token: token.to_owned(),
        range: start..start + token.len(),
        delta,
    };
    let claim = |step, claim: &str, in_log| GroundedClaim {
        step,
        claim: claim.to_owned(),
        kind: ClaimKind::Identifier,
        range: 0..claim.len(),
        in_log,
    };
    SteppedTrace {
        margin: Some(2.31),
        margin_at_once: Some(1.2),
        evidence: vec![word("ciod:", 0, -0.4), word("Error", 6, 1.25), word("to", 61, 0.1)],
        grounding: vec![claim(0, "ciod", true), claim(1, "\u{1b}fabric0", false)],
        ..trace()
    }
}

#[test]
fn what_the_verdict_rests_on_comes_when_it_is_weighed_and_gives_way_to_the_next_question() {
    let mut state = answered();
    assert!(screen(&state, 200, 60).contains("weighing ..."));
    let cancels = |effects: &[AppEffect]| effects.iter().any(|e| matches!(e, AppEffect::CancelJobs(PaneId::Reason)));
    assert!(cancels(&press(&mut state, "enter")), "weighing stops for the next question");
    let mut state = answered();
    tell(&mut state, AppMessage::Reason(Message::Weighed(7, None)));
    tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(weighed())))));
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("margin +2.3") && !shown.contains("weighing"), "{shown}");
    assert!(shown.contains("rests on Error +1.2, ciod: -0.4") && !shown.contains("to +0.1"), "{shown}");
    press(&mut state, "right");
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("Its text; not in the log: \\x1bfabric0"), "{shown}");
    assert!(!cancels(&press(&mut state, "enter")));
    insta::assert_snapshot!("weighed-80x24", {
        let mut state = answered();
        tell(&mut state, AppMessage::Reason(Message::Weighed(1, Some(Box::new(weighed())))));
        press(&mut state, "right");
        screen(&state, 80, 24)
    });
}

/// What the answer shall begin with, and the question's number.
fn begun(effects: &[AppEffect]) -> Option<(u64, String)> {
    effects.iter().find_map(|effect| match effect {
        AppEffect::Reason(Effect::Ask(ask)) => Some((ask.ticket, ask.begun.clone())),
        _ => None,
    })
}

#[test]
fn a_branch_goes_on_from_another_token_and_is_kept_as_a_pair() {
    let mut state = answered();
    press(&mut state, "right down down");
    let before = "1. The control daemon ciod fails to read the prefix of a message.2. The ";
    press(&mut state, "b");
    assert!(screen(&state, 80, 24).contains("Branch from 1 to 5, or e"));
    press(&mut state, "9 q");
    let (ticket, text) = begun(&press(&mut state, "2")).unwrap();
    assert_eq!((ticket, text), (2, format!("{before}\n")));

    let mut branch = trace();
    branch.text = branch.text.replace("belongs to a CioStream", "is gone");
    branch.steps[1] = step(SteppedKind::Step, "2. The socket is gone, so a job's input and output are cut off.");
    let message = Message::Done { ticket, trace: Box::new(branch), stopped: false };
    tell(&mut state, AppMessage::Reason(message));
    press(&mut state, "=");
    let shown = screen(&state, 200, 60);
    assert!(shown.contains("[-belongs to a CioStream,-]") && shown.contains("{+is gone,+}"), "{shown}");
    insta::assert_snapshot!("compared-80x24", screen(&state, 80, 24));
    press(&mut state, "down esc");
    assert!(screen(&state, 80, 24).contains("Token 1 of"));

    let kept = press(&mut state, "P");
    let pair = kept.iter().find_map(|effect| match effect {
        AppEffect::Reason(Effect::Keep(pair)) => Some(pair),
        _ => None,
    });
    let pair = pair.expect("a branch is kept");
    assert_eq!((pair.first_wrong_step, pair.label.as_str(), pair.input.as_str()), (2, "abnormal", LOG));
    tell(&mut state, AppMessage::Reason(Message::Kept(Ok("branch-1".to_owned()))));
    assert!(screen(&state, 80, 24).contains("kept as preference pair branch-1"));
}

#[test]
fn a_branch_goes_on_from_an_edited_step() {
    let mut state = answered();
    press(&mut state, "right b e");
    assert!(screen(&state, 80, 24).contains("The step, corrected"));
    let effects = tell(&mut state, AppMessage::Reason(Message::BranchFrom("2. It is fine.".to_owned())));
    let (_, text) = begun(&effects).unwrap();
    assert_eq!(text, "1. The control daemon ciod fails to read the prefix of a message.2. It is fine.");
    assert!(begun(&tell(&mut state, AppMessage::Reason(Message::BranchFrom(" ".to_owned())))).is_none());
}

#[test]
fn what_is_no_branch_is_neither_compared_nor_kept() {
    let mut state = reason();
    press(&mut state, "b");
    assert!(screen(&state, 80, 24).contains("no reasoning to branch from yet"));
    let mut state = answered();
    for (keys, told) in [("=", "there is nothing to compare it with"), ("P", "only a branch can be")] {
        assert!(!press(&mut state, keys).iter().any(|effect| matches!(effect, AppEffect::Reason(Effect::Keep(_)))));
        assert!(screen(&state, 80, 24).contains(told), "{keys}");
    }
}

#[test]
fn the_verdict_can_be_had_first() {
    let mut state = reason();
    let fast = |effects: &[AppEffect]| {
        effects.iter().any(|effect| matches!(effect, AppEffect::Reason(Effect::Ask(ask)) if ask.fast))
    };
    assert!(!fast(&press(&mut state, "enter")));
    press(&mut state, "f");
    assert!(screen(&state, 80, 24).contains("the verdict comes first"));
    assert!(fast(&press(&mut state, "enter")));
}

#[test]
fn the_pane_looks_as_it_should() {
    let mut state = workbench(PaneId::Reason);
    survives_any_size(&state);
    let why = "the Hub and pip were both out of reach: connection refused (127.0.0.1:9)";
    tell(&mut state, AppMessage::Model(ModelStanding::Missing(SafeText::new(why))));
    insta::assert_snapshot!("reason-80x24-no-model", screen(&state, 80, 24));
    insta::assert_snapshot!("reason-200x60-no-model", screen(&state, 200, 60));
    survives_any_size(&state);
    tell(&mut state, AppMessage::Reason(offer()));
    tell(&mut state, AppMessage::Model(ModelStanding::Coming(SafeText::new("[#####-----] 50% of 99 MB"))));
    insta::assert_snapshot!("reason-80x24-model-coming", screen(&state, 80, 24));
    tell(&mut state, here());
    insta::assert_snapshot!("reason-200x60-logs", screen(&state, 200, 60));
    let (ticket, ..) = question(&press(&mut state, "enter")).unwrap();
    for piece in ["<think>", "1. The control daemon ciod ", "fails to read the prefix of a message.\n", "2. The"] {
        tell(&mut state, AppMessage::Reason(written(ticket, piece, Some(81.6))));
    }
    insta::assert_snapshot!("reason-80x24-writing", screen(&state, 80, 24));
    survives_any_size(&state);
    tell(&mut state, AppMessage::Reason(done(ticket)));
    press(&mut state, "right down");
    insta::assert_snapshot!("reason-80x24", screen(&state, 80, 24));
    insta::assert_snapshot!("reason-200x60", screen(&state, 200, 60));
    survives_any_size(&state);
    let (ticket, ..) = question(&press(&mut state, "enter")).unwrap();
    tell(&mut state, AppMessage::Reason(Message::Done { ticket, trace: Box::new(malformed()), stopped: false }));
    insta::assert_snapshot!("reason-80x24-malformed", screen(&state, 80, 24));
    insta::assert_snapshot!("reason-200x60-malformed", screen(&state, 200, 60));
    survives_any_size(&state);
}
