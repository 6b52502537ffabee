//! A `tokenizer.json` and the files beside it in GGUF's words.

use candle_core::quantized::gguf_file::Value;
use serde_json::Value as Json;

use crate::model::pre_tokenizer::Scheme;
use crate::model::sentence_piece;
use crate::model::tokenizer::{CONTROL, USER_DEFINED};

/// GGUF's `tokenizer.ggml.token_type`, beside the two that the tokenizer's reader knows.
const NORMAL: usize = 1;
const UNKNOWN: usize = 2;
const UNUSED: usize = 5;
const BYTE: usize = 6;

/// End tokens that llama.cpp and this program find by their names.
const KNOWN_ENDS: [&str; 5] = ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "</s>"];

/// The files that say how a model reads and writes.
pub(super) struct Source<'a> {
    pub tokenizer: &'a Json,
    /// `tokenizer_config.json`, null where there is none.
    pub settings: &'a Json,
    pub config: &'a Json,
    /// `generation_config.json`, null where there is none.
    pub generation: &'a Json,
    pub template: Option<String>,
    /// Rows of the embedding; ids that the tokenizer leaves out are filled up.
    pub vocabulary: usize,
}

/// The tokens by their ids.
struct Tokens {
    texts: Vec<String>,
    kinds: Vec<usize>,
}

impl Source<'_> {
    /// The metadata; an error names what GGUF has no word for.
    pub fn metadata(&self) -> Result<Vec<(String, Value)>, String> {
        let model = &self.tokenizer["model"];
        // Old files do not say; only these have merges.
        if model["type"].as_str().is_some_and(|kind| kind != "BPE") || !model["merges"].is_array() {
            return Err(format!("a tokenizer of the kind {}", model["type"]));
        }
        let marked = ["continuing_subword_prefix", "end_of_word_suffix"];
        if marked.iter().any(|key| model[*key].as_str().is_some_and(|mark| !mark.is_empty())) {
            return Err("a tokenizer that marks parts of words".to_owned());
        }
        let merges = merges(model)?;
        let pieces = model["byte_fallback"] == true;
        let tokens = self.tokens(pieces)?;
        let mut metadata = Vec::new();
        let mut add = |key: &str, value: Value| metadata.push((format!("tokenizer.{key}"), value));
        let name = |name: &str| Value::String(name.to_owned());
        if pieces {
            let texts: Vec<&str> = tokens.texts.iter().map(String::as_str).collect();
            let scores = sentence_piece::scores(&texts, &tokens.kinds, &merges)?;
            add("ggml.model", name("llama"));
            add("ggml.pre", name("default"));
            add("ggml.scores", Value::Array(scores.into_iter().map(Value::F32).collect()));
            add("ggml.add_space_prefix", Value::Bool(begins_with_space(self.tokenizer)?));
        } else {
            let normaliser = &self.tokenizer["normalizer"];
            if !normaliser.is_null() && normaliser["type"] != "NFC" {
                return Err(format!("a tokenizer with the normaliser {}", normaliser["type"]));
            }
            let scheme = Scheme::of_json(self.tokenizer).ok_or("a tokenizer that cuts text in a way of its own")?;
            add("ggml.model", name("gpt2"));
            add("ggml.pre", name(scheme.name()));
            let joined = |(left, right): &(String, String)| {
                // A blank parts the two; one within them is written as GPT-2's alphabet has it.
                Value::String(format!("{} {}", left.replace(' ', "Ġ"), right.replace(' ', "Ġ")))
            };
            add("ggml.merges", Value::Array(merges.iter().map(joined).collect()));
        }
        add("ggml.token_type", Value::Array(tokens.kinds.iter().map(|kind| Value::I32(*kind as i32)).collect()));
        for (key, id) in self.special(&tokens) {
            add(&format!("ggml.{key}_token_id"), Value::U32(id));
        }
        for token in ["bos", "eos"] {
            if let Some(added) = self.adds(token) {
                add(&format!("ggml.add_{token}_token"), Value::Bool(added));
            }
        }
        if let Some(template) = &self.template {
            add("chat_template", Value::String(template.clone()));
        }
        add("ggml.tokens", Value::Array(tokens.texts.into_iter().map(Value::String).collect()));
        Ok(metadata)
    }

    fn tokens(&self, pieces: bool) -> Result<Tokens, String> {
        let mut texts: Vec<Option<(String, usize)>> = vec![None; self.vocabulary];
        let mut put = |id: Option<u64>, text: &str, kind: usize| {
            let place = id.and_then(|id| texts.get_mut(id as usize));
            let place = place.ok_or_else(|| format!("a token outside the model's vocabulary ({text:?})"))?;
            *place = Some((text.to_owned(), kind));
            Ok::<(), String>(())
        };
        let model = &self.tokenizer["model"];
        let unknown = model["unk_token"].as_str();
        for (text, id) in model["vocab"].as_object().ok_or("a tokenizer without a vocabulary")? {
            let kind = match text.as_str() {
                text if pieces && Some(text) == unknown => UNKNOWN,
                text if pieces && is_byte(text) => BYTE,
                _ => NORMAL,
            };
            put(id.as_u64(), text, kind)?;
        }
        for token in self.tokenizer["added_tokens"].as_array().into_iter().flatten() {
            let text = token["content"].as_str().unwrap_or_default();
            let kind = match token["special"] == true || looks_special(text) {
                // The token for what is not known stays that, also where it is listed.
                true if pieces && Some(text) == unknown => UNKNOWN,
                true => CONTROL,
                false => USER_DEFINED,
            };
            put(token["id"].as_u64(), text, kind)?;
        }
        let (texts, kinds) =
            (0..).zip(texts).map(|(id, token)| token.unwrap_or_else(|| (format!("[PAD{id}]"), UNUSED))).unzip();
        Ok(Tokens { texts, kinds })
    }

    /// The ids with a part of their own: by the name that the settings give, else by the configuration's number.
    fn special(&self, tokens: &Tokens) -> Vec<(&'static str, u32)> {
        let id_of = |text: &str| tokens.texts.iter().position(|token| token == text).map(|id| id as u32);
        let named = |name: &str| {
            let token = &self.settings[format!("{name}_token")];
            token.as_str().or(token["content"].as_str()).and_then(id_of)
        };
        let numbered = |json: &Json, name: &str| -> Vec<u32> {
            let said = &json[format!("{name}_token_id")];
            let all = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
            let all = all.iter().filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()));
            all.filter(|id| (*id as usize) < tokens.texts.len()).collect()
        };
        let mut found = Vec::new();
        for (key, name) in [("bos", "bos"), ("eos", "eos"), ("unknown", "unk"), ("padding", "pad")] {
            if let Some(id) = named(name).or_else(|| numbered(self.config, name).first().copied()) {
                found.push((key, id));
            }
        }
        let mut ends = [numbered(self.generation, "eos"), numbered(self.config, "eos")].concat();
        ends.retain(|id| !found.contains(&("eos", *id)) && !KNOWN_ENDS.contains(&tokens.texts[*id as usize].as_str()));
        ends.dedup();
        found.extend(["eot", "eom"].into_iter().zip(ends));
        found
    }

    /// Whether a text is given this token at its beginning (`bos`) or end (`eos`); `None` where nobody says.
    fn adds(&self, token: &str) -> Option<bool> {
        let post = &self.tokenizer["post_processor"];
        let steps = post["processors"].as_array().map_or_else(|| std::slice::from_ref(post), Vec::as_slice);
        let single = steps.iter().find(|step| step["type"] == "TemplateProcessing").map(|step| &step["single"]);
        let place = single.and_then(Json::as_array).filter(|parts| parts.len() > 1).and_then(|parts| match token {
            "bos" => parts.first(),
            _ => parts.last(),
        });
        if let Some(text) = place.and_then(|part| part["SpecialToken"]["id"].as_str()) {
            let name = &self.settings[format!("{token}_token")];
            // Where the settings name none, it is the one that is added.
            return Some(name.as_str().or(name["content"].as_str()).is_none_or(|name| name == text));
        }
        if steps.iter().any(|step| step["type"] == "ByteLevel") {
            return Some(false);
        }
        self.settings[format!("add_{token}_token")].as_bool()
    }
}

