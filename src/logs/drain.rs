//! Drain: log messages grouped into templates as they stream by (He, Zhu, Zheng and Lyu, ICWS 2017).
//!
//! A message goes down a tree of fixed depth, by its number of tokens and then by its leading tokens, to a leaf with a
//! few templates. It joins the one that shares most constant tokens with it, if they share enough; where they differ
//! the template becomes variable. Otherwise it starts a template of its own.
//!
//! Three things are ours. Neighbouring tokens that a mask replaced whole are one variable, so that messages with lists
//! of different lengths meet. A message is kept apart from a template that it would rob of three plain words in a row:
//! "Link has been severed" is no parameter. And a message that is a template word for word belongs to it, however much
//! of it is masked.
//!
//! Two templates never become the same: of those that a message fits equally well, the one with more variables gets it.

mod saved;
mod tokens;
mod tree;

pub use saved::{SavedCluster, StateError};

use serde::{Deserialize, Serialize};

use tokens::{MASKED, MASKED_KEY, Tokens, VARIABLE_KEY, is_hashed, is_word};
use tree::{Best, Tree};

/// So many plain words in a row are never a parameter.
const WORDS_THAT_DIFFER: usize = 3;

/// How messages are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DrainSettings {
    /// The share of a message's tokens that a template must have as constants, from 0 to 1.
    pub similarity: f64,
    /// The depth of the tree as the paper counts it: `depth - 3` leading tokens part messages. At least 3.
    pub depth: usize,
    /// The most children a node may have.
    pub max_children: usize,
}

impl Default for DrainSettings {
    fn default() -> Self {
        Self { similarity: 0.5, depth: 4, max_children: 100 }
    }
}

/// How much a [`Drain`] may keep. Once either is used up, what fits no template is gathered in one, `<*>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainLimits {
    /// The most clusters.
    pub clusters: usize,
    /// The most bytes of template text.
    pub bytes: usize,
}

impl Default for DrainLimits {
    fn default() -> Self {
        Self { clusters: 50_000, bytes: 64 << 20 }
    }
}

/// The messages of one template. Its number never changes, whatever becomes of its text.
#[derive(Debug)]
struct Cluster {
    /// The template: tokens with one blank between them.
    text: Vec<u8>,
    /// Where each token of `text` ends.
    ends: Vec<u32>,
    /// The leading tokens of its first message, which decided its place in the tree.
    lead: Vec<u8>,
    changed: bool,
}

impl Cluster {
    fn new(tokens: &Tokens, levels: usize) -> Self {
        let mut cluster = Self { text: Vec::new(), ends: Vec::new(), lead: Vec::new(), changed: true };
        for index in 0..tokens.len() {
            cluster.push(tokens.bytes(index));
        }
        let lead = levels.min(tokens.len()).checked_sub(1).map_or(0, |last| cluster.ends[last] as usize);
        cluster.lead = cluster.text[..lead].to_vec();
        cluster
    }

    fn push(&mut self, token: &[u8]) {
        if !self.ends.is_empty() {
            self.text.push(b' ');
        }
        self.text.extend_from_slice(token);
        self.ends.push(self.text.len() as u32);
    }

    fn token(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        &self.text[start..self.ends[index] as usize]
    }

    fn generalise(&mut self, indices: &[usize]) {
        let tokens: Vec<Vec<u8>> = (0..self.ends.len())
            .map(|index| if indices.contains(&index) { MASKED.to_vec() } else { self.token(index).to_vec() })
            .collect();
        self.text.clear();
        self.ends.clear();
        for token in &tokens {
            self.push(token);
        }
    }

    fn size(&self) -> usize {
        self.text.len() + 16 * self.ends.len()
    }
}

/// Groups messages into templates. See the module's page.
#[derive(Debug)]
pub struct Drain {
    settings: DrainSettings,
    limits: DrainLimits,
    tree: Tree,
    clusters: Vec<Cluster>,
    /// The cluster that gathers what fits no other, once there is one.
    overflow: Option<u32>,
    bytes: usize,
    changed: Vec<u32>,
    tokens: Tokens,
    differing: Vec<usize>,
}

impl Drain {
    /// Groups nothing yet. A `depth` under 3 counts as 3.
    pub fn new(settings: DrainSettings, limits: DrainLimits) -> Self {
        Self {
            settings,
            limits,
            tree: Tree::new(settings.depth.saturating_sub(3), settings.max_children.max(1)),
            clusters: Vec::new(),
            overflow: None,
            bytes: 0,
            changed: Vec::new(),
            tokens: Tokens::default(),
            differing: Vec::new(),
        }
    }

    /// How messages are grouped.
    pub fn settings(&self) -> DrainSettings {
        self.settings
    }

    /// How many clusters there are.
    pub fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether no message came yet.
    pub fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// The template of a cluster: tokens with one blank between them, `<*>` for what varies.
    pub fn template(&self, cluster: u32) -> &[u8] {
        &self.clusters[cluster as usize].text
    }

