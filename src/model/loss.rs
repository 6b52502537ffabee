//! What training needs of a model: a weighted loss with the gradients of an adapter.
//!
//! The backward pass goes layer by layer: each layer's graph is built, differentiated and dropped on its own, so that its depth
//! never grows with the model and activations can be recomputed (identical to the bit) instead of kept.

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Layout, Shape, Tensor, Var};

use super::adapter::Adapter;
use super::decoder::Span;
use super::forward::SHORTEST_PREFIX;
use super::kernels::head;
use super::ops::linear::{frozen_product, frozen_product_backward};
use super::ops::with_values;
use super::weights::Weight;
use super::{LanguageModel, ModelError};

/// Activations are kept up to this size, recomputed above it.
pub(crate) const KEEP_BYTES: usize = 1 << 30;

/// Positions whose logits exist together on a device without a kernel of ours.
const CHUNK: usize = 128;

/// A sequence to learn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequence {
    /// The token ids, prompt and answer.
    pub tokens: Vec<u32>,
    /// Weight of predicting token i from its prefix; 0 for the prompt. The first token is never predicted.
    ///
    /// Any finite weights are allowed, also negative ones: the gradient of every loss that is made of token
    /// log-probabilities (DPO, GRPO) is that of a weighted sum.
    pub weights: Vec<f32>,
}

/// Whether a training step keeps all activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activations {
    /// Keep them while they take less than 1 GiB.
    #[default]
    Auto,
    /// Keep them all.
    Keep,
    /// Keep the input of each layer and compute the rest again: a third more work, a fraction of the memory.
    Recompute,
}

/// The result of a training step's forward and backward.
#[derive(Debug)]
pub struct LossAndGradients {
    /// Σ −weight·ln p / normaliser over the batch.
    pub loss: f32,
    /// The gradient of each of [`Adapter::parameters`], in that order, `f32`.
    pub gradients: Vec<Tensor>,
    /// ln p of each predicted token of each sequence (0 where the weight is 0, and for the first token).
    pub log_probabilities: Vec<Vec<f32>>,
}

/// Decides how much each token's log-probability counts, once the forward pass has them all.
///
/// It is given ln p of each token of each sequence (0 where it is not wanted), and gives −∂L/∂ln p in the same shape.
pub type Weigh<'a> = dyn FnMut(&[Vec<f32>]) -> Vec<Vec<f32>> + 'a;

/// The predicted positions of a batch.
struct Targets {
    /// Rows of the hidden states that predict.
    rows: Vec<u32>,
    ids: Vec<u32>,
    weights: Vec<f32>,
    /// Sequence and token of each.
    places: Vec<(usize, usize)>,
}

impl LanguageModel {
    /// The loss of a batch and its gradients: Σ −weight·ln p(token | prefix) / `normaliser`.
    ///
    /// `normaliser` is the sum of weights over the whole accumulation window, so that the gradients of its parts add up to
    /// those of the whole. Sequences of any lengths may be mixed: nothing is padded, and each counts as it would alone.
    pub fn loss(&self, batch: &[Sequence], adapter: &Adapter, normaliser: f32) -> Result<LossAndGradients, ModelError> {
        self.loss_with(batch, adapter, normaliser, Activations::Auto)
    }

    /// [`LanguageModel::loss`] with a choice of what to keep in memory; the results are the same to the bit.
    pub fn loss_with(
        &self,
        batch: &[Sequence],
        adapter: &Adapter,
        normaliser: f32,
        activations: Activations,
    ) -> Result<LossAndGradients, ModelError> {
        let (tokens, spans) = self.lay_out(batch)?;
        let targets = Targets::new(batch, &spans, normaliser)?;
        self.backward(batch, adapter, (tokens, spans, targets), activations, 1.0, None)
    }

