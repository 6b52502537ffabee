//! Sentence embeddings against those of Sentence Transformers (`fixtures/make_embedding_fixtures.py`).

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use logwright::model::{Embedder, EmbedderInfo, KeptEmbedder, close_pairs};
use serde::Deserialize;

#[derive(Deserialize)]
struct Known {
    text: String,
    embedding: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn known(file: &str) -> Vec<Known> {
    let known: Vec<Known> = serde_json::from_str(&std::fs::read_to_string(fixtures().join(file)).unwrap()).unwrap();
    assert_eq!(known.len(), 8);
    known
}

fn go_on(_: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn are_those_of_the_reference(embedder: &Embedder, known: &[Known]) {
    let texts: Vec<&str> = known.iter().map(|known| known.text.as_str()).collect();
    let found = embedder.embed(&texts, &mut go_on).unwrap().unwrap();
    assert_eq!(found.len(), texts.len() * embedder.width());
    for (known, found) in known.iter().zip(found.chunks(embedder.width())) {
        let off = known.embedding.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(off < 1e-4, "{:?} is off by {off}", known.text);
        let length: f32 = found.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    // What stands beside a text in its batch is nothing to it.
    for (known, together) in known.iter().zip(found.chunks(embedder.width())) {
        let alone = embedder.embed(&[&known.text], &mut go_on).unwrap().unwrap();
        let off = alone.iter().zip(together).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(off < 1e-5, "{:?} alone is off by {off}", known.text);
    }
}

#[test]
fn a_tiny_encoders_embeddings_are_those_of_sentence_transformers() {
    let embedder = Embedder::load(&fixtures().join("tiny/bert")).unwrap();
    are_those_of_the_reference(&embedder, &known("tiny/bert/expected.json"));
}

#[test]
fn minilms_embeddings_are_those_of_sentence_transformers() {
    let Some(folder) = Embedder::installed() else {
        println!("skipped: {}", Embedder::how_to_get_it());
        return;
    };
    let embedder = Embedder::load(&folder).unwrap();
    assert_eq!(embedder.width(), 384);
    are_those_of_the_reference(&embedder, &known("minilm.json"));
    let info = EmbedderInfo::read(&folder).unwrap().unwrap();
    assert_eq!((info.layers, info.hidden, info.vocabulary, info.context), (6, 384, 30_522, 256));
    assert_eq!(info.parameters, 22_713_216);
}

#[test]
fn no_texts_have_no_embeddings_and_work_can_be_broken_off() {
    let embedder = Embedder::load(&fixtures().join("tiny/bert")).unwrap();
    assert_eq!(embedder.embed::<&str>(&[], &mut go_on).unwrap(), Some(Vec::new()));
    let texts = vec!["error on 17"; 600];
    let mut told = Vec::new();
    let found = embedder.embed(&texts, &mut |done| {
        told.push(done);
        if done >= 512 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((found.unwrap(), told), (None, vec![0, 256, 512]));
}

#[test]
fn a_damaged_encoder_is_named_and_not_believed() {
    let whole = fixtures().join("tiny/bert");
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str| std::fs::copy(whole.join(name), folder.path().join(name)).map(drop);
    let complaint = || Embedder::load(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        assert!(complaint().contains(name), "{name} is missing: {}", complaint());
        copy(name).unwrap();
    }
    assert_eq!(complaint(), "");
    let config = std::fs::read_to_string(whole.join("config.json")).unwrap();
    for (from, to) in
        [("\"bert\"", "\"llama\""), ("\"hidden_size\": 24", "\"hidden_size\": 25"), ("\"gelu\"", "\"relu\"")]
    {
        assert!(config.contains(from), "{from}");
        std::fs::write(folder.path().join("config.json"), config.replace(from, to)).unwrap();
        assert!(complaint().contains("config.json"), "{to}: {}", complaint());
    }
    // Fewer ids than the tokenizer has.
    let short = config.replace("\"vocab_size\": 108", "\"vocab_size\": 100");
    assert_ne!(short, config);
    std::fs::write(folder.path().join("config.json"), short).unwrap();
    assert!(complaint().contains("vocabulary of 100"), "{}", complaint());
    copy("config.json").unwrap();
    let weights = std::fs::read(whole.join("model.safetensors")).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), &weights[..weights.len() - 9]).unwrap();
    assert!(complaint().contains("cut short"), "{}", complaint());
}

#[test]
fn what_was_embedded_is_kept_and_only_what_is_new_takes_the_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let (encoder, cache) = (folder.path().join("encoder"), folder.path().join("cache/embeddings"));
    std::fs::create_dir(&encoder).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(fixtures().join("tiny/bert").join(name), encoder.join(name)).unwrap();
    }
    let texts = ["error on 17", "link lost", "error on 17", "fan slow"];
    let expected = Embedder::load(&encoder).unwrap().embed(&texts, &mut go_on).unwrap().unwrap();
    let told = |kept: &KeptEmbedder, texts: &[&str]| {
        let mut told = Vec::new();
        let found = kept.embed(texts, &mut |done| {
            told.push(done);
            ControlFlow::Continue(())
        });
        (found.unwrap().unwrap(), told)
    };
    let near = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    let (first, asked) = told(&KeptEmbedder::at(&encoder, Some(&cache)).unwrap(), &texts[..3]);
    assert!(near(&first, &expected[..first.len()]));
    assert_eq!(asked, [1], "two texts are new, the third is one of them");

    let (again, asked) = told(&KeptEmbedder::at(&encoder, Some(&cache)).unwrap(), &texts[..3]);
    assert_eq!((again, asked), (first.clone(), vec![]));
    let file = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(whole.len(), 2 * (16 + 4 * 24));

    // Half a record, as a killed program leaves it, and one that holds nothing are as if they were not there.
    let mut broken = whole[..whole.len() - 7].to_vec();
    broken[16..40].fill(0);
    std::fs::write(&file, &broken).unwrap();
    let (mended, _) = told(&KeptEmbedder::at(&encoder, Some(&cache)).unwrap(), &texts);
    assert!(near(&mended, &expected));
    let (mended, asked) = told(&KeptEmbedder::at(&encoder, Some(&cache)).unwrap(), &texts);
    assert!(near(&mended, &expected) && asked.is_empty());

    // Another encoder has embeddings of its own, and without a folder nothing is kept.
    let weights = encoder.join("model.safetensors");
    let mut changed = std::fs::read(&weights).unwrap();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    std::fs::write(&weights, changed).unwrap();
    let (_, asked) = told(&KeptEmbedder::at(&encoder, Some(&cache)).unwrap(), &texts);
    assert_eq!(asked, [1]);
    for _ in 0..2 {
        assert_eq!(told(&KeptEmbedder::at(&encoder, None).unwrap(), &texts).1, [1]);
    }
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 2);
}

#[test]
fn close_pairs_are_those_of_comparing_each_with_each() {
    let (width, n) = (24, 700);
    let mut state = 1u64;
    let mut values: Vec<f32> = (0..n * width)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    for row in values.chunks_mut(width) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= length);
    }
    let cosine =
        |a: usize, b: usize| -> f32 { (0..width).map(|i| values[a * width + i] * values[b * width + i]).sum() };
    let found: Vec<(usize, usize)> = close_pairs(width, &values, 0.6).into_iter().map(|(a, b, _)| (a, b)).collect();
    let sure = |margin: f32| {
        (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).filter(move |(a, b)| cosine(*a, *b) >= 0.6 + margin)
    };
    assert!(sure(1e-5).all(|pair| found.contains(&pair)) && sure(1e-5).count() > 20);
    let may: Vec<(usize, usize)> = sure(-1e-5).collect();
    assert!(found.iter().all(|pair| may.contains(pair)) && found.is_sorted());
    assert!(close_pairs(width, &[], 0.5).is_empty());
}
