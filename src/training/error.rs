//! What can go wrong in a fine-tuning, in one line for people.

use std::path::PathBuf;

use super::RecipeError;
use crate::model::pull;

/// Why a run could not start, or ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The recipe is not one.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Nothing to train on.
    #[error("there is no {} to train on{}", in_full(what), what_helps(what, *pending))]
    NothingAccepted {
        /// What is learnt from, in a word.
        what: &'static str,
        /// How many of them wait for review, where that is known.
        pending: Option<usize>,
    },
    /// There are examples, and none of the wanted tasks.
    #[error("none of the {0} accepted {1}s is of the tasks that data.tasks names: {2}")]
    NoneOfTasks(usize, &'static str, String),
    /// No such model here.
    #[error("{}", no_model(.0))]
    NoModel(String),
    /// Every example was left out.
    #[error(
        "none of the {0} examples fits into {1} tokens (of pairs, where their sides begin to differ, too); raise data.max_length in the recipe"
    )]
    NothingFits(usize, usize),
    /// Every example was left out, and the model reads no more at once.
    #[error(
        "none of the {0} examples fits into the {1} tokens that this model reads at once; take one with a longer context"
    )]
    NothingFitsModel(usize, usize),
    /// The best evaluation is that of the highest F1, and nothing has one.
    #[error(
        "length.best_by = f1, and of the {0} held-out examples none has a verdict on an anomaly; hold out more by data.dev_fraction, or take length.best_by = loss"
    )]
    NoVerdicts(usize),
    /// A file of the run could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the run holds something else than it should.
    #[error("{path}: {why}", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No run of that name.
    #[error("no run in {path} is called {0:?}, or several start so; see `logwright train list`", path = .1.display())]
    NoSuchRun(String, PathBuf),
    /// Another process is working on the run.
    #[error("run {0} is running already (process {1}); watch it with `logwright train watch {0}`")]
    AlreadyRunning(String, u32),
    /// A finished run cannot be resumed.
    #[error("run {0} is finished; there is nothing to resume")]
    Finished(String),
    /// A LoRA matrix that no gradient reaches would silently stay untrained.
    #[error("no gradient reaches {0}: the model's backward pass is broken, and training stopped before the first step")]
    NoGradient(String),
    /// What the weights give is no longer a number.
    #[error(
        "{what} is {value} at step {step}; {}. Lower optimizer.learning_rate or optimizer.clip in its recipe.toml before you resume it", kept_at(*.kept)
    )]
    Diverged {
        /// What is no number: the loss, the gradient's norm, or what was measured between two steps.
        what: &'static str,
        /// What it is.
        value: f64,
        /// In which step, or after which.
        step: usize,
        /// The last step whose weights are kept; nought if there is none.
        kept: usize,
    },
    /// What the weights give is no number before they moved.
    #[error(
        "{what} is {value} before anything was learnt: the model's weights, the adapter that it starts from or lora.alpha are at fault"
    )]
    Unsound {
        /// What is no number.
        what: &'static str,
        /// What it is.
        value: f64,
    },
    /// The loss is a number, and far from what it was.
    #[error(
        "the loss is {loss:.3} at step {step} and was {usual:.3}; the run stopped, and goes on from the checkpoint of step {kept}. Lower optimizer.learning_rate in its recipe.toml before you resume it"
    )]
    Runaway {
        /// What it is.
        loss: f64,
        /// The median of the steps before.
        usual: f64,
        /// In which step.
        step: usize,
        /// The step of the last good checkpoint; nought if there is none.
        kept: usize,
    },
    /// The device ran out of memory in the middle of a step.
    #[error(
        "the device ran out of memory in step {step}; {}. Lower data.max_length, data.batch or grpo.concurrent in its recipe.toml, or free the device, before you resume it", kept_at(*.kept)
    )]
    OutOfMemory {
        /// In which step.
        step: usize,
        /// The step of the last checkpoint; nought if there is none.
        kept: usize,
    },
    /// The device no longer answers.
    #[error("the device failed in step {step} ({why}); {}. Resume it when the device is back, or with --device cpu", kept_at(*.kept))]
    DeviceLost {
        /// What its driver said.
        why: String,
        /// In which step.
        step: usize,
        /// The step of the last checkpoint; nought if there is none.
        kept: usize,
    },
    /// There is not enough memory.
    #[error("{0}")]
    DoesNotFit(String),
    /// The model or its arithmetic failed.
    #[error("{0}")]
    Model(String),
    /// A tensor operation failed.
    #[error("tensor arithmetic failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// Someone stopped an estimate.
    #[error("stopped before a step was tried")]
    NotTried,
    /// The trainer thread is gone.
    #[error("the training thread ended unexpectedly: {0}")]
    Thread(String),
}

/// What is learnt from, with what it must have to be of use.
fn in_full(what: &str) -> String {
    match what.strip_suffix("template") {
        None => format!("accepted {what}"),
        Some("") => "template with a gold label".to_owned(),
        Some(before) => format!("accepted {before}template with a gold label"),
    }
}

/// What to do where nothing is accepted.
fn what_helps(what: &str, pending: Option<usize>) -> String {
    match pending {
        _ if what.ends_with("template") => "; label some first, or import them with their gold".to_owned(),
        None => "; accept some first: logwright review accept --all".to_owned(),
        Some(0) => format!(", and none waits for review; logwright import {what}s brings some"),
        Some(waiting) => {
            let verb = if waiting == 1 { "waits" } else { "wait" };
            format!("; {waiting} {verb} for review: pane 3, or logwright review accept")
        }
    }
}

/// What is said of a model that is not on this machine.
fn no_model(name: &str) -> String {
    if pull::can_be_pulled(name) {
        return format!("model {name} is not on this machine: run `logwright model pull {name}`");
    }
    format!("model {name}: no such file or folder; `logwright model list` shows what is on this machine")
}

impl TrainingError {
    /// An error of `path`.
    pub(super) fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    /// Wrong contents of `path`.
    pub(super) fn damaged(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        Self::Damaged { path: path.into(), why: why.to_string() }
    }
}

fn kept_at(step: usize) -> String {
    match step {
        0 => "no step was kept, and resuming begins anew".into(),
        step => format!("the run goes on from the checkpoint of step {step}"),
    }
}
