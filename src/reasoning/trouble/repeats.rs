//! Which items nearly repeat an earlier one of their kind and task: by their words, or by what they mean where somebody who has
//! an encoder says so. Kept up to date while items are decided and edited: only what is near to such an item is grouped anew.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::Beside;
use crate::labels::near_duplicates::{NearDuplicates, similarity};
use crate::reasoning::{ItemKind, Reviewable, Standing, Task};

/// More items than this that are near to each other, one to the next, stay as they are until the queue is read again.
const MOST_REGROUPED: usize = 64;

/// An item that another one nearly repeats.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Near {
    /// Its id; it is of the same kind and task.
    pub id: String,
    /// How similar they are, from 0 to 1, by the measure `by`.
    pub similarity: f64,
    /// By what they are similar.
    pub by: Likeness,
}

/// By what two items are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Shared words and pairs of words by all of them.
    Words,
    /// The cosine of their embeddings.
    Meaning,
}

/// Two items that mean the same, as an encoder has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alike {
    /// What kind of items.
    pub kind: ItemKind,
    /// The id of the one.
    pub first: String,
    /// The id of the other.
    pub second: String,
    /// The cosine of their embeddings.
    pub similarity: f64,
}

/// What stands before what: accepted items, so that what trains is not flagged for the sake of what does not. Rejected ones
/// repeat nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Trains,
    Waits,
    Rejected,
}

impl From<Standing> for Rank {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Accepted | Standing::Edited => Self::Trains,
            Standing::Pending => Self::Waits,
            Standing::Rejected => Self::Rejected,
        }
    }
}

/// All items by kind and task.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    groups: HashMap<(ItemKind, Task), Group>,
}

/// Items of one kind and task, in the order in which they came.
#[derive(Debug, Clone, Default)]
struct Group {
    similar: f64,
    ids: Vec<String>,
    places: HashMap<String, usize>,
    texts: Vec<String>,
    ranks: Vec<Rank>,
    /// The words of all texts as they were at first.
    index: NearDuplicates,
    /// The items that read otherwise by now.
    reworded: BTreeSet<usize>,
    /// What means the same, by place, both ways; sorted by place.
    alike: HashMap<usize, Vec<(usize, f64)>>,
    /// The items that read otherwise than when it was found out what means the same.
    unplaced: BTreeSet<usize>,
    /// The item that each one repeats; nothing for those that repeat none.
    firsts: HashMap<usize, usize>,
}

impl Repeats {
    /// Compares all items by their words. Ten thousand take some tenths of a second.
    pub fn of(items: &[Beside<'_>], similar: f64) -> Self {
        let mut groups: HashMap<(ItemKind, Task), Group> = HashMap::new();
        for Beside { current, standing } in items {
            let group = groups.entry((current.kind(), current.task())).or_default();
            group.places.insert(current.id().to_owned(), group.ids.len());
            group.ids.push(current.id().to_owned());
            group.texts.push(current.text());
            group.ranks.push(Rank::from(*standing));
        }
        for group in groups.values_mut() {
            group.similar = similar;
            group.index = NearDuplicates::from_similarity(&group.texts, similar);
            group.regroup_all();
        }
        Self { groups }
    }

    /// The item that another one repeats, which reads `text` now.
    pub fn near(&self, item: &Reviewable, text: &str) -> Option<Near> {
        let group = self.groups.get(&(item.kind(), item.task()))?;
        let place = *group.places.get(item.id())?;
        if group.texts[place] == text {
            let first = *group.firsts.get(&place)?;
            let (similarity, by) = group.tie(place, first)?;
            return Some(Near { id: group.ids[first].clone(), similarity, by });
        }
        // It is not what it was counted as: an edit that is not decided yet.
        let mut near = group.near_words(text);
        near.retain(|(other, _)| *other != place && group.ranks[*other] != Rank::Rejected);
        near.sort_by_key(|(other, _)| (group.ranks[*other], *other));
        let (first, similarity) = *near.first()?;
        Some(Near { id: group.ids[first].clone(), similarity, by: Likeness::Words })
    }

    /// Takes in how an item reads and stands now. Gives the ids, of its kind, of all that now repeat another item than before,
    /// or none, or one.
    pub fn settle(&mut self, item: &Reviewable, standing: Standing) -> Vec<String> {
        let Some(group) = self.groups.get_mut(&(item.kind(), item.task())) else { return Vec::new() };
        let Some(&place) = group.places.get(item.id()) else { return Vec::new() };
        let (text, rank) = (item.text(), Rank::from(standing));
        if group.texts[place] == text && group.ranks[place] == rank {
            return Vec::new();
        }
        let Some(mut concerned) = group.concerned([place], MOST_REGROUPED) else { return Vec::new() };
        if group.texts[place] != text {
            group.texts[place] = text;
            group.reworded.insert(place);
            group.unplaced.insert(place);
        }
        group.ranks[place] = rank;
        let Some(now) = group.concerned(concerned.iter().copied().collect::<Vec<_>>(), MOST_REGROUPED) else {
            return Vec::new();
        };
        concerned.extend(now);
        group.regroup(&concerned)
    }

    /// Takes in which items mean the same, instead of what was known of that: of the kind `kind`, as they read now. Gives the
    /// ids of all that now repeat another item than before, or none, or one.
    pub fn mean_alike(&mut self, kind: ItemKind, pairs: &[Alike]) -> Vec<String> {
        let mut changed = Vec::new();
        for ((of, _), group) in &mut self.groups {
            if *of != kind {
                continue;
            }
            let mut alike: HashMap<usize, Vec<(usize, f64)>> = HashMap::new();
            // Pairs come sorted by their first, so that it is looked up once for many.
            let mut last: Option<(&str, Option<usize>)> = None;
            for pair in pairs.iter().filter(|pair| pair.kind == kind) {
                let first = match last {
                    Some((id, place)) if id == pair.first => place,
                    _ => group.places.get(&pair.first).copied(),
                };
                last = Some((&pair.first, first));
                let (Some(first), Some(&second)) = (first, group.places.get(&pair.second)) else { continue };
                alike.entry(first).or_default().push((second, pair.similarity));
                alike.entry(second).or_default().push((first, pair.similarity));
            }
            alike.values_mut().for_each(|near| near.sort_unstable_by_key(|(place, _)| *place));
            if group.unplaced.is_empty() && group.alike == alike {
                continue;
            }
            group.alike = alike;
            group.unplaced.clear();
            changed.extend(group.regroup_all());
        }
        changed
    }
}

impl Group {
    /// Items in the order in which they come first, without the rejected ones.
    fn in_order(&self, items: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut order: Vec<usize> = items.into_iter().filter(|place| self.ranks[*place] != Rank::Rejected).collect();
        order.sort_unstable_by_key(|place| (self.ranks[*place], *place));
        order
    }

