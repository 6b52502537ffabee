//! The Label pane: an annotator's vote on each template.
//!
//! What the template came labelled as, and what a model or rule suggests, stays hidden until the annotator has given a
//! label of their own; what others said is the Panel pane's business. A vote is on disk before the pane moves to the next
//! template; keys that are pressed meanwhile wait their turn.
//!
//! `listing` is the list (order, search, cursor), `batch` what is decided together, `context` the lines around an
//! occurrence, `watch` the time that a decision takes, `summary` the session, `guidelines` the project's own page.

mod actions;
mod batch;
mod context;
mod detail;
mod effects;
mod guidelines;
mod listing;
mod state;
mod summary;
mod update;
mod view;
mod voting;
mod watch;

#[cfg(test)]
mod tests;

pub use actions::{ACTIONS, Action};
pub use context::{Ask, Occurrence};
pub use effects::{Effect, Loaded, Message, Restored, run};
pub use state::{Item, State};
