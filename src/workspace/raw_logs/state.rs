//! A dataset's templates while its logs are read: Drain, what is counted beside it, and how both reach the store.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::chunk::{self, Count};
use super::format::Recipe;
use super::rows::{NewChunk, NewRows, Sample};
use crate::logs::{Drain, DrainLimits, SavedCluster, made_id};
use crate::workspace::{Workspace, WorkspaceError};

/// So many lines of a template are kept as samples, and so many bytes of each.
const SAMPLES: u8 = 5;
const LONGEST_SAMPLE: usize = 2_000;

/// So many alert tags are told apart; the rest counts as one.
const MOST_TAGS: usize = 1_000;
const OTHER_TAGS: &str = "(other)";

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
        let tags: Vec<(u32, String)> = (0..).zip(self.tags.iter().cloned()).skip(from).collect();
        let (dataset, version) = (self.dataset.clone(), self.version);
        self.version += 1;
        let rows = NewRows { chunk, clusters, tags, samples };
        let alone = workspace.put_log_rows(dataset, version, rows)?;
        if alone {
            return Ok(());
        }
        let dataset = &self.dataset;
        Err(WorkspaceError::Invalid(format!(
            "another import into dataset {dataset} is at work: let it end, then import again; nothing is lost or doubled"
        )))
    }
}
