//! What the user can ask of the Review pane.

use crossterm::event::KeyCode;

use crate::tui::action::{self, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// What the user can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The next item.
    Next,
    /// The item before.
    Previous,
    /// The first item.
    First,
    /// The last item.
    Last,
    /// The next kind: rationales, pairs, thoughts.
    NextKind,
    /// The kind before.
    PreviousKind,
    /// Further down in the item.
    ScrollDown,
    /// Further up in the item.
    ScrollUp,
    /// Show the pending ones only, or all.
    TogglePending,
    /// It is good.
    Accept,
    /// It is good once changed.
    Edit,
    /// It is not good.
    Reject,
    /// Take the last decision back.
    Undo,
    /// Everything pending of this kind is good.
    AcceptAll,
    /// Put the log on the clipboard.
    CopyLog,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(action::Action::Review(action), id, PaneId::Review, keys, short, help)
}

/// The pane's rows of the action table.
pub const ACTIONS: &[Spec] = &[
    row(Action::Accept, "review-accept", &[Key::char('a')], "accept", "accept the item and go to the next pending one"),
    row(Action::Edit, "review-edit", &[Key::char('e')], "edit", "edit the item; saving accepts it as edited"),
    row(Action::Reject, "review-reject", &[Key::char('r')], "reject", "reject the item, with a reason"),
    row(Action::Undo, "review-undo", &[Key::char('u')], "undo", "take back your last decision"),
    row(
        Action::NextKind,
        "review-next-kind",
        &[Key::code(KeyCode::Right), Key::char('l')],
        "kind",
        "go on to pairs, thoughts, rationales",
    ),
    row(
        Action::PreviousKind,
        "review-previous-kind",
        &[Key::code(KeyCode::Left), Key::char('h')],
        "",
        "go back to rationales, pairs, thoughts",
    ),
    row(Action::Next, "review-next", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the next item"),
    row(Action::Previous, "review-previous", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the item before"),
    row(Action::First, "review-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first item"),
    row(Action::Last, "review-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last item"),
    row(
        Action::ScrollDown,
        "review-scroll-down",
        &[Key::char(' '), Key::code(KeyCode::PageDown)],
        "scroll",
        "read further down in the item",
    ),
    row(
        Action::ScrollUp,
        "review-scroll-up",
        &[Key::char('b'), Key::code(KeyCode::PageUp)],
        "",
        "read further up in the item",
    ),
    row(
        Action::TogglePending,
        "review-pending",
        &[Key::char('p')],
        "pending",
        "show only what is pending, or everything",
    ),
    row(
        Action::AcceptAll,
        "review-accept-all",
        &[Key::char('A')],
        "",
        "accept everything pending of this kind, seen or not",
    ),
    row(Action::CopyLog, "review-copy", &[Key::char('y')], "", "copy the log to the clipboard"),
];