    /// The gradients of any loss L that is made of token log-probabilities, in one pass: `weigh` sees them after the
    /// forward pass and says how much each counts. [`Sequence::weights`] only say which tokens are wanted (those
    /// other than 0); `loss` of the result is Σ −weight·ln p with the weights given, which has L's gradient and not its value.
    ///
    /// Log-probabilities are those at `temperature`: of softmax(logits / temperature). Where every weight comes out as 0
    /// there is no backward pass and the gradients are 0.
    pub fn loss_by(
        &self,
        batch: &[Sequence],
        adapter: &Adapter,
        temperature: f64,
        weigh: &mut Weigh<'_>,
    ) -> Result<LossAndGradients, ModelError> {
        let (tokens, spans) = self.lay_out(batch)?;
        let targets = Targets::new(batch, &spans, 1.0)?;
        self.backward(batch, adapter, (tokens, spans, targets), Activations::Auto, temperature, Some(weigh))
    }

    fn backward(
        &self,
        batch: &[Sequence],
        adapter: &Adapter,
        (tokens, spans, mut targets): (Vec<u32>, Vec<Span>, Targets),
        activations: Activations,
        temperature: f64,
        weigh: Option<&mut Weigh<'_>>,
    ) -> Result<LossAndGradients, ModelError> {
        let decoder = self.decoder();
        let keep = match activations {
            Activations::Keep => true,
            Activations::Recompute => false,
            Activations::Auto => self.activation_bytes(tokens.len()) <= KEEP_BYTES,
        };
        let shared = decoder.batch(spans);

        // Forward: remember each layer's input, and its graph if activations are kept.
        let mut x = decoder.embed(&tokens)?;
        let mut steps = Vec::with_capacity(decoder.layers());
        for layer in 0..decoder.layers() {
            let input = Var::from_tensor(&x.detach())?;
            let output = if keep {
                let y = decoder.layer(layer, input.as_tensor(), &shared, &adapter.layer(layer, true), None)?;
                x = y.detach();
                Some(y)
            } else {
                x = decoder.layer(layer, &x, &shared, &adapter.layer(layer, false), None)?;
                None
            };
            steps.push((input, output));
        }

        // Head: only the rows that predict something.
        let rows = Tensor::new(targets.rows.as_slice(), x.device())?;
        let selected = Var::from_tensor(&x.index_select(&rows, 0)?)?;
        let normed = at_temperature(decoder.final_norm(selected.as_tensor())?, temperature)?;
        if weigh.is_some() {
            targets.weights.fill(1.0);
        }
        let (log_probabilities, mut d_normed) = self.cross_entropy(&normed.detach(), &targets, true)?;
        if let Some(weigh) = weigh {
            // A position's gradient is linear in its weight, so what a weight of one gives needs no second pass of the head.
            let spread = targets.spread(batch, &log_probabilities);
            let weights = weigh(&spread);
            targets.weights = targets.places.iter().map(|&(s, i)| weights[s][i]).collect();
            if targets.weights.iter().all(|&weight| weight == 0.0) {
                let nought = |(_, variable): (String, Var)| variable.zeros_like();
                let gradients = adapter.parameters().into_iter().map(nought).collect::<Result<_, _>>()?;
                return Ok(LossAndGradients { loss: 0.0, gradients, log_probabilities: spread });
            }
            let weights = Tensor::new(targets.weights.as_slice(), d_normed.device())?.unsqueeze(1)?;
            d_normed = d_normed.broadcast_mul(&weights)?;
        }
        let d_selected = input_gradient(&normed, &d_normed, &selected)?;
        let mut gradient = x.zeros_like()?.index_add(&rows, &d_selected, 0)?;

        // Backward, last layer first.
        let mut gradients = Vec::new();
        for (layer, (input, output)) in steps.into_iter().enumerate().rev() {
            let output = match output {
                Some(output) => output,
                None => decoder.layer(layer, input.as_tensor(), &shared, &adapter.layer(layer, true), None)?,
            };
            let store = seeded(&output, &gradient)?.backward()?;
            let mut of_layer = Vec::new();
            for variable in adapter.layer_variables(layer) {
                let found = store.get(variable).ok_or_else(|| {
                    ModelError::Request(format!("a LoRA variable of layer {layer} received no gradient; this is a bug"))
                })?;
                of_layer.push(found.clone());
            }
            gradient = store.get(&input).cloned().map_or_else(|| gradient.zeros_like(), Ok)?.detach();
            gradients.push(of_layer);
        }
        let gradients = gradients.into_iter().rev().flatten().collect();
        Ok(LossAndGradients {
            loss: targets.loss(&log_probabilities),
            gradients,
            log_probabilities: targets.spread(batch, &log_probabilities),
        })
    }

