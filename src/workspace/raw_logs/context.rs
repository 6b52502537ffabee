//! Where a template occurs, and the lines around it, read from the log itself.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chunk::{self, Damaged, Record};
use super::reader::{LineReader, LogFile};
use super::sources::{Source, Stamp};
use super::{counted, stored};
use crate::logs::TemplateKey;
use crate::logs::format::LineFormat;
use crate::workspace::{Workspace, WorkspaceError};

/// Lines of the same node are looked for among so many lines before and behind.
const SEARCHED: usize = 20_000;

/// So many bytes of lines wait until the occurrence has come.
const MOST_HELD: usize = 16 << 20;

/// So many lines around an occurrence are shown at most, on either side.
const MOST_AROUND: usize = 1_000;

/// An occurrence of a template and the lines around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OccurrenceContext {
    /// The log file.
    pub source: PathBuf,
    /// Which occurrence this is, from 0.
    pub occurrence: u64,
    /// How many there are.
    pub occurrences: u64,
    /// The lines, in order; one of them is the occurrence.
    pub lines: Vec<ContextLine>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContextLine {
    /// Its number in the file, from 1.
    pub number: u64,
    /// The line without its alert tag, otherwise raw; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Whether it is the occurrence itself.
    pub is_occurrence: bool,
}

/// A line's place in its file.
struct Place {
    chunk: i64,
    source: i64,
    line: u64,
    offset: u64,
}

impl Workspace {
    /// How often a template occurs in the raw logs that were imported; 0 where there are none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn occurrences(&self, template: &TemplateKey) -> Result<u64, WorkspaceError> {
        let Some(cluster) = self.log_cluster_of(template)? else { return Ok(0) };
        let damaged = |error: Damaged| self.store.damaged("log_chunks", error);
        let mut sum = 0;
        for coded in self.log_counts(&template.dataset)? {
            sum += lines_of(&coded, cluster).map_err(damaged)?;
        }
        Ok(sum)
    }

    /// An occurrence of a template, counted from 0, with up to `around` lines before and behind it: of the same node, if
    /// `same_node` is set and the format tells nodes. `None` if there is no such occurrence.
    ///
    /// From a compressed file everything before has to be unpacked first.
    ///
    /// # Errors
    /// When the store cannot be read, or the log file is missing or no longer what was imported.
    pub fn occurrence_context(
        &self,
        template: &TemplateKey,
        occurrence: u64,
        around: usize,
        same_node: bool,
    ) -> Result<Option<OccurrenceContext>, WorkspaceError> {
        let occurrences = self.occurrences(template)?;
        let Some(place) = self.log_place(template, occurrence)? else { return Ok(None) };
        let sources = self.log_sources(&template.dataset)?;
        let source = sources
            .into_iter()
            .find(|source| source.id == place.source)
            .ok_or_else(|| self.store.damaged("log_chunks", "its file is not there"))?;
        let format = LineFormat::new(&source.header).map_err(|error| self.store.damaged("log_sources", error))?;
        let around = around.min(MOST_AROUND);
        let same_node = same_node && format.has_nodes();
        let before = if same_node { SEARCHED } else { around };
        let (first_line, start) = self.log_start(&place, before)?;
        self.check_unchanged(&source, place.chunk)?;
        let window = Window { format: &format, first_line, wanted: place.line, around, same_node };
        let lines = window.read(&source.path, start).map_err(|error| gone(&source.path, &error))?;
        Ok(Some(OccurrenceContext { source: source.path, occurrence, occurrences, lines }))
    }

    /// The cluster behind a template, if it came from raw logs.
    fn log_cluster_of(&self, template: &TemplateKey) -> Result<Option<u32>, WorkspaceError> {
        let TemplateKey { dataset, id } = template.clone();
        self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT number FROM log_clusters WHERE dataset = ? AND id = ?")
                    .bind(dataset)
                    .bind(id)
                    .fetch_optional(connection)
                    .await
            })
        })
    }

    /// Where an occurrence stands.
    fn log_place(&self, template: &TemplateKey, occurrence: u64) -> Result<Option<Place>, WorkspaceError> {
        let damaged = |error: Damaged| self.store.damaged("log_chunks", error);
        let Some(cluster) = self.log_cluster_of(template)? else { return Ok(None) };
        let dataset = template.dataset.clone();
        let chunks: Vec<(i64, Vec<u8>)> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as(
                    "SELECT id, counts FROM log_chunks
                     WHERE source IN (SELECT id FROM log_sources WHERE dataset = ?) ORDER BY id",
                )
                .bind(dataset)
                .fetch_all(connection)
                .await
            })
        })?;
        let mut left = occurrence;
        for (chunk, coded) in chunks {
            let here = lines_of(&coded, cluster).map_err(damaged)?;
            if left < here {
                let (source, first_line, start, records) = self.log_chunk(chunk)?;
                let mut offset = start;
                for (line, record) in (first_line..).zip(records) {
                    if record.cluster == Some(cluster) {
                        if left == 0 {
                            return Ok(Some(Place { chunk, source, line, offset }));
                        }
                        left -= 1;
                    }
                    offset += record.length;
                }
                return Err(damaged(Damaged));
            }
            left -= here;
        }
        Ok(None)
    }

    /// A chunk: its source, first line, offset and records.
    fn log_chunk(&self, chunk: i64) -> Result<(i64, u64, u64, Vec<Record>), WorkspaceError> {
        let (source, first_line, start, records): (i64, i64, i64, Vec<u8>) = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as("SELECT source, first_line, start, records FROM log_chunks WHERE id = ?")
                    .bind(chunk)
                    .fetch_one(connection)
                    .await
            })
        })?;
        let records = chunk::records(&records).map_err(|error| self.store.damaged("log_chunks", error))?;
        Ok((source, counted(first_line), counted(start), records))
    }

    /// The line that stands `before` lines before a place, or the file's first, and its offset.
    fn log_start(&self, place: &Place, before: usize) -> Result<(u64, u64), WorkspaceError> {
        let wanted = place.line.saturating_sub(before as u64).max(1);
        let source = place.source;
        // Chunks of a file are in the order of its lines.
        let chunk: Option<i64> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "SELECT id FROM log_chunks WHERE source = ? AND first_line <= ? ORDER BY id DESC LIMIT 1",
                )
                .bind(source)
                .bind(stored(wanted))
                .fetch_optional(connection)
                .await
            })
        })?;
        let Some(chunk) = chunk else { return Ok((place.line, place.offset)) };
        let (_, first_line, start, records) = self.log_chunk(chunk)?;
        let skipped = usize::try_from(wanted - first_line).unwrap_or(usize::MAX);
        Ok((wanted, start + records.iter().take(skipped).map(|record| record.length).sum::<u64>()))
    }

    /// Makes sure that a chunk still stands in its file as it was read.
    fn check_unchanged(&self, source: &Source, chunk: i64) -> Result<(), WorkspaceError> {
        let stamp = Stamp::of(&source.path).map_err(|error| match error {
            WorkspaceError::Io { source: error, .. } => gone(&source.path, &error),
            other => other,
        })?;
        if stamp == source.stamp {
            return Ok(());
        }
        let (start, end, crc): (i64, i64, i64) = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as("SELECT start, end, crc FROM log_chunks WHERE id = ?")
                    .bind(chunk)
                    .fetch_one(connection)
                    .await
            })
        })?;
        let mut file = LogFile::open(&source.path, counted(start))?;
        let found = file.crc(counted(end - start)).map_err(|error| gone(&source.path, &error))?;
        if found.map(i64::from) == Some(crc) {
            return Ok(());
        }
        Err(WorkspaceError::Invalid(format!(
            "{}: is no longer the log that was imported, so its lines cannot be shown: put the old file back",
            source.path.display()
        )))
    }
}

