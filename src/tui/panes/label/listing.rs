//! The list of templates: in which order, what of it is in sight, and where the cursor is.

use crate::labels::near_duplicates::NearDuplicates;
use crate::labels::queue::{Entry, Order, arrange};
use crate::labels::search::{Haystack, Match, Query, best_first, search, search_on};
use crate::logs::SafeText;
use crate::tui::widgets::{ListView, count};

use super::Item;

/// The list. It holds places in the items, never the items themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub order: Order,
    /// Why the order lists nothing, if it cannot be made yet.
    pub why_not: Option<SafeText>,
    /// Whether the order is still to come, when the near-duplicates are known; until then all is as it was imported.
    pub pending: bool,
    /// All items of the order.
    queue: Vec<usize>,
    pub query: Query,
    haystack: Haystack,
    /// What the query finds, in the order of the queue.
    matches: Vec<Match>,
    /// What is in sight, in the order in which it is.
    pub visible: Vec<usize>,
    /// The selected row, a place in `visible`.
    pub row: usize,
    pub rows: ListView,
}

impl Listing {
    /// Takes new texts; [`Listing::arrange`] must follow.
    pub fn read(&mut self, items: &[Item]) {
        self.haystack = Haystack::new(items.iter().map(|item| format!("{} {}", item.name, item.text)));
    }

    /// Puts the items in an order, keeping the cursor on its item. It stays as it is while votes are cast: rows that jump
    /// about under the cursor would be voted on by mistake.
    pub fn arrange(&mut self, order: Order, items: &[Item], near: Option<&NearDuplicates>) {
        self.order = order;
        self.pending = order.needs_near_duplicates() && near.is_none();
        let possible = if self.pending { Order::Imported } else { order };
        let entries: Vec<Entry<'_>> = items.iter().map(Item::entry).collect();
        let arranged = arrange(possible, &entries, near);
        self.why_not = arranged.as_ref().err().map(|why| SafeText::one_line(why));
        self.queue = arranged.unwrap_or_default();
        let query = self.query.clone();
        self.find(query, false);
    }

    /// Shows only what a query finds. The selected item stays selected if it is still there, unless fuzzy words put the
    /// best match first: then that is selected.
    pub fn search(&mut self, query: Query) {
        let narrows = !self.query.is_empty() && query.narrows(&self.query);
        self.find(query, narrows);
    }

    fn find(&mut self, query: Query, narrows: bool) {
        let selected = self.selected();
        let ranked = !query.fuzzy.trim().is_empty();
        self.matches = if narrows {
            let among: Vec<usize> = self.matches.iter().map(|found| found.item).collect();
            search_on(&self.haystack, &query, &self.query, &among)
        } else {
            search(&self.haystack, &query, &self.queue)
        };
        self.visible =
            if ranked { best_first(&self.matches) } else { self.matches.iter().map(|found| found.item).collect() };
        let typed = ranked && query.fuzzy != self.query.fuzzy;
        self.query = query;
        let kept = selected.filter(|_| !typed).and_then(|item| self.visible.iter().position(|other| *other == item));
        self.row = kept.unwrap_or(0);
    }

    /// The selected item.
    pub fn selected(&self) -> Option<usize> {
        self.visible.get(self.row).copied()
    }

    /// Moves the cursor by rows, staying within the list.
    pub fn step(&mut self, rows: isize) {
        self.row = self.row.saturating_add_signed(rows).min(self.visible.len().saturating_sub(1));
    }

    /// Selects an item: drops the query if that hides it, and the order if that does not list it.
    pub fn select(&mut self, item: usize, items: &[Item]) {
        if !self.visible.contains(&item) {
            self.search(Query::default());
        }
        if !self.visible.contains(&item) {
            self.arrange(Order::Imported, items, None);
        }
        self.row = self.visible.iter().position(|other| *other == item).unwrap_or(0);
    }

    /// Selects the next item that is open, from the selected one on and round to it again. Says whether there is one.
    pub fn select_next_open(&mut self, items: &[Item]) -> bool {
        let rows = self.visible.len();
        let open =
            (1..=rows).map(|ahead| (self.row + ahead) % rows).find(|&row| items[self.visible[row]].own.is_none());
        if let Some(row) = open {
            self.row = row;
        }
        open.is_some()
    }

    /// The items below the selected one, as many as asked.
    pub fn next(&self, many: usize) -> impl Iterator<Item = usize> {
        self.visible.iter().skip(self.row + 1).take(many).copied()
    }

    /// The order in words; nothing where all is as it was imported.
    pub fn order_title(&self) -> Option<String> {
        let title = self.order.title();
        match self.order {
            Order::Imported => None,
            _ if self.pending => Some(format!("{title} (being looked for)")),
            _ if self.order.selects() => Some(format!("{title}: {}", count(self.queue.len() as u64))),
            _ => Some(title.to_owned()),
        }
    }

    /// The query in words and how much it finds, with ` | ` before it; nothing where there is none.
    pub fn query_title(&self) -> String {
        let Query { words, fuzzy } = &self.query;
        if self.query.is_empty() {
            return String::new();
        }
        let mut title = format!(" | {} match", count(self.visible.len() as u64));
        if !words.trim().is_empty() {
            title += &format!(" \"{words}\"");
        }
        if !fuzzy.trim().is_empty() {
            title += &format!(" ~\"{fuzzy}\"");
        }
        title
    }
}
