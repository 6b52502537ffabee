//! A correction: which step of a wrong trajectory is the first wrong one, why, and how it goes on from there – and the
//! preference pair that this makes (LogReasoner's calibration).
//!
//! The chosen side is the wrong trajectory to the byte up to that step, and the revision from there: it first says what is
//! wrong ("But wait, …"), leaves it out, and goes on to the true answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ItemError, Pair, Rationale, Step, parse};
use crate::logs::made_id;

/// Opening braces of a reply that are tried as the start of its object.
const BRACES: usize = 64;

/// What a teacher says of a wrong trajectory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Correction {
    /// The first wrong step, from 1.
    pub first_wrong_step: usize,
    /// Why it is wrong.
    pub why: String,
    /// The steps in its place and after it, without numbers; the first says what is wrong.
    pub revision: Vec<String>,
    /// The answer that they lead to.
    pub answer: String,
}

/// Why a reply makes no pair. Texts from outside stand in it: it is not safe to print as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// No such object in the reply.
    #[error("the reply is not the JSON object that was asked for: {0}")]
    Form(String),
    /// The trajectory itself cannot be taken apart.
    #[error("the wrong trajectory does not keep the format: there are no steps to correct")]
    Trajectory,
    /// A step that is not there.
    #[error(transparent)]
    Step(#[from] ItemError),
    /// The revision does not say that something is wrong.
    #[error("the revision does not begin with \"But wait, …\"")]
    NoReflection,
    /// The revision says the wrong step again.
    #[error("the revision says the wrong step again")]
    NotExcluded,
    /// The revision leads to another answer.
    #[error("the revision answers {0:?}, not {1:?}")]
    Answer(String, String),
    /// The sides do not share what comes before the wrong step.
    #[error("the revision does not join the steps before it")]
    Prefix,
}

/// The object as teachers write it.
#[derive(Deserialize)]
struct Written {
    first_wrong_step: Number,
    #[serde(default)]
    why: String,
    revision: Steps,
    answer: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(usize),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Steps {
    Listed(Vec<String>),
    Text(String),
}

impl Correction {
    /// Reads a reply: the last JSON object in it that has the parts of a correction, whatever stands around it.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(reply: &str) -> Result<Self, CorrectionError> {
        let mut why = "there is no { in it".to_owned();
        let braces: Vec<usize> = reply.match_indices('{').map(|(at, _)| at).collect();
        for &at in braces.iter().rev().take(BRACES) {
            match serde_json::Deserializer::from_str(&reply[at..]).into_iter::<Written>().next() {
                Some(Ok(written)) => return Self::of(written),
                Some(Err(error)) => why = error.to_string(),
                None => {}
            }
        }
        Err(CorrectionError::Form(why))
    }

    fn of(written: Written) -> Result<Self, CorrectionError> {
        let first_wrong_step = match written.first_wrong_step {
            Number::Number(step) => step,
            Number::Text(text) => {
                let digits = text.trim().trim_start_matches(|c: char| !c.is_ascii_digit());
                digits.parse().map_err(|_| CorrectionError::Form(format!("{text:?} is no number of a step")))?
            }
        };
        let steps = match written.revision {
            Steps::Listed(steps) => steps,
            Steps::Text(text) => parse(&text).steps.into_iter().map(|step| step.text).collect(),
        };
        let revision: Vec<String> = steps.iter().map(|step| clean(step)).filter(|step| !step.is_empty()).collect();
        if revision.is_empty() {
            return Err(CorrectionError::Form("the revision is empty".into()));
        }
        let answer = defused(written.answer.trim());
        Ok(Self { first_wrong_step, why: clean(&written.why), revision, answer })
    }

