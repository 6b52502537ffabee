//! How long the parts of a step take, from one that is tried – or, where that would take long, from a part of it.

use std::time::Instant;

use crate::model::Sequence;
use crate::training::{Objective, TrainingError};

/// Seconds that trying may take, about, beside loading the model.
pub(in crate::training) const TRY_SECONDS: f64 = 8.0;

/// A loss with its gradient takes about as long as so many forward passes: three, and one more where activations are computed
/// twice.
pub(in crate::training) const LOSS_PASSES: f64 = 4.0;

/// Tokens of the passes that say how long a token takes to pass through the model. The first reads the weights from the disk; the
/// longer ones follow where the one before took no longer than [`LOOK_SECONDS`], since much at once takes less by the token.
const LOOK_TOKENS: [usize; 4] = [16, 16, 128, 512];
const LOOK_SECONDS: f64 = 0.5;

/// How long the parts of a step take, each by the token that [`Objective::tokens`] counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Seconds of a loss and its gradient.
    pub training: f64,
    /// Seconds of what is made before the losses: rollouts, and what a reference says.
    pub before: f64,
    /// What is made before is kept for the whole run, so that it is made once for each example; else once for each time that a step
    /// begins anew.
    pub kept: bool,
    /// All of the examples were tried in full, so that memory was taken as in a run.
    pub whole: bool,
}

impl Tried {
    /// Tries a step on as many of `examples` as there is time for; `None` if someone asked to stop.
    pub(in crate::training) fn of_examples<O: Objective + ?Sized>(
        objective: &O,
        examples: &[usize],
        forward: f64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, TrainingError> {
        let (most, mut tokens) = (affordable(forward), 0);
        let taken: Vec<usize> = examples
            .iter()
            .copied()
            .take_while(|&example| {
                tokens += objective.tokens(example);
                tokens <= most
            })
            .collect();
        if taken.is_empty() {
            let training = LOSS_PASSES * forward;
            return Ok(Some(Self { training, before: forward, kept: true, whole: false }));
        }
        let begin = Instant::now();
        if objective.prepare(0, std::slice::from_ref(&taken), cancelled)?.is_none() || cancelled() {
            return Ok(None);
        }
        let prepared = begin.elapsed().as_secs_f64();
        objective.loss(&taken, objective.weight(&taken).max(f64::MIN_POSITIVE))?;
        let all = begin.elapsed().as_secs_f64();
        let tokens = taken.iter().map(|&example| objective.tokens(example)).sum::<usize>().max(1) as f64;
        let whole = taken.len() == examples.len();
        Ok(Some(Self { training: (all - prepared) / tokens, before: prepared / tokens, kept: true, whole }))
    }
}

/// Tokens of a loss that there is time for, where one takes `forward` seconds to pass through the model.
pub(in crate::training) fn affordable(forward: f64) -> usize {
    (TRY_SECONDS / (LOSS_PASSES * forward).max(1e-9)) as usize
}

/// Seconds that a token takes to pass through the model; nought where there is none.
pub(super) fn forward_pace(objective: &dyn Objective) -> Result<f64, TrainingError> {
    let Some((model, adapter)) = objective.wearing() else { return Ok(0.0) };
    let (context, vocabulary) = (model.config().context, model.config().vocabulary.max(1));
    let mut pace = 0.0;
    for (at, tokens) in LOOK_TOKENS.into_iter().map(|tokens| tokens.min(context)).enumerate() {
        let ids = (0..tokens).map(|token| (token % vocabulary) as u32).collect();
        let sequence = [Sequence { tokens: ids, weights: vec![1.0; tokens] }];
        let begin = Instant::now();
        model.log_probabilities(&sequence, Some(adapter))?;
        let seconds = begin.elapsed().as_secs_f64();
        pace = seconds / tokens as f64;
        if at > 0 && seconds > LOOK_SECONDS {
            break;
        }
    }
    Ok(pace)
}
