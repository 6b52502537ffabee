//! A dataset's templates while its logs are read: Drain, what is counted beside it, and how both reach the store.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::Row as _;

use super::chunk::{self, Count};
use super::format::Recipe;
use super::sources::Source;
use super::{counted, stored};
use crate::logs::{Drain, DrainLimits, SavedCluster, made_id};
use crate::workspace::store::Write;
use crate::workspace::{Workspace, WorkspaceError};

/// So many lines of a template are kept as samples, and so many bytes of each.
const SAMPLES: u8 = 5;
const LONGEST_SAMPLE: usize = 2_000;

/// So many alert tags are told apart; the rest counts as one.
const MOST_TAGS: usize = 1_000;
const OTHER_TAGS: &str = "(other)";

/// A sample line of a template that is not in the store yet.
#[derive(Debug)]
struct Sample {
    cluster: u32,
    place: u8,
    line: String,
}

/// A dataset whose logs are being read.
pub(super) struct DatasetState {
    pub dataset: String,
    pub drain: Drain,
    /// The id of each cluster's template.
    pub ids: Vec<String>,
    /// What there is of each cluster.
    pub totals: BTreeMap<u32, Count>,
    pub tags: Vec<String>,
    known_ids: HashSet<String>,
    tag_numbers: HashMap<Vec<u8>, u32>,
    samples: Vec<u8>,
    new_samples: Vec<Sample>,
    new_tags: usize,
    version: i64,
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

impl DatasetState {
    /// The state that the store has, or a new one.
    pub fn load(
        workspace: &Workspace,
        dataset: &str,
        recipe: &Recipe,
        limits: DrainLimits,
    ) -> Result<Self, WorkspaceError> {
        let damaged = |table, why: &dyn ToString| workspace.store.damaged(table, why.to_string());
        let version = workspace.log_dataset_version(dataset, recipe)?;
        let clusters = workspace.log_clusters(dataset)?;
        let ids: Vec<String> = clusters.iter().map(|(id, _)| id.clone()).collect();
        let drain = Drain::restore(recipe.drain, limits, clusters.into_iter().map(|(_, saved)| saved))
            .map_err(|error| damaged("log_clusters", &error))?;
        let tags = workspace.log_tags(dataset)?;
        let mut state = Self {
            dataset: dataset.to_owned(),
            known_ids: ids.iter().cloned().collect(),
            tag_numbers: tags.iter().zip(0..).map(|(tag, number)| (tag.clone().into_bytes(), number)).collect(),
            samples: vec![0; ids.len()],
            new_samples: Vec::new(),
            new_tags: 0,
            totals: BTreeMap::new(),
            drain,
            ids,
            tags,
            version,
        };
        for (cluster, samples) in workspace.log_sample_counts(dataset)? {
            if let Some(known) = state.samples.get_mut(cluster as usize) {
                *known = samples;
            }
        }
        for coded in workspace.log_counts(dataset)? {
            state.count(chunk::counts(&coded).map_err(|error| damaged("log_chunks", &error))?);
        }
        Ok(state)
    }

