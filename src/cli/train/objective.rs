//! `logwright train sft|dpo|grpo`: one command an objective, which differ in what they learn from and in their recipe.

use std::path::PathBuf;

use clap::Args;

use super::follow::{follow, report};
use super::launch::{self, LaunchArgs};
use super::training_base;
use crate::cli::base::{BaseArgs, named_adapter};
use crate::cli::{Context, Failure};
use crate::training::{self, ObjectiveName, Place, Recipe, accepted_examples};

#[derive(Debug, Args)]
pub(super) struct ObjectiveArgs {
    /// The settings, in TOML; the flags below win over it
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// The adapter to start from: a run (id, the start of it, `latest`) or a folder in PEFT's layout [default: a fresh one]
    #[arg(long, value_name = "RUN|DIR")]
    start: Option<String>,
    /// Steps of the optimiser [default: as many as the recipe's passes over the data need]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Examples in a batch [default: 4; grpo 2, each answered several times]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Highest learning rate [default: sft 0.003, dpo 0.0001, grpo 0.00005]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Decides everything that is drawn at random [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The run's folder [default: runs/<time>-<objective> in the project]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    base: BaseArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(objective: ObjectiveName, args: &ObjectiveArgs, context: &Context) -> Result<(), Failure> {
    let mut recipe = match &args.recipe {
        Some(path) => Recipe::load_for(path, objective)?,
        None => Recipe::of(objective),
    };
    recipe.length.steps = args.steps.or(recipe.length.steps);
    recipe.data.batch = args.batch.unwrap_or(recipe.data.batch);
    recipe.optimizer.learning_rate = args.learning_rate.unwrap_or(recipe.optimizer.learning_rate);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.start = args.start.clone().or(recipe.start);
    let recipe = recipe.validated()?;

    let workspace = context.workspace()?;
    let examples = accepted_examples(&workspace, &recipe)?;
    let start = recipe.start.as_deref().map(|name| named_adapter(name, Some(&workspace))).transpose()?;
    let of_start = start.as_ref().and_then(|start| start.model.as_deref());
    let base = args.base.resolve(recipe.model.as_deref().or(of_start), Some(&workspace))?;
    let place = match &args.out {
        Some(path) => Place::At(path.clone()),
        None => Place::In(workspace.runs_dir()),
    };
    drop(workspace);
    let name = start.as_ref().map(|start| start.name.clone());
    let recipe = Recipe { model: Some(base.name.clone()), start: name, ..recipe };
    let base = training_base(base, &args.base);
    let from = start.as_ref().map(|start| start.dir.as_path());
    if args.launch.dry_run {
        return launch::report(&training::estimate(recipe, &examples, from, &base)?, args.json);
    }
    if args.launch.detach {
        return launch::detach(&training::prepare(recipe, &examples, from, &place)?, &base, args.json);
    }
    report(&follow(training::start(recipe, &examples, from, &place, base)?)?, args.json)
}
