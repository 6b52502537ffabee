//! What can go wrong with a project on disk.

use std::io;
use std::path::{Path, PathBuf};

use super::store::ReadOnly;
use crate::labels::PatchError;
use crate::logs::table::TableError;

/// Why something could not be done to a project. One line each, naming the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// `init` on a project.
    #[error("{} is a project already", .0.display())]
    AlreadyThere(PathBuf),
    /// `open` on something else.
    #[error("{} is not a project (it has no logwright.toml): run `logwright init {}`", .0.display(), .0.display())]
    NotAProject(PathBuf),
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Settings that cannot be understood.
    #[error("{}:{line}: {why}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The database.
    #[error("{}: {}", path.display(), store_complaint(error))]
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite said: told above, so not a source that would be told again.
        error: sqlx::Error,
    },
    /// A store that can only be read.
    #[error("{}: nothing was written; {why}", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why.
        why: ReadOnly,
    },
    /// A row of the store that this program did not write.
    #[error("{}: a damaged row in {table}: {why}", path.display())]
    DamagedRow {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A table that cannot be read at all.
    #[error("{name}: {source}")]
    Table {
        /// The file's name.
        name: String,
        /// What is wrong.
        source: TableError,
    },
    /// No such template.
    #[error("no template {0}: `logwright import templates` brings them in")]
    NoTemplate(String),
    /// Several templates by that id.
    #[error("several datasets have a template {0}: name it as DATASET/ID")]
    AmbiguousTemplate(String),
    /// An item that reads otherwise than what somebody decides, or is judged by another label.
    #[error(
        "{kind} {id} is not what was judged: its text or its label has changed since, and nothing was written; look at it \
         again (`logwright review show {id}`)"
    )]
    ShownOtherwise {
        /// rationale, pair or thought.
        kind: String,
        /// Its id.
        id: String,
    },
    /// No such item to review.
    #[error("no {kind} {id}: `logwright review list` shows them")]
    NoItem {
        /// rationale, pair, thought or item.
        kind: String,
        /// The id given.
        id: String,
    },
    /// No such kept trace.
    #[error("no trace {0}: `logwright export traces` lists those that were kept")]
    NoTrace(String),
    /// A value that may not be.
    #[error("{0}")]
    Invalid(String),
    /// A log format that is not known, or cannot be used: wrong usage, or wrong settings.
    #[error("{0}")]
    LogFormat(String),
    /// A patch that cannot be used.
    #[error(transparent)]
    Patch(#[from] PatchError),
}

impl WorkspaceError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// SQLite's messages, with what to do about the common ones.
fn store_complaint(error: &sqlx::Error) -> String {
    let text = match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    };
    let advice = if text.contains("readonly") || text.contains("unable to open") {
        " (is the folder writable?)"
    } else if text.contains("locked") {
        " (another program holds it; try again)"
    } else if text.contains("malformed") || text.contains("not a database") {
        " (the file is damaged: `logwright dump FILE` saves what can be read; else restore a copy)"
    } else if text.contains("full") || text.contains("disk I/O error") {
        " (is the disk full? free some space and try again; nothing acknowledged is lost)"
    } else {
        ""
    };
    format!("{text}{advice}")
}
