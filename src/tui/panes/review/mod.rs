//! The Review pane: rationales, pairs and thoughts, to accept, edit or reject. Only what is accepted trains.

mod actions;
mod asking;
mod closeness;
mod deciding;
mod effects;
mod entry;
mod item;
mod listing;
mod marking;
mod sampling;
mod state;
#[cfg(test)]
mod tests;
mod thoughts;
mod update;
mod view;

pub use actions::{ACTIONS, Action};
pub use effects::{Effect, Message, run};
pub use state::State;
pub use thoughts::ACTIONS as MAP_ACTIONS;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Pane, Shared};
use crate::tui::action::Mode;
use crate::tui::app;

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        update::mode(self)
    }

    /// Reads again each time: others may have decided, or gold labels changed, meanwhile.
    fn enter(&mut self, shared: &Shared) -> Vec<app::Effect> {
        vec![app::Effect::Review(Effect::Load(shared.annotator.clone()))]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        update::act(self, action, shared)
    }

    fn receive(&mut self, message: Message, shared: &Shared) -> Vec<app::Effect> {
        update::receive(self, message, shared)
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        view::view(self, shared, frame, area);
    }

    fn bookmark(&self) -> Option<String> {
        self.bookmark()
    }

    fn return_to(&mut self, bookmark: &str) {
        self.return_to(bookmark);
    }
}
