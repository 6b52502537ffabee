//! Choosing 1,000 of 10,000 embeddings by a determinantal point process, on every processor of the machine.
//!
//! `cargo bench --bench dpp [-- ITEMS COUNT]`. The embeddings are random but not even: they lie in 200 clusters, as texts do that are
//! about 200 things. The worst case follows: no clusters, so that nearly every item stays a candidate to the end.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Instant;

use logwright::reasoning::dpp::{Kernel, greedy_map};
use logwright::reasoning::neighbours::Vectors;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const WIDTH: usize = 384;

fn embeddings(items: usize, clusters: usize) -> Vectors {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut number = || (rng.next_u32() as f32 / u32::MAX as f32) - 0.5;
    let centres: Vec<f32> = (0..clusters * WIDTH).map(|_| number()).collect();
    let values = (0..items * WIDTH).map(|place| {
        let (item, column) = (place / WIDTH, place % WIDTH);
        let centre = if clusters == 0 { 0.0 } else { centres[item % clusters * WIDTH + column] };
        centre + number()
    });
    Vectors::new(WIDTH, values.collect()).unwrap()
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (items, count) = (sizes.first().copied().unwrap_or(10_000), sizes.get(1).copied().unwrap_or(1_000));
    println!("{count} of {items} embeddings of {WIDTH} numbers, {} threads", rayon::current_num_threads());
    for (what, clusters) in [("200 clusters", 200), ("no clusters", 0)] {
        let points = embeddings(items, clusters);
        let mut seconds: Vec<f64> = (0..3)
            .map(|_| {
                let start = Instant::now();
                let found = greedy_map(&points, &[], Kernel::default(), count).unwrap();
                assert_eq!(found.len(), count.min(items));
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        println!("{what}: median {:.2} s, longest {:.2} s", seconds[1], seconds[2]);
    }
}
