//! `logwright train chain FILE`: a curriculum, stage by stage.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::follow::follow_until;
use super::launch::{LaunchArgs, text};
use super::{means, training_base};
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure, interrupt, output};
use crate::training::{
    self, Chain, ChainRecord, Estimate, Job, Launch, Place, Recipe, RunFolder, RunInfo, RunState, Stage,
    adapter_of_run, away, leave_terminal, run_info,
};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct ChainArgs {
    /// The stages, in TOML: [[stage]] tables that are recipes, or name one with `recipe`
    file: PathBuf,
    /// Begin anew, also where an earlier start of the same file is not finished
    #[arg(long)]
    new: bool,
    #[command(flatten)]
    base: BaseArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// This is the process that `--detach` starts
    #[arg(long, hide = true)]
    detached: bool,
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

#[derive(Serialize)]
struct Estimated<'a> {
    name: &'a str,
    #[serde(flatten)]
    estimate: Estimate,
}

#[derive(Serialize)]
struct Detached {
    chain: String,
    dir: PathBuf,
    process: u32,
}

pub(super) fn run(args: &ChainArgs, context: &Context) -> Result<(), Failure> {
    if args.detached {
        leave_terminal();
    }
    let chain = Chain::load(&args.file)?;
    let workspace = context.workspace()?;
    let (root, runs) = (workspace.dir().to_owned(), workspace.runs_dir());
    let before = chain.unfinished(&runs).filter(|_| !args.new && !args.launch.dry_run);
    let first = before.as_ref().map(|record| record.folder(&runs, 0)).filter(RunFolder::has_status);
    chain.has_one_shape(&runs, first.as_ref())?;
    // What is begun has all that it needs in its folder.
    let is_begun = |at: usize| before.as_ref().is_some_and(|record| record.folder(&runs, at).has_status());
    let launches = launches(&chain.stages, &is_begun, args, &workspace)?;
    if args.launch.dry_run {
        return estimate(launches, args.json);
    }
    drop(workspace);
    let record = match before {
        Some(record) => {
            output::note(&format!("{} goes on where it was", record.chain));
            record
        }
        None => chain.begin(&runs, Timestamp::now())?,
    };
    if args.launch.detach {
        return detach(&record, &runs, &root, args);
    }
    // One for all stages: what is asked for between two of them holds too.
    let stop = interrupt::flag()?;
    let mut stages = Vec::new();
    for (at, stage) in chain.stages.iter().enumerate() {
        if !record.is_finished(&runs, at) {
            if stop.is_set() {
                let (name, file) = (&stage.name, args.file.display());
                return Err(Failure::failed(format!(
                    "cancelled before stage {name}; `logwright train chain {file}` goes on"
                )));
            }
            output::note(&format!("stage {} of {}: {}", at + 1, chain.stages.len(), stage.name));
            let summary = follow_until(job(at, stage, &record, &runs, args, context)?, &stop)?;
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

/// What the stages that are not begun would begin with, the adapter of the one before left out: so that what is missing is told
/// before hours of training, not after.
fn launches<'a>(
    stages: &'a [Stage],
    is_begun: &dyn Fn(usize) -> bool,
    args: &ChainArgs,
    workspace: &Workspace,
) -> Result<Vec<(&'a str, Launch)>, Failure> {
    let launch = |(at, stage): (usize, &'a Stage)| {
        let start = stage.recipe.start.clone().filter(|_| at == 0);
        match Launch::of(Recipe { start, ..stage.recipe.clone() }, workspace, means(&args.base)) {
            Ok(launch) => Ok((stage.name.as_str(), launch)),
            Err(error) => Err(Failure::failed(format!("stage {}: {error}", stage.name))),
        }
    };
    stages.iter().enumerate().filter(|(at, _)| !is_begun(*at)).map(launch).collect()
}

/// Prints what each stage would take; one that does not fit is a failure.
fn estimate(launches: Vec<(&str, Launch)>, json: bool) -> Result<(), Failure> {
    let mut stages = Vec::new();
    for (name, launch) in launches {
        let estimate = launch.estimate(&|| false).map_err(|error| Failure::failed(format!("stage {name}: {error}")))?;
        stages.push(Estimated { name, estimate });
    }
    if json {
        output::json(&serde_json::json!({ "stages": stages }))?;
    } else {
        for Estimated { name, estimate } in &stages {
            output::line(&format!("stage {name}:\n{}", text(estimate)))?;
        }
    }
    let refusal = stages.iter().find_map(|stage| Some((stage.name, stage.estimate.refusal.as_ref()?)));
    refusal.map_or(Ok(()), |(name, why)| Err(Failure::failed(format!("stage {name}: {why}"))))
}

/// Hands a chain over to a process of its own.
fn detach(record: &ChainRecord, runs: &Path, root: &Path, args: &ChainArgs) -> Result<(), Failure> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(Failure::from);
    let mut arguments: Vec<OsString> = vec!["-C".into(), absolute(root)?.into(), "train".into(), "chain".into()];
    arguments.push(absolute(&args.file)?.into());
    if let Some(model) = &args.base.model {
        arguments.extend(["--model".into(), model.into()]);
    }
    if let Some(device) = args.base.device {
        arguments.extend(["--device".into(), device.to_string().into()]);
    }
    let (dir, chain) = (record.dir(runs), record.chain.clone());
    if record.is_going_on(runs) {
        return Err(Failure::failed(format!("{chain} is going on already; `logwright train list` shows its runs")));
    }
    let log = dir.join("output.log");
    let process = away(&arguments, &log, &|| record.is_going_on(runs))?;
    if args.json {
        return output::json(&Detached { chain, dir, process });
    }
    output::line(&format!(
        "{chain} goes on in process {process}; `logwright train list` shows its runs, and what it prints is in {}",
        log.display()
    ))
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
