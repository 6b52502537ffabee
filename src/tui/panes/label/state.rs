//! What the Label pane shows.

use std::collections::{HashMap, VecDeque};

use super::Action;
use crate::labels::{Category, Judgement, Label};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::widgets::ListView;

/// A template in the list.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which template.
    pub key: TemplateKey,
    /// Its name on the screen: dataset and id.
    pub name: SafeText,
    /// Its text, on one line.
    pub text: SafeText,
    /// How often it occurred.
    pub count: u64,
    /// Occurrence lines.
    pub samples: Vec<SafeText>,
    /// The annotator's own judgement, if there is one.
    pub own: Option<Judgement>,
    /// What the annotator added to it.
    pub comment: Option<SafeText>,
    /// What is hidden until the annotator has given a label. Read it through [`Item::revealed`].
    pub hidden: Reveal,
    /// Name and text in lower case, for the filter.
    pub haystack: String,
}

/// What an annotator may know only after giving a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reveal {
    /// The label that the template came with.
    pub original: Option<(Label, Option<Category>)>,
    /// What others said.
    pub others: Vec<OtherVote>,
}

/// Somebody else's vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVote {
    /// Whose.
    pub annotator: SafeText,
    /// What was said.
    pub judgement: Judgement,
    /// What was added.
    pub comment: Option<SafeText>,
}

impl Item {
    /// The original label and the others' votes, once the annotator has said normal or abnormal. Unsure and skip commit
    /// to nothing, so they reveal nothing: a later label is still a blind one.
    pub fn revealed(&self) -> Option<&Reveal> {
        let committed = self.own.as_ref().is_some_and(|own| own.label().is_some());
        committed.then_some(&self.hidden)
    }
}

/// How far the list has come from the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Loading {
    /// On its way, or about to be asked for.
    #[default]
    Waiting,
    /// It could not be read.
    Failed(SafeText),
    /// It is here.
    Done,
}

/// The Label pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) loading: Loading,
    pub(super) items: Vec<Item>,
    /// Which items the filter lets through, by index.
    pub(super) visible: Vec<usize>,
    /// The selected row, an index into `visible`.
    pub(super) selected: usize,
    pub(super) filter: String,
    pub(super) rows: ListView,
    /// Whether a category is being chosen.
    pub(super) choosing: bool,
    /// Whether a vote is on its way to the disk.
    pub(super) saving: bool,
    /// What was asked while a vote was on its way, in order.
    pub(super) waiting: VecDeque<Action>,
    /// The item that the last vote of this session was on.
    pub(super) last: Option<usize>,
    /// How many templates have a judgement of the annotator's own.
    pub(super) judged: usize,
    /// How many votes were cast since the start.
    pub(super) cast: usize,
    /// Comments that wait for a vote.
    pub(super) drafts: HashMap<TemplateKey, String>,
    /// The template to select once the list is here.
    pub(super) wanted: Option<String>,
}

impl State {
    /// The index of the selected item.
    pub(super) fn selected_index(&self) -> Option<usize> {
        self.visible.get(self.selected).copied()
    }

    /// The selected item.
    pub(super) fn selected_item(&self) -> Option<&Item> {
        self.items.get(self.selected_index()?)
    }

    /// Counts the templates that have a judgement of the annotator's own; once for each change, not for each frame.
    pub(super) fn count_judged(&mut self) {
        self.judged = self.items.iter().filter(|item| item.own.is_some()).count();
    }

    /// Moves the selection by rows, staying within the list.
    pub(super) fn step(&mut self, rows: isize) {
        self.selected = self.selected.saturating_add_signed(rows).min(self.visible.len().saturating_sub(1));
    }

    /// Selects an item, dropping the filter if it hides it.
    pub(super) fn select(&mut self, index: usize) {
        if !self.visible.contains(&index) {
            self.set_filter(String::new());
        }
        self.selected = self.visible.iter().position(|&i| i == index).unwrap_or(0);
    }

    /// Selects the next template without a judgement, from the selected one on and round to it again. Says whether there
    /// is one.
    pub(super) fn select_next_open(&mut self) -> bool {
        let rows = self.visible.len();
        let open = (1..=rows)
            .map(|ahead| (self.selected + ahead) % rows)
            .find(|&row| self.items[self.visible[row]].own.is_none());
        if let Some(row) = open {
            self.selected = row;
        }
        open.is_some()
    }

    /// Shows only items that hold every word of the filter, in name or text, whatever the case. The selected item stays
    /// selected if it is still there.
    pub(super) fn set_filter(&mut self, filter: String) {
        let selected = self.selected_index();
        let lower = filter.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let holds = |item: &Item| words.iter().all(|word| item.haystack.contains(word));
        // Typing one more letter can only narrow what is there.
        let narrows = !self.filter.is_empty() && filter.starts_with(&self.filter);
        if narrows {
            self.visible.retain(|&index| holds(&self.items[index]));
        } else {
            self.visible = (0..self.items.len()).filter(|&index| holds(&self.items[index])).collect();
        }
        self.filter = filter;
        self.selected = selected.and_then(|index| self.visible.binary_search(&index).ok()).unwrap_or(0);
    }
}
