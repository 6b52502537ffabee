//! `logwright train chain FILE`: a curriculum, stage by stage.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::follow::follow;
use super::{means, training_base};
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure, output};
use crate::training::{
    self, Chain, ChainRecord, Job, Launch, Place, Recipe, RunInfo, RunState, Stage, adapter_of_run, run_info,
};

#[derive(Debug, Args)]
pub(super) struct ChainArgs {
    /// The stages, in TOML: [[stage]] tables that are recipes, or name one with `recipe`
    file: PathBuf,
    /// Begin anew, also where an earlier start of the same file is not finished
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    base: BaseArgs,
    /// Print {chain, dir, stages: [{name, run, dir, objective, state, step, loss, adapter}]} as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Chained {
    chain: String,
    dir: PathBuf,
    stages: Vec<Done>,
}

#[derive(Serialize)]
struct Done {
    name: String,
    #[serde(flatten)]
    info: RunInfo,
    adapter: PathBuf,
}

pub(super) fn run(args: &ChainArgs, context: &Context) -> Result<(), Failure> {
    let chain = Chain::load(&args.file)?;
    let runs = context.workspace()?.runs_dir();
    chain.has_one_shape(&runs)?;
    let record = match chain.unfinished(&runs).filter(|_| !args.new) {
        Some(record) => {
            output::note(&format!("{} goes on where it was", record.chain));
            record
        }
        None => chain.begin(&runs, Timestamp::now())?,
    };
    let mut stages = Vec::new();
    for (at, stage) in chain.stages.iter().enumerate() {
        if !record.is_finished(&runs, at) {
            output::note(&format!("stage {} of {}: {}", at + 1, chain.stages.len(), stage.name));
            let summary = follow(job(at, stage, &record, &runs, args, context)?)?;
            if summary.status == RunState::Cancelled {
                let (name, file) = (&stage.name, args.file.display());
                return Err(Failure::failed(format!(
                    "cancelled in stage {name}; `logwright train chain {file}` goes on"
                )));
            }
        }
        let folder = record.folder(&runs, at);
        let info = run_info(&folder).ok_or_else(|| Failure::failed("the run's folder can no longer be read"))?;
        stages.push(Done { name: stage.name.clone(), info, adapter: adapter_of_run(&folder)? });
    }
    if args.json {
        return output::json(&Chained { dir: record.dir(&runs), chain: record.chain, stages });
    }
    for Done { name, info, adapter } in &stages {
        let loss = info.result().map_or_else(String::new, |(word, value)| format!(", {word} {value:.4}"));
        output::line(&format!("{name}: {} steps{loss}, {}", info.status.step, adapter.display()))?;
    }
    Ok(())
}

/// Begins a stage, or goes on with it.
fn job(
    at: usize,
    stage: &Stage,
    record: &ChainRecord,
    runs: &Path,
    args: &ChainArgs,
    context: &Context,
) -> Result<Job, Failure> {
    let workspace = context.workspace()?;
    let folder = record.folder(runs, at);
    if record.is_begun(runs, at)? {
        let base = args.base.resolve(folder.recipe()?.model.as_deref(), Some(&workspace))?;
        return Ok(training::resume(folder, training_base(base, &args.base))?);
    }
    let start = match at.checked_sub(1) {
        Some(before) => Some(record.folder(runs, before).path().display().to_string()),
        None => stage.recipe.start.clone(),
    };
    let recipe = Recipe { start, ..stage.recipe.clone() };
    let mut means = means(&args.base);
    // A chain that goes on does so where it was.
    means.device = means.device.or_else(|| at.checked_sub(1).and_then(|before| record.folder(runs, before).device()));
    Ok(Launch::of(recipe, &workspace, means)?.start(&Place::At(folder.path().to_path_buf()))?)
}
