//! Key sequences on a small queue, and what the screen shows of them. Effects are carried out on a real workspace.

use std::fs;

use super::effects::{Effect, Message, carry_out};
use crate::reasoning::{ItemKind, Standing, Verdict};
use crate::tui::app::{self, AppState};
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};
use crate::workspace::{ImportKind, ImportSource, Workspace};

const RATIONALES: &str = concat!(
    r#"{"id":"r-1","task":"anomaly","instruction":"Judge.","input":"ciod: link <*> lost after <*> retries","label":"abnormal","category":"network issue","reasoning":"<think>1. The log names a \"link\" that is \"lost\".\n2. The retries did not bring it back, so nothing here has recovered.\n3. It is a network issue.</think><answer>abnormal</answer>","source":"teacher"}"#,
    "\n",
    r#"{"id":"r-2","task":"anomaly","instruction":"Judge.","input":"fan <*> speed <*>","label":"normal","reasoning":"<think>1. A speed is reported.\n2. It may be too high.</think><answer>abnormal</answer>"}"#,
    "\n",
    r#"{"id":"r-3","task":"anomaly","instruction":"Judge.","input":"\u001b[2Jboot <*> done\u202e","label":"normal","reasoning":"<think>1. A boot ended.\n2. \u001b]0;title\u0007 All is well.<answer>normal</answer>"}"#,
    "\n"
);
const PAIRS: &str = concat!(
    r#"{"id":"p-1","task":"anomaly","instruction":"Judge.","input":"DDR lane <*> replaced by spare, no data lost","label":"normal","first_wrong_step":2,"chosen":"<solutions>1. A lane of the memory was replaced.\n2. But wait, a spare took over and \"no data lost\" stands there.\n3. The redundancy worked.</solutions><answer>normal</answer>","rejected":"<solutions>1. A lane of the memory was replaced.\n2. What must be replaced is broken.\n3. Broken memory is a hardware failure.</solutions><answer>abnormal</answer>"}"#,
    "\n"
);
const THOUGHTS: &str = concat!(
    r#"{"id":"t-1","task":"anomaly","problem":"Is this normal? \"ECC: 0 uncorrectable\"","analysis":"The count is zero, so the report is a good one.","challenge":"An alarming heading introduces a harmless value.","steps":["Find the value.","Ask what a harmless one looks like.","Judge by the value."]}"#,
    "\n"
);

/// The workbench on a queue of three rationales, a pair and a thought, and the workspace behind it.
struct Bench {
    state: AppState,
    workspace: Workspace,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&dir.path().join("project")).unwrap();
        let tables = [
            (ImportKind::Rationales, "rationales.jsonl", RATIONALES),
            (ImportKind::Pairs, "pairs.jsonl", PAIRS),
            (ImportKind::Thoughts, "thoughts.jsonl", THOUGHTS),
        ];
        for (kind, name, text) in tables {
            let source = ImportSource { name, bytes: text.as_bytes(), format: None, dataset: None };
            assert!(workspace.import(kind, source).unwrap().rejected.is_empty());
        }
        let mut bench = Self { state: workbench(PaneId::Review), workspace, _dir: dir };
        bench.settle(vec![app::Effect::Review(Effect::Load)]);
        bench
    }

    /// Carries effects out until there are none left.
    fn settle(&mut self, mut effects: Vec<app::Effect>) {
        while let Some(effect) = effects.pop() {
            if let app::Effect::Review(effect) = effect {
                let message = carry_out(effect, &self.workspace);
                effects.extend(tell(&mut self.state, app::Message::Review(message)));
            }
        }
    }

    fn press(&mut self, keys: &str) {
        let effects = press(&mut self.state, keys);
        self.settle(effects);
    }

    fn type_text(&mut self, text: &str) {
        let effects = type_text(&mut self.state, text);
        self.settle(effects);
    }

    fn standing(&self, kind: ItemKind, id: &str) -> Standing {
        Standing::of(self.workspace.reviews().unwrap().get(&(kind, id.to_owned())))
    }

    fn front(&self) -> &str {
        self.state.review.selected().unwrap().original.id()
    }

    fn toast(&self) -> &str {
        self.state.toast.as_ref().map_or("", |toast| toast.text.as_str())
    }
}

