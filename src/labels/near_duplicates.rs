//! Templates that say almost the same: what an annotator wants to decide together, and consistently.
//!
//! Two templates are near-duplicates if the Jaccard similarity of their features is at least [`SIMILAR`]. The features are
//! the words (numbers and `<*>` taken for the same, see `words`) and the pairs of neighbouring words. The search is exact,
//! not sampled: a prefix-filtering set similarity join over an inverted index. Sources: Jaccard (1912); Chaudhuri, Ganti
//! and Kaushik (2006), "A Primitive Operator for Similarity Joins in Data Cleaning"; Bayardo, Ma and Srikant (2007),
//! "Scaling Up All Pairs Similarity Search". The same texts give the same groups on every machine.

use std::collections::{HashMap, HashSet};

use super::words::{mix, words};

/// From this similarity on, two templates are near-duplicates; other texts may have a bound of their own.
pub const SIMILAR: f64 = 0.6;

/// Which templates of a list are near-duplicates of which.
#[derive(Debug, Clone, Default)]
pub struct NearDuplicates {
    /// From this similarity on, two items are near-duplicates.
    similar: f64,
    /// Which distinct set of features each item has.
    set_of: Vec<u32>,
    /// The items of each distinct set, in order; `items_from[s]..items_from[s + 1]` are set `s`'s.
    items: Vec<u32>,
    items_from: Vec<u32>,
    /// The number of each feature: how rare it is.
    ranks: HashMap<u64, u32>,
    /// The features of each distinct set, rarest first.
    features: Vec<u32>,
    features_from: Vec<u32>,
    /// The sets that have a feature in their prefix.
    postings: Vec<u32>,
    postings_from: Vec<u32>,
    /// The group of each item, named by its first item.
    group: Vec<u32>,
}

impl NearDuplicates {
    /// Compares all texts with each other. 100,000 templates take some tenths of a second: run it in the background.
    pub fn of<S: AsRef<str>>(texts: &[S]) -> Self {
        Self::from_similarity(texts, SIMILAR)
    }

    /// [`NearDuplicates::of`] with a bound other than [`SIMILAR`], above 0 and at most 1.
    pub fn from_similarity<S: AsRef<str>>(texts: &[S], similar: f64) -> Self {
        let mut distinct: HashMap<Vec<u64>, u32> = HashMap::with_capacity(texts.len());
        let mut sets: Vec<Vec<u64>> = Vec::new();
        let mut set_of = Vec::with_capacity(texts.len());
        for text in texts {
            let features = features(text.as_ref());
            let next = index(sets.len());
            let set = *distinct.entry(features).or_insert_with_key(|features| {
                sets.push(features.clone());
                next
            });
            set_of.push(set);
        }
        drop(distinct);
        let (items, items_from) = gather(set_of.iter().copied().zip(0..), sets.len());

        // Features are numbered by how many sets have them, rarest first: rare ones tell most and have short postings.
        let mut frequency: HashMap<u64, u32> = HashMap::new();
        for feature in sets.iter().flatten() {
            *frequency.entry(*feature).or_default() += 1;
        }
        let mut by_rarity: Vec<(u32, u64)> = frequency.iter().map(|(feature, count)| (*count, *feature)).collect();
        by_rarity.sort_unstable();
        let mut number = frequency;
        for ((_, feature), rank) in by_rarity.iter().zip(0..) {
            number.insert(*feature, rank);
        }
        let mut features = Vec::new();
        let mut features_from = vec![0];
        for set in &sets {
            let from = features.len();
            features.extend(set.iter().map(|feature| number[feature]));
            features[from..].sort_unstable();
            features_from.push(index(features.len()));
        }
        let ranks = number;
        let mut found = Self { similar, set_of, items, items_from, ranks, features, features_from, ..Self::default() };
        let in_prefixes = (0..index(sets.len())).flat_map(|set| {
            let features = found.features_of(set);
            features[..prefix(features.len(), similar)].iter().map(move |feature| (*feature, set))
        });
        let (postings, postings_from) = gather(in_prefixes, by_rarity.len());
        (found.postings, found.postings_from) = (postings, postings_from);
        found.group();
        found
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.set_of.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.set_of.is_empty()
    }

