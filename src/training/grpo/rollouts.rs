//! What GRPO learns from: groups of rollouts, drawn, rewarded and set against each other.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::policy::{advantages, deviation};
use super::{Grpo, Prompted};
use crate::model::{Finish, GenerateSettings, Sampling, Sequence, Trace};
use crate::training::reward::Reward;
use crate::training::rng::{Stream, random};
use crate::training::{Said, Statistics, TrainingError};

/// Rows that are scored together.
const SCORED_ROWS: usize = 4096;

/// Rewards that differ by less do not differ.
const NO_DEVIATION: f64 = 1e-8;

/// One answer that the model drew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its tokens, with the one that ends it, if it came to that.
    pub tokens: Vec<u32>,
    /// Its text.
    pub text: String,
    /// Whether it was cut off at the longest allowed length.
    pub truncated: bool,
    /// What each part of the reward gave.
    pub parts: BTreeMap<String, f64>,
    /// Their sum.
    pub reward: f64,
    /// Whether its answer is right, where that can be told.
    pub right: Option<bool>,
    /// What it is above its group. In f32, as all that is computed with, so that a run that goes on reads what was written.
    pub advantage: f32,
    /// ln p of its tokens when it was drawn; empty until the first loss.
    pub old: Vec<f32>,
    /// ln p of its tokens under the reference; empty where that does not count.
    pub reference: Vec<f32>,
}

/// The rollouts of one question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Which example asks.
    pub example: usize,
    /// [`Prompted::digest`] of it.
    pub prompt: String,
    /// All its rollouts.
    pub rollouts: Vec<Rollout>,
}

impl Group {
    /// Whether all rewards are the same, so that nothing can be learnt from their differences.
    pub fn is_flat(&self) -> bool {
        deviation(&self.rewards()) < NO_DEVIATION
    }

    fn rewards(&self) -> Vec<f64> {
        self.rollouts.iter().map(|rollout| rollout.reward).collect()
    }

    /// Tokens of its rollouts.
    pub fn tokens(&self) -> usize {
        self.rollouts.iter().map(|rollout| rollout.tokens.len()).sum()
    }
}

/// The rollouts that some steps in a row learn from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The first of those steps.
    pub first_step: usize,
    /// A group for each of their examples.
    pub groups: Vec<Group>,
}

/// The parts of a reward by the names that figures have.
const PARTS: [&str; 5] = ["reward_format", "reward_answer", "reward_grounding", "reward_coherence", "reward_brevity"];

impl Window {
    /// The group of an example.
    pub fn group(&self, example: usize) -> Option<&Group> {
        self.groups.iter().find(|group| group.example == example)
    }

    /// What there is to tell of them.
    pub fn statistics(&self) -> Statistics {
        let mut told = Statistics::default();
        for group in &self.groups {
            told.count("flat_groups", f64::from(u8::from(group.is_flat())));
            told.count("reward_deviation", deviation(&group.rewards()));
            let advantages: Vec<f64> = group.rollouts.iter().map(|rollout| f64::from(rollout.advantage)).collect();
            told.count("advantage_deviation", deviation(&advantages));
            group.rollouts.iter().for_each(|rollout| tell(rollout, &mut told));
        }
        told
    }

    /// The best and the worst rollout of the first group.
    pub fn extremes(&self, input_of: impl Fn(usize) -> String) -> Vec<Said> {
        let Some(group) = self.groups.first() else { return Vec::new() };
        let mut sorted: Vec<&Rollout> = group.rollouts.iter().collect();
        sorted.sort_by(|a, b| b.reward.total_cmp(&a.reward));
        let ends = [sorted.first(), sorted.last().filter(|_| sorted.len() > 1)];
        ends.into_iter()
            .flatten()
            .map(|rollout| {
                let mut reward = rollout.parts.clone();
                reward.insert("total".into(), rollout.reward);
                Said { input: input_of(group.example), text: rollout.text.clone(), reward }
            })
            .collect()
    }

