//! What is kept of a [`Drain`] so that another goes on just where it was.

use serde::{Deserialize, Serialize};

use super::tokens::{MASKED_KEY, Tokens, VARIABLE_KEY};
use super::{Cluster, Drain, DrainLimits, DrainSettings};

/// A cluster, as it is saved. A [`Drain`] is its settings and its clusters in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCluster {
    /// Its template: tokens with one blank between them.
    pub template: Vec<u8>,
    /// The leading tokens of its first message: its place in the tree.
    pub lead: Vec<u8>,
    /// Whether it gathers what found no room.
    pub overflow: bool,
}

/// Why a saved state cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The leading tokens are not as many as the settings want.
    #[error("cluster {0} has no place in the tree")]
    Lead(usize),
}

impl Drain {
    /// A cluster as it is to be saved.
    pub fn saved(&self, cluster: u32) -> SavedCluster {
        let saved = &self.clusters[cluster as usize];
        SavedCluster {
            template: saved.text.clone(),
            lead: saved.lead.clone(),
            overflow: self.overflow == Some(cluster),
        }
    }

    /// Goes on with the clusters of another, in their order.
    ///
    /// # Errors
    /// When they cannot have come from one with these settings.
    pub fn restore(
        settings: DrainSettings,
        limits: DrainLimits,
        saved: impl IntoIterator<Item = SavedCluster>,
    ) -> Result<Self, StateError> {
        let mut drain = Self::new(settings, limits);
        let mut lead = Tokens::default();
        for (number, saved) in saved.into_iter().enumerate() {
            let cluster = restored(&saved);
            drain.bytes += cluster.size();
            drain.clusters.push(cluster);
            if saved.overflow {
                drain.overflow = Some(number as u32);
                continue;
            }
            // The tree grows as it did: by first messages, in order.
            let length = drain.clusters[number].ends.len();
            lead.split(&saved.lead);
            if lead.len() != drain.tree.levels().min(length) {
                return Err(StateError::Lead(number));
            }
            let path: Vec<(u64, bool)> = (0..lead.len())
                .map(|index| (lead.keys()[index], lead.bytes(index).iter().any(u8::is_ascii_digit)))
                .collect();
            let node = drain.tree.make(length, &path);
            let keys = keys_of(&drain.clusters[number]);
            drain.tree.leaf_mut(node).push(number as u32, keys.into_iter());
        }
        Ok(drain)
    }
}

fn restored(saved: &SavedCluster) -> Cluster {
    let mut cluster = Cluster { text: Vec::new(), ends: Vec::new(), lead: saved.lead.clone(), changed: false };
    for token in saved.template.split(|byte| *byte == b' ').filter(|token| !token.is_empty()) {
        cluster.push(token);
    }
    cluster
}

/// The keys of a template. Token by token: here, neighbouring variables are as many as they are.
fn keys_of(cluster: &Cluster) -> Vec<u64> {
    let mut token = Tokens::default();
    (0..cluster.ends.len())
        .map(|index| {
            token.split(cluster.token(index));
            let key = token.keys().first().copied().unwrap_or(VARIABLE_KEY);
            if key == MASKED_KEY { VARIABLE_KEY } else { key }
        })
        .collect()
}
