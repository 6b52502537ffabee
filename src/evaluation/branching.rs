//! Branches of a trace: the same question, answered on from another token or an edited step; and what a branch teaches.

use serde::Serialize;
use serde_json::Map;

use super::stepping::{SteppedKind, SteppedTrace};
use crate::logs::made_id;
use crate::reasoning::prompt::{AnomalyPrompt, PromptError, Speaker};
use crate::reasoning::{Pair, Task, parse};

/// Why a branch cannot be kept as a preference pair.
#[derive(Debug, thiserror::Error)]
pub enum BranchError {
    /// Both are about other logs.
    #[error("the branch is about another log")]
    OtherLog,
    /// Nothing to learn.
    #[error("both say the same")]
    Same,
    /// The corrected side has no verdict to learn.
    #[error("the branch gives no answer that can be read; let it be written to its end")]
    NoAnswer,
    /// They part after the last step.
    #[error("both reason the same: they part after the last step")]
    SameSteps,
    /// The prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

/// Where two traces part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The step of the first, from 1, in which they do; the number after its last if the other goes on.
    pub step: usize,
    /// The word of the first, empty at its end.
    pub was: String,
    /// The word of the other, empty at its end.
    pub is: String,
}

/// The first word in which the text of `other` is not that of `first`; `None` where both say the same.
pub fn first_difference(first: &SteppedTrace, other: &SteppedTrace) -> Option<Difference> {
    let mut words = first.text.split_whitespace();
    let mut others = other.text.split_whitespace();
    let (was, is) = loop {
        match (words.next(), others.next()) {
            (None, None) => return None,
            (was, is) if was == is => {}
            (was, is) => break (was, is),
        }
    };
    // A word lies in the text that it was taken from.
    let at = was.map_or(first.text.len(), |word| word.as_ptr().addr() - first.text.as_ptr().addr());
    let mut end = 0;
    let inside = first.steps.iter().position(|step| {
        end += step.tokens.iter().map(|token| token.text.len()).sum::<usize>();
        at < end
    });
    let word = |word: Option<&str>| word.unwrap_or_default().to_owned();
    Some(Difference { step: inside.unwrap_or(first.steps.len()) + 1, was: word(was), is: word(is) })
}

impl SteppedTrace {
    /// How many steps the reasoning has, without the answer.
    pub fn reasoning_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.kind == SteppedKind::Step).count()
    }

    /// What was written before a token of a step.
    pub fn text_before(&self, step: usize, token: usize) -> String {
        let earlier = self.steps.iter().take(step).flat_map(|step| &step.tokens);
        let here = self.steps.get(step).into_iter().flat_map(|step| step.tokens.iter().take(token));
        earlier.chain(here).map(|token| token.text.as_str()).collect()
    }

    /// What an answer begins with that takes another token in a token's place; `None` where there is none of that
    /// number, or it is a control token, which is no text.
    pub fn begun_with_alternative(&self, step: usize, token: usize, alternative: usize) -> Option<String> {
        let other = self.steps.get(step)?.tokens.get(token)?.alternatives.get(alternative)?;
        if other.control {
            return None;
        }
        Some(self.text_before(step, token) + &other.text)
    }

    /// What an answer begins with whose step reads as edited; `None` where there is no such step.
    pub fn begun_with_step(&self, step: usize, edited: &str) -> Option<String> {
        let tokens = &self.steps.get(step)?.tokens;
        let whole: String = tokens.iter().map(|token| token.text.as_str()).collect();
        let text = &self.steps[step].text;
        let at = whole.find(text.as_str())?;
        let (lead, tail) = (&whole[..at], &whole[at + text.len()..]);
        Some(format!("{}{lead}{}{tail}", self.text_before(step, 0), edited.trim()))
    }
}

