//! Text to token ids and back, from a `tokenizer.json` or from GGUF metadata.
//!
//! Text is always encoded *as text*: `<|im_start|>` inside a log line becomes ordinary tokens, never the control token. Only
//! [`ModelTokenizer::encode_parts`] makes control tokens, and only from the parts that a chat template wrote.

use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use candle_core::quantized::gguf_file::Value;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use super::config::gguf_integer;
use super::pre_tokenizer::Scheme;
use super::{ModelError, sentence_piece};

/// A piece of a rendered chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// Written by the template: names of control tokens mean those tokens.
    Frame(&'a str),
    /// Written by someone else: plain text, whatever it looks like.
    Content(&'a str),
}

/// A model's tokenizer.
pub struct ModelTokenizer {
    inner: Tokenizer,
    /// What each id writes, as bytes; a character may be split over several tokens.
    bytes: Vec<Box<[u8]>>,
    /// Control tokens by text, longest first.
    control: Vec<(String, u32)>,
    /// Whatever ends an answer, in order of id.
    eos: Vec<u32>,
    /// What the model's files name as the end, where they do.
    declared_end: Option<u32>,
    bos: Option<u32>,
    /// Tokens are written in GPT-2's alphabet of bytes, not in SentencePiece's.
    byte_level: bool,
}

/// GGUF's `tokenizer.ggml.token_type`.
pub(super) const CONTROL: usize = 3;
pub(super) const USER_DEFINED: usize = 4;

impl ModelTokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    pub fn from_gguf(path: &Path, metadata: &HashMap<String, Value>) -> Result<Self, ModelError> {
        let unsupported = |what: String| ModelError::Unsupported { path: path.to_owned(), what };
        let text = |key: &str| match metadata.get(key) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let strings = |key: &str| -> Result<Vec<&str>, ModelError> {
            match metadata.get(key) {
                Some(Value::Array(values)) => values
                    .iter()
                    .map(|v| match v {
                        Value::String(text) => Ok(text.as_str()),
                        _ => Err(ModelError::damaged(path, format!("{key} holds something else than strings"))),
                    })
                    .collect(),
                _ => Err(ModelError::damaged(path, format!("no {key} in its metadata"))),
            }
        };
        let tokens = strings("tokenizer.ggml.tokens")?;
        let kinds: Vec<usize> = match metadata.get("tokenizer.ggml.token_type") {
            Some(Value::Array(kinds)) => kinds.iter().map(|k| gguf_integer(k).unwrap_or(1)).collect(),
            _ => Vec::new(),
        };
        let id = |key: &str| metadata.get(key).and_then(gguf_integer).map(|id| id as u32);
        let (mut inner, byte_level) = match text("tokenizer.ggml.model").unwrap_or("(none)") {
            "gpt2" => {
                let pre = text("tokenizer.ggml.pre").unwrap_or("default");
                let scheme = Scheme::from_name(pre).ok_or_else(|| unsupported(format!("pre-tokenizer {pre:?}")))?;
                (byte_level_tokenizer(path, scheme, &tokens, strings("tokenizer.ggml.merges")?)?, true)
            }
            "llama" => {
                let scores: Vec<f32> = match metadata.get("tokenizer.ggml.scores") {
                    Some(Value::Array(scores)) => scores.iter().map(|s| s.to_f32().unwrap_or(f32::MIN)).collect(),
                    _ => return Err(ModelError::damaged(path, "no tokenizer.ggml.scores in its metadata")),
                };
                let prefixed = !matches!(metadata.get("tokenizer.ggml.add_space_prefix"), Some(Value::Bool(false)));
                let unknown = id("tokenizer.ggml.unknown_token_id").or(Some(0));
                let built = sentence_piece::tokenizer(&tokens, &scores, &kinds, unknown, prefixed);
                (built.map_err(|e| ModelError::damaged(path, format!("its tokenizer: {e}")))?, false)
            }
            kind => {
                return Err(unsupported(format!(
                    "tokenizer {kind:?} in a GGUF (a folder with tokenizer.json and safetensors works)"
                )));
            }
        };
        let of_kind = |kind: usize| {
            tokens.iter().zip(&kinds).filter(move |(_, k)| **k == kind).map(|(token, _)| (*token).to_owned())
        };
        let special: Vec<AddedToken> = of_kind(CONTROL).map(|t| AddedToken::from(t, true)).collect();
        let added: Vec<AddedToken> =
            of_kind(USER_DEFINED).map(|t| AddedToken::from(t, false).normalized(false)).collect();
        inner.add_special_tokens(special).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        inner.add_tokens(added).map_err(|e| ModelError::Tokenizer(e.to_string()))?;

        let eos = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];
        let eos = eos.into_iter().filter_map(id).collect();
        Ok(Self::new(inner, byte_level, eos, id("tokenizer.ggml.bos_token_id")))
    }

    /// Reads the `tokenizer.json` of a Transformers folder, and its end tokens from the files beside it.
    pub fn from_folder(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|e| ModelError::file(&path, e))?;
        let mut description: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|e| ModelError::damaged(&path, e))?;
        if !description.is_object() {
            return Err(ModelError::damaged(&path, "not the description of a tokenizer"));
        }
        let byte_level =
            ["decoder", "pre_tokenizer"].iter().any(|part| description[part].to_string().contains("ByteLevel"));
        // Not used here, and their reader panics over what it does not know.
        for part in ["decoder", "post_processor", "padding", "truncation"] {
            description[part] = serde_json::Value::Null;
        }
        let inner = Tokenizer::from_bytes(description.to_string()).map_err(|e| ModelError::damaged(&path, e))?;
        let json = |name: &str| -> serde_json::Value {
            std::fs::read(folder.join(name)).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
        };
        let (config, generation, settings) =
            (json("config.json"), json("generation_config.json"), json("tokenizer_config.json"));
        let named = |key: &str| {
            let token = &settings[key];
            token.as_str().or(token["content"].as_str()).and_then(|text| inner.token_to_id(text))
        };
        let numbered = [&generation["eos_token_id"], &config["eos_token_id"]]
            .into_iter()
            .flat_map(|v| v.as_array().cloned().unwrap_or_else(|| vec![v.clone()]))
            .filter_map(|v| v.as_u64().map(|id| id as u32));
        let eos = named("eos_token").into_iter().chain(numbered).collect();
        let bos = named("bos_token");
        Ok(Self::new(inner, byte_level, eos, bos))
    }

    /// `eos`: the ends that the model's files declare, the foremost first.
    fn new(mut inner: Tokenizer, byte_level: bool, mut eos: Vec<u32>, bos: Option<u32>) -> Self {
        let declared_end = eos.first().copied();
        inner.set_encode_special_tokens(true);
        let added = inner.get_added_tokens_decoder();
        let mut control: Vec<(String, u32)> =
            added.iter().filter(|(_, token)| token.special).map(|(id, token)| (token.content.clone(), *id)).collect();
        control.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.1.cmp(&b.1)));
        // A turn may end with a token that is not the declared end of text.
        for (text, id) in &control {
            if matches!(text.as_str(), "<|im_end|>" | "<|eot_id|>" | "<|endoftext|>" | "<|end_of_text|>" | "</s>") {
                eos.push(*id);
            }
        }
        eos.sort_unstable();
        eos.dedup();
        let size = inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1);
        let bytes = (0..size as u32)
            .map(|id| match (added.get(&id), inner.id_to_token(id)) {
                (Some(token), _) => token.content.as_bytes().into(),
                (None, Some(token)) if byte_level => byte_level_bytes(&token).into(),
                (None, Some(token)) => sentence_piece_bytes(&token).into(),
                (None, None) => Box::default(),
            })
            .collect();
        Self { inner, bytes, control, eos, declared_end, bos, byte_level }
    }

    /// The ids of a text, as text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a rendered chat: control tokens where the template wrote them, text everywhere else.
    ///
    /// Text is encoded in one piece between two control tokens, as the reference does, also where frame and content meet.
    pub fn encode_parts(&self, parts: &[Part<'_>]) -> Result<Vec<u32>, ModelError> {
        let mut ids = Vec::new();
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Content(content) => text.push_str(content),
                Part::Frame(frame) => {
                    let mut rest = *frame;
                    while let Some((at, token, id)) = self.next_control(rest) {
                        text.push_str(&rest[..at]);
                        ids.extend(self.encode(&text)?);
                        text.clear();
                        ids.push(id);
                        rest = &rest[at + token..];
                    }
                    text.push_str(rest);
                }
            }
        }
        ids.extend(self.encode(&text)?);
        Ok(ids)
    }

    /// The first control token in a text: its place, length and id.
    pub(super) fn next_control(&self, text: &str) -> Option<(usize, usize, u32)> {
        let found = self.control.iter().filter_map(|(token, id)| text.find(token).map(|at| (at, token.len(), *id)));
        found.min_by_key(|(at, length, _)| (*at, std::cmp::Reverse(*length)))
    }

    /// The text of some ids without control tokens; broken characters become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().filter(|id| !self.is_control(**id)).flat_map(|id| self.bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes that one id writes (for a control token, its name).
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], |bytes| bytes)
    }

    /// One id for people: its text, or its name if it is a control token.
    pub fn describe(&self, id: u32) -> String {
        String::from_utf8_lossy(self.bytes(id)).into_owned()
    }

    /// The id of a token by its exact text, control tokens included.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Whether an id is a control token.
    pub fn is_control(&self, id: u32) -> bool {
        self.control.iter().any(|(_, control)| *control == id)
    }

    /// The tokenizer as a `tokenizer.json`, which Transformers reads.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, ModelError> {
        let told = |error: tokenizers::Error| ModelError::Tokenizer(error.to_string());
        let mut inner = self.inner.clone();
        if inner.get_decoder().is_none() {
            // Made from a GGUF; this room decodes by itself.
            match self.byte_level {
                true => inner.with_decoder(Some(ByteLevel::default())),
                false => inner.with_decoder(Some(sentence_piece::decoder().map_err(told)?)),
            };
        }
        inner.to_string(true).map_err(told)
    }

    /// The id of the token that starts a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The ids that end an answer, whichever of them is written, in order.
    pub fn eos(&self) -> &[u32] {
        &self.eos
    }

    /// The one of them that the model's files name foremost, which need not be what ends a turn of its chats: see
    /// [`LanguageModel::end_of_turn`](super::LanguageModel::end_of_turn).
    pub fn declared_end(&self) -> Option<u32> {
        self.declared_end.or(self.eos.first().copied())
    }

    /// The name of the token that starts a text, for chat templates.
    pub fn bos_text(&self) -> String {
        self.bos.map(|id| self.describe(id)).unwrap_or_default()
    }

    /// The name of the token that is declared to end a text, for chat templates.
    pub fn eos_text(&self) -> String {
        self.declared_end().map(|id| self.describe(id)).unwrap_or_default()
    }
}

