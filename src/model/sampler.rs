//! From logits to the next token.

use std::collections::HashSet;

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling as CandleSampling};

use super::ModelError;
use super::kernels::simd::softmax;

/// A chosen token with the probabilities around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The token.
    pub id: u32,
    /// Its probability at temperature 1.
    pub probability: f32,
    /// The entropy of the whole distribution at temperature 1, in nats.
    pub entropy: f32,
    /// The best other tokens with their probabilities, best first.
    pub alternatives: Vec<(u32, f32)>,
}

/// How the next token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 is greedy: always the most probable token, of equals the one with the lowest id.
    pub temperature: f64,
    /// Sample among this many best tokens only.
    pub top_k: Option<usize>,
    /// Sample among the best tokens that together have this probability.
    pub top_p: Option<f64>,
    /// Sample among tokens that have at least this share of the best one's probability, after temperature (Nguyen et al.
    /// 2024, "Turning Up the Heat").
    pub min_p: Option<f64>,
    /// Divides the logit of a token that stands in the prompt or was written (multiplies it where it is negative); 1
    /// changes nothing (Keskar et al. 2019, "CTRL").
    pub repetition: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: None, top_p: None, min_p: None, repetition: 1.0, seed: 0 }
    }
}

/// Chooses tokens for one sequence; the same seed and logits give the same tokens.
pub struct Sampler {
    settings: Sampling,
    /// `None`: greedy.
    processor: Option<LogitsProcessor>,
    alternatives: usize,
}

impl Sampler {
    /// A sampler that also tells the `alternatives` best other tokens.
    pub fn new(settings: Sampling, alternatives: usize) -> Self {
        let Sampling { temperature, top_k, seed, .. } = settings;
        let top_p = settings.top_p.filter(|p| *p > 0.0 && *p < 1.0);
        let processor = (temperature > 0.0).then(|| {
            let sampling = match (top_k, top_p) {
                (None, None) => CandleSampling::All { temperature },
                (Some(k), None) => CandleSampling::TopK { k: k.max(1), temperature },
                (None, Some(p)) => CandleSampling::TopP { p, temperature },
                (Some(k), Some(p)) => CandleSampling::TopKThenTopP { k: k.max(1), p, temperature },
            };
            LogitsProcessor::from_sampling(seed, sampling)
        });
        Self { settings, processor, alternatives }
    }

    /// Chooses from one row of logits. `before` are the tokens so far, in any order; `allowed` leaves only some tokens to
    /// choose from, at least one. Probabilities are those of the logits as they are.
    pub fn choose(
        &mut self,
        logits: &[f32],
        before: impl IntoIterator<Item = u32>,
        allowed: Option<&dyn Fn(u32) -> bool>,
    ) -> Result<Choice, ModelError> {
        if logits.iter().any(|v| v.is_nan()) {
            return Err(ModelError::Request("the model gave no number for a logit; its weights are damaged".into()));
        }
        let plain = self.settings.repetition == 1.0 && allowed.is_none();
        let mut best = highest(logits, self.alternatives + 1);
        let id = match &mut self.processor {
            None if plain => best[0],
            processor => {
                let mut changed = logits.to_vec();
                penalise(&mut changed, before, self.settings.repetition);
                if let Some(allowed) = allowed {
                    let forbidden = changed.iter_mut().enumerate().filter(|(id, _)| !allowed(*id as u32));
                    forbidden.for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
                }
                match processor {
                    None => highest(&changed, 1)[0],
                    Some(processor) => {
                        if let Some(share) = self.settings.min_p.filter(|share| *share > 0.0) {
                            keep_near_the_best(&mut changed, share, self.settings.temperature);
                        }
                        processor.sample(&Tensor::new(changed, &Device::Cpu)?)?
                    }
                }
            }
        };
        let mut probabilities = logits.to_vec();
        let log_sum = softmax(&mut probabilities);
        let entropy = entropy(logits, &probabilities, log_sum);
        let probability = |id: u32| probabilities[id as usize];
        best.retain(|other| *other != id);
        best.truncate(self.alternatives);
        let alternatives = best.into_iter().map(|id| (id, probability(id))).collect();
        Ok(Choice { id, probability: probability(id), entropy, alternatives })
    }
}

/// Below this a probability is what is left of 0 after rounding.
const IMPOSSIBLE: f32 = 1e-30;

/// −Σ p ln p of a row of logits, given its softmax and ln Σ eˣ: ln p = x − ln Σ eˣ, so one pass and no logarithm will do.
fn entropy(logits: &[f32], probabilities: &[f32], log_sum: f32) -> f32 {
    // Sums in lanes are quick, and lose less than one long sum.
    let mut lanes = [0.0_f32; 16];
    for (x, p) in logits.chunks(lanes.len()).zip(probabilities.chunks(lanes.len())) {
        for ((lane, x), p) in lanes.iter_mut().zip(x).zip(p) {
            // What is impossible adds nothing, though times ∞ it would.
            *lane += if *p > IMPOSSIBLE { p * (log_sum - x) } else { 0.0 };
        }
    }
    lanes.iter().sum::<f32>().max(0.0)
}

