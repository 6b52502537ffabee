//! What the map of thoughts knows.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::reasoning::Thought;
use crate::reasoning::projection::Point;
use crate::teacher::Overview;

/// How the map is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Projection {
    /// By the two directions in which thoughts differ most.
    #[default]
    Components,
    /// By t-SNE: what is alike stays together.
    Tsne,
}

/// Thoughts with what was found of them.
#[derive(Debug)]
pub(super) struct Made {
    pub thoughts: Arc<Vec<Thought>>,
    pub overview: Arc<Overview>,
    pub tsne: Option<Vec<Point>>,
}

/// A job under way.
#[derive(Debug)]
pub(super) struct Work {
    pub ticket: u64,
    pub stop: Arc<AtomicBool>,
    pub what: &'static str,
}

/// The map, and the order of the list that comes with it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) open: bool,
    /// Whether thoughts are to be listed in the order in which they add to each other.
    pub(super) by_order: bool,
    pub(super) made: Option<Made>,
    pub(super) failure: Option<String>,
    pub(super) work: Option<Work>,
    pub(super) tickets: u64,
    pub(super) projection: Projection,
    /// The thought in hand, by its id.
    pub(super) selected: Option<String>,
    /// The first row of it that is in sight.
    pub(super) top: Cell<usize>,
}

impl State {
    /// Whether it has the keyboard.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Where the points lie now.
    pub(super) fn points(&self) -> &[Point] {
        match (&self.made, self.projection) {
            (Some(Made { tsne: Some(points), .. }), Projection::Tsne) => points,
            (Some(made), _) => &made.overview.components().points,
            (None, _) => &[],
        }
    }

    /// The place of the thought in hand.
    pub(super) fn place(&self) -> Option<usize> {
        let made = self.made.as_ref()?;
        let id = self.selected.as_ref()?;
        made.thoughts.iter().position(|thought| thought.id == *id)
    }
}
