//! One layer of the decoder over the operations of this room.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::attention::{Batch, attend};
use super::linear::Linear;
use super::norm::{NormWeight, rms_norm, silu_multiply};
use super::residual::add;
use crate::model::adapter::{LayerUpdates, Target};
use crate::model::config::ModelConfig;
use crate::model::kernels::attention::LayerStore;
use crate::model::raw_layer::RawLayer;

/// The frozen weights of a layer.
pub struct Layer {
    attention_norm: NormWeight,
    /// Norms of each head's query and key (Qwen3).
    head_norms: Option<(NormWeight, NormWeight)>,
    feed_forward_norm: NormWeight,
    /// By [`Target`].
    pub linears: [Linear; Target::ALL.len()],
}

/// Values that the tape holds of a row.
pub fn kept_values(config: &ModelConfig) -> usize {
    6 * config.hidden + 2 * config.heads.query_width() + 2 * config.heads.key_value_width() + 3 * config.intermediate
}

impl Layer {
    /// Takes over what the files have.
    pub(in crate::model) fn new(raw: RawLayer) -> Result<Self> {
        let linear = |(weight, bias): (_, Option<Vec<f32>>)| {
            let bias = bias.map(|bias| Tensor::new(bias, &Device::Cpu)).transpose()?;
            Ok::<_, candle_core::Error>(Linear { weight, bias })
        };
        let [query, key, value, output, gate, up, down] = raw.linears.map(linear);
        Ok(Self {
            attention_norm: raw.attention_norm.into(),
            head_norms: raw.head_norms.map(|(query, key)| (query.into(), key.into())),
            feed_forward_norm: raw.feed_forward_norm.into(),
            linears: [query?, key?, value?, output?, gate?, up?, down?],
        })
    }

    /// The layer on rows `x`; differentiable with respect to `x` and the updates when there is no cache.
    pub fn forward(
        &self,
        x: &Tensor,
        config: &ModelConfig,
        batch: &Arc<Batch>,
        updates: &LayerUpdates,
        cache: Option<&mut LayerStore>,
    ) -> Result<Tensor> {
        let (heads, epsilon) = (config.heads, config.norm_epsilon);
        let linear = |x: &Tensor, target: Target| self.linears[target as usize].forward(x, updates.get(target));

        let normed = rms_norm(x, &self.attention_norm, epsilon)?;
        let mut q = linear(&normed, Target::Query)?;
        let mut k = linear(&normed, Target::Key)?;
        let v = linear(&normed, Target::Value)?;
        if let Some((query_norm, key_norm)) = &self.head_norms {
            let by_head = |x: &Tensor, norm: &NormWeight| {
                rms_norm(&x.reshape(((), heads.dimension))?, norm, epsilon)?.reshape(x.shape())
            };
            q = by_head(&q, query_norm)?;
            k = by_head(&k, key_norm)?;
        }
        let attended = attend(&q, &k, &v, batch, heads, cache)?;
        let x = add(x, &linear(&attended, Target::Output)?)?;

        let normed = rms_norm(&x, &self.feed_forward_norm, epsilon)?;
        let gated = silu_multiply(&linear(&normed, Target::Gate)?, &linear(&normed, Target::Up)?)?;
        add(&x, &linear(&gated, Target::Down)?)
    }
}
