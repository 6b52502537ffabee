//! The Reason pane's rows of the action table.

use crossterm::event::KeyCode;

use crate::tui::action::{Action as Any, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// Another token, or an edit of the step, is being chosen to branch from.
pub const BRANCH: Mode = Mode("branch");

/// What one can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reason about the selected log; over a trace, about its log again.
    Reason,
    /// Type or paste a log.
    Type,
    /// Change the log in front, and reason about that.
    Edit,
    /// Wear the next adapter, after the last none.
    NextAdapter,
    /// Have the verdict first and the reasons after, or the other way round.
    Fast,
    /// Answer on from another token or an edited step.
    Branch,
    /// Answer on from this alternative of the current token.
    Take(u8),
    /// Answer on from the step as edited.
    EditStep,
    /// Branch from nothing.
    CancelBranch,
    /// Show a branch beside what it came from, or the trace again.
    Compare,
    /// Make a preference pair of a branch and what it came from.
    Keep,
    /// Stop writing.
    Stop,
    /// To the step before.
    PreviousStep,
    /// To the step after.
    NextStep,
    /// A row or token down.
    Down,
    /// A row or token up.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first row or token.
    First,
    /// To the last row or token.
    Last,
    /// To the least probable token of the trace.
    LeastSure,
    /// From the trace to the logs, and back.
    OtherSide,
    /// The trace before, of this session.
    OlderTrace,
    /// The trace after, of this session.
    NewerTrace,
    /// Show only some logs.
    Filter,
    /// Show only logs in doubt, or all.
    OnlyInDoubt,
    /// Look for the model again.
    FetchModel,
    /// Stop writing; else from the trace back to the logs; else show all logs again.
    Back,
    /// Put the text into the clipboard.
    Copy,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(Any::Reason(action), id, PaneId::Reason, keys, short, help)
}

const fn take(number: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Take(number), id, keys, "", "answer on from the alternative of this number").during(BRANCH)
}

/// The pane's rows.
pub const ACTIONS: &[Spec] = &[
    row(
        Action::Reason,
        "reason-ask",
        &[Key::code(KeyCode::Enter)],
        "reason",
        "let the model reason about the selected log",
    ),
    row(Action::Type, "reason-type", &[Key::char('i')], "type a log", "type or paste a log to reason about"),
    row(Action::Edit, "reason-edit", &[Key::char('e')], "edit it", "change the log in front, and reason about that"),
    row(
        Action::NextStep,
        "reason-next-step",
        &[Key::code(KeyCode::Right), Key::char('l')],
        "step",
        "go to the next step of the reasoning",
    ),
    row(
        Action::PreviousStep,
        "reason-previous-step",
        &[Key::code(KeyCode::Left), Key::char('h')],
        "",
        "go to the step before",
    ),
    row(
        Action::Down,
        "reason-down",
        &[Key::code(KeyCode::Down), Key::char('j')],
        "token",
        "go to the next token of the step, or log of the list",
    ),
    row(
        Action::Up,
        "reason-up",
        &[Key::code(KeyCode::Up), Key::char('k')],
        "",
        "go to the token of the step, or log of the list, before",
    ),
    row(
        Action::NextAdapter,
        "reason-next-adapter",
        &[Key::char('a')],
        "adapter",
        "let the model wear the next run's adapter, after the last none",
    ),
    row(
        Action::Fast,
        "reason-fast",
        &[Key::char('f')],
        "",
        "have the verdict first and the reasons after, or the other way round",
    ),
    row(Action::Stop, "reason-stop", &[Key::char('x')], "stop", "stop writing and keep what is there"),
    row(
        Action::OtherSide,
        "reason-other-side",
        &[Key::char(' ')],
        "logs/trace",
        "change between the list of logs and the reasoning",
    ),
    row(
        Action::Branch,
        "reason-branch",
        &[Key::char('b')],
        "branch",
        "let the model answer on from another token, or from an edited step",
    ),
    row(
        Action::Compare,
        "reason-compare",
        &[Key::char('=')],
        "",
        "show a branch beside the trace that it came from, or the trace again",
    ),
    row(
        Action::Keep,
        "reason-keep",
        &[Key::char('P')],
        "",
        "keep a branch as a preference pair: chosen, and what it came from rejected",
    ),
    take(1, "reason-take-1", &[Key::char('1')]),
    take(2, "reason-take-2", &[Key::char('2')]),
    take(3, "reason-take-3", &[Key::char('3')]),
    take(4, "reason-take-4", &[Key::char('4')]),
    take(5, "reason-take-5", &[Key::char('5')]),
    row(
        Action::EditStep,
        "reason-edit-step",
        &[Key::char('e')],
        "edit the step",
        "edit the step, and answer on from it",
    )
    .during(BRANCH),
    row(Action::CancelBranch, "reason-branch-cancel", &[Key::code(KeyCode::Esc)], "give up", "branch from nothing")
        .during(BRANCH),
    row(Action::LeastSure, "reason-least-sure", &[Key::char('w')], "weakest", "go to the least probable token"),
    row(Action::OlderTrace, "reason-older", &[Key::char('[')], "", "go back to the trace before, of this session"),
    row(Action::NewerTrace, "reason-newer", &[Key::char(']')], "", "go on to the trace after"),
    row(
        Action::OnlyInDoubt,
        "reason-doubt",
        &[Key::char('d')],
        "",
        "list only the logs on which the votes contradict each other, or all",
    ),
    row(Action::FetchModel, "reason-fetch-model", &[Key::char('m')], "", "look for the model again, and fetch it"),
    row(Action::Filter, "reason-filter", &[Key::char('/')], "", "show only logs with these words"),
    row(
        Action::Back,
        "reason-back",
        &[Key::code(KeyCode::Esc)],
        "",
        "stop writing; go back to the logs; list all of them",
    ),
    row(Action::Copy, "reason-copy", &[Key::char('y')], "", "copy the reasoning to the clipboard"),
    row(Action::PageDown, "reason-page-down", &[Key::code(KeyCode::PageDown), Key::ctrl('f')], "", "go a page down"),
    row(Action::PageUp, "reason-page-up", &[Key::code(KeyCode::PageUp), Key::ctrl('b')], "", "go a page up"),
    row(Action::First, "reason-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first row or token"),
    row(Action::Last, "reason-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last row or token"),
];
