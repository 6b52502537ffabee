//! What is written is read back by this room's own reader.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::model::{ModelConfig, ModelTokenizer};

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

fn put(folder: &Path, name: &str, json: &Json) {
    fs::write(folder.join(name), json.to_string()).unwrap();
}

fn read(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn metadata(folder: &Path) -> HashMap<String, Value> {
    Description::of_folder(folder).unwrap().metadata.into_iter().collect()
}

/// A copy of a tiny model's settings, without its weights, to be changed.
fn copy_of(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(tiny(name).join(file), folder.path().join(file)).unwrap();
    }
    folder
}

#[test]
fn the_shape_of_every_family_is_read_back_as_it_was() {
    for name in ["llama", "llama3", "mistral", "qwen2", "qwen2-yarn", "qwen3"] {
        let described = Description::of_folder(&tiny(name)).unwrap();
        let expected = ModelConfig::from_json(Path::new(name), &read(&tiny(name).join("config.json"))).unwrap();
        let mut back = ModelConfig::from_gguf(Path::new(name), &described.metadata.into_iter().collect()).unwrap();
        if let Some(divisors) = &described.divisors {
            back.inverse_frequencies.iter_mut().zip(divisors).for_each(|(frequency, by)| *frequency /= by);
        }
        assert_eq!(described.divisors.is_some(), name == "llama3");
        let difference = expected.inverse_frequencies.iter().zip(&back.inverse_frequencies);
        assert!(difference.clone().all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs()), "{name}: {difference:?}");
        assert!((expected.rotation_scale - back.rotation_scale).abs() < 1e-6);
        // Mistral is a Llama to llama.cpp.
        back.family = expected.family;
        back.inverse_frequencies.clone_from(&expected.inverse_frequencies);
        back.rotation_scale = expected.rotation_scale;
        assert_eq!(back, expected, "{name}");
    }
}

#[test]
fn a_window_and_other_scalings_are_kept_and_what_has_no_word_is_refused() {
    let folder = copy_of("llama");
    let mut config = read(&folder.path().join("config.json"));
    config["sliding_window"] = json!(64);
    config["rope_parameters"] = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0});
    put(folder.path(), "config.json", &config);
    let back = ModelConfig::from_gguf(folder.path(), &metadata(folder.path())).unwrap();
    assert_eq!(back, ModelConfig::from_json(folder.path(), &config).unwrap());
    config["rope_parameters"] = json!({"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.5, "rope_theta": 10000.0,
        "original_max_position_embeddings": 64});
    put(folder.path(), "config.json", &config);
    let back = ModelConfig::from_gguf(folder.path(), &metadata(folder.path())).unwrap();
    assert!((back.rotation_scale - 1.5).abs() < 1e-6, "{}", back.rotation_scale);
    config["rope_parameters"]["truncate"] = json!(false);
    put(folder.path(), "config.json", &config);
    let error = Description::of_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("YaRN with truncate = false") && error.contains("convert_hf_to_gguf.py"), "{error}");
}

#[test]
fn special_tokens_ends_and_padding_are_said() {
    let folder = copy_of("llama");
    let mut config = read(&folder.path().join("config.json"));
    config["vocab_size"] = json!(262);
    config["eos_token_id"] = json!([258, 5]);
    config["pad_token_id"] = json!(256);
    put(folder.path(), "config.json", &config);
    let mut tokenizer = read(&folder.path().join("tokenizer.json"));
    let added = tokenizer["added_tokens"].as_array_mut().unwrap();
    let token = |id: u32, content: &str| {
        json!({"id": id, "content": content, "special": false, "normalized": false, "single_word": false, "lstrip": false,
            "rstrip": false})
    };
    added.extend([token(259, "<tool>"), token(260, "<|fim|>")]);
    tokenizer["post_processor"] = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|im_start|>"}}, {"Sequence": {"id": "A"}}]}]});
    put(folder.path(), "tokenizer.json", &tokenizer);
    let settings = json!({"bos_token": {"content": "<|im_start|>"}, "eos_token": "<|im_end|>", "add_eos_token": true,
        "chat_template": [{"name": "other", "template": "x"}, {"name": "default", "template": "{{ bos_token }}y"}]});
    put(folder.path(), "tokenizer_config.json", &settings);

    let said = metadata(folder.path());
    let number = |key: &str| said[&format!("tokenizer.ggml.{key}")].to_u32().unwrap();
    assert_eq!([number("bos_token_id"), number("eos_token_id"), number("padding_token_id")], [257, 258, 256]);
    assert_eq!(number("eot_token_id"), 5);
    assert!(said["tokenizer.ggml.add_bos_token"].to_bool().unwrap());
    assert!(!said["tokenizer.ggml.add_eos_token"].to_bool().unwrap());
    assert_eq!(said["tokenizer.chat_template"].to_string().unwrap(), "{{ bos_token }}y");
    let kinds: Vec<i32> =
        said["tokenizer.ggml.token_type"].to_vec().unwrap().iter().map(|kind| kind.to_i32().unwrap()).collect();
    assert_eq!(kinds[255..], [1, 3, 3, 3, 4, 3, 5]);
    assert_eq!(said["tokenizer.ggml.tokens"].to_vec().unwrap()[261].to_string().unwrap(), "[PAD261]");
    let back = ModelTokenizer::from_gguf(folder.path(), &said).unwrap();
    let folders = ModelTokenizer::from_folder(folder.path()).unwrap();
    assert_eq!(back.bos(), folders.bos());
    assert_eq!(back.eos(), folders.eos());
    assert_eq!(back.encode("call <tool> now").unwrap(), folders.encode("call <tool> now").unwrap());
    config["vocab_size"] = json!(260);
    put(folder.path(), "config.json", &config);
    let error = Description::of_folder(folder.path()).unwrap_err().to_string();
    assert!(error.contains("outside the model's vocabulary"), "{error}");
}

