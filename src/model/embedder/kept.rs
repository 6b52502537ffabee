//! Embeddings kept on disk, so that a text is embedded once: in the cache folder beside the models, one file per encoder, by the
//! SHA-256 of the text. What is lost there is made again.
//!
//! A file is records of one length: sixteen bytes of the text's hash, then the embedding as little-endian 32-bit floats. Records
//! are appended under a lock; half a one at the end, as a killed program leaves it, is cut off before the next, and an embedding
//! that is not of length 1 is taken for none.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::kernels::gemm::{Product, View};
use super::super::pull::models_dir;
use super::{Embedder, MOST_TOKENS, ModelError, read_config};

/// Bytes of a text's hash that are kept.
const KEY: usize = 16;

/// A file that is longer than this is begun anew: 170,000 embeddings of MiniLM's.
const MOST_BYTES: u64 = 256 << 20;

/// Texts that are embedded before they are kept: what is broken off loses no more than these.
const BATCH: usize = 1024;

/// Stretches of the weights, and bytes of each, that an encoder is known by, besides its other files.
const SAMPLES: (u64, usize) = (64, 4096);

type Key = [u8; KEY];

/// An encoder that remembers what it embedded. Its weights are read only once something is new.
pub struct KeptEmbedder {
    folder: PathBuf,
    width: usize,
    /// Where embeddings are kept, if they are.
    file: Option<PathBuf>,
    embedder: Mutex<Option<Embedder>>,
}

impl KeptEmbedder {
    /// The encoder of [`Embedder::installed`], with what it embedded kept in the cache folder.
    ///
    /// # Errors
    /// When it is not on this machine, with the line that fetches it, or its configuration cannot be read.
    pub fn open() -> Result<Self, ModelError> {
        let folder = Embedder::installed().ok_or_else(|| ModelError::Request(Embedder::how_to_get_it()))?;
        let cache = models_dir().ok().and_then(|models| Some(models.parent()?.join("embeddings")));
        Self::at(&folder, cache.as_deref())
    }

    /// The encoder in a folder, with what it embedded kept in another; not at all without one.
    ///
    /// # Errors
    /// When the encoder's files cannot be read.
    pub fn at(folder: &Path, cache: Option<&Path>) -> Result<Self, ModelError> {
        let width = read_config(folder)?.hidden_size;
        let file = match cache {
            Some(cache) => Some(cache.join(format!("{}.f32", fingerprint(folder)?))),
            None => None,
        };
        Ok(Self { folder: folder.to_owned(), width, file, embedder: Mutex::new(None) })
    }

    /// Numbers in an embedding.
    pub fn width(&self) -> usize {
        self.width
    }

    /// [`Embedder::embed`], where only what was never embedded before takes time.
    ///
    /// # Errors
    /// When the encoder cannot be opened, or a text cannot be tokenised. That something cannot be kept is no error.
    pub fn embed<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        let keys: Vec<Key> = texts.par_iter().map(|text| key(text.as_ref())).collect();
        let mut embeddings = vec![0f32; texts.len() * self.width];
        let mut places: HashMap<Key, Vec<usize>> = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            places.entry(*key).or_default().push(place);
        }
        let mut put = |places: &[usize], embedding: &[f32]| {
            for place in places {
                embeddings[place * self.width..(place + 1) * self.width].copy_from_slice(embedding);
            }
        };
        self.each_kept(|key, embedding| {
            if let Some(places) = places.remove(key) {
                put(&places, embedding);
            }
        });
        // In the order of the texts, so that the work is the same every time.
        let mut new: Vec<(Key, Vec<usize>)> = places.into_iter().collect();
        new.sort_unstable_by_key(|(_, places)| places[0]);
        let mut done = texts.len() - new.len();
        for batch in new.chunks(BATCH) {
            let those: Vec<&str> = batch.iter().map(|(_, places)| texts[places[0]].as_ref()).collect();
            let mut embedder = self.embedder.lock().unwrap_or_else(PoisonError::into_inner);
            let embedder = match &mut *embedder {
                Some(embedder) => embedder,
                none => none.insert(Embedder::load(&self.folder)?),
            };
            let Some(found) = embedder.embed(&those, &mut |new| go_on(done + new))? else { return Ok(None) };
            self.keep(batch, &found);
            for ((_, places), embedding) in batch.iter().zip(found.chunks(self.width)) {
                put(places, embedding);
            }
            done += batch.len();
        }
        Ok(Some(embeddings))
    }

    fn record(&self) -> usize {
        KEY + 4 * self.width
    }

    fn each_kept(&self, mut each: impl FnMut(&Key, &[f32])) {
        let Some(bytes) = self.file.as_ref().and_then(|file| fs::read(file).ok()) else { return };
        let mut embedding = vec![0f32; self.width];
        for record in bytes.chunks_exact(self.record()) {
            let (Some(key), values) = (record.first_chunk::<KEY>(), &record[KEY..]) else { continue };
            for (value, bytes) in embedding.iter_mut().zip(values.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*bytes);
            }
            let length: f32 = embedding.iter().map(|value| value * value).sum();
            if (length - 1.0).abs() < 1e-3 {
                each(key, &embedding);
            }
        }
    }

    fn keep(&self, batch: &[(Key, Vec<usize>)], embeddings: &[f32]) {
        let Some(path) = &self.file else { return };
        let mut bytes = Vec::with_capacity(batch.len() * self.record());
        for ((key, _), embedding) in batch.iter().zip(embeddings.chunks(self.width)) {
            bytes.extend_from_slice(key);
            bytes.extend(embedding.iter().flat_map(|value| value.to_le_bytes()));
        }
        // Without them everything works, only slower.
        let _ = append(path, &bytes, self.record() as u64);
    }
}

