//! What the decoder computes on other devices against the CPU's kernels: in every precision, on a GPU where there is one, and on
//! the CPU as if it were a GPU everywhere.

#![allow(clippy::unwrap_used)]

#[path = "support/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::Tensor;
use logwright::model::{Activations, Adapter, DeviceChoice, GenerateSettings, LanguageModel, LoraSettings, Sequence};
use serde_json::Value;
use tiny::{FAMILIES, expected, folder, gguf, ids, lora_batch, weight_sum};

/// A device, and how far from the CPU's kernels its numbers may be, beside the largest of them.
struct Place {
    choice: DeviceChoice,
    tolerance: f32,
}

/// All devices of this machine; what is missing is told.
fn places() -> Vec<Place> {
    let all = [("f32", 1e-4), ("bf16", 1e-1), ("f16", 2e-2)];
    let named = ["cpu", "cuda:0"]
        .into_iter()
        .flat_map(|device| all.map(|(precision, tolerance)| (format!("{device}:{precision}"), tolerance)));
    let places = named.filter_map(|(name, tolerance)| {
        let choice: DeviceChoice = name.parse().unwrap();
        let model = LanguageModel::load(&folder("llama"), &choice).unwrap();
        if let Some(note) = model.note() {
            println!("no CUDA device: {note}");
            return None;
        }
        Some(Place { choice, tolerance })
    });
    places.collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference beside the largest value that is expected.
fn error(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().map(|value| value.abs()).fold(1e-6, f32::max);
    tiny::largest_difference(found, expected) / largest
}

/// What is left of the gradients' difference beside their size, over all of them.
fn distance(found: &[Tensor], expected: &[Tensor]) -> f32 {
    let square = |values: Vec<f32>| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
    let difference = |(a, b): (&Tensor, &Tensor)| {
        let (a, b) = (values(a), values(b));
        square(a.iter().zip(&b).map(|(a, b)| a - b).collect())
    };
    let size: f64 = expected.iter().map(|tensor| square(values(tensor))).sum();
    (found.iter().zip(expected).map(difference).sum::<f64>() / size).sqrt() as f32
}

/// An adapter whose B is not zero, the same on every device.
fn adapter(model: &LanguageModel, dropout: f32) -> Adapter {
    let settings = LoraSettings { rank: 3, alpha: 6.0, dropout, seed: 5, ..Default::default() };
    let adapter = Adapter::new(model, &settings).unwrap();
    for (name, var) in adapter.parameters().iter().filter(|(name, _)| name.contains("lora_B")) {
        let seed = name.bytes().map(u32::from).sum::<u32>();
        let value =
            |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) as f32 / 65_536.0 - 0.5;
        let drawn: Vec<f32> = (0..var.elem_count()).map(|i| 0.2 * value(i)).collect();
        var.set(&Tensor::from_vec(drawn, var.shape(), var.device()).unwrap()).unwrap();
    }
    adapter
}

#[test]
fn every_family_and_format_has_the_logits_of_the_cpus_kernels() {
    let formats = ["formats", "llama3", "qwen3", "qwen2-yarn"].map(gguf);
    let paths: Vec<_> = FAMILIES.map(folder).into_iter().chain(formats).collect();
    for Place { choice, tolerance } in places() {
        for path in &paths {
            let (model, cpu) = (load(path, choice), load(path, DeviceChoice::Cpu));
            let tokens = ids(&expected("llama")["ids"]);
            let of = |model: &LanguageModel| values(&model.logits(&tokens, Some(&adapter(model, 0.0))).unwrap());
            let error = error(&of(&model), &of(&cpu));
            assert!(error < tolerance, "{} on {choice}: {error}", path.display());
            assert_eq!(model.fingerprint(), cpu.fingerprint(), "an adapter belongs to the model wherever it computes");
        }
    }
}

fn load(path: &Path, choice: DeviceChoice) -> LanguageModel {
    LanguageModel::load(path, &choice).unwrap()
}

#[test]
fn losses_and_lora_gradients_are_those_of_the_cpus_kernels() {
    for family in ["llama", "qwen2", "qwen3"] {
        let cpu = load(&folder(family), DeviceChoice::Cpu);
        let of_cpu = adapter(&cpu, 0.0);
        // Ragged, and two that begin alike, so that they share the rows of their beginning.
        let mut batch = lora_batch(&expected("llama"));
        let mut alike = batch[0].clone();
        *alike.tokens.last_mut().unwrap() += 1;
        batch.push(alike);
        // A normaliser as of a large window: without scaling, f16 would lose gradients of this size.
        for normaliser in [weight_sum(&batch), 3e5] {
            let expected = cpu.loss(&batch, &of_cpu, normaliser).unwrap();
            for Place { choice, tolerance } in places() {
                let model = load(&folder(family), choice);
                let found = model.loss(&batch, &adapter(&model, 0.0), normaliser).unwrap();
                let name = format!("{family} on {choice} over {normaliser}");
                assert!(
                    (found.loss / expected.loss - 1.0).abs() < tolerance,
                    "{name}: {} {}",
                    found.loss,
                    expected.loss
                );
                let distance = distance(&found.gradients, &expected.gradients);
                assert!(distance < tolerance, "{name}: gradients differ by {distance}");
                assert!(found.gradients.iter().all(|gradient| gradient.dtype() == candle_core::DType::F32));
            }
        }
    }
}

