//! Key sequences on a small queue, and what the screen shows of them. Effects are carried out on a real workspace.

mod lists;
mod nearness;
mod pairs;
mod reviewers;
mod screens;
mod steps;
mod teacher;

use super::effects::{Effect, Message, carry_out};
use crate::reasoning::{ItemKind, Standing, Verdict};
use crate::tui::app::{self, AppState};
use crate::tui::panes::PaneId;
use crate::tui::testing::{press, screen, tell, type_text, workbench};
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
        Self::with(
            "",
            &[
                (ImportKind::Rationales, "rationales.jsonl", RATIONALES),
                (ImportKind::Pairs, "pairs.jsonl", PAIRS),
                (ImportKind::Thoughts, "thoughts.jsonl", THOUGHTS),
            ],
        )
    }

    /// A project with these settings and tables.
    fn with(settings: &str, tables: &[(ImportKind, &str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("project");
        drop(Workspace::init(&root).unwrap());
        std::fs::write(root.join("logwright.toml"), format!("name = \"demo\"\n{settings}")).unwrap();
        let workspace = Workspace::open(&root).unwrap();
        for &(kind, name, text) in tables {
            let source = ImportSource { name, bytes: text.as_bytes(), format: None, dataset: None };
            assert!(workspace.import(kind, source).unwrap().rejected.is_empty());
        }
        let mut bench = Self { state: workbench(PaneId::Review), workspace, _dir: dir };
        bench.load();
        bench
    }

    /// Comes back to the pane.
    fn load(&mut self) {
        let reviewer = self.state.shared.annotator.clone();
        self.settle(vec![app::Effect::Review(Effect::Load(reviewer))]);
    }

    /// Carries effects out until there are none left.
    fn settle(&mut self, mut effects: Vec<app::Effect>) {
        while let Some(effect) = effects.pop() {
            let message = match effect {
                app::Effect::Review(effect) => app::Message::Review(carry_out(effect, &self.workspace)),
                app::Effect::After { message, .. } => *message,
                _ => continue,
            };
            effects.extend(tell(&mut self.state, message));
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
        self.state.review.selected().unwrap().id()
    }

    fn toast(&self) -> &str {
        self.state.toast.as_ref().map_or("", |toast| toast.text.as_str())
    }
}

#[test]
fn accepting_moves_to_the_next_undecided_item() {
    let mut bench = Bench::new();
    assert_eq!(bench.front(), "r-2", "the worst trouble stands first");
    bench.press("down a");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-3"), Standing::Accepted);
    assert_eq!(bench.front(), "r-1");
    bench.press("a");
    assert_eq!(bench.front(), "r-2");
    bench.press("a");
    assert_eq!(bench.front(), "r-2", "with nothing undecided it stays");
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
    assert_eq!(bench.front(), "r-2");
    assert_eq!(bench.toast(), "the disk is full");
}

#[test]
fn a_rejection_keeps_its_reason() {
    let mut bench = Bench::new();
    bench.press("r");
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
    bench.press("down e ctrl-s");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-3"), Standing::Pending);
    assert_eq!(bench.toast(), "nothing changed; press a to accept it as it is");
}

#[test]
fn an_edit_that_breaks_the_format_is_flagged() {
    let mut bench = Bench::new();
    bench.press("end e");
    bench.type_text(" and so on");
    bench.press("ctrl-s");
    assert_eq!(bench.toast(), "saved; still flagged: malformed");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-1"), Standing::Edited);
}

#[test]
fn undo_goes_back_to_what_was_decided_last() {
    let mut bench = Bench::new();
    bench.press("a right a u");
    assert_eq!((bench.front(), bench.toast()), ("p-1", "took back the last decision, on p-1"));
    assert_eq!(bench.standing(ItemKind::Pair, "p-1"), Standing::Pending);
    bench.press("u");
    assert_eq!((bench.front(), bench.standing(ItemKind::Rationale, "r-2")), ("r-2", Standing::Pending));
    bench.press("u");
    assert_eq!(bench.toast(), "you have no decision to take back");
}

#[test]
fn the_place_comes_back_at_the_next_start() {
    let mut bench = Bench::new();
    bench.press("down right left");
    let bookmark = bench.state.session().bookmarks[&PaneId::Review].clone();
    assert_eq!(bookmark, "rationale/r-3");
    let again = |bookmark: &str| {
        let mut state = workbench(PaneId::Review);
        state.review.return_to(bookmark);
        let loaded = carry_out(Effect::Load("anna".into()), &bench.workspace);
        let _ = tell(&mut state, app::Message::Review(loaded));
        state.review.selected().unwrap().id().to_owned()
    };
    assert_eq!((again(&bookmark), again("rationale/gone")), ("r-3".to_owned(), "r-2".to_owned()));
}

#[test]
fn a_text_that_came_in_anew_is_to_be_decided_again() {
    let mut bench = Bench::new();
    bench.press("home a");
    assert_eq!(bench.standing(ItemKind::Rationale, "r-2"), Standing::Accepted);
    let newer = RATIONALES.lines().find(|line| line.contains("r-2")).unwrap().replacen("<think>", "<think>Now ", 1);
    let source = ImportSource { name: "r.jsonl", bytes: newer.as_bytes(), format: None, dataset: None };
    assert!(bench.workspace.import(ImportKind::Rationales, source).unwrap().rejected.is_empty());
    bench.load();
    bench.press("home");
    assert_eq!(bench.front(), "r-2");
    let shown = screen(&bench.state, 200, 60);
    assert!(shown.contains("! was decided for another text"), "{shown}");
    bench.press("t");
    assert!(screen(&bench.state, 200, 60).contains("text changed since: 1 undecided of 1"));
    bench.press("esc a home");
    let shown = screen(&bench.state, 200, 60);
    assert!(!shown.contains("another text") && shown.contains("accepted by anna"), "{shown}");
}