    /// The group that an item belongs to, named by its first item. Every item is a near-duplicate of the first of its
    /// group; an item that is near to the firsts of two groups belongs to the earlier.
    pub fn group_of(&self, item: usize) -> usize {
        self.group[item] as usize
    }

    /// All near-duplicates of an item but itself, the most similar first, then in order. Not only those of its group.
    pub fn of_item(&self, item: usize) -> Vec<usize> {
        let mut near = self.near_sets(self.set_of[item], |_| true);
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let items = near.into_iter().flat_map(|(set, _)| self.items_of(set).iter().map(|item| *item as usize));
        items.filter(|other| *other != item).collect()
    }

    /// The items that are near-duplicates of a text, which need be none of them, in order, with their similarity.
    pub fn of_text(&self, text: &str) -> Vec<(usize, f64)> {
        let all = features(text);
        let mut own: Vec<u32> = all.iter().filter_map(|feature| self.ranks.get(feature).copied()).collect();
        own.sort_unstable();
        // What no item has is rarer than the rest, and stands before it.
        let prefix = prefix(all.len(), self.similar).saturating_sub(all.len() - own.len());
        let near = self.near_features(&own, all.len(), prefix.min(own.len()), |_| true);
        let items = near
            .into_iter()
            .flat_map(|(set, similarity)| self.items_of(set).iter().map(move |item| (*item as usize, similarity)));
        let mut items: Vec<(usize, f64)> = items.collect();
        items.sort_unstable_by_key(|(item, _)| *item);
        items
    }

    /// The items most similar to one, itself left out: the most similar first, then in order. However little that is.
    pub fn nearest(&self, item: usize, count: usize) -> Vec<(usize, f64)> {
        let own = self.features_of(self.set_of[item]);
        let of_set: Vec<f64> = (0..index(self.items_from.len().saturating_sub(1)))
            .map(|set| jaccard(own, self.features_of(set)))
            .collect();
        let others = (0..self.len()).filter(|other| *other != item);
        let mut near: Vec<(usize, f64)> = others.map(|other| (other, of_set[self.set_of[other] as usize])).collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(count);
        near
    }

