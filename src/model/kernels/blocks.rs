//! The number formats of weights, and their expansion to `f32`.
//!
//! Layouts follow ggml (`ggml-common.h`, `ggml-quants.c`); candle's implementation is the reference in the tests.

use candle_core::quantized::GgmlDType;

use super::simd::multiversion;

/// How a weight matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    BF16,
    /// 4 bits with a scale for 32 weights.
    Q4_0,
    /// 4 bits with a scale and a minimum for 32 weights.
    Q4_1,
    /// 5 bits with a scale for 32 weights.
    Q5_0,
    /// 5 bits with a scale and a minimum for 32 weights.
    Q5_1,
    /// 8 bits with a scale for 32 weights.
    Q8_0,
    /// 4 bits in super-blocks of 256 weights.
    Q4K,
    /// 5 bits in super-blocks of 256 weights.
    Q5K,
    /// 6 bits in super-blocks of 256 weights.
    Q6K,
}

impl Format {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// Weights in one block.
    pub const fn block_length(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Bytes of a row of `length` weights; `None` when it is not a whole number of blocks.
    pub const fn row_bytes(self, length: usize) -> Option<usize> {
        if length.is_multiple_of(self.block_length()) {
            Some(length / self.block_length() * self.block_bytes())
        } else {
            None
        }
    }

    /// The name that model files and people use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// The format of a GGUF tensor; `None` for those that this decoder does not read.
    pub const fn from_ggml(dtype: GgmlDType) -> Option<Self> {
        Some(match dtype {
            GgmlDType::F32 => Self::F32,
            GgmlDType::F16 => Self::F16,
            GgmlDType::BF16 => Self::BF16,
            GgmlDType::Q4_0 => Self::Q4_0,
            GgmlDType::Q4_1 => Self::Q4_1,
            GgmlDType::Q5_0 => Self::Q5_0,
            GgmlDType::Q5_1 => Self::Q5_1,
            GgmlDType::Q8_0 => Self::Q8_0,
            GgmlDType::Q4K => Self::Q4K,
            GgmlDType::Q5K => Self::Q5K,
            GgmlDType::Q6K => Self::Q6K,
            GgmlDType::Q8_1 | GgmlDType::Q2K | GgmlDType::Q3K | GgmlDType::Q8K => return None,
        })
    }

    /// What candle calls it.
    pub const fn to_ggml(self) -> GgmlDType {
        match self {
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::BF16 => GgmlDType::BF16,
            Self::Q4_0 => GgmlDType::Q4_0,
            Self::Q4_1 => GgmlDType::Q4_1,
            Self::Q5_0 => GgmlDType::Q5_0,
            Self::Q5_1 => GgmlDType::Q5_1,
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4K => GgmlDType::Q4K,
            Self::Q5K => GgmlDType::Q5K,
            Self::Q6K => GgmlDType::Q6K,
        }
    }
}

/// The value of an IEEE half float, without a branch on the instruction set so that loops vectorise.
#[inline(always)]
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes) as u32;
    let magnitude = bits & 0x7fff;
    // Shifting exponent and mantissa into place leaves the value 2^112 too small, for normal and subnormal numbers alike.
    let finite = f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000);
    let special = f32::from_bits(0x7f80_0000 | (magnitude << 13));
    let value = if magnitude >= 0x7c00 { special } else { finite };
    f32::from_bits(value.to_bits() | ((bits & 0x8000) << 16))
}

/// One block of a format.
///
/// A trait rather than a function handed over: only so is the code certain to be inlined into, and compiled for, the
/// instruction set of its caller.
trait Expand<const BYTES: usize, const LENGTH: usize> {
    fn expand(block: &[u8; BYTES], out: &mut [f32; LENGTH]);
}

struct Float;

impl Expand<4, 1> for Float {
    #[inline(always)]
    fn expand(block: &[u8; 4], out: &mut [f32; 1]) {
        out[0] = f32::from_le_bytes(*block);
    }
}

struct HalfFloat;

impl Expand<2, 1> for HalfFloat {
    #[inline(always)]
    fn expand(block: &[u8; 2], out: &mut [f32; 1]) {
        out[0] = half(*block);
    }
}

struct BrainFloat;

impl Expand<2, 1> for BrainFloat {
    #[inline(always)]
    fn expand(block: &[u8; 2], out: &mut [f32; 1]) {
        out[0] = f32::from_bits((u16::from_le_bytes(*block) as u32) << 16);
    }
}

