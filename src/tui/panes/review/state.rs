//! What the Review pane knows: the queue of each kind, and where the user is in it.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::reasoning::{ItemKind, Thought, Trouble};
use crate::workspace::{Heard, ReviewBoard};

use super::actions::Action;
use super::closeness::{Around, Closeness};
use super::effects::Agreed;
use super::entry::Entry;
use super::listing::Listing;

/// What the keys mean now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Doing {
    /// Going through the queue.
    #[default]
    Reading,
    /// Choosing which trouble is listed.
    Choosing,
}

/// What the pane shows.
#[derive(Debug, Default)]
pub struct State {
    /// The items of each kind, in the order of [`ItemKind::ALL`].
    pub(super) queues: [Vec<Entry>; 3],
    /// Where in its queue each item stands, by its id.
    pub(super) places: [HashMap<String, usize>; 3],
    /// What they are judged by.
    pub(super) board: ReviewBoard,
    /// How far reviewers agree.
    pub(super) agreement: Option<Agreed>,
    /// What of each is listed, and where the cursor is.
    pub(super) lists: [Listing; 3],
    /// Why there is nothing to see, if that is so.
    pub(super) failure: Option<String>,
    /// Up to where what reviewers said is heard.
    pub(super) heard: Heard,
    /// Whether the queue has been read at all.
    pub(super) loaded: bool,
    /// Which kind is shown, by its place in [`ItemKind::ALL`].
    pub(super) kind: usize,
    pub(super) doing: Doing,
    /// The item to go to once the queue is read: its kind, by place, and its id.
    pub(super) wanted: Option<(usize, String)>,
    /// The item that is drawn, by kind and place: the one under the cursor, or, while that moves, the one that it left.
    pub(super) shown: Option<(usize, usize)>,
    /// The step in hand, from 0.
    pub(super) step: usize,
    /// Whether the shared prefix of pairs is shown in full.
    pub(super) prefix_open: bool,
    /// Whether words that the log does not have are marked too, and not only quotations, numbers and names.
    pub(super) words_marked: bool,
    /// How many are to be looked at before what shows no trouble is accepted, while they are.
    pub(super) sample: Option<usize>,
    /// What the user did since the start, for undo: whether it was marking steps, the newest last.
    pub(super) deeds: Vec<bool>,
    /// The item that an open prompt is about.
    pub(super) asked: Option<(ItemKind, String)>,
    /// A decision is on its way to the disk; what is asked meanwhile waits in `ahead`.
    pub(super) writing: bool,
    /// Whether the cursor stays on the item once the decision on its way is on disk: what was done to it wants to be seen.
    pub(super) stays: bool,
    /// Asked for while a decision was on its way.
    pub(super) ahead: VecDeque<Action>,
    pub(super) reading: Reading,
    /// Which thoughts are near to which, once that is known.
    pub(super) closeness: Option<Closeness>,
    /// Whether the queue was read since: then what it flags is listed so; else things stay where they are worked on.
    pub(super) relist: bool,
    /// The thoughts that it is being found out of.
    pub(super) looking: Option<Arc<Vec<Thought>>>,
    /// How often that was asked.
    pub(super) looks: u64,
    /// What is around the thought that is drawn.
    pub(super) around: Option<(String, Option<Around>)>,
    /// The map of thoughts.
    pub(super) map: super::thoughts::State,
}

/// How far the user has read in the item. Drawing notes how much there is; nothing but the next draw and scrolling
/// depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// The first row in sight.
    pub top: Cell<usize>,
    /// How many rows there are.
    pub rows: Cell<usize>,
    /// How many are in sight.
    pub height: Cell<usize>,
    /// Whether the step in hand is to be in sight, wherever that takes the rows.
    pub follows: bool,
}