#[test]
fn sentence_pieces_are_read_back_with_the_ids_that_their_own_library_gives() {
    // From the GGUF that SentencePiece's scores are in, to a tokenizer.json that has merges, and back to scores.
    let path = tiny("sentencepiece.gguf");
    let file = candle_core::quantized::gguf_file::Content::read(&mut fs::File::open(&path).unwrap()).unwrap();
    let first = ModelTokenizer::from_gguf(&path, &file.metadata).unwrap();
    let folder = copy_of("llama");
    let json: Json = serde_json::from_str(&first.to_json().unwrap()).unwrap();
    put(folder.path(), "tokenizer.json", &json);
    put(folder.path(), "tokenizer_config.json", &json!({"bos_token": "<s>", "eos_token": "</s>"}));
    let mut config = read(&folder.path().join("config.json"));
    config["vocab_size"] = json!(420);
    put(folder.path(), "config.json", &config);
    let said = metadata(folder.path());
    let texts = |of: &HashMap<String, Value>, key: &str| -> Vec<String> {
        of[&format!("tokenizer.ggml.{key}")].to_vec().unwrap().iter().map(|value| format!("{value:?}")).collect()
    };
    assert_eq!(texts(&said, "tokens"), texts(&file.metadata, "tokens"));
    let mut kinds = texts(&file.metadata, "token_type");
    // Control by its looks, as llama.cpp's converter has it.
    assert_eq!((first.id("<pad>"), kinds[3].as_str()), (Some(3), "I32(4)"));
    kinds[3] = "I32(3)".into();
    assert_eq!(texts(&said, "token_type"), kinds);
    for key in ["tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"] {
        assert_eq!(said[key].to_u32().unwrap(), file.metadata[key].to_u32().unwrap(), "{key}");
    }
    let back = ModelTokenizer::from_gguf(&path, &said).unwrap();
    let folders = ModelTokenizer::from_folder(folder.path()).unwrap();
    let expected = read(&tiny("gguf.json"));
    for case in expected["sentencepiece"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(back.encode(text).unwrap(), ids, "{text:?}");
        assert_eq!(folders.encode(text).unwrap(), ids, "{text:?}");
        assert_eq!(back.decode(&ids), folders.decode(&ids), "{text:?}");
    }
}

#[test]
fn tokenizers_without_a_word_in_gguf_are_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut Json)| {
        let folder = copy_of("llama");
        let mut tokenizer = read(&folder.path().join("tokenizer.json"));
        change(&mut tokenizer);
        put(folder.path(), "tokenizer.json", &tokenizer);
        Description::of_folder(folder.path()).unwrap_err().to_string()
    };
    for (why, change) in [
        ("Unigram", &(|t: &mut Json| t["model"]["type"] = json!("Unigram")) as &dyn Fn(&mut Json)),
        ("cuts text in a way of its own", &|t: &mut Json| t["pre_tokenizer"] = json!({"type": "Whitespace"})),
        ("Lowercase", &|t: &mut Json| t["normalizer"] = json!({"type": "Lowercase"})),
        ("not SentencePiece's", &|t: &mut Json| t["model"]["byte_fallback"] = json!(true)),
        ("marks parts of words", &|t: &mut Json| t["model"]["end_of_word_suffix"] = json!("</w>")),
    ] {
        let error = refusal(change);
        assert!(error.contains(why) && error.contains("tokenizer.json"), "{error}");
    }
}
