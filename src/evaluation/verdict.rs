//! The verdict in numbers: its margin, and what of the log it rests on.
//!
//! The margin is the log-odds of `abnormal`: ln p(abnormal) − ln p(normal) of the answer. [`Margins::after`] takes it behind
//! a reasoning, [`Margins::at_once`] with the answer right behind the question. Evidence is leave-one-out on the latter:
//! behind a reasoning that quotes the log, leaving a word out of the log alone would hardly show. Of a log that is longer than the
//! model's context only the start counts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::asking::{AskError, Asked, END_OF_ANSWER, encode_to_fit};
use crate::labels::Label;
use crate::model::Endings;

/// What begins an answer.
pub(super) const START_OF_ANSWER: &str = "<answer>";

/// The most words of a log that are left out one by one; further words are left out of the evidence.
pub const EVIDENCE_WORDS: usize = 96;

/// Tokens of all the logs with something left out, at most: half a minute or so of a small model on two cores. Of a log too
/// long for that, runs of words are left out instead of words.
const EVIDENCE_TOKENS: usize = 32_768;

/// A word of the log (of a long log, a run of words), and what it does to the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceToken {
    /// The word.
    pub token: String,
    /// Where it stands in the log, in bytes.
    pub range: Range<usize>,
    /// The margin of the whole log less that of the log without this word: above 0 where the word speaks for
    /// `abnormal`. Natural logarithm of the odds.
    pub delta: f64,
}

/// Asks a model for margins. See the module's page.
pub struct Margins<'a> {
    asked: Asked<'a>,
}

impl<'a> Margins<'a> {
    /// Margins of this model, as it is asked.
    pub fn new(asked: Asked<'a>) -> Self {
        Self { asked }
    }

