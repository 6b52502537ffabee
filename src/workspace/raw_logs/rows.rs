//! The rows in which the store keeps a dataset's state and the lines of its logs.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Row as _};

use super::format::Recipe;
use super::sources::Source;
use super::{counted, stored};
use crate::logs::SavedCluster;
use crate::workspace::store::Write;
use crate::workspace::{Workspace, WorkspaceError};

/// So many rows go into the store with one statement.
const ROWS_AT_ONCE: usize = 1_000;

/// A sample line of a template that is not in the store yet.
#[derive(Debug)]
pub(super) struct Sample {
    pub cluster: u32,
    pub place: u8,
    pub line: String,
}

/// Some lines of a source, ready for the store.
pub(super) struct NewChunk {
    pub source: Source,
    pub first_line: u64,
    pub lines: u64,
    pub start: u64,
    pub end: u64,
    pub crc: u32,
    pub records: Vec<u8>,
    pub counts: Vec<u8>,
}

/// A chunk and all that changed because of it.
pub(super) struct NewRows {
    pub chunk: NewChunk,
    /// Number, id and state of each cluster.
    pub clusters: Vec<(u32, String, SavedCluster)>,
    /// Number and text of each alert tag.
    pub tags: Vec<(u32, String)>,
    pub samples: Vec<Sample>,
}

async fn put_chunk(write: &mut Write<'_>, chunk: &NewChunk) -> Result<(), sqlx::Error> {
    let source = &chunk.source;
    sqlx::query(
        "UPDATE log_sources SET lines = ?, bytes = ?, skipped = ?, first_skipped = ?, line_ended = ?, complete = ?,
         size = ?, modified = ? WHERE id = ?",
    )
    .bind(stored(source.lines))
    .bind(stored(source.bytes))
    .bind(stored(source.skipped))
    .bind(source.first_skipped.map(stored))
    .bind(source.line_ended)
    .bind(source.complete)
    .bind(stored(source.stamp.size))
    .bind(source.stamp.modified)
    .bind(source.id)
    .execute(&mut **write)
    .await?;
    sqlx::query(
        "INSERT INTO log_chunks (source, first_line, lines, start, end, crc, records, counts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(source.id)
    .bind(stored(chunk.first_line))
    .bind(stored(chunk.lines))
    .bind(stored(chunk.start))
    .bind(stored(chunk.end))
    .bind(chunk.crc)
    .bind(&chunk.records)
    .bind(&chunk.counts)
    .execute(&mut **write)
    .await
    .map(drop)
}

// Many rows in one statement: each statement is a round trip to the thread that holds the database.

async fn put_clusters(
    write: &mut Write<'_>,
    dataset: &str,
    clusters: &[(u32, String, SavedCluster)],
) -> Result<(), sqlx::Error> {
    for clusters in clusters.chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::new("INSERT INTO log_clusters (dataset, number, id, template, lead, overflow) ");
        insert.push_values(clusters, |mut row, (number, id, saved)| {
            row.push_bind(dataset)
                .push_bind(number)
                .push_bind(id)
                .push_bind(&saved.template)
                .push_bind(&saved.lead)
                .push_bind(saved.overflow);
        });
        insert.push(" ON CONFLICT (dataset, number) DO UPDATE SET template = excluded.template");
        insert.build().persistent(false).execute(&mut **write).await?;
    }
    Ok(())
}

async fn put_tags(write: &mut Write<'_>, dataset: &str, tags: &[(u32, String)]) -> Result<(), sqlx::Error> {
    for tags in tags.chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::new("INSERT INTO log_tags (dataset, number, tag) ");
        insert.push_values(tags, |mut row, (number, tag)| {
            row.push_bind(dataset).push_bind(number).push_bind(tag);
        });
        insert.build().persistent(false).execute(&mut **write).await?;
    }
    Ok(())
}

async fn put_samples(write: &mut Write<'_>, dataset: &str, samples: &[Sample]) -> Result<(), sqlx::Error> {
    for samples in samples.chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::new("INSERT INTO log_samples (dataset, cluster, place, line) ");
        insert.push_values(samples, |mut row, sample| {
            row.push_bind(dataset).push_bind(sample.cluster).push_bind(sample.place).push_bind(&sample.line);
        });
        insert.build().persistent(false).execute(&mut **write).await?;
    }
    Ok(())
}