#[inline(always)]
fn halves_of<const N: usize>(block: &[u8; N]) -> (f32, f32) {
    (half([block[0], block[1]]), half([block[2], block[3]]))
}

struct Q4_0;

impl Expand<18, 32> for Q4_0 {
    #[inline(always)]
    fn expand(block: &[u8; 18], out: &mut [f32; 32]) {
        let scale = half([block[0], block[1]]);
        for j in 0..16 {
            out[j] = ((block[2 + j] & 15) as i32 - 8) as f32 * scale;
            out[j + 16] = ((block[2 + j] >> 4) as i32 - 8) as f32 * scale;
        }
    }
}

struct Q4_1;

impl Expand<20, 32> for Q4_1 {
    #[inline(always)]
    fn expand(block: &[u8; 20], out: &mut [f32; 32]) {
        let (scale, minimum) = halves_of(block);
        for j in 0..16 {
            out[j] = (block[4 + j] & 15) as i32 as f32 * scale + minimum;
            out[j + 16] = (block[4 + j] >> 4) as i32 as f32 * scale + minimum;
        }
    }
}

struct Q5_0;

impl Expand<22, 32> for Q5_0 {
    #[inline(always)]
    fn expand(block: &[u8; 22], out: &mut [f32; 32]) {
        let scale = half([block[0], block[1]]);
        let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
        for j in 0..16 {
            let low = (block[6 + j] & 15) as u32 | ((high >> j) & 1) << 4;
            let upper = (block[6 + j] >> 4) as u32 | ((high >> (j + 16)) & 1) << 4;
            out[j] = (low as i32 - 16) as f32 * scale;
            out[j + 16] = (upper as i32 - 16) as f32 * scale;
        }
    }
}

struct Q5_1;

impl Expand<24, 32> for Q5_1 {
    #[inline(always)]
    fn expand(block: &[u8; 24], out: &mut [f32; 32]) {
        let (scale, minimum) = halves_of(block);
        let high = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
        for j in 0..16 {
            let low = (block[8 + j] & 15) as u32 | ((high >> j) & 1) << 4;
            let upper = (block[8 + j] >> 4) as u32 | ((high >> (j + 16)) & 1) << 4;
            out[j] = low as i32 as f32 * scale + minimum;
            out[j + 16] = upper as i32 as f32 * scale + minimum;
        }
    }
}

struct Q8_0;

impl Expand<34, 32> for Q8_0 {
    #[inline(always)]
    fn expand(block: &[u8; 34], out: &mut [f32; 32]) {
        let scale = half([block[0], block[1]]);
        for j in 0..32 {
            out[j] = (block[2 + j] as i8) as f32 * scale;
        }
    }
}

/// Scale and minimum of the j-th sub-block of a K super-block: 6 bits each, packed into 12 bytes.
#[inline(always)]
fn k_scale(j: usize, packed: &[u8]) -> (f32, f32) {
    let (scale, minimum) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        ((packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4), (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4))
    };
    (scale as f32, minimum as f32)
}

struct Q4K;

impl Expand<144, 256> for Q4K {
    #[inline(always)]
    fn expand(block: &[u8; 144], out: &mut [f32; 256]) {
        let (d, d_min) = halves_of(block);
        for pair in 0..4 {
            let quants = &block[16 + 32 * pair..][..32];
            for (half_index, shift) in [(0, 0), (1, 4)] {
                let (scale, minimum) = k_scale(2 * pair + half_index, &block[4..16]);
                let (scale, minimum) = (d * scale, d_min * minimum);
                for (out, q) in out[64 * pair + 32 * half_index..][..32].iter_mut().zip(quants) {
                    *out = scale * ((q >> shift) & 15) as i32 as f32 - minimum;
                }
            }
        }
    }
}

struct Q5K;

impl Expand<176, 256> for Q5K {
    #[inline(always)]
    fn expand(block: &[u8; 176], out: &mut [f32; 256]) {
        let (d, d_min) = halves_of(block);
        let high = &block[16..48];
        for pair in 0..4 {
            let quants = &block[48 + 32 * pair..][..32];
            for (half_index, shift) in [(0, 0), (1, 4)] {
                let (scale, minimum) = k_scale(2 * pair + half_index, &block[4..16]);
                let (scale, minimum) = (d * scale, d_min * minimum);
                let bit = 2 * pair + half_index;
                for ((out, q), h) in out[64 * pair + 32 * half_index..][..32].iter_mut().zip(quants).zip(high) {
                    let value = ((q >> shift) & 15) | ((h >> bit) & 1) << 4;
                    *out = scale * value as i32 as f32 - minimum;
                }
            }
        }
    }
}

