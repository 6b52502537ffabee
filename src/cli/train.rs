//! `logwright train sft | list | watch | resume | cancel`

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::base::BaseArgs;
use super::{Context, Failure, interrupt, output};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::training::{
    self, Event, Example, Job, Place, Recipe, RunFolder, RunState, Status, StepRecord, Summary, list_runs, resolve_run,
    run_info,
};
use crate::tui::widgets::duration;
use crate::workspace::Workspace;

/// How often `train watch` looks at the run's folder.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fine-tune on the accepted rationales (supervised)
    Sft(SftArgs),
    /// List the project's runs, newest first
    List(ListArgs),
    /// Follow a run, wherever it was started
    Watch(RunArgs),
    /// Go on with a run that was cancelled, failed or interrupted
    Resume(ResumeArgs),
    /// Ask a run to stop; it saves a checkpoint first
    Cancel(RunArgs),
}

#[derive(Debug, Args)]
struct SftArgs {
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

#[derive(Debug, Args)]
struct ListArgs {
    /// Print {runs: […]} as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The run: its id, the start of it, `latest`, or its folder
    run: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ResumeArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    base: BaseArgs,
}

pub(super) fn run(args: &TrainArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        What::Sft(args) => sft(args, context),
        What::List(args) => list(args, context),
        What::Watch(args) => watch(args, context),
        What::Resume(args) => resume(args, context),
        What::Cancel(args) => cancel(args, context),
    }
}