    /// For each of some items, taken in this order, the first that it repeats, which may be itself: an item that repeats none
    /// is a first, and takes all that are near to it and taken by none. `also` says what else is near to an item.
    pub fn firsts<'a>(&self, order: &[usize], also: impl Fn(usize) -> &'a [(usize, f64)]) -> HashMap<usize, usize> {
        let wanted: HashSet<usize> = order.iter().copied().collect();
        let mut first_of: HashMap<usize, usize> = HashMap::with_capacity(order.len());
        let mut taken = vec![false; self.items_from.len().saturating_sub(1)];
        for &item in order {
            if first_of.contains_key(&item) {
                continue;
            }
            for (set, _) in self.near_sets(self.set_of[item], |set| !taken[set as usize]) {
                taken[set as usize] = true;
                for near in self.items_of(set).iter().map(|near| *near as usize).filter(|near| wanted.contains(near)) {
                    first_of.entry(near).or_insert(item);
                }
            }
            for (near, _) in also(item).iter().filter(|(near, _)| wanted.contains(near)) {
                first_of.entry(*near).or_insert(item);
            }
            // It is its own first, also where others of the same words were taken for what they mean.
            first_of.entry(item).or_insert(item);
        }
        first_of
    }

    /// The distinct sets, itself among them, that are near enough to a set and that `wanted` lets through, with their
    /// similarity.
    fn near_sets(&self, set: u32, wanted: impl Fn(u32) -> bool) -> Vec<(u32, f64)> {
        let own = self.features_of(set);
        self.near_features(own, own.len(), prefix(own.len(), self.similar), wanted)
    }

    /// The same of features that an item has, sorted, of the `len` that a text has, the first `prefix` of which are looked up.
    fn near_features(&self, own: &[u32], len: usize, prefix: usize, wanted: impl Fn(u32) -> bool) -> Vec<(u32, f64)> {
        let mut candidates: Vec<u32> = Vec::new();
        // Two sets that are near enough share a feature in their prefixes: that is what a prefix is for.
        for feature in &own[..prefix] {
            let (from, to) = (self.postings_from[*feature as usize], self.postings_from[*feature as usize + 1]);
            let (shortest, longest) = (len as f64 * self.similar - 1e-9, len as f64 / self.similar + 1e-9);
            candidates.extend(self.postings[from as usize..to as usize].iter().copied().filter(|other| {
                let of_other = self.features_of(*other).len() as f64;
                of_other >= shortest && of_other <= longest && wanted(*other)
            }));
        }
        candidates.sort_unstable();
        candidates.dedup();
        let similar = candidates.into_iter().map(|other| {
            let features = self.features_of(other);
            let shared = in_common(own, features);
            (other, shared as f64 / (len + features.len() - shared).max(1) as f64)
        });
        similar.filter(|(_, similarity)| *similarity >= self.similar).collect()
    }

    /// Puts each set that is in no group yet at the head of one, and all that are near to it and in none into it.
    fn group(&mut self) {
        let mut group_of_set: Vec<Option<u32>> = vec![None; self.items_from.len().saturating_sub(1)];
        for set in 0..index(group_of_set.len()) {
            if group_of_set[set as usize].is_some() {
                continue;
            }
            let first = self.items_of(set)[0];
            for (near, _) in self.near_sets(set, |other| group_of_set[other as usize].is_none()) {
                group_of_set[near as usize] = Some(first);
            }
        }
        self.group = self.set_of.iter().map(|set| group_of_set[*set as usize].unwrap_or_default()).collect();
    }

    fn features_of(&self, set: u32) -> &[u32] {
        &self.features[self.features_from[set as usize] as usize..self.features_from[set as usize + 1] as usize]
    }

    fn items_of(&self, set: u32) -> &[u32] {
        &self.items[self.items_from[set as usize] as usize..self.items_from[set as usize + 1] as usize]
    }
}

/// What texts have in common whose similarity is 1: their words and pairs of neighbouring words.
pub fn wording(text: &str) -> Vec<u64> {
    features(text)
}

/// The similarity of two texts: shared features by all features, from 0 to 1.
pub fn similarity(a: &str, b: &str) -> f64 {
    jaccard(&features(a), &features(b))
}

/// Words and pairs of neighbouring words, sorted, each once. A text without a word has itself for its only feature.
fn features(text: &str) -> Vec<u64> {
    let words = words(text);
    let pairs = words.windows(2).map(|pair| mix(mix(1, &pair[0].to_le_bytes()), &pair[1].to_le_bytes()));
    let mut features: Vec<u64> = pairs.collect();
    features.extend(&words);
    if features.is_empty() {
        features.push(mix(2, text.as_bytes()));
    }
    features.sort_unstable();
    features.dedup();
    features
}

/// |a ∩ b| / |a ∪ b| of two sorted sets.
fn jaccard<T: Ord>(a: &[T], b: &[T]) -> f64 {
    let shared = in_common(a, b);
    shared as f64 / (a.len() + b.len() - shared).max(1) as f64
}

/// |a ∩ b| of two sorted sets.
fn in_common<T: Ord>(a: &[T], b: &[T]) -> usize {
    let (mut i, mut j, mut shared) = (0, 0, 0_usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                (i, j, shared) = (i + 1, j + 1, shared + 1);
            }
        }
    }
    shared
}

/// So many of a set's rarest features hold one of every near set: |x| − ⌈t·|x|⌉ + 1.
fn prefix(len: usize, similar: f64) -> usize {
    len - (len as f64 * similar - 1e-9).ceil() as usize + 1
}

