//! Reasoning about logs: rationales and their steps, thoughts, preference pairs, and what reviewers say of them.
//!
//! [`parse`] takes a written reasoning apart into steps and an answer; everything else here is what such texts belong
//! to. This room is pure: prompts are rendered, never sent.

mod correction;
mod decided;
mod denial;
mod dot;
pub mod dpp;
mod grounding;
mod items;
mod judging;
mod marks;
pub mod neighbours;
mod pair_check;
mod pair_edit;
mod parse;
pub mod projection;
pub mod prompt;
mod review;
mod reviewable;
pub mod similarity;
mod trouble;
mod window;

pub use correction::{Correction, CorrectionError};
pub use decided::{Decided, ReviewRule};
pub use grounding::{Claim, ClaimKind, Evidence, claims, is_grounded, supports};
pub use items::{ItemError, Pair, Rationale, Task, Thought, yes_or_no};
pub use judging::{Judged, SAME_ANSWER};
pub use marks::{Mark, StepMark, StepMarks};
pub use pair_check::PairCheck;
pub use parse::{Order, Parsed, Step, answer_label, parse};
pub use review::{ItemKind, Review, Standing, Verdict};
pub use reviewable::Reviewable;
pub use trouble::{
    Alike, Background, Beside, Findings, GoldByText, Length, Likeness, Near, PlacedClaim, Trouble, Truth, TruthSource,
};
pub use window::{Window, WindowError};
