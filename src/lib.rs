//! Logwright: a terminal workbench for making a language model reason about logs the way an expert does.
//!
//! The rooms, and which may use which (an arrow never points back; `tests/house.rs` checks it):
//!
//! ```text
//! logs ← labels ← reasoning ← workspace ← teacher, training, evaluation ← tui ← cli
//!                              model  ←───┘
//! ```
//!
//! `logs`, `labels` and `reasoning` are pure: no files, no network, no terminal.

pub mod cli;
pub mod evaluation;
pub mod labels;
pub mod logs;
pub mod model;
pub mod reasoning;
pub mod teacher;
pub mod training;
pub mod tui;
pub mod workspace;
