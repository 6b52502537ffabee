//! `export structured`: which line is of which template, as a table for scoring.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chunk;
use super::sources::Source;
use crate::workspace::files::write_whole_with;
use crate::workspace::{Workspace, WorkspaceError};

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StructuredExport {
    /// The log file whose lines they are.
    pub source: PathBuf,
    /// Its dataset.
    pub dataset: String,
    /// Lines in the table.
    pub lines: u64,
    /// Lines left out because they are of no template.
    pub skipped: u64,
}

impl Workspace {
    /// Writes `LineId,EventId,EventTemplate` for every line of a log file that is of a template. `LineId` is the line's
    /// number in the file, from 1; `EventId` is the template's id. Without a `dataset` or `log` there must be one only.
    ///
    /// # Errors
    /// When it is not clear which log is meant, the store cannot be read, or `path` cannot be written.
    pub fn export_structured(
        &self,
        path: &Path,
        dataset: Option<&str>,
        log: Option<&Path>,
    ) -> Result<StructuredExport, WorkspaceError> {
        let (dataset, source) = self.log_to_export(dataset, log)?;
        let clusters = self.log_clusters(&dataset)?;
        let events: Vec<(String, String)> = clusters
            .into_iter()
            .map(|(id, saved)| (id, String::from_utf8_lossy(&saved.template).into_owned()))
            .collect();
        let chunks: Vec<i64> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT id FROM log_chunks WHERE source = ? ORDER BY id")
                    .bind(source.id)
                    .fetch_all(connection)
                    .await
            })
        })?;
        let mut export = StructuredExport { source: source.path, dataset, lines: 0, skipped: 0 };
        let failed = |error: csv::Error| WorkspaceError::Invalid(format!("{}: {error}", path.display()));
        write_whole_with(path, |file| {
            let mut table = csv::Writer::from_writer(file);
            table.write_record(["LineId", "EventId", "EventTemplate"]).map_err(failed)?;
            for chunk in chunks {
                let (first_line, records): (i64, Vec<u8>) = self.store.read(|connection| {
                    Box::pin(async move {
                        sqlx::query_as("SELECT first_line, records FROM log_chunks WHERE id = ?")
                            .bind(chunk)
                            .fetch_one(connection)
                            .await
                    })
                })?;
                let records = chunk::records(&records).map_err(|error| self.store.damaged("log_chunks", error))?;
                for (line, record) in (first_line..).zip(records) {
                    let Some(cluster) = record.cluster else {
                        export.skipped += 1;
                        continue;
                    };
                    let (id, text) = events
                        .get(cluster as usize)
                        .ok_or_else(|| self.store.damaged("log_chunks", "a line of no template"))?;
                    table.write_record([line.to_string().as_str(), id, text]).map_err(failed)?;
                    export.lines += 1;
                }
            }
            table.flush().map_err(|error| WorkspaceError::io(path, error))
        })?;
        Ok(export)
    }

    /// The one log that is meant.
    fn log_to_export(&self, dataset: Option<&str>, log: Option<&Path>) -> Result<(String, Source), WorkspaceError> {
        let datasets: Vec<String> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT dataset FROM log_datasets ORDER BY dataset").fetch_all(connection).await
            })
        })?;
        let log = log.map(|log| log.canonicalize().unwrap_or_else(|_| log.to_owned()));
        let mut found = Vec::new();
        for name in datasets.iter().filter(|name| dataset.is_none_or(|dataset| dataset == *name)) {
            for source in self.log_sources(name)? {
                if log.as_ref().is_none_or(|log| *log == source.path) {
                    found.push((name.clone(), source));
                }
            }
        }
        match (found.len(), dataset, &log) {
            (1, ..) => Ok(found.remove(0)),
            (0, None, None) => {
                Err(WorkspaceError::Invalid("no raw logs here: `logwright import logs` brings them in".into()))
            }
            (0, ..) => Err(WorkspaceError::Invalid(format!(
                "no such raw log here; there are those of dataset {}",
                datasets.join(", ")
            ))),
            _ => {
                let names: Vec<String> =
                    found.iter().map(|(dataset, source)| format!("{dataset} {}", source.path.display())).collect();
                Err(WorkspaceError::Invalid(format!(
                    "{} logs are here ({}): name one with --dataset or --log",
                    names.len(),
                    names.join(", ")
                )))
            }
        }
    }
}
