//! Templates to be decided together: marked rows, or a template and its near-duplicates. They are shown first, each can be
//! unticked, and then one decision counts for all that are ticked.

use std::collections::HashSet;

use super::Item;
use crate::tui::widgets::ListView;

/// The rows of a batch.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub rows: Vec<usize>,
    pub ticked: HashSet<usize>,
    pub row: usize,
    pub view: ListView,
    pub what: &'static str,
}

impl Batch {
    /// The marked rows, all ticked: they were chosen one by one.
    pub fn of_marked(marked: &HashSet<usize>, order: &[usize]) -> Self {
        let mut rows: Vec<usize> = order.iter().copied().filter(|item| marked.contains(item)).collect();
        // Marked rows that a filter hides are still marked.
        let shown: HashSet<usize> = rows.iter().copied().collect();
        let mut hidden: Vec<usize> = marked.difference(&shown).copied().collect();
        hidden.sort_unstable();
        rows.extend(hidden);
        Self { ticked: marked.clone(), rows, row: 0, view: ListView::default(), what: "marked" }
    }

    /// A template and its near-duplicates, nearest first. What has a judgement already is shown but not ticked, so that no
    /// earlier decision is replaced by accident.
    pub fn of_near_duplicates(item: usize, near: Vec<usize>, items: &[Item]) -> Self {
        let rows: Vec<usize> = std::iter::once(item).chain(near).collect();
        let ticked = rows.iter().copied().filter(|other| *other == item || items[*other].own.is_none()).collect();
        Self { rows, ticked, row: 0, view: ListView::default(), what: "near-duplicates" }
    }

    /// The item under the cursor.
    pub fn selected(&self) -> Option<usize> {
        self.rows.get(self.row).copied()
    }

    /// Moves the cursor by rows.
    pub fn step(&mut self, rows: isize) {
        self.row = self.row.saturating_add_signed(rows).min(self.rows.len().saturating_sub(1));
    }

    /// Ticks or unticks the row under the cursor, and goes on to the next.
    pub fn toggle(&mut self) {
        if let Some(item) = self.selected() {
            if !self.ticked.remove(&item) {
                self.ticked.insert(item);
            }
            self.step(1);
        }
    }

    /// Ticks all rows, or none where all are ticked.
    pub fn toggle_all(&mut self) {
        if self.ticked.len() == self.rows.len() {
            self.ticked.clear();
        } else {
            self.ticked = self.rows.iter().copied().collect();
        }
    }

    /// The ticked items, in the order shown.
    pub fn chosen(&self) -> Vec<usize> {
        self.rows.iter().copied().filter(|item| self.ticked.contains(item)).collect()
    }
}
