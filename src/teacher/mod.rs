//! The teacher: a model that writes rationales, thoughts and corrections for experts to review.
//!
//! One interface, [`Teacher`], and two kinds of it: any OpenAI-compatible service ([`Endpoint`]), and a model on this
//! machine. Work goes through three layers:
//!
//! - a [`Job`] says what to ask about one item, what of the reply to keep, and when to ask again;
//! - its [`Desk`] answers what it asks: from the project's store where it was asked before, else from the teacher, within
//!   the limits of rate and budget, again where that may help, and kept before anybody sees it;
//! - [`run`] takes items through a job, several at a time, stops when it is told to, and tells how it goes.
//!
//! So a job that was killed goes on by being started again: what was paid for is in the store.
//!
//! What a teacher may cost is [`Purse`]'s to watch, how fast it is asked [`Pacer`]'s, and the words are [`Prompts`]: Jinja
//! templates, each with logs fenced so that nothing in a log can pass for an instruction. Keys come from the environment
//! as [`Secret`]s.

mod ask;
mod corrections;
mod desk;
mod endpoint;
mod error;
mod estimate;
mod fence;
mod imitate;
mod job;
mod local;
mod pace;
mod prompts;
mod purse;
mod questions;
mod rationales;
mod reading;
mod secret;
mod seeds;
mod tally;
#[cfg(test)]
mod testing;
mod thoughts;
mod whom;
mod wrong;

pub use ask::{Ask, Finish, Miss, Paid, Remedy, Reply, Teacher, Usage};
pub use corrections::{Corrected, Corrections, CorrectionsPlan, ToCorrect};
pub use desk::{Answered, Desk, NotAnswered};
pub use endpoint::{Address, Endpoint, KEY_VARIABLES, Keys};
pub use error::TeacherError;
pub use estimate::Estimate;
pub use fence::fenced;
pub use imitate::{Imitate, ImitatePlan, Solved, ToSolve, questions_of_rationales};
pub use job::{Ended, Event, Job, Outcome, Ran, Terms, run};
pub use local::Local;
pub use pace::Pacer;
pub use prompts::{PROMPTS_FOLDER, Prompts};
pub use purse::{OverBudget, Purse, Reservation};
pub use questions::{Chosen, Question, Questions, from_file, of_project};
pub use rationales::{Prepared, Rationales, RationalesPlan, Taught};
pub use reading::tidy;
pub use secret::Secret;
pub use seeds::{Seed, seed_for, seeds};
pub use tally::Tally;
pub use thoughts::{
    Analyses, Analysis, DETAILS, Excluded, FEWEST_STEPS, FEWEST_WORDS, Overview, Picked, PreparedThought, TSNE_MOST,
    Thinking, Thoughts, ThoughtsPlan, alike, alike_of, from_cases, from_tasks, meaning, nearest_by_words, points,
    same_by_meaning, same_by_words, seed_thoughts, select, step_counts,
};
pub use whom::{endpoint_of, model_of};
pub use wrong::{Wrong, WrongOnes, WrongTrajectory};
