//! The output head with its cross-entropy, in chunks: the logits of all positions never exist at once.

use rayon::prelude::*;

use super::PackedMatrix;
use super::simd::softmax;

/// Positions whose logits exist together.
const CHUNK: usize = 128;

/// What [`cross_entropy`] finds.
pub struct CrossEntropy {
    /// ln p(target) for each position.
    pub log_probabilities: Vec<f32>,
    /// The gradient of Σ −weight·ln p(target) with respect to the hidden states, positions × width; where it was asked for.
    pub gradient: Option<Vec<f32>>,
}

/// ln p(target) at each position, and with weights the gradient of the weighted negative sum with respect to the hidden states.
///
/// `hidden` is positions × width (normalised), `head` is vocabulary × width. With p the softmax of the logits, the gradient
/// of one position is weight · (p − onehot(target))·W.
pub fn cross_entropy(hidden: &[f32], head: &PackedMatrix, targets: &[u32], weights: Option<&[f32]>) -> CrossEntropy {
    let (width, vocabulary) = (head.columns(), head.rows());
    let positions = targets.len();
    let mut log_probabilities = vec![0f32; positions];
    let mut gradient = weights.map(|_| vec![0f32; positions * width]);
    let mut logits = vec![0f32; CHUNK.min(positions) * vocabulary];
    for first in (0..positions).step_by(CHUNK) {
        let rows = CHUNK.min(positions - first);
        let hidden = &hidden[first * width..][..rows * width];
        let logits = &mut logits[..rows * vocabulary];
        head.multiply(hidden, rows, logits);
        logits
            .par_chunks_mut(vocabulary)
            .zip(&mut log_probabilities[first..first + rows])
            .zip(&targets[first..first + rows])
            .enumerate()
            .for_each(|(i, ((row, log_probability), target))| {
                let target = *target as usize;
                let logit = row[target];
                *log_probability = logit - softmax(row);
                if let Some(weights) = weights {
                    let weight = weights[first + i];
                    row.iter_mut().for_each(|p| *p *= weight);
                    row[target] -= weight;
                }
            });
        if let Some(gradient) = &mut gradient {
            head.multiply_transposed(logits, rows, &mut gradient[first * width..][..rows * width]);
        }
    }
    CrossEntropy { log_probabilities, gradient }
}
