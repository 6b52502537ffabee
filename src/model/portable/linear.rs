//! y = x·Wᵀ + b with W frozen, and with a low-rank update that trains: forward and backward.

use candle_core::{DType, Result, Tensor};

use super::FrozenMatrix;
use crate::model::ops::linear::{Dropout, LowRank};

/// A frozen linear of the base model.
#[derive(Debug, Clone)]
pub struct Linear {
    /// W, output × input features.
    pub weight: FrozenMatrix,
    /// b, output features.
    pub bias: Option<Tensor>,
}

/// What the backward pass of an update needs.
pub struct KeptUpdate {
    /// scale · seen·Aᵀ, rows × rank.
    low: Tensor,
    /// What the update does not see.
    hidden: Option<Hidden>,
}

/// What dropout hides, a bit for each input.
struct Hidden {
    /// Rows × bytes of a row.
    bits: Tensor,
    /// 256 × 8: what the eight inputs of a byte are multiplied by.
    factors: Tensor,
}

impl Hidden {
    fn new(dropout: Dropout, x: &Tensor) -> Result<Self> {
        let (rows, width) = x.dims2()?;
        let (device, kept) = (x.device(), dropout.kept_scale());
        let bits = Tensor::from_vec(dropout.hidden_bits(rows, width), rows * width.div_ceil(8), device)?;
        let factor = |at: usize| if ((at / 8) >> (at % 8)) & 1 == 1 { 0.0 } else { kept };
        // candle takes 255 for a row of noughts, and it is one: all eight are hidden.
        let factors = Tensor::from_vec((0..256 * 8).map(factor).collect(), (256, 8), device)?.to_dtype(x.dtype())?;
        Ok(Self { bits, factors })
    }

    /// Hides what is hidden in `x`, and scales the rest up.
    fn hide(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let factors = self.factors.index_select(&self.bits, 0)?.reshape((rows, ()))?;
        x * factors.narrow(1, 0, width)?.contiguous()?
    }
}

/// An update's matrices as the activations are: the weights themselves stay `f32`.
struct Cast {
    a: Tensor,
    b: Tensor,
}

impl Cast {
    fn new(update: &LowRank, like: DType) -> Result<Self> {
        Ok(Self { a: update.a.to_dtype(like)?, b: update.b.to_dtype(like)? })
    }
}

/// The inputs that an update sees.
fn visible(x: &Tensor, hidden: Option<&Hidden>) -> Result<Tensor> {
    hidden.map_or_else(|| Ok(x.clone()), |hidden| hidden.hide(x))
}

/// aᵀ·b in `f32`. Sums over all rows are beyond what f16 can hold.
fn sum_of_products(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match a.dtype() {
        DType::F16 => a.to_dtype(DType::F32)?.t()?.matmul(&b.to_dtype(DType::F32)?),
        _ => a.t()?.matmul(b)?.to_dtype(DType::F32),
    }
}

impl Linear {
    /// The linear of rows `x`, and what [`Linear::backward`] needs of the update.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, x: &Tensor, update: Option<&LowRank>) -> Result<(Tensor, Option<KeptUpdate>)> {
        let mut y = self.weight.product(x)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        let Some(update) = update else { return Ok((y, None)) };
        let Cast { a, b } = Cast::new(update, x.dtype())?;
        let hidden = update.dropout.map(|dropout| Hidden::new(dropout, x)).transpose()?;
        let low = visible(x, hidden.as_ref())?.matmul(&a.t()?)?.affine(f64::from(update.scale), 0.0)?;
        let y = (y + low.matmul(&b.t()?)?)?;
        Ok((y, Some(KeptUpdate { low, hidden })))
    }

    /// The gradient with respect to `x`, and those of A and B (`f32`, in this order) added to `gradients`.
    ///
    /// # Errors
    /// When the device fails.
    pub fn backward(
        &self,
        x: &Tensor,
        update: Option<&LowRank>,
        kept: Option<&KeptUpdate>,
        g: &Tensor,
        gradients: &mut Vec<Tensor>,
    ) -> Result<Tensor> {
        let dx = self.weight.product_backward(g)?;
        let (Some(update), Some(kept)) = (update, kept) else { return Ok(dx) };
        let Cast { a, b } = Cast::new(update, x.dtype())?;
        let d_low = g.matmul(&b)?.affine(f64::from(update.scale), 0.0)?;
        let seen = visible(x, kept.hidden.as_ref())?;
        gradients.push(sum_of_products(&d_low, &seen)?);
        gradients.push(sum_of_products(g, &kept.low)?);
        dx + visible(&d_low.matmul(&a)?, kept.hidden.as_ref())?
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::model::device::Precision;
    use crate::model::kernels::PackedMatrix;
    use crate::model::ops::linear as fused;

    fn random(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap()
    }

    /// The largest difference beside the largest value.
    fn error(found: &Tensor, expected: &Tensor) -> f32 {
        let found = found.to_dtype(DType::F32).unwrap();
        let largest = |x: &Tensor| x.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        largest(&(found - expected).unwrap()) / largest(expected)
    }

    #[test]
    fn result_and_gradients_are_those_of_the_fused_form() {
        for dropout in [None, Some(Dropout::new(0.4, 3, 5))] {
            for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::F16, 5e-3), (Precision::BF16, 3e-2)] {
                check(dropout, precision, tolerance);
            }
        }
    }

    fn check(dropout: Option<Dropout>, precision: Precision, tolerance: f32) {
        let (n, inputs, outputs, rank) = (30, 40, 24, 4);
        let (x, w, a, b) =
            (random((n, inputs)), random((outputs, inputs)), random((rank, inputs)), random((outputs, rank)));
        let (g, bias) = (random((n, outputs)), random((1, outputs)).flatten_all().unwrap());
        let packed = PackedMatrix::from_f32(outputs, inputs, &w.flatten_all().unwrap().to_vec1().unwrap()).unwrap();
        let var = |x: &Tensor| Var::from_tensor(x).unwrap();
        let (xv, av, bv) = (var(&x), var(&a), var(&b));
        let tracked = |a: &Var| a.as_tensor().clone();
        let update = LowRank { a: tracked(&av), b: tracked(&bv), scale: 0.5, dropout, turned: None };
        let linear = fused::Linear { weight: packed.clone(), bias: Some(bias.clone()) };
        let expected = linear.forward(xv.as_tensor(), Some(&update)).unwrap();
        let gradients = (&expected * &g).unwrap().sum_all().unwrap().backward().unwrap();

        let dtype = precision.dtype();
        let weight = FrozenMatrix::new(&packed, &Device::Cpu, precision).unwrap();
        let linear = Linear { weight, bias: Some(bias.to_dtype(dtype).unwrap()) };
        let update = LowRank { a, b, ..update };
        let (x, g) = (x.to_dtype(dtype).unwrap(), g.to_dtype(dtype).unwrap());
        let (y, kept) = linear.forward(&x, Some(&update)).unwrap();
        let mut of_update = Vec::new();
        let dx = linear.backward(&x, Some(&update), kept.as_ref(), &g, &mut of_update).unwrap();
        assert_eq!((y.dtype(), dx.dtype()), (dtype, dtype));
        assert!(of_update.iter().all(|g| g.dtype() == DType::F32), "LoRA's gradients are f32");
        let found = [y, dx, of_update.remove(0), of_update.remove(0)];
        let of = |var: &Var| gradients.get(var).unwrap().clone();
        for (found, expected) in found.iter().zip([expected.clone(), of(&xv), of(&av), of(&bv)]) {
            let error = error(found, &expected);
            assert!(error < tolerance, "{precision:?}: {error}");
        }
    }
}