struct Q6K;

impl Expand<210, 256> for Q6K {
    #[inline(always)]
    fn expand(block: &[u8; 210], out: &mut [f32; 256]) {
        let d = half([block[208], block[209]]);
        for part in 0..2 {
            let low = &block[64 * part..][..64];
            let high = &block[128 + 32 * part..][..32];
            let scales = &block[192 + 8 * part..][..8];
            let out = &mut out[128 * part..][..128];
            for l in 0..32 {
                let scale = |index: usize| d * (scales[l / 16 + index] as i8) as f32;
                let quant = |nibble: u8, shift: u8| (nibble | ((high[l] >> shift) & 3) << 4) as i32 as f32 - 32.0;
                out[l] = scale(0) * quant(low[l] & 15, 0);
                out[l + 32] = scale(2) * quant(low[l + 32] & 15, 2);
                out[l + 64] = scale(4) * quant(low[l] >> 4, 4);
                out[l + 96] = scale(6) * quant(low[l + 32] >> 4, 6);
            }
        }
    }
}

#[inline(always)]
fn each<B: Expand<BYTES, LENGTH>, const BYTES: usize, const LENGTH: usize>(bytes: &[u8], out: &mut [f32]) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let (outs, _) = out.as_chunks_mut::<LENGTH>();
    for (block, out) in blocks.iter().zip(outs) {
        B::expand(block, out);
    }
}

#[inline(always)]
pub(crate) fn expand_body(format: Format, bytes: &[u8], out: &mut [f32]) {
    match format {
        Format::F32 => each::<Float, 4, 1>(bytes, out),
        Format::F16 => each::<HalfFloat, 2, 1>(bytes, out),
        Format::BF16 => each::<BrainFloat, 2, 1>(bytes, out),
        Format::Q4_0 => each::<Q4_0, 18, 32>(bytes, out),
        Format::Q4_1 => each::<Q4_1, 20, 32>(bytes, out),
        Format::Q5_0 => each::<Q5_0, 22, 32>(bytes, out),
        Format::Q5_1 => each::<Q5_1, 24, 32>(bytes, out),
        Format::Q8_0 => each::<Q8_0, 34, 32>(bytes, out),
        Format::Q4K => each::<Q4K, 144, 256>(bytes, out),
        Format::Q5K => each::<Q5K, 176, 256>(bytes, out),
        Format::Q6K => each::<Q6K, 210, 256>(bytes, out),
    }
}

multiversion! {
    fn expand_compiled(format: Format, bytes: &[u8], out: &mut [f32]) {
        let _ = FMA;
        expand_body(format, bytes, out)
    }
}

/// Expands whole blocks: `out` gets the `f32` values of `bytes`.
pub fn expand(format: Format, bytes: &[u8], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if super::x86::covers(format) {
        use super::simd::{Level, level};
        match level() {
            // SAFETY: `level` has just found these instruction sets on this machine.
            Level::Avx512 => return unsafe { super::x86::avx512::expand(format, bytes, out) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { super::x86::avx2::expand(format, bytes, out) },
            Level::Portable => {}
        }
    }
    expand_compiled(format, bytes, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    #[test]
    fn every_format_expands_as_candle_does() {
        let values: Vec<f32> =
            (0..2048u32).map(|i| ((i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0) * 0.3).collect();
        let source = Tensor::from_vec(values, (4, 512), &Device::Cpu).unwrap();
        for dtype in Format::ALL.map(Format::to_ggml) {
            let quantised = QTensor::quantize(&source, dtype).unwrap();
            let expected = quantised.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let format = Format::from_ggml(dtype).unwrap();
            let bytes = quantised.data().unwrap();
            assert_eq!(bytes.len(), 4 * format.row_bytes(512).unwrap(), "{dtype:?}");
            let mut out = vec![0f32; 2048];
            expand(format, &bytes, &mut out);
            for (i, (a, b)) in out.iter().zip(&expected).enumerate() {
                assert!((a - b).abs() <= 1e-6, "{dtype:?}[{i}]: {a} against {b}");
            }
        }
    }

    #[test]
    fn half_floats_convert_exactly() {
        for bits in 0..=u16::MAX {
            let expected = ::half::f16::from_bits(bits).to_f32();
            let got = half(bits.to_le_bytes());
            assert!(got == expected || (got.is_nan() && expected.is_nan()), "{bits:#x}: {got} against {expected}");
        }
    }
}
