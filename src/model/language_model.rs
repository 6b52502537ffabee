//! A loaded model: weights, tokenizer, chat template, device.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::Tensor;
use candle_core::quantized::gguf_file::Value;
use sha2::{Digest, Sha256};

use super::adapter::{Adapter, LayerUpdates};
use super::chat::{ChatTemplate, Message, Role};
use super::config::ModelConfig;
use super::decoder::{self, Decoder, Span};
use super::memory::Footprint;
use super::tokenizer::{ModelTokenizer, Part};
use super::weights::WeightFiles;
use super::{DeviceChoice, DeviceMemory, ModelError};

/// Tokens of a sequence for which memory is reckoned where nobody says otherwise.
const ORDINARY_TOKENS: usize = 2048;

/// A model's files, opened and looked at, not loaded.
pub(super) struct Source {
    /// The GGUF file or Transformers folder.
    pub path: PathBuf,
    pub config: ModelConfig,
    pub files: WeightFiles,
    /// Of a GGUF file.
    pub metadata: Option<HashMap<String, Value>>,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let path = resolve(path)?;
        if !path.is_dir() {
            let mut files = WeightFiles::open_gguf(&path)?;
            let metadata = std::mem::take(&mut files.metadata);
            let config = ModelConfig::from_gguf(&path, &metadata)?;
            return Ok(Self { path, config, files, metadata: Some(metadata) });
        }
        let config_path = path.join("config.json");
        let text = std::fs::read_to_string(&config_path).map_err(|e| ModelError::file(&config_path, e))?;
        let json = serde_json::from_str(&text).map_err(|e| ModelError::damaged(&config_path, e))?;
        let config = ModelConfig::from_json(&config_path, &json)?;
        let files = WeightFiles::open_safetensors(&path)?;
        Ok(Self { path, config, files, metadata: None })
    }
}

/// A frozen base model, ready to generate and to train adapters on.
pub struct LanguageModel {
    path: PathBuf,
    name: String,
    decoder: Decoder,
    tokenizer: ModelTokenizer,
    chat: ChatTemplate,
    end_of_turn: Option<u32>,
    note: Option<String>,
    fingerprint: OnceLock<String>,
}

impl std::fmt::Debug for LanguageModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LanguageModel({})", self.path.display())
    }
}

impl LanguageModel {
    /// Loads a GGUF file, a folder that holds one, or a folder in Transformers' layout.
    ///
    /// A GPU that is asked for and not there is no error; see [`LanguageModel::note`].
    ///
    /// # Errors
    /// When it cannot be read, is damaged, is not one that this decoder runs, or does not fit into the memory with a
    /// sequence of ordinary length.
    pub fn load(path: &Path, device: &DeviceChoice) -> Result<Self, ModelError> {
        Self::load_for(path, device, None)
    }

    /// The same where the caller knows how many tokens it will ask the model to remember at once.
    ///
    /// # Errors
    /// As [`LanguageModel::load`].
    pub fn load_for(path: &Path, device: &DeviceChoice, tokens: Option<usize>) -> Result<Self, ModelError> {
        let place = device.open();
        let Source { path, config, mut files, metadata } = Source::open(path)?;
        if place.device.is_cpu() {
            Footprint::of(&config, files.bytes())
                .check(&path, tokens.unwrap_or(ORDINARY_TOKENS.min(config.context)))?;
        }
        let (tokenizer, template) = match &metadata {
            None => (ModelTokenizer::from_folder(&path)?, folder_template(&path)),
            Some(metadata) => {
                let template = match metadata.get("tokenizer.chat_template") {
                    Some(Value::String(template)) => Some(template.clone()),
                    _ => None,
                };
                (ModelTokenizer::from_gguf(&path, metadata)?, template)
            }
        };
        let decoder = Decoder::load(config, &mut files, &place)?;
        let chat = ChatTemplate::new(template.as_deref(), tokenizer.bos_text(), tokenizer.eos_text())?;
        let name = decoder::name_of(&path);
        let end_of_turn = chat_end(&chat, &tokenizer).or(tokenizer.declared_end());
        Ok(Self { path, name, decoder, tokenizer, chat, end_of_turn, note: place.note, fingerprint: OnceLock::new() })
    }

