//! Blocks of 32 four-bit weights, expanded in registers.
//!
//! A block holds 16 bytes: the low nibbles are its first 16 weights, the high ones its last 16.

use std::arch::x86_64::*;

/// With AVX-512 a block's 16 possible values are one vector, and every nibble an index into it: the permutation looks at the
/// low four bits of each lane alone, so that nothing needs masking or converting.
pub(super) mod avx512 {
    use super::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn look_up(table: __m512, bytes: &[u8; 16]) -> [__m512; 2] {
        // SAFETY: 16 bytes, and an unaligned load needs no more.
        let lanes = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) });
        [_mm512_permutexvar_ps(lanes, table), _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(lanes), table)]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn from_zero() -> __m512 {
        _mm512_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0)
    }

    /// A scale, 16 nibbles: (q − 8)·scale.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(in super::super) fn q4_0([low, high, bytes @ ..]: &[u8; 18]) -> [__m512; 2] {
        let scale = _mm512_cvtph_ps(_mm256_set1_epi16(i16::from_le_bytes([*low, *high])));
        look_up(_mm512_mul_ps(_mm512_sub_ps(from_zero(), _mm512_set1_ps(8.0)), scale), bytes)
    }

    /// A scale, a minimum, 16 nibbles: q·scale + minimum.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(in super::super) fn q4_1([a, b, c, d, bytes @ ..]: &[u8; 20]) -> [__m512; 2] {
        // Scale and minimum in turn.
        let both = _mm512_cvtph_ps(_mm256_set1_epi32(i32::from_le_bytes([*a, *b, *c, *d])));
        look_up(_mm512_fmadd_ps(from_zero(), _mm512_moveldup_ps(both), _mm512_movehdup_ps(both)), bytes)
    }
}

/// With AVX2 the nibbles are converted.
pub(super) mod avx2 {
    use super::*;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn convert(bytes: &[u8; 16]) -> [__m256; 4] {
        // SAFETY: 16 bytes, and an unaligned load needs no more.
        let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        let mask = _mm_set1_epi8(15);
        let (low, high) = (_mm_and_si128(bytes, mask), _mm_and_si128(_mm_srli_epi16::<4>(bytes), mask));
        [low, _mm_srli_si128::<8>(low), high, _mm_srli_si128::<8>(high)]
            .map(|eight| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eight)))
    }

    /// A scale, 16 nibbles: (q − 8)·scale.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn q4_0([low, high, bytes @ ..]: &[u8; 18]) -> [__m256; 4] {
        let scale = _mm256_cvtph_ps(_mm_set1_epi16(i16::from_le_bytes([*low, *high])));
        convert(bytes).map(|q| _mm256_mul_ps(_mm256_sub_ps(q, _mm256_set1_ps(8.0)), scale))
    }

    /// A scale, a minimum, 16 nibbles: q·scale + minimum.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn q4_1([a, b, c, d, bytes @ ..]: &[u8; 20]) -> [__m256; 4] {
        let both = _mm256_cvtph_ps(_mm_set1_epi32(i32::from_le_bytes([*a, *b, *c, *d])));
        let (scale, minimum) = (_mm256_moveldup_ps(both), _mm256_movehdup_ps(both));
        convert(bytes).map(|q| _mm256_fmadd_ps(q, scale, minimum))
    }
}
