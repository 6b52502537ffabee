//! `import logs`: files become templates, and every line an occurrence of one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::chunk::{ChunkBuilder, Record};
use super::format::LogFormat;
use super::publish::publish;
use super::reader::{LineReader, LogFile, RawLine};
use super::rows::NewChunk;
use super::sources::{Likeness, Source, Stamp, compare};
use super::state::DatasetState;
use super::stored;
use crate::logs::{DrainLimits, MaskBuffers};
use crate::workspace::{Workspace, WorkspaceError};

/// What is committed together: so many lines, or bytes of log, whichever comes first.
const CHUNK_LINES: u64 = 1 << 18;
const CHUNK_BYTES: u64 = 32 << 20;

/// After so many lines it is told how far the import is, and asked whether it shall stop.
const LINES_BETWEEN_LOOKS: u64 = 1 << 12;

/// Of an alert tag, only so many bytes count.
const LONGEST_TAG: usize = 64;

/// What to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogImport {
    /// The log files: plain, gzip or zstd.
    pub files: Vec<PathBuf>,
    /// A format's name, or how lines begin: `<Date> <Time> <Level> <Content>`.
    pub format: String,
    /// The dataset; otherwise the format's name, or the first file's for a format without one.
    pub dataset: Option<String>,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq)]
pub struct LogProgress {
    /// The file that is being read.
    pub file: PathBuf,
    /// How many of its bytes have been read, and how many there are (compressed, if it is).
    pub position: u64,
    /// See `position`.
    pub size: u64,
    /// Lines read by this import so far.
    pub lines: u64,
    /// Templates found in the dataset so far.
    pub templates: u64,
    /// Seconds since the import started.
    pub seconds: f64,
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogImportReport {
    /// Lines read by this import: those that an earlier one had read are not among them.
    pub lines: u64,
    /// Templates that the dataset has now.
    pub templates: u64,
    /// How many of the lines are not of the format, or have no message. They belong to no template.
    pub skipped: u64,
    /// How long it took.
    pub seconds: f64,
    /// Lines for each second.
    pub lines_per_second: f64,
    /// The dataset.
    pub dataset: String,
    /// The first skipped line of this import, as `FILE:LINE`.
    pub first_skipped: Option<String>,
    /// Lines so long that only their first 64 KiB were looked at.
    pub cut: u64,
    /// Lines of the dataset that fitted no template when there were already as many as may be.
    pub gathered: u64,
    /// Files without anything new.
    pub unchanged: u64,
    /// Whether it was asked to stop before the end. The next import goes on from there.
    pub stopped: bool,
}

impl Workspace {
    /// Imports log files. What was imported before is not imported again: a file that has grown goes on at its end, and
    /// an import that was stopped or killed goes on where it was.
    ///
    /// # Errors
    /// When the format is unknown, a file cannot be read or is no longer what was imported, or the store cannot be
    /// written. What was read until then is kept.
    pub fn import_logs(
        &self,
        options: &LogImport,
        progress: &mut dyn FnMut(LogProgress),
        stop: &dyn Fn() -> bool,
    ) -> Result<LogImportReport, WorkspaceError> {
        let started = Instant::now();
        let format = self.log_format(&options.format)?;
        // A file that cannot be opened is told before an hour is spent on another.
        let files: Vec<(PathBuf, &Path)> = options
            .files
            .iter()
            .map(|given| {
                let path = fs::canonicalize(given).map_err(|error| WorkspaceError::io(given, error))?;
                LogFile::open(&path, 0)?;
                Ok((path, given.as_path()))
            })
            .collect::<Result<_, WorkspaceError>>()?;
        let dataset = match (&options.dataset, &format.name, files.first()) {
            (Some(dataset), _, _) if !dataset.trim().is_empty() => dataset.trim().to_owned(),
            (_, Some(name), _) => name.clone(),
            (_, None, Some((path, _))) => stem(path),
            (_, None, None) => return Err(WorkspaceError::Invalid("no log file is named".into())),
        };
        let limits = DrainLimits { clusters: self.settings().logs.max_templates, ..DrainLimits::default() };
        let mut import = Importing {
            state: DatasetState::load(self, &dataset, &format.recipe, limits)?,
            workspace: self,
            format,
            progress,
            stop,
            started,
            buffers: MaskBuffers::default(),
            chunk: ChunkBuilder::default(),
            report: LogImportReport {
                lines: 0,
                templates: 0,
                skipped: 0,
                seconds: 0.0,
                lines_per_second: 0.0,
                dataset,
                first_skipped: None,
                cut: 0,
                gathered: 0,
                unchanged: 0,
                stopped: false,
            },
        };
        let mut read = Ok(());
        for (path, given) in &files {
            read = import.file(path, given);
            if read.is_err() || import.report.stopped {
                break;
            }
        }
        // What was read before an error counts.
        let published = publish(self, &import.state, import.format.line.has_tags())?;
        read?;
        let mut report = import.report;
        report.templates = published.templates;
        report.gathered = published.gathered;
        report.seconds = started.elapsed().as_secs_f64();
        report.lines_per_second = if report.lines > 0 { report.lines as f64 / report.seconds.max(1e-9) } else { 0.0 };
        Ok(report)
    }