#[test]
fn accepting_moves_to_the_next_pending_item() {
    let mut bench = Bench::new();
    bench.press("down a");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-2"), Standing::Accepted);
    assert_eq!(bench.front(), "r-3");
    bench.press("a");
    assert_eq!(bench.front(), "r-1");
    bench.press("a");
    assert_eq!(bench.front(), "r-1", "with nothing pending it stays");
}

#[test]
fn keys_that_outrun_the_disk_are_about_what_comes_next() {
    let mut bench = Bench::new();
    bench.press("a a a");
    for id in ["r-1", "r-2", "r-3"] {
        assert_eq!(bench.standing(ItemKind::Rationale, id), Standing::Accepted, "{id}");
    }
}

#[test]
fn a_failed_write_keeps_the_place_and_says_why() {
    let mut bench = Bench::new();
    let _ = press(&mut bench.state, "a down down");
    let failed = app::Message::Review(Message::Decided(Err("the disk is full".into())));
    assert!(tell(&mut bench.state, failed).is_empty());
    assert_eq!(bench.front(), "r-1");
    assert_eq!(bench.toast(), "the disk is full");
}

#[test]
fn a_rejection_keeps_its_reason() {
    let mut bench = Bench::new();
    bench.press("down r");
    bench.type_text("guesses at a limit");
    bench.press("enter");
    let reviews = bench.workspace.reviews().unwrap();
    let review = &reviews[&(ItemKind::Rationale, "r-2".to_owned())];
    assert_eq!((&review.verdict, review.reason.as_deref()), (&Verdict::Reject, Some("guesses at a limit")));
    assert_eq!(review.reviewer, "anna");
}

#[test]
fn giving_a_prompt_up_decides_nothing() {
    let mut bench = Bench::new();
    bench.press("r esc");
    bench.press("e esc");
    assert!(bench.workspace.reviews().unwrap().is_empty());
    assert_eq!(bench.state.review.asked, None);
}

#[test]
fn an_edit_is_kept_beside_what_it_edits() {
    let mut bench = Bench::new();
    bench.press("l l e ctrl-end");
    bench.press("enter");
    bench.type_text("Say why.");
    bench.press("ctrl-s");
    assert_eq!(bench.standing(ItemKind::Thought, "t-1"), Standing::Edited);
    let queue = bench.workspace.review_queue().unwrap();
    let thought = queue.iter().find(|queued| queued.item.id() == "t-1").unwrap();
    assert!(thought.current().text().ends_with("Judge by the value.\nSay why."));
    assert!(thought.item.text().ends_with("Judge by the value."), "the original stays");
}

#[test]
fn accepting_what_was_edited_keeps_the_edit() {
    let mut bench = Bench::new();
    bench.press("left e ctrl-end enter");
    bench.type_text("Say why.");
    bench.press("ctrl-s a");
    assert_eq!(bench.standing(ItemKind::Thought, "t-1"), Standing::Edited);
    bench.press("e backspace backspace backspace backspace backspace backspace backspace backspace backspace ctrl-s");
    assert_eq!(bench.standing(ItemKind::Thought, "t-1"), Standing::Accepted, "edited back is as it came");
}

#[test]
fn an_untouched_edit_is_no_decision() {
    let mut bench = Bench::new();
    bench.press("down down e ctrl-s");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-3"), Standing::Pending);
    assert_eq!(bench.toast(), "nothing changed; press a to accept it as it is");
}

#[test]
fn an_edit_that_breaks_the_format_is_flagged() {
    let mut bench = Bench::new();
    bench.press("e");
    bench.type_text(" and so on");
    bench.press("ctrl-s");
    assert_eq!(bench.toast(), "saved; r-1 is still flagged: malformed");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-1"), Standing::Edited);
}