    /// Adds a message; gives its cluster. `line` is what a person would see of it.
    pub fn add(&mut self, message: &[u8], line: impl FnOnce() -> String) -> u32 {
        let cluster = self.drain.add(message);
        let index = cluster as usize;
        if index == self.ids.len() {
            let id = self.new_id(cluster);
            self.known_ids.insert(id.clone());
            self.ids.push(id);
            self.samples.push(0);
        }
        if self.samples[index] < SAMPLES {
            let mut line = line();
            let end = (0..=LONGEST_SAMPLE.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
            line.truncate(end.unwrap_or(0));
            self.new_samples.push(Sample { cluster, place: self.samples[index], line });
            self.samples[index] += 1;
        }
        cluster
    }

    /// The id of a new cluster: made from its first message, as it is masked.
    fn new_id(&self, cluster: u32) -> String {
        let text = String::from_utf8_lossy(self.drain.template(cluster)).into_owned();
        let id = made_id(&self.dataset, &text);
        // A message can come twice as the first of a template, once the first one has become too general for it.
        if self.known_ids.contains(&id) { made_id(&self.dataset, &format!("{text}\n{cluster}")) } else { id }
    }

    /// The number of an alert tag.
    pub fn tag(&mut self, tag: &[u8]) -> u32 {
        if let Some(&number) = self.tag_numbers.get(tag) {
            return number;
        }
        let text = match self.tags.len() {
            count if count < MOST_TAGS => String::from_utf8_lossy(tag).into_owned(),
            MOST_TAGS => OTHER_TAGS.to_owned(),
            _ => return MOST_TAGS as u32,
        };
        let number = self.tags.len() as u32;
        self.tags.push(text);
        self.new_tags += 1;
        if self.tags.len() <= MOST_TAGS {
            self.tag_numbers.insert(tag.to_owned(), number);
        }
        number
    }

    /// Counts a chunk's lines.
    pub fn count(&mut self, counts: impl IntoIterator<Item = (u32, Count)>) {
        for (cluster, count) in counts {
            let total = self.totals.entry(cluster).or_default();
            total.lines += count.lines;
            for (tag, lines) in count.tags {
                *total.tags.entry(tag).or_default() += lines;
            }
        }
    }

    /// Puts a chunk in the store, with all that changed because of it.
    pub fn commit(&mut self, workspace: &Workspace, chunk: NewChunk) -> Result<(), WorkspaceError> {
        let clusters: Vec<(u32, String, SavedCluster)> = self
            .drain
            .take_changed()
            .into_iter()
            .map(|cluster| (cluster, self.ids[cluster as usize].clone(), self.drain.saved(cluster)))
            .collect();
        let samples = std::mem::take(&mut self.new_samples);
        let from = self.tags.len() - std::mem::take(&mut self.new_tags);
        let tags: Vec<(usize, String)> = self.tags.iter().cloned().enumerate().skip(from).collect();
        let (dataset, version) = (self.dataset.clone(), self.version);
        self.version += 1;
        let alone = workspace.store.write(move |write, _| {
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
                put_chunk(write, &chunk).await?;
                for (number, id, saved) in &clusters {
                    put_cluster(write, &dataset, *number, id, saved).await?;
                }
                for (number, tag) in &tags {
                    sqlx::query("INSERT INTO log_tags (dataset, number, tag) VALUES (?, ?, ?)")
                        .bind(&dataset)
                        .bind(stored(*number as u64))
                        .bind(tag)
                        .execute(&mut **write)
                        .await?;
                }
                for sample in &samples {
                    sqlx::query("INSERT INTO log_samples (dataset, cluster, place, line) VALUES (?, ?, ?, ?)")
                        .bind(&dataset)
                        .bind(sample.cluster)
                        .bind(sample.place)
                        .bind(&sample.line)
                        .execute(&mut **write)
                        .await?;
                }
                Ok(true)
            })
        })?;
        if alone {
            return Ok(());
        }
        let dataset = &self.dataset;
        Err(WorkspaceError::Invalid(format!(
            "another import into dataset {dataset} is at work: let it end, then import again; nothing is lost or doubled"
        )))
    }
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

async fn put_cluster(
    write: &mut Write<'_>,
    dataset: &str,
    number: u32,
    id: &str,
    saved: &SavedCluster,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO log_clusters (dataset, number, id, template, lead, overflow) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (dataset, number) DO UPDATE SET template = excluded.template",
    )
    .bind(dataset)
    .bind(number)
    .bind(id)
    .bind(&saved.template)
    .bind(&saved.lead)
    .bind(saved.overflow)
    .execute(&mut **write)
    .await
    .map(drop)
}

impl Workspace {
    /// The version of a dataset's state; the dataset is made if there is none.
    fn log_dataset_version(&self, dataset: &str, recipe: &Recipe) -> Result<i64, WorkspaceError> {
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

    fn log_tags(&self, dataset: &str) -> Result<Vec<String>, WorkspaceError> {
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

    fn log_sample_counts(&self, dataset: &str) -> Result<Vec<(u32, u8)>, WorkspaceError> {
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
}

/// The sample lines of a dataset's clusters, in order.
pub(super) fn samples(workspace: &Workspace, dataset: &str) -> Result<HashMap<u32, Vec<String>>, WorkspaceError> {
    let dataset = dataset.to_owned();
    let rows: Vec<(i64, String)> = workspace.store.read(|connection| {
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