    /// The file or folder that it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name: the file's or folder's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Something the user should know, such as that the CPU is used in place of a missing GPU.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The decoder with its weights.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The memory of the device that it computes on; `None` on the CPU, whose memory is the process's.
    pub fn device_memory(&self) -> Option<DeviceMemory> {
        DeviceMemory::of(self.decoder.device())
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        self.decoder.config()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &ModelTokenizer {
        &self.tokenizer
    }

    /// The token that ends a turn of its chats, which it must learn to write: what its chat template writes after an
    /// answer, else what its files name as the end of a text. They differ for some models (Llama 3: `<|eot_id|>` and
    /// `<|end_of_text|>`).
    pub fn end_of_turn(&self) -> Option<u32> {
        self.end_of_turn
    }

    /// The token ids of a chat; with `add_generation_prompt` they end where the model is to answer.
    ///
    /// Control tokens come from the template alone: inside a message they are ordinary text.
    pub fn encode_chat(&self, messages: &[Message], add_generation_prompt: bool) -> Result<Vec<u32>, ModelError> {
        self.chat.with_parts(messages, add_generation_prompt, |parts| self.tokenizer.encode_parts(parts))?
    }

    /// What tells this base from others, whatever the format of its linears: a SHA-256 of its shape and its norms, which
    /// quantisation leaves alone.
    pub fn fingerprint(&self) -> String {
        self.fingerprint
            .get_or_init(|| {
                let mut hash = Sha256::new();
                let config = self.config();
                let shape = [
                    config.hidden,
                    config.intermediate,
                    config.layers,
                    config.heads.query,
                    config.heads.key_value,
                    config.heads.dimension,
                    config.vocabulary,
                ];
                for size in shape {
                    hash.update((size as u64).to_le_bytes());
                }
                for value in self.decoder.norm_values() {
                    hash.update(value.to_le_bytes());
                }
                format!("{:x}", hash.finalize())
            })
            .clone()
    }

    /// The logits after every token of a sequence: tokens × vocabulary. For inspection and tests; memory grows with both.
    pub fn logits(&self, tokens: &[u32], adapter: Option<&Adapter>) -> Result<Tensor, ModelError> {
        let spans = vec![Span::new(0..tokens.len(), 0, 0)];
        let batch = self.decoder.batch(spans, false)?;
        let mut x = self.decoder.embed(tokens)?;
        for layer in 0..self.decoder.layers() {
            let updates = self.updates(adapter, layer);
            x = self.decoder.layer(layer, &x, &batch, &updates, None)?;
        }
        Ok(self.decoder.logits(&x)?)
    }

    /// An adapter's updates of a layer, for a forward that nothing is differentiated through.
    pub(crate) fn updates(&self, adapter: Option<&Adapter>, layer: usize) -> LayerUpdates {
        adapter.map(|adapter| adapter.layer(layer, false)).unwrap_or_default()
    }
}

/// The GGUF file or Transformers folder that a path means.
fn resolve(path: &Path) -> Result<PathBuf, ModelError> {
    let metadata = std::fs::metadata(path).map_err(|e| ModelError::file(path, e))?;
    if metadata.is_file() || path.join("config.json").exists() {
        return Ok(path.to_owned());
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(|e| ModelError::file(path, e))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")))
        .collect();
    files.sort();
    match files.len() {
        1 => Ok(files.remove(0)),
        _ => Err(ModelError::NotAModel { path: path.to_owned() }),
    }
}

/// The ending token that a chat template writes first after an answer, if it writes one.
fn chat_end(chat: &ChatTemplate, tokenizer: &ModelTokenizer) -> Option<u32> {
    let turns = [Message::new(Role::User, "?"), Message::new(Role::Assistant, "!")];
    let after_answer = |parts: &[Part<'_>]| {
        let answer = parts.iter().rposition(|part| matches!(part, Part::Content(_)))?;
        let Part::Frame(frame) = parts.get(answer + 1)? else { return None };
        tokenizer.next_control(frame).map(|(_, _, id)| id)
    };
    // A template that cannot render this chat says nothing about its end.
    let end = chat.with_parts(&turns, false, after_answer).ok().flatten()?;
    tokenizer.eos().contains(&end).then_some(end)
}

/// The chat template of a Transformers folder: its own file, or an entry of `tokenizer_config.json`.
pub(super) fn folder_template(folder: &Path) -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(folder.join("chat_template.jinja")) {
        return Some(text);
    }
    let bytes = std::fs::read(folder.join("tokenizer_config.json")).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    match &json["chat_template"] {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Array(named) => named
            .iter()
            .find(|entry| entry["name"] == "default")
            .and_then(|entry| entry["template"].as_str().map(str::to_owned)),
        _ => None,
    }
}