fn gone(path: &Path, error: &io::Error) -> WorkspaceError {
    WorkspaceError::Invalid(format!("{}: {error}: put the log back there to see its lines", path.display()))
}

/// How many lines a chunk has of a cluster.
fn lines_of(coded: &[u8], cluster: u32) -> Result<u64, Damaged> {
    let counts = chunk::counts(coded)?;
    let found = counts.binary_search_by_key(&cluster, |(number, _)| *number);
    Ok(found.map_or(0, |index| counts[index].1.lines))
}

/// Which lines of a file are wanted.
struct Window<'a> {
    format: &'a LineFormat,
    /// The line to start with.
    first_line: u64,
    /// The occurrence.
    wanted: u64,
    around: usize,
    same_node: bool,
}

impl Window<'_> {
    /// Reads the file from `start`, where the window's first line stands.
    fn read(&self, path: &Path, start: u64) -> io::Result<Vec<ContextLine>> {
        let file = LogFile::open(path, start).map_err(io::Error::other)?;
        let mut reader = LineReader::new(file);
        // Before the occurrence has come, it is not known which node counts: the newest lines of each wait.
        let mut before: VecDeque<(Option<Vec<u8>>, ContextLine)> = VecDeque::new();
        let mut lines: Vec<ContextLine> = Vec::new();
        let mut node = None;
        let mut behind = 0;
        let mut held = 0;
        let mut number = self.first_line;
        while let Some(line) = reader.next()? {
            let own = if self.same_node { self.format.read(line.bytes).and_then(|header| header.node) } else { None };
            let text = || String::from_utf8_lossy(&self.format.untagged(line.bytes)).into_owned();
            if number < self.wanted {
                let text = text();
                held += text.len();
                before.push_back((own.map(<[u8]>::to_vec), ContextLine { number, text, is_occurrence: false }));
                while held > MOST_HELD && before.len() > 1 {
                    held -= before.pop_front().map_or(0, |(_, line)| line.text.len());
                }
            } else if number == self.wanted {
                node = own.map(<[u8]>::to_vec);
                let mut same: Vec<ContextLine> = std::mem::take(&mut before)
                    .into_iter()
                    .rev()
                    .filter(|(other, _)| !self.same_node || *other == node)
                    .map(|(_, line)| line)
                    .take(self.around)
                    .collect();
                same.reverse();
                lines = same;
                lines.push(ContextLine { number, text: text(), is_occurrence: true });
            } else if !self.same_node || own == node.as_deref() {
                lines.push(ContextLine { number, text: text(), is_occurrence: false });
                behind += 1;
            }
            let searched = number.saturating_sub(self.wanted) >= SEARCHED as u64;
            if number >= self.wanted && (behind >= self.around || searched) {
                break;
            }
            number += 1;
        }
        if lines.is_empty() {
            return Err(io::Error::other("ends before the line"));
        }
        Ok(lines)
    }
}
