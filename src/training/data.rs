//! Accepted rationales become examples, and examples become weighted token sequences.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rng::{Stream, shuffle};
use super::{DataSettings, TrainingError};
use crate::reasoning::prompt::{AnomalyPrompt, PromptError, Turn, ask, thought_turns};
use crate::reasoning::{Pair, Rationale, Task, Thought};

/// What the model is to be taught: to continue a conversation with a text. A line of a run's `examples.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The id of the rationale that it was made from.
    pub id: String,
    /// What is asked.
    pub task: Task,
    /// The log that is asked about.
    pub input: String,
    /// The conversation so far.
    pub turns: Vec<Turn>,
    /// What the model should say next.
    pub completion: String,
    /// What it should rather not say, of a preference pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The true answer, where the model's own is to be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Example {
    /// The example that an accepted rationale makes; anomaly detection is asked with the project's own prompt, which
    /// `reason` and `evaluate` share, and other tasks with the rationale's own instruction.
    ///
    /// # Errors
    /// When the prompt is not valid.
    pub fn from_rationale(rationale: &Rationale, prompt: &AnomalyPrompt) -> Result<Self, PromptError> {
        let Rationale { id, task, instruction, input, label, reasoning, .. } = rationale;
        Ok(Self {
            id: id.clone(),
            task: *task,
            input: input.clone(),
            turns: ask(*task, instruction, input, prompt)?,
            completion: reasoning.trim().to_owned(),
            rejected: None,
            label: Some(label.clone()),
        })
    }

    /// The example that an accepted pair makes, asked as a rationale of its task is.
    ///
    /// # Errors
    /// When the prompt is not valid.
    pub fn from_pair(pair: &Pair, prompt: &AnomalyPrompt) -> Result<Self, PromptError> {
        let Pair { id, task, instruction, input, label, chosen, rejected, .. } = pair;
        Ok(Self {
            id: id.clone(),
            task: *task,
            input: input.clone(),
            turns: ask(*task, instruction, input, prompt)?,
            completion: chosen.trim().to_owned(),
            rejected: Some(rejected.trim().to_owned()),
            label: Some(label.clone()),
        })
    }

    /// The example that an accepted thought makes: from a question to its core challenge and the steps that such questions take,
    /// as LogReasoner's first stage teaches.
    pub fn from_thought(thought: &Thought) -> Self {
        let (question, completion) = thought_turns(thought);
        Self {
            id: thought.id.clone(),
            task: thought.task,
            input: thought.problem.clone(),
            turns: vec![question],
            completion,
            rejected: None,
            label: None,
        }
    }
}

/// Something that is about a log.
pub trait OfLog {
    /// The log.
    fn log(&self) -> &str;
}

impl OfLog for TokenizedExample {
    fn log(&self) -> &str {
        &self.input
    }
}

/// Turns text into tokens as the model that is trained does.
pub trait Encoder {
    /// The conversation, up to where the model is to go on.
    ///
    /// # Errors
    /// When the text cannot be tokenised.
    fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, TrainingError>;

    /// The tokens of what the model says, each with the bytes of `text` that it stands for.
    ///
    /// # Errors
    /// When the text cannot be tokenised.
    fn completion(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>, TrainingError>;

    /// The token that ends a turn.
    ///
    /// # Errors
    /// When the model has none.
    fn end_of_turn(&self) -> Result<u32, TrainingError>;
}

/// An example as tokens.
#[derive(Debug, Clone)]
pub struct TokenizedExample {
    /// The id of the rationale that it was made from.
    pub id: String,
    /// The log that is asked about.
    pub input: String,
    /// The tokens of the prompt and of what the model should say.
    pub tokens: Vec<u32>,
    /// How much predicting each token counts: nought on the prompt, one on the reasoning, the recipe's on the verdict.
    pub weights: Vec<f32>,
}

/// What became of the examples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Examples that train.
    pub examples: usize,
    /// Examples held out to measure the loss on.
    pub held_out: usize,
    /// Examples whose end was cut off to fit; they train without it.
    pub truncated: usize,
    /// Examples left out, because not even their prompt fits.
    pub left_out: usize,
    /// Tokens of all that train.
    pub tokens: usize,
    /// Tokens of the longest example, before any cut.
    pub longest: usize,
}

