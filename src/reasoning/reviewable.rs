//! The three kinds of things that are reviewed, seen as one: what they are called, what is wrong with them at first
//! sight, and which text of theirs an edit changes.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ItemKind, Pair, Rationale, Task, Thought, Trouble, answer_label};
use crate::labels::Label;

/// Something that a reviewer accepts, edits or rejects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reviewable {
    /// A rationale.
    Rationale(Rationale),
    /// A preference pair.
    Pair(Pair),
    /// A thought.
    Thought(Thought),
}

impl Reviewable {
    /// What it is.
    pub fn kind(&self) -> ItemKind {
        match self {
            Self::Rationale(_) => ItemKind::Rationale,
            Self::Pair(_) => ItemKind::Pair,
            Self::Thought(_) => ItemKind::Thought,
        }
    }

    /// Its id, which is its own among the items of its kind.
    pub fn id(&self) -> &str {
        match self {
            Self::Rationale(rationale) => &rationale.id,
            Self::Pair(pair) => &pair.id,
            Self::Thought(thought) => &thought.id,
        }
    }

    /// What it is about.
    pub fn task(&self) -> Task {
        match self {
            Self::Rationale(rationale) => rationale.task,
            Self::Pair(pair) => pair.task,
            Self::Thought(thought) => thought.task,
        }
    }

    /// The log, or the problem, that it starts from.
    pub fn input(&self) -> &str {
        match self {
            Self::Rationale(rationale) => &rationale.input,
            Self::Pair(pair) => &pair.input,
            Self::Thought(thought) => &thought.problem,
        }
    }

    /// What it is known by in a list: the log that it is about, or a thought's challenge.
    pub fn headline(&self) -> &str {
        match self {
            Self::Rationale(rationale) => &rationale.input,
            Self::Pair(pair) => &pair.input,
            Self::Thought(thought) => &thought.challenge,
        }
    }

    /// The label that it came with, where it asks for one: normal or abnormal.
    pub fn label(&self) -> Option<Label> {
        match self {
            Self::Rationale(item) if item.task == Task::Anomaly => answer_label(&item.label),
            Self::Pair(item) if item.task == Task::Anomaly => answer_label(&item.label),
            Self::Rationale(_) | Self::Pair(_) | Self::Thought(_) => None,
        }
    }

    /// The same thing with `label` for its label, where it asks for one and that is known.
    #[must_use]
    pub fn labelled(mut self, label: Option<Label>) -> Self {
        let Some(label) = label.filter(|&label| self.task() == Task::Anomaly && self.label() != Some(label)) else {
            return self;
        };
        match &mut self {
            Self::Rationale(item) => {
                item.label = label.as_str().to_owned();
                item.category = item.category.take().filter(|_| label == Label::Abnormal);
            }
            Self::Pair(item) => item.label = label.as_str().to_owned(),
            Self::Thought(_) => {}
        }
        self
    }

    /// The text whose steps reviewers mark: a rationale's reasoning, a pair's rejected side; a thought has none.
    pub fn marked_text(&self) -> Option<&str> {
        match self {
            Self::Rationale(rationale) => Some(&rationale.reasoning),
            Self::Pair(pair) => Some(&pair.rejected),
            Self::Thought(_) => None,
        }
    }

    /// What is wrong with it at first sight.
    pub fn troubles(&self) -> Vec<Trouble> {
        match self {
            Self::Rationale(rationale) => rationale.troubles(),
            Self::Pair(pair) => pair.troubles(),
            Self::Thought(_) => self.troubles_against(""),
        }
    }

    /// What is wrong with it at first sight where `truth` is the right answer.
    pub fn troubles_against(&self, truth: &str) -> Vec<Trouble> {
        match self {
            Self::Rationale(rationale) => rationale.troubles_against(truth),
            Self::Pair(pair) => pair.troubles_against(truth),
            Self::Thought(thought) => {
                let whole = !thought.challenge.trim().is_empty() && thought.steps.len() >= 2;
                if whole { Vec::new() } else { vec![Trouble::Malformed] }
            }
        }
    }