/// The merges in their order, whether written as pairs or, as older files have them, with a blank between.
fn merges(model: &Json) -> Result<Vec<(String, String)>, String> {
    let pair = |merge: &Json| {
        let pair = match merge {
            Json::String(both) => both.split_once(' '),
            both => both[0].as_str().zip(both[1].as_str()),
        };
        pair.map(|(left, right)| (left.to_owned(), right.to_owned())).ok_or_else(|| format!("the merge {merge}"))
    };
    model["merges"].as_array().into_iter().flatten().map(pair).collect()
}

/// Whether SentencePiece would put a blank before a text; an error names what else the tokenizer does to it.
fn begins_with_space(tokenizer: &Json) -> Result<bool, String> {
    let (normaliser, pre) = (&tokenizer["normalizer"], &tokenizer["pre_tokenizer"]);
    if pre["type"] == "Metaspace" && normaliser.is_null() {
        return Ok(pre["prepend_scheme"] != "never" && pre["add_prefix_space"] != false);
    }
    let steps = match normaliser["type"].as_str() {
        Some("Sequence") => normaliser["normalizers"].as_array().cloned().unwrap_or_default(),
        _ => vec![normaliser.clone()],
    };
    let spaces = |step: &Json| step["type"] == "Replace" && step["pattern"]["String"] == " " && step["content"] == "▁";
    let prefix = |step: &Json| step["type"] == "Prepend" && step["prepend"] == "▁";
    match steps.as_slice() {
        [replace] if spaces(replace) && pre.is_null() => Ok(false),
        [prepend, replace] if prefix(prepend) && spaces(replace) && pre.is_null() => Ok(true),
        _ => Err("a tokenizer that spells out bytes and is not SentencePiece's".to_owned()),
    }
}

/// `<0x0A>`
fn is_byte(piece: &str) -> bool {
    let digits = piece.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}

/// Whether a token is a control token by its looks, as llama.cpp's converter has it: some models forget to say so.
fn looks_special(text: &str) -> bool {
    matches!(text, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]")
        || (text.starts_with("<|") && text.ends_with("|>"))
        || (text.starts_with("<｜") && text.ends_with("｜>"))
        || (text.starts_with("<unused") && text.ends_with('>'))
}