fn append(path: &Path, bytes: &[u8], record: u64) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().create(true).write(true).truncate(false).open(path)?;
    file.lock()?;
    let len = file.metadata()?.len();
    let whole = if len > MOST_BYTES { 0 } else { len - len % record };
    file.set_len(whole)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(bytes)
}

fn key(text: &str) -> Key {
    let mut key = [0; KEY];
    key.copy_from_slice(&Sha256::digest(text)[..KEY]);
    key
}

/// What an encoder is known by: its small files, and stretches of its weights, which take too long to read whole each time.
fn fingerprint(folder: &Path) -> Result<String, ModelError> {
    let mut hash = Sha256::new_with_prefix(format!("1 {MOST_TOKENS}"));
    for name in ["config.json", "tokenizer.json"] {
        let path = folder.join(name);
        hash.update(fs::read(&path).map_err(|error| ModelError::file(&path, error))?);
    }
    let path = folder.join("model.safetensors");
    let mut sample = || -> std::io::Result<()> {
        let mut file = File::open(&path)?;
        let len = file.metadata()?.len();
        hash.update(len.to_le_bytes());
        let mut stretch = vec![0; SAMPLES.1];
        for sample in 0..SAMPLES.0 {
            file.seek(SeekFrom::Start(len / SAMPLES.0 * sample))?;
            let mut read = 0;
            while let Some(room) = stretch.get_mut(read..).filter(|room| !room.is_empty()) {
                match file.read(room)? {
                    0 => break,
                    n => read += n,
                }
            }
            hash.update(&stretch[..read]);
        }
        Ok(())
    };
    sample().map_err(|error| ModelError::file(&path, error))?;
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// All pairs of embeddings of length 1, one after the other, whose cosine is `threshold` or more: by place, in order. As matrix
/// products, which is what makes ten thousand texts a matter of a second.
pub fn close_pairs(width: usize, embeddings: &[f32], threshold: f32) -> Vec<(usize, usize, f32)> {
    const BLOCK: usize = 256;
    let n = embeddings.len() / width.max(1);
    let blocks: Vec<usize> = (0..n).step_by(BLOCK).collect();
    let of_block = |from: &usize| {
        let (from, to) = (*from, (from + BLOCK).min(n));
        let mut found = Vec::new();
        let mut cosines = Vec::new();
        for against in (from..n).step_by(BLOCK) {
            let (rows, columns) = (to - from, BLOCK.min(n - against));
            cosines.clear();
            cosines.resize(rows * columns, 0f32);
            Product::new(rows, columns, width).run(
                View::rows(&embeddings[from * width..], width),
                View::transposed(&embeddings[against * width..], width),
                &mut cosines,
                columns,
            );
            for (row, cosines) in (from..to).zip(cosines.chunks(columns)) {
                let near = (against..).zip(cosines).filter(|(other, cosine)| *other > row && **cosine >= threshold);
                found.extend(near.map(|(other, cosine)| (row, other, *cosine)));
            }
        }
        found.sort_unstable_by_key(|(first, second, _)| (*first, *second));
        found
    };
    blocks.par_iter().flat_map_iter(of_block).collect()
}
