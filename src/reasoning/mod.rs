//! Reasoning about logs: rationales and their steps, thoughts, preference pairs, and what reviewers say of them.
//!
//! [`parse`] takes a written reasoning apart into steps and an answer; everything else here is what such texts belong
//! to. This room is pure: prompts are rendered, never sent.

mod grounding;
mod items;
mod parse;
pub mod prompt;
mod review;
mod reviewable;
pub mod similarity;
mod window;

pub use grounding::{Claim, ClaimKind, Evidence, claims, is_grounded, supports};
pub use items::{ItemError, Pair, PairCheck, Rationale, Task, Thought, Trouble};
pub use parse::{Order, Parsed, Step, answer_label, parse};
pub use review::{ItemKind, Review, Standing, Verdict};
pub use reviewable::Reviewable;
pub use window::{Window, WindowError};