    /// The pair that this makes of a wrong trajectory, whose label is the truth; everything that should hold of a pair holds
    /// of it ([`PairCheck`](super::PairCheck)). `teacher` names who corrected it.
    ///
    /// # Errors
    /// What does not hold.
    pub fn pair(&self, wrong: &Rationale, teacher: &str) -> Result<Pair, CorrectionError> {
        let parsed = parse(&wrong.reasoning);
        if !parsed.format_ok || parsed.steps.is_empty() {
            return Err(CorrectionError::Trajectory);
        }
        let (step, steps) = (self.first_wrong_step, parsed.steps.len());
        if !(1..=steps).contains(&step) {
            return Err(ItemError::FirstWrongStep { step, steps }.into());
        }
        if wrong.task.answers(&self.answer, &wrong.label) == Some(false) {
            return Err(CorrectionError::Answer(self.answer.clone(), wrong.label.clone()));
        }
        if !self.reflects() {
            return Err(CorrectionError::NoReflection);
        }
        let chosen = self.join(&wrong.reasoning, &parsed.steps).ok_or(CorrectionError::Trajectory)?;
        let id = made_id("pair", &format!("{}\n{chosen}\n{}", wrong.input, wrong.reasoning));
        let pair = Pair {
            id,
            task: wrong.task,
            instruction: wrong.instruction.clone(),
            input: wrong.input.clone(),
            label: wrong.label.clone(),
            chosen,
            rejected: wrong.reasoning.clone(),
            first_wrong_step: step,
            attributes: self.attributes(wrong, teacher),
        };
        let check = pair.check();
        let broken = || CorrectionError::Form("the revision breaks the format".into());
        let answer = || CorrectionError::Answer(self.answer.clone(), wrong.label.clone());
        let checks = [
            (check.prefix, CorrectionError::Prefix),
            (check.format, broken()),
            (check.answers, answer()),
            (check.reflection, CorrectionError::NoReflection),
            (check.exclusion, CorrectionError::NotExcluded),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(pair), |(_, why)| Err(why))
    }

    /// Whether the first revised step turns round in so many words.
    fn reflects(&self) -> bool {
        let first = self.revision.first().map_or("", String::as_str);
        let mut words = first.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.by_ref().take(3).any(|word| word.eq_ignore_ascii_case("wait"))
    }

    /// The wrong text up to the wrong step, and the revision after it, in the text's own way of numbering and closing.
    fn join(&self, text: &str, steps: &[Step]) -> Option<String> {
        let at = self.first_wrong_step - 1;
        let between = |before: usize| &text[steps[before].range.end..steps[before + 1].range.start];
        let gap = match (at, steps.len()) {
            (0, 1) => "\n",
            (0, _) => between(0),
            _ => between(at - 1),
        };
        let numbering = Numbering::of(&steps[at].text);
        let revision: Vec<String> =
            (0..).zip(&self.revision).map(|(more, step)| numbering.put(more, &capital(step))).collect();
        let rest = &text[steps.last()?.range.end..];
        let answer = rest.find("<answer>")? + "<answer>".len();
        let (head, tail) = (&text[..steps[at].range.start], &rest[..answer]);
        Some(format!("{head}{}{tail}{}</answer>", revision.join(gap), self.answer))
    }

    fn attributes(&self, wrong: &Rationale, teacher: &str) -> Map<String, Value> {
        let mut attributes = Map::new();
        for name in ["dataset", "template"] {
            if let Some(value) = wrong.attributes.get(name) {
                attributes.insert(name.into(), value.clone());
            }
        }
        attributes.insert("source".into(), json!("teacher"));
        attributes.insert("teacher".into(), json!(teacher));
        attributes.insert("corrects".into(), json!(wrong.id));
        attributes.insert("why".into(), json!(self.why));
        attributes
    }
}