/// Turns examples into tokens; what is too long is cut or left out, and counted.
///
/// # Errors
/// When a text cannot be tokenised.
pub fn tokenize(
    examples: &[Example],
    encoder: &dyn Encoder,
    settings: &DataSettings,
) -> Result<(Vec<TokenizedExample>, DataSummary), TrainingError> {
    let mut summary = DataSummary::default();
    let mut tokenized = Vec::with_capacity(examples.len());
    let end_of_turn = encoder.end_of_turn()?;
    for example in examples {
        let mut tokens = encoder.prompt(&example.turns)?;
        let mut weights = vec![0.0; tokens.len()];
        let prompt = tokens.len();
        let verdict = verdict(&example.completion);
        for (token, bytes) in encoder.completion(&example.completion)? {
            let is_verdict = verdict.as_ref().is_some_and(|v| bytes.start < v.end && v.start < bytes.end);
            tokens.push(token);
            weights.push(if is_verdict { settings.answer_weight } else { 1.0 });
        }
        tokens.push(end_of_turn);
        weights.push(1.0);

        summary.longest = summary.longest.max(tokens.len());
        if prompt >= settings.max_length {
            summary.left_out += 1;
            continue;
        }
        if tokens.len() > settings.max_length {
            summary.truncated += 1;
            tokens.truncate(settings.max_length);
            weights.truncate(settings.max_length);
        }
        summary.examples += 1;
        summary.tokens += tokens.len();
        tokenized.push(TokenizedExample { id: example.id.clone(), input: example.input.clone(), tokens, weights });
    }
    Ok((tokenized, summary))
}

/// Where the verdict stands in a completion, in bytes: the last pair of answer tags and what is between.
fn verdict(completion: &str) -> Option<Range<usize>> {
    const CLOSE: &str = "</answer>";
    let start = completion.rfind("<answer>")?;
    let end = start + completion[start..].find(CLOSE)? + CLOSE.len();
    Some(start..end)
}

/// Splits off what is held out: whole logs, so that no log that is measured on was trained on under another rationale.
///
/// At most `dev_limit` examples are held out; within that at least one log is, where `dev_fraction` is above nought and there
/// are two or more.
pub fn split_dev<T: OfLog>(examples: Vec<T>, settings: &DataSettings, seed: u64) -> (Vec<T>, Vec<T>) {
    let wanted = ((examples.len() as f64 * settings.dev_fraction).round() as usize).min(settings.dev_limit);
    let wanted = if settings.dev_fraction > 0.0 { wanted.max(1) } else { 0 };
    let mut logs: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for example in &examples {
        if seen.insert(example.log().to_owned()) {
            logs.push(example.log().to_owned());
        }
    }
    if wanted == 0 || settings.dev_limit == 0 || logs.len() < 2 {
        return (examples, Vec::new());
    }
    shuffle(&mut logs, seed, Stream::HoldOut);
    let mut counts: HashMap<&str, usize> = HashMap::new();
    examples.iter().for_each(|example| *counts.entry(example.log()).or_default() += 1);
    let mut held = HashSet::new();
    let mut held_examples = 0;
    for log in logs.iter().skip(1) {
        let count = counts[log.as_str()];
        if held_examples + count <= wanted {
            held_examples += count;
            held.insert(log.clone());
        }
        if held_examples == wanted {
            break;
        }
    }
    if held.is_empty() {
        // Every log has more examples than were wanted: the one with the fewest.
        let fits = logs.iter().skip(1).filter(|log| counts[log.as_str()] <= settings.dev_limit);
        held.extend(fits.min_by_key(|log| counts[log.as_str()]).cloned());
    }
    examples.into_iter().partition(|example| !held.contains(example.log()))
}

