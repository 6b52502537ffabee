//! RMSNorm and the gated activation on tensors.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Tensor};

use super::{values, with_values};
use crate::model::kernels::elementwise;

/// The frozen weights of a norm.
pub type NormWeight = Arc<[f32]>;

/// Normalises each row of `x`; the last dimension is the weight's length. The weight is frozen.
pub fn rms_norm(x: &Tensor, weight: &NormWeight, epsilon: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op1(RmsNorm { weight: weight.clone(), epsilon })
}

/// silu(gate) · up.
pub fn silu_multiply(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2(&up.contiguous()?, SiluMultiply)
}

struct RmsNorm {
    weight: NormWeight,
    epsilon: f32,
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let mut y = vec![0f32; x.len()];
        elementwise::rms_norm(x, &self.weight, self.epsilon, &mut y);
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0f32; x.elem_count()];
        with_values(x, |x| {
            with_values(g, |g| elementwise::rms_norm_backward(x, &self.weight, self.epsilon, g, &mut dx))
        })??;
        Tensor::from_vec(dx, x.shape(), &Device::Cpu).map(Some)
    }
}

struct SiluMultiply;

impl CustomOp2 for SiluMultiply {
    fn name(&self) -> &'static str {
        "silu-multiply"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (values(gate, gate_layout)?, values(up, up_layout)?);
        let mut y = vec![0f32; gate.len()];
        elementwise::silu_multiply(gate, up, &mut y);
        Ok((CpuStorage::F32(y), gate_layout.shape().clone()))
    }

    fn bwd(&self, gate: &Tensor, up: &Tensor, _y: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (mut d_gate, mut d_up) = (vec![0f32; gate.elem_count()], vec![0f32; up.elem_count()]);
        with_values(gate, |gate| {
            with_values(up, |up| {
                with_values(g, |g| elementwise::silu_multiply_backward(gate, up, g, &mut d_gate, &mut d_up))
            })
        })???;
        let cpu = &Device::Cpu;
        Ok((Some(Tensor::from_vec(d_gate, gate.shape(), cpu)?), Some(Tensor::from_vec(d_up, up.shape(), cpu)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn the_fused_norm_and_gate_agree_with_candle_forward_and_backward() {
        let random = |shape: &[usize]| Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap();
        let (x, up, g, weight) = (random(&[9, 50]), random(&[9, 50]), random(&[9, 50]), random(&[50]));
        let (x, up) = (Var::from_tensor(&x).unwrap(), Var::from_tensor(&up).unwrap());

        let fused = rms_norm(&x, &weight.to_vec1::<f32>().unwrap().into(), 1e-5).unwrap();
        let plain = candle_nn::ops::rms_norm_slow(&x, &weight, 1e-5).unwrap();
        assert!(largest_difference(&fused, &plain) < 1e-5);
        let backward = |y: &Tensor| (y * &g).unwrap().sum_all().unwrap().backward().unwrap();
        let (fused, plain) = (backward(&fused), backward(&plain));
        assert!(largest_difference(fused.get(&x).unwrap(), plain.get(&x).unwrap()) < 1e-4);

        let fused = silu_multiply(&x, &up).unwrap();
        let plain = (x.silu().unwrap() * up.as_tensor()).unwrap();
        assert!(largest_difference(&fused, &plain) < 1e-5);
        let (fused, plain) = (backward(&fused), backward(&plain));
        for var in [&x, &up] {
            assert!(largest_difference(fused.get(var).unwrap(), plain.get(var).unwrap()) < 1e-4);
        }
    }
}