    /// Reads what [`Window::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        let bytes = std::fs::read(path).map_err(|error| TrainingError::file(path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| TrainingError::damaged(path, error))
    }

    /// Writes it all.
    pub fn write(&self, path: &Path) -> Result<(), TrainingError> {
        let bytes = serde_json::to_vec(self).map_err(|error| TrainingError::damaged(path, error))?;
        std::fs::write(path, bytes).map_err(|error| TrainingError::file(path, error))
    }
}

fn tell(rollout: &Rollout, told: &mut Statistics) {
    told.count("reward", rollout.reward);
    for name in PARTS {
        // A part that does not apply gave nothing.
        told.count(name, rollout.parts.get(name).copied().unwrap_or(0.0));
    }
    if let Some(right) = rollout.right {
        told.count("answer_accuracy", f64::from(u8::from(right)));
    }
    told.count("completion_tokens", rollout.tokens.len() as f64);
    told.count("truncated", f64::from(u8::from(rollout.truncated)));
}

impl Grpo {
    /// Draws and rewards the rollouts of some examples for the steps from `first_step`; `None` if someone asked to stop.
    ///
    /// What is drawn depends on the recipe's seed, the step, and the place among the step's examples alone.
    pub(super) fn roll_out(
        &self,
        first_step: usize,
        examples: &[usize],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Window>, TrainingError> {
        let settings = &self.settings;
        let mut unique = examples.to_vec();
        let mut seen = std::collections::HashSet::new();
        unique.retain(|example| seen.insert(*example));
        let asked: Vec<usize> = unique.iter().flat_map(|&example| vec![example; settings.rollouts]).collect();
        let sampling = Sampling {
            temperature: settings.temperature,
            top_p: settings.top_p,
            top_k: settings.top_k,
            min_p: settings.min_p,
            seed: random(self.seed, Stream::Rollouts, first_step as u64),
            ..Sampling::default()
        };
        let Some(mut rollouts) = self.write(&asked, sampling, cancelled)? else { return Ok(None) };
        if settings.kl > 0.0 {
            self.score_under_reference(&asked, &mut rollouts)?;
        }
        let mut rollouts = rollouts.into_iter();
        let groups = unique.into_iter().map(|example| {
            let rollouts = rollouts.by_ref().take(settings.rollouts).collect();
            let mut group = Group { example, prompt: self.prompts[example].digest(), rollouts };
            let above = advantages(&group.rewards(), settings.advantage);
            for (rollout, advantage) in group.rollouts.iter_mut().zip(above) {
                rollout.advantage = advantage as f32;
            }
            group
        });
        Ok(Some(Window { first_step, groups: groups.collect() }))
    }

    /// Answers to the questions of some examples, rewarded; `None` if someone asked to stop.
    pub(super) fn write(
        &self,
        asked: &[usize],
        sampling: Sampling,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Rollout>>, TrainingError> {
        let prompts: Vec<Vec<u32>> = asked.iter().map(|&example| self.prompts[example].tokens.clone()).collect();
        let settings = GenerateSettings {
            max_tokens: self.settings.max_tokens,
            min_tokens: self.settings.min_tokens,
            sampling,
            alternatives: 0,
            batch: self.settings.concurrent,
            ..GenerateSettings::default()
        };
        let mut on_token = |_| if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let traces = self.model.generate(&prompts, Some(&self.adapter), &settings, &mut on_token)?;
        if traces.iter().any(|trace| trace.finish == Finish::Cancelled) {
            return Ok(None);
        }
        let perplexities = self.perplexities(&traces)?;
        let rollout = |((&example, trace), perplexity): ((&usize, Trace), Option<f64>)| {
            let Prompted { example, .. } = &self.prompts[example];
            let rewarded = self.reward.of(example, &trace.text, perplexity);
            let mut tokens: Vec<u32> = trace.tokens.iter().map(|token| token.id).collect();
            tokens.extend(trace.ended_by);
            Rollout {
                tokens,
                truncated: trace.finish == Finish::Length,
                reward: rewarded.total(),
                right: rewarded.right,
                parts: rewarded.parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                text: trace.text,
                ..Rollout::default()
            }
        };
        Ok(Some(asked.iter().zip(traces).zip(perplexities).map(rollout).collect()))
    }

    /// Perplexity of each text's reasoning under the base: e to the mean of −ln p of its tokens after the first; `None` where
    /// it does not count, or there is no reasoning.
    fn perplexities(&self, traces: &[Trace]) -> Result<Vec<Option<f64>>, TrainingError> {
        let mut found = vec![None; traces.len()];
        if !self.reward.needs_perplexity() {
            return Ok(found);
        }
        let mut waiting: Vec<(usize, Sequence)> = Vec::new();
        for (at, trace) in traces.iter().enumerate() {
            let Some(reasoning) = Reward::reasoning(&trace.text) else { continue };
            let tokens = self.model.tokenizer().encode(reasoning)?;
            if tokens.len() > 1 {
                waiting.push((at, Sequence { weights: vec![1.0; tokens.len()], tokens }));
            }
        }
        for batch in by_rows(&waiting) {
            let sequences: Vec<Sequence> = batch.iter().map(|(_, sequence)| sequence.clone()).collect();
            let scored = self.model.log_probabilities(&sequences, None)?;
            for ((at, _), scored) in batch.iter().zip(scored) {
                let sum: f64 = scored[1..].iter().map(|&value| f64::from(value)).sum();
                found[*at] = Some((-sum / (scored.len() - 1) as f64).exp());
            }
        }
        Ok(found)
    }

    fn score_under_reference(&self, asked: &[usize], rollouts: &mut [Rollout]) -> Result<(), TrainingError> {
        let sequences: Vec<(usize, Sequence)> = asked
            .iter()
            .zip(&*rollouts)
            .map(|(&example, rollout)| self.sequence(example, rollout))
            .enumerate()
            .collect();
        let mut scores: HashMap<usize, Vec<f32>> = HashMap::new();
        for batch in by_rows(&sequences) {
            let sequences: Vec<Sequence> = batch.iter().map(|(_, sequence)| sequence.clone()).collect();
            let (adapter, temperature) = (self.reference.adapter(), self.settings.temperature);
            let scored = self.model.log_probabilities_at(&sequences, adapter, temperature)?;
            scores.extend(batch.iter().map(|(at, _)| *at).zip(scored));
        }
        for (at, rollout) in rollouts.iter_mut().enumerate() {
            let scored = scores.remove(&at).unwrap_or_default();
            rollout.reference = scored[scored.len() - rollout.tokens.len()..].to_vec();
        }
        Ok(())
    }

    /// A rollout behind its question, every token of it wanted.
    pub(super) fn sequence(&self, example: usize, rollout: &Rollout) -> Sequence {
        let prompt = &self.prompts[example].tokens;
        let weights = std::iter::repeat_n(0.0, prompt.len()).chain(std::iter::repeat_n(1.0, rollout.tokens.len()));
        Sequence { tokens: [&prompt[..], &rollout.tokens].concat(), weights: weights.collect() }
    }
}

/// Sequences in runs of at most [`SCORED_ROWS`] rows, at least one in each.
fn by_rows(sequences: &[(usize, Sequence)]) -> Vec<&[(usize, Sequence)]> {
    let (mut runs, mut start, mut rows) = (Vec::new(), 0, 0);
    for (at, (_, sequence)) in sequences.iter().enumerate() {
        if at > start && rows + sequence.tokens.len() > SCORED_ROWS {
            runs.push(&sequences[start..at]);
            (start, rows) = (at, 0);
        }
        rows += sequence.tokens.len();
    }
    if start < sequences.len() {
        runs.push(&sequences[start..]);
    }
    runs
}
