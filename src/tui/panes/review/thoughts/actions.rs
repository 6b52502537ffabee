//! What the user can ask of the map of thoughts.

use crossterm::event::KeyCode;

use super::super::actions::Action as Review;
use crate::tui::action::{self, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// The map of thoughts has the keyboard.
pub const MAP: Mode = Mode("map");

/// What the user can ask of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The nearest point to the left.
    Left,
    /// The nearest point to the right.
    Right,
    /// The nearest point above.
    Up,
    /// The nearest point below.
    Down,
    /// The neighbour of this number, from 1.
    Neighbour(u8),
    /// The thought that is chosen next where each adds as much as it can.
    NextChosen,
    /// The thought that is chosen before.
    PreviousChosen,
    /// Lay the map out by t-SNE, or by principal components again.
    Projection,
    /// Read further down in the thought.
    ScrollDown,
    /// Read further up in the thought.
    ScrollUp,
    /// Go to the thought in the list.
    Show,
    /// Back to the list as it was.
    Leave,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(action::Action::Review(Review::Map(action)), id, PaneId::Review, keys, short, help).during(MAP)
}

const fn neighbour(number: u8, id: &'static str, keys: &'static [Key], short: &'static str) -> Spec {
    row(Action::Neighbour(number), id, keys, short, "go to the neighbour of this number")
}

/// The map's rows of the action table.
pub const ACTIONS: &[Spec] = &[
    row(
        Action::Left,
        "map-left",
        &[Key::code(KeyCode::Left), Key::char('h')],
        "point",
        "go to the nearest point on the left",
    ),
    row(
        Action::Right,
        "map-right",
        &[Key::code(KeyCode::Right), Key::char('l')],
        "",
        "go to the nearest point on the right",
    ),
    row(Action::Up, "map-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the nearest point above"),
    row(Action::Down, "map-down", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the nearest point below"),
    neighbour(1, "map-neighbour-1", &[Key::char('1')], "nearest"),
    neighbour(2, "map-neighbour-2", &[Key::char('2')], ""),
    neighbour(3, "map-neighbour-3", &[Key::char('3')], ""),
    neighbour(4, "map-neighbour-4", &[Key::char('4')], ""),
    neighbour(5, "map-neighbour-5", &[Key::char('5')], ""),
    row(
        Action::NextChosen,
        "map-next-chosen",
        &[Key::char(']')],
        "chosen",
        "go to the thought that adds most after this one",
    ),
    row(
        Action::PreviousChosen,
        "map-previous-chosen",
        &[Key::char('[')],
        "",
        "go to the thought that is chosen before this one",
    ),
    row(
        Action::Projection,
        "map-projection",
        &[Key::char('t')],
        "t-SNE",
        "lay the map out by t-SNE, or by principal components",
    ),
    row(
        Action::ScrollDown,
        "map-scroll-down",
        &[Key::char(' '), Key::code(KeyCode::PageDown)],
        "",
        "read further down in the thought",
    ),
    row(
        Action::ScrollUp,
        "map-scroll-up",
        &[Key::char('b'), Key::code(KeyCode::PageUp)],
        "",
        "read further up in the thought",
    ),
    row(Action::Show, "map-show", &[Key::code(KeyCode::Enter)], "review it", "go to the thought in the list"),
    row(
        Action::Leave,
        "map-leave",
        &[Key::code(KeyCode::Esc), Key::char('m'), Key::char('q')],
        "back",
        "go back to the list",
    ),
];
