//! The Label pane's rows of the action table.

use crossterm::event::KeyCode;

use crate::tui::action::{Action as Any, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// A category is being chosen for an abnormal template.
pub const CATEGORY: Mode = Mode("category");

/// What an annotator can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Vote normal.
    Normal,
    /// Vote abnormal; asks for the category next.
    Abnormal,
    /// Choose the category of this digit.
    Category(u8),
    /// Vote abnormal without a category.
    NoCategory,
    /// Give up choosing: no vote.
    Cancel,
    /// Vote unsure.
    Unsure,
    /// Put the template aside.
    Skip,
    /// Take back the last vote.
    Undo,
    /// Add words to the vote.
    Comment,
    /// To the template below.
    Down,
    /// To the template above.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first template.
    First,
    /// To the last template.
    Last,
    /// To the next template without a vote of one's own.
    NextOpen,
    /// Show only the templates that hold some words.
    Filter,
    /// Show all templates again.
    ClearFilter,
    /// Copy the template's text.
    Copy,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(Any::Label(action), id, PaneId::Label, keys, short, help)
}

const fn category(digit: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Category(digit), id, keys, "", "choose the category of this number").during(CATEGORY)
}

/// The pane's rows.
pub const ACTIONS: &[Spec] = &[
    row(Action::Normal, "label-normal", &[Key::char('n')], "normal", "vote normal"),
    row(Action::Abnormal, "label-abnormal", &[Key::char('a')], "abnormal", "vote abnormal, then choose a category"),
    row(Action::Unsure, "label-unsure", &[Key::char('u')], "unsure", "vote unsure"),
    row(Action::Skip, "label-skip", &[Key::char('s')], "skip", "put the template aside"),
    row(Action::Undo, "label-undo", &[Key::char('z'), Key::char('U')], "undo", "take back your last vote"),
    row(Action::Filter, "label-filter", &[Key::char('/')], "filter", "show only templates with these words"),
    row(
        Action::NextOpen,
        "label-next-open",
        &[Key::char(' ')],
        "next open",
        "go to the next template without your vote",
    ),
    row(Action::Comment, "label-comment", &[Key::char('c')], "comment", "add a comment to your vote"),
    row(Action::Down, "label-down", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the template below"),
    row(Action::Up, "label-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the template above"),
    row(Action::PageDown, "label-page-down", &[Key::code(KeyCode::PageDown), Key::ctrl('f')], "", "go a page down"),
    row(Action::PageUp, "label-page-up", &[Key::code(KeyCode::PageUp), Key::ctrl('b')], "", "go a page up"),
    row(Action::First, "label-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first template"),
    row(Action::Last, "label-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last template"),
    row(Action::ClearFilter, "label-clear-filter", &[Key::code(KeyCode::Esc)], "", "show all templates again"),
    row(Action::Copy, "label-copy", &[Key::char('y')], "", "copy the template's text"),
    category(1, "label-category-1", &[Key::char('1')]),
    category(2, "label-category-2", &[Key::char('2')]),
    category(3, "label-category-3", &[Key::char('3')]),
    category(4, "label-category-4", &[Key::char('4')]),
    category(5, "label-category-5", &[Key::char('5')]),
    category(6, "label-category-6", &[Key::char('6')]),
    category(7, "label-category-7", &[Key::char('7')]),
    category(8, "label-category-8", &[Key::char('8')]),
    category(9, "label-category-9", &[Key::char('9')]),
    row(
        Action::NoCategory,
        "label-category-none",
        &[Key::char('0'), Key::code(KeyCode::Enter)],
        "no category",
        "vote abnormal without a category",
    )
    .during(CATEGORY),
    row(
        Action::Cancel,
        "label-category-cancel",
        &[Key::code(KeyCode::Esc)],
        "give up",
        "choose no category and cast no vote",
    )
    .during(CATEGORY),
];