    /// Makes a file known.
    fn new_log_source(&self, dataset: &str, path: &Path, given: &Path, header: &str) -> Result<Source, WorkspaceError> {
        let compression = LogFile::open(path, 0)?.compression.as_str();
        let name = path.to_str().ok_or_else(|| {
            WorkspaceError::Invalid(format!("{}: the name is not UTF-8: rename the file", path.display()))
        })?;
        let stamp = Stamp::of(path)?;
        let (dataset, name) = (dataset.to_owned(), name.to_owned());
        let (given, header) = (given.to_string_lossy().into_owned(), header.to_owned());
        let stored_header = header.clone();
        let id = self.store.write(move |write, _| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "INSERT INTO log_sources (dataset, path, given, header, compression, size, modified)
                     VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                )
                .bind(dataset)
                .bind(name)
                .bind(given)
                .bind(stored_header)
                .bind(compression)
                .bind(stored(stamp.size))
                .bind(stamp.modified)
                .fetch_one(&mut **write)
                .await
            })
        })?;
        Ok(Source {
            id,
            path: path.to_owned(),
            header,
            stamp,
            lines: 0,
            bytes: 0,
            skipped: 0,
            first_skipped: None,
            line_ended: true,
            complete: false,
        })
    }

    /// Notes that a file has nothing new, as it is at its stamp.
    fn finish_log_source(&self, source: &Source) -> Result<(), WorkspaceError> {
        let (id, bytes, line_ended, stamp) = (source.id, stored(source.bytes), source.line_ended, source.stamp);
        self.store.write(move |write, _| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE log_sources SET size = ?, modified = ?, bytes = ?, line_ended = ?, complete = 1 WHERE id = ?",
                )
                .bind(stored(stamp.size))
                .bind(stamp.modified)
                .bind(bytes)
                .bind(line_ended)
                .bind(id)
                .execute(&mut **write)
                .await
                .map(drop)
            })
        })
    }
}

/// A file's name without the endings that tell how it is compressed and written.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if stem.is_empty() { "log".into() } else { stem }
}

/// An import at work.
struct Importing<'a> {
    workspace: &'a Workspace,
    format: LogFormat,
    state: DatasetState,
    progress: &'a mut dyn FnMut(LogProgress),
    stop: &'a dyn Fn() -> bool,
    started: Instant,
    buffers: MaskBuffers,
    chunk: ChunkBuilder,
    report: LogImportReport,
}

