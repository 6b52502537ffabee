//! The lines around an occurrence of a template: which is shown, and what is known of it already.
//!
//! Lines are read on a thread of their own, the selected item's first and then those of the next few items, so that they
//! are here before the cursor is. Until they are, the lines that came with the template are shown.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Item;
use crate::logs::{SafeText, TemplateKey};

/// How many lines before and after an occurrence can be asked for.
const AROUND: [usize; 5] = [0, 3, 10, 30, 100];

/// So many contexts are kept.
const KEPT: usize = 64;

/// So many items ahead are read before they are reached.
pub(super) const AHEAD: usize = 3;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Whose occurrence.
    pub template: TemplateKey,
    /// Which occurrence, from 0.
    pub occurrence: u64,
    /// How many lines before and after.
    pub around: usize,
    /// Whether only lines of the same node.
    pub same_node: bool,
}

/// The lines around an occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The file that they are in.
    pub source: SafeText,
    /// How many occurrences the template has there is to show.
    pub occurrences: u64,
    /// The lines: number, text, and whether this is the occurrence itself.
    pub lines: Vec<(u64, SafeText, bool)>,
}

/// What is shown, and what is known.
#[derive(Clone, Debug)]
pub(super) struct Contexts {
    around: usize,
    pub same_node: bool,
    occurrence: u64,
    known: HashMap<Ask, Result<Option<Arc<Occurrence>>, SafeText>>,
    /// In the order in which they came, to forget the oldest.
    kept: VecDeque<Ask>,
    asked: HashSet<Ask>,
}

impl Default for Contexts {
    fn default() -> Self {
        Self {
            around: 2,
            same_node: false,
            occurrence: 0,
            known: HashMap::new(),
            kept: VecDeque::new(),
            asked: HashSet::new(),
        }
    }
}

impl Contexts {
    /// What to read for an item that is looked at.
    pub fn ask(&self, item: &Item) -> Ask {
        Ask { occurrence: self.occurrence, ..self.ask_first(item) }
    }

    fn ask_first(&self, item: &Item) -> Ask {
        let around = AROUND[self.around];
        Ask { template: item.key.clone(), occurrence: 0, around, same_node: self.same_node }
    }

    /// Another item is looked at: back to its first occurrence.
    pub fn rewind(&mut self) {
        self.occurrence = 0;
    }

    /// What is still to be read for the item that is looked at and the ones after it, each once. What was asked for earlier
    /// and is out of sight now is no longer waited for.
    pub fn wanted<'a>(&mut self, shown: &Item, ahead: impl Iterator<Item = &'a Item>) -> Vec<Ask> {
        let mut asks = vec![self.ask(shown)];
        asks.extend(ahead.map(|item| self.ask_first(item)));
        asks.retain(|ask| !self.known.contains_key(ask));
        let before = std::mem::replace(&mut self.asked, asks.iter().cloned().collect());
        asks.retain(|ask| !before.contains(ask));
        asks
    }

    /// What was asked for is here.
    pub fn take(&mut self, ask: Ask, found: Result<Option<Occurrence>, String>) {
        self.asked.remove(&ask);
        let found = found.map(|found| found.map(Arc::new)).map_err(|why| SafeText::one_line(&why));
        if self.known.insert(ask.clone(), found).is_none() {
            self.kept.push_back(ask);
        }
        if self.kept.len() > KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// The logs may have changed.
    pub fn forget(&mut self) {
        self.known.clear();
        self.kept.clear();
        self.asked.clear();
    }

    /// What is known of the occurrence that is looked at.
    pub fn known(&self, item: &Item) -> Option<&Result<Option<Arc<Occurrence>>, SafeText>> {
        self.known.get(&self.ask(item))
    }

    /// To another occurrence, staying among those there are; without a move where nothing is known of any yet.
    pub fn step(&mut self, item: &Item, by: i64) {
        let of_item = self.known.iter().filter(|(ask, _)| ask.template == item.key);
        let there_are =
            of_item.filter_map(|(_, found)| found.as_ref().ok()?.as_ref().map(|here| here.occurrences)).max();
        if let Some(there_are) = there_are {
            self.occurrence = self.occurrence.saturating_add_signed(by).min(there_are.saturating_sub(1));
        }
    }

    /// More lines, or fewer.
    pub fn widen(&mut self, by: isize) {
        self.around = self.around.saturating_add_signed(by).min(AROUND.len() - 1);
    }

    /// `occurrence 3 of 403, 10 lines around, same node`.
    pub fn title(&self, here: &Occurrence) -> String {
        let node = if self.same_node { ", same node" } else { "" };
        let (n, of) = (self.occurrence + 1, here.occurrences);
        format!("Occurrence {n} of {of}, +-{} lines{node}  {}", AROUND[self.around], here.source)
    }
}