    /// Whether `cluster` gathers what fitted no other when all room was used up.
    pub fn is_overflow(&self, cluster: u32) -> bool {
        self.overflow == Some(cluster)
    }

    /// The clusters that are new or changed since the last call, in no order.
    pub fn take_changed(&mut self) -> Vec<u32> {
        for &cluster in &self.changed {
            self.clusters[cluster as usize].changed = false;
        }
        std::mem::take(&mut self.changed)
    }

    /// Adds a masked message, under 4 GiB long; gives the number of its cluster. Clusters are numbered from 0 in the
    /// order in which they arise.
    pub fn add(&mut self, message: &[u8]) -> u32 {
        self.tokens.split(message);
        let length = self.tokens.len();
        let Some(node) = self.tree.find(length, self.tokens.keys()) else { return self.start() };
        let Some(best) = self.tree.leaf(node).best(self.tokens.keys()) else { return self.start() };
        if length > 0 && (best.equal as f64) / (length as f64) < self.settings.similarity {
            // Where most of a message is masked, even its own template shares too little with it.
            return match self.tree.leaf(node).identical(self.tokens.keys()) {
                Some(slot) => self.tree.leaf(node).clusters[slot],
                None => self.start(),
            };
        }
        let cluster = self.tree.leaf(node).clusters[best.slot];
        if best.equal + best.variables == length && self.is_same(node, best.slot, cluster) {
            return cluster;
        }
        self.join(node, best, cluster)
    }

    /// Whether the tokens with equal keys are equal. They nearly always are.
    fn is_same(&self, node: u32, slot: usize, cluster: u32) -> bool {
        let template = &self.clusters[cluster as usize];
        let keys = self.tree.leaf(node).keys(slot, self.tokens.len());
        keys.iter()
            .enumerate()
            .all(|(index, &key)| !is_hashed(key) || template.token(index) == self.tokens.bytes(index))
    }

    /// Lets a message join a cluster some of whose constants it lacks.
    fn join(&mut self, node: u32, best: Best, cluster: u32) -> u32 {
        let length = self.tokens.len();
        let template = &self.clusters[cluster as usize];
        self.differing.clear();
        let (mut run, mut longest) = (0, 0);
        for (index, &key) in self.tree.leaf(node).keys(best.slot, length).iter().enumerate() {
            let differs = key != VARIABLE_KEY && template.token(index) != self.tokens.bytes(index);
            if differs {
                self.differing.push(index);
            }
            let words = differs && is_word(template.token(index)) && is_word(self.tokens.bytes(index));
            run = if words { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        if longest >= WORDS_THAT_DIFFER {
            return self.start();
        }
        self.bytes -= self.clusters[cluster as usize].size();
        self.clusters[cluster as usize].generalise(&self.differing);
        self.bytes += self.clusters[cluster as usize].size();
        self.mark(cluster);

        self.tree.leaf_mut(node).generalise(best.slot, length, &self.differing);
        cluster
    }

    /// Starts a cluster with the message, or gathers it with the others that found no room.
    fn start(&mut self) -> u32 {
        if self.clusters.len() >= self.limits.clusters || self.bytes >= self.limits.bytes {
            return self.overflow();
        }
        let cluster = Cluster::new(&self.tokens, self.tree.levels());
        self.bytes += cluster.size();
        self.place(cluster)
    }

    fn overflow(&mut self) -> u32 {
        if let Some(cluster) = self.overflow {
            return cluster;
        }
        // In no leaf: nothing is like it.
        let number = self.clusters.len() as u32;
        self.overflow = Some(number);
        let text = MASKED.to_vec();
        let ends = vec![text.len() as u32];
        let cluster = Cluster { text, ends, lead: Vec::new(), changed: false };
        self.bytes += cluster.size();
        self.clusters.push(cluster);
        self.mark(number);
        number
    }

    /// Puts a new cluster, whose template is in `self.tokens`, where its leading tokens belong.
    fn place(&mut self, cluster: Cluster) -> u32 {
        let number = self.clusters.len() as u32;
        let levels = self.tree.levels().min(self.tokens.len());
        let lead: Vec<(u64, bool)> = (0..levels)
            .map(|index| (self.tokens.keys()[index], self.tokens.bytes(index).iter().any(u8::is_ascii_digit)))
            .collect();
        let node = self.tree.make(self.tokens.len(), &lead);
        let keys = self.tokens.keys().iter().map(|&key| if key == MASKED_KEY { VARIABLE_KEY } else { key });
        self.tree.leaf_mut(node).push(number, keys);
        self.clusters.push(Cluster { changed: false, ..cluster });
        self.mark(number);
        number
    }

    fn mark(&mut self, cluster: u32) {
        let changed = &mut self.clusters[cluster as usize].changed;
        if !std::mem::replace(changed, true) {
            self.changed.push(cluster);
        }
    }
}

#[cfg(test)]
mod tests;
