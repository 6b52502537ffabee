use super::*;
use crate::labels::Label;
use crate::logs::TemplateKey;
use crate::reasoning::{Decided, ItemKind, Rationale, ReviewRule, Reviewable, Standing, Task, Thought};
use proptest::prelude::*;
use serde_json::{Map, json};

fn rationale(id: &str, input: &str, reasoning: &str, answer: &str) -> Rationale {
    Rationale {
        id: id.into(),
        task: Task::Anomaly,
        instruction: String::new(),
        input: input.into(),
        label: answer.into(),
        category: None,
        reasoning: format!("<think>{reasoning}</think><answer>{answer}</answer>"),
        source: None,
        attributes: Map::new(),
    }
}

fn gold(rows: &[(&str, &str, Label)]) -> GoldByText {
    let rows: Vec<(TemplateKey, &str, Label)> = (1..)
        .zip(rows)
        .map(|(id, (dataset, text, label))| (TemplateKey::new(*dataset, format!("{id}")), *text, *label))
        .collect();
    GoldByText::of(rows.iter().map(|(key, text, label)| (key, *text, *label)))
}

fn decided(item: &Reviewable, gold: &GoldByText) -> Decided {
    Decided::of(item, &[], gold.truth(item).and_then(|truth| truth.label), 1)
}

fn all(items: &[Rationale], gold: GoldByText) -> Vec<Findings> {
    let items: Vec<Reviewable> = items.iter().cloned().map(Reviewable::Rationale).collect();
    let beside: Vec<Beside<'_>> = items.iter().map(|current| Beside { current, standing: Standing::Pending }).collect();
    let background = Background::of(&beside, gold.clone(), ReviewRule::default());
    items.iter().map(|item| background.findings(item, &decided(item, &gold))).collect()
}

fn one(item: Rationale, gold: GoldByText) -> Findings {
    all(&[item], gold).remove(0)
}

#[test]
fn free_text_is_held_against_its_reference_and_without_one_it_is_unchecked() {
    let found = |answer: &str, label: &str, rule: ReviewRule| {
        let item = Rationale {
            task: Task::RootCause,
            label: label.into(),
            ..rationale("r", "psu down", "1. a\n2. b", answer)
        };
        let item = Reviewable::Rationale(item);
        let beside = [Beside { current: &item, standing: Standing::Pending }];
        let background = Background::of(&beside, GoldByText::default(), rule);
        let decided = decided(&item, &GoldByText::default());
        background.findings(&item, &decided)
    };
    let rule = ReviewRule::default();
    let right = found("a power supply failure", "Power supply abnormal.", rule);
    assert!(right.is_clear() && right.troubles.is_empty());
    let wrong = found("the fan failed", "Power supply abnormal.", rule);
    assert_eq!((wrong.troubles.as_slice(), wrong.unchecked), (&[Trouble::AnswerMismatch][..], false));
    let strict = ReviewRule { same_answer: 0.9, ..rule };
    assert_eq!(found("a power supply failure", "Power supply abnormal.", strict).troubles, [Trouble::AnswerMismatch]);
    let unchecked = found("the fan failed", "", rule);
    assert!(unchecked.troubles.is_empty() && unchecked.unchecked && !unchecked.is_clear());
    assert!(ReviewRule { same_answer: 0.0, ..rule }.complaint().is_some());
}

#[test]
fn gold_wins_over_the_items_own_label_whatever_the_white_space() {
    let item = rationale("r", "kernel  panic on <*>", "It stopped.", "normal");
    let found = one(item.clone(), gold(&[("bgl", "kernel panic on <*> ", Label::Abnormal)]));
    assert_eq!(found.troubles, [Trouble::AnswerMismatch, Trouble::LabelChanged]);
    let truth = found.truth.unwrap();
    assert_eq!((truth.answer.as_str(), truth.source), ("abnormal", TruthSource::Gold));
    assert_eq!(truth.templates, [TemplateKey::new("bgl", "1")]);
    assert!(one(item, gold(&[("bgl", "another text", Label::Abnormal)])).troubles.is_empty());
}

#[test]
fn templates_that_share_a_text_and_disagree_are_told_and_the_own_label_decides() {
    let both = || gold(&[("bgl", "link down", Label::Abnormal), ("spirit", "link down", Label::Normal)]);
    let mut item = rationale("r", "link down", "It is down.", "normal");
    assert_eq!(one(item.clone(), both()).troubles, [Trouble::GoldDivided]);
    item.attributes.insert("dataset".into(), json!("bgl"));
    assert_eq!(one(item.clone(), both()).troubles, [Trouble::AnswerMismatch, Trouble::LabelChanged]);
    item.attributes.insert("dataset".into(), json!("spirit"));
    item.attributes.insert("template".into(), json!("2"));
    item.input = "link down as it was written in the log".into();
    assert!(one(item, both()).troubles.is_empty());
}

