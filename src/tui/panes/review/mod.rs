//! The Review pane.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Pane, Shared};
use crate::tui::action::Spec;
use crate::tui::app;
use crate::tui::effects::Edge;
use crate::tui::widgets::notice;

/// The pane's rows of the action table.
pub const ACTIONS: &[Spec] = &[];

/// What the user can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {}

/// What comes back from the pane's effects.
#[derive(Debug)]
pub enum Message {}

/// What the pane wants done outside.
#[derive(Debug)]
pub enum Effect {}

/// What the pane shows.
#[derive(Debug, Default)]
pub struct State {}

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn enter(&mut self, _shared: &Shared) -> Vec<app::Effect> {
        Vec::new()
    }

    fn act(&mut self, action: Action, _shared: &Shared) -> Vec<app::Effect> {
        match action {}
    }

    fn receive(&mut self, message: Message, _shared: &Shared) -> Vec<app::Effect> {
        match message {}
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        notice(frame, area, &shared.theme, "The Review pane is not in this version yet; see logwright review --help.");
    }
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, _edge: &mut Edge) {
    match effect {}
}
