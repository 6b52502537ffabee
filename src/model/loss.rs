//! What training needs of a model: a weighted loss with the gradients of an adapter.
//!
//! The backward pass goes layer by layer: each layer's graph is built, differentiated and dropped on its own, so that its depth
//! never grows with the model and activations can be recomputed (identical to the bit) instead of kept.

use candle_core::{Tensor, Var};

use super::adapter::Adapter;
use super::decoder::{Batch, Kept, Span};
use super::device::{DeviceMemory, Precision};
use super::forward::SHORTEST_PREFIX;
use super::{LanguageModel, ModelError};

/// Activations are kept up to this size on the CPU, recomputed above it.
const KEEP_BYTES: usize = 1 << 30;

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
    /// Keep them while they take less than 1 GiB, or half of a device's own memory less the weights.
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
            Activations::Auto => self.activation_bytes(tokens.len()) <= self.keep_bytes(),
        };
        let shared = decoder.batch(spans, false)?;

        // Forward: remember each layer's input, and what it computed if activations are kept.
        let mut x = decoder.embed(&tokens)?;
        let mut steps: Vec<(Tensor, Option<Kept>)> = Vec::with_capacity(decoder.layers());
        for layer in 0..decoder.layers() {
            let input = x;
            let kept = if keep {
                let (y, kept) = decoder.layer_kept(layer, &input, &shared, adapter)?;
                x = y;
                Some(kept)
            } else {
                x = decoder.layer(layer, &input, &shared, &adapter.layer(layer, false), None)?;
                None
            };
            steps.push((input, kept));
        }

        // Head: only the rows that predict something.
        let rows = Tensor::new(targets.rows.as_slice(), x.device())?;
        let selected = x.index_select(&rows, 0)?;
        let normed = at_temperature(decoder.final_norm(&selected)?, temperature)?;
        let (log_probabilities, d_normed, scale) = match weigh {
            None => {
                let scale = gradient_scale(decoder.precision(), &targets.weights);
                let weights: Vec<f32> = targets.weights.iter().map(|weight| weight * scale).collect();
                let (log_probabilities, gradient) = decoder.cross_entropy(&normed, &targets.ids, Some(&weights))?;
                (log_probabilities, gradient, scale)
            }
            Some(weigh) => {
                // A position's gradient is linear in its weight, so what a weight of one gives needs no second pass of the head.
                let ones = vec![1f32; targets.ids.len()];
                let (log_probabilities, gradient) = decoder.cross_entropy(&normed, &targets.ids, Some(&ones))?;
                let spread = targets.spread(batch, &log_probabilities);
                let weights = weigh(&spread);
                targets.weights = targets.places.iter().map(|&(s, i)| weights[s][i]).collect();
                if targets.weights.iter().all(|&weight| weight == 0.0) {
                    let nought = |(_, variable): (String, Var)| variable.zeros_like();
                    let gradients = adapter.parameters().into_iter().map(nought).collect::<Result<_, _>>()?;
                    return Ok(LossAndGradients { loss: 0.0, gradients, log_probabilities: spread });
                }
                let scale = gradient_scale(decoder.precision(), &targets.weights);
                let weights: Vec<f32> = targets.weights.iter().map(|weight| weight * scale).collect();
                let weights = Tensor::new(weights, normed.device())?.unsqueeze(1)?.to_dtype(normed.dtype())?;
                (log_probabilities, gradient.map(|gradient| gradient.broadcast_mul(&weights)).transpose()?, scale)
            }
        };
        let d_normed = d_normed.map_or_else(|| normed.zeros_like(), Ok)?;
        let d_selected = decoder.final_norm_backward(&selected, &at_temperature(d_normed, temperature)?)?;
        let mut gradient = decoder.spread(&d_selected, &targets.rows, tokens.len())?;

        // Backward, last layer first. What f16 cannot hold is tried again smaller, by a power of two as before.
        let (mut gradients, mut scale) = (Vec::new(), scale);
        for attempt in 0..ATTEMPTS {
            gradients = self.backward_through(&mut steps, &shared, adapter, &gradient)?;
            if decoder.precision() != Some(Precision::F16) || attempt + 1 == ATTEMPTS || are_finite(&gradients)? {
                break;
            }
            gradient = gradient.affine(f64::from(SMALLER), 0.0)?;
            scale *= SMALLER;
        }
        let gradients = gradients.into_iter();
        let gradients = gradients.map(|g| if scale == 1.0 { Ok(g) } else { g.affine(1.0 / f64::from(scale), 0.0) });
        Ok(LossAndGradients {
            loss: targets.loss(&log_probabilities),
            gradients: gradients.collect::<Result<_, _>>()?,
            log_probabilities: targets.spread(batch, &log_probabilities),
        })
    }

    /// The gradients of an adapter's variables, `gradient` being that of the last layer's output. What was kept of a step is used
    /// up; what is not there is computed again.
    fn backward_through(
        &self,
        steps: &mut [(Tensor, Option<Kept>)],
        shared: &Batch,
        adapter: &Adapter,
        gradient: &Tensor,
    ) -> Result<Vec<Tensor>, ModelError> {
        let decoder = self.decoder();
        let mut gradient = gradient.clone();
        let mut gradients = Vec::new();
        for (layer, (input, kept)) in steps.iter_mut().enumerate().rev() {
            let kept = match kept.take() {
                Some(kept) => kept,
                None => decoder.layer_kept(layer, input, shared, adapter)?.1,
            };
            let (of_input, of_layer) = decoder.layer_backward(layer, kept, shared, adapter, &gradient)?;
            gradient = of_input;
            gradients.push(of_layer);
        }
        Ok(gradients.into_iter().rev().flatten().collect())
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
        let shared = decoder.batch(spans, false)?;
        let mut x = decoder.embed(&tokens)?;
        for layer in 0..decoder.layers() {
            x = decoder.layer(layer, &x, &shared, &self.updates(adapter, layer), None)?;
        }
        let rows = Tensor::new(targets.rows.as_slice(), x.device())?;
        let normed = at_temperature(decoder.final_norm(&x.index_select(&rows, 0)?)?, temperature)?;
        let (log_probabilities, _) = decoder.cross_entropy(&normed, &targets.ids, None)?;
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

    /// Bytes up to which [`Activations::Auto`] keeps activations: on a device of its own memory, half of that without the
    /// weights. Not what is free at the moment: a run that goes on must cut its batches as before.
    pub fn keep_bytes(&self) -> usize {
        let of_device = |DeviceMemory { total, .. }| (total / 2) as usize;
        self.device_memory().map_or(KEEP_BYTES, |memory| {
            of_device(memory).saturating_sub(self.decoder().memory_bytes()).max(KEEP_BYTES)
        })
    }

    /// Rows up to which [`Activations::Auto`] keeps activations.
    pub fn kept_rows(&self) -> usize {
        self.keep_bytes() / self.activation_bytes(1).max(1)
    }

    /// Bytes of the activations that a backward pass over some rows needs: what each operation of a layer remembers.
    pub fn activation_bytes(&self, rows: usize) -> usize {
        self.decoder().activation_bytes(rows)
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

/// What the gradients of a backward pass are multiplied by on the way: f16 knows no numbers below 6e-8, and loses small
/// gradients without (Micikevicius et al. 2018, "Mixed Precision Training", 3.2). A power of two, so that nothing is rounded; a
/// function of the batch alone, so that a run that goes on computes the same.
fn gradient_scale(precision: Option<Precision>, weights: &[f32]) -> f32 {
    /// The largest weight becomes about this.
    const LARGEST: f32 = 8.0;
    let largest = weights.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
    match precision {
        Some(Precision::F16) if largest > 0.0 => (LARGEST / largest).log2().floor().exp2(),
        _ => 1.0,
    }
}

/// How often a backward pass in f16 is tried, each time with gradients [`SMALLER`] times as large.
const ATTEMPTS: usize = 4;
const SMALLER: f32 = 1.0 / 64.0;

fn are_finite(gradients: &[Tensor]) -> candle_core::Result<bool> {
    let squares =
        gradients.iter().map(|gradient| gradient.sqr()?.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
    Ok(squares.is_empty() || Tensor::stack(&squares, 0)?.sum_all()?.to_scalar::<f32>()?.is_finite())
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
