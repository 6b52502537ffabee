//! The Label pane: an annotator's vote on each template.
//!
//! What the template came labelled as, and what others said, stays hidden until the annotator has given a label of their
//! own. A vote is on disk before the pane moves to the next template; keys that are pressed meanwhile wait their turn.

mod actions;
mod effects;
mod state;
mod update;
mod view;

#[cfg(test)]
mod tests;

pub use actions::{ACTIONS, Action};
pub use effects::{Effect, Message, Undone, run};
pub use state::{Item, OtherVote, Reveal, State};
