//! Two reviewers and a third, and accepting what shows no trouble.

use super::*;
use crate::reasoning::Trouble;

const TWO: &str = "[review]\nreviewers = 2\n";

impl Bench {
    fn two() -> Self {
        Self::with(TWO, &[(ImportKind::Rationales, "rationales.jsonl", RATIONALES)])
    }

    fn be(&mut self, name: &str) {
        self.state.shared.annotator = name.to_owned();
        self.load();
        self.press("home");
    }

    fn troubles(&self) -> &[Trouble] {
        self.state.review.selected().unwrap().troubles()
    }
}

#[test]
fn two_reviewers_are_blind_to_one_another_until_both_have_decided() {
    let mut bench = Bench::two();
    bench.press("r");
    bench.type_text("no");
    bench.press("enter home");
    assert!(screen(&bench.state, 80, 24).contains(">* fan <*>"), "{}", screen(&bench.state, 80, 24));
    assert!(screen(&bench.state, 200, 60).contains(">* 1 of 2   fan <*>"), "{}", screen(&bench.state, 200, 60));
    bench.be("bo");
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("[rationales 0/3]") && shown.contains(">. fan <*>"), "{shown}");
    assert!(!shown.contains("anna:") && !shown.contains("by anna"), "{shown}");
    bench.press("a home");
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("rejected by anna") && shown.contains("! reviewers disagree"), "{shown}");
}

#[test]
fn an_edit_of_another_reviewer_is_not_shown_before_ones_own_decision() {
    let mut bench = Bench::two();
    bench.press("end e alt-< home delete ctrl-s");
    bench.be("bo");
    bench.press("end");
    assert!(bench.troubles().is_empty(), "the text is the one that came");
    bench.press("a");
    let reviews = bench.workspace.reviews().unwrap();
    assert_eq!(reviews[&(ItemKind::Rationale, "r-1".to_owned())].verdict, Verdict::Accept);
}

#[test]
fn what_two_disagree_on_waits_for_a_third() {
    let mut bench = Bench::two();
    bench.press("a");
    bench.be("bo");
    bench.press("r enter home");
    bench.be("cleo");
    bench.press("t");
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("reviewers disagree: 1 undecided of 1"), "{shown}");
    bench.press("3");
    assert_eq!(bench.front(), "r-2");
    bench.press("r enter");
    let queue = bench.workspace.review_queue().unwrap();
    assert_eq!(queue.iter().find(|q| q.item.id() == "r-2").unwrap().standing(), Standing::Rejected);
    bench.load();
    assert!(
        screen(&bench.state, 200, 60).contains("; reviewers agree: 33 %, alpha "),
        "{}",
        screen(&bench.state, 200, 60)
    );
}

