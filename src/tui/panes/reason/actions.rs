//! The Reason pane's rows of the action table.

use crossterm::event::KeyCode;

use crate::tui::action::{Action as Any, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// Another token, or an edit of the step, is being chosen to branch from.
pub const BRANCH: Mode = Mode("branch");

/// The log is being changed word by word, to see the verdict move.
pub const WHAT_IF: Mode = Mode("what if");

/// Whom to ask about one log is being ticked.
pub const TICK: Mode = Mode("whom to ask");

/// A kept trace is being chosen to open.
pub const OPEN: Mode = Mode("kept traces");

/// What one can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reason about the marked logs as one session, or the selected log; over a trace, about its log again.
    Reason,
    /// Type or paste a log.
    Type,
    /// Type or paste the lines of a session.
    TypeSession,
    /// Mark the selected log for a session.
    Mark,
    /// Tick whom to ask about one log: the base model, adapters.
    AskSeveral,
    /// Tick or untick the one of this number.
    Tick(u8),
    /// Ask all that are ticked.
    AskTicked,
    /// Change the log word by word, and see the verdict move.
    WhatIf,
    /// To the next word of the log.
    NextWord,
    /// To the word before.
    PreviousWord,
    /// To the first word.
    FirstWord,
    /// To the last word.
    LastWord,
    /// Mask the word, or let it stand again.
    MaskWord,
    /// Put something else in the word's place.
    ReplaceWord,
    /// Take back the last change.
    UndoChange,
    /// Let the model reason about the log as changed.
    AskChanged,
    /// List the traces that the project keeps.
    ListKept,
    /// To the kept trace below.
    NextKept,
    /// To the kept trace above.
    PreviousKept,
    /// A page of kept traces down.
    KeptPageDown,
    /// A page of kept traces up.
    KeptPageUp,
    /// Open the kept trace.
    OpenKept,
    /// Say that the verdict is wrong.
    Contest,
    /// Write the trace to a file.
    Export,
    /// Shade the step's text by probability, or by what the log says.
    Lens,
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
    /// Neither branch, nor change the log, nor ask several.
    GiveUp,
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

const fn tick(number: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Tick(number), id, keys, "", "tick or untick the one of this number").during(TICK)
}

const fn what_if(
    action: Action,
    id: &'static str,
    keys: &'static [Key],
    short: &'static str,
    help: &'static str,
) -> Spec {
    row(action, id, keys, short, help).during(WHAT_IF)
}

const fn open(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    row(action, id, keys, short, help).during(OPEN)
}

const ESC: Key = Key::code(KeyCode::Esc);

