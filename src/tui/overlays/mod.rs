//! What lies over a pane and holds the keyboard: the help, the palette, a prompt, a question, a notice.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::action::{Action, Mode};
use super::app::{AppState, Effect};
use super::keys::{Key, Keymap};
use super::panes::PaneId;

mod confirm;
mod help;
mod notice;
mod page;
mod palette;
mod prompt;

pub use confirm::Confirm;
pub use help::Help;
pub use notice::Notice;
pub use page::Page;
pub use palette::Palette;
pub use prompt::Prompt;

/// The thing over the pane.
#[derive(Debug)]
pub enum Overlay {
    /// All keys.
    Help(Help),
    /// Actions by name.
    Palette(Box<Palette>),
    /// A question for text.
    Prompt(Box<Prompt>),
    /// A question for yes or no.
    Confirm(Confirm),
    /// Something to read before going on.
    Notice(Notice),
    /// A text to read and scroll.
    Page(Page),
}

/// What a key in an overlay led to.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing beyond the overlay itself.
    None,
    /// The user picked an action.
    Act(Action),
    /// Effects for the app to settle.
    Effects(Vec<Effect>),
}

impl Overlay {
    /// Deals with a key. Returns the overlay if it stays open, and what came of the key.
    pub fn press(self, key: Key, keymap: &Keymap, pane: PaneId, mode: Mode) -> (Option<Self>, Outcome) {
        match self {
            Self::Page(page) => {
                let (page, effects) = page.press(key);
                (page.map(Self::Page), Outcome::Effects(effects))
            }
            Self::Notice(notice) => (notice.press(key).map(Self::Notice), Outcome::None),
            Self::Help(help) => (help.press(key, keymap, pane, mode).map(Self::Help), Outcome::None),
            Self::Palette(palette) => {
                let (palette, action) = palette.press(key);
                (palette.map(Self::Palette), action.map_or(Outcome::None, Outcome::Act))
            }
            Self::Prompt(prompt) => {
                let (prompt, effects) = prompt.press(key);
                (prompt.map(Self::Prompt), Outcome::Effects(effects))
            }
            Self::Confirm(confirm) => {
                let (confirm, effects) = confirm.press(key);
                (confirm.map(Self::Confirm), Outcome::Effects(effects))
            }
        }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) -> Vec<Effect> {
        match self {
            Self::Palette(palette) => {
                palette.paste(text);
                Vec::new()
            }
            Self::Prompt(prompt) => prompt.paste(text),
            Self::Help(_) | Self::Confirm(_) | Self::Notice(_) | Self::Page(_) => Vec::new(),
        }
    }

    /// The keys that work now, for the footer: key and word.
    pub fn hints(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Help(_) => &[("up/down", "scroll"), ("esc", "close")],
            Self::Palette(_) => &[("enter", "do it"), ("up/down", "choose"), ("esc", "close")],
            Self::Prompt(prompt) => prompt.hints(),
            Self::Confirm(_) => &[("y", "yes"), ("n", "no")],
            Self::Notice(_) => &[("enter", "close")],
            Self::Page(page) => page.hints(),
        }
    }

    /// Draws the overlay over the body of the screen.
    pub fn view(&self, state: &AppState, frame: &mut Frame, body: Rect) {
        let theme = &state.shared.theme;
        match self {
            Self::Help(help) => help.view(state, frame, body),
            Self::Palette(palette) => palette.view(&state.keymap, theme, frame, body),
            Self::Prompt(prompt) => prompt.view(theme, frame, body),
            Self::Confirm(confirm) => confirm.view(theme, frame, body),
            Self::Notice(notice) => notice.view(theme, frame, body),
            Self::Page(page) => page.view(theme, frame, body),
        }
    }
}
