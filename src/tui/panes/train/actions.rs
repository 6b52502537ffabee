//! What the user can ask of the Train pane.

use crossterm::event::KeyCode;

use crate::tui::action::{self, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// The recipe of a new run is being filled in.
pub(super) const FORM: Mode = Mode("recipe");

/// What the model said along the way is being read.
pub(super) const READING: Mode = Mode("samples");

/// What the user can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fill in the recipe of a new run.
    New,
    /// Fill in the recipe of a new run that starts from the selected one's adapter.
    NewFrom,
    /// Stop the selected run, with a checkpoint.
    Cancel,
    /// Let the selected run wait, or go on.
    Pause,
    /// Go on with the selected run.
    Resume,
    /// Select the next run.
    Next,
    /// Select the run before.
    Previous,
    /// Draw another figure large.
    Figure,
    /// Lay the selected run beside the others.
    Compare,
    /// Read what the model said along the way.
    Samples,
    /// Read the selected run's recipe, and where it differs from the one compared with.
    Recipe,
    /// Read the runs again.
    Reload,
    /// Fetch the model, if it is not here.
    FetchModel,
    /// Put the path of the selected run's adapter on the clipboard.
    CopyAdapter,
    /// Form: the next setting.
    FieldDown,
    /// Form: the setting before.
    FieldUp,
    /// Form: change the setting.
    Change,
    /// Form: say what the run would take.
    Try,
    /// Form: start the run.
    Start,
    /// Form: start the run in a process of its own.
    StartDetached,
    /// Form: leave it.
    Leave,
    /// Samples: the next answer.
    NextSample,
    /// Samples: the answer before.
    PreviousSample,
    /// Samples: a row down.
    ScrollDown,
    /// Samples: a row up.
    ScrollUp,
    /// Samples: a page down.
    PageDown,
    /// Samples: a page up.
    PageUp,
    /// Samples: back to the figures.
    StopReading,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(action::Action::Train(action), id, PaneId::Train, keys, short, help)
}

/// The pane's rows of the action table.
pub const ACTIONS: &[Spec] = &[
    row(Action::New, "train-new", &[Key::char('n')], "new run", "fill in the recipe of a new run"),
    row(
        Action::NewFrom,
        "train-new-from",
        &[Key::char('f')],
        "from it",
        "fill in the recipe of a new run that starts from the selected one's adapter",
    ),
    row(Action::Cancel, "train-cancel", &[Key::char('c')], "cancel", "stop the selected run; it saves a checkpoint"),
    row(Action::Pause, "train-pause", &[Key::char('p')], "pause", "let the selected run wait, or go on from there"),
    row(Action::Resume, "train-resume", &[Key::char('r')], "resume", "go on with the selected run"),
    row(Action::Next, "train-next", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the next run"),
    row(Action::Previous, "train-previous", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the run before"),
    row(Action::Figure, "train-figure", &[Key::char('v')], "figure", "draw the next figure large"),
    row(Action::Compare, "train-compare", &[Key::char('=')], "compare", "lay other runs beside the selected one"),
    row(Action::Samples, "train-samples", &[Key::char('o')], "samples", "read what the model said along the way"),
    row(
        Action::Recipe,
        "train-recipe",
        &[Key::char('i')],
        "recipe",
        "read the selected run's recipe, and where it differs from the one compared with",
    ),
    row(Action::Reload, "train-reload", &[Key::char('u')], "", "read the runs' folders again"),
    row(Action::FetchModel, "train-fetch-model", &[Key::char('m')], "", "fetch the project's model if it is not here"),
    row(
        Action::CopyAdapter,
        "train-copy-adapter",
        &[Key::char('y')],
        "",
        "copy the path of the selected run's adapter",
    ),
    row(Action::Start, "train-start", &[Key::char('s')], "start", "start the run").during(FORM),
    row(
        Action::StartDetached,
        "train-start-detached",
        &[Key::char('d')],
        "detached",
        "start the run in a process of its own, which goes on when the workbench is closed",
    )
    .during(FORM),
    row(Action::Try, "train-try", &[Key::char('t')], "try", "show the examples' lengths, and what the run takes")
        .during(FORM),
    row(
        Action::Change,
        "train-change",
        &[Key::code(KeyCode::Enter), Key::char('e')],
        "change",
        "change the selected setting",
    )
    .during(FORM),
    row(
        Action::FieldDown,
        "train-field-down",
        &[Key::code(KeyCode::Down), Key::char('j')],
        "",
        "go to the next setting",
    )
    .during(FORM),
    row(Action::FieldUp, "train-field-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the setting before")
        .during(FORM),
    row(Action::Leave, "train-leave", &[Key::code(KeyCode::Esc), Key::char('q')], "back", "leave the recipe")
        .during(FORM),
    row(
        Action::NextSample,
        "train-next-sample",
        &[Key::code(KeyCode::Right), Key::char('n'), Key::char('l')],
        "next",
        "read the next answer",
    )
    .during(READING),
    row(
        Action::PreviousSample,
        "train-previous-sample",
        &[Key::code(KeyCode::Left), Key::char('p'), Key::char('h')],
        "before",
        "read the answer before",
    )
    .during(READING),
    row(
        Action::ScrollDown,
        "train-sample-down",
        &[Key::code(KeyCode::Down), Key::char('j')],
        "down",
        "scroll the answer down",
    )
    .during(READING),
    row(Action::ScrollUp, "train-sample-up", &[Key::code(KeyCode::Up), Key::char('k')], "up", "scroll the answer up")
        .during(READING),
    row(
        Action::PageDown,
        "train-sample-page-down",
        &[Key::code(KeyCode::PageDown), Key::char(' ')],
        "",
        "scroll the answer down by a page",
    )
    .during(READING),
    row(
        Action::PageUp,
        "train-sample-page-up",
        &[Key::code(KeyCode::PageUp), Key::char('b')],
        "",
        "scroll the answer up by a page",
    )
    .during(READING),
    row(
        Action::StopReading,
        "train-stop-reading",
        &[Key::code(KeyCode::Esc), Key::char('q'), Key::char('o')],
        "back",
        "go back to the figures",
    )
    .during(READING),
];