/// The pane's rows.
pub const ACTIONS: &[Spec] = &[
    row(
        Action::Reason,
        "reason-ask",
        &[Key::code(KeyCode::Enter)],
        "reason",
        "let the model reason about the selected log, or about the marked ones as one session",
    ),
    row(Action::Type, "reason-type", &[Key::char('i')], "type a log", "type or paste a log to reason about"),
    row(
        Action::TypeSession,
        "reason-type-session",
        &[Key::char('I')],
        "",
        "type or paste several lines, to be judged as one session",
    ),
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
        Action::Mark,
        "reason-mark",
        &[Key::char(' ')],
        "mark",
        "mark the log for a session and go on; from the reasoning, go to the logs",
    ),
    row(
        Action::OtherSide,
        "reason-other-side",
        &[Key::char('o')],
        "logs/trace",
        "change between the list of logs and the reasoning",
    ),
    row(
        Action::WhatIf,
        "reason-what-if",
        &[Key::char('c')],
        "what if",
        "mask or change words of the log, and see the verdict move",
    ),
    row(
        Action::AskSeveral,
        "reason-ask-several",
        &[Key::char('A')],
        "ask several",
        "ask the base model and adapters about one log, and compare",
    ),
    row(
        Action::Contest,
        "reason-contest",
        &[Key::char('!')],
        "contest",
        "say that the verdict is wrong: its template goes to the Label queue with the trace",
    ),
    row(
        Action::ListKept,
        "reason-kept",
        &[Key::char('t')],
        "traces",
        "list the traces that the project keeps, to open one",
    ),
    row(
        Action::Export,
        "reason-export",
        &[Key::char('E')],
        "",
        "write the trace to a file, as an HTML page or as JSON",
    ),
    row(
        Action::Lens,
        "reason-lens",
        &[Key::char('v')],
        "shading",
        "shade the step's text by probability, or by what the log says",
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
        "show a branch beside what it came from, or all who were asked the same, or the trace again",
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
    row(Action::GiveUp, "reason-branch-cancel", &[ESC], "give up", "branch from nothing").during(BRANCH),
    what_if(
        Action::NextWord,
        "reason-next-word",
        &[Key::code(KeyCode::Right), Key::char('l')],
        "word",
        "go to the next word of the log",
    ),
    what_if(
        Action::PreviousWord,
        "reason-previous-word",
        &[Key::code(KeyCode::Left), Key::char('h')],
        "",
        "go to the word before",
    ),
    what_if(Action::MaskWord, "reason-mask-word", &[Key::char(' ')], "mask", "mask the word, or let it stand again"),
    what_if(
        Action::ReplaceWord,
        "reason-replace-word",
        &[Key::char('e')],
        "change",
        "put something else in the word's place",
    ),
    what_if(
        Action::UndoChange,
        "reason-undo-change",
        &[Key::char('u'), Key::char('z')],
        "undo",
        "take back the last change",
    ),
    what_if(
        Action::AskChanged,
        "reason-ask-changed",
        &[Key::code(KeyCode::Enter)],
        "reason",
        "let the model reason about the log as changed",
    ),
    what_if(
        Action::FirstWord,
        "reason-first-word",
        &[Key::code(KeyCode::Home), Key::char('g')],
        "",
        "go to the first word",
    ),
    what_if(
        Action::LastWord,
        "reason-last-word",
        &[Key::code(KeyCode::End), Key::char('G')],
        "",
        "go to the last word",
    ),
    what_if(Action::GiveUp, "reason-what-if-leave", &[ESC, Key::char('c')], "leave", "let the log stand as it is"),
    tick(1, "reason-tick-1", &[Key::char('1')]),
    tick(2, "reason-tick-2", &[Key::char('2')]),
    tick(3, "reason-tick-3", &[Key::char('3')]),
    tick(4, "reason-tick-4", &[Key::char('4')]),
    tick(5, "reason-tick-5", &[Key::char('5')]),
    tick(6, "reason-tick-6", &[Key::char('6')]),
    tick(7, "reason-tick-7", &[Key::char('7')]),
    tick(8, "reason-tick-8", &[Key::char('8')]),
    tick(9, "reason-tick-9", &[Key::char('9')]),
    row(
        Action::AskTicked,
        "reason-ask-ticked",
        &[Key::code(KeyCode::Enter)],
        "ask",
        "ask all that are ticked about the log",
    )
    .during(TICK),
    open(Action::OpenKept, "reason-open-kept", &[Key::code(KeyCode::Enter)], "open", "open the trace"),
    open(
        Action::NextKept,
        "reason-next-kept",
        &[Key::code(KeyCode::Down), Key::char('j')],
        "",
        "go to the trace below",
    ),
    open(
        Action::PreviousKept,
        "reason-previous-kept",
        &[Key::code(KeyCode::Up), Key::char('k')],
        "",
        "go to the trace above",
    ),
    open(
        Action::KeptPageDown,
        "reason-kept-page-down",
        &[Key::code(KeyCode::PageDown), Key::ctrl('f')],
        "",
        "go a page of traces down",
    ),
    open(
        Action::KeptPageUp,
        "reason-kept-page-up",
        &[Key::code(KeyCode::PageUp), Key::ctrl('b')],
        "",
        "go a page of traces up",
    ),
    open(Action::GiveUp, "reason-open-leave", &[ESC, Key::char('q'), Key::char('t')], "close", "open none"),
    row(Action::GiveUp, "reason-tick-leave", &[ESC], "give up", "ask nobody").during(TICK),
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
