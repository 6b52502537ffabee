//! RMSNorm and the gated activation, forward and backward, and the residual sum.

use rayon::prelude::*;

use super::simd::{exp, multiply_add, multiversion, sum_16};

/// Values that one task works on: enough to outweigh handing it over.
const TASK_VALUES: usize = 1 << 15;

/// Σ over lanes in a fixed order, so that the compiler may vectorise it.
#[inline(always)]
fn sum_of(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let whole = n / 16 * 16;
    for start in (0..whole).step_by(16) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(start + lane);
        }
    }
    (whole..n).fold(sum_16(lanes), |sum, i| sum + term(i))
}

multiversion! {
    fn normalise_row(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) {
        let n = weight.len();
        let (x, y) = (&x[..n], &mut y[..n]);
        let inverse = 1.0 / (sum_of(n, |i| x[i] * x[i]) / n as f32 + epsilon).sqrt();
        let _ = FMA;
        for i in 0..n {
            y[i] = x[i] * inverse * weight[i];
        }
    }
}

multiversion! {
    fn normalise_row_backward(x: &[f32], weight: &[f32], epsilon: f32, g: &[f32], dx: &mut [f32]) {
        let n = weight.len();
        let (x, g, dx) = (&x[..n], &g[..n], &mut dx[..n]);
        let inverse = 1.0 / (sum_of(n, |i| x[i] * x[i]) / n as f32 + epsilon).sqrt();
        let along = sum_of(n, |i| g[i] * weight[i] * x[i]);
        let correction = along * inverse * inverse * inverse / n as f32;
        for i in 0..n {
            dx[i] = multiply_add::<FMA>(-x[i], correction, g[i] * weight[i] * inverse);
        }
    }
}

/// y = x / rms(x) · weight for each row of `weight.len()` values (Zhang and Sennrich 2019, "Root Mean Square Layer
/// Normalization", eq. 4).
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) {
    let n = weight.len();
    let task = n * (TASK_VALUES / n).max(1);
    y.par_chunks_mut(task).zip(x.par_chunks(task)).for_each(|(y, x)| {
        for (y, x) in y.chunks_mut(n).zip(x.chunks(n)) {
            normalise_row(x, weight, epsilon, y);
        }
    });
}

/// The gradient of [`rms_norm`] with respect to x: dx = g·w/r − x · (Σ g·w·x) / (n·r³), with r = rms(x).
pub fn rms_norm_backward(x: &[f32], weight: &[f32], epsilon: f32, g: &[f32], dx: &mut [f32]) {
    let n = weight.len();
    let task = n * (TASK_VALUES / n).max(1);
    dx.par_chunks_mut(task).zip(x.par_chunks(task)).zip(g.par_chunks(task)).for_each(|((dx, x), g)| {
        for ((dx, x), g) in dx.chunks_mut(n).zip(x.chunks(n)).zip(g.chunks(n)) {
            normalise_row_backward(x, weight, epsilon, g, dx);
        }
    });
}

multiversion! {
    fn gate_values(gate: &[f32], up: &[f32], y: &mut [f32]) {
        let _ = FMA;
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            *y = gate / (1.0 + exp(-gate)) * up;
        }
    }
}

multiversion! {
    fn gate_values_backward(gate: &[f32], up: &[f32], g: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
        let _ = FMA;
        let n = gate.len();
        let (up, g, d_gate, d_up) = (&up[..n], &g[..n], &mut d_gate[..n], &mut d_up[..n]);
        for i in 0..n {
            let sigmoid = 1.0 / (1.0 + exp(-gate[i]));
            d_gate[i] = g[i] * up[i] * sigmoid * (1.0 + gate[i] * (1.0 - sigmoid));
            d_up[i] = g[i] * gate[i] * sigmoid;
        }
    }
}

/// y = silu(gate) · up, the gated activation of Llama's feed-forward (Shazeer 2020, "GLU Variants", SwiGLU).
pub fn silu_multiply(gate: &[f32], up: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(TASK_VALUES)
        .zip(gate.par_chunks(TASK_VALUES))
        .zip(up.par_chunks(TASK_VALUES))
        .for_each(|((y, gate), up)| gate_values(gate, up, y));
}

/// The gradients of [`silu_multiply`] with respect to gate and up.
pub fn silu_multiply_backward(gate: &[f32], up: &[f32], g: &[f32], d_gate: &mut [f32], d_up: &mut [f32]) {
    d_gate
        .par_chunks_mut(TASK_VALUES)
        .zip(d_up.par_chunks_mut(TASK_VALUES))
        .zip(gate.par_chunks(TASK_VALUES))
        .zip(up.par_chunks(TASK_VALUES))
        .zip(g.par_chunks(TASK_VALUES))
        .for_each(|((((d_gate, d_up), gate), up), g)| gate_values_backward(gate, up, g, d_gate, d_up));
}

/// x += y.
pub fn add(x: &mut [f32], y: &[f32]) {
    x.par_chunks_mut(TASK_VALUES).zip(y.par_chunks(TASK_VALUES)).for_each(|(x, y)| {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
    });
}