#[test]
fn gold_says_nothing_of_other_tasks() {
    let mut item = rationale("r", "link down", "x", "normal");
    (item.task, item.label) = (Task::FailurePrediction, "false".into());
    assert!(one(item, gold(&[("bgl", "link down", Label::Abnormal)])).troubles.is_empty());
}

#[test]
fn a_claim_that_the_log_does_not_contain_is_placed_in_the_text() {
    let item = rationale(
        "r",
        "kernel panic on node 7",
        "1. It says \"kernel panic\".\n2. Node 9 is down, so \"abnormal\".",
        "abnormal",
    );
    let text = item.reasoning.clone();
    let found = one(item, GoldByText::default());
    assert_eq!(found.troubles, [Trouble::Ungrounded]);
    let claim = &found.ungrounded[0];
    assert_eq!((found.ungrounded.len(), claim.step, &text[claim.range.clone()]), (1, 2, "9"));
}

#[test]
fn the_later_of_two_that_say_the_same_is_flagged_and_an_accepted_one_comes_first() {
    let say = |id: &str, what: &str| {
        rationale(id, "x", &format!("The daemon lost its connection to the {what} and did not come back."), "abnormal")
    };
    let items = [say("a", "server"), say("b", "server"), rationale("c", "x", "Quite another thing.", "normal")];
    let found = all(&items, GoldByText::default());
    assert_eq!(
        found.iter().map(|found| found.near.as_ref().map(|near| near.id.as_str())).collect::<Vec<_>>(),
        [None, Some("a"), None]
    );
    assert_eq!(found[1].troubles, [Trouble::NearDuplicate]);

    let items: Vec<Reviewable> = items.into_iter().map(Reviewable::Rationale).collect();
    let standing = |place| if place == 1 { Standing::Accepted } else { Standing::Pending };
    let beside: Vec<Beside<'_>> =
        items.iter().enumerate().map(|(place, current)| Beside { current, standing: standing(place) }).collect();
    let background = Background::of(&beside, GoldByText::default(), ReviewRule::default());
    let near = |place: usize| {
        let found = background.findings(&items[place], &decided(&items[place], &GoldByText::default()));
        found.near.map(|near| near.id)
    };
    assert_eq!((near(0).as_deref(), near(1)), (Some("b"), None));
    let edited = items[0].clone().with_text("<think>Rewritten from scratch.</think><answer>abnormal</answer>");
    assert!(background.findings(&edited, &decided(&edited, &GoldByText::default())).near.is_none());
}

#[test]
fn far_longer_or_shorter_than_the_median_of_the_task_is_flagged() {
    let words =
        |n: usize| (0..n).map(|word| format!("w{word}x")).collect::<Vec<_>>().join(" ").replace(char::is_numeric, "a");
    let mut items: Vec<Rationale> =
        (0..10).map(|n| rationale(&format!("{n}"), "x", &words(20 + n), "normal")).collect();
    items.push(rationale("long", "x", &words(80), "normal"));
    items.push(rationale("short", "x", &words(2), "normal"));
    let found = all(&items, GoldByText::default());
    let flagged = |trouble| {
        items
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.troubles.contains(&trouble))
            .map(|(item, _)| item.id.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(flagged(Trouble::TooLong), ["long"]);
    assert_eq!(flagged(Trouble::TooShort), ["short"]);
    assert!(
        all(&items[9..], GoldByText::default()).iter().all(|found| found.length.is_none()),
        "too few to compare with"
    );
}

#[test]
fn a_thought_is_held_against_no_label_and_no_log() {
    let thought = Reviewable::Thought(Thought {
        id: "t".into(),
        task: Task::Anomaly,
        problem: "p".into(),
        analysis: "a".into(),
        challenge: "Hard: 17 of \"them\".".into(),
        steps: vec!["Look.".into(), "Judge.".into()],
        attributes: Map::new(),
    });
    let found = Background::default().findings(&thought, &decided(&thought, &GoldByText::default()));
    assert_eq!(found, Findings::default());
    assert_eq!(thought.kind(), ItemKind::Thought);
}

#[test]
fn names_of_troubles_are_read_as_they_are_written() {
    for trouble in Trouble::ALL {
        assert_eq!(trouble.name().parse(), Ok(trouble));
        assert_eq!(serde_json::to_value(trouble).unwrap(), json!(trouble.name()));
    }
    assert!(Trouble::ALL.is_sorted());
    assert_eq!("duplicates".parse(), Ok(Trouble::NearDuplicate));
    assert!("boredom".parse::<Trouble>().is_err());
}

proptest! {
    #[test]
    fn any_text_is_judged_and_claims_lie_where_they_say(text in "(<think>|</think>|<answer>normal</answer>|\"|1\\. |é|7|R02-M1|\\PC|\n){0,24}") {
        let item = Reviewable::Rationale(Rationale { reasoning: text.clone(), ..rationale("r", "x", "", "normal") });
        let found = Background::default().findings(&item, &decided(&item, &GoldByText::default()));
        for claim in found.ungrounded {
            prop_assert_eq!(&text[claim.range.clone()], claim.text.as_str());
        }
        prop_assert!(found.troubles.is_sorted());
    }
}
