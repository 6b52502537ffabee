//! Which analyses are worth distilling: those that differ most, in the order in which they add to each other.

use std::ops::ControlFlow;

use super::super::TeacherError;
use super::analyses::Analysis;
use crate::model::Embedder;
use crate::reasoning::dpp::{Kernel, greedy_map};
use crate::reasoning::neighbours::Vectors;

/// A chosen analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// What was chosen.
    pub analysis: Analysis,
    /// As which, from 1.
    pub order: usize,
    /// The part of it that those chosen before do not say, from 0 to 1.
    pub gain: f64,
}

/// Chooses at most `count` analyses by a determinantal point process over their embeddings; all that say something of their own where
/// no number is given. `None` where `go_on`, which hears how many are embedded, breaks off.
///
/// # Errors
/// When a text cannot be embedded.
pub fn select(
    embedder: &Embedder,
    analyses: Vec<Analysis>,
    count: Option<usize>,
    go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Vec<Picked>>, TeacherError> {
    let texts: Vec<String> =
        analyses.iter().map(|analysis| format!("{}\n{}", analysis.problem, analysis.analysis)).collect();
    let invalid = |error: &dyn std::fmt::Display| TeacherError::Invalid(error.to_string());
    let Some(embeddings) = embedder.embed(&texts, go_on).map_err(|error| invalid(&error))? else { return Ok(None) };
    let points = Vectors::new(embedder.width(), embeddings).map_err(|error| invalid(&error))?;
    let choices = greedy_map(&points, &[], Kernel::default(), count.unwrap_or(usize::MAX));
    let choices = choices.map_err(|error| invalid(&error))?;
    let picked = choices.into_iter().zip(1..).map(|(choice, order)| Picked {
        analysis: analyses[choice.place].clone(),
        order,
        gain: choice.gain,
    });
    Ok(Some(picked.collect()))
}
