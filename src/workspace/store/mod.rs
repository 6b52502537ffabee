//! The store: one SQLite file, only ever appended to.

mod open;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use open::ReadOnly;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Transaction};
use tokio::runtime::Runtime;

use super::WorkspaceError;

/// The tables of what people said and brought in, in the order in which they are told.
pub(super) const TABLES: [&str; 16] = [
    "templates",
    "votes",
    "rulings",
    "comments",
    "flags",
    "rounds",
    "items",
    "reviews",
    "marks",
    "suggestions",
    "traces",
    "contests",
    "completions",
    "tasks",
    "sendings",
    "settlements",
];

/// A transaction that writes.
pub(super) type Write<'c> = Transaction<'c, sqlx::Sqlite>;

/// The store's connection. Calls block, one at a time; processes are kept apart by SQLite.
pub(super) struct Store {
    path: PathBuf,
    runtime: Runtime,
    read_only: Option<ReadOnly>,
    /// `None` only while it is being dropped.
    connection: Mutex<Option<SqliteConnection>>,
}

impl Store {
    /// Opens the store at `path`, creating it or bringing it up to date as needed; for reading alone where it cannot be
    /// written or is damaged.
    pub fn create(path: &Path) -> Result<Self, WorkspaceError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| WorkspaceError::io(path, error))?;
        let opened = runtime.block_on(open::open(path));
        let (connection, read_only) = opened.map_err(|error| WorkspaceError::Store { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), runtime, read_only, connection: Mutex::new(Some(connection)) })
    }

    /// Why the store is open for reading alone, if it is.
    pub fn read_only(&self) -> Option<&ReadOnly> {
        self.read_only.as_ref()
    }

    fn refuse_if_read_only(&self) -> Result<(), WorkspaceError> {
        match &self.read_only {
            None => Ok(()),
            Some(why) => Err(WorkspaceError::ReadOnly { path: self.path.clone(), why: why.clone() }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        // A panic in another thread leaves the connection usable: its transaction rolls back when it is dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    pub fn read<T>(
        &self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, sqlx::Error>>,
    ) -> Result<T, WorkspaceError> {
        let mut guard = self.lock();
        let connection = guard.as_mut().expect("open until dropped");
        self.runtime.block_on(work(connection)).map_err(|error| self.failed(error))
    }

    /// Writes, all or nothing: what `work` did is on disk when this returns `Ok`.
    ///
    /// `work` gets a time for its first row that is later than every row's in the store; it may use the ones after it.
    pub fn write<T>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Write<'_>, At) -> BoxFuture<'t, Result<T, sqlx::Error>>,
    ) -> Result<T, WorkspaceError> {
        self.refuse_if_read_only()?;
        let mut guard = self.lock();
        let connection = guard.as_mut().expect("open until dropped");
        let done = self.runtime.block_on(async {
            // The write lock first: a transaction that reads before it writes can lose the race to another process.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let at = next_at(&mut transaction).await?;
            let value = work(&mut transaction, at).await?;
            transaction.commit().await?;
            Ok(value)
        });
        done.map_err(|error| self.failed(error))
    }

    /// Writes, all or nothing, with the database in `file` attached as `other`, which is only read. Nothing is written
    /// where `work` refuses.
    pub fn with_attached<T, R>(
        &self,
        file: &Path,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<Result<T, R>, sqlx::Error>>,
    ) -> Result<Result<T, R>, WorkspaceError> {
        self.refuse_if_read_only()?;
        let mut guard = self.lock();
        let connection = guard.as_mut().expect("open until dropped");
        let done = self.runtime.block_on(async {
            // As a URI: `mode=ro` keeps SQLite from writing to the other copy, even its schema.
            sqlx::query("ATTACH DATABASE ? AS other").bind(read_only_uri(file)).execute(&mut *connection).await?;
            let done = async {
                let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                let done = work(&mut transaction).await?;
                if done.is_ok() {
                    transaction.commit().await?;
                } else {
                    transaction.rollback().await?;
                }
                Ok(done)
            };
            let done: Result<_, sqlx::Error> = done.await;
            sqlx::query("DETACH DATABASE other").execute(&mut *connection).await?;
            done
        });
        done.map_err(|error| WorkspaceError::Store { path: file.to_owned(), error })
    }

    pub fn failed(&self, error: sqlx::Error) -> WorkspaceError {
        WorkspaceError::Store { path: self.path.clone(), error }
    }

    pub fn damaged(&self, table: &'static str, why: impl ToString) -> WorkspaceError {
        WorkspaceError::DamagedRow { path: self.path.clone(), table, why: why.to_string() }
    }
}

impl Drop for Store {
    /// Closes the file before the folder can be moved or removed: a dropped connection would close by itself, but later.
    fn drop(&mut self) {
        let connection = self.lock().take();
        if let Some(connection) = connection {
            // Nothing is left to save: every write was committed.
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

/// A file as SQLite's URI for reading alone.
fn read_only_uri(file: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in file.to_string_lossy().bytes() {
        match byte {
            b'%' | b'?' | b'#' | 0x80.. => uri.push_str(&format!("%{byte:02x}")),
            _ => uri.push(char::from(byte)),
        }
    }
    uri + "?mode=ro"
}

/// When a row was written, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(pub i64);

impl At {
    /// The time of the row `rows` after this one in the same write.
    pub fn after(self, rows: usize) -> Self {
        Self(self.0 + rows as i64)
    }

    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl From<Timestamp> for At {
    fn from(time: Timestamp) -> Self {
        Self(time.as_microsecond())
    }
}

/// Now, or just after the newest row where the clock has gone back.
async fn next_at(transaction: &mut Write<'_>) -> Result<At, sqlx::Error> {
    let newest: i64 = sqlx::query_scalar(
        "SELECT max(coalesce((SELECT max(at) FROM votes), 0), coalesce((SELECT max(at) FROM rulings), 0),
                    coalesce((SELECT max(at) FROM reviews), 0), coalesce((SELECT max(at) FROM items), 0),
                    coalesce((SELECT max(at) FROM templates), 0), coalesce((SELECT max(at) FROM rounds), 0),
                    coalesce((SELECT max(at) FROM comments), 0), coalesce((SELECT max(at) FROM flags), 0),
                    coalesce((SELECT max(at) FROM suggestions), 0), coalesce((SELECT max(at) FROM traces), 0),
                    coalesce((SELECT max(at) FROM contests), 0), coalesce((SELECT max(at) FROM marks), 0),
                    coalesce((SELECT max(at) FROM completions), 0), coalesce((SELECT max(at) FROM tasks), 0),
                    coalesce((SELECT max(at) FROM sendings), 0), coalesce((SELECT max(at) FROM settlements), 0))",
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(At(Timestamp::now().as_microsecond().max(newest + 1)))
}

/// A row's `uid`: SHA-256 of its content as JSON.
pub(super) fn uid(table: &str, content: &impl Serialize) -> String {
    let content = serde_json::to_vec(&(table, content)).expect("rows are plain data");
    Sha256::digest(content).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
