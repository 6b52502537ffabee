//! The map of all thoughts: every thought a point, near to those that mean the same; what is nearest to the one in hand, and how
//! many steps thoughts have.
//!
//! The pane opens it with [`open`] and gives it the keyboard while [`State::is_open`]. What it shows is made by
//! [`Overview`](crate::teacher::Overview) in a job, kept until a thought changes, and broken off when the user leaves.

mod actions;
mod effects;
mod scatter;
mod state;
#[cfg(test)]
mod tests;
mod update;
mod view;

pub use actions::{ACTIONS, Action};
pub use effects::{Effect, Message};

pub(super) use actions::MAP;
pub(super) use effects::run;
pub(super) use state::State;
pub(super) use update::{act, open, receive, sort, toggle_order};
pub(super) use view::view;
