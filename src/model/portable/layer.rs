//! One layer of the decoder, forward and backward.

use candle_core::{Device, Result, Tensor};

use super::attention::{Cache, attend, attend_backward};
use super::layout::Layout;
use super::linear::{KeptUpdate, Linear};
use super::norm::{rms_norm, rms_norm_backward, silu_multiply, silu_multiply_backward};
use super::{FrozenMatrix, Precision, frozen_vector};
use crate::model::adapter::{LayerUpdates, Target};
use crate::model::config::{Family, ModelConfig};
use crate::model::kernels::PackedMatrix;
use crate::model::raw_layer::RawLayer;

/// The frozen weights of a layer.
pub struct Layer {
    attention_norm: Tensor,
    /// Norms of each head's query and key (Qwen3).
    head_norms: Option<(Tensor, Tensor)>,
    feed_forward_norm: Tensor,
    /// By [`Target`].
    pub linears: [Linear; Target::ALL.len()],
}

/// What the backward pass of a layer needs of its forward pass.
pub struct Kept {
    x: Tensor,
    normed: Tensor,
    /// Query and key before their norms, where they have some.
    before_norms: Option<(Tensor, Tensor)>,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Tensor,
    middle: Tensor,
    middle_normed: Tensor,
    gate: Tensor,
    up: Tensor,
    updates: [Option<KeptUpdate>; Target::ALL.len()],
}

/// Values that [`Kept`] holds of a row.
pub fn kept_values(config: &ModelConfig) -> usize {
    let (query, key_value) = (config.heads.query_width(), config.heads.key_value_width());
    let before_norms = if config.family == Family::Qwen3 { query + key_value } else { 0 };
    4 * config.hidden + 2 * query + 2 * key_value + before_norms + 2 * config.intermediate
}

/// What a layer's backward pass gives.
pub struct Gradients {
    /// With respect to the layer's input.
    pub input: Tensor,
    /// Of the updates' A and B, in the order of [`Target::ALL`], `f32`.
    pub updates: Vec<Tensor>,
}

impl Layer {
    /// Puts what the files have on a device.
    ///
    /// # Errors
    /// When the device cannot take it.
    pub(in crate::model) fn new(raw: &RawLayer, device: &Device, precision: Precision) -> Result<Self> {
        let vector = |values: &[f32]| frozen_vector(values, precision.dtype(), device);
        let linear = |(weight, bias): &(PackedMatrix, Option<Vec<f32>>)| {
            let bias = bias.as_deref().map(vector).transpose()?;
            Ok::<_, candle_core::Error>(Linear { weight: FrozenMatrix::new(weight, device, precision)?, bias })
        };
        let head_norms = raw.head_norms.as_ref();
        let [query, key, value, output, gate, up, down] = raw.linears.each_ref().map(linear);
        Ok(Self {
            attention_norm: vector(&raw.attention_norm)?,
            head_norms: head_norms
                .map(|(query, key)| Ok::<_, candle_core::Error>((vector(query)?, vector(key)?)))
                .transpose()?,
            feed_forward_norm: vector(&raw.feed_forward_norm)?,
            linears: [query?, key?, value?, output?, gate?, up?, down?],
        })
    }

