//! What the user can ask of the Evaluate pane.

use crossterm::event::KeyCode;

use crate::tui::action::{self, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// What the user can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the model about the items.
    Start,
    /// Stop asking.
    Stop,
    /// Choose the file, or the project's templates.
    Data,
    /// Take another adapter, or none.
    Adapter,
    /// Take gold or the original label for the truth.
    Truth,
    /// Ask about more or fewer items.
    Limit,
    /// Show the scores of another part of the items.
    Part,
    /// Open the error in front in Reason.
    Open,
    /// The next error.
    Next,
    /// The error before.
    Previous,
    /// A page of errors on.
    PageDown,
    /// A page of errors back.
    PageUp,
    /// Read everything again.
    Reload,
    /// Put the log of the error in front on the clipboard.
    CopyLog,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(action::Action::Evaluate(action), id, PaneId::Evaluate, keys, short, help)
}

/// The pane's rows of the action table.
pub const ACTIONS: &[Spec] = &[
    row(Action::Start, "evaluate-start", &[Key::char('s')], "start", "ask the model about the items"),
    row(Action::Open, "evaluate-open", &[Key::code(KeyCode::Enter)], "reason", "open the error in front in Reason"),
    row(Action::Data, "evaluate-data", &[Key::char('d')], "data", "choose a file, or the project's templates"),
    row(Action::Adapter, "evaluate-adapter", &[Key::char('a')], "adapter", "let the model wear another run, or none"),
    row(Action::Limit, "evaluate-limit", &[Key::char('n')], "limit", "ask about more or fewer items"),
    row(Action::Part, "evaluate-part", &[Key::char('p')], "part", "show the scores of a dataset, or of worded logs"),
    row(Action::Truth, "evaluate-truth", &[Key::char('t')], "", "take gold or the original label for the truth"),
    row(Action::Stop, "evaluate-stop", &[Key::char('c')], "", "stop asking"),
    row(Action::Next, "evaluate-next", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the next error"),
    row(Action::Previous, "evaluate-previous", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the error before"),
    row(Action::PageDown, "evaluate-page-down", &[Key::code(KeyCode::PageDown)], "", "go a page of errors on"),
    row(Action::PageUp, "evaluate-page-up", &[Key::code(KeyCode::PageUp)], "", "go a page of errors back"),
    row(Action::Reload, "evaluate-reload", &[Key::char('u')], "", "read the items and the runs again"),
    row(Action::CopyLog, "evaluate-copy", &[Key::char('y')], "", "copy the log of the error in front"),
];