fn penalise(logits: &mut [f32], before: impl IntoIterator<Item = u32>, repetition: f64) {
    if repetition == 1.0 {
        return;
    }
    let seen: HashSet<u32> = before.into_iter().collect();
    for id in seen {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = if *logit > 0.0 { *logit / repetition as f32 } else { *logit * repetition as f32 };
        }
    }
}

/// Leaves the tokens that have, at this temperature, at least `share` of the best one's probability.
fn keep_near_the_best(logits: &mut [f32], share: f64, temperature: f64) {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let least = best + (share.min(1.0).ln() * temperature) as f32;
    logits.iter_mut().filter(|logit| **logit < least).for_each(|logit| *logit = f32::NEG_INFINITY);
}

/// The ids of the `n` highest values, best first; of equals the lower id first.
fn highest(values: &[f32], n: usize) -> Vec<u32> {
    let mut best: Vec<u32> = Vec::with_capacity(n + 1);
    for (id, value) in values.iter().enumerate() {
        if best.len() == n && best.last().is_some_and(|last| *value <= values[*last as usize]) {
            continue;
        }
        let at = best.partition_point(|other| values[*other as usize] >= *value);
        best.insert(at, id as u32);
        best.truncate(n);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(settings: Sampling) -> Sampler {
        Sampler::new(settings, 0)
    }

    #[test]
    fn greedy_takes_the_best_and_shows_the_rest() {
        let logits = [0.0, 3.0, 1.0, 3.0, 2.0];
        let choice = Sampler::new(Sampling::default(), 2).choose(&logits, [], None).unwrap();
        assert_eq!(choice.id, 1);
        let ids: Vec<u32> = choice.alternatives.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [3, 4]);
        let sum: f32 = logits.iter().map(|v| (v - 3.0f32).exp()).sum();
        assert!((choice.probability - 1.0 / sum).abs() < 1e-6);
    }

    #[test]
    fn entropy_is_that_of_the_whole_distribution() {
        let entropy = |logits: &[f32]| sampler(Sampling::default()).choose(logits, [], None).unwrap().entropy;
        let even = vec![7.5; 49_152];
        assert!((entropy(&even) - (even.len() as f32).ln()).abs() < 1e-3);
        assert_eq!(entropy(&[80.0, f32::NEG_INFINITY, f32::NEG_INFINITY]), 0.0);
        // Odds of 3 to 1.
        let expected = -(0.75_f32 * 0.75_f32.ln() + 0.25 * 0.25_f32.ln());
        assert!((entropy(&[30.0, 30.0 + 3.0_f32.ln()]) - expected).abs() < 1e-5);
    }

    #[test]
    fn a_seed_fixes_the_samples() {
        let logits: Vec<f32> = (0..50).map(|i| (i % 7) as f32).collect();
        let draw = |seed| {
            let settings =
                Sampling { temperature: 0.8, top_k: Some(20), top_p: Some(0.9), seed, ..Sampling::default() };
            let mut sampler = sampler(settings);
            (0..20).map(|_| sampler.choose(&logits, [], None).unwrap().id).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn top_k_of_one_is_greedy() {
        let logits = [0.0, 1.0, 0.5];
        let mut sampler = sampler(Sampling { temperature: 1.0, top_k: Some(1), seed: 3, ..Sampling::default() });
        assert!((0..20).all(|_| sampler.choose(&logits, [], None).unwrap().id == 1));
    }

    #[test]
    fn min_p_draws_only_near_the_best() {
        // Shares of the best one's probability at temperature 2: 1, e^-0.5 = .61, e^-1 = .37, e^-2 = .14.
        let logits = [4.0, 3.0, 2.0, 0.0];
        let settings = Sampling { temperature: 2.0, min_p: Some(0.4), seed: 1, ..Sampling::default() };
        let mut sampler = sampler(settings);
        let drawn: HashSet<u32> = (0..200).map(|_| sampler.choose(&logits, [], None).unwrap().id).collect();
        assert_eq!(drawn, HashSet::from([0, 1]));
    }

    #[test]
    fn repetition_makes_what_was_written_less_likely() {
        let mut sampler = sampler(Sampling { repetition: 2.0, ..Sampling::default() });
        assert_eq!(sampler.choose(&[3.0, 2.0, -1.0], [0, 0], None).unwrap().id, 1);
        assert_eq!(sampler.choose(&[-3.0, -1.0, -1.5], [1], None).unwrap().id, 2);
    }

    #[test]
    fn only_allowed_tokens_are_chosen_and_their_probability_is_honest() {
        let logits = [3.0, 2.0, 1.0];
        for temperature in [0.0, 1.0] {
            let mut sampler = sampler(Sampling { temperature, ..Sampling::default() });
            let choice = sampler.choose(&logits, [], Some(&|id| id == 2)).unwrap();
            assert_eq!(choice.id, 2);
            assert!(choice.probability < 0.1);
        }
    }

    #[test]
    fn damaged_logits_are_an_error() {
        assert!(Sampler::new(Sampling::default(), 5).choose(&[0.0, f32::NAN], [], None).is_err());
    }
}
