//! Direct preference optimisation: what experts chose becomes more probable than what they rejected, measured against a
//! frozen reference (Rafailov et al. 2023, "Direct Preference Optimization", eq. 7).
//!
//! With c and r the chosen and the rejected answer to the question x, the model π, the reference ρ, and
//! h = (ln π(c|x) − ln ρ(c|x)) − (ln π(r|x) − ln ρ(r|x)):
//!
//! ```text
//! L = −(1 − ε) · ln σ(β·h) − ε · ln σ(−β·h)  +  w · (negative log-likelihood of c, a token)
//! ```
//!
//! averaged over the pairs of a step. ε is label smoothing (Mitchell 2023, "A note on DPO with noisy preferences"), w adds the
//! likelihood of the chosen side (Pang et al. 2024, "Iterative reasoning preference optimization"), averaged over the chosen tokens
//! of the step, as TRL's `loss_type = ["sigmoid", "sft"]` does.
//!
//! Log-probabilities of tokens that both sides begin with cancel in h, and their gradients with them: only the tokens
//! after the shared start are predicted. The reference is asked once for each pair, with the start computed once for both sides,
//! and what it said is kept in the run's folder. The model runs once forward and once backward, both sides together:
//! [`crate::model::LanguageModel::loss_by`] turns L's derivatives into weights of tokens.

use std::cell::Cell;
use std::path::Path;

use candle_core::Var;
use serde::{Deserialize, Serialize};

use super::parts::{largest_part, largest_pass, parts};
use super::question::Question;
use super::recipe::unmet;
use super::reference::ReferenceCache;
use super::{
    Held, Objective, Part, Recipe, Reference, ReferenceName, RunFolder, Said, Statistics, TokenizedPair, TrainingError,
};
use crate::model::{Adapter, Endings, LanguageModel, Sequence};

/// The settings of DPO, `[dpo]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DpoSettings {
    /// β: how dear it is to leave the reference.
    pub beta: f64,
    /// ε: the share of pairs that may be the wrong way round.
    pub label_smoothing: f64,
    /// w: weight of the chosen side's likelihood; nought leaves it out.
    pub sft_weight: f64,
    /// What the model is compared with.
    pub reference: ReferenceName,
}

impl Default for DpoSettings {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0, sft_weight: 0.0, reference: ReferenceName::Start }
    }
}

impl DpoSettings {
    /// What cannot work, each with what would.
    pub(super) fn complaints(&self) -> Vec<String> {
        unmet([
            (self.beta > 0.0 && self.beta <= 10.0, format!("dpo.beta = {} (above 0, at most 10)", self.beta)),
            (
                (0.0..0.5).contains(&self.label_smoothing),
                format!("dpo.label_smoothing = {} (0 to below 0.5)", self.label_smoothing),
            ),
            ((0.0..=100.0).contains(&self.sft_weight), format!("dpo.sft_weight = {} (0 to 100)", self.sft_weight)),
        ])
    }

    /// The loss of a pair with the given h, and its derivative by h.
    pub fn of_margin(&self, h: f64) -> (f64, f64) {
        let (x, smoothing) = (self.beta * h, self.label_smoothing);
        let loss = -(1.0 - smoothing) * ln_sigmoid(x) - smoothing * ln_sigmoid(-x);
        let slope = -self.beta * ((1.0 - smoothing) * sigmoid(-x) - smoothing * sigmoid(x));
        (loss, slope)
    }
}

fn sigmoid(x: f64) -> f64 {
    ln_sigmoid(x).exp()
}

/// ln σ(x) = −ln(1 + e^−x), without overflow.
fn ln_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// DPO of an adapter over a frozen model.
pub struct Dpo {
    model: LanguageModel,
    adapter: Adapter,
    parameters: Vec<(String, Var)>,
    reference: Reference,
    settings: DpoSettings,
    /// Those that train, then those held out.
    pairs: Vec<TokenizedPair>,
    train: usize,
    batch: usize,
    cache: ReferenceCache,
    question: Option<Question>,
    /// Tokens of all chosen answers of the present step: what the likelihood term is normalised by.
    chosen_tokens: Cell<f64>,
    /// Decides what dropout hides.
    seed: u64,
    /// The step that is being taken and the batches of it that were seen: what dropout is drawn for.
    at: Cell<(usize, usize)>,
}

/// How the sides of a batch of pairs compare, and what each token counts for that.
struct Compared {
    loss: f64,
    statistics: Statistics,
    weights: Vec<Vec<f32>>,
}

