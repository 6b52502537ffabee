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
    /// The gradient of Σ −weight·ln p(target) with respect to the hidden states, positions × width; empty if not asked for.
    pub gradient: Vec<f32>,
}

/// ln p(target) at each position, and the gradient of the weighted negative sum with respect to the hidden states.
///
/// `hidden` is positions × width (normalised), `head` is vocabulary × width. With p the softmax of the logits, the gradient
/// of one position is weight · (p − onehot(target))·W.
pub fn cross_entropy(
    hidden: &[f32],
    head: &PackedMatrix,
    targets: &[u32],
    weights: &[f32],
    with_gradient: bool,
) -> CrossEntropy {
    let (width, vocabulary) = (head.columns(), head.rows());
    let positions = targets.len();
    let mut log_probabilities = vec![0f32; positions];
    let mut gradient = vec![0f32; if with_gradient { positions * width } else { 0 }];
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
            .zip(&weights[first..first + rows])
            .for_each(|(((row, log_probability), target), weight)| {
                let target = *target as usize;
                let logit = row[target];
                *log_probability = logit - softmax(row);
                if with_gradient {
                    row.iter_mut().for_each(|p| *p *= weight);
                    row[target] -= weight;
                }
            });
        if with_gradient {
            head.multiply_transposed(logits, rows, &mut gradient[first * width..][..rows * width]);
        }
    }
    CrossEntropy { log_probabilities, gradient }
}
