//! Random numbers without a state: a pure function of (seed, stream, counter).
//!
//! A generator with a hidden position cannot be resumed exactly unless the position is saved and restored everywhere. Here
//! whoever draws names what is drawn – "the 17th number of stream 3 under seed 0" – so a resumed run draws what the
//! uninterrupted one would have. The function is Philox 4×32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
//! as 1, 2, 3"), checked against the known answers published with it.

/// What a number is drawn for; equal counters of different streams are unrelated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The order of the examples in an epoch.
    Order(u64),
    /// Which examples are held out.
    HoldOut,
    /// The rollouts of a step.
    Rollouts,
}

impl Stream {
    /// A number of its own for every stream; the epoch takes the low bits.
    fn number(self) -> u64 {
        const KIND: u32 = 56;
        match self {
            Self::Order(epoch) => epoch,
            Self::HoldOut => 1 << KIND,
            Self::Rollouts => 2 << KIND,
        }
    }
}

/// The `counter`-th number of `stream` under `seed`, uniform over all of `u64`.
pub fn random(seed: u64, stream: Stream, counter: u64) -> u64 {
    let stream = stream.number();
    let block = philox(
        [counter as u32, (counter >> 32) as u32, stream as u32, (stream >> 32) as u32],
        [seed as u32, (seed >> 32) as u32],
    );
    u64::from(block[0]) | u64::from(block[1]) << 32
}

/// Puts `items` into a uniformly random order (Fisher–Yates).
pub fn shuffle<T>(items: &mut [T], seed: u64, stream: Stream) {
    for last in (1..items.len()).rev() {
        // A 64-bit number modulo a length below 2^32 is uniform to within 2^-32: far below what a shuffle can show.
        let chosen = random(seed, stream, last as u64) % (last as u64 + 1);
        items.swap(last, chosen as usize);
    }
}

/// Philox 4×32 with ten rounds.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
    const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let left = MULTIPLIERS[0] * u64::from(counter[0]);
        let right = MULTIPLIERS[1] * u64::from(counter[2]);
        counter = [
            (right >> 32) as u32 ^ counter[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ counter[3] ^ key[1],
            left as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_its_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_depends_on_seed_and_stream() {
        let order = |seed, stream| {
            let mut items: Vec<u32> = (0..100).collect();
            shuffle(&mut items, seed, stream);
            items
        };
        let first = order(1, Stream::Order(0));
        assert_eq!(first, order(1, Stream::Order(0)));
        assert_ne!(first, order(2, Stream::Order(0)));
        assert_ne!(first, order(1, Stream::Order(1)));
        assert_ne!(first, order(1, Stream::HoldOut));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn draws_are_spread_evenly() {
        let mut counts = [0usize; 16];
        for counter in 0..16_000 {
            counts[(random(7, Stream::HoldOut, counter) % 16) as usize] += 1;
        }
        // A fair draw has a standard deviation of 31 here.
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
    }
}
