//! `logwright train sft`

use std::path::PathBuf;

use clap::Args;

use super::follow::follow;
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::training::{self, Example, Place, Recipe};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct SftArgs {
    /// The settings, in TOML; the flags below win over it
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Steps of the optimiser [default: two passes over the data]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Examples in a batch [default: 4]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Highest learning rate [default: 0.003]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Decides everything that is drawn at random [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The run's folder [default: runs/<time>-sft in the project]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    base: BaseArgs,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &SftArgs, context: &Context) -> Result<(), Failure> {
    let mut recipe = args.recipe.as_deref().map(Recipe::load).transpose()?.unwrap_or_default();
    recipe.length.steps = args.steps.or(recipe.length.steps);
    recipe.data.batch = args.batch.unwrap_or(recipe.data.batch);
    recipe.optimizer.learning_rate = args.learning_rate.unwrap_or(recipe.optimizer.learning_rate);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    let recipe = recipe.validated()?;

    let workspace = context.workspace()?;
    let examples = accepted_examples(&workspace)?;
    let base = args.base.resolve(recipe.model.as_deref(), Some(&workspace))?;
    let place = match &args.out {
        Some(path) => Place::At(path.clone()),
        None => Place::In(workspace.runs_dir()),
    };
    drop(workspace);
    let recipe = Recipe { model: Some(base.name), ..recipe };
    let base = training::Base { path: base.path, device: args.base.device };
    follow(training::start_sft(recipe, &examples, &place, base)?, args.json)
}

fn accepted_examples(workspace: &Workspace) -> Result<Vec<Example>, Failure> {
    let prompt = AnomalyPrompt::default();
    let rationales = workspace.accepted_rationales()?;
    Ok(rationales.iter().map(|rationale| Example::from_rationale(rationale, &prompt)).collect::<Result<_, _>>()?)
}