impl Workspace {
    /// Puts rows in the store, unless the dataset's state there is no longer at `version`; says whether it was.
    pub(super) fn put_log_rows(&self, dataset: String, version: i64, rows: NewRows) -> Result<bool, WorkspaceError> {
        self.store.write(move |write, _| {
            Box::pin(async move {
                let moved =
                    sqlx::query("UPDATE log_datasets SET version = version + 1 WHERE dataset = ? AND version = ?")
                        .bind(&dataset)
                        .bind(version)
                        .execute(&mut **write)
                        .await?;
                if moved.rows_affected() != 1 {
                    return Ok(false);
                }
                put_chunk(write, &rows.chunk).await?;
                put_clusters(write, &dataset, &rows.clusters).await?;
                put_tags(write, &dataset, &rows.tags).await?;
                put_samples(write, &dataset, &rows.samples).await?;
                Ok(true)
            })
        })
    }

    /// The version of a dataset's state; the dataset is made if there is none.
    pub(super) fn log_dataset_version(&self, dataset: &str, recipe: &Recipe) -> Result<i64, WorkspaceError> {
        let wanted = serde_json::to_string(recipe).map_err(|error| WorkspaceError::Invalid(error.to_string()))?;
        let name = dataset.to_owned();
        let (version, found): (i64, String) = self.store.write(move |write, _| {
            Box::pin(async move {
                sqlx::query("INSERT OR IGNORE INTO log_datasets (dataset, recipe) VALUES (?, ?)")
                    .bind(&name)
                    .bind(wanted)
                    .execute(&mut **write)
                    .await?;
                sqlx::query_as("SELECT version, recipe FROM log_datasets WHERE dataset = ?")
                    .bind(name)
                    .fetch_one(&mut **write)
                    .await
            })
        })?;
        let found: Recipe = serde_json::from_str(&found).map_err(|error| self.store.damaged("log_datasets", error))?;
        if found != *recipe {
            return Err(WorkspaceError::Invalid(format!(
                "dataset {dataset} was grouped with other masks or settings than these: name another --dataset, or \
                 set [logs.formats] back"
            )));
        }
        Ok(version)
    }

    /// A dataset's clusters in the order of their numbers, with the ids of their templates.
    pub(super) fn log_clusters(&self, dataset: &str) -> Result<Vec<(String, SavedCluster)>, WorkspaceError> {
        let dataset = dataset.to_owned();
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query("SELECT * FROM log_clusters WHERE dataset = ? ORDER BY number")
                    .bind(dataset)
                    .fetch_all(connection)
                    .await
            })
        })?;
        let cluster = |row: &sqlx::sqlite::SqliteRow| -> Result<_, sqlx::Error> {
            Ok((
                row.try_get("id")?,
                SavedCluster {
                    template: row.try_get("template")?,
                    lead: row.try_get("lead")?,
                    overflow: row.try_get("overflow")?,
                },
            ))
        };
        rows.iter().map(cluster).collect::<Result<_, _>>().map_err(|error| self.store.failed(error))
    }

    pub(super) fn log_tags(&self, dataset: &str) -> Result<Vec<String>, WorkspaceError> {
        let dataset = dataset.to_owned();
        self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT tag FROM log_tags WHERE dataset = ? ORDER BY number")
                    .bind(dataset)
                    .fetch_all(connection)
                    .await
            })
        })
    }

    pub(super) fn log_sample_counts(&self, dataset: &str) -> Result<Vec<(u32, u8)>, WorkspaceError> {
        let dataset = dataset.to_owned();
        self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as("SELECT cluster, count(*) FROM log_samples WHERE dataset = ? GROUP BY cluster")
                    .bind(dataset)
                    .fetch_all(connection)
                    .await
            })
        })
    }

    /// The counts of all chunks of a dataset, in order.
    pub(super) fn log_counts(&self, dataset: &str) -> Result<Vec<Vec<u8>>, WorkspaceError> {
        let dataset = dataset.to_owned();
        self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "SELECT counts FROM log_chunks WHERE source IN (SELECT id FROM log_sources WHERE dataset = ?)
                     ORDER BY id",
                )
                .bind(dataset)
                .fetch_all(connection)
                .await
            })
        })
    }

    /// The sample lines of a dataset's clusters, in order.
    pub(super) fn log_samples(&self, dataset: &str) -> Result<HashMap<u32, Vec<String>>, WorkspaceError> {
        let dataset = dataset.to_owned();
        let rows: Vec<(i64, String)> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as("SELECT cluster, line FROM log_samples WHERE dataset = ? ORDER BY cluster, place")
                    .bind(dataset)
                    .fetch_all(connection)
                    .await
            })
        })?;
        let mut samples: HashMap<u32, Vec<String>> = HashMap::new();
        for (cluster, line) in rows {
            samples.entry(counted(cluster) as u32).or_default().push(line);
        }
        Ok(samples)
    }
}