    /// The text that an edit changes: a rationale's reasoning, a pair's chosen side, a thought's challenge and then its
    /// steps, a line each.
    pub fn text(&self) -> String {
        match self {
            Self::Rationale(rationale) => rationale.reasoning.clone(),
            Self::Pair(pair) => pair.chosen.clone(),
            Self::Thought(thought) => {
                let lines = std::iter::once(&thought.challenge).chain(&thought.steps);
                lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// What tells the text that a review judges from any other of the same id: half of the SHA-256, in hexadecimal, of the task, the
    /// question, the log and all text that an edit may change; and the right answer, but for normal and abnormal, which have a rule
    /// of their own. Attributes are nothing that is judged. It stands in stored reviews: what goes into it must never change.
    pub fn judged(&self) -> String {
        let of = match self {
            Self::Rationale(item) => {
                (item.task, &item.instruction, &item.input, [item.reasoning.clone(), String::new()])
            }
            Self::Pair(item) => {
                (item.task, &item.instruction, &item.input, [item.chosen.clone(), item.rejected.clone()])
            }
            Self::Thought(item) => (item.task, &item.problem, &item.challenge, [item.steps.join("\n"), String::new()]),
        };
        let mut content = serde_json::to_vec(&of).expect("texts are plain data");
        if let (None, Self::Rationale(Rationale { label, .. }) | Self::Pair(Pair { label, .. })) = (self.label(), self)
        {
            content.extend(label.as_bytes());
        }
        Sha256::digest(content).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The same thing with `text` in place of [`Reviewable::text`]; a pair's may hold its rejected side too
    /// ([`Pair::edit`]).
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        match &mut self {
            Self::Rationale(rationale) => rationale.reasoning = text.to_owned(),
            Self::Pair(pair) => pair.take_edit(text),
            Self::Thought(thought) => {
                let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
                thought.challenge = lines.next().unwrap_or_default();
                thought.steps = lines.collect();
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn thought(challenge: &str, steps: &[&str]) -> Reviewable {
        Reviewable::Thought(Thought {
            id: "t".into(),
            task: Task::Anomaly,
            problem: "p".into(),
            analysis: "a".into(),
            challenge: challenge.into(),
            steps: steps.iter().map(|&step| step.to_owned()).collect(),
            attributes: serde_json::Map::new(),
        })
    }

    #[test]
    fn a_thought_is_edited_as_its_challenge_and_a_step_a_line() {
        let before = thought("Hard.", &["One.", "Two."]);
        assert_eq!(before.text(), "Hard.\nOne.\nTwo.");
        assert_eq!(before.with_text("Harder.\n\n  One.\nThree.\n"), thought("Harder.", &["One.", "Three."]));
    }

    #[test]
    fn an_edit_may_leave_trouble() {
        let edited = thought("Hard.", &["One.", "Two."]).with_text("Easy.\nGo.");
        assert_eq!(edited.text(), "Easy.\nGo.");
        assert_eq!(edited.troubles(), [Trouble::Malformed]);
    }

    #[test]
    fn what_is_judged_is_the_text_and_neither_label_nor_attributes() {
        let pair = |chosen: &str, rejected: &str, label: &str, note: &str| {
            Reviewable::Pair(Pair {
                id: "p".into(),
                task: Task::Anomaly,
                instruction: "Judge.".into(),
                input: "x".into(),
                label: label.into(),
                chosen: chosen.into(),
                rejected: rejected.into(),
                first_wrong_step: 1,
                attributes: [("note".to_owned(), note.into())].into_iter().collect(),
            })
            .judged()
        };
        let judged = pair("a", "b", "normal", "1");
        assert_eq!(judged, "f5004a26ca1ad3a1d96f5d265980e548", "it is in stores");
        assert_eq!(pair("a", "b", "abnormal", "2"), judged);
        for other in [pair("ab", "b", "normal", "1"), pair("a", "c", "normal", "1"), pair("", "ab", "normal", "1")] {
            assert_ne!(other, judged);
        }
        assert_ne!(thought("c", &["s", "t"]).judged(), thought("c", &["s", "u"]).judged());
    }

    #[test]
    fn what_has_no_rule_of_its_own_for_labels_is_judged_with_its_label() {
        let cause = |label: &str| {
            let (instruction, input) = ("Why?".to_owned(), "fan 2 stopped".to_owned());
            let reasoning = "<think>1. Dust.</think><answer>dust</answer>".to_owned();
            Reviewable::Rationale(Rationale {
                id: "c".into(),
                task: Task::RootCause,
                instruction,
                input,
                label: label.into(),
                category: None,
                reasoning,
                source: None,
                attributes: serde_json::Map::new(),
            })
            .judged()
        };
        assert_ne!(cause("dust"), cause("a cable"));
    }

    #[test]
    fn the_kind_stands_in_the_json() {
        let json = serde_json::to_value(thought("c", &["s", "t"])).unwrap();
        assert_eq!((json["kind"].as_str(), json["id"].as_str()), (Some("thought"), Some("t")));
    }

    proptest! {
        #[test]
        fn an_edit_that_changes_nothing_changes_nothing(challenge in "[a-z ]{1,9}\\.", steps in prop::collection::vec("[a-z]{1,9}", 0..5)) {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            let item = thought(challenge.trim(), &steps);
            let text = item.text();
            prop_assert_eq!(item.with_text(&text).text(), text);
        }
    }
}
