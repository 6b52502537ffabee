//! The low-rank update of a linear for few rows, as writing has them: a general matrix product spends longer on packing its
//! operands than on such a product.

use super::simd::{dot_body, multiply_add, multiversion};

multiversion! {
    /// y += scale · (x·Aᵀ)·Bᵀ, row by row of `x`; `a` is rank × inputs, and `turned` is Bᵀ, rank × outputs.
    pub fn add_low_rank(x: &[f32], a: &[f32], turned: &[f32], rank: usize, scale: f32, y: &mut [f32]) {
        let (inputs, outputs) = (a.len() / rank, turned.len() / rank);
        let mut low = vec![0f32; rank];
        for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
            for (low, a) in low.iter_mut().zip(a.chunks_exact(inputs)) {
                *low = scale * dot_body::<FMA>(x, a);
            }
            let (wide, narrow) = y.as_chunks_mut::<64>();
            let first = 64 * wide.len();
            for (i, y) in wide.iter_mut().enumerate() {
                // In registers over the whole rank.
                let mut sums = *y;
                for (low, row) in low.iter().zip(turned.chunks_exact(outputs)) {
                    let Some(row) = row[64 * i..].first_chunk::<64>() else { break };
                    for (sum, b) in sums.iter_mut().zip(row) {
                        *sum = multiply_add::<FMA>(*low, *b, *sum);
                    }
                }
                *y = sums;
            }
            for (low, row) in low.iter().zip(turned.chunks_exact(outputs)) {
                for (y, b) in narrow.iter_mut().zip(&row[first..]) {
                    *y = multiply_add::<FMA>(*low, *b, *y);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_adds_what_the_definition_says() {
        let number = |i: usize| ((i * 2_654_435_761) >> 7 & 0xffff) as f32 / 32_768.0 - 1.0;
        let (rows, inputs, outputs, rank, scale) = (3, 70, 131, 5, 0.5);
        let x: Vec<f32> = (0..rows * inputs).map(number).collect();
        let a: Vec<f32> = (0..rank * inputs).map(|i| number(i + 7)).collect();
        let turned: Vec<f32> = (0..rank * outputs).map(|i| number(i + 99)).collect();
        let mut y = vec![1f32; rows * outputs];
        add_low_rank(&x, &a, &turned, rank, scale, &mut y);
        for row in 0..rows {
            for out in 0..outputs {
                let low = |r: usize| (0..inputs).map(|i| x[row * inputs + i] * a[r * inputs + i]).sum::<f32>();
                let expected = 1.0 + (0..rank).map(|r| scale * low(r) * turned[r * outputs + out]).sum::<f32>();
                assert!((y[row * outputs + out] - expected).abs() < 1e-4);
            }
        }
    }
}