    /// The loss alone, with an adapter or for the base: what [`LanguageModel::loss`] would say, without gradients.
    pub fn loss_only(&self, batch: &[Sequence], adapter: Option<&Adapter>, normaliser: f32) -> Result<f32, ModelError> {
        let (targets, log_probabilities) = self.score(batch, adapter, normaliser, 1.0)?;
        Ok(targets.loss(&log_probabilities))
    }

    /// ln p of each token with a weight other than 0, given its prefix; 0 for the others.
    pub fn log_probabilities(
        &self,
        batch: &[Sequence],
        adapter: Option<&Adapter>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        self.log_probabilities_at(batch, adapter, 1.0)
    }

    /// [`LanguageModel::log_probabilities`] of softmax(logits / temperature).
    pub fn log_probabilities_at(
        &self,
        batch: &[Sequence],
        adapter: Option<&Adapter>,
        temperature: f64,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let (targets, log_probabilities) = self.score(batch, adapter, 1.0, temperature)?;
        Ok(targets.spread(batch, &log_probabilities))
    }

    fn score(
        &self,
        batch: &[Sequence],
        adapter: Option<&Adapter>,
        normaliser: f32,
        temperature: f64,
    ) -> Result<(Targets, Vec<f32>), ModelError> {
        let decoder = self.decoder();
        let (tokens, spans) = self.lay_out(batch)?;
        let targets = Targets::new(batch, &spans, normaliser)?;
        let shared = decoder.batch(spans);
        let mut x = decoder.embed(&tokens)?;
        for layer in 0..decoder.layers() {
            x = decoder.layer(layer, &x, &shared, &self.updates(adapter, layer), None)?;
        }
        let rows = Tensor::new(targets.rows.as_slice(), x.device())?;
        let normed = at_temperature(decoder.final_norm(&x.index_select(&rows, 0)?)?, temperature)?;
        let (log_probabilities, _) = self.cross_entropy(&normed, &targets, false)?;
        Ok((targets, log_probabilities))
    }

    /// Sequences end to end. What a sequence begins with as an earlier one does has its rows there: the answers to one
    /// question, or questions that are asked alike, compute their common start once, forward and backward.
    fn lay_out(&self, batch: &[Sequence]) -> Result<(Vec<u32>, Vec<Span>), ModelError> {
        let context = self.config().context;
        let mut tokens = Vec::new();
        let mut spans: Vec<Span> = Vec::with_capacity(batch.len());
        for (i, sequence) in batch.iter().enumerate() {
            if sequence.tokens.len() > context {
                return Err(ModelError::TooLong { tokens: sequence.tokens.len(), context });
            }
            let (shared, from) = longest_start(sequence, &batch[..i]);
            let before = if shared == 0 { Vec::new() } else { spans[from].first(shared) };
            let start = tokens.len();
            tokens.extend_from_slice(&sequence.tokens[shared..]);
            spans.push(Span::behind(before, start..tokens.len()));
        }
        Ok((tokens, spans))
    }

    /// Rows that a batch takes: its tokens, those of common starts counted once.
    pub fn rows(batch: &[Sequence]) -> usize {
        let own = |(i, sequence): (usize, &Sequence)| sequence.tokens.len() - longest_start(sequence, &batch[..i]).0;
        batch.iter().enumerate().map(own).sum()
    }

    /// Rows up to which [`Activations::Auto`] keeps activations.
    pub fn kept_rows(&self) -> usize {
        KEEP_BYTES / self.activation_bytes(1).max(1)
    }

    /// Bytes of the activations that a backward pass over some rows needs: what each operation of a layer remembers.
    pub fn activation_bytes(&self, rows: usize) -> usize {
        let config = self.config();
        let width = 6 * config.hidden
            + 2 * config.heads.query_width()
            + 2 * config.heads.key_value_width()
            + 3 * config.intermediate;
        rows * width * config.layers * std::mem::size_of::<f32>()
    }

