//! What a trainer needs to know of what it trains.

use std::path::Path;

use candle_core::{Tensor, Var};

use super::TrainingError;

/// The gradient of the loss, one tensor for each parameter in the order of [`Objective::parameters`]; `None` where the
/// loss does not depend on it.
pub type Gradients = Vec<Option<Tensor>>;

/// What a model said when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The log that it was asked about.
    pub input: String,
    /// Its answer.
    pub text: String,
}

/// Something that can be trained: parameters, examples, and the loss of the ones on the others.
pub trait Objective {
    /// The parameters that move, each with its name, always in the same order.
    fn parameters(&self) -> &[(String, Var)];

    /// How many examples there are.
    fn examples(&self) -> usize;

    /// Tokens of an example, prompt included.
    fn tokens(&self, example: usize) -> usize;

    /// Sum of the weights of all that the loss of these examples counts: what a step's loss is normalised by, over all
    /// its batches together, so that a step of four batches of one equals a step of one batch of four.
    fn weight(&self, examples: &[usize]) -> f64;

    /// Σ weight·(negative log-likelihood) of these examples / `normaliser`, in nats, and its gradient.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn loss(&self, examples: &[usize], normaliser: f64) -> Result<(f64, Gradients), TrainingError>;

    /// Mean loss over what was held out, in nats a token; `None` where nothing was.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn dev_loss(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<f64>, TrainingError>;

    /// What the model says now when it is asked about one of the examples, the same each time; `None` where there is
    /// nothing to be asked, or someone asked to stop.
    ///
    /// # Errors
    /// When the model's arithmetic fails.
    fn sample(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Said>, TrainingError>;

    /// Writes the parameters in the layout in which others read them.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, folder: &Path) -> Result<(), TrainingError>;
}