    /// All that has nearly the words of a text.
    fn near_words(&self, text: &str) -> Vec<(usize, f64)> {
        let mut near = self.index.of_text(text);
        near.retain(|(other, _)| !self.reworded.contains(other));
        let reworded = self.reworded.iter().map(|other| (*other, similarity(text, &self.texts[*other])));
        near.extend(reworded.filter(|(_, found)| *found >= self.similar));
        near
    }

    /// All that is near to an item, itself left out.
    fn near(&self, place: usize) -> Vec<usize> {
        let words = self.near_words(&self.texts[place]).into_iter();
        let meaning = self.alike.get(&place).into_iter().flatten().copied();
        let placed = |other: &usize| !self.unplaced.contains(other);
        let meaning = meaning.filter(|(other, _)| placed(&place) && placed(other));
        words.chain(meaning).map(|(other, _)| other).filter(|other| *other != place).collect()
    }

    /// By what two items are near to each other, if they are.
    fn tie(&self, place: usize, other: usize) -> Option<(f64, Likeness)> {
        let words = similarity(&self.texts[place], &self.texts[other]);
        if words >= self.similar {
            return Some((words, Likeness::Words));
        }
        let alike = self.alike.get(&place)?;
        let at = alike.binary_search_by_key(&other, |(near, _)| *near).ok()?;
        Some((alike[at].1, Likeness::Meaning))
    }

    /// Some items, and all that are near to them, one to the next; nothing where these are more than `most`.
    fn concerned(&self, items: impl IntoIterator<Item = usize>, most: usize) -> Option<BTreeSet<usize>> {
        let mut found: BTreeSet<usize> = items.into_iter().collect();
        let mut open: Vec<usize> = found.iter().copied().collect();
        while let Some(place) = open.pop() {
            open.extend(self.near(place).into_iter().filter(|near| found.insert(*near)));
            if found.len() > most {
                return None;
            }
        }
        Some(found)
    }

    /// Finds out anew what all items repeat. Gives the ids of those for which that has changed. Whoever repeats an item is not
    /// compared with others: a thousand items that all say the same take a thousand comparisons, and not a million.
    fn regroup_all(&mut self) -> Vec<String> {
        if !self.reworded.is_empty() {
            self.index = NearDuplicates::from_similarity(&self.texts, self.similar);
            self.reworded.clear();
        }
        let order = self.in_order(0..self.ids.len());
        let mut firsts = self.index.firsts(&order, |place| self.alike.get(&place).map_or(&[][..], Vec::as_slice));
        firsts.retain(|item, first| item != first);
        let before = std::mem::replace(&mut self.firsts, firsts);
        let changed = (0..self.ids.len()).filter(|place| before.get(place) != self.firsts.get(place));
        changed.map(|place| self.ids[place].clone()).collect()
    }

