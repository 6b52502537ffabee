//! What should hold of a preference pair, checked.

use serde::Serialize;

use super::{ItemError, Pair, Parsed, Task, Trouble, parse};
use crate::labels::near_duplicates::similarity;

/// From this similarity on, a step says again what another one said.
const SAID_AGAIN: f64 = 0.8;

/// Words by which a trajectory turns round: it says that what it said before was wrong.
const TURNS: [&str; 19] = [
    "wait",
    "but",
    "however",
    "actually",
    "instead",
    "mistake",
    "mistaken",
    "wrong",
    "wrongly",
    "reconsider",
    "rather",
    "cannot",
    "contradicts",
    "incorrect",
    "drop",
    "discard",
    "exclude",
    "no",
    "not",
];

/// What should hold of a pair, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PairCheck {
    /// Both sides read the same, to the byte, before the first wrong step.
    pub prefix: bool,
    /// The chosen side answers with the label, and the rejected one does not.
    pub answers: bool,
    /// Both sides keep the format.
    pub format: bool,
    /// Where the sides part, the chosen one says that something is wrong.
    pub reflection: bool,
    /// From there on, the chosen side does not say the wrong step again.
    pub exclusion: bool,
}

impl PairCheck {
    /// Whether everything holds that a pair cannot do without; reflection and exclusion are matters of wording.
    pub fn all(self) -> bool {
        self.prefix && self.answers && self.format
    }
}

impl Pair {
    /// Checks that the first wrong step is one of the rejected side's.
    ///
    /// # Errors
    /// [`ItemError::FirstWrongStep`] where it is not.
    pub fn validate(&self) -> Result<(), ItemError> {
        let steps = parse(&self.rejected).steps.len();
        let step = self.first_wrong_step;
        if (1..=steps).contains(&step) { Ok(()) } else { Err(ItemError::FirstWrongStep { step, steps }) }
    }

    /// What is wrong with it at first sight.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.troubles_against(&self.label)
    }

    /// What is wrong with it at first sight where `truth` is the right answer.
    pub fn troubles_against(&self, truth: &str) -> Vec<Trouble> {
        let check = self.check_against(truth);
        let found = [
            (check.answers, Trouble::AnswerMismatch),
            (check.format, Trouble::Malformed),
            (check.prefix, Trouble::PrefixDiffers),
        ];
        found.into_iter().filter_map(|(holds, trouble)| (!holds).then_some(trouble)).collect()
    }

    /// What holds of this pair.
    pub fn check(&self) -> PairCheck {
        self.check_against(&self.label)
    }

    /// What holds of this pair where `truth` is the right answer.
    pub fn check_against(&self, truth: &str) -> PairCheck {
        let (chosen, rejected) = (parse(&self.chosen), parse(&self.rejected));
        let shared = self.first_wrong_step.saturating_sub(1);
        let wrong = rejected.steps.get(shared).map_or("", |step| step.text.as_str());
        let revised = || chosen.steps.iter().skip(shared);
        PairCheck {
            prefix: chosen.steps.len() > shared
                && before(&self.chosen, &chosen, shared) == before(&self.rejected, &rejected, shared),
            answers: answers(self.task, &chosen, &rejected, truth),
            format: chosen.format_ok && rejected.format_ok,
            reflection: revised().take(2).any(|step| turns(&step.text)),
            exclusion: !wrong.is_empty() && revised().all(|step| similarity(&step.text, wrong) < SAID_AGAIN),
        }
    }
}

/// The text up to the end of the last shared step; `None` where there are fewer steps.
fn before<'a>(text: &'a str, parsed: &Parsed, shared: usize) -> Option<&'a str> {
    match shared.checked_sub(1) {
        None => Some(""),
        Some(last) => parsed.steps.get(last).map(|step| &text[..step.range.end]),
    }
}

fn answers(task: Task, chosen: &Parsed, rejected: &Parsed, truth: &str) -> bool {
    let right = |parsed: &Parsed| {
        let answer = parsed.answer.as_deref();
        answer.map(|answer| task.answers(answer, truth))
    };
    match (right(chosen), right(rejected)) {
        // Free text: all that can be told is that there are answers, and that they differ.
        (Some(None), Some(None)) => chosen.answer != rejected.answer,
        (Some(None), None) => true,
        (chosen, rejected) => chosen == Some(Some(true)) && rejected != Some(Some(true)),
    }
}

fn turns(step: &str) -> bool {
    step.split(|c: char| !c.is_alphanumeric()).any(|word| TURNS.contains(&word.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        Pair {
            id: "p".into(),
            task: Task::Anomaly,
            instruction: String::new(),
            input: "x".into(),
            label: "abnormal".into(),
            chosen: "<solutions>1. a\n2. But wait, c</solutions><answer>abnormal</answer>".into(),
            rejected: "<solutions>1. a\n2. b</solutions><answer>normal</answer>".into(),
            first_wrong_step: 2,
            attributes: serde_json::Map::new(),
        }
    }

    #[test]
    fn a_pair_shares_everything_before_the_first_wrong_step() {
        let mut pair = pair();
        assert!(pair.check().all() && pair.check().reflection && pair.check().exclusion);
        assert_eq!(pair.validate(), Ok(()));
        pair.first_wrong_step = 3;
        assert!(!pair.check().prefix);
        assert_eq!(pair.validate(), Err(ItemError::FirstWrongStep { step: 3, steps: 2 }));
    }

    #[test]
    fn the_shared_prefix_is_the_same_to_the_byte() {
        let mut pair = pair();
        pair.chosen = pair.chosen.replacen("1. a", " 1. a", 1);
        assert_eq!(pair.troubles(), [Trouble::PrefixDiffers]);
    }

    #[test]
    fn a_chosen_side_that_goes_on_as_before_neither_reflects_nor_excludes() {
        let mut pair = pair();
        pair.chosen = "<solutions>1. a\n2. b\n3. d</solutions><answer>abnormal</answer>".into();
        let check = pair.check();
        assert!(check.all() && !check.reflection && !check.exclusion);
    }

    #[test]
    fn gold_turns_the_answers_round() {
        assert_eq!(pair().troubles_against("normal"), [Trouble::AnswerMismatch]);
    }

    #[test]
    fn answers_in_free_text_must_only_differ() {
        let mut pair = pair();
        pair.task = Task::RootCause;
        pair.label = "the cable".into();
        assert!(pair.check().answers);
        pair.rejected = pair.rejected.replace("<answer>normal", "<answer>abnormal");
        assert!(!pair.check().answers);
    }
}