/// Pairs of (place, value) as one list by place: the values of place `p` are `values[from[p]..from[p + 1]]`, in the order
/// in which they came.
fn gather(pairs: impl Iterator<Item = (u32, u32)> + Clone, places: usize) -> (Vec<u32>, Vec<u32>) {
    let mut from = vec![0_u32; places + 1];
    for (place, _) in pairs.clone() {
        from[place as usize + 1] += 1;
    }
    for place in 0..places {
        from[place + 1] += from[place];
    }
    let mut next = from.clone();
    let mut values = vec![0; from[places] as usize];
    for (place, value) in pairs {
        values[next[place as usize] as usize] = value;
        next[place as usize] += 1;
    }
    (values, from)
}

/// An index as it is kept; there are fewer than four thousand million features of templates that fit into memory.
fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXTS: [&str; 7] = [
        "ciod: failed to read message prefix on control stream (CioStream socket to <*>:<*>",
        "generating core.<*>",
        "ciod: failed to read message prefix on control stream CioStream socket to 172.16.96.116:33569",
        "generating core.1234",
        "ciod: Error reading message prefix after LOGIN_MESSAGE",
        "ciod: failed to read message suffix on control stream (CioStream socket to <*>:<*>",
        "---",
    ];

    #[test]
    fn what_says_almost_the_same_is_found_and_the_nearest_comes_first() {
        let near = NearDuplicates::of(&TEXTS);
        assert_eq!(near.of_item(0), [2, 5]);
        assert_eq!(near.of_item(3), [1]);
        assert_eq!(near.of_item(4), [0_usize; 0]);
        assert_eq!(near.of_item(6), [0_usize; 0]);
        assert_eq!((0..7).map(|item| near.group_of(item)).collect::<Vec<_>>(), [0, 1, 0, 1, 4, 0, 6]);
    }

    #[test]
    fn an_empty_list_has_no_groups() {
        assert!(NearDuplicates::of::<&str>(&[]).is_empty());
    }

    #[test]
    fn the_same_words_in_another_order_are_not_the_same() {
        assert!(similarity("kernel panic on node", "node on panic kernel") < SIMILAR);
        assert_eq!(similarity("Kernel PANIC on node 3", "kernel panic on node <*>"), 1.0);
    }

    proptest! {
        #[test]
        fn the_index_finds_exactly_what_comparing_all_pairs_finds(
            texts in proptest::collection::vec(proptest::collection::vec("[abcd]", 0..7), 0..24),
        ) {
            let texts: Vec<String> = texts.into_iter().map(|words| words.join(" ")).collect();
            let near = NearDuplicates::of(&texts);
            for item in 0..texts.len() {
                let mut found = near.of_item(item);
                found.sort_unstable();
                let expected: Vec<usize> = (0..texts.len())
                    .filter(|other| *other != item && similarity(&texts[item], &texts[*other]) >= SIMILAR)
                    .collect();
                prop_assert_eq!(found, expected);
                let first = near.group_of(item);
                prop_assert!(first <= item && near.group_of(first) == first);
                prop_assert!(similarity(&texts[item], &texts[first]) >= SIMILAR);
            }
            let order: Vec<usize> = (0..texts.len()).collect();
            let firsts = near.firsts(&order, |_| &[]);
            for item in 0..texts.len() {
                prop_assert_eq!(firsts[&item], near.group_of(item));
                let of_text: Vec<usize> = near.of_text(&texts[item]).into_iter().map(|(other, _)| other).collect();
                let mut of_item = near.of_item(item);
                of_item.push(item);
                of_item.sort_unstable();
                prop_assert_eq!(of_text, of_item);
            }
            let new = format!("{} e", texts.first().map_or("f", String::as_str));
            let expected: Vec<usize> = (0..texts.len()).filter(|other| similarity(&new, &texts[*other]) >= SIMILAR).collect();
            prop_assert_eq!(near.of_text(&new).into_iter().map(|(other, _)| other).collect::<Vec<_>>(), expected);
        }
    }
}