    /// The layer on rows `x`; with a cache, behind what it holds.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(
        &self,
        x: &Tensor,
        config: &ModelConfig,
        layout: &Layout,
        updates: &LayerUpdates,
        cache: Option<&mut Cache>,
    ) -> Result<(Tensor, Kept)> {
        let (heads, epsilon) = (config.heads, config.norm_epsilon);
        let mut kept_updates = [const { None }; Target::ALL.len()];
        let mut linear = |x: &Tensor, target: Target| -> Result<Tensor> {
            let (y, kept) = self.linears[target as usize].forward(x, updates.get(target))?;
            kept_updates[target as usize] = kept;
            Ok(y)
        };
        let normed = rms_norm(x, &self.attention_norm, epsilon)?;
        let mut q = linear(&normed, Target::Query)?;
        let mut k = linear(&normed, Target::Key)?;
        let v = linear(&normed, Target::Value)?;
        let mut before_norms = None;
        if let Some((query_norm, key_norm)) = &self.head_norms {
            let by_head = |x: &Tensor, norm: &Tensor| {
                rms_norm(&x.reshape(((), heads.dimension))?, norm, epsilon)?.reshape(x.shape())
            };
            let normed = (by_head(&q, query_norm)?, by_head(&k, key_norm)?);
            before_norms = Some((q, k));
            (q, k) = normed;
        }
        let (q, k) = (layout.turn(&q, heads.query)?, layout.turn(&k, heads.key_value)?);
        let attended = attend(&q, &k, &v, heads, layout, cache)?;
        let middle = (x + linear(&attended, Target::Output)?)?;

        let middle_normed = rms_norm(&middle, &self.feed_forward_norm, epsilon)?;
        let (gate, up) = (linear(&middle_normed, Target::Gate)?, linear(&middle_normed, Target::Up)?);
        let y = (&middle + linear(&silu_multiply(&gate, &up)?, Target::Down)?)?;
        let x = x.clone();
        let updates = kept_updates;
        Ok((y, Kept { x, normed, before_norms, q, k, v, attended, middle, middle_normed, gate, up, updates }))
    }

    /// The gradients, `g` being that of the layer's output.
    ///
    /// # Errors
    /// When the device fails.
    pub fn backward(
        &self,
        kept: &Kept,
        config: &ModelConfig,
        layout: &Layout,
        updates: &LayerUpdates,
        g: &Tensor,
    ) -> Result<Gradients> {
        let (heads, epsilon) = (config.heads, config.norm_epsilon);
        let mut of_updates = [const { Vec::new() }; Target::ALL.len()];
        let mut linear = |x: &Tensor, target: Target, g: &Tensor| {
            let at = target as usize;
            let (update, kept) = (updates.get(target), kept.updates[at].as_ref());
            self.linears[at].backward(x, update, kept, g, &mut of_updates[at])
        };
        let gated = silu_multiply(&kept.gate, &kept.up)?;
        let d_gated = linear(&gated, Target::Down, g)?;
        let (d_gate, d_up) = silu_multiply_backward(&kept.gate, &kept.up, &d_gated)?;
        let d_normed =
            (linear(&kept.middle_normed, Target::Gate, &d_gate)? + linear(&kept.middle_normed, Target::Up, &d_up)?)?;
        let d_middle = (g + rms_norm_backward(&kept.middle, &self.feed_forward_norm, epsilon, &d_normed)?)?;

        let d_attended = linear(&kept.attended, Target::Output, &d_middle)?;
        let (dq, dk, dv) = attend_backward([&kept.q, &kept.k, &kept.v], &kept.attended, &d_attended, heads, layout)?;
        let (mut dq, mut dk) = (layout.turn_back(&dq, heads.query)?, layout.turn_back(&dk, heads.key_value)?);
        if let (Some((query_norm, key_norm)), Some((q, k))) = (&self.head_norms, &kept.before_norms) {
            let by_head = |x: &Tensor, norm: &Tensor, g: &Tensor| {
                let rows = ((), heads.dimension);
                rms_norm_backward(&x.reshape(rows)?, norm, epsilon, &g.reshape(rows)?)?.reshape(x.shape())
            };
            (dq, dk) = (by_head(q, query_norm, &dq)?, by_head(k, key_norm, &dk)?);
        }
        let d_normed = (linear(&kept.normed, Target::Query, &dq)? + linear(&kept.normed, Target::Key, &dk)?)?;
        let d_normed = (d_normed + linear(&kept.normed, Target::Value, &dv)?)?;
        let input = (d_middle + rms_norm_backward(&kept.x, &self.attention_norm, epsilon, &d_normed)?)?;
        Ok(Gradients { input, updates: of_updates.into_iter().flatten().collect() })
    }
}
