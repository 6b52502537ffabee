//! The formats of the default models by hand for AVX2 and AVX-512, where the compiler does not find the byte shuffles.
//!
//! Everything here must give what [`super::blocks`] gives, up to the rounding of a fused multiply-add; the tests there and here
//! hold them together.

use std::arch::x86_64::*;

use super::blocks::Format;
use super::packed::TILE;

mod nibbles;

/// Whether a format has kernels here.
pub(super) fn covers(format: Format) -> bool {
    matches!(format, Format::Q4_0 | Format::Q4_1 | Format::Q8_0)
}

macro_rules! kernels {
    ($features:literal, $module:ident, $vector:ty, $lanes:literal, $groups:literal, rows: $rows:literal,
     widen: $widen:ident, to_float: $float:ident, half: $half:expr, multiply_add: $fma:ident, multiply: $mul:ident, add: $add:ident,
     zero: $zero:ident, load: $load:ident, store: $store:ident, sum: $sum:expr) => {
        pub(super) mod $module {
            use super::*;

            use super::nibbles::$module::{q4_0, q4_1};

            /// A scale, 32 bytes with a sign: q·scale.
            #[inline]
            #[target_feature(enable = $features)]
            fn q8_0([low, high, bytes @ ..]: &[u8; 34]) -> [$vector; $groups] {
                let scale = $half(i16::from_le_bytes([*low, *high]));
                let mut out = [$zero(); $groups];
                for (g, out) in out.iter_mut().enumerate() {
                    let lanes: &[u8; $lanes] = bytes[g * $lanes..].first_chunk().unwrap_or(&[0; $lanes]);
                    *out = $mul($float($widen(load_bytes(lanes))), scale);
                }
                out
            }

            /// Σ w·x of one row of weights with one row of activations.
            ///
            /// One row after the other, so that memory is read in one stream; sums of its own for every other block and each
            /// vector hide the latency of a multiply-add.
            #[inline]
            #[target_feature(enable = $features)]
            fn dot(format: Format, row: &[u8], x: &[f32]) -> f32 {
                let (pairs, rest) = x.as_chunks::<64>();
                let mut sums = [[$zero(); $groups]; 2];
                macro_rules! over {
                    ($expand:ident, $size:literal) => {{
                        let (blocks, last) = row.as_chunks::<{ 2 * $size }>();
                        for (blocks, x) in blocks.iter().zip(pairs) {
                            for (i, block) in blocks.as_chunks::<$size>().0.iter().enumerate() {
                                let weights = $expand(block);
                                for g in 0..$groups {
                                    // SAFETY: vector g of the i-th 32 of 64 values; unaligned loads.
                                    let x = unsafe { $load(x.as_ptr().add(i * 32 + g * $lanes)) };
                                    sums[i][g] = $fma(weights[g], x, sums[i][g]);
                                }
                            }
                        }
                        if let (Some(block), Some(x)) = (last.first_chunk(), rest.first_chunk::<32>()) {
                            let weights = $expand(block);
                            for g in 0..$groups {
                                // SAFETY: vector g of 32 values; unaligned loads.
                                let x = unsafe { $load(x.as_ptr().add(g * $lanes)) };
                                sums[0][g] = $fma(weights[g], x, sums[0][g]);
                            }
                        }
                    }};
                }
                match format {
                    Format::Q4_0 => over!(q4_0, 18),
                    Format::Q4_1 => over!(q4_1, 20),
                    Format::Q8_0 => over!(q8_0, 34),
                    _ => {}
                }
                let mut sum = $zero();
                for of_one in sums.as_flattened() {
                    sum = $add(sum, *of_one);
                }
                $sum(sum)
            }

            /// Σ w·x of `R` rows of weights with each of `N` rows of activations, `columns` long; `y` is R×N.
            ///
            /// The weights are expanded in registers and used for all activations at once.
            #[inline]
            #[target_feature(enable = $features)]
            fn tile<const R: usize, const N: usize>(format: Format, rows: &[u8], x: &[f32], y: &mut [f32]) {
                let columns = x.len() / N;
                let x: [&[[f32; 32]]; N] = std::array::from_fn(|n| x[n * columns..][..columns].as_chunks().0);
                let blocks = columns / 32;
                let mut sums = [[$zero(); N]; R];
                macro_rules! over {
                    ($expand:ident, $size:literal) => {{
                        let rows: [&[[u8; $size]]; R] =
                            std::array::from_fn(|r| &rows.as_chunks().0[r * blocks..][..blocks]);
                        for b in 0..blocks {
                            for r in 0..R {
                                let weights = $expand(&rows[r][b]);
                                for n in 0..N {
                                    for g in 0..$groups {
                                        // SAFETY: vector g of the 32 values of a block of x; unaligned loads.
                                        let x = unsafe { $load(x[n][b].as_ptr().add(g * $lanes)) };
                                        sums[r][n] = $fma(weights[g], x, sums[r][n]);
                                    }
                                }
                            }
                        }
                    }};
                }
                match format {
                    Format::Q4_0 => over!(q4_0, 18),
                    Format::Q4_1 => over!(q4_1, 20),
                    Format::Q8_0 => over!(q8_0, 34),
                    _ => {}
                }
                for r in 0..R {
                    for n in 0..N {
                        y[r * N + n] = $sum(sums[r][n]);
                    }
                }
            }

            /// Σ w·x of every row of `rows` with each of `N` rows of activations: `y` is rows×N.
            #[inline]
            #[target_feature(enable = $features)]
            fn tiles<const R: usize, const N: usize>(format: Format, rows: &[u8], x: &[f32], y: &mut [f32]) {
                let row_bytes = rows.len() * N / y.len();
                let whole = y.len() / (R * N);
                let (tiled, rest) = y.split_at_mut(whole * R * N);
                for (rows, y) in rows.chunks_exact(R * row_bytes).zip(tiled.chunks_exact_mut(R * N)) {
                    tile::<R, N>(format, rows, x, y);
                }
                let rows = &rows[whole * R * row_bytes..];
                for (row, y) in rows.chunks_exact(row_bytes).zip(rest.chunks_exact_mut(N)) {
                    tile::<1, N>(format, row, x, y);
                }
            }

            /// Σ w·x of every row of `rows` with each of up to [`TILE`] rows of activations: `y` is rows×n.
            #[target_feature(enable = $features)]
            pub(in super::super) fn dots(format: Format, rows: &[u8], x: &[f32], n: usize, y: &mut [f32]) {
                match n {
                    1 => {
                        let row_bytes = rows.len() / y.len();
                        for (row, y) in rows.chunks_exact(row_bytes).zip(y) {
                            *y = dot(format, row, x);
                        }
                    }
                    2 => tiles::<$rows, 2>(format, rows, x, y),
                    3 => tiles::<$rows, 3>(format, rows, x, y),
                    4 => tiles::<$rows, 4>(format, rows, x, y),
                    5 => tiles::<$rows, 5>(format, rows, x, y),
                    6 => tiles::<$rows, 6>(format, rows, x, y),
                    7 => tiles::<$rows, 7>(format, rows, x, y),
                    8 => tiles::<$rows, 8>(format, rows, x, y),
                    _ => debug_assert!(n == 0, "more than {TILE} rows of activations"),
                }
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

/// 8 or 16 bytes in the low lanes of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn load_bytes<const N: usize>(bytes: &[u8; N]) -> __m128i {
    const { assert!(N == 8 || N == 16) };
    // SAFETY: `N` bytes are there, and each load takes so many.
    unsafe { if N == 16 { _mm_loadu_si128(bytes.as_ptr().cast()) } else { _mm_loadl_epi64(bytes.as_ptr().cast()) } }
}

kernels!(
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c", avx512, __m512, 16, 2, rows: 2,
    widen: _mm512_cvtepi8_epi32, to_float: _mm512_cvtepi32_ps, half: (|bits| _mm512_cvtph_ps(_mm256_set1_epi16(bits))),
    multiply_add: _mm512_fmadd_ps, multiply: _mm512_mul_ps, add: _mm512_add_ps, zero: _mm512_setzero_ps, load: _mm512_loadu_ps,
    store: _mm512_storeu_ps, sum: _mm512_reduce_add_ps
);

kernels!(
    "avx2,fma,f16c", avx2, __m256, 8, 4, rows: 1,
    widen: _mm256_cvtepi8_epi32, to_float: _mm256_cvtepi32_ps, half: (|bits| _mm256_cvtph_ps(_mm_set1_epi16(bits))),
    multiply_add: _mm256_fmadd_ps, multiply: _mm256_mul_ps, add: _mm256_add_ps, zero: _mm256_setzero_ps, load: _mm256_loadu_ps,
    store: _mm256_storeu_ps,
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

    /// Not a whole number of tiles, nor of pairs of blocks.
    const ROWS: usize = 7;
    const COLUMNS: usize = 672;

    #[test]
    fn the_hand_written_kernels_agree_with_the_plain_ones() {
        let numbers = |n: u32, seed: u32| -> Vec<f32> {
            let number = |i: u32| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
            (0..n).map(number).collect()
        };
        let source = Tensor::from_vec(numbers((ROWS * COLUMNS) as u32, 1), (ROWS, COLUMNS), &Device::Cpu).unwrap();
        let x = numbers((TILE * COLUMNS) as u32, 99);
        for dtype in [GgmlDType::Q4_0, GgmlDType::Q4_1, GgmlDType::Q8_0] {
            let quantised = QTensor::quantize(&source, dtype).unwrap();
            let (bytes, format) = (quantised.data().unwrap(), Format::from_ggml(dtype).unwrap());
            assert!(covers(format));
            let mut plain = vec![0f32; ROWS * COLUMNS];
            blocks::expand_body(format, &bytes, &mut plain);
            let sum = |row: usize, n: usize| -> f64 {
                let pairs = plain[row * COLUMNS..][..COLUMNS].iter().zip(&x[n * COLUMNS..][..COLUMNS]);
                pairs.map(|(w, x)| *w as f64 * *x as f64).sum()
            };
            let check = |expand: &dyn Fn(&mut [f32]), dots: &dyn Fn(usize, &mut [f32])| {
                let mut out = vec![0f32; ROWS * COLUMNS];
                expand(&mut out);
                for (a, b) in out.iter().zip(&plain) {
                    assert!((a - b).abs() <= 1e-6, "{format:?}: {a} against {b}");
                }
                for n in 1..=TILE {
                    let mut y = vec![f32::NAN; ROWS * n];
                    dots(n, &mut y);
                    for (i, y) in y.iter().enumerate() {
                        let expected = sum(i / n, i % n);
                        assert!((*y as f64 - expected).abs() < 1e-4, "{format:?} {n}: {y} against {expected}");
                    }
                }
            };
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                check(
                    // SAFETY: the instruction sets have just been found.
                    &|out| unsafe { avx2::expand(format, &bytes, out) },
                    // SAFETY: as above.
                    &|n, y| unsafe { avx2::dots(format, &bytes, &x[..n * COLUMNS], n, y) },
                );
            }
            if super::super::simd::level() == super::super::simd::Level::Avx512 {
                check(
                    // SAFETY: as above.
                    &|out| unsafe { avx512::expand(format, &bytes, out) },
                    // SAFETY: as above.
                    &|n, y| unsafe { avx512::dots(format, &bytes, &x[..n * COLUMNS], n, y) },
                );
            }
        }
    }
}
