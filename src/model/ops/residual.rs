//! The residual sum on tensors.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::values;
use crate::model::kernels::elementwise;

/// x + y, of one shape.
///
/// candle's own sum hands its work to a second pool of threads, which on few cores takes the first one's.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&y.contiguous()?, Add)
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "residual-sum"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, y) = (values(x, x_layout)?, values(y, y_layout)?);
        let mut sum = x.to_vec();
        elementwise::add(&mut sum, y);
        Ok((CpuStorage::F32(sum), x_layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, _sum: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(g.clone()), Some(g.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn the_sum_and_its_gradients_are_those_of_candle() {
        let var = |seed: f32| Var::from_tensor(&Tensor::full(seed, (3, 5), &Device::Cpu).unwrap()).unwrap();
        let (x, y) = (var(1.5), var(-4.0));
        let sum = add(&x, &y).unwrap();
        assert_eq!(sum.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [-2.5; 15]);
        let gradients = (sum * 3.0).unwrap().backward().unwrap();
        for var in [&x, &y] {
            let gradient = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(gradient, [3.0; 15]);
        }
    }
}
