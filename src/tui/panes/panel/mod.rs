//! The Panel pane: the cases before the panel, how far its members agree, a senior's rulings, and the corrections that
//! follow.
//!
//! The process is blind votes, then the panel's votes in sight of them, then rulings; a senior closes each round. While
//! the blind round is open nobody sees a case on which they have given no label; from then on votes and comments stand
//! under letters, shuffled for each template, and only a senior learns the names, when both rounds are closed. What may be
//! seen is decided in [`crate::workspace::PanelBoard`], not here.

mod actions;
mod effects;
mod state;
mod update;
mod view;

#[cfg(test)]
mod tests;

pub use actions::{ACTIONS, Action};
pub use effects::{Effect, Message, run};
pub use state::{Board, Case, CorrectionRow, Opinion, Remark, Settled, State, VoiceRow};
