//! What the Review pane knows: the queue of each kind, and where the user is in it.

use std::cell::Cell;
use std::collections::VecDeque;

use crate::reasoning::{ItemKind, Review, Reviewable, Standing, Trouble};
use crate::tui::widgets::ListView;

use super::actions::Action;

/// An item of the queue, with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// As it came in.
    pub original: Reviewable,
    /// As the newest review leaves it.
    pub current: Reviewable,
    /// The newest review.
    pub review: Option<Review>,
    /// What is wrong with it, as it is now.
    pub troubles: Vec<Trouble>,
}

impl Entry {
    /// An item as its newest review leaves it.
    pub fn new(original: Reviewable, review: Option<Review>) -> Self {
        let current = original.clone().under(review.as_ref().map(|review| &review.verdict));
        let troubles = current.troubles();
        Self { original, current, review, troubles }
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        Standing::of(self.review.as_ref())
    }
}

/// What the pane shows.
#[derive(Debug, Default)]
pub struct State {
    /// The items of each kind, in the order of [`ItemKind::ALL`].
    pub(super) queues: [Vec<Entry>; 3],
    /// Why there is nothing to see, if that is so.
    pub(super) failure: Option<String>,
    /// Whether the queue has been read at all.
    pub(super) loaded: bool,
    /// Which kind is shown, by its place in [`ItemKind::ALL`].
    pub(super) kind: usize,
    /// The id of the item in front, for each kind.
    pub(super) places: [Option<String>; 3],
    /// Whether only what is pending is listed.
    pub(super) only_pending: bool,
    /// The item that an open prompt is about.
    pub(super) asked: Option<(ItemKind, String)>,
    /// A decision is on its way to the disk; what is asked meanwhile waits in `ahead`.
    pub(super) writing: bool,
    /// Asked for while a decision was on its way.
    pub(super) ahead: VecDeque<Action>,
    pub(super) list: ListView,
    pub(super) reading: Reading,
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
}

impl Reading {
    /// Goes down, or up, by nearly what is in sight.
    pub fn turn(&self, down: bool) {
        let page = self.height.get().saturating_sub(2).max(1);
        let lowest = self.rows.get().saturating_sub(self.height.get());
        let top = self.top.get();
        self.top.set(if down { (top + page).min(lowest) } else { top.saturating_sub(page) });
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

    /// The places, in the queue, of the items that are listed.
    pub(super) fn listed(&self) -> Vec<usize> {
        let shown = |entry: &Entry| !self.only_pending || entry.standing() == Standing::Pending;
        self.queue().iter().enumerate().filter(|(_, entry)| shown(entry)).map(|(at, _)| at).collect()
    }

    /// The place in the list of the item in front: the remembered one if it is listed, else the first listed one that
    /// comes after it in the queue.
    pub(super) fn front(&self, listed: &[usize]) -> Option<usize> {
        let last = listed.len().checked_sub(1)?;
        let Some(id) = &self.places[self.kind] else { return Some(0) };
        let Some(at) = self.queue().iter().position(|entry| entry.original.id() == id) else { return Some(0) };
        Some(listed.iter().position(|&place| place >= at).unwrap_or(last))
    }

    /// The item in front.
    pub(super) fn selected(&self) -> Option<&Entry> {
        let listed = self.listed();
        self.front(&listed).map(|front| &self.queue()[listed[front]])
    }

    /// Brings an item of the shown kind to the front.
    pub(super) fn select(&mut self, place: usize) {
        let id = self.queue().get(place).map(|entry| entry.original.id().to_owned());
        if self.places[self.kind] != id {
            self.places[self.kind] = id;
            self.reading.top.set(0);
        }
    }

    /// How many items of a kind are pending.
    pub(super) fn pending(&self, kind: usize) -> usize {
        self.queues[kind].iter().filter(|entry| entry.standing() == Standing::Pending).count()
    }

    pub(super) fn bookmark(&self) -> Option<String> {
        let id = self.places[self.kind].as_ref()?;
        Some(format!("{}/{id}", self.kind()))
    }

    pub(super) fn return_to(&mut self, bookmark: &str) {
        let Some((kind, id)) = bookmark.split_once('/') else { return };
        if let Some(kind) = ItemKind::ALL.iter().position(|known| known.as_str() == kind) {
            self.kind = kind;
            self.places[kind] = Some(id.to_owned());
        }
    }
}
