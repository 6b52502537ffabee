//! Branches of a trace: the same question, answered on from another token or an edited step; and what a branch teaches.

use serde_json::Map;

use super::stepping::SteppedTrace;
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

impl SteppedTrace {
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