    /// Finds out anew what items repeat, to which no others are near. Gives the ids of those for which that has changed.
    fn regroup(&mut self, items: &BTreeSet<usize>) -> Vec<String> {
        let mut firsts: HashMap<usize, usize> = HashMap::new();
        for place in self.in_order(items.iter().copied()) {
            if firsts.contains_key(&place) {
                continue;
            }
            firsts.insert(place, place);
            for near in self.near(place) {
                if self.ranks[near] != Rank::Rejected {
                    firsts.entry(near).or_insert(place);
                }
            }
        }
        let mut changed = HashSet::new();
        for place in items {
            let first = firsts.get(place).copied().filter(|first| first != place);
            let before = match first {
                Some(first) => self.firsts.insert(*place, first),
                None => self.firsts.remove(place),
            };
            if before != first {
                changed.insert(*place);
            }
        }
        let mut changed: Vec<usize> = changed.into_iter().collect();
        changed.sort_unstable();
        changed.into_iter().map(|place| self.ids[place].clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::Thought;
    use proptest::prelude::*;

    fn thought(id: usize, words: &str) -> Reviewable {
        let text = |text: &str| text.to_owned();
        Reviewable::Thought(Thought {
            id: format!("t{id}"),
            task: Task::Anomaly,
            problem: text("p"),
            analysis: text("a"),
            challenge: words.to_owned(),
            steps: vec![text("x")],
            attributes: serde_json::Map::new(),
        })
    }

    fn of(items: &[(Reviewable, Standing)], alike: &[Alike]) -> Repeats {
        let beside: Vec<Beside<'_>> =
            items.iter().map(|(current, standing)| Beside { current, standing: *standing }).collect();
        let mut repeats = Repeats::of(&beside, 0.6);
        repeats.mean_alike(ItemKind::Thought, alike);
        repeats
    }

    fn all_near(repeats: &Repeats, items: &[(Reviewable, Standing)]) -> Vec<Option<(String, Likeness)>> {
        items.iter().map(|(item, _)| repeats.near(item, &item.text()).map(|near| (near.id, near.by))).collect()
    }

    #[test]
    fn thoughts_that_all_say_the_same_repeat_the_first() {
        let n: usize = 500;
        let word = |n: usize| format!("w{}", (b'a' + (n % 26) as u8) as char);
        // All alike by meaning; by words each is near to some hundred.
        let words = |id: usize| format!("{} {} {} same thing said", word(id), word(id / 26), word(id / 676));
        let items: Vec<(Reviewable, Standing)> =
            (0..n).map(|id| (thought(id, &words(id)), Standing::Pending)).collect();
        let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
        let named = |(a, b)| Alike {
            kind: ItemKind::Thought,
            first: format!("t{a}"),
            second: format!("t{b}"),
            similarity: 0.9,
        };
        let alike: Vec<Alike> = pairs.map(named).collect();
        let mut repeats = of(&items, &[]);
        let changed = repeats.mean_alike(ItemKind::Thought, &alike);
        assert!(changed.len() < n);
        let near = all_near(&repeats, &items);
        assert_eq!(near[0], None);
        assert!(near[1..].iter().all(|near| near.as_ref().is_some_and(|(first, _)| first == "t0")));
        assert_eq!(repeats.mean_alike(ItemKind::Thought, &alike), [""; 0], "nothing new");
    }

    const STANDINGS: [Standing; 4] = [Standing::Pending, Standing::Accepted, Standing::Edited, Standing::Rejected];

    proptest! {
        /// Whatever happens one by one comes to what comparing everything anew comes to.
        #[test]
        fn what_is_kept_up_to_date_is_what_is_made_anew(
            texts in prop::collection::vec("[abc]( [abc]){0,3}", 1..14),
            pairs in prop::collection::vec((0usize..14, 0usize..14), 0..6),
            deeds in prop::collection::vec((0usize..14, prop::option::of("[abc]( [abc]){0,3}"), 0usize..4), 0..10),
        ) {
            let mut items: Vec<(Reviewable, Standing)> =
                texts.iter().enumerate().map(|(id, text)| (thought(id, text), Standing::Pending)).collect();
            let n = items.len();
            let alike: Vec<Alike> = pairs
                .into_iter()
                .map(|(a, b)| (a % n, b % n))
                .filter(|(a, b)| a != b)
                .map(|(a, b)| Alike { kind: ItemKind::Thought, first: format!("t{a}"), second: format!("t{b}"), similarity: 0.9 })
                .collect();
            let mut repeats = of(&items, &alike);
            let mut placed = alike;
            for (place, text, standing) in deeds {
                let place = place % n;
                let before = all_near(&repeats, &items);
                if let Some(text) = text {
                    let new = thought(place, &text);
                    if new.text() != items[place].0.text() {
                        let id = format!("t{place}");
                        placed.retain(|pair| pair.first != id && pair.second != id);
                    }
                    items[place].0 = new;
                }
                items[place].1 = STANDINGS[standing];
                let told = repeats.settle(&items[place].0, items[place].1);
                let after = all_near(&repeats, &items);
                prop_assert_eq!(&after, &all_near(&of(&items, &placed), &items));
                for other in (0..n).filter(|other| *other != place) {
                    let first = |of: &Option<(String, Likeness)>| of.as_ref().map(|(id, _)| id.clone());
                    if first(&before[other]) != first(&after[other]) {
                        prop_assert!(told.contains(&format!("t{other}")), "{} is told", other);
                    }
                }
            }
        }
    }
}