/// How a text numbers its steps.
#[derive(Debug, PartialEq, Eq)]
enum Numbering {
    /// What stands before the number, the first number, and what stands after it.
    Counted(&'static str, usize, String),
    Dashes,
    None,
}

impl Numbering {
    fn of(step: &str) -> Self {
        if step.starts_with("- ") {
            return Self::Dashes;
        }
        let (before, rest) = match step.get(..5).filter(|word| word.eq_ignore_ascii_case("step ")) {
            Some(_) => ("Step ", &step[5..]),
            None => ("", step),
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let mark = rest[digits..].chars().next().filter(|mark| ".):".contains(*mark));
        match (rest[..digits].parse(), mark) {
            (Ok(number), Some(mark)) if digits <= 2 => Self::Counted(before, number, format!("{mark} ")),
            _ => Self::None,
        }
    }

    fn put(&self, more: usize, step: &str) -> String {
        match self {
            Self::Counted(before, first, after) => format!("{before}{}{after}{step}", first + more),
            Self::Dashes => format!("- {step}"),
            Self::None => step.to_owned(),
        }
    }
}

/// A step on one line, without a number of its own, and with nothing that could be taken for a tag.
fn clean(step: &str) -> String {
    let line = step.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = line.as_str();
    loop {
        let bare = match Numbering::of(rest) {
            Numbering::None => break,
            Numbering::Dashes => &rest[2..],
            Numbering::Counted(before, _, _) => {
                let after = rest[before.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
                after.get(1..).unwrap_or_default()
            }
        };
        rest = bare.trim_start();
    }
    defused(rest)
}

/// `text` with a backslash in every tag that has a meaning.
fn defused(text: &str) -> String {
    ["think", "solutions", "answer"].iter().fold(text.to_owned(), |text, tag| {
        text.replace(&format!("<{tag}>"), &format!("<\\{tag}>")).replace(&format!("</{tag}>"), &format!("<\\/{tag}>"))
    })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::Task;
    use proptest::prelude::*;

    const WRONG: &str = "<solutions>1. It names the fan.\n2. A fan that stops is routine.\n3. So it is normal.</solutions><answer>normal</answer>";

    fn wrong(reasoning: &str) -> Rationale {
        Rationale {
            id: "r1".into(),
            task: Task::Anomaly,
            instruction: "Normal or abnormal?".into(),
            input: "fan 3 stopped".into(),
            label: "abnormal".into(),
            category: None,
            reasoning: reasoning.into(),
            source: Some("run".into()),
            attributes: Map::from_iter([("dataset".to_owned(), json!("bgl")), ("sample".to_owned(), json!(3))]),
        }
    }

    fn correction(step: usize, revision: &[&str]) -> Correction {
        let revision = revision.iter().map(|step| (*step).to_owned()).collect();
        Correction { first_wrong_step: step, why: "A fan must not stop.".into(), revision, answer: "abnormal".into() }
    }

    #[test]
    fn a_reply_becomes_a_pair_with_all_that_should_hold() {
        let reply = "Sure:\n```json\n{\"first_wrong_step\": \"step 2\", \"why\": \"A fan must not stop.\",\n \"revision\": [\"2. But wait, a stopped fan is a fault.\", \"Leaving that out,\\nthe node will overheat.\"], \"answer\": \" abnormal \"}\n```";
        let pair = Correction::read(reply).unwrap().pair(&wrong(WRONG), "big").unwrap();
        assert_eq!(
            pair.chosen,
            "<solutions>1. It names the fan.\n2. But wait, a stopped fan is a fault.\n3. Leaving that out, the node will overheat.</solutions><answer>abnormal</answer>"
        );
        assert_eq!((pair.rejected.as_str(), pair.first_wrong_step), (WRONG, 2));
        let check = pair.check();
        assert!(check.all() && check.reflection && check.exclusion);
        assert_eq!(pair.validate(), Ok(()));
        assert_eq!((&pair.attributes["source"], &pair.attributes["corrects"]), (&json!("teacher"), &json!("r1")));
        assert_eq!((&pair.attributes["dataset"], pair.attributes.get("sample")), (&json!("bgl"), None));
    }

    #[test]
    fn a_revision_in_one_text_is_taken_apart_and_the_last_object_counts() {
        let reply = "<think>{\"first_wrong_step\": 1}</think> {\"first_wrong_step\": 3, \"why\": \"w\", \"revision\": \"3. But wait, x.\\n4. So y.\", \"answer\": \"abnormal\"} }";
        let read = Correction::read(reply).unwrap();
        assert_eq!((read.first_wrong_step, read.revision), (3, vec!["But wait, x.".to_owned(), "So y.".to_owned()]));
    }

    #[test]
    fn what_does_not_hold_is_told() {
        for truncated in ["", "no", "{\"first_wrong_step\": 2, \"why\": \"A fan", "{\"answer\": \"abnormal\"}"] {
            assert!(matches!(Correction::read(truncated), Err(CorrectionError::Form(_))), "{truncated}");
        }
        let of = |correction: Correction| correction.pair(&wrong(WRONG), "t").unwrap_err();
        let fine = ["But wait, no.", "It is broken."];
        assert!(matches!(of(correction(4, &fine)), CorrectionError::Step(_)));
        assert!(matches!(of(correction(0, &fine)), CorrectionError::Step(_)));
        let other = Correction { answer: "normal".into(), ..correction(2, &fine) };
        assert!(matches!(of(other), CorrectionError::Answer(..)));
        assert_eq!(of(correction(2, &["It is broken."])), CorrectionError::NoReflection);
        let again = ["But wait.", "A fan that stops is routine."];
        assert_eq!(of(correction(2, &again)), CorrectionError::NotExcluded);
        let broken = correction(1, &fine).pair(&wrong("<think>1. a"), "t").unwrap_err();
        assert_eq!(broken, CorrectionError::Trajectory);
    }

    #[test]
    fn every_way_of_numbering_goes_on() {
        for (text, step, expected) in [
            ("<think>Step 1: a\nStep 2: b</think><answer>normal</answer>", 2, "Step 1: a\nStep 2: But wait, c"),
            ("<think>- a\n- b</think><answer>normal</answer>", 2, "- a\n- But wait, c"),
            ("<think>One. Two. Three.</think><answer>normal</answer>", 2, "One. But wait, c"),
            ("<think>\na\nb\n</think>\n<answer>\nnormal\n</answer>", 1, "\nBut wait, c\nSo."),
            ("<think>1) a\n\n2) b</think><answer>normal</answer>", 1, "1) But wait, c\n\n2) So."),
        ] {
            let pair = correction(step, &["but wait, c", "So."]).pair(&wrong(text), "t").unwrap();
            let inside = pair.chosen.strip_prefix("<think>").unwrap();
            assert!(inside.starts_with(expected), "{}", pair.chosen);
        }
    }

    proptest! {
        #[test]
        fn the_shared_prefix_is_the_same_to_the_byte_for_any_step(
            steps in prop::collection::vec("[A-Za-z<*>\"'., äß€-]{0,30}[a-z]", 1..8),
            gap in "(\n|\n\n|\n  )",
            which in 0..8usize,
            revision in prop::collection::vec("(</answer>|<think>|[0-9]{1,2}\\. |\n|\\PC){0,20}", 1..5),
        ) {
            let written: Vec<String> = (1..).zip(&steps).map(|(n, step)| format!("{n}. x{step}")).collect();
            let text = format!("<think>{}</think>\n<answer>normal</answer>", written.join(&gap));
            let step = which % steps.len() + 1;
            let at = parse(&text).steps[step - 1].range.start;
            let mut lines: Vec<String> = vec!["But wait, zzzz qqqq.".into()];
            lines.extend(revision.iter().map(|line| clean(line)).filter(|line| !line.is_empty()));
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            match correction(step, &lines).pair(&wrong(&text), "t") {
                Ok(pair) => {
                    prop_assert_eq!(&pair.chosen[..at], &text[..at]);
                    prop_assert_eq!(&pair.rejected, &text);
                    prop_assert!(pair.check().all());
                }
                // Chance may say the wrong step again.
                Err(error) => prop_assert_eq!(error, CorrectionError::NotExcluded),
            }
        }
    }
}
