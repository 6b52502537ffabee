//! RMSNorm and the gated activation, forward and backward.

use candle_core::{D, DType, Result, Tensor};

/// Normalises each row of `x`; the last dimension is the weight's length.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
    candle_nn::ops::rms_norm(&x.contiguous()?, weight, epsilon)
}

/// The gradient with respect to x: r·(g∘w − x·r²·mean(g∘w∘x)), r being 1/√(mean(x²) + ε).
pub fn rms_norm_backward(x: &Tensor, weight: &Tensor, epsilon: f32, g: &Tensor) -> Result<Tensor> {
    let dtype = x.dtype();
    let (x, g) = (x.to_dtype(DType::F32)?, g.to_dtype(DType::F32)?);
    let g = g.broadcast_mul(&weight.to_dtype(DType::F32)?)?;
    let squares = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(epsilon))?;
    let along = (&g * &x)?.mean_keepdim(D::Minus1)?.div(&squares)?;
    let across = g.sub(&x.broadcast_mul(&along)?)?;
    across.broadcast_div(&squares.sqrt()?)?.to_dtype(dtype)
}

/// silu(gate) · up.
pub fn silu_multiply(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()? * up
}

/// The gradients with respect to gate and up.
pub fn silu_multiply_backward(gate: &Tensor, up: &Tensor, g: &Tensor) -> Result<(Tensor, Tensor)> {
    let sigmoid = candle_nn::ops::sigmoid(gate)?;
    let silu = (gate * &sigmoid)?;
    // silu' = σ + silu·(1 − σ)
    let slope = (&sigmoid + (&silu * sigmoid.affine(-1.0, 1.0)?)?)?;
    Ok((((g * up)? * slope)?, (g * silu)?))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn the_gradients_are_those_of_candles_tape() {
        let random = |shape: &[usize]| Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap();
        let largest =
            |a: &Tensor, b: &Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let (g, weight) = (random(&[9, 50]), random(&[50]));
        let (x, up) = (Var::from_tensor(&random(&[9, 50])).unwrap(), Var::from_tensor(&random(&[9, 50])).unwrap());
        let backward = |y: &Tensor| (y * &g).unwrap().sum_all().unwrap().backward().unwrap();

        let expected = candle_nn::ops::rms_norm_slow(&x, &weight, 1e-5).unwrap();
        assert!(largest(&rms_norm(&x, &weight, 1e-5).unwrap(), &expected) < 1e-5);
        let found = rms_norm_backward(&x, &weight, 1e-5, &g).unwrap();
        assert!(largest(&found, backward(&expected).get(&x).unwrap()) < 1e-4);

        let expected = (x.silu().unwrap() * up.as_tensor()).unwrap();
        assert!(largest(&silu_multiply(&x, &up).unwrap(), &expected) < 1e-5);
        let (d_gate, d_up) = silu_multiply_backward(&x, &up, &g).unwrap();
        let gradients = backward(&expected);
        assert!(largest(&d_gate, gradients.get(&x).unwrap()) < 1e-4);
        assert!(largest(&d_up, gradients.get(&up).unwrap()) < 1e-4);
    }
}
