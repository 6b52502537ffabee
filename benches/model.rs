//! Speed of the model room on the default model: reading a prompt, writing one and eight answers, a training step.
//!
//! `cargo bench --bench model`; skipped, saying so, where the model is not installed. Throughput is in tokens.

#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logwright::model::pull::DEFAULT_MODEL;
use logwright::model::{Adapter, DeviceChoice, GenerateSettings, LanguageModel, LoraSettings, Sequence, installed};

/// Ids of ordinary tokens, all different from their neighbours.
fn tokens(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| 1000 + i.wrapping_mul(2_654_435_761) % 40_000).collect()
}

/// Writes `n` tokens for each prompt, never ending early: greedy text over noise does not find an end token.
fn write(model: &LanguageModel, prompts: &[Vec<u32>], n: usize) -> usize {
    let settings = GenerateSettings { max_tokens: n, alternatives: 0, ..Default::default() };
    let traces = model.generate(prompts, None, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
    traces.iter().map(|trace| trace.tokens.len()).sum()
}

fn model_room(criterion: &mut Criterion) {
    let Some(path) = installed(DEFAULT_MODEL) else {
        println!("skipped: {DEFAULT_MODEL} is not installed; run `logwright model pull {DEFAULT_MODEL}`");
        return;
    };
    let mut group = criterion.benchmark_group(DEFAULT_MODEL);
    group.sample_size(10).measurement_time(Duration::from_secs(10));

    group.bench_function("load", |bencher| bencher.iter(|| LanguageModel::load(&path, &DeviceChoice::Cpu).unwrap()));
    let model = LanguageModel::load(&path, &DeviceChoice::Cpu).unwrap();

    group.throughput(Throughput::Elements(512));
    let prompt = vec![tokens(512)];
    group.bench_function("prefill 512", |bencher| bencher.iter(|| write(&model, &prompt, 1)));

    group.throughput(Throughput::Elements(128));
    let prompt = vec![tokens(128)];
    group.bench_function("decode 128 after 128", |bencher| bencher.iter(|| write(&model, &prompt, 128)));

    group.throughput(Throughput::Elements(8 * 128));
    let prompts: Vec<Vec<u32>> = (0..8).map(|i| tokens(128 + i)).collect();
    group.bench_function("decode 8x128 after 128", |bencher| bencher.iter(|| write(&model, &prompts, 128)));

    group.throughput(Throughput::Elements(4 * 256));
    let adapter = Adapter::new(&model, &LoraSettings::default()).unwrap();
    let batch: Vec<Sequence> =
        (0..4).map(|i| Sequence { tokens: tokens(256 + i)[i..].to_vec(), weights: vec![1.0; 256] }).collect();
    group.bench_function("train 4x256", |bencher| bencher.iter(|| model.loss(&batch, &adapter, 1020.0).unwrap().loss));
    group.finish();
}

criterion_group!(benches, model_room);
criterion_main!(benches);
