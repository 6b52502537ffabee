//! The Reason pane: the model's reasoning about one log, as it is written and then step by step.
//!
//! A log is picked from the project's templates, typed, or handed over by another pane. The text streams in; then `left` and
//! `right` go through its steps, `up` and `down` through the tokens of a step, each with its probability and what the model
//! might have written instead. `[` and `]` go through the traces of the session.

mod actions;
mod branch;
mod compare;
mod effects;
mod jobs;
mod kept;
mod log_view;
mod question;
mod several;
mod state;
mod step_text;
mod trace_view;
mod update;
mod view;
mod what_if;

#[cfg(test)]
mod tests;

pub use actions::{ACTIONS, Action};
pub use effects::{Ask, Effect, Message, Offer, Opened, Suppose, run};
pub use kept::KeptRow;
pub use state::{Item, Question, State, Wearing};
