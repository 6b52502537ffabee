//! Opening the store: for writing where that can be, else for reading, saying why.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

/// How long a write waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// A file up to this size is looked through whole when it is opened; that takes a few milliseconds. Damage in a larger one
/// is told when it is met.
const CHECKED_BYTES: u64 = 64 << 20;

/// Pages kept in memory, as SQLite has it: negative means KiB. Rows go in by the order of their hashes, so that a large
/// import touches pages everywhere.
const CACHE_SIZE: &str = "-65536";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/workspace/migrations");

/// Why a store is open for reading alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadOnly {
    /// The file or its folder cannot be written.
    NotWritable,
    /// The file is damaged; what SQLite says of it.
    Damaged(String),
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWritable => f.write_str("it cannot be written, so it is open for reading only"),
            Self::Damaged(what) => write!(
                f,
                "it is damaged ({what}), so it is open for reading only: `logwright dump FILE` saves what can be read, and \
                 `logwright merge FILE` in a new project brings it back"
            ),
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).pragma("cache_size", CACHE_SIZE)
}

/// Opens the store at `path`, creating it or bringing it up to date as needed.
pub(super) async fn open(path: &Path) -> Result<(SqliteConnection, Option<ReadOnly>), sqlx::Error> {
    let why = match open_for_writing(path).await {
        Ok(mut connection) => match damage(&mut connection, path).await? {
            None => return Ok((connection, None)),
            Some(what) => {
                connection.close().await?;
                ReadOnly::Damaged(what)
            }
        },
        Err(error) if path.is_file() => match code(&error) {
            Some(READONLY | CANTOPEN | PERM) => ReadOnly::NotWritable,
            Some(CORRUPT) => ReadOnly::Damaged(error.to_string()),
            _ => return Err(error),
        },
        Err(error) => return Err(error),
    };
    Ok((open_for_reading(path).await?, Some(why)))
}

async fn open_for_writing(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A vote that was acknowledged survives a power cut, not only a killed process.
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    MIGRATIONS.run(&mut connection).await?;
    Ok(connection)
}

async fn open_for_reading(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path).read_only(true);
    let plain = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        // The first read is what needs the log beside the file.
        sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").fetch_optional(&mut connection).await?;
        Ok::<_, sqlx::Error>(connection)
    };
    match plain.await {
        Ok(connection) => Ok(connection),
        // Where the log's index cannot be made, the file is read as it is.
        Err(_) => SqliteConnection::connect_with(&options.immutable(true)).await,
    }
}

/// What is wrong with the file, if SQLite sees it.
async fn damage(connection: &mut SqliteConnection, path: &Path) -> Result<Option<String>, sqlx::Error> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_BYTES) {
        return Ok(None);
    }
    match sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(connection).await {
        Ok(verdict) if verdict == "ok" => Ok(None),
        Ok(verdict) => Ok(Some(verdict.split('\n').next_back().unwrap_or_default().to_owned())),
        Err(error) if code(&error) == Some(CORRUPT) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

// SQLite's primary result codes.
const PERM: i32 = 3;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const CANTOPEN: i32 = 14;

/// The primary result code of an error of SQLite's.
fn code(error: &sqlx::Error) -> Option<i32> {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Migrate(error) => match &**error {
            sqlx::migrate::MigrateError::Execute(sqlx::Error::Database(database)) => database,
            sqlx::migrate::MigrateError::ExecuteMigration(sqlx::Error::Database(database), _) => database,
            _ => return None,
        },
        _ => return None,
    };
    // The extended code holds the primary one in its low byte.
    database.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
