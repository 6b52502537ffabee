//! The decoder from candle's own operations, for devices that [`super::kernels`] does not run on: NVIDIA GPUs, and the CPU
//! where somebody wants to hold a GPU's results against something.
//!
//! Activations have the [`Precision`] that was asked for; LoRA weights, their gradients, softmax sums and the loss are `f32`
//! whatever it is. The backward pass of every operation is written out beside its forward: candle's tape would compute
//! gradients of frozen weights, keep every intermediate, and lose the gradients of its fused operations.

mod attention;
mod choice;
mod head;
mod layer;
mod layout;
mod linear;
mod matrix;
mod norm;

use candle_core::{DType, Result, Tensor};

use super::config::ModelConfig;
use super::device::Precision;

pub use attention::Cache;
pub use choice::Return;
pub use head::cross_entropy;
pub use layer::{Kept, Layer, kept_values};
pub use layout::Layout;
pub use matrix::FrozenMatrix;
pub use norm::{rms_norm, rms_norm_backward};

impl Precision {
    /// The type of a tensor's values.
    pub const fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::BF16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

/// Bytes that come and go within a pass over `rows` rows, at most: a piece of the logits four times over, a group's scores
/// four times, and the largest matrix expanded, on its way through f16.
pub fn scratch_bytes(config: &ModelConfig, rows: usize, precision: Precision) -> usize {
    let size = precision.dtype().size_in_bytes();
    let logits = head::LOGITS.min(rows.saturating_mul(config.vocabulary)).max(config.vocabulary);
    let scores = layout::SCORES.min(rows.saturating_mul(rows).saturating_mul(config.heads.query));
    let largest = config.hidden * config.vocabulary.max(config.intermediate);
    4 * logits * DType::F32.size_in_bytes() + (4 * scores + 2 * largest) * size
}

/// A frozen vector (a norm's weights, a bias), ready for rows of this type.
pub fn frozen_vector(values: &[f32], like: DType, device: &candle_core::Device) -> Result<Tensor> {
    Tensor::new(values, device)?.to_dtype(like)
}
