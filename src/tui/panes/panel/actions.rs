//! The Panel pane's rows of the action table.

use crossterm::event::KeyCode;

use crate::tui::action::{Action as Any, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// A category is being chosen for an abnormal ruling.
pub const CATEGORY: Mode = Mode("category of a ruling");

/// What a senior can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Rule normal; asks for the reason next.
    RuleNormal,
    /// Rule abnormal; asks for the category, then the reason.
    RuleAbnormal,
    /// Choose the category of this digit.
    Category(u8),
    /// Rule abnormal without a category.
    NoCategory,
    /// Give up choosing: no ruling.
    Cancel,
    /// Take back one's last ruling.
    Undo,
    /// Change between disagreements and corrections.
    OtherList,
    /// Write the correction patch.
    WritePatch,
    /// To the row below.
    Down,
    /// To the row above.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// To the next disagreement that is not settled.
    NextOpen,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(Any::Panel(action), id, PaneId::Panel, keys, short, help)
}

const fn category(digit: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Category(digit), id, keys, "", "choose the category of this number").during(CATEGORY)
}

/// The pane's rows.
pub const ACTIONS: &[Spec] = &[
    row(Action::RuleNormal, "panel-rule-normal", &[Key::char('n')], "rule normal", "rule normal, with a reason"),
    row(
        Action::RuleAbnormal,
        "panel-rule-abnormal",
        &[Key::char('a')],
        "rule abnormal",
        "rule abnormal, with a category and a reason",
    ),
    row(Action::Undo, "panel-undo", &[Key::char('z'), Key::char('U')], "undo", "take back your last ruling"),
    row(
        Action::OtherList,
        "panel-other-list",
        &[Key::char('c')],
        "list",
        "change between disagreements and corrections",
    ),
    row(
        Action::WritePatch,
        "panel-write-patch",
        &[Key::char('w')],
        "write patch",
        "write the correction patch to a file",
    ),
    row(Action::NextOpen, "panel-next-open", &[Key::char(' ')], "next open", "go to the next unsettled disagreement"),
    row(Action::Down, "panel-down", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the row below"),
    row(Action::Up, "panel-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the row above"),
    row(Action::PageDown, "panel-page-down", &[Key::code(KeyCode::PageDown), Key::ctrl('f')], "", "go a page down"),
    row(Action::PageUp, "panel-page-up", &[Key::code(KeyCode::PageUp), Key::ctrl('b')], "", "go a page up"),
    row(Action::First, "panel-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first row"),
    row(Action::Last, "panel-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last row"),
    category(1, "panel-category-1", &[Key::char('1')]),
    category(2, "panel-category-2", &[Key::char('2')]),
    category(3, "panel-category-3", &[Key::char('3')]),
    category(4, "panel-category-4", &[Key::char('4')]),
    category(5, "panel-category-5", &[Key::char('5')]),
    category(6, "panel-category-6", &[Key::char('6')]),
    category(7, "panel-category-7", &[Key::char('7')]),
    category(8, "panel-category-8", &[Key::char('8')]),
    category(9, "panel-category-9", &[Key::char('9')]),
    row(
        Action::NoCategory,
        "panel-category-none",
        &[Key::char('0'), Key::code(KeyCode::Enter)],
        "no category",
        "rule abnormal without a category",
    )
    .during(CATEGORY),
    row(
        Action::Cancel,
        "panel-category-cancel",
        &[Key::code(KeyCode::Esc)],
        "give up",
        "choose no category and make no ruling",
    )
    .during(CATEGORY),
];