/// The preference pair that a branch makes: the branch chosen, what it came from rejected, and the first step in which
/// they differ the first wrong one.
///
/// # Errors
/// When nothing can be learnt from the two.
pub fn preference_pair(
    parent: &SteppedTrace,
    branch: &SteppedTrace,
    prompt: &AnomalyPrompt,
) -> Result<Pair, BranchError> {
    if parent.input != branch.input {
        return Err(BranchError::OtherLog);
    }
    if parent.text == branch.text {
        return Err(BranchError::Same);
    }
    let label = branch.answer.clone().ok_or(BranchError::NoAnswer)?;
    let (rejected, chosen) = (parse(&parent.text).steps, parse(&branch.text).steps);
    let shared = rejected.iter().zip(&chosen).take_while(|(a, b)| a.text == b.text).count();
    if shared == rejected.len() {
        return Err(BranchError::SameSteps);
    }
    let turns = prompt.turns(&parent.input)?;
    let instruction = turns.into_iter().find(|turn| turn.speaker == Speaker::System).map(|turn| turn.text);
    Ok(Pair {
        id: made_id("branch", &format!("{}\n{}\n{}", parent.input, branch.text, parent.text)),
        task: Task::Anomaly,
        instruction: instruction.unwrap_or_default(),
        input: parent.input.clone(),
        label,
        chosen: branch.text.clone(),
        rejected: parent.text.clone(),
        first_wrong_step: shared + 1,
        attributes: Map::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Asking, SteppedAlternative, SteppedToken, lay_out};
    use crate::model::{Finish, Trace, TraceToken};

    fn trace(pieces: &[&str]) -> SteppedTrace {
        let text = pieces.concat();
        let mut at = 0;
        let tokens = pieces.iter().map(|piece| {
            at += piece.len();
            let range = at - piece.len()..at;
            TraceToken {
                id: 0,
                text: (*piece).to_owned(),
                range,
                probability: 0.5,
                entropy: None,
                alternatives: Vec::new(),
            }
        });
        let laid_out = Trace {
            tokens: tokens.collect(),
            ended_by: None,
            text: text.clone(),
            finish: Finish::Stop,
            prompt_tokens: 1,
            first_token_ms: 0.0,
            elapsed_ms: 0.0,
            tokens_per_second: 0.0,
        };
        SteppedTrace {
            input: "disk gone".into(),
            input_bytes_cut: 0,
            session: false,
            steps: lay_out(&laid_out),
            answer: parse(&text).answer,
            format_ok: true,
            fast: Asking::default().fast,
            grounding: Vec::new(),
            margin: None,
            margin_at_once: None,
            evidence: Vec::new(),
            band: None,
            counterfactual: None,
            model: "m".into(),
            adapter: None,
            first_token_ms: 0.0,
            answer_ms: None,
            tokens_per_second: 0.0,
            text,
        }
    }

    #[test]
    fn a_branch_begins_with_all_before_the_other_token_or_the_edited_step() {
        let mut trace = trace(&["<think>", "1.", " a.\n", "2.", " b.", "</think>", "<answer>normal</answer>"]);
        trace.steps[1].tokens[1] = SteppedToken {
            text: " b.".into(),
            probability: 0.4,
            entropy: None,
            alternatives: vec![SteppedAlternative { text: " c".into(), control: false, probability: 0.3 }],
        };
        assert_eq!(trace.begun_with_alternative(1, 1, 0).unwrap(), "<think>1. a.\n2. c");
        assert_eq!(trace.begun_with_alternative(1, 1, 1), None);
        assert_eq!(trace.begun_with_step(0, " 1. x. ").unwrap(), "<think>1. x.\n");
        assert_eq!(trace.begun_with_step(1, "2. y.").unwrap(), "<think>1. a.\n2. y.</think>");
        assert_eq!(trace.begun_with_step(9, "z"), None);
    }

    #[test]
    fn traces_part_at_the_first_word_that_differs() {
        let first = trace(&["<think>1. a b.\n", "2. c.</think>", "<answer>normal</answer>"]);
        let part = |pieces: &[&str]| {
            first_difference(&first, &trace(pieces)).map(|at| (at.step, at.was.clone(), at.is.clone()))
        };
        let told = |step, was: &str, is: &str| Some((step, was.to_owned(), is.to_owned()));
        assert_eq!(part(&["<think>1. a  b. 2. c.</think><answer>normal</answer>"]), None);
        assert_eq!(part(&["<think>1. a x."]), told(1, "b.", "x."));
        assert_eq!(part(&["<think>1. a b. 2. d."]), told(2, "c.</think><answer>normal</answer>", "d."));
        assert_eq!(part(&["<think>1. a b."]), told(2, "2.", ""));
        assert_eq!(part(&["<think>1. a b.\n2. c.</think><answer>normal</answer> and"]), told(4, "", "and"));
        assert_eq!(first.reasoning_steps(), 2);
    }

    #[test]
    fn a_branch_teaches_from_the_first_step_that_differs() {
        let parent = trace(&["<think>1. a.\n2. b.</think>", "<answer>normal</answer>"]);
        let branch = trace(&["<think>1. a.\n2. c.</think>", "<answer>abnormal</answer>"]);
        let pair = preference_pair(&parent, &branch, &AnomalyPrompt::default()).unwrap();
        assert_eq!((pair.first_wrong_step, pair.label.as_str()), (2, "abnormal"));
        assert!(pair.validate().is_ok() && pair.check().all(), "{:?}", pair.check());
        let error = |parent: &SteppedTrace, branch: &SteppedTrace| {
            preference_pair(parent, branch, &AnomalyPrompt::default()).unwrap_err().to_string()
        };
        assert_eq!(error(&parent, &parent), "both say the same");
        let unfinished = trace(&["<think>1. a.\n2. c."]);
        assert!(error(&parent, &unfinished).contains("no answer"));
        let same_steps = trace(&["<think>1. a.\n2. b.</think>", "<answer>abnormal</answer>"]);
        assert!(error(&parent, &same_steps).contains("part after the last step"));
    }
}
