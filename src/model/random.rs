//! A counter-based generator: the n-th number of a stream needs no state but (seed, stream, n).

/// Mixes 64 bits thoroughly (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", the finaliser of
/// SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where a stream begins; [`bits_from`] gives its numbers.
pub(crate) fn begin(seed: u64, stream: u64) -> u64 {
    mix(seed.wrapping_add(STEP)).wrapping_add(mix(stream.wrapping_mul(STEP) ^ STEP))
}

/// The `counter`-th 64 bits of the stream that begins at `begin`.
pub(crate) fn bits_from(begin: u64, counter: u64) -> u64 {
    mix(begin.wrapping_add(counter.wrapping_mul(STEP)))
}

/// The `counter`-th 64 bits of a stream.
pub(crate) fn bits(seed: u64, stream: u64, counter: u64) -> u64 {
    bits_from(begin(seed, stream), counter)
}

/// The `counter`-th number of a stream, uniform in [0, 1).
pub(crate) fn uniform(seed: u64, stream: u64, counter: u64) -> f32 {
    (bits(seed, stream, counter) >> 40) as f32 / (1u64 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_uniform_and_unlike_each_other() {
        let mean = |stream| (0..10_000).map(|i| uniform(7, stream, i) as f64).sum::<f64>() / 10_000.0;
        assert!((mean(0) - 0.5).abs() < 0.02 && (mean(1) - 0.5).abs() < 0.02);
        assert!((0..100).all(|i| bits(7, 0, i) != bits(7, 1, i) && bits(7, 0, i) != bits(8, 0, i)));
    }
}
