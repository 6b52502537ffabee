//! One source, compiled for several instruction sets; the best one that the machine has is chosen at run time.

/// The instruction set in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What the build's baseline guarantees.
    Portable,
    /// AVX2 with fused multiply-add and half floats.
    Avx2,
    /// AVX-512 (F, BW, DQ, VL).
    Avx512,
}

/// The best instruction set of this machine (the standard library caches the detection).
#[inline]
pub fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c");
        if avx2
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl")
        {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Portable
}

/// Whether the baseline itself has a fused multiply-add (calling `mul_add` without one is a slow library call).
pub(crate) const BASELINE_FMA: bool = cfg!(target_arch = "aarch64");

/// `a * b + c`, fused where the instruction set has it.
#[inline(always)]
pub(crate) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Defines a function that is compiled once per [`Level`] and dispatches at run time. The body sees `const FMA: bool`.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::model::kernels::simd::{Level, level};
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
                fn avx512($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }
                #[target_feature(enable = "avx2,fma,f16c")]
                fn avx2($($arg: $ty),*) $(-> $ret)? { body::<true>($($arg),*) }
                match level() {
                    // SAFETY: `level` has just found these instruction sets on this machine.
                    Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($arg),*) },
                    Level::Portable => {}
                }
            }
            body::<{ $crate::model::kernels::simd::BASELINE_FMA }>($($arg),*)
        }
    };
}
pub(crate) use multiversion;

/// Σ of 16 lanes in a fixed order. Every index is known at compile time, so that the lanes stay in registers.
#[inline(always)]
pub(crate) fn sum_16(mut lanes: [f32; 16]) -> f32 {
    for i in 0..8 {
        lanes[i] += lanes[i + 8];
    }
    for i in 0..4 {
        lanes[i] += lanes[i + 4];
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

/// Σ a·b, with a fixed order of summation (the same on every call with the same lengths).
#[inline(always)]
pub(crate) fn dot_body<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<64>();
    let (b_chunks, b_rest) = b.as_chunks::<64>();
    // Four independent sums hide the latency of a multiply-add.
    let (mut s0, mut s1, mut s2, mut s3) = ([0f32; 16], [0f32; 16], [0f32; 16], [0f32; 16]);
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..16 {
            s0[i] = multiply_add::<FMA>(a[i], b[i], s0[i]);
            s1[i] = multiply_add::<FMA>(a[i + 16], b[i + 16], s1[i]);
            s2[i] = multiply_add::<FMA>(a[i + 32], b[i + 32], s2[i]);
            s3[i] = multiply_add::<FMA>(a[i + 48], b[i + 48], s3[i]);
        }
    }
    for i in 0..16 {
        s0[i] = (s0[i] + s1[i]) + (s2[i] + s3[i]);
    }
    a_rest.iter().zip(b_rest).fold(sum_16(s0), |sum, (a, b)| multiply_add::<FMA>(*a, *b, sum))
}

multiversion! {
    /// Σ a·b over the shorter of the two.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        dot_body::<FMA>(a, b)
    }
}

/// eˣ to within 2 ulp, written so that the compiler vectorises it (after Cephes' `expf`); clamped to ±87.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + 0.5).floor();
    // ln 2 in two parts, so that x − n·ln 2 keeps its low bits.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1)
        * r
        + 0.5;
    let y = p * r * r + r + 1.0;
    f32::from_bits(((n as i32 + 127) << 23) as u32) * y
}

multiversion! {
    /// Replaces a row of scores by its softmax and returns ln Σ eˣ.
    pub fn softmax(row: &mut [f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = row.as_chunks::<16>();
        for chunk in chunks {
            for i in 0..16 {
                lanes[i] = lanes[i].max(chunk[i]);
            }
        }
        let highest = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        let mut sums = [0f32; 16];
        let (chunks, rest) = row.as_chunks_mut::<16>();
        for chunk in chunks {
            for i in 0..16 {
                chunk[i] = exp(chunk[i] - highest);
                sums[i] += chunk[i];
            }
        }
        let mut sum = sums.iter().sum::<f32>();
        for x in rest {
            *x = exp(*x - highest);
            sum += *x;
        }
        let _ = FMA;
        let inverse = 1.0 / sum;
        for x in row.iter_mut() {
            *x *= inverse;
        }
        highest + sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_library() {
        for i in -870..880 {
            let x = i as f32 / 10.0 + 0.013;
            let x = x.clamp(-86.9, 87.9);
            let relative = (exp(x) as f64 - (x as f64).exp()).abs() / (x as f64).exp();
            assert!(relative < 3e-7, "exp({x}) is off by {relative}");
        }
    }

    #[test]
    fn softmax_and_dot_match_their_definitions() {
        let x: Vec<f32> = (0..1000).map(|i| ((i * 37) % 101) as f32 / 17.0 - 3.0).collect();
        let y: Vec<f32> = (0..1000).map(|i| ((i * 53) % 89) as f32 / 11.0 - 4.0).collect();
        let expected: f64 = x.iter().zip(&y).map(|(a, b)| *a as f64 * *b as f64).sum();
        assert!((dot(&x, &y) as f64 - expected).abs() < 1e-2);

        let sum: f64 = x.iter().map(|v| (*v as f64).exp()).sum();
        let mut row = x.clone();
        let log_sum = softmax(&mut row);
        assert!((log_sum as f64 - sum.ln()).abs() < 1e-5);
        for (p, v) in row.iter().zip(&x) {
            assert!((*p as f64 - (*v as f64).exp() / sum).abs() < 1e-6);
        }
    }
}
