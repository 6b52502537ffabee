//! Group relative policy optimisation: the model answers each question several times, and what was rewarded above the
//! group's mean becomes more probable (Shao et al. 2024, "DeepSeekMath", eq. 3; Yu et al. 2025, "DAPO"; Liu et al. 2025,
//! "Dr. GRPO").
//!
//! For token t of rollout i, with r = π/π_old its ratio, A its rollout's advantage and ρ the frozen reference:
//!
//! ```text
//! ℓ = −min(r·A, clip(r, 1 − low, 1 + high)·A) + β·k3(π, ρ)
//! ```
//!
//! and the loss is ℓ's mean as the aggregation says ([`AggregationName`]). A step draws its rollouts from the model as it is, rewards
//! them ([`crate::training::reward`]), and asks the reference; π_old is what the first loss of the rollouts finds, so it costs nothing. With
//! `reuse` above one, that many steps learn from the same rollouts. Every draw follows from the seed, the step and the
//! place in it, and rollouts still in use go into the checkpoint: a killed run goes on to the same weights.
//!
//! Log-probabilities are those at the sampling temperature, as in TRL.

mod policy;
mod rollouts;
mod settings;
mod trial;

use std::cell::RefCell;
use std::path::Path;

use candle_core::Var;
use sha2::{Digest, Sha256};

pub use policy::{AdvantageName, AggregationName, TokenLoss, advantages, deviation, k3};
pub use rollouts::{Group, Rollout, Window};
pub use settings::GrpoSettings;

use super::data::OfLog;
use super::estimate::Tried;
use super::parts::{largest_part, parts};
use super::reward::Reward;
use super::{
    DataSettings, DataSummary, Encoder, Example, Held, Objective, Part, Recipe, Reference, Said, Statistics,
    TrainingError,
};
use crate::model::{Adapter, LanguageModel, Sampling, Sequence};
use crate::reasoning::Task;

/// A question that rollouts answer.
#[derive(Debug, Clone)]
pub struct Prompted {
    /// What is asked, with the label and the reference's reasoning.
    pub example: Example,
    /// The tokens that ask.
    pub tokens: Vec<u32>,
}

impl Prompted {
    /// SHA-256 of the tokens that ask, in hexadecimal: tells this question from others.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.tokens.iter().for_each(|token| hash.update(token.to_le_bytes()));
        format!("{:x}", hash.finalize())
    }

    /// A question that is nothing but its tokens, about no log; for measurements.
    pub fn of_tokens(tokens: Vec<u32>) -> Self {
        let (id, input, completion) = <(String, String, String)>::default();
        let example =
            Example { id, task: Task::Anomaly, input, turns: Vec::new(), completion, rejected: None, label: None };
        Self { example, tokens }
    }
}

impl OfLog for Prompted {
    fn log(&self) -> &str {
        &self.example.input
    }
}

/// Turns examples into questions; one that leaves no room for an answer is left out.
///
/// # Errors
/// When a text cannot be tokenised.
pub fn tokenize_prompts(
    examples: &[Example],
    encoder: &dyn Encoder,
    settings: &DataSettings,
) -> Result<(Vec<Prompted>, DataSummary), TrainingError> {
    let (mut prompts, mut summary) = (Vec::new(), DataSummary::default());
    for example in examples {
        let tokens = encoder.prompt(&example.turns)?;
        summary.longest = summary.longest.max(tokens.len());
        if tokens.len() >= settings.max_length {
            summary.left_out += 1;
            continue;
        }
        summary.examples += 1;
        summary.tokens += tokens.len();
        prompts.push(Prompted { example: example.clone(), tokens });
    }
    Ok((prompts, summary))
}

/// GRPO of an adapter over a frozen model.
pub struct Grpo {
    model: LanguageModel,
    adapter: Adapter,
    parameters: Vec<(String, Var)>,
    reference: Reference,
    settings: GrpoSettings,
    reward: Reward,
    /// Those that train, then those held out.
    prompts: Vec<Prompted>,
    train: usize,
    seed: u64,
    /// What the present steps learn from.
    window: RefCell<Window>,
}