fn sft(args: &SftArgs, context: &Context) -> Result<(), Failure> {
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

fn resume(args: &ResumeArgs, context: &Context) -> Result<(), Failure> {
    let (folder, workspace) = find(&args.run.run, context)?;
    let model = folder.recipe()?.model;
    let base = args.base.resolve(model.as_deref(), workspace.as_ref())?;
    drop(workspace);
    follow(training::resume(folder, training::Base { path: base.path, device: args.base.device })?, args.run.json)
}

/// Follows a run of this process to its end, one progress line on standard error. Ctrl-C stops it with a checkpoint.
fn follow(job: Job, json: bool) -> Result<(), Failure> {
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let mut steps = 0;
    let mut outcome = Err("the training thread ended without a word".to_owned());
    loop {
        if stop.is_set() {
            job.cancel.cancel();
        }
        match job.events.recv_timeout(LOOK_EVERY) {
            Ok(Event::Preparing(run)) => line.show(&format!("{run}: loading the model and the examples")),
            Ok(Event::Started { run, steps: all, data, .. }) => {
                steps = all;
                let cut = [(data.truncated, "cut to fit"), (data.left_out, "left out as too long")];
                for (count, what) in cut.into_iter().filter(|(count, _)| *count > 0) {
                    output::note(&format!("{count} examples were {what}"));
                }
                line.show(&format!("{run}: {} examples, {} held out, {all} steps", data.examples, data.held_out));
            }
            Ok(Event::Step { record, eta_seconds }) => line.show(&step_line(&record, steps, Some(eta_seconds))),
            Ok(Event::Sampled(_) | Event::Saved { .. }) => {}
            Ok(Event::Ended(end)) => {
                outcome = end;
                break;
            }
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(line);
    job.join();
    let summary = outcome.map_err(Failure::failed)?;
    if json {
        output::json(&summary)?
    } else {
        output::line(&summary_text(&summary))?
    }
    match summary.status {
        RunState::Cancelled => {
            let (run, step) = (&summary.run, summary.steps);
            Err(Failure::failed(format!("cancelled after step {step}; `logwright train resume {run}` goes on with it")))
        }
        _ => Ok(()),
    }
}

fn step_line(record: &StepRecord, steps: usize, eta_seconds: Option<f64>) -> String {
    let StepRecord { step, loss, learning_rate, tokens_per_second, .. } = record;
    let eta = eta_seconds.map_or_else(String::new, |seconds| format!(" · {} left", duration(seconds)));
    format!("step {step}/{steps} · loss {loss:.4} · lr {learning_rate:.2e} · {tokens_per_second:.0} tokens/s{eta}")
}

fn summary_text(summary: &Summary) -> String {
    let number = |loss: Option<f64>| loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.4}"));
    let held_out = match summary.dev_loss {
        Some(loss) => format!(" (on {} held-out examples: {loss:.4})", summary.held_out),
        None => String::new(),
    };
    format!(
        "{} {} after {} steps in {}: loss {} (mean of the first 5) to {} (mean of the last 10){held_out}, {:.0} tokens/s\nadapter: {}",
        summary.run,
        summary.status,
        summary.steps,
        duration(summary.seconds),
        number(summary.first_loss),
        number(summary.last_loss),
        summary.tokens_per_second,
        summary.adapter.display()
    )
}

fn find(run: &str, context: &Context) -> Result<(RunFolder, Option<Workspace>), Failure> {
    let workspace = context.workspace_if_any()?;
    let runs = workspace.as_ref().map_or_else(|| PathBuf::from("runs"), Workspace::runs_dir);
    Ok((resolve_run(&runs, run)?, workspace))
}

#[derive(Serialize)]
struct Listed {
    runs: Vec<training::RunInfo>,
}

fn list(args: &ListArgs, context: &Context) -> Result<(), Failure> {
    let runs = list_runs(&context.workspace()?.runs_dir());
    if args.json {
        return output::json(&Listed { runs });
    }
    if runs.is_empty() {
        return output::line("no runs yet: `logwright train sft` makes one");
    }
    for info in runs {
        let status = &info.status;
        let loss = info.loss.map_or_else(String::new, |loss| format!("  loss {loss:.4}"));
        let why = status.message.as_ref().map_or_else(String::new, |message| format!("  {message}"));
        output::line(&format!(
            "{:<24} {:<12} {:>5}/{}{loss}{why}",
            info.run.as_str(),
            status.state,
            status.step,
            status.steps
        ))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Watched {
    #[serde(flatten)]
    info: training::RunInfo,
    adapter: Option<PathBuf>,
}

fn watch(args: &RunArgs, context: &Context) -> Result<(), Failure> {
    let (folder, workspace) = find(&args.run, context)?;
    drop(workspace);
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let mut status = folder.status()?;
    while status.state == RunState::Running && !stop.is_set() {
        line.show(&watch_line(&folder, &status)?);
        thread::sleep(LOOK_EVERY);
        status = folder.status()?;
    }
    drop(line);
    if args.json {
        let info = run_info(&folder).ok_or_else(|| Failure::failed("the run's folder can no longer be read"))?;
        return output::json(&Watched { info, adapter: training::adapter_of_run(&folder).ok() });
    }
    let message = status.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    output::line(&format!("{} {}{message}\n{}", folder.id(), status.state, watch_line(&folder, &status)?))
}

fn watch_line(folder: &RunFolder, status: &Status) -> Result<String, Failure> {
    Ok(match folder.steps()?.last() {
        Some(record) => step_line(record, status.steps, status.eta_seconds),
        None => "no step done yet".to_owned(),
    })
}

#[derive(Serialize)]
struct Cancelled<'a> {
    run: training::RunId,
    dir: &'a Path,
    requested: bool,
}

fn cancel(args: &RunArgs, context: &Context) -> Result<(), Failure> {
    let (folder, _) = find(&args.run, context)?;
    let state = folder.status()?.state;
    if state != RunState::Running {
        return Err(Failure::failed(format!("run {} is not running: it is {state}", folder.id())));
    }
    folder.request_cancel()?;
    if args.json {
        return output::json(&Cancelled { run: folder.id(), dir: folder.path(), requested: true });
    }
    output::line(&format!("{} will stop after its present batch, with a checkpoint", folder.id()))
}
