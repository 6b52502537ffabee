//! The parse tree: from a message's length and leading tokens to the few templates that it may belong to.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::tokens::{MASKED_KEY, VARIABLE_KEY, fold};

/// No node.
const NONE: u32 = u32::MAX;

/// Finds a child by its parent and token. Token keys are well mixed or short; one folded product is enough.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u32(&mut self, part: u32) {
        self.write_u64(u64::from(part));
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = fold(self.0 ^ part ^ 0x4528_21e6_38d0_1377, 0xbe54_66cf_34e9_0c6d);
    }
}

#[derive(Debug, Default)]
struct Node {
    children: usize,
    leaf: Leaf,
}

/// The templates at the end of a path, as one array of keys: `length` keys for each.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// The cluster behind each template, oldest first.
    pub clusters: Vec<u32>,
    /// How many variables each template has.
    pub variables: Vec<u32>,
    keys: Vec<u64>,
}

/// The template of a leaf that is most like a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Best {
    pub slot: usize,
    /// How many of its constants the message has.
    pub equal: usize,
    pub variables: usize,
}

impl Leaf {
    /// The template that shares most constants with `keys`; of several, the one with most variables, then the oldest.
    pub fn best(&self, keys: &[u64]) -> Option<Best> {
        if keys.is_empty() {
            return (!self.clusters.is_empty()).then_some(Best { slot: 0, equal: 0, variables: 0 });
        }
        let mut best: Option<Best> = None;
        for (slot, template) in self.keys.chunks_exact(keys.len()).enumerate() {
            let equal = template.iter().zip(keys).filter(|(constant, key)| constant == key).count();
            if equal == keys.len() {
                return Some(Best { slot, equal, variables: 0 });
            }
            let variables = self.variables[slot] as usize;
            if best.is_none_or(|best| (equal, variables) > (best.equal, best.variables)) {
                best = Some(Best { slot, equal, variables });
            }
        }
        best
    }

    /// The template that a message is, word for word and mask for variable.
    pub fn identical(&self, keys: &[u64]) -> Option<usize> {
        let of_template = |key: &u64| if *key == MASKED_KEY { VARIABLE_KEY } else { *key };
        self.keys.chunks_exact(keys.len().max(1)).position(|own| own.iter().copied().eq(keys.iter().map(of_template)))
    }

    /// Adds a template.
    pub fn push(&mut self, cluster: u32, keys: impl Iterator<Item = u64>) {
        let from = self.keys.len();
        self.keys.extend(keys);
        self.clusters.push(cluster);
        self.variables.push(self.keys[from..].iter().filter(|key| **key == VARIABLE_KEY).count() as u32);
    }

    /// The keys of a template of `length` tokens.
    pub fn keys(&self, slot: usize, length: usize) -> &[u64] {
        &self.keys[slot * length..(slot + 1) * length]
    }

    /// Makes tokens of a template variables.
    pub fn generalise(&mut self, slot: usize, length: usize, indices: &[usize]) {
        for &index in indices {
            self.keys[slot * length + index] = VARIABLE_KEY;
        }
        self.variables[slot] += indices.len() as u32;
    }
}

/// The tree. Its first layer parts messages by their number of tokens, the next ones by their leading tokens.
#[derive(Debug)]
pub(super) struct Tree {
    by_length: Vec<u32>,
    children: HashMap<(u32, u64), u32, BuildHasherDefault<KeyHasher>>,
    nodes: Vec<Node>,
    /// How many leading tokens part messages.
    levels: usize,
    max_children: usize,
}

impl Tree {
    pub fn new(levels: usize, max_children: usize) -> Self {
        Self { by_length: Vec::new(), children: HashMap::default(), nodes: Vec::new(), levels, max_children }
    }

    /// How many leading tokens of a message decide its path.
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// The leaf that a message of `length` tokens, starting with `keys`, ends at, if the tree has got that far.
    pub fn find(&self, length: usize, keys: &[u64]) -> Option<u32> {
        let mut node = *self.by_length.get(length).filter(|node| **node != NONE)?;
        for &key in keys.iter().take(self.levels) {
            let key = if key == MASKED_KEY { VARIABLE_KEY } else { key };
            let child = self.children.get(&(node, key)).or_else(|| self.children.get(&(node, VARIABLE_KEY)));
            node = *child?;
        }
        Some(node)
    }

    /// The leaf for a new template of `length` tokens: `lead` gives the key of each leading token and whether it has a
    /// digit. Tokens with digits, and those for which a node has no place left, share the node's variable child.
    pub fn make(&mut self, length: usize, lead: &[(u64, bool)]) -> u32 {
        if self.by_length.len() <= length {
            self.by_length.resize(length + 1, NONE);
        }
        if self.by_length[length] == NONE {
            self.by_length[length] = self.add_node();
        }
        let mut node = self.by_length[length];
        for &(key, has_digit) in lead.iter().take(self.levels) {
            let exact = if key == MASKED_KEY { VARIABLE_KEY } else { key };
            if let Some(&child) = self.children.get(&(node, exact)) {
                node = child;
                continue;
            }
            let catch_all = self.children.get(&(node, VARIABLE_KEY)).copied();
            let children = self.nodes[node as usize].children;
            // One place is kept for the variable child.
            let room = children + usize::from(catch_all.is_none()) < self.max_children;
            let key = if !has_digit && room { exact } else { VARIABLE_KEY };
            node = match catch_all.filter(|_| key == VARIABLE_KEY) {
                Some(child) => child,
                None => self.add_child(node, key),
            };
        }
        node
    }

    fn add_node(&mut self) -> u32 {
        self.nodes.push(Node::default());
        (self.nodes.len() - 1) as u32
    }

    fn add_child(&mut self, parent: u32, key: u64) -> u32 {
        let child = self.add_node();
        self.children.insert((parent, key), child);
        self.nodes[parent as usize].children += 1;
        child
    }

    pub fn leaf(&self, node: u32) -> &Leaf {
        &self.nodes[node as usize].leaf
    }

    pub fn leaf_mut(&mut self, node: u32) -> &mut Leaf {
        &mut self.nodes[node as usize].leaf
    }
}
