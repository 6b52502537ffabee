//! The operations of the decoder on the CPU as candle tensors see them: each a `CustomOp` over [`super::kernels`] with its own
//! backward. Frozen weights never receive a gradient.

pub mod attention;
pub mod layer;
pub mod linear;
pub mod norm;
pub mod residual;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor};

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

/// A scalar whose gradient with respect to `output` is `g`: what the rest of the network would send back.
///
/// The same as Σ output∘g, without computing either the product or its gradient.
pub(crate) fn seeded(output: &Tensor, g: &Tensor) -> Result<Tensor> {
    output.apply_op1(Seed(g.detach()))
}

struct Seed(Tensor);

impl CustomOp1 for Seed {
    fn name(&self) -> &'static str {
        "seed"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}