#[test]
fn a_quantised_base_teaches_what_its_weights_say() {
    let path = gguf("formats");
    let cpu = load(&path, DeviceChoice::Cpu);
    let tokens: Vec<u32> = ids(&expected("llama")["ids"]);
    let batch = [Sequence { weights: vec![1.0; tokens.len()], tokens }];
    let expected = cpu.loss(&batch, &adapter(&cpu, 0.0), 70.0).unwrap();
    for Place { choice, tolerance } in places() {
        let model = load(&path, choice);
        let found = model.loss(&batch, &adapter(&model, 0.0), 70.0).unwrap();
        let distance = distance(&found.gradients, &expected.gradients);
        assert!(distance < tolerance, "{choice}: gradients differ by {distance}");
        // Half floats become 32-bit ones where that is the precision.
        if tolerance > 1e-3 {
            assert!(
                model.decoder().memory_bytes() <= cpu.decoder().memory_bytes(),
                "{choice}: quantised weights stay quantised"
            );
        }
    }
}

#[test]
fn any_loss_of_log_probabilities_has_its_gradient() {
    let cpu = load(&folder("llama"), DeviceChoice::Cpu);
    let batch = lora_batch(&expected("llama"));
    // Some count for and some against, as in GRPO and DPO.
    let mut weigh = |spread: &[Vec<f32>]| -> Vec<Vec<f32>> {
        spread
            .iter()
            .enumerate()
            .map(|(i, row)| row.iter().map(|p| (i as f32 - 0.7) * p.exp() * 1e-3).collect())
            .collect()
    };
    let expected = cpu.loss_by(&batch, &adapter(&cpu, 0.0), 0.8, &mut weigh).unwrap();
    for Place { choice, tolerance } in places() {
        let model = load(&folder("llama"), choice);
        let found = model.loss_by(&batch, &adapter(&model, 0.0), 0.8, &mut weigh).unwrap();
        let distance = distance(&found.gradients, &expected.gradients);
        assert!(distance < 3.0 * tolerance, "{choice}: gradients differ by {distance}");
    }
}

#[test]
fn recomputing_changes_nothing_to_the_bit_and_dropout_is_replayed() {
    for Place { choice, tolerance } in places() {
        let model = load(&folder("llama"), choice);
        let adapter = adapter(&model, 0.3);
        let batch = lora_batch(&expected("llama"));
        let step = |seed, activations| {
            model.loss_with(&batch, &adapter.dropping(seed, 4), weight_sum(&batch), activations).unwrap()
        };
        let (kept, recomputed) = (step(1, Activations::Keep), step(1, Activations::Recompute));
        assert_eq!(kept.loss.to_bits(), recomputed.loss.to_bits(), "{choice}");
        for (a, b) in kept.gradients.iter().zip(&recomputed.gradients) {
            assert_eq!(values(a), values(b), "{choice}");
        }
        assert_ne!(step(2, Activations::Keep).loss.to_bits(), kept.loss.to_bits());
        let cpu = load(&folder("llama"), DeviceChoice::Cpu);
        let of_cpu = self::adapter(&cpu, 0.3).dropping(1, 4);
        let expected = cpu.loss(&batch, &of_cpu, weight_sum(&batch)).unwrap();
        let distance = distance(&kept.gradients, &expected.gradients);
        assert!(distance < tolerance, "{choice}: dropout hides the same inputs: {distance}");
    }
}

#[test]
fn a_batch_writes_what_its_prompts_write_alone() {
    let tokens = ids(&expected("llama")["ids"]);
    let prompts: Vec<Vec<u32>> =
        [&tokens[..9], &tokens[..30], &tokens[20..21], &tokens[5..60], &tokens[..12]].map(<[u32]>::to_vec).to_vec();
    let cpu = load(&folder("llama"), DeviceChoice::Cpu);
    let settings = GenerateSettings { max_tokens: 20, batch: 3, ..Default::default() };
    let write = |model: &LanguageModel, prompts: &[Vec<u32>]| -> Vec<Vec<u32>> {
        let traces = model.generate(prompts, None, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
        traces.iter().map(|trace| trace.tokens.iter().map(|token| token.id).collect()).collect()
    };
    let expected = write(&cpu, &prompts);
    for Place { choice, tolerance } in places() {
        let model = load(&folder("llama"), choice);
        let together = write(&model, &prompts);
        let first = |texts: &[Vec<u32>]| texts.iter().map(|text| text[0]).collect::<Vec<_>>();
        assert_eq!(first(&together), first(&expected), "{choice}");
        // A rounding may turn a choice between two that are nearly as likely, and all that follows.
        if tolerance < 1e-3 {
            let alone: Vec<_> = prompts.iter().flat_map(|prompt| write(&model, std::slice::from_ref(prompt))).collect();
            assert_eq!(together, alone, "{choice}");
            assert_eq!(together, expected, "{choice}");
        }
    }
}

#[test]
fn the_reference_of_peft_holds_on_every_device() {
    let reference: Value = expected("llama");
    let batch = lora_batch(&reference);
    for Place { choice, tolerance } in places() {
        let model = load(&folder("llama"), choice);
        let adapter = Adapter::load(&folder("llama").join("adapter"), &model).unwrap();
        let loss = model.loss(&batch, &adapter, weight_sum(&batch)).unwrap().loss;
        let expected = reference["lora"]["loss"].as_f64().unwrap() as f32;
        assert!((loss / expected - 1.0).abs() < tolerance, "{choice}: {loss} for {expected}");
    }
}
