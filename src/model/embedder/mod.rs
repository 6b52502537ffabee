//! Sentence embeddings: a text becomes a point, and texts that mean the same become points near to each other.
//!
//! The model is all-MiniLM-L6-v2 (Reimers and Gurevych 2019, "Sentence-BERT"; Wang et al. 2020, "MiniLM"), or another
//! BERT in Sentence Transformers' layout that means its tokens and brings the mean to length 1.

mod encoder;
mod kept;
mod words;

pub use kept::{KeptEmbedder, close_pairs};

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::ModelError;
use super::pull::{EMBEDDING_MODEL, installed};
use super::weights::WeightFiles;
use encoder::{Encoder, EncoderConfig};
use words::WordPieces;

/// Tokens of a text that count, the two that frame it among them: what all-MiniLM-L6-v2 was trained on.
const MOST_TOKENS: usize = 256;

/// Tokens that a thread takes at a time: enough to fill the matrix products, few enough for its cache.
const TASK_TOKENS: usize = 256;

/// Texts between two reports of progress.
const CHUNK: usize = 256;

/// Names the folder of another encoder than the default one.
pub const ENCODER_VARIABLE: &str = "LOGWRIGHT_ENCODER";

/// A sentence encoder, ready.
pub struct Embedder {
    encoder: Encoder,
    words: WordPieces,
    most_tokens: usize,
}

/// What an encoder is, read from the heads of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmbedderInfo {
    /// Always `bert`.
    pub family: String,
    /// Number of layers.
    pub layers: usize,
    /// Numbers in an embedding.
    pub hidden: usize,
    /// Number of token ids.
    pub vocabulary: usize,
    /// Tokens of a text that count.
    pub context: usize,
    /// Number of weights.
    pub parameters: u64,
}

impl EmbedderInfo {
    /// Reads what the encoder in a folder is; `None` where the folder holds none, but perhaps a language model.
    ///
    /// # Errors
    /// When it is an encoder, but damaged or not one that can be run.
    pub fn read(folder: &Path) -> Result<Option<Self>, ModelError> {
        if !is_encoder(folder) {
            return Ok(None);
        }
        let config = read_config(folder)?;
        let files = WeightFiles::open_safetensors(folder)?;
        let count = |(_, shape): (String, Vec<usize>)| shape.iter().map(|size| *size as u64).product::<u64>();
        Ok(Some(Self {
            family: config.model_type.clone(),
            layers: config.num_hidden_layers,
            hidden: config.hidden_size,
            vocabulary: config.vocab_size,
            context: MOST_TOKENS.min(config.max_position_embeddings),
            parameters: files.tensors().into_iter().map(count).sum(),
        }))
    }
}

/// Whether a folder's model says of itself that it is one of these.
fn is_encoder(folder: &Path) -> bool {
    let text = std::fs::read(folder.join("config.json")).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    config["model_type"] == "bert"
}

fn read_config(folder: &Path) -> Result<EncoderConfig, ModelError> {
    let path = folder.join("config.json");
    let text = std::fs::read(&path).map_err(|error| ModelError::file(&path, error))?;
    let config: EncoderConfig = serde_json::from_slice(&text).map_err(|error| ModelError::damaged(&path, error))?;
    match config.complaint() {
        None => Ok(config),
        Some(why) => Err(ModelError::damaged(&path, why)),
    }
}

impl Embedder {
    /// Opens the encoder in a folder: `config.json`, `tokenizer.json`, `model.safetensors`.
    ///
    /// # Errors
    /// When it is not there, damaged, or not one that can be run.
    pub fn load(folder: &Path) -> Result<Self, ModelError> {
        let config = read_config(folder)?;
        let words = WordPieces::load(folder, config.vocab_size)?;
        let most_tokens = MOST_TOKENS.min(config.max_position_embeddings);
        let encoder = Encoder::load(config, &mut WeightFiles::open_safetensors(folder)?)?;
        Ok(Self { encoder, words, most_tokens })
    }

    /// Where the encoder is on this machine, if it is here: the folder that [`ENCODER_VARIABLE`] names, else the default one's.
    pub fn installed() -> Option<PathBuf> {
        let named = std::env::var_os(ENCODER_VARIABLE).filter(|folder| !folder.is_empty());
        named.map(PathBuf::from).or_else(|| installed(EMBEDDING_MODEL))
    }

    /// Opens the encoder of [`Embedder::installed`].
    ///
    /// # Errors
    /// When it is not on this machine, with the line that fetches it, or cannot be opened.
    pub fn open() -> Result<Self, ModelError> {
        let folder = Self::installed().ok_or_else(|| ModelError::Request(Self::how_to_get_it()))?;
        Self::load(&folder)
    }

    /// What to do where the default encoder is not on this machine, in one line.
    pub fn how_to_get_it() -> String {
        format!("the sentence encoder is not here; fetch it with `logwright model pull {EMBEDDING_MODEL}` (91 MB)")
    }

    /// Numbers in an embedding.
    pub fn width(&self) -> usize {
        self.encoder.config.hidden_size
    }

    /// The embeddings of some texts, each of length 1, one after the other in the order of the texts. Of a long text only
    /// the beginning counts. `go_on` hears how many are done; `None` where it breaks off.
    ///
    /// # Errors
    /// When a text cannot be tokenised.
    pub fn embed<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        let width = self.width();
        let ids: Vec<Vec<u32>> = texts
            .par_iter()
            .map(|text| self.words.encode(text.as_ref(), self.most_tokens))
            .collect::<Result<_, _>>()?;
        // Long ones first: what is left over at the end is small.
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|place| std::cmp::Reverse(ids[*place].len()));
        let mut embeddings = vec![0f32; ids.len() * width];
        let mut done = 0;
        for chunk in order.chunks(CHUNK) {
            if go_on(done).is_break() {
                return Ok(None);
            }
            let found: Vec<(usize, Vec<f32>)> = tasks(chunk, &ids)
                .into_par_iter()
                .flat_map_iter(|places| {
                    let sentences: Vec<&[u32]> = places.iter().map(|place| ids[*place].as_slice()).collect();
                    places.into_iter().zip(self.encoder.forward(&sentences))
                })
                .collect();
            for (place, embedding) in found {
                embeddings[place * width..(place + 1) * width].copy_from_slice(&embedding);
            }
            done += chunk.len();
        }
        Ok(Some(embeddings))
    }
}

/// Texts in order, as many to a task as its tokens allow.
fn tasks(order: &[usize], ids: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut tasks: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for &place in order {
        let tokens = ids[place].len();
        match tasks.last_mut() {
            Some(task) if tokens <= room => {
                room -= tokens;
                task.push(place);
            }
            _ => {
                room = TASK_TOKENS.saturating_sub(tokens);
                tasks.push(vec![place]);
            }
        }
    }
    tasks
}
