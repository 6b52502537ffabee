//! The files that a dataset's lines came from, and whether a file is still what it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::counted;
use super::reader::LogFile;
use crate::workspace::{Workspace, WorkspaceError};

/// A file, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub id: i64,
    /// Where it is, without links or relative parts.
    pub path: PathBuf,
    /// How lines begin.
    pub header: String,
    pub stamp: Stamp,
    pub lines: u64,
    pub bytes: u64,
    pub skipped: u64,
    pub first_skipped: Option<u64>,
    /// Whether the last line read had its line end.
    pub line_ended: bool,
    /// Whether the file ended behind it.
    pub complete: bool,
}

/// By what a file is taken for unchanged without a look inside: its size, and when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    pub fn of(path: &Path) -> Result<Self, WorkspaceError> {
        let metadata = fs::metadata(path).map_err(|error| WorkspaceError::io(path, error))?;
        // A system without such times: files are looked into.
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
        Ok(Self { size: metadata.len(), modified })
    }
}

/// A stretch of a file, and the CRC-32 of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub start: u64,
    pub end: u64,
    pub crc: u32,
}

/// What a file is to what was read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It begins with what was read.
    Same,
    /// It begins otherwise: another file by the same name.
    Other,
    /// It begins alike, but differs behind.
    Edited,
}

/// Compares a file's log with the stretches that were read from it.
pub(super) fn compare(path: &Path, stretches: &[Stretch]) -> Result<Likeness, WorkspaceError> {
    let mut file = LogFile::open(path, 0)?;
    let mut at = 0;
    for (index, stretch) in stretches.iter().enumerate() {
        let read = file.skip(stretch.start.saturating_sub(at)).and_then(|_| file.crc(stretch.end - stretch.start));
        if read.map_err(|error| WorkspaceError::io(path, error))? != Some(stretch.crc) {
            return Ok(if index == 0 { Likeness::Other } else { Likeness::Edited });
        }
        at = stretch.end;
    }
    Ok(Likeness::Same)
}

impl Workspace {
    /// The files of a dataset, in the order in which they came.
    pub(super) fn log_sources(&self, dataset: &str) -> Result<Vec<Source>, WorkspaceError> {
        let dataset = dataset.to_owned();
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query("SELECT * FROM log_sources WHERE dataset = ? ORDER BY id")
                    .bind(dataset)
                    .fetch_all(connection)
                    .await
            })
        })?;
        rows.iter().map(source_of).collect::<Result<_, _>>().map_err(|error| self.store.failed(error))
    }

    /// What was read from a file, stretch by stretch.
    pub(super) fn log_stretches(&self, source: i64) -> Result<Vec<Stretch>, WorkspaceError> {
        let rows: Vec<(i64, i64, i64)> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as("SELECT start, end, crc FROM log_chunks WHERE source = ? ORDER BY id")
                    .bind(source)
                    .fetch_all(connection)
                    .await
            })
        })?;
        let stretch = |(start, end, crc)| Stretch {
            start: counted(start),
            end: counted(end).max(counted(start)),
            crc: counted(crc) as u32,
        };
        Ok(rows.into_iter().map(stretch).collect())
    }
}

fn source_of(row: &SqliteRow) -> Result<Source, sqlx::Error> {
    let number = |column| row.try_get::<i64, _>(column).map(counted);
    Ok(Source {
        id: row.try_get("id")?,
        path: PathBuf::from(row.try_get::<String, _>("path")?),
        header: row.try_get("header")?,
        stamp: Stamp { size: number("size")?, modified: row.try_get("modified")? },
        lines: number("lines")?,
        bytes: number("bytes")?,
        skipped: number("skipped")?,
        first_skipped: row.try_get::<Option<i64>, _>("first_skipped")?.map(counted),
        line_ended: number("line_ended")? != 0,
        complete: number("complete")? != 0,
    })
}
