//! Speed of the way from raw logs to templates: Drain on bare messages, with masks and headers, and the whole import.
//!
//! `cargo bench --bench logs`; skipped, saying so, where LogHub's BGL sample is not beside the project. Throughput is in
//! lines.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use logwright::logs::format::{LineFormat, built_in};
use logwright::logs::{Drain, DrainLimits, MaskBuffers, Masks};
use logwright::workspace::{LogImport, Workspace};

/// How often the sample is repeated.
const REPEATS: usize = 100;

/// The same message with other digits, so that no two lines are the same.
fn with_other_digits(message: &[u8], mut seed: u64) -> Vec<u8> {
    message
        .iter()
        .map(|&byte| {
            if !byte.is_ascii_digit() {
                return byte;
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            b'0' + ((seed >> 33) % 10) as u8
        })
        .collect()
}

fn raw_logs(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/loghub/BGL_2k.log");
    let Ok(sample) = fs::read(&path) else {
        println!("skipped: {} is not here", path.display());
        return;
    };
    let bgl = built_in("bgl").unwrap();
    let format = LineFormat::new(bgl.header).unwrap();
    let masks = Masks::new(bgl.masks).unwrap();
    let log = sample.repeat(REPEATS);
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let repeated: Vec<&[u8]> = lines.iter().map(|line| format.read(line).unwrap().content).collect();
    let unlike: Vec<Vec<u8>> = (0..).zip(&repeated).map(|(seed, message)| with_other_digits(message, seed)).collect();
    let unlike: Vec<&[u8]> = unlike.iter().map(Vec::as_slice).collect();

    let mut group = criterion.benchmark_group("BGL");
    group.sample_size(20).throughput(Throughput::Elements(lines.len() as u64));
    let new = || Drain::new(bgl.drain, DrainLimits::default());
    for (name, messages) in [("messages", &repeated), ("messages, each with other digits", &unlike)] {
        group.bench_function(format!("drain on {name}"), |bencher| {
            bencher.iter(|| {
                let mut drain = new();
                for message in messages {
                    black_box(drain.add(message));
                }
            });
        });
        group.bench_function(format!("masks and drain on {name}"), |bencher| {
            let mut buffers = MaskBuffers::default();
            bencher.iter(|| {
                let mut drain = new();
                for message in messages {
                    black_box(drain.add(masks.apply(message, &mut buffers)));
                }
            });
        });
    }
    group.bench_function("header, masks and drain on lines", |bencher| {
        let mut buffers = MaskBuffers::default();
        bencher.iter(|| {
            let mut drain = new();
            for line in &lines {
                let header = format.read(line).unwrap();
                black_box(drain.add(masks.apply(header.content, &mut buffers)));
            }
        });
    });
    group.bench_function("import into a new project", |bencher| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bgl.log");
        fs::write(&file, &log).unwrap();
        let options = LogImport { files: vec![file], format: "bgl".into(), dataset: None };
        let project = || {
            let dir = tempfile::tempdir().unwrap();
            (Workspace::init(dir.path()).unwrap(), dir)
        };
        let import = |(workspace, dir): (Workspace, tempfile::TempDir)| {
            let report = workspace.import_logs(&options, &mut |_| {}, &|| false).unwrap();
            assert_eq!(report.lines, lines.len() as u64);
            (workspace, dir)
        };
        bencher.iter_batched(project, import, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, raw_logs);
criterion_main!(benches);