    /// ln p of the targets from normalised hidden states, and the gradient of the weighted loss with respect to them.
    fn cross_entropy(
        &self,
        hidden: &Tensor,
        targets: &Targets,
        with_gradient: bool,
    ) -> Result<(Vec<f32>, Tensor), ModelError> {
        match self.decoder().head() {
            Weight::Packed(matrix) => {
                let result = with_values(hidden, |hidden| {
                    head::cross_entropy(hidden, matrix, &targets.ids, &targets.weights, with_gradient)
                })?;
                let gradient = match with_gradient {
                    true => Tensor::from_vec(result.gradient, hidden.shape(), hidden.device())?,
                    false => hidden.zeros_like()?,
                };
                Ok((result.log_probabilities, gradient))
            }
            weight => Ok(dense_cross_entropy(hidden, weight, targets, with_gradient)?),
        }
    }
}

/// How many tokens a sequence has in common with the start of one of `earlier`, and with which of them; 0 where it is not worth
/// the while. At least its last token remains its own.
fn longest_start(sequence: &Sequence, earlier: &[Sequence]) -> (usize, usize) {
    let most = sequence.tokens.len().saturating_sub(1);
    let shared =
        |other: &Sequence| sequence.tokens[..most].iter().zip(&other.tokens).take_while(|(a, b)| a == b).count();
    let longest = earlier.iter().map(shared).enumerate().rev().max_by_key(|(_, shared)| *shared);
    longest.filter(|(_, shared)| *shared >= SHORTEST_PREFIX).map_or((0, 0), |(at, shared)| (shared, at))
}

/// Hidden states whose logits are those of `hidden` / `temperature`: the head is linear.
fn at_temperature(hidden: Tensor, temperature: f64) -> candle_core::Result<Tensor> {
    if temperature == 1.0 { Ok(hidden) } else { hidden.affine(1.0 / temperature, 0.0) }
}

/// The same as the kernel, from candle's operations: gradient = weight · (softmax − onehot)·W.
fn dense_cross_entropy(
    hidden: &Tensor,
    weight: &Weight,
    targets: &Targets,
    with_gradient: bool,
) -> candle_core::Result<(Vec<f32>, Tensor)> {
    let device = hidden.device();
    let mut log_probabilities = Vec::with_capacity(targets.ids.len());
    let mut gradients = Vec::new();
    for first in (0..targets.ids.len()).step_by(CHUNK) {
        let n = CHUNK.min(targets.ids.len() - first);
        let logits = frozen_product(&hidden.narrow(0, first, n)?, weight)?;
        let ids = Tensor::new(&targets.ids[first..first + n], device)?.unsqueeze(1)?;
        let weights = Tensor::new(&targets.weights[first..first + n], device)?.unsqueeze(1)?;
        let log_softmax = candle_nn::ops::log_softmax(&logits, 1)?;
        log_probabilities.extend(log_softmax.gather(&ids, 1)?.flatten_all()?.to_vec1::<f32>()?);
        if !with_gradient {
            continue;
        }
        let g = log_softmax.exp()?.broadcast_mul(&weights)?.scatter_add(&ids, &weights.neg()?, 1)?;
        gradients.push(frozen_product_backward(&g, weight)?);
    }
    let gradient = if with_gradient { Tensor::cat(&gradients, 0)? } else { hidden.zeros_like()? };
    Ok((log_probabilities, gradient))
}

/// A scalar whose gradient with respect to `output` is `g`: what the rest of the network would send back.
///
/// The same as Σ output∘g, without computing either the product or its gradient.
fn seeded(output: &Tensor, g: &Tensor) -> candle_core::Result<Tensor> {
    output.apply_op1(Seed(g.detach()))
}

struct Seed(Tensor);