impl Dpo {
    /// Trains `adapter` over `model` on `train`; `dev` is only measured on, `batch` pairs at a time. What the reference says
    /// is kept in `folder`, if there is one.
    ///
    /// # Errors
    /// When what was kept there cannot be read.
    #[allow(clippy::too_many_arguments, reason = "each is one thing, and they come together only here")]
    pub fn new(
        model: LanguageModel,
        adapter: Adapter,
        reference: Reference,
        settings: DpoSettings,
        train: Vec<TokenizedPair>,
        dev: Vec<TokenizedPair>,
        batch: usize,
        folder: Option<&RunFolder>,
    ) -> Result<Self, TrainingError> {
        let cache = ReferenceCache::open(folder, &reference, train.iter().chain(&dev))?;
        let question = dev
            .first()
            .or(train.first())
            .map(|pair| Question { input: pair.input.clone(), prompt: pair.chosen[..pair.prompt].to_vec() });
        let (count, parameters) = (train.len(), adapter.parameters());
        let pairs = train.into_iter().chain(dev).collect();
        let chosen_tokens = Cell::new(0.0);
        Ok(Self {
            model,
            adapter,
            parameters,
            reference,
            settings,
            pairs,
            train: count,
            batch: batch.max(1),
            cache,
            question,
            chosen_tokens,
            seed: 0,
            at: Cell::default(),
        })
    }

    /// With another seed for dropout.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Asks the reference about those of `pairs` that it was not asked about yet; false if someone asked to stop.
    fn ask_reference(&self, pairs: &[usize], cancelled: &dyn Fn() -> bool) -> Result<bool, TrainingError> {
        let mut missing: Vec<usize> = pairs.iter().copied().filter(|&pair| self.cache.get(pair).is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(true);
        }
        let questions: Vec<Endings> = missing
            .iter()
            .map(|&pair| {
                let TokenizedPair { shared, chosen, rejected, .. } = &self.pairs[pair];
                let endings = vec![chosen[*shared..].to_vec(), rejected[*shared..].to_vec()];
                Endings { context: chosen[..*shared].to_vec(), endings }
            })
            .collect();
        let mut go_on = |_| !cancelled();
        let Some(scores) = self.model.score_endings(&questions, self.reference.adapter(), &mut go_on)? else {
            return Ok(false);
        };
        self.cache.keep(missing.into_iter().zip(scores).map(|(pair, scores)| (pair, scores[0], scores[1])))?;
        Ok(true)
    }

    /// Both sides of each pair, one after the other; a weight of one marks the tokens that are predicted.
    fn sequences(&self, pairs: &[usize]) -> Vec<Sequence> {
        let side = |tokens: &[u32], from: usize| Sequence {
            tokens: tokens.to_vec(),
            weights: (0..tokens.len()).map(|i| f32::from(u8::from(i >= from))).collect(),
        };
        pairs
            .iter()
            .flat_map(|&pair| {
                let TokenizedPair { prompt, shared, chosen, rejected, .. } = &self.pairs[pair];
                let whole_answer = self.settings.sft_weight > 0.0;
                [side(chosen, if whole_answer { *prompt } else { *shared }), side(rejected, *shared)]
            })
            .collect()
    }

    /// What the log-probabilities of [`Dpo::sequences`] come to, of pairs that the reference was asked about.
    fn compare(&self, pairs: &[usize], found: &[Vec<f32>], normaliser: f64, chosen_tokens: f64) -> Compared {
        let mut compared = Compared { loss: 0.0, statistics: Statistics::default(), weights: Vec::new() };
        let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
        for (&pair, sides) in pairs.iter().zip(found.chunks_exact(2)) {
            let TokenizedPair { prompt, shared, .. } = self.pairs[pair];
            let Some(reference) = self.cache.get(pair) else { continue };
            let chosen = sum(&sides[0][shared..]) - f64::from(reference.chosen);
            let rejected = sum(&sides[1][shared..]) - f64::from(reference.rejected);
            let (loss, slope) = self.settings.of_margin(chosen - rejected);
            compared.loss += loss / normaliser;
            let weight = (-slope / normaliser) as f32;
            let mut weights = [vec![0.0; sides[0].len()], vec![0.0; sides[1].len()]];
            weights[0][shared..].fill(weight);
            weights[1][shared..].fill(-weight);
            let statistics = &mut compared.statistics;
            if self.settings.sft_weight > 0.0 {
                let tokens = sides[0].len() - prompt;
                let likelihood = -sum(&sides[0][prompt..]);
                let each = self.settings.sft_weight / chosen_tokens;
                compared.loss += each * likelihood;
                weights[0][prompt..].iter_mut().for_each(|weight| *weight += each as f32);
                statistics.add("chosen_loss", likelihood, tokens as f64);
            }
            compared.weights.extend(weights);
            let beta = self.settings.beta;
            // Of the tokens after what both sides share, which cancels in the margin: TRL's rewards have the shared ones, too.
            statistics.count("reward_chosen", beta * chosen);
            statistics.count("reward_rejected", beta * rejected);
            statistics.count("reward_margin", beta * (chosen - rejected));
            statistics.count("reward_accuracy", f64::from(u8::from(chosen > rejected)));
        }
        compared
    }

    fn answer_tokens(&self, pairs: impl Iterator<Item = usize>) -> f64 {
        pairs.map(|pair| (self.pairs[pair].chosen.len() - self.pairs[pair].prompt) as f64).sum()
    }
}

impl Objective for Dpo {
    fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    fn examples(&self) -> usize {
        self.train
    }

