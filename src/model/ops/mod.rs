//! The operations of the decoder as candle tensors see them: each differentiable, each for any device.
//!
//! On the CPU an operation is a `CustomOp` over [`super::kernels`] with its own backward; elsewhere it is made of plain candle
//! operations that have a gradient (candle 0.11's fused `rms_norm`, `rope`, `softmax_last_dim`, `sdpa` and `QMatMul` drop
//! theirs silently). Frozen weights never receive a gradient.

pub mod attention;
pub mod linear;
pub mod norm;
pub mod residual;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor};

/// The contiguous `f32` values of a CPU storage.
pub(crate) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let all = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&all[start..end]),
        None => candle_core::bail!("a contiguous tensor is required"),
    }
}

/// Lends the values of an `f32` tensor on the CPU.
pub(crate) fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(f(values(storage, layout)?)),
        _ => candle_core::bail!("a tensor on the CPU is required"),
    }
}
