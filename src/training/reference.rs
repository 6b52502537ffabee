//! The frozen model that DPO and GRPO keep close to: the one that a run started from, or the base without an adapter.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{RunFolder, TokenizedPair, TrainingError};
use crate::model::{Adapter, LanguageModel};

/// What the trained model is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceName {
    /// The adapter that the run started from, frozen; the base where it started from none.
    #[default]
    Start,
    /// The base, without any adapter.
    Base,
}

/// The reference, ready to be asked.
pub struct Reference {
    adapter: Option<Adapter>,
    /// Tells this reference from others.
    fingerprint: String,
}

impl Reference {
    /// The reference of a run in `folder` over `model`.
    ///
    /// # Errors
    /// When the adapter that the run started from cannot be read.
    pub fn open(name: ReferenceName, folder: &RunFolder, model: &LanguageModel) -> Result<Self, TrainingError> {
        let start = folder.start_dir();
        let base = format!("{}\n{}", model.fingerprint(), model.path().display());
        if name == ReferenceName::Base || !start.is_dir() {
            return Ok(Self { adapter: None, fingerprint: base });
        }
        let path = start.join("adapter_model.safetensors");
        let weights = fs::read(&path).map_err(|error| TrainingError::file(&path, error))?;
        let fingerprint = format!("{base}\n{:x}", Sha256::digest(&weights));
        Ok(Self { adapter: Some(Adapter::load(&start, model)?), fingerprint })
    }

    /// The base without an adapter, for tests.
    pub fn base(model: &LanguageModel) -> Self {
        Self { adapter: None, fingerprint: model.fingerprint() }
    }

    /// The frozen adapter; `None` is the base.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }
}

/// ln p of both sides of a pair under the reference, of their tokens after what they share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairReference {
    /// Which pair, counted over those that train and then those held out.
    pair: usize,
    /// Of the chosen side. In f32, so that what is read back from the file is what was written, to the bit.
    pub chosen: f32,
    /// Of the rejected side.
    pub rejected: f32,
}

/// What the reference said of pairs, kept in the run's folder under a name made from the pairs and the reference: nothing is
/// computed twice, and a run that goes on computes nothing again.
pub(super) struct ReferenceCache {
    /// `None`: kept in memory only.
    path: Option<PathBuf>,
    known: RefCell<HashMap<usize, PairReference>>,
}

impl ReferenceCache {
    /// The cache of `pairs` in `folder`, with what an earlier process found.
    pub fn open<'a>(
        folder: Option<&RunFolder>,
        reference: &Reference,
        pairs: impl Iterator<Item = &'a TokenizedPair>,
    ) -> Result<Self, TrainingError> {
        let Some(folder) = folder else { return Ok(Self { path: None, known: RefCell::default() }) };
        let mut hash = Sha256::new();
        hash.update(&reference.fingerprint);
        for pair in pairs {
            for tokens in [&[pair.shared as u32][..], &pair.chosen, &pair.rejected] {
                hash.update((tokens.len() as u64).to_le_bytes());
                tokens.iter().for_each(|token| hash.update(token.to_le_bytes()));
            }
        }
        let name: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = folder.path().join(format!("reference-{name}.jsonl"));
        let known = read(&path)?;
        Ok(Self { path: Some(path), known: RefCell::new(known) })
    }

    /// What the reference says of a pair, if it was asked.
    pub fn get(&self, pair: usize) -> Option<PairReference> {
        self.known.borrow().get(&pair).copied()
    }

    /// Keeps what the reference said of pairs: (which, chosen, rejected).
    pub fn keep(&self, found: impl Iterator<Item = (usize, f64, f64)>) -> Result<(), TrainingError> {
        let mut known = self.known.borrow_mut();
        let mut lines = Vec::new();
        for (pair, chosen, rejected) in found {
            let entry = PairReference { pair, chosen: chosen as f32, rejected: rejected as f32 };
            known.insert(pair, entry);
            serde_json::to_writer(&mut lines, &entry).map_err(|error| TrainingError::Model(error.to_string()))?;
            lines.push(b'\n');
        }
        let Some(path) = &self.path else { return Ok(()) };
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            // On the disk before a checkpoint depends on it: asked among other pairs, the last bit might differ.
            .and_then(|mut file| file.write_all(&lines).and_then(|()| file.sync_data()))
            .map_err(|error| TrainingError::file(path, error))
    }
}

/// The whole lines of a cache; half a line, as a kill leaves it, is ended so that the next one stands alone.
fn read(path: &Path) -> Result<HashMap<usize, PairReference>, TrainingError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(TrainingError::file(path, error)),
    };
    if bytes.last().is_some_and(|&byte| byte != b'\n') {
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        super::run::replace(path, &bytes[..whole])?;
        return read(path);
    }
    let entries = bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    Ok(entries.map(|entry: PairReference| (entry.pair, entry)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_back_to_the_bit_and_half_a_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reference-x.jsonl");
        let cache = ReferenceCache { path: Some(path.clone()), known: RefCell::default() };
        let values: Vec<(usize, f64, f64)> =
            (0..50).map(|i| (i, -(i as f64).sqrt() * 7.3, -1.0 / (i as f64 + 3.0))).collect();
        cache.keep(values.iter().copied()).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"pair\":99,\"chos").unwrap();
        let again = ReferenceCache { path: Some(path.clone()), known: RefCell::new(read(&path).unwrap()) };
        for (pair, chosen, rejected) in values {
            let entry = again.get(pair).unwrap();
            assert_eq!(
                (entry.chosen.to_bits(), entry.rejected.to_bits()),
                ((chosen as f32).to_bits(), (rejected as f32).to_bits())
            );
        }
        assert_eq!(again.get(99), None);
        again.keep([(50, -1.0, -2.0)].into_iter()).unwrap();
        assert_eq!(read(&path).unwrap().len(), 51);
    }
}
