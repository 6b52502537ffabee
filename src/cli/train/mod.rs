//! `logwright train sft | dpo | grpo | chain | list | watch | resume | pause | cancel | export`

mod cancel;
mod chain;
mod export;
mod follow;
mod launch;
mod list;
mod objective;
mod pause;
mod resume;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::base::{Base, BaseArgs};
use super::{Context, Failure};
use crate::training::{self, ObjectiveName, RunFolder, resolve_run};
use crate::tui::measuring::held_out_f1;
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fine-tune on the accepted rationales (supervised)
    Sft(objective::ObjectiveArgs),
    /// Fine-tune on the accepted preference pairs: the chosen side against the rejected one
    Dpo(objective::ObjectiveArgs),
    /// Reinforce what the model itself answers about accepted rationales' logs or labelled templates, by its reward
    Grpo(objective::ObjectiveArgs),
    /// Run recipes in a row, each from the adapter of the one before; a chain that was stopped goes on where it was
    Chain(chain::ChainArgs),
    /// List the project's runs, newest first
    List(list::ListArgs),
    /// Follow a run, wherever it was started
    Watch(RunArgs),
    /// Go on with a run that was paused, cancelled, failed or interrupted
    Resume(resume::ResumeArgs),
    /// Let a run wait, with a checkpoint, until `train resume`
    Pause(RunArgs),
    /// Ask a run to stop; it saves a checkpoint first
    Cancel(RunArgs),
    /// Write a run's adapter, alone or worked into its base, for other programs
    Export(export::ExportArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The run: its id, the start of it, `latest`, or its folder
    run: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TrainArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        What::Sft(args) => objective::run(ObjectiveName::Sft, args, context),
        What::Grpo(args) => objective::run(ObjectiveName::Grpo, args, context),
        What::Dpo(args) => objective::run(ObjectiveName::Dpo, args, context),
        What::Chain(args) => chain::run(args, context),
        What::List(args) => list::run(args, context),
        What::Watch(args) => watch::run(args, context),
        What::Resume(args) => resume::run(args, context),
        What::Pause(args) => pause::run(args, context),
        What::Cancel(args) => cancel::run(args, context),
        What::Export(args) => export::run(args, context),
    }
}

/// With what a run is computed, and how its answers are measured.
fn means(args: &BaseArgs) -> training::Means {
    training::Means { model: args.model.clone(), device: args.device, measure: Some(held_out_f1()) }
}

/// What a run that goes on starts from, and how its answers are measured.
fn training_base(base: Base, args: &BaseArgs) -> training::Base {
    training::Base { path: base.path, device: args.device, measure: Some(held_out_f1()) }
}

/// The run that someone means, and the project that is meant, if there is one.
fn find(run: &str, context: &Context) -> Result<(RunFolder, Option<Workspace>), Failure> {
    let workspace = context.workspace_if_any()?;
    let runs = workspace.as_ref().map_or_else(|| PathBuf::from("runs"), Workspace::runs_dir);
    Ok((resolve_run(&runs, run)?, workspace))
}
