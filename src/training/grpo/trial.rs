//! A step of GRPO tried in small: a whole one writes thousands of tokens, and can take an hour.
//!
//! A few tokens of some rollouts are written and a loss of them computed; from there what a whole step takes follows:
//! with p tokens of a question, n rollouts of L tokens, and the seconds that a token takes to be read (r), written (w) and
//! trained on (t), a group takes r·p + n·L·w to write and t·(p + n·L) to train on, since what rollouts begin with alike is
//! computed once. The reference and the perplexity are forward passes over what was written.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Group, Grpo, Rollout};
use crate::model::{GenerateSettings, LanguageModel, Sampling, Sequence, Trace};
use crate::training::TrainingError;
use crate::training::estimate::{LOSS_PASSES, TRY_SECONDS, Tried, affordable};

/// Tokens that are written of each rollout.
const TRY_TOKENS: usize = 32;

/// Seconds that a token takes.
#[derive(Debug, Clone, Copy)]
struct Paces {
    read: f64,
    written: f64,
    trained: f64,
}

impl Grpo {
    /// How long the parts of a step on `examples` take, from a few tokens of as many rollouts as are written at once.
    pub(super) fn try_groups(
        &self,
        examples: &[usize],
        forward: f64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Tried>, TrainingError> {
        let count = self.settings.rollouts;
        let groups = self.settings.concurrent.div_ceil(count).clamp(1, examples.len());
        let examples = &examples[..groups];
        let rollouts = examples.iter().flat_map(|&example| std::iter::repeat_n(example, count));
        let asked: Vec<usize> = rollouts.take(self.settings.concurrent).collect();
        let Some((traces, read, written)) = self.try_writing(&asked, cancelled)? else { return Ok(None) };
        let trained = self.try_loss(asked[0], traces, forward)?;
        Ok(Some(self.of_whole_groups(examples, Paces { read, written, trained })))
    }

    /// Writes a few tokens of answers to the questions of some examples; gives them with the seconds that a token of a
    /// question and one of an answer took.
    fn try_writing(
        &self,
        asked: &[usize],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<(Vec<Trace>, f64, f64)>, TrainingError> {
        let prompts: Vec<Vec<u32>> = asked.iter().map(|&example| self.prompts[example].tokens.clone()).collect();
        let most = asked.iter().map(|&example| self.longest(example)).min().unwrap_or(0).min(TRY_TOKENS);
        let settings = GenerateSettings {
            max_tokens: most,
            // None ends early, so that all are written side by side as the long ones of a step are.
            min_tokens: most,
            sampling: Sampling { temperature: self.settings.temperature, seed: self.seed, ..Sampling::default() },
            alternatives: 0,
            batch: self.settings.concurrent,
            ..GenerateSettings::default()
        };
        let (begin, limit) = (Instant::now(), Duration::from_secs_f64(TRY_SECONDS));
        let (mut first, mut tokens, mut stopped) = (None, 0, false);
        let mut on_token = |_| {
            first.get_or_insert_with(|| begin.elapsed());
            tokens += 1;
            stopped = cancelled();
            // The second round of them is the first that nothing but writing is in.
            let enough = begin.elapsed() > limit && tokens > 2 * asked.len();
            if stopped || enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let traces = self.model.generate(&prompts, Some(&self.adapter), &settings, &mut on_token)?;
        let all = begin.elapsed();
        if stopped || tokens == 0 && cancelled() {
            return Ok(None);
        }
        let first = first.unwrap_or(all);
        let mut questions: Vec<&Vec<u32>> = prompts.iter().collect();
        questions.dedup();
        let read: usize = questions.into_iter().map(Vec::len).sum();
        let later = tokens.saturating_sub(asked.len());
        let written = if later > 0 {
            all.saturating_sub(first).as_secs_f64() / later as f64
        } else {
            all.as_secs_f64() / tokens.max(1) as f64
        };
        Ok(Some((traces, first.as_secs_f64() / read.max(1) as f64, written)))
    }

    /// Seconds of a loss by its rows, from that of the rollouts of one question as far as there is time for it.
    fn try_loss(&self, example: usize, traces: Vec<Trace>, forward: f64) -> Result<f64, TrainingError> {
        let prompt = self.prompts[example].tokens.len();
        let (mut rollouts, mut left) = (Vec::new(), affordable(forward).saturating_sub(prompt));
        let of_example = traces.into_iter().take(self.settings.rollouts).filter(|trace| !trace.tokens.is_empty());
        for (at, trace) in of_example.enumerate() {
            let tokens: Vec<u32> = trace.tokens.iter().map(|token| token.id).collect();
            let Some(rest) = left.checked_sub(tokens.len()) else { break };
            left = rest;
            // Rewards that differ, so that nothing is passed over.
            rollouts.push(Rollout { tokens, advantage: 1.0, reward: at as f64, ..Rollout::default() });
        }
        // One alone is passed over where the recipe passes over what is rewarded alike.
        if rollouts.is_empty() || rollouts.len() == 1 && self.settings.skip_flat_groups {
            return Ok(LOSS_PASSES * forward);
        }
        let sequences: Vec<Sequence> = rollouts.iter().map(|rollout| self.sequence(example, rollout)).collect();
        let group = Group { example, rollouts, ..Group::default() };
        let begin = Instant::now();
        self.group_loss(&group, 1.0, &mut Vec::new())?;
        Ok(begin.elapsed().as_secs_f64() / LanguageModel::rows(&sequences).max(1) as f64)
    }

    /// What whole groups take by the token, as [`crate::training::Objective::tokens`] counts them.
    fn of_whole_groups(&self, examples: &[usize], Paces { read, written, trained }: Paces) -> Tried {
        let scored = trained / LOSS_PASSES;
        let (mut before, mut training, mut tokens) = (0.0, 0.0, 0.0);
        for &example in examples {
            let (count, longest) = (self.settings.rollouts as f64, self.longest(example) as f64);
            let prompt = self.prompts[example].tokens.len() as f64;
            before += read * prompt + written * count * longest;
            if self.settings.kl > 0.0 {
                before += scored * (prompt + count * longest);
            }
            if self.reward.needs_perplexity() {
                before += scored * count * longest;
            }
            training += trained * (prompt + count * longest);
            tokens += count * (prompt + longest);
        }
        let tokens = f64::max(tokens, 1.0);
        Tried { training: training / tokens, before: before / tokens, kept: false, whole: false }
    }
}
