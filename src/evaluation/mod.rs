//! What a model is worth on a task: metrics, baselines, reports.

mod asking;
mod stepping;

pub use asking::AskError;
pub use stepping::{
    ALTERNATIVES, Asked, Asking, SteppedAlternative, SteppedKind, SteppedStep, SteppedToken, SteppedTrace, lay_out,
    step_through,
};