/// SHA-256 over the examples as they are stored, in hexadecimal: a resumed run must train on the same.
pub fn examples_digest(jsonl: &[u8]) -> String {
    Sha256::digest(jsonl).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::reasoning::prompt::Speaker;

    /// One token a byte; a turn's text ends with token 1000, the completion with 1001.
    pub(crate) struct Bytes;

    impl Encoder for Bytes {
        fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, TrainingError> {
            Ok(turns.iter().flat_map(|turn| turn.text.bytes().map(u32::from).chain([1000])).collect())
        }

        fn completion(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>, TrainingError> {
            Ok(text.bytes().enumerate().map(|(at, byte)| (u32::from(byte), at..at + 1)).collect())
        }

        fn end_of_turn(&self) -> Result<u32, TrainingError> {
            Ok(1001)
        }
    }

    fn example(id: usize, input: &str, completion: &str) -> Example {
        Example {
            id: id.to_string(),
            task: Task::Anomaly,
            input: input.into(),
            turns: vec![Turn { speaker: Speaker::User, text: input.into() }],
            completion: completion.into(),
            rejected: None,
            label: None,
        }
    }

    fn settings(max_length: usize, dev_fraction: f64) -> DataSettings {
        DataSettings { max_length, answer_weight: 5.0, dev_fraction, ..DataSettings::default() }
    }

    #[test]
    fn only_the_completion_counts_and_the_verdict_counts_more() {
        let examples = [example(0, "log", "a<answer>no</answer>")];
        let (tokenized, summary) = tokenize(&examples, &Bytes, &settings(64, 0.0)).unwrap();
        let TokenizedExample { tokens, weights, .. } = &tokenized[0];
        assert_eq!(tokens.len(), weights.len());
        assert_eq!(weights[..4], [0.0; 4]);
        assert_eq!(weights[4..5], [1.0]);
        assert_eq!(weights[5..24], [5.0; 19]);
        assert_eq!(weights[24..], [1.0]);
        assert_eq!(tokens.last(), Some(&1001));
        assert_eq!((summary.examples, summary.truncated, summary.tokens), (1, 0, 25));
    }

    #[test]
    fn what_is_too_long_is_cut_or_left_out_and_counted() {
        let examples = [example(0, "ok", "fits"), example(1, "ok", &"x".repeat(40)), example(2, &"y".repeat(40), "x")];
        let (tokenized, summary) = tokenize(&examples, &Bytes, &settings(20, 0.0)).unwrap();
        assert_eq!(tokenized.iter().map(|example| example.tokens.len()).collect::<Vec<_>>(), [8, 20]);
        assert_eq!((summary.examples, summary.truncated, summary.left_out, summary.longest), (2, 1, 1, 44));
    }

    #[test]
    fn no_log_is_both_trained_on_and_held_out() {
        let examples: Vec<Example> = (0..60).map(|i| example(i, &format!("log {}", i / 2), "x")).collect();
        let (tokenized, _) = tokenize(&examples, &Bytes, &settings(64, 0.2)).unwrap();
        let (train, dev) = split_dev(tokenized.clone(), &settings(64, 0.2), 3);
        assert_eq!((train.len(), dev.len()), (48, 12));
        assert!(dev.iter().all(|held| train.iter().all(|trained| trained.input != held.input)));
        let (_, again) = split_dev(tokenized.clone(), &settings(64, 0.2), 3);
        let ids = |examples: &[TokenizedExample]| examples.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&dev), ids(&again));
        assert_eq!(split_dev(tokenized, &settings(64, 0.0), 3).1.len(), 0);
    }

    #[test]
    fn one_log_is_held_out_even_if_each_has_more_examples_than_were_wanted() {
        let sizes = [9, 7, 5, 8];
        let logs = sizes.iter().enumerate().flat_map(|(log, &count)| vec![format!("log {log}"); count]);
        let examples: Vec<Example> = logs.enumerate().map(|(i, log)| example(i, &log, "x")).collect();
        let (tokenized, _) = tokenize(&examples, &Bytes, &settings(64, 0.1)).unwrap();
        for seed in 0..8 {
            let (train, dev) = split_dev(tokenized.clone(), &settings(64, 0.1), seed);
            assert_eq!(train.len() + dev.len(), 29);
            assert!([5, 7].contains(&dev.len()), "the smallest but the one that is kept: {}", dev.len());
            assert!(dev.iter().all(|held| held.input == dev[0].input));
        }
        let few = DataSettings { dev_limit: 4, ..settings(64, 0.1) };
        assert_eq!(split_dev(tokenized, &few, 3).1.len(), 0);
    }

    #[test]
    fn a_single_log_is_never_held_out() {
        let (tokenized, _) =
            tokenize(&[example(0, "a", "x"), example(1, "a", "y")], &Bytes, &settings(64, 0.5)).unwrap();
        assert_eq!(split_dev(tokenized, &settings(64, 0.5), 0).0.len(), 2);
    }
}
