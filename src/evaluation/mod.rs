//! What a model is worth on a task: metrics, baselines, reports.
//!
//! [`evaluate_anomaly`] asks a [`Predictor`] – the model, or a baseline such as [`KeywordRule`] – about every [`Item`] of
//! a file and gives a [`Report`]. Every number in it says of what it is: which class or average, of how many items, at
//! which prevalence. [`step_through`] lays a single answer of the model out to be looked at. This room knows no terminal,
//! and nothing of training.

mod anomaly;
mod asking;
mod branching;
mod calibration;
mod contesting;
mod counterfactual;
mod desk;
mod items;
mod keeping;
mod keyword;
mod metrics;
mod model_predictor;
mod opening;
mod page;
mod report;
mod stepping;
mod suggesting;
mod trace_file;
mod verdict;

pub use anomaly::{Cancelled, EvaluationError, Prediction, Predictor, Progress, Selection, evaluate_anomaly};
pub use asking::{AskError, Asked};
pub use branching::{BranchError, Difference, first_difference, preference_pair};
pub use calibration::{Band, Calibration, ItemMargin, band_of, calibrations, keep_report};
pub use contesting::{Contested, contest, contest_kept, template_of};
pub use counterfactual::{Change, Counterfactual, NotThere, changed, log_words, places, what_if};
pub use desk::{ContestedBy, Reveal, Suggested, Task, desk, own_votes};
pub use items::{Item, Items, ItemsError, Truth, is_worded, project_items, read_items};
pub use keeping::{keep_trace, kept_trace};
pub use keyword::KeywordRule;
pub use metrics::{Averages, ClassScores, Confusion, Outcome, Scores, Unparsed};
pub use model_predictor::ModelPredictor;
pub use page::{PageTrace, traces_page};
pub use report::{Baseline, Mistake, Report, Section};
pub use stepping::{
    ALTERNATIVES, Asking, GroundedClaim, SteppedAlternative, SteppedKind, SteppedStep, SteppedToken, SteppedTrace,
    lay_out, step_through, weigh,
};
pub use suggesting::{SuggestError, Suggestions, Wanted, suggest_by_model, suggest_by_rule};
pub use trace_file::write_trace;
pub use verdict::{EVIDENCE_WORDS, EvidenceToken, Margins};