impl Grpo {
    /// Trains `adapter` over `model` on `train`; `dev` is only measured on. `seed` decides every draw.
    #[allow(clippy::too_many_arguments, reason = "each is one thing, and they come together only here")]
    pub fn new(
        model: LanguageModel,
        adapter: Adapter,
        reference: Reference,
        settings: GrpoSettings,
        reward: Reward,
        train: Vec<Prompted>,
        dev: Vec<Prompted>,
        seed: u64,
    ) -> Self {
        let (count, parameters) = (train.len(), adapter.parameters());
        let prompts = train.into_iter().chain(dev).collect();
        let window = RefCell::default();
        Self { model, adapter, parameters, reference, settings, reward, prompts, train: count, seed, window }
    }

    /// Goes on with the rollouts that a checkpoint kept in `path`, or that were made elsewhere.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn restore(&self, path: &Path) -> Result<(), TrainingError> {
        *self.window.borrow_mut() = Window::read(path)?;
        Ok(())
    }

    /// Whether a group says nothing: then it is neither computed nor, if the recipe says so, counted.
    fn is_skipped(&self, group: &Group) -> bool {
        group.is_flat() && self.settings.skip_flat_groups
    }

    /// What a rollout's tokens are divided by, besides what is common to all.
    fn own_divisor(&self, rollout: &Rollout) -> f64 {
        match self.settings.aggregation {
            AggregationName::Grpo => rollout.tokens.len().max(1) as f64,
            AggregationName::DrGrpo | AggregationName::Dapo => 1.0,
        }
    }

    /// Tokens of the longest rollout that an example may get.
    fn longest(&self, example: usize) -> usize {
        self.longest_of(example, self.settings.max_tokens)
    }

    fn longest_of(&self, example: usize, max_tokens: usize) -> usize {
        let room = self.model.config().context.saturating_sub(self.prompts[example].tokens.len());
        max_tokens.min(room)
    }

    /// Rows of the largest pass over one group whose rollouts have at most `max_tokens` tokens: one group goes through the
    /// model at a time, with rollouts of the longest allowed length that part at once.
    fn group_rows(&self, example: usize, max_tokens: usize) -> usize {
        let longest = self.longest_of(example, max_tokens) as u32;
        let prompt = &self.prompts[example].tokens;
        let rollout = |i: usize| Sequence {
            tokens: prompt.iter().copied().chain((0..longest).map(|t| u32::MAX - i as u32 * longest - t)).collect(),
            weights: Vec::new(),
        };
        let sequences: Vec<Sequence> = (0..self.settings.rollouts).map(rollout).collect();
        largest_part(&sequences, 1, self.model.kept_rows())
    }

    /// Bytes that writing so many rollouts of at most `max_tokens` tokens at a time takes.
    fn writing_bytes_of(&self, concurrent: usize, max_tokens: usize) -> usize {
        let config = self.model.config();
        let all = self.prompts.iter().enumerate();
        let longest = all.map(|(at, prompt)| prompt.tokens.len() + self.longest_of(at, max_tokens)).max().unwrap_or(0);
        let slots = concurrent.min(self.settings.rollouts * self.prompts.len());
        let cache = 2 * config.heads.key_value_width() * config.layers * slots * longest;
        // Beside the cache a row of logits for each, twice.
        (cache + 2 * slots * config.vocabulary) * std::mem::size_of::<f32>()
    }

    fn counts(&self, rollout: &Rollout) -> bool {
        !(rollout.truncated && self.settings.mask_truncated)
    }

    /// The loss of one group; the log-probabilities that its tokens have now go into `now`.
    fn group_loss(
        &self,
        group: &Group,
        normaliser: f64,
        now: &mut Vec<Vec<f32>>,
    ) -> Result<Option<Part>, TrainingError> {
        let settings = &self.settings;
        let silent = settings.kl == 0.0 && group.rollouts.iter().all(|rollout| rollout.advantage == 0.0);
        let counted: Vec<&Rollout> = group.rollouts.iter().filter(|rollout| self.counts(rollout)).collect();
        if silent || counted.is_empty() || self.is_skipped(group) {
            return Ok(None);
        }
        let sequences: Vec<Sequence> = counted.iter().map(|rollout| self.sequence(group.example, rollout)).collect();
        let mut sum: Option<Part> = None;
        for range in parts(&sequences, 1, self.model.kept_rows()) {
            let part = self.part_loss(&counted[range.clone()], &sequences[range], normaliser, now)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => sum.and(part)?,
            });
        }
        Ok(sum)
    }

    /// The loss of some rollouts of one group.
    fn part_loss(
        &self,
        counted: &[&Rollout],
        sequences: &[Sequence],
        normaliser: f64,
        now: &mut Vec<Vec<f32>>,
    ) -> Result<Part, TrainingError> {
        let settings = &self.settings;
        let (mut loss, mut told) = (0.0, Statistics::default());
        let mut weigh = |found: &[Vec<f32>]| {
            let of_rollout = |(rollout, found): (&&Rollout, &Vec<f32>)| {
                let start = found.len() - rollout.tokens.len();
                let divisor = self.own_divisor(rollout) * normaliser;
                let mut weights = vec![0.0; found.len()];
                for (t, &policy) in found[start..].iter().enumerate() {
                    let policy = f64::from(policy);
                    let old = rollout.old.get(t).map_or(policy, |&old| f64::from(old));
                    let reference = rollout.reference.get(t).map(|&reference| f64::from(reference));
                    let token = TokenLoss::of(policy, old, reference, f64::from(rollout.advantage), settings);
                    loss += token.loss / divisor;
                    weights[start + t] = (-token.slope / divisor) as f32;
                    told.count("clip_fraction", f64::from(u8::from(token.clipped)));
                    // The mean of −ln π over what π drew is its entropy, without bias.
                    told.count("entropy", -policy);
                    if reference.is_some() {
                        told.count("kl", token.kl);
                    }
                }
                weights
            };
            now.extend(counted.iter().zip(found).map(|(r, found)| found[found.len() - r.tokens.len()..].to_vec()));
            counted.iter().zip(found).map(of_rollout).collect()
        };
        let found = self.model.loss_by(sequences, &self.adapter, settings.temperature, &mut weigh)?;
        let gradients = found.gradients.into_iter().map(Some).collect();
        Ok(Part { loss, gradients, statistics: told })
    }

    /// A part that moves nothing.
    fn nothing(&self) -> Result<Part, TrainingError> {
        let gradients = self.parameters.iter().map(|(_, variable)| Ok(Some(variable.zeros_like()?)));
        let gradients = gradients.collect::<Result<_, TrainingError>>()?;
        Ok(Part { loss: 0.0, gradients, statistics: Statistics::default() })
    }

    /// Keeps what the first loss of some rollouts found, for the steps that learn from them again.
    fn keep_old(&self, example: usize, now: Vec<Vec<f32>>) {
        let mut window = self.window.borrow_mut();
        let Some(group) = window.groups.iter_mut().find(|group| group.example == example) else { return };
        let counted = group.rollouts.iter_mut().filter(|rollout| self.counts(rollout));
        counted.zip(now).filter(|(rollout, _)| rollout.old.is_empty()).for_each(|(rollout, now)| rollout.old = now);
    }
}

