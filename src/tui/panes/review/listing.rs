//! The queue of one kind as it is listed: items under the trouble that they are in, the gravest first, then as they came.

use crate::labels::search::{Haystack, Query, search};
use crate::reasoning::Trouble;
use crate::tui::widgets::ListView;

use super::entry::Entry;

/// What is listed, as far as trouble goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Only {
    /// Everything.
    #[default]
    All,
    /// What is in this trouble, or in none.
    In(Option<Trouble>),
    /// The sample that is looked at before what shows no trouble is accepted.
    Sample,
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// A trouble, or none, with how many of its items are decided and how many there are, listed or not.
    Heading(Option<Trouble>, usize, usize),
    /// An item, by its place in the queue.
    Item(usize),
}

/// The list. It holds places in the queue, never the items themselves.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub only: Only,
    /// The items of the sample, where one was drawn.
    pub sampled: Vec<usize>,
    /// Whether only undecided items are listed.
    pub pending: bool,
    /// Words that an item must hold.
    pub words: String,
    haystack: Haystack,
    pub rows: Vec<Row>,
    /// The place in the queue of the item under the cursor, or of the one that was there before nothing was listed.
    front: Option<usize>,
    pub view: ListView,
}

impl Listing {
    /// Takes a freshly read queue. The cursor goes to the item `front`, else to the first that is undecided.
    pub fn read(&mut self, entries: &[Entry], front: Option<usize>) {
        self.haystack = Haystack::new(entries.iter().map(|entry| {
            let item = &entry.current;
            format!("{} {} {}", item.id(), item.input(), item.text())
        }));
        let fresh = front.is_none();
        self.rows.clear();
        self.front = front;
        self.arrange(entries);
        if fresh && self.selected().is_some_and(|place| !entries[place].open) {
            self.select_next_open(entries);
        }
    }

    /// Lists anew, keeping the cursor on its item, or else on the one that came after it.
    pub fn arrange(&mut self, entries: &[Entry]) {
        let all: Vec<usize> = (0..entries.len()).collect();
        let query = Query { words: self.words.clone(), fuzzy: String::new() };
        let found: Vec<usize> = search(&self.haystack, &query, &all).into_iter().map(|found| found.item).collect();
        let before: Vec<usize> = self.places().collect();
        self.rows.clear();
        // In one go over the items, of which there may be tens of thousands.
        let groups: Vec<Option<Trouble>> = Trouble::ALL.map(Some).into_iter().chain([None]).collect();
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
        for place in found {
            let entry = &entries[place];
            let group = match self.only {
                Only::All => entry.under,
                Only::In(only) if entry.is_in(only) => only,
                Only::Sample if self.sampled.contains(&place) => entry.under,
                Only::In(_) | Only::Sample => continue,
            };
            members[group.map_or(groups.len() - 1, |trouble| trouble as usize)].push(place);
        }
        for (group, mut members) in groups.into_iter().zip(members) {
            let all = members.len();
            let decided = members.iter().filter(|place| !entries[**place].open).count();
            if self.pending {
                members.retain(|place| entries[*place].open);
            }
            if !members.is_empty() {
                self.rows.push(Row::Heading(group, decided, all));
                self.rows.extend(members.into_iter().map(Row::Item));
            }
        }
        let mut shown = vec![false; entries.len()];
        self.places().for_each(|place| shown[place] = true);
        let listed = |place: &usize| shown.get(*place).is_some_and(|shown| *shown);
        let at = self.front.and_then(|front| before.iter().position(|place| *place == front));
        let after = at.and_then(|at| before[at..].iter().chain(before[..at].iter().rev()).copied().find(listed));
        let kept = self.front.filter(listed).or(after).or(self.places().next());
        self.front = kept.or(self.front);
    }

    /// The places of all listed items, from the top.
    pub fn places(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.rows.iter().filter_map(|row| match row {
            Row::Item(place) => Some(*place),
            Row::Heading(..) => None,
        })
    }

    /// The item under the cursor.
    pub fn selected(&self) -> Option<usize> {
        self.front.filter(|front| self.row_of(*front).is_some())
    }

    /// Where an item stands among the rows.
    pub fn row_of(&self, place: usize) -> Option<usize> {
        self.rows.iter().position(|row| *row == Row::Item(place))
    }

    /// Moves the cursor over so many items, staying within the list.
    pub fn step(&mut self, by: isize) {
        let places: Vec<usize> = self.places().collect();
        let Some(at) = self.front.and_then(|front| places.iter().position(|place| *place == front)) else { return };
        self.front = places.get(at.saturating_add_signed(by).min(places.len() - 1)).copied();
    }

    /// Brings an item under the cursor, and lists everything if it was not listed.
    pub fn select(&mut self, place: usize, entries: &[Entry]) {
        if self.row_of(place).is_none() {
            self.show_all();
            self.arrange(entries);
        }
        self.front = Some(place);
    }

    /// Brings the next undecided item under the cursor, from the end round to the start. Says whether there is one.
    pub fn select_next_open(&mut self, entries: &[Entry]) -> bool {
        let places: Vec<usize> = self.places().collect();
        let at = self.front.and_then(|front| places.iter().position(|place| *place == front)).unwrap_or(0);
        let open = |place: &usize| entries[*place].open;
        let next = places.iter().skip(at + 1).chain(places.iter().take(at)).copied().find(open);
        self.front = next.or(self.front);
        next.is_some()
    }

    /// Brings the first undecided item under the cursor, if there is one.
    pub fn select_first_open(&mut self, entries: &[Entry]) {
        let first = self.places().find(|place| entries[*place].open);
        self.front = first.or(self.front);
    }

    /// Leaves nothing out any more; [`Listing::arrange`] must follow.
    pub fn show_all(&mut self) {
        self.pending = false;
        self.only = Only::All;
        self.words.clear();
    }
}