#[test]
fn undo_goes_back_to_what_was_decided_last() {
    let mut bench = Bench::new();
    bench.press("a right a u");
    assert_eq!((bench.front(), bench.toast()), ("p-1", "took back the last decision, on p-1"));
    assert_eq!(bench.standing(ItemKind::Pair, "p-1"), Standing::Pending);
    bench.press("u");
    assert_eq!((bench.front(), bench.standing(ItemKind::Rationale, "r-1")), ("r-1", Standing::Pending));
    bench.press("u");
    assert_eq!(bench.toast(), "you have no decision to take back");
}

#[test]
fn accepting_everything_asks_first_and_spares_what_is_decided() {
    let mut bench = Bench::new();
    bench.press("r enter");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-1"), Standing::Rejected);
    bench.press("A n");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-2"), Standing::Pending);
    bench.press("A y");
    assert_eq!(bench.toast(), "accepted 2 rationales");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-1"), Standing::Rejected);
    assert_eq!(bench.standing(ItemKind::Pair, "p-1"), Standing::Pending);
}

#[test]
fn the_pending_filter_keeps_the_place() {
    let mut bench = Bench::new();
    bench.press("a p");
    assert_eq!(bench.front(), "r-2");
    bench.press("a");
    assert_eq!(bench.front(), "r-3");
    bench.press("a");
    assert!(bench.state.review.selected().is_none());
    assert!(screen(&bench.state, 80, 24).contains("All rationales are decided. Press p to see them."));
    bench.press("a");
    assert_eq!(bench.toast(), "there is no rationale here to review");
}

#[test]
fn the_place_comes_back_at_the_next_start() {
    let mut bench = Bench::new();
    bench.press("down right left");
    let bookmark = bench.state.session().bookmarks[&PaneId::Review].clone();
    assert_eq!(bookmark, "rationale/r-2");
    let mut again = Bench::new();
    again.state.review.return_to(&bookmark);
    assert_eq!(again.front(), "r-2");
    again.state.review.return_to("rationale/gone");
    assert_eq!(again.front(), "r-1");
}

#[test]
fn control_characters_never_reach_the_screen() {
    let mut bench = Bench::new();
    bench.press("end");
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("\\x1b[2Jboot") && shown.contains("\\u{202e}"), "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
}

#[test]
fn the_pane_bears_any_size() {
    let mut bench = Bench::new();
    for keys in ["down", "right", "right"] {
        survives_any_size(&bench.state);
        bench.press(keys);
    }
    bench.press("e");
    survives_any_size(&bench.state);
    survives_any_size(&workbench(PaneId::Review));
}

/// The bundled demo at both sizes, after some keys. Reviews carry the time, so snapshots show none.
fn shown(name: &str, keys: &str) {
    let mut bench = Bench::new();
    bench.press(keys);
    for (width, height) in [(80, 24), (200, 60)] {
        insta::assert_snapshot!(format!("review_{width}x{height}_{name}"), screen(&bench.state, width, height));
    }
}

#[test]
fn a_rationale_on_the_screen() {
    shown("rationale", "");
}

#[test]
fn a_rationale_that_contradicts_its_label_on_the_screen() {
    shown("mismatch", "down");
}

#[test]
fn a_malformed_rationale_on_the_screen() {
    shown("malformed", "end");
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
fn the_edit_mode_on_the_screen() {
    shown("edit", "e");
}

#[test]
fn the_question_before_a_rejection_on_the_screen() {
    shown("reject", "down r");
}

#[test]
fn an_empty_queue_on_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::init(&dir.path().join("project")).unwrap();
    let mut state = workbench(PaneId::Review);
    let _ = tell(&mut state, app::Message::Review(carry_out(Effect::Load, &workspace)));
    insta::assert_snapshot!("review_80x24_empty", screen(&state, 80, 24));
    fs::remove_dir_all(dir.path()).unwrap();
}