impl Reading {
    /// Goes down, or up, by nearly what is in sight.
    pub fn turn(&mut self, down: bool) {
        let page = self.height.get().saturating_sub(2).max(1);
        let lowest = self.rows.get().saturating_sub(self.height.get());
        let top = self.top.get();
        self.top.set(if down { (top + page).min(lowest) } else { top.saturating_sub(page) });
        self.follows = false;
    }

    /// The first row to draw of `rows`, `height` of which are in sight; `aim` are those to be in sight while the user goes
    /// through the steps.
    pub fn scrolled(&self, rows: usize, height: usize, aim: (usize, usize)) -> usize {
        self.rows.set(rows);
        self.height.set(height);
        let lowest = rows.saturating_sub(height);
        let mut top = self.top.get().min(lowest);
        if self.follows && (aim.0 < top || aim.1 > top + height) {
            // In the middle, so that what comes before and after can be read too.
            top = ((aim.0 + aim.1) / 2).saturating_sub(height / 2).min(aim.0).min(lowest);
        }
        self.top.set(top);
        top
    }
}

impl State {
    /// The kind that is shown.
    pub(super) fn kind(&self) -> ItemKind {
        ItemKind::ALL[self.kind]
    }

    /// The items of the kind that is shown.
    pub(super) fn queue(&self) -> &[Entry] {
        &self.queues[self.kind]
    }

    /// What of them is listed.
    pub(super) fn list(&self) -> &Listing {
        &self.lists[self.kind]
    }

    /// The item under the cursor.
    pub(super) fn selected(&self) -> Option<&Entry> {
        self.list().selected().map(|place| &self.queue()[place])
    }

    /// The item that is drawn.
    pub(super) fn shown(&self) -> Option<&Entry> {
        let (kind, place) = self.shown.filter(|(kind, _)| *kind == self.kind)?;
        self.queues[kind].get(place)
    }

    /// How many items of a kind no longer wait for the reviewer.
    pub(super) fn decided(&self, kind: usize) -> usize {
        self.queues[kind].iter().filter(|entry| !entry.open).count()
    }

    /// The troubles that items of the shown kind are in, the worst first, then none: those that a digit can name.
    pub(super) fn troubles(&self) -> Vec<Option<Trouble>> {
        let found = |trouble: &Trouble| self.queue().iter().any(|entry| entry.is_in(Some(*trouble)));
        Trouble::ALL.into_iter().filter(found).take(8).map(Some).chain([None]).collect()
    }

    /// Judges items anew: what is known of others has changed.
    pub(super) fn judge_again(&mut self, kind: ItemKind, ids: &[String], reviewer: &str) {
        for place in ids.iter().filter_map(|id| self.places[kind as usize].get(id)) {
            self.queues[kind as usize][*place].judge(&self.board, reviewer);
        }
    }

    /// Puts items under the gravest trouble that they are in now.
    pub(super) fn list_under_trouble(&mut self, kind: ItemKind, ids: &[String]) {
        for place in ids.iter().filter_map(|id| self.places[kind as usize].get(id)) {
            let entry = &mut self.queues[kind as usize][*place];
            entry.under = entry.troubles().first().copied();
        }
    }

    /// The place of an item in the queue of its kind.
    pub(super) fn place_of(&self, kind: ItemKind, id: &str) -> Option<usize> {
        self.places[kind as usize].get(id).copied()
    }

    pub(super) fn bookmark(&self) -> Option<String> {
        let here = self.selected().map(|entry| (self.kind, entry.id()));
        let (kind, id) = here.or(self.wanted.as_ref().map(|(kind, id)| (*kind, id.as_str())))?;
        Some(format!("{}/{id}", ItemKind::ALL[kind]))
    }

    pub(super) fn return_to(&mut self, bookmark: &str) {
        let Some((kind, id)) = bookmark.split_once('/') else { return };
        if let Some(kind) = ItemKind::ALL.iter().position(|known| known.as_str() == kind) {
            self.kind = kind;
            self.wanted = Some((kind, id.to_owned()));
        }
    }
}
