//! Why a model cannot be had.

use std::path::PathBuf;

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
    pub(super) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    /// Whether another source is worth trying.
    pub(super) fn is_of_the_source(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Wrong { .. })
    }
}
