//! `logwright train resume RUN`

use clap::Args;

use super::follow::{follow, report};
use super::{RunArgs, find};
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure};
use crate::training;

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    base: BaseArgs,
}

pub(super) fn run(args: &ResumeArgs, context: &Context) -> Result<(), Failure> {
    let (folder, workspace) = find(&args.run.run, context)?;
    let model = folder.recipe()?.model;
    let base = args.base.resolve(model.as_deref(), workspace.as_ref())?;
    drop(workspace);
    let job = training::resume(folder, training::Base { path: base.path, device: args.base.device })?;
    report(&follow(job)?, args.run.json)
}
