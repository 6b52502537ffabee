//! The formats of the default models by hand for AVX2 and AVX-512, where the compiler does not find the byte shuffles.
//!
//! Everything here must give what [`super::blocks`] gives, up to the rounding of a fused multiply-add; the tests there and here
//! hold them together.

use std::arch::x86_64::*;

use super::blocks::Format;

/// Whether a format has kernels here.
pub(super) fn covers(format: Format) -> bool {
    matches!(format, Format::Q4_0 | Format::Q4_1 | Format::Q8_0)
}

macro_rules! kernels {
    ($features:literal, $module:ident, $vector:ty, $lanes:literal, $groups:literal,
     widen_unsigned: $unsigned:expr, widen_signed: $signed:expr, to_float: $float:ident, broadcast: $broadcast:ident,
     multiply_add: $fma:ident, multiply: $mul:ident, subtract: $sub:ident, set: $set:ident, zero: $zero:ident, add: $add:ident,
     load: $load:ident, store: $store:ident, sum: $sum:expr) => {
        pub(super) mod $module {
            use super::*;

            /// The 16 bytes of a block from `at`.
            #[inline]
            #[target_feature(enable = $features)]
            fn bytes_at<const N: usize>(block: &[u8; N], at: usize) -> __m128i {
                let bytes = &block[at..at + 16];
                // SAFETY: the slice has 16 bytes, and an unaligned load needs no more.
                unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
            }

            /// The two half floats at the start of a block (the second may be none).
            #[inline]
            #[target_feature(enable = $features)]
            fn scales<const N: usize>(block: &[u8; N]) -> ($vector, $vector) {
                let bits = i32::from_le_bytes([block[0], block[1], block[2], block[3]]);
                let floats = _mm_cvtph_ps(_mm_cvtsi32_si128(bits));
                ($broadcast(floats), $broadcast(_mm_movehdup_ps(floats)))
            }

            /// Nibbles of 16 bytes: the low ones, then the high ones.
            #[inline]
            #[target_feature(enable = $features)]
            fn nibbles(bytes: __m128i) -> [__m128i; 2] {
                let mask = _mm_set1_epi8(15);
                [_mm_and_si128(bytes, mask), _mm_and_si128(_mm_srli_epi16::<4>(bytes), mask)]
            }

            /// The bytes of the vector that starts with number `first` of the 32.
            #[inline]
            #[target_feature(enable = $features)]
            fn part(halves: [__m128i; 2], first: usize) -> __m128i {
                let bytes = halves[first / 16];
                if first & 8 == 8 { _mm_srli_si128::<8>(bytes) } else { bytes }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn q4_0(block: &[u8; 18]) -> [$vector; $groups] {
                let (scale, _) = scales(block);
                let halves = nibbles(bytes_at(block, 2));
                let mut out = [$zero(); $groups];
                for (g, out) in out.iter_mut().enumerate() {
                    let quants = part(halves, g * $lanes);
                    *out = $mul($sub($float($unsigned(quants)), $set(8.0)), scale);
                }
                out
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn q4_1(block: &[u8; 20]) -> [$vector; $groups] {
                let (scale, minimum) = scales(block);
                let halves = nibbles(bytes_at(block, 4));
                let mut out = [$zero(); $groups];
                for (g, out) in out.iter_mut().enumerate() {
                    let quants = part(halves, g * $lanes);
                    *out = $fma($float($unsigned(quants)), scale, minimum);
                }
                out
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn q8_0(block: &[u8; 34]) -> [$vector; $groups] {
                let (scale, _) = scales(block);
                let halves = [bytes_at(block, 2), bytes_at(block, 18)];
                let mut out = [$zero(); $groups];
                for (g, out) in out.iter_mut().enumerate() {
                    let quants = part(halves, g * $lanes);
                    *out = $mul($float($signed(quants)), scale);
                }
                out
            }

            /// Σ w·x of one row.
            #[target_feature(enable = $features)]
            pub(in super::super) fn dot(format: Format, bytes: &[u8], x: &[f32]) -> f32 {
                let (x, _) = x.as_chunks::<32>();
                let mut sums = [$zero(); $groups];
                macro_rules! over {
                    ($expand:ident, $size:literal) => {
                        for (block, x) in bytes.as_chunks::<$size>().0.iter().zip(x) {
                            let weights = $expand(block);
                            for g in 0..$groups {
                                // SAFETY: vector g of the 32 values of x; unaligned loads.
                                let x = unsafe { $load(x.as_ptr().add(g * $lanes)) };
                                sums[g] = $fma(weights[g], x, sums[g]);
                            }
                        }
                    };
                }
                match format {
                    Format::Q4_0 => over!(q4_0, 18),
                    Format::Q4_1 => over!(q4_1, 20),
                    Format::Q8_0 => over!(q8_0, 34),
                    _ => {}
                }
                let mut sum = sums[0];
                for other in &sums[1..] {
                    sum = $add(sum, *other);
                }
                $sum(sum)
            }

            /// Expands whole blocks.
            #[target_feature(enable = $features)]
            pub(in super::super) fn expand(format: Format, bytes: &[u8], out: &mut [f32]) {
                let (outs, _) = out.as_chunks_mut::<32>();
                macro_rules! over {
                    ($expand:ident, $size:literal) => {
                        for (block, out) in bytes.as_chunks::<$size>().0.iter().zip(outs) {
                            let weights = $expand(block);
                            for g in 0..$groups {
                                // SAFETY: vector g of the 32 values of out; unaligned stores.
                                unsafe { $store(out.as_mut_ptr().add(g * $lanes), weights[g]) };
                            }
                        }
                    };
                }
                match format {
                    Format::Q4_0 => over!(q4_0, 18),
                    Format::Q4_1 => over!(q4_1, 20),
                    Format::Q8_0 => over!(q8_0, 34),
                    _ => {}
                }
            }
        }
    };
}

kernels!(
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", avx512, __m512, 16, 2,
    widen_unsigned: _mm512_cvtepu8_epi32, widen_signed: _mm512_cvtepi8_epi32, to_float: _mm512_cvtepi32_ps,
    broadcast: _mm512_broadcastss_ps, multiply_add: _mm512_fmadd_ps, multiply: _mm512_mul_ps, subtract: _mm512_sub_ps,
    set: _mm512_set1_ps, zero: _mm512_setzero_ps, add: _mm512_add_ps, load: _mm512_loadu_ps, store: _mm512_storeu_ps,
    sum: _mm512_reduce_add_ps
);

kernels!(
    "avx2,fma,f16c", avx2, __m256, 8, 4,
    widen_unsigned: _mm256_cvtepu8_epi32, widen_signed: _mm256_cvtepi8_epi32, to_float: _mm256_cvtepi32_ps,
    broadcast: _mm256_broadcastss_ps, multiply_add: _mm256_fmadd_ps, multiply: _mm256_mul_ps, subtract: _mm256_sub_ps,
    set: _mm256_set1_ps, zero: _mm256_setzero_ps, add: _mm256_add_ps, load: _mm256_loadu_ps, store: _mm256_storeu_ps,
    sum: (|sum: __m256| {
        let half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
    })
);

#[cfg(test)]
mod tests {
    use super::super::blocks;
    use super::*;
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    #[test]
    fn the_hand_written_kernels_agree_with_the_plain_ones() {
        let numbers = |n: u32, seed: u32| -> Vec<f32> {
            let number = |i: u32| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
            (0..n).map(number).collect()
        };
        let source = Tensor::from_vec(numbers(640, 1), 640, &Device::Cpu).unwrap();
        let x = numbers(640, 99);
        for dtype in [GgmlDType::Q4_0, GgmlDType::Q4_1, GgmlDType::Q8_0] {
            let quantised = QTensor::quantize(&source, dtype).unwrap();
            let (bytes, format) = (quantised.data().unwrap(), Format::from_ggml(dtype).unwrap());
            assert!(covers(format));
            let mut plain = vec![0f32; 640];
            blocks::expand_body(format, &bytes, &mut plain);
            let sum: f64 = plain.iter().zip(&x).map(|(w, x)| *w as f64 * *x as f64).sum();
            let check = |expanded: Vec<f32>, dot: f32| {
                for (a, b) in expanded.iter().zip(&plain) {
                    assert!((a - b).abs() <= 1e-6, "{format:?}: {a} against {b}");
                }
                assert!((dot as f64 - sum).abs() < 1e-4, "{format:?}: {dot} against {sum}");
            };
            let mut out = vec![0f32; 640];
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                // SAFETY: the instruction sets have just been found.
                let dot = unsafe {
                    avx2::expand(format, &bytes, &mut out);
                    avx2::dot(format, &bytes, &x)
                };
                check(out.clone(), dot);
            }
            if super::super::simd::level() == super::super::simd::Level::Avx512 {
                // SAFETY: as above.
                let dot = unsafe {
                    avx512::expand(format, &bytes, &mut out);
                    avx512::dot(format, &bytes, &x)
                };
                check(out.clone(), dot);
            }
        }
    }
}