    /// The margin of `log` behind what was written before the answer's tag. `None` if `go_on` said no.
    ///
    /// # Errors
    /// When the log is empty, the model fails, or the reasoning alone does not fit its context.
    pub fn after(&self, log: &str, before: &str, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, AskError> {
        Ok(self.of(&[(log, before)], go_on)?.and_then(|margins| margins.first().copied()))
    }

    /// The margins of logs with the answer right behind the question, in order. `None` if `go_on` said no.
    ///
    /// # Errors
    /// When a log is empty, or the model fails.
    pub fn at_once(&self, logs: &[&str], go_on: &mut dyn FnMut() -> bool) -> Result<Option<Vec<f64>>, AskError> {
        let questions: Vec<(&str, &str)> = logs.iter().map(|&log| (log, "")).collect();
        self.of(&questions, go_on)
    }

    /// What each word of `log` does to the margin, and that margin: leave-one-out, for the first [`EVIDENCE_WORDS`] words.
    /// `None` if `go_on` said no.
    ///
    /// # Errors
    /// When the log is empty, or the model fails.
    pub fn evidence(
        &self,
        log: &str,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<(f64, Vec<EvidenceToken>)>, AskError> {
        let each = self.asked.model.tokenizer().encode(log).map_err(AskError::from)?.len().max(1);
        let mut words = left_out(log, EVIDENCE_TOKENS / each);
        if words.len() == 1 {
            // Without its only word there is no log to judge.
            words.clear();
        }
        let without: Vec<String> = words.iter().map(|word| leave_out(log, word.clone())).collect();
        let logs: Vec<&str> = std::iter::once(log).chain(without.iter().map(String::as_str)).collect();
        let Some(margins) = self.at_once(&logs, go_on)? else { return Ok(None) };
        let (whole, others) = margins.split_first().expect("the whole log is the first");
        let evidence = words.into_iter().zip(others).map(|(range, without)| EvidenceToken {
            token: log[range.clone()].to_owned(),
            range,
            delta: whole - without,
        });
        Ok(Some((*whole, evidence.collect())))
    }

    /// The tokens by which the answers `normal` and `abnormal` begin to differ.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub(super) fn first_tokens(&self) -> Result<[u32; 2], AskError> {
        let written =
            |label: Label| self.asked.model.tokenizer().encode(&format!("{START_OF_ANSWER}{label}{END_OF_ANSWER}"));
        let parted = parted(Vec::new(), written(Label::Normal)?, written(Label::Abnormal)?);
        Ok([parted.endings[0][0], parted.endings[1][0]])
    }

    fn of(&self, questions: &[(&str, &str)], go_on: &mut dyn FnMut() -> bool) -> Result<Option<Vec<f64>>, AskError> {
        let Asked { model, prompt, adapter, .. } = self.asked;
        let endings = questions.iter().map(|(log, before)| {
            let written =
                |label: Label| model.tokenizer().encode(&format!("{before}{START_OF_ANSWER}{label}{END_OF_ANSWER}"));
            let (normal, abnormal) = (written(Label::Normal)?, written(Label::Abnormal)?);
            let (question, _) = encode_to_fit(model, prompt, log, normal.len().max(abnormal.len()))?;
            Ok(parted(question, normal, abnormal))
        });
        let endings = endings.collect::<Result<Vec<Endings>, AskError>>()?;
        let adapter = adapter.map(|(adapter, _)| adapter);
        let scores = model.score_endings(&endings, adapter, &mut |_| go_on())?;
        Ok(scores.map(|scores| scores.into_iter().map(|of| of[1] - of[0]).collect()))
    }
}

/// The question with what both answers begin with as the context, and what tells them apart as its endings.
fn parted(mut question: Vec<u32>, normal: Vec<u32>, abnormal: Vec<u32>) -> Endings {
    let shared = normal.iter().zip(&abnormal).take_while(|(a, b)| a == b).count();
    let shared = shared.min(normal.len().min(abnormal.len()).saturating_sub(1));
    question.extend_from_slice(&normal[..shared]);
    Endings { context: question, endings: vec![normal[shared..].to_vec(), abnormal[shared..].to_vec()] }
}

/// Where the words of a log stand.
pub(super) fn words(log: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    log.split_inclusive(char::is_whitespace).filter_map(move |piece| {
        let start = at;
        at += piece.len();
        let word = piece.trim_end();
        (!word.is_empty()).then(|| start..start + word.len())
    })
}

/// What of a log is left out by turns: its first words, or where only so `many` logs can be asked about, all of it in runs
/// of words.
fn left_out(log: &str, many: usize) -> Vec<Range<usize>> {
    let all: Vec<Range<usize>> = words(log).collect();
    if all.len().min(EVIDENCE_WORDS) <= many {
        return all.into_iter().take(EVIDENCE_WORDS).collect();
    }
    let run = all.len().div_ceil(many.max(2));
    all.chunks(run).map(|run| run[0].start..run[run.len() - 1].end).collect()
}

/// The log without a word and the space behind it.
fn leave_out(log: &str, word: Range<usize>) -> String {
    let rest = log[word.end..].trim_start();
    format!("{}{rest}", if rest.is_empty() { log[..word.start].trim_end() } else { &log[..word.start] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_left_out_with_one_space() {
        let log = "ciod:  Error loading é";
        let without: Vec<String> = words(log).map(|word| leave_out(log, word)).collect();
        assert_eq!(without, ["Error loading é", "ciod:  loading é", "ciod:  Error é", "ciod:  Error loading"]);
    }

    #[test]
    fn of_a_long_log_runs_of_words_are_left_out() {
        let log = "a bb c dd e";
        let told = |many| left_out(log, many).into_iter().map(|range| &log[range]).collect::<Vec<_>>();
        assert_eq!(told(96), ["a", "bb", "c", "dd", "e"]);
        assert_eq!(told(5), told(96));
        assert_eq!(told(3), ["a bb", "c dd", "e"]);
        assert_eq!(told(0), ["a bb c", "dd e"]);
        let many = "x ".repeat(500);
        assert_eq!(left_out(&many, 96).len(), EVIDENCE_WORDS);
        assert!(left_out(&many, 20).len() <= 20 && left_out(&many, 20).last().is_some_and(|run| run.end == 999));
    }

    #[test]
    fn answers_are_told_apart_from_their_first_different_token_on() {
        let endings = parted(vec![1, 2], vec![7, 8, 3, 9], vec![7, 8, 4, 3, 9]);
        assert_eq!(endings, Endings { context: vec![1, 2, 7, 8], endings: vec![vec![3, 9], vec![4, 3, 9]] });
        let inside = parted(vec![1], vec![7], vec![7, 8]);
        assert_eq!(inside.endings, [vec![7], vec![7, 8]]);
    }
}
