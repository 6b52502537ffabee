//! The Train pane: start a fine-tuning, watch its loss fall, stop it, go on with it.
//!
//! A run is its folder; the pane reads the same files that `train watch` reads, and hears of the runs that it started
//! itself as they go. The trainer works in a thread of its own.

mod actions;
mod chart;
mod compare;
mod effects;
mod figure;
mod form;
mod front;
mod launching;
mod preview;
mod samples;
mod state;
#[cfg(test)]
mod tests;
mod update;
mod view;

pub use actions::{ACTIONS, Action};
pub use effects::{Effect, Message, run};
pub use state::State;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Pane, Shared};
use crate::tui::action::Mode;
use crate::tui::app;

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        match (self.filling, &self.reading) {
            (true, _) => actions::FORM,
            (false, Some(_)) => actions::READING,
            (false, None) => Mode::BROWSE,
        }
    }

    fn enter(&mut self, _shared: &Shared) -> Vec<app::Effect> {
        vec![app::Effect::Train(Effect::Load)]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        update::act(self, action, shared)
    }

    fn receive(&mut self, message: Message, _shared: &Shared) -> Vec<app::Effect> {
        update::receive(self, message)
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        view::view(self, shared, frame, area);
    }

    fn bookmark(&self) -> Option<String> {
        self.selected.as_ref().map(ToString::to_string)
    }

    fn return_to(&mut self, bookmark: &str) {
        self.wanted = Some(bookmark.to_owned());
    }
}