impl Objective for Grpo {
    fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    fn examples(&self) -> usize {
        self.train
    }

    fn reuse(&self) -> usize {
        self.settings.reuse
    }

    fn prepare(
        &self,
        step: usize,
        batches: &[Vec<usize>],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Statistics>, TrainingError> {
        let first_step = step - step % self.settings.reuse;
        let there = {
            let window = self.window.borrow();
            // After a change of the recipe the same place may hold another question.
            let asks = |&example: &usize| {
                window.group(example).is_some_and(|group| group.prompt == self.prompts[example].digest())
            };
            window.first_step == first_step && batches.iter().flatten().all(asks)
        };
        if !there {
            let Some(window) = self.roll_out(first_step, &batches.concat(), cancelled)? else { return Ok(None) };
            *self.window.borrow_mut() = window;
        }
        Ok(Some(self.window.borrow().statistics()))
    }

    fn tokens(&self, example: usize) -> usize {
        let window = self.window.borrow();
        let (prompt, count) = (self.prompts[example].tokens.len(), self.settings.rollouts);
        // Before they are drawn: as many as there may be.
        let most = count * self.longest(example);
        window.group(example).map_or(most, Group::tokens) + count * prompt
    }

    fn rows(&self, examples: &[usize]) -> usize {
        examples.iter().map(|&example| self.group_rows(example, self.settings.max_tokens)).max().unwrap_or(0)
    }

    fn writing_bytes(&self) -> usize {
        self.writing_bytes_of(self.settings.concurrent, self.settings.max_tokens)
    }

    fn extent_with(&self, recipe: &Recipe) -> (usize, usize) {
        let GrpoSettings { concurrent, max_tokens, .. } = *recipe.grpo.as_ref().unwrap_or(&self.settings);
        let rows = (0..self.train).map(|example| self.group_rows(example, max_tokens)).max().unwrap_or(0);
        (rows, self.writing_bytes_of(concurrent, max_tokens))
    }

    fn try_step(
        &self,
        examples: &[usize],
        forward: f64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Tried>, TrainingError> {
        self.try_groups(examples, forward, cancelled)
    }

    fn weight(&self, examples: &[usize]) -> f64 {
        let window = self.window.borrow();
        let of_group = |group: &Group| match self.settings.aggregation {
            AggregationName::Grpo => group.rollouts.len() as f64,
            AggregationName::DrGrpo => group.rollouts.len() as f64 * self.settings.max_tokens as f64,
            AggregationName::Dapo => {
                let counted = group.rollouts.iter().filter(|rollout| self.counts(rollout));
                counted.map(|rollout| rollout.tokens.len() as f64).sum()
            }
        };
        let groups = examples.iter().filter_map(|&example| window.group(example));
        groups.filter(|group| !self.is_skipped(group)).map(of_group).sum()
    }

    fn loss(&self, examples: &[usize], normaliser: f64) -> Result<Part, TrainingError> {
        let mut sum = self.nothing()?;
        for &example in examples {
            let Some(group) = self.window.borrow().group(example).cloned() else { continue };
            // One group at a time: a batch of groups would keep many times the activations.
            let mut now = Vec::new();
            let Some(part) = self.group_loss(&group, normaliser, &mut now)? else { continue };
            if self.settings.reuse > 1 {
                self.keep_old(example, now);
            }
            sum.loss += part.loss;
            sum.statistics.merge(part.statistics);
            for (sum, part) in sum.gradients.iter_mut().zip(part.gradients) {
                if let (Some(so_far), Some(more)) = (&sum, part) {
                    *sum = Some((so_far + more)?);
                }
            }
        }
        Ok(sum)
    }

    fn held_out(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Held>, TrainingError> {
        let dev: Vec<usize> = (self.train..self.prompts.len()).collect();
        if dev.is_empty() {
            return Ok(None);
        }
        let Some(rollouts) = self.write(&dev, Sampling::default(), cancelled)? else { return Ok(None) };
        let rewards: Vec<f64> = rollouts.iter().map(|rollout| rollout.reward).collect();
        let mut statistics = Statistics::default();
        for rollout in &rollouts {
            statistics.count("reward", rollout.reward);
            if let Some(right) = rollout.right {
                statistics.count("answer_accuracy", f64::from(u8::from(right)));
            }
        }
        // What training is to bring down.
        let loss = -rewards.iter().sum::<f64>() / rewards.len() as f64;
        Ok(Some(Held { loss, statistics }))
    }

    fn samples(&self, _: &dyn Fn() -> bool) -> Result<Option<Vec<Said>>, TrainingError> {
        Ok(Some(self.window.borrow().extremes(|example| self.prompts[example].example.input.clone())))
    }

    fn wearing(&self) -> Option<(&LanguageModel, &Adapter)> {
        Some((&self.model, &self.adapter))
    }

    fn save(&self, folder: &Path) -> Result<(), TrainingError> {
        Ok(self.adapter.save(folder)?)
    }

    fn save_state(&self, checkpoint: &Path) -> Result<(), TrainingError> {
        let window = self.window.borrow();
        if self.settings.reuse == 1 || window.groups.is_empty() {
            return Ok(());
        }
        window.write(&checkpoint.join(Grpo::STATE_FILE))
    }
}

impl Grpo {
    /// Where a checkpoint keeps the rollouts that are still in use.
    pub const STATE_FILE: &'static str = "rollouts.json";
}
