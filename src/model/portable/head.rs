//! ln p of the next tokens from normalised hidden states, a piece at a time: the logits of all would take gigabytes.

use candle_core::{D, DType, Result, Tensor};

use super::FrozenMatrix;

/// Logits that exist together (`f32`, several times over).
pub const LOGITS: usize = 1 << 26;

/// ln p of each target, and the gradient of Σ −weight·ln p with respect to the hidden states.
pub struct Head {
    /// ln p of each target.
    pub log_probabilities: Vec<f32>,
    /// The gradient, rows × width; where it was asked for.
    pub gradient: Option<Tensor>,
}

/// Row i of `hidden` predicts `ids[i]`, which counts `weights[i]`; without weights there is no gradient.
///
/// The gradient is weight · (softmax − onehot)·W.
pub fn cross_entropy(hidden: &Tensor, head: &FrozenMatrix, ids: &[u32], weights: Option<&[f32]>) -> Result<Head> {
    let device = hidden.device();
    let piece = (LOGITS / head.shape().0.max(1)).clamp(1, ids.len().max(1));
    // Once, however many pieces there are.
    let head = head.expanded()?;
    let mut log_probabilities = Vec::with_capacity(ids.len());
    let mut gradients = Vec::new();
    for first in (0..ids.len()).step_by(piece) {
        let n = piece.min(ids.len() - first);
        let chosen = Tensor::new(&ids[first..first + n], device)?.unsqueeze(1)?;
        let logits = hidden.narrow(0, first, n)?.matmul(&head.t()?)?.to_dtype(DType::F32)?;
        let largest = logits.max_keepdim(D::Minus1)?;
        let above = logits.gather(&chosen, 1)?.sub(&largest)?;
        let likelihoods = logits.broadcast_sub(&largest)?.exp()?;
        let sums = likelihoods.sum_keepdim(D::Minus1)?;
        log_probabilities.extend(above.sub(&sums.log()?)?.flatten_all()?.to_vec1::<f32>()?);
        if let Some(weights) = weights {
            let weights = Tensor::new(&weights[first..first + n], device)?.unsqueeze(1)?;
            let g = likelihoods.broadcast_mul(&weights.div(&sums)?)?;
            g.scatter_add_set(&chosen, &weights.neg()?, 1)?;
            gradients.push(g.to_dtype(hidden.dtype())?.matmul(&head)?);
        }
    }
    let gradient = weights.map(|_| Tensor::cat(&gradients, 0)).transpose()?;
    Ok(Head { log_probabilities, gradient })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::model::device::Precision;
    use crate::model::kernels::{PackedMatrix, head};

    #[test]
    fn both_forms_of_the_head_agree_with_each_other_and_with_autograd() {
        let (positions, width, vocabulary) = (150, 24, 60);
        let random = |shape| Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap();
        let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (hidden, weight) = (random((positions, width)), random((vocabulary, width)));
        let ids: Vec<u32> = (0..positions as u32).map(|i| i * 7 % vocabulary as u32).collect();
        let weights: Vec<f32> = (0..positions).map(|i| 0.1 + (i % 3) as f32).collect();
        let matrix = PackedMatrix::from_f32(vocabulary, width, &values(&weight)).unwrap();
        let packed = head::cross_entropy(&values(&hidden), &matrix, &ids, Some(&weights));
        let portable = FrozenMatrix::new(&matrix, &Device::Cpu, Precision::F32).unwrap();
        let portable = cross_entropy(&hidden, &portable, &ids, Some(&weights)).unwrap();

        let hidden = Var::from_tensor(&hidden).unwrap();
        let log_softmax = candle_nn::ops::log_softmax(&hidden.matmul(&weight.t().unwrap()).unwrap(), 1).unwrap();
        let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(1).unwrap();
        let chosen = log_softmax.gather(&ids, 1).unwrap().squeeze(1).unwrap();
        let weights = Tensor::new(weights, &Device::Cpu).unwrap();
        let loss = (&chosen * &weights).unwrap().sum_all().unwrap().neg().unwrap();
        let expected = values(loss.backward().unwrap().get(&hidden).unwrap());
        let chosen = values(&chosen);

        let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(close(&packed.log_probabilities, &chosen) && close(&portable.log_probabilities, &chosen));
        assert!(close(&packed.gradient.unwrap(), &expected));
        assert!(close(&values(&portable.gradient.unwrap()), &expected));
    }
}