/// A byte-level tokenizer from its tokens and merges.
fn byte_level_tokenizer(
    path: &Path,
    scheme: Scheme,
    tokens: &[&str],
    merges: Vec<&str>,
) -> Result<Tokenizer, ModelError> {
    let merges = merges
        .into_iter()
        .map(|merge| {
            let (a, b) = merge
                .split_once(' ')
                .ok_or_else(|| ModelError::damaged(path, format!("merge {merge:?} is not a pair")))?;
            Ok((a.to_owned(), b.to_owned()))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let vocabulary: tokenizers::models::bpe::Vocab =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id as u32)).collect();
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .ignore_merges(scheme.ignores_merges())
        .build()
        .map_err(|e| ModelError::damaged(path, format!("its tokenizer: {e}")))?;
    let mut inner = Tokenizer::new(model);
    inner.with_pre_tokenizer(Some(scheme.pre_tokenizer().map_err(|e| ModelError::Tokenizer(e.to_string()))?));
    if scheme.normalises() {
        inner.with_normalizer(Some(NFC)).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
    }
    Ok(inner)
}

/// GPT-2's printable stand-in for every byte, turned round.
static BYTE_OF: LazyLock<HashMap<char, u8>> = LazyLock::new(|| {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let stand_ins = (0..=255u8).filter(|b| !printable(*b)).zip(256u32..);
    let stand_ins = stand_ins.filter_map(|(b, c)| char::from_u32(c).map(|c| (c, b)));
    (0..=255u8).filter(|b| printable(*b)).map(|b| (b as char, b)).chain(stand_ins).collect()
});

