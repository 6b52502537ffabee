//! The workbench in the terminal.
//!
//! One loop ([`event_loop`]) waits for messages, and everything follows from them:
//!
//! ```text
//! keys ─┐                     ┌─> AppState ── view ──> terminal
//! store ┼─ Message ─ update ──┤
//! jobs ─┘                     └─> Effect ── edge ──> store thread, jobs (which send Messages)
//! ```
//!
//! [`app::update`] is pure and so is [`view::view`] (it reads the state and draws). What touches the world is an
//! [`app::Effect`], carried out at the edge ([`effects::Edge`]) on threads that answer with messages; the screen never
//! waits, and while nothing happens nothing wakes up ([`frames`]).
//!
//! # How a pane is built
//!
//! `panes/label/` is the example. A pane is a folder with
//!
//! - `actions.rs`: `enum Action` (what a user can ask) and `ACTIONS`, its rows of the one table of actions ([`action`]).
//!   A row has id, keys, footer word and help; keymap, footer, `?`, `:` and README come from it. While the pane is in the
//!   middle of something it reports another [`action::Mode`] and only that mode's rows have keys.
//! - `state.rs`: `struct State`, plain data with `Default`, and the [`panes::Pane`] implementation's small parts.
//! - `update.rs`: `act` and `receive`, `(state, action or message) -> Vec<Effect>`, no I/O, tested as key sequences.
//! - `effects.rs`: `enum Effect`, `enum Message` and `run(effect, edge)`: reads and writes go through [`effects::Edge::store`]
//!   (a write is on disk when its message comes back; only then move on), long work through [`effects::Edge::spawn`].
//!   A job asks `job.is_cancelled()`, reports with `job.report(message)` (drawn at most four times a second), and is
//!   stopped by `Effect::CancelJobs(pane)`.
//! - `view.rs`: draws from `&State`; no I/O, no clock. Text from outside comes out of the store thread as
//!   [`crate::logs::SafeText`] and is cut and padded by column with [`widgets`], never by byte.
//!
//! Asking for text: return [`app::Effect::Prompt`] with [`overlays::Prompt::line`] or [`overlays::Prompt::area`]; the answer
//! comes back as your own message. A question: [`app::Effect::Confirm`]. A line for the user: [`app::Toast`]. Another pane:
//! [`app::Effect::Show`] and [`app::Effect::Send`]. Clipboard: [`app::Effect::Copy`].
//!
//! Tests: [`testing`] plays keys into an [`app::AppState`] and renders it to text for insta, at 80×24 and 200×60.

pub mod action;
pub mod app;
pub mod effects;
pub mod event_loop;
pub mod frames;
pub mod keys;
pub mod measuring;
pub mod message;
pub mod model;
pub mod overlays;
pub mod panes;
pub mod session;
pub mod terminal;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod theme;
mod thrift;
pub mod view;
pub mod widgets;

use std::io::Write as _;
use std::path::PathBuf;

use crossbeam_channel::unbounded;

use crate::workspace::Workspace;
use app::AppState;
use effects::{Courier, Edge};
use event_loop::EventLoop;
use keys::Keymap;
use overlays::{Notice, Overlay};
use panes::{PaneId, Shared};
use session::SessionFile;
use terminal::Screen;
use theme::Theme;

/// How the workbench is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who votes and reviews; the project's annotator if `None`.
    pub annotator: Option<String>,
    /// Which pane comes first; the one of last time if `None`.
    pub pane: Option<PaneId>,
}

/// Why the workbench ended other than by the user's wish.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The terminal cannot be used.
    #[error("terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Opens the workbench on a project, and returns when the user leaves it.
///
/// # Errors
/// When there is no terminal, or it is lost.
pub fn run(workspace: Workspace, options: Options) -> Result<(), TuiError> {
    let folders = directories::ProjectDirs::from("", "", "logwright");
    let (keymap, notices) = match folders.as_ref().map(|dirs| dirs.config_dir().join("keys.toml")) {
        Some(path) => user_keys(&path),
        None => (Keymap::defaults(), Vec::new()),
    };
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let theme = if colour { Theme::coloured() } else { Theme::monochrome() };
    let settings = workspace.settings();
    let shared = Shared {
        project: crate::logs::SafeText::one_line(&settings.name).into_string(),
        annotator: settings.acting(options.annotator.as_deref()),
        taxonomy: settings.taxonomy.clone(),
        model_name: settings.model.clone(),
        model: model::ModelStanding::Unknown,
        theme,
        now: std::time::Duration::ZERO,
    };
    let state_dir: Option<PathBuf> =
        folders.as_ref().map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned());
    let session = SessionFile::of_project(state_dir.as_deref(), workspace.dir());
    let mut last = session.load();
    last.pane = options.pane.unwrap_or(last.pane);

    let mut state = AppState::new(shared, keymap);
    if let Some(why) = workspace.read_only() {
        state.overlay = Some(Overlay::Notice(Notice::new("This project can only be read", vec![why.to_string()])));
    } else if !notices.is_empty() {
        state.overlay = Some(Overlay::Notice(Notice::new("About your keys", notices)));
    }
    let first = state.start(&last);
    let (sender, inbox) = unbounded();
    let courier = Courier::new(sender);
    let screen = Screen::take()?;
    let edge = Edge::start(workspace, courier.clone())?;
    EventLoop { screen, edge, courier, inbox, session, timers: frames::Timers::default() }.run(&mut state, first)?;
    if let Some(line) = state.label.farewell() {
        // The terminal may be gone already: then nobody is left to tell.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    Ok(())
}

/// The user's keys over the defaults, and what was wrong with them.
fn user_keys(path: &std::path::Path) -> (Keymap, Vec<String>) {
    match std::fs::read_to_string(path) {
        Ok(text) => Keymap::from_toml(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Keymap::defaults(), Vec::new()),
        Err(error) => (Keymap::defaults(), vec![format!("keys.toml cannot be read, the default keys stay: {error}")]),
    }
}