/// Rationales without trouble: too few of a length to compare, and each says something of its own.
fn clean(n: usize) -> String {
    let words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"];
    let row = |word: &str| {
        format!(
            r#"{{"id":"{word}","task":"anomaly","instruction":"Judge.","input":"{word} ended","label":"normal","reasoning":"<think>1. {word} {word} {word} ended.\n2. {word} is fine.</think><answer>normal</answer>"}}"#
        )
    };
    words[..n].iter().map(|word| row(word)).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_trouble_free_are_accepted_once_a_sample_was_decided() {
    let mut bench = Bench::with("", &[(ImportKind::Rationales, "r.jsonl", &clean(6))]);
    bench.press("A backspace");
    bench.type_text("2");
    bench.press("enter");
    assert_eq!(bench.toast(), "decide these 2 of 6 without trouble; then the rest can be accepted");
    assert!(screen(&bench.state, 80, 24).contains("; listed: the sample"));
    assert_eq!(bench.state.review.list().places().count(), 2);
    bench.press("a a");
    assert!(screen(&bench.state, 80, 24).contains("Accept the other 4"), "{}", screen(&bench.state, 80, 24));
    bench.press("y");
    let told = "accepted 4 rationales after a sample of 2, none rejected; u takes all back";
    assert_eq!(bench.toast(), told);
    let reviews = bench.workspace.reviews().unwrap();
    assert_eq!(reviews.len(), 6);
    let bulk = reviews.values().filter_map(|review| review.reason.as_deref()).count();
    assert_eq!(bulk, 4, "the reason says how");
    bench.press("u");
    assert_eq!(bench.toast(), "took back the last decision, on 4 rationales at once");
    assert_eq!(bench.workspace.reviews().unwrap().len(), 2, "what was decided one by one stays");
    assert!(screen(&bench.state, 80, 24).contains("[rationales 2/6]"), "{}", screen(&bench.state, 80, 24));
    bench.press("u");
    assert_eq!(bench.workspace.reviews().unwrap().len(), 1);
}

#[test]
fn a_sample_with_a_rejection_accepts_nothing_more() {
    let mut bench = Bench::with("", &[(ImportKind::Rationales, "r.jsonl", &clean(6))]);
    bench.press("A backspace");
    bench.type_text("2");
    bench.press("enter a r");
    bench.press("enter");
    bench.press("y");
    assert!(bench.toast().contains("1 of the sample of 2 were rejected"), "{}", bench.toast());
    assert_eq!(bench.workspace.reviews().unwrap().len(), 2);
}

#[test]
fn a_sample_needs_a_number() {
    let mut bench = Bench::with("", &[(ImportKind::Rationales, "r.jsonl", &clean(3))]);
    bench.press("A backspace");
    bench.type_text("some");
    bench.press("enter");
    assert_eq!(bench.toast(), "\"some\" is no number of items");
    bench.press("l A");
    assert_eq!(bench.toast(), "no pair without trouble waits for you");
}

#[test]
fn what_others_decide_meanwhile_comes_with_ones_own_decision() {
    let mut bench = Bench::with("", &[(ImportKind::Rationales, "r.jsonl", &clean(4))]);
    let review = |item: &str| crate::workspace::NewReview::new(ItemKind::Rationale, item, "bo", Verdict::Reject);
    bench.workspace.review(&[review("delta")]).unwrap();
    bench.press("a");
    assert!(screen(&bench.state, 80, 24).contains("[rationales 2/4]"), "{}", screen(&bench.state, 80, 24));
    bench.workspace.review(&[review("charlie")]).unwrap();
    bench.workspace.undo_review("bo").unwrap();
    bench.press("a");
    assert!(screen(&bench.state, 80, 24).contains("[rationales 3/4]"), "{}", screen(&bench.state, 80, 24));
}

#[test]
fn what_a_copy_brings_in_comes_with_ones_own_decision_too() {
    let mut bench = Bench::with("", &[(ImportKind::Rationales, "r.jsonl", &clean(4))]);
    let dir = tempfile::tempdir().unwrap();
    let other = crate::workspace::Workspace::init(&dir.path().join("other")).unwrap();
    other.merge(bench.workspace.dir()).unwrap();
    // Said before the newest decision here, and come in after it.
    other.review(&[crate::workspace::NewReview::new(ItemKind::Rationale, "delta", "bo", Verdict::Reject)]).unwrap();
    bench.press("a");
    bench.workspace.merge(other.dir()).unwrap();
    bench.press("a");
    assert!(screen(&bench.state, 80, 24).contains("[rationales 3/4]"), "{}", screen(&bench.state, 80, 24));
    // So do items.
    let line = clean(5).lines().last().unwrap().to_owned();
    let source =
        crate::workspace::ImportSource { name: "r.jsonl", bytes: line.as_bytes(), format: None, dataset: None };
    assert_eq!(bench.workspace.import(ImportKind::Rationales, source).unwrap().imported, 1);
    bench.press("a");
    assert!(screen(&bench.state, 80, 24).contains("[rationales 4/5]"), "{}", screen(&bench.state, 80, 24));
}

#[test]
fn a_screen_that_shows_no_others_breaks_no_tie() {
    let settings = "[review]\nreviewers = 2\n";
    let mut bench = Bench::with(settings, &[(ImportKind::Rationales, "r.jsonl", &clean(1))]);
    let id = bench.front().to_owned();
    let say = |by: &str, verdict| {
        let review = crate::workspace::NewReview::new(ItemKind::Rationale, &id, by, verdict);
        bench.workspace.review(&[review]).unwrap();
    };
    let edit = |n: u32| Verdict::Edit(format!("<think>1. Reading {n}.</think><answer>normal</answer>"));
    say("bo", edit(1));
    say("cy", edit(2));
    // The screen was read before, and shows neither.
    bench.press("r enter");
    let standing = |bench: &Bench| bench.workspace.review_queue().unwrap()[0].standing();
    assert_eq!(standing(&bench), Standing::Pending, "three who knew nothing of one another");
    // Now it shows all three.
    bench.press("a");
    assert_eq!(standing(&bench), Standing::Accepted, "as it was shown");
}
