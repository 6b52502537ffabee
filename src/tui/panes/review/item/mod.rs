//! An item of the queue as rows of text: what there is to know before it is decided.
//!
//! Everything is wrapped to a width, so that it can scroll by rows and stand in columns.

mod around;
mod blocks;
mod facts;
mod pair;
mod rationale;
mod steps;
mod thought;

use ratatui::style::Style;
use ratatui::text::Line;

use super::closeness::Around;
use super::entry::Entry;
use crate::reasoning::{Reviewable, Standing};
use crate::tui::theme::Theme;

/// From this width on, the log and the facts stand beside the steps instead of above them, and a pair's sides beside
/// each other.
const SIDE_BY_SIDE: usize = 100;

/// How an item is to be laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// Who looks at it.
    pub reviewer: &'a str,
    /// In so many columns.
    pub width: usize,
    /// Whether there is room for empty rows between steps.
    pub airy: bool,
    /// The step in hand, from 0.
    pub step: usize,
    /// Whether the shared steps of a pair are shown.
    pub prefix_open: bool,
    /// Whether words that the log does not have are marked too.
    pub words_marked: bool,
    /// The item that it nearly repeats.
    pub near: Option<&'a Reviewable>,
    /// What is around a thought, once that is known.
    pub around: Option<&'a Around>,
}

/// An item laid out.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// All its rows.
    pub rows: Vec<Line<'static>>,
    /// The rows that are to be in sight while the user goes through the steps: the first, and the one after the last.
    pub aim: (usize, usize),
}

/// Everything there is to see of an item.
pub(super) fn lay_out(entry: &Entry, look: Look<'_>, theme: &Theme) -> Laid {
    match &entry.current {
        Reviewable::Rationale(rationale) => rationale::lay_out(rationale, entry, look, theme),
        Reviewable::Pair(pair) => pair::lay_out(pair, entry, look, theme),
        Reviewable::Thought(thought) => thought::lay_out(thought, entry, look, theme),
    }
}

pub(super) use facts::label_style;

/// What a standing looks like: a mark, its word, its style.
pub(super) fn standing(standing: Standing, theme: &Theme) -> (&'static str, &'static str, Style) {
    let (mark, style) = match standing {
        Standing::Pending => (".", theme.muted),
        Standing::Accepted => ("+", theme.normal),
        Standing::Edited => ("~", theme.normal),
        Standing::Rejected => ("x", theme.abnormal),
    };
    (mark, standing.as_str(), style)
}