impl CustomOp1 for Seed {
    fn name(&self) -> &'static str {
        "seed"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    fn cuda_fwd(&self, x: &CudaStorage, _: &Layout) -> candle_core::Result<(CudaStorage, Shape)> {
        let shape = Shape::from(());
        Ok((x.device().zeros_impl(&shape, DType::F32)?, shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}

/// The gradient that reaches `input` when `g` arrives at `output`.
fn input_gradient(output: &Tensor, g: &Tensor, input: &Var) -> candle_core::Result<Tensor> {
    let store = seeded(output, g)?.backward()?;
    store.get(input).cloned().map_or_else(|| input.zeros_like(), Ok)
}

impl Targets {
    fn new(batch: &[Sequence], spans: &[Span], normaliser: f32) -> Result<Self, ModelError> {
        if !(normaliser.is_finite() && normaliser != 0.0) {
            return Err(ModelError::Request(format!("a loss cannot be normalised by {normaliser}")));
        }
        let mut targets = Self { rows: Vec::new(), ids: Vec::new(), weights: Vec::new(), places: Vec::new() };
        for (s, (sequence, span)) in batch.iter().zip(spans).enumerate() {
            if sequence.tokens.len() != sequence.weights.len() {
                let (tokens, weights) = (sequence.tokens.len(), sequence.weights.len());
                return Err(ModelError::Request(format!("a sequence has {tokens} tokens but {weights} weights")));
            }
            let predicted = sequence.weights.iter().enumerate().skip(1);
            for ((i, weight), row) in predicted.zip(span.text()).filter(|((_, weight), _)| **weight != 0.0) {
                targets.rows.push(row as u32);
                targets.ids.push(sequence.tokens[i]);
                targets.weights.push(weight / normaliser);
                targets.places.push((s, i));
            }
        }
        if targets.rows.is_empty() {
            return Err(ModelError::Request("a batch without a token to predict has no loss".into()));
        }
        Ok(targets)
    }

    fn loss(&self, log_probabilities: &[f32]) -> f32 {
        self.weights.iter().zip(log_probabilities).map(|(w, l)| -(*w as f64) * *l as f64).sum::<f64>() as f32
    }

    fn spread(&self, batch: &[Sequence], log_probabilities: &[f32]) -> Vec<Vec<f32>> {
        let mut spread: Vec<Vec<f32>> = batch.iter().map(|s| vec![0.0; s.tokens.len()]).collect();
        for (&(s, i), value) in self.places.iter().zip(log_probabilities) {
            spread[s][i] = *value;
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::PackedMatrix;
    use candle_core::Device;

    #[test]
    fn both_forms_of_the_head_agree_with_each_other_and_with_autograd() {
        let (positions, width, vocabulary) = (150, 24, 60);
        let random = |shape| Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap();
        let (hidden, head) = (random((positions, width)), random((vocabulary, width)));
        let targets = Targets {
            rows: (0..positions as u32).collect(),
            ids: (0..positions as u32).map(|i| i * 7 % vocabulary as u32).collect(),
            weights: (0..positions).map(|i| 0.1 + (i % 3) as f32).collect(),
            places: (0..positions).map(|i| (0, i)).collect(),
        };
        let matrix =
            PackedMatrix::from_f32(vocabulary, width, &head.flatten_all().unwrap().to_vec1().unwrap()).unwrap();
        let values = hidden.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let packed = head::cross_entropy(&values, &matrix, &targets.ids, &targets.weights, true);
        let (dense, gradient) = dense_cross_entropy(&hidden, &Weight::Dense(head.clone()), &targets, true).unwrap();

        let hidden = Var::from_tensor(&hidden).unwrap();
        let log_softmax = candle_nn::ops::log_softmax(&hidden.matmul(&head.t().unwrap()).unwrap(), 1).unwrap();
        let ids = Tensor::new(targets.ids.as_slice(), &Device::Cpu).unwrap().unsqueeze(1).unwrap();
        let weights = Tensor::new(targets.weights.as_slice(), &Device::Cpu).unwrap();
        let chosen = log_softmax.gather(&ids, 1).unwrap().squeeze(1).unwrap();
        let loss = (&chosen * &weights).unwrap().sum_all().unwrap().neg().unwrap();
        let expected = loss.backward().unwrap().get(&hidden).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let chosen = chosen.to_vec1::<f32>().unwrap();

        let close = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        assert!(close(&packed.log_probabilities, &chosen) && close(&dense, &chosen));
        assert!(close(&packed.gradient, &expected));
        assert!(close(&gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap(), &expected));
    }
}
