//! `logwright train sft|dpo|grpo`: one command an objective, which differ in what they learn from and in their recipe.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::follow::{follow, report};
use super::launch::{self, LaunchArgs};
use super::means;
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure};
use crate::training::{Launch, ObjectiveName, Place, Preset, Recipe};

#[derive(Debug, Args)]
pub(super) struct ObjectiveArgs {
    /// The settings, in TOML; the flags below win over it
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Settings to begin from: quick; sft and dpo also thorough, logreasoner; sft and grpo r-log; grpo rationanomaly,
    /// rationanomaly-code. The flags below win over them
    #[arg(long, value_name = "NAME", conflicts_with = "recipe")]
    preset: Option<String>,
    /// The adapter to start from: a run (id, the start of it, `latest`) or a folder in PEFT's layout [default: a fresh one]
    #[arg(long, value_name = "RUN|DIR")]
    start: Option<String>,
    /// Steps of the optimiser [default: as many as the recipe's passes over the data need]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    steps: Option<usize>,
    /// Examples in a batch [default: 4; grpo 2, each answered several times]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    batch: Option<usize>,
    /// Highest learning rate [default: sft 0.003, dpo 0.0001, grpo 0.00005]
    #[arg(long, value_name = "RATE", value_parser = rate)]
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

/// A learning rate.
fn rate(word: &str) -> Result<f64, String> {
    let rate: f64 = word.parse().map_err(|_| "not a number".to_owned())?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("not above nought".into()) }
}

pub(super) fn run(objective: ObjectiveName, args: &ObjectiveArgs, context: &Context) -> Result<(), Failure> {
    let mut recipe = match (&args.recipe, &args.preset) {
        (Some(path), _) => Recipe::load_for(path, objective)?,
        (None, Some(name)) => Preset::named(objective, name).map_err(Failure::usage)?.applied(&Recipe::of(objective)),
        (None, None) => Recipe::of(objective),
    };
    recipe.length.steps = args.steps.or(recipe.length.steps);
    recipe.data.batch = args.batch.unwrap_or(recipe.data.batch);
    recipe.optimizer.learning_rate = args.learning_rate.unwrap_or(recipe.optimizer.learning_rate);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.start = args.start.clone().or(recipe.start);

    let workspace = context.workspace()?;
    let place = match &args.out {
        Some(path) => Place::At(path.clone()),
        None => Place::In(workspace.runs_dir()),
    };
    let launch = Launch::of(recipe, &workspace, means(&args.base))?;
    drop(workspace);
    if let Some(path) = &args.recipe {
        launch.agrees_with(path)?;
    }
    if args.launch.dry_run {
        return launch::report(&launch.estimate(&|| false)?, args.json);
    }
    if args.launch.detach {
        let (folder, process) = launch.detach(&place)?;
        return launch::detached(&folder, process, args.json);
    }
    report(&follow(launch.start(&place)?)?, args.json)
}
