//! The Evaluate pane: what the model is worth on labelled logs, and where it errs.
//!
//! The keyword rule's scores stand there at once; the model's come as it answers. Every figure says which average it is,
//! of how many items, at which prevalence. An error opens in Reason.

mod actions;
mod effects;
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
use crate::tui::app;

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn enter(&mut self, _shared: &Shared) -> Vec<app::Effect> {
        vec![app::Effect::Evaluate(Effect::Load(self.setup.clone()))]
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
}
