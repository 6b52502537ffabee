//! The form: `<think>…</think><answer>…</answer>` (or `<solutions>`), each tag once, in this order, and nothing else.

use super::Weights;

/// What the form gives; [`crate::reasoning::parse`] says whether it is kept.
pub(super) fn reward(well_formed: bool, weights: &Weights) -> f64 {
    if well_formed { weights.well_formed } else { weights.malformed }
}