impl Importing<'_> {
    /// Reads what is new in a file.
    fn file(&mut self, path: &Path, given: &Path) -> Result<(), WorkspaceError> {
        let stamp = Stamp::of(path)?;
        let Some(mut source) = self.source(path, given, stamp)? else {
            self.report.unchanged += 1;
            return Ok(());
        };
        source.complete = false;
        let mut lines = LineReader::new(LogFile::open(path, source.bytes)?);
        if !source.line_ended {
            // What follows a line that had no end yet belongs to it; it was read as it was.
            if let Some(rest) = lines.next().map_err(|error| WorkspaceError::io(path, error))? {
                source.bytes += rest.length;
                source.line_ended = rest.ended;
                lines.take_crc();
            }
        }
        let before = self.report.lines;
        let read = self.lines(&mut source, &mut lines, path, stamp);
        let read = match read {
            Err(ReadError::Store(error)) => return Err(error),
            Err(ReadError::File(error)) => Err(WorkspaceError::Invalid(format!(
                "{}: {error} behind line {}: the lines before are imported; mend the file and import it again",
                path.display(),
                source.lines
            ))),
            Ok(()) => Ok(()),
        };
        if read.is_ok() && !self.report.stopped {
            (source.stamp, source.complete) = (stamp, true);
        }
        let committed = self.commit(&mut source, &mut lines)?;
        read?;
        if source.complete {
            if !committed {
                self.workspace.finish_log_source(&source)?;
            }
            self.report.unchanged += u64::from(self.report.lines == before);
        }
        Ok(())
    }

    /// What is known of a file, unless it has nothing new for certain.
    fn source(&self, path: &Path, given: &Path, stamp: Stamp) -> Result<Option<Source>, WorkspaceError> {
        let dataset = &self.state.dataset;
        let header = self.format.line.header();
        let known = self.workspace.log_sources(dataset)?.into_iter().rev().find(|source| source.path == path);
        let Some(known) = known else { return self.workspace.new_log_source(dataset, path, given, header).map(Some) };
        let file = path.display();
        if known.stamp == stamp {
            if known.header != header {
                return Err(WorkspaceError::Invalid(format!(
                    "{file}: was imported with the format '{}': name another --dataset to import it with this one",
                    known.header
                )));
            }
            return Ok((!known.complete).then_some(known));
        }
        match compare(path, &self.workspace.log_stretches(known.id)?)? {
            Likeness::Same if known.header == header => Ok(Some(known)),
            Likeness::Same => Err(WorkspaceError::Invalid(format!(
                "{file}: was imported with the format '{}': go on with that, or name another --dataset",
                known.header
            ))),
            // A new log by the old one's name.
            Likeness::Other => self.workspace.new_log_source(dataset, path, given, header).map(Some),
            Likeness::Edited => Err(WorkspaceError::Invalid(format!(
                "{file}: begins as it did when it was imported, but lines behind are others now: put the old file \
                 back, or import this one under another name or --dataset"
            ))),
        }
    }

    fn lines(
        &mut self,
        source: &mut Source,
        lines: &mut LineReader<LogFile>,
        path: &Path,
        stamp: Stamp,
    ) -> Result<(), ReadError> {
        let mut start = source.bytes;
        loop {
            let Some(line) = lines.next().map_err(ReadError::File)? else { return Ok(()) };
            self.line(source, line);
            let read = self.report.lines;
            if self.chunk.lines() >= CHUNK_LINES || source.bytes - start >= CHUNK_BYTES {
                self.commit(source, lines).map_err(ReadError::Store)?;
                start = source.bytes;
            }
            if read.is_multiple_of(LINES_BETWEEN_LOOKS) {
                (self.progress)(LogProgress {
                    file: path.to_owned(),
                    position: lines.input().position(),
                    size: stamp.size,
                    lines: read,
                    templates: self.state.drain.len() as u64,
                    seconds: self.started.elapsed().as_secs_f64(),
                });
                if (self.stop)() {
                    self.report.stopped = true;
                    return Ok(());
                }
            }
        }
    }

    fn line(&mut self, source: &mut Source, line: RawLine<'_>) {
        source.lines += 1;
        source.bytes += line.length;
        source.line_ended = line.ended;
        self.report.lines += 1;
        self.report.cut += u64::from(line.cut);
        let format = &self.format.line;
        let mut record = Record { cluster: None, length: line.length, tag: None };
        if let Some(header) = format.read(line.bytes) {
            let message = self.format.masks.apply(header.content, &mut self.buffers);
            let shown = || String::from_utf8_lossy(&format.untagged(line.bytes)).into_owned();
            record.cluster = Some(self.state.add(message, shown));
            record.tag = header.alert().map(|tag| self.state.tag(&tag[..tag.len().min(LONGEST_TAG)]));
        } else {
            source.skipped += 1;
            source.first_skipped.get_or_insert(source.lines);
            self.report.skipped += 1;
            if self.report.first_skipped.is_none() {
                self.report.first_skipped = Some(format!("{}:{}", source.path.display(), source.lines));
            }
        }
        self.chunk.push(record);
    }

    /// Puts the lines since the last commit in the store; says whether there were any.
    fn commit(&mut self, source: &mut Source, lines: &mut LineReader<LogFile>) -> Result<bool, WorkspaceError> {
        let count = self.chunk.lines();
        let crc = lines.take_crc();
        if count == 0 {
            return Ok(false);
        }
        let taken = self.chunk.take().map_err(|error| WorkspaceError::io(&source.path, error))?;
        let chunk = NewChunk {
            source: source.clone(),
            first_line: source.lines - count + 1,
            lines: count,
            start: source.bytes - taken.bytes,
            end: source.bytes,
            crc,
            records: taken.records,
            counts: taken.coded_counts,
        };
        self.state.commit(self.workspace, chunk)?;
        self.state.count(taken.counts);
        Ok(true)
    }
}

/// Why reading ended early.
enum ReadError {
    File(std::io::Error),
    Store(WorkspaceError),
}
