//! The Panel pane: how far the annotators agree, what they disagree on, a senior's rulings, and the patch that follows.
//!
//! Agreement is over the blind votes. Who may rule sees every vote; anybody else sees the votes on a template only after
//! giving it a label of their own, as in the Label pane.

mod actions;
mod effects;
mod state;
mod update;
mod view;

#[cfg(test)]
mod tests;

pub use actions::{ACTIONS, Action};
pub use effects::{Effect, Message, run};
pub use state::{Board, Case, CorrectionRow, Settled, State};
