//! What an encoder of BERT's kind computes between its matrix products: layer normalisation and the exact GELU.

use super::simd::{exp, multiply_add, multiversion, sum_16};

multiversion! {
    /// Each row of `weight.len()` values becomes (x − mean) / √(variance + ε) · weight + bias (Ba, Kiros and Hinton 2016, "Layer
    /// Normalization", eq. 4).
    pub fn layer_norm(x: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        let n = weight.len();
        let bias = &bias[..n];
        for row in x.chunks_exact_mut(n) {
            let (chunks, rest) = row.as_chunks::<16>();
            let mut lanes = [0f32; 16];
            for chunk in chunks {
                for i in 0..16 {
                    lanes[i] += chunk[i];
                }
            }
            let mean = (sum_16(lanes) + rest.iter().sum::<f32>()) / n as f32;
            let mut lanes = [0f32; 16];
            for chunk in chunks {
                for i in 0..16 {
                    let off = chunk[i] - mean;
                    lanes[i] = multiply_add::<FMA>(off, off, lanes[i]);
                }
            }
            let variance = (sum_16(lanes) + rest.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>()) / n as f32;
            let inverse = 1.0 / (variance + epsilon).sqrt();
            for i in 0..n {
                row[i] = multiply_add::<FMA>((row[i] - mean) * inverse, weight[i], bias[i]);
            }
        }
    }
}

multiversion! {
    /// x · Φ(x), with the error function to within 2e-7 (Abramowitz and Stegun 1964, 7.1.26).
    pub fn gelu(x: &mut [f32]) {
        for x in x.iter_mut() {
            let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
            let t = 1.0 / multiply_add::<FMA>(0.327_591_1, z, 1.0);
            let p = multiply_add::<FMA>(1.061_405_4, t, -1.453_152_1);
            let p = multiply_add::<FMA>(p, t, 1.421_413_8);
            let p = multiply_add::<FMA>(p, t, -0.284_496_72);
            let p = multiply_add::<FMA>(p, t, 0.254_829_6);
            // 1 − erf(z), which is what the far side of x keeps.
            let tail = p * t * exp(-z * z);
            let share = if *x < 0.0 { 0.5 * tail } else { 1.0 - 0.5 * tail };
            *x *= share;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_normalised_as_by_the_definition() {
        let x: Vec<f32> = (0..2 * 37).map(|i| ((i * 7919) % 101) as f32 / 10.0 - 3.0).collect();
        let weight: Vec<f32> = (0..37).map(|i| 1.0 + i as f32 / 37.0).collect();
        let bias: Vec<f32> = (0..37).map(|i| i as f32 / 10.0).collect();
        let mut y = x.clone();
        layer_norm(&mut y, &weight, &bias, 1e-12);
        for (row, x) in x.chunks(37).enumerate() {
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / 37.0;
            let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / 37.0;
            for i in 0..37 {
                let wanted = (f64::from(x[i]) - mean) / variance.sqrt() * f64::from(weight[i]) + f64::from(bias[i]);
                assert!((f64::from(y[row * 37 + i]) - wanted).abs() < 1e-5, "{i}");
            }
        }
    }

    #[test]
    fn gelu_has_its_known_values() {
        // PyTorch's `nn.functional.gelu`.
        let known = [
            (0.0, 0.0),
            (0.5, 0.345_731_23),
            (-0.5, -0.154_268_77),
            (1.0, 0.841_344_7),
            (-1.0, -0.158_655_26),
            (3.0, 2.995_950_2),
            (-3.0, -0.004_049_693_6),
            (-9.0, 0.0),
            (20.0, 20.0),
        ];
        for (x, wanted) in known {
            let mut y = [x];
            gelu(&mut y);
            assert!((y[0] - wanted).abs() < 1e-6, "gelu({x}) is {} and not {wanted}", y[0]);
        }
    }
}
