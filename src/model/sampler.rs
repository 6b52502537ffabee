//! From logits to the next token.

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use super::ModelError;
use super::kernels::simd::softmax;

/// A chosen token with the probabilities around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The token.
    pub id: u32,
    /// Its probability at temperature 1.
    pub probability: f32,
    /// The best other tokens with their probabilities, best first.
    pub alternatives: Vec<(u32, f32)>,
}

/// Chooses tokens for one sequence; the same seed and logits give the same tokens.
pub struct Sampler {
    /// `None`: always the most probable token, of equals the one with the lowest id.
    processor: Option<LogitsProcessor>,
    alternatives: usize,
}

impl Sampler {
    /// A sampler; a temperature of 0 is greedy.
    pub fn new(temperature: f64, top_k: Option<usize>, top_p: Option<f64>, seed: u64, alternatives: usize) -> Self {
        let top_p = top_p.filter(|p| *p > 0.0 && *p < 1.0);
        let processor = (temperature > 0.0).then(|| {
            let sampling = match (top_k, top_p) {
                (None, None) => Sampling::All { temperature },
                (Some(k), None) => Sampling::TopK { k: k.max(1), temperature },
                (None, Some(p)) => Sampling::TopP { p, temperature },
                (Some(k), Some(p)) => Sampling::TopKThenTopP { k: k.max(1), p, temperature },
            };
            LogitsProcessor::from_sampling(seed, sampling)
        });
        Self { processor, alternatives }
    }

    /// Chooses from one row of logits.
    pub fn choose(&mut self, logits: &[f32]) -> Result<Choice, ModelError> {
        if logits.iter().any(|v| v.is_nan()) {
            return Err(ModelError::Request("the model gave no number for a logit; its weights are damaged".into()));
        }
        let mut best = highest(logits, self.alternatives + 1);
        let id = match &mut self.processor {
            None => best[0],
            Some(processor) => processor.sample(&Tensor::new(logits, &Device::Cpu)?)?,
        };
        let mut probabilities = logits.to_vec();
        softmax(&mut probabilities);
        let probability = |id: u32| probabilities[id as usize];
        best.retain(|other| *other != id);
        best.truncate(self.alternatives);
        let alternatives = best.into_iter().map(|id| (id, probability(id))).collect();
        Ok(Choice { id, probability: probability(id), alternatives })
    }
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

    #[test]
    fn greedy_takes_the_best_and_shows_the_rest() {
        let logits = [0.0, 3.0, 1.0, 3.0, 2.0];
        let choice = Sampler::new(0.0, None, None, 0, 2).choose(&logits).unwrap();
        assert_eq!(choice.id, 1);
        let ids: Vec<u32> = choice.alternatives.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [3, 4]);
        let sum: f32 = logits.iter().map(|v| (v - 3.0f32).exp()).sum();
        assert!((choice.probability - 1.0 / sum).abs() < 1e-6);
    }

    #[test]
    fn a_seed_fixes_the_samples() {
        let logits: Vec<f32> = (0..50).map(|i| (i % 7) as f32).collect();
        let draw = |seed| {
            let mut sampler = Sampler::new(0.8, Some(20), Some(0.9), seed, 0);
            (0..20).map(|_| sampler.choose(&logits).unwrap().id).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn top_k_of_one_is_greedy() {
        let logits = [0.0, 1.0, 0.5];
        let mut sampler = Sampler::new(1.0, Some(1), None, 3, 0);
        assert!((0..20).all(|_| sampler.choose(&logits).unwrap().id == 1));
    }

    #[test]
    fn damaged_logits_are_an_error() {
        assert!(Sampler::new(0.0, None, None, 0, 5).choose(&[0.0, f32::NAN]).is_err());
    }
}
