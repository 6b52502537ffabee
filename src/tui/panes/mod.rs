//! The six panes, and what each must be able to do for the framework: [`Pane`].

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

use super::action::Mode;
use super::app::Effect;
use super::model::ModelStanding;
use super::theme::Theme;
use crate::labels::Taxonomy;

pub mod evaluate;
pub mod label;
pub mod panel;
pub mod reason;
pub mod review;
pub mod train;

/// One of the six panes, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaneId {
    /// Vote on templates.
    Label,
    /// Agreement and rulings.
    Panel,
    /// Accept, edit or reject reasoning.
    Review,
    /// Fine-tune the model.
    Train,
    /// Step through what the model thinks of a log.
    Reason,
    /// Score the model.
    Evaluate,
}

impl PaneId {
    /// All panes, as they stand in the top line.
    pub const ALL: [Self; 6] = [Self::Label, Self::Panel, Self::Review, Self::Train, Self::Reason, Self::Evaluate];

    /// The pane's name on the screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Label => "Label",
            Self::Panel => "Panel",
            Self::Review => "Review",
            Self::Train => "Train",
            Self::Reason => "Reason",
            Self::Evaluate => "Evaluate",
        }
    }

    /// The pane to its right; after the last comes the first.
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// The pane to its left; before the first comes the last.
    pub fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
    }
}

/// What every pane may know beside its own state.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The project's name.
    pub project: String,
    /// Who is voting and reviewing.
    pub annotator: String,
    /// The error categories, in the order of their digit keys.
    pub taxonomy: Taxonomy,
    /// The name of the language model to reason with and to tune.
    pub model_name: String,
    /// Where that model is.
    pub model: ModelStanding,
    /// How things look.
    pub theme: Theme,
    /// How long the workbench has been open; the event loop sets it before each update, which reads no clock itself.
    pub now: Duration,
}

/// A pane: plain data that changes by [`Pane::act`] and [`Pane::receive`] alone, both free of I/O.
///
/// What has to happen outside is returned as [`Effect`]s: the pane's own (carried out in its `effects.rs`) or the common
/// ones (a prompt, a toast, a copy).
pub trait Pane {
    /// The pane's actions, as its rows in the table name them.
    type Action;
    /// What comes back from its effects and prompts.
    type Message;

    /// What the pane is in the middle of; other modes than browsing hold the keyboard.
    fn mode(&self) -> Mode {
        Mode::BROWSE
    }

    /// The pane has come to the front: ask for what it needs to show.
    fn enter(&mut self, shared: &Shared) -> Vec<Effect>;

    /// The user asked for one of the pane's actions.
    fn act(&mut self, action: Self::Action, shared: &Shared) -> Vec<Effect>;

    /// One of the pane's effects, jobs or prompts reports.
    fn receive(&mut self, message: Self::Message, shared: &Shared) -> Vec<Effect>;

    /// Draws the pane; reads the state only.
    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect);

    /// Where the user is, in a line that [`Pane::return_to`] understands at the next start.
    fn bookmark(&self) -> Option<String> {
        None
    }

    /// The bookmark of the last session; what it names may be gone.
    fn return_to(&mut self, _bookmark: &str) {}
}