    fn prepare(
        &self,
        step: usize,
        batches: &[Vec<usize>],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Statistics>, TrainingError> {
        self.at.set((step, 0));
        let all = batches.concat();
        self.chosen_tokens.set(self.answer_tokens(all.iter().copied()));
        Ok(self.ask_reference(&all, cancelled)?.then(Statistics::default))
    }

    fn tokens(&self, example: usize) -> usize {
        self.pairs[example].chosen.len() + self.pairs[example].rejected.len()
    }

    fn weight(&self, examples: &[usize]) -> f64 {
        examples.len() as f64
    }

    fn loss(&self, examples: &[usize], normaliser: f64) -> Result<Part, TrainingError> {
        let sequences = self.sequences(examples);
        let mut sum: Option<Part> = None;
        // Both sides of a pair stay together.
        for range in parts(&sequences, 2, self.model.kept_rows()) {
            let pairs = &examples[range.start / 2..range.end / 2];
            let (mut loss, mut statistics) = (0.0, Statistics::default());
            let mut weigh = |found: &[Vec<f32>]| {
                let compared = self.compare(pairs, found, normaliser, self.chosen_tokens.get());
                (loss, statistics) = (compared.loss, compared.statistics);
                compared.weights
            };
            let (step, seen) = self.at.get();
            self.at.set((step, seen + 1));
            let adapter = self.adapter.dropping(self.seed, (step as u64) << 16 | seen as u64);
            let found = self.model.loss_by(&sequences[range], &adapter, 1.0, &mut weigh)?;
            let part = Part { loss, gradients: found.gradients.into_iter().map(Some).collect(), statistics };
            sum = Some(match sum {
                None => part,
                Some(sum) => sum.and(part)?,
            });
        }
        sum.ok_or_else(|| TrainingError::Model("a batch of nothing has no loss".into()))
    }

    fn rows(&self, examples: &[usize]) -> usize {
        largest_part(&self.sequences(examples), 2, self.model.kept_rows())
    }

    fn extent_with(&self, recipe: &Recipe) -> (usize, usize) {
        let cut = |tokens: &[u32]| tokens.len().min(recipe.data.max_length);
        let lengths = self.pairs[..self.train].iter().map(|pair| vec![cut(&pair.chosen), cut(&pair.rejected)]);
        (largest_pass(lengths.collect(), recipe.data.batch, self.model.kept_rows()), 0)
    }

    fn held_out(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Held>, TrainingError> {
        let dev: Vec<usize> = (self.train..self.pairs.len()).collect();
        if dev.is_empty() || !self.ask_reference(&dev, cancelled)? {
            return Ok(None);
        }
        let (normaliser, tokens) = (dev.len() as f64, self.answer_tokens(dev.iter().copied()));
        let mut held = Held::default();
        for batch in dev.chunks(self.batch) {
            if cancelled() {
                return Ok(None);
            }
            let found = self.model.log_probabilities(&self.sequences(batch), Some(&self.adapter))?;
            let compared = self.compare(batch, &found, normaliser, tokens);
            held.loss += compared.loss;
            held.statistics.merge(compared.statistics);
        }
        Ok(Some(held))
    }

    fn samples(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Vec<Said>>, TrainingError> {
        let Some(question) = &self.question else { return Ok(Some(Vec::new())) };
        question.ask(&self.model, &self.adapter, cancelled)
    }

    fn wearing(&self) -> Option<(&LanguageModel, &Adapter)> {
        Some((&self.model, &self.adapter))
    }

    fn save(&self, folder: &Path) -> Result<(), TrainingError> {
        Ok(self.adapter.save(folder)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_known_log_probabilities() {
        // Policy chosen, reference chosen, policy rejected, reference rejected.
        let h = (-24.3 - -25.0) - (-27.3 - -26.0);
        let (loss, slope) = DpoSettings::default().of_margin(h);
        assert!((loss - 0.598139).abs() < 1e-6, "{loss}");
        assert!((slope + 0.1 / (1.0 + 0.2f64.exp())).abs() < 1e-12, "{slope}");
    }

    #[test]
    fn the_slope_is_the_losss_and_neither_overflows() {
        for label_smoothing in [0.0, 0.1] {
            let settings = DpoSettings { label_smoothing, beta: 0.3, ..DpoSettings::default() };
            for h in [-7.0, -0.2, 0.0, 0.9, 12.0] {
                let (up, down) = (settings.of_margin(h + 1e-6).0, settings.of_margin(h - 1e-6).0);
                assert!(((up - down) / 2e-6 - settings.of_margin(h).1).abs() < 1e-7);
            }
            for h in [-1e6, 1e6] {
                let (loss, slope) = settings.of_margin(h);
                assert!(loss.is_finite() && slope.is_finite());
            }
        }
    }

    #[test]
    fn what_cannot_work_is_told() {
        let settings = DpoSettings { beta: 0.0, label_smoothing: 0.5, sft_weight: -1.0, ..DpoSettings::default() };
        assert_eq!(settings.complaints().len(), 3);
        assert_eq!(DpoSettings::default().complaints(), Vec::<String>::new());
    }
}