fn byte_level_bytes(token: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len());
    for c in token.chars() {
        match BYTE_OF.get(&c) {
            Some(byte) => bytes.push(*byte),
            None => bytes.extend(c.to_string().as_bytes()),
        }
    }
    bytes
}

fn sentence_piece_bytes(token: &str) -> Vec<u8> {
    let byte = token.strip_prefix("<0x").and_then(|t| t.strip_suffix('>')).and_then(|t| u8::from_str_radix(t, 16).ok());
    byte.map_or_else(|| token.replace('▁', " ").into_bytes(), |byte| vec![byte])
}

/// Bytes in, whole characters out: a character split over tokens appears with the token that completes it.
#[derive(Debug, Default)]
pub struct Utf8Stream {
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Takes some bytes and returns the characters that are now certain.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    match error.error_len() {
                        // The rest may still become a character.
                        None => {
                            self.pending.drain(..valid);
                            return text;
                        }
                        Some(bad) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            self.pending.drain(..valid + bad);
                        }
                    }
                }
            }
        }
    }

    /// What is left at the end: nothing, or a replacement for a character that was never completed.
    pub fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_byte_has_one_stand_in() {
        assert_eq!(BYTE_OF.len(), 256);
        assert_eq!(byte_level_bytes("Ġdisk"), b" disk");
        assert_eq!(byte_level_bytes("Ċ"), b"\n");
        assert_eq!(sentence_piece_bytes("▁disk"), b" disk");
        assert_eq!(sentence_piece_bytes("<0x0A>"), b"\n");
    }

    #[test]
    fn a_split_character_appears_when_it_is_whole() {
        let mut stream = Utf8Stream::default();
        let ring = "é".as_bytes();
        assert_eq!(stream.push(&ring[..1]), "");
        assert_eq!(stream.push(&ring[1..]), "é");
        assert_eq!(stream.push(&[0xff, b'a']), "\u{fffd}a");
        assert_eq!(stream.push(&[0xe2, 0x82]), "");
        assert_eq!(stream.finish(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_cut_of_any_text_streams_to_the_same_text(text in ".{0,40}", cut in 0usize..160) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let mut stream = Utf8Stream::default();
            let mut out = stream.push(&bytes[..cut]);
            out.push_str(&stream.push(&bytes[cut..]));
            out.push_str(&stream.finish());
            prop_assert_eq!(out, text);
        }
    }
}
