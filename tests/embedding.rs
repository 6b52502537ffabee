//! Sentence embeddings against those of Sentence Transformers (`fixtures/make_embedding_fixtures.py`).

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use logwright::model::{Embedder, EmbedderInfo};
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
