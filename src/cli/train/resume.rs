//! `logwright train resume RUN`

use clap::Args;

use super::follow::{follow, report};
use super::pause::Asked;
use super::{RunArgs, find, launch, training_base};
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure};
use crate::training::{self, RunState, leave_terminal};

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    base: BaseArgs,
    /// Go on in a process of its own, which closing the terminal does not end
    #[arg(long)]
    detach: bool,
    /// This is that process
    #[arg(long, hide = true)]
    detached: bool,
}

pub(super) fn run(args: &ResumeArgs, context: &Context) -> Result<(), Failure> {
    if args.detached {
        leave_terminal();
    }
    let (folder, workspace) = find(&args.run.run, context)?;
    let state = folder.status().ok().map(|status| status.state).filter(|state| state.is_alive());
    if let Some(state) = state.filter(|state| *state == RunState::Paused || folder.pause_requested()) {
        folder.end_pause();
        let what = match state {
            RunState::Paused => "goes on in its own process, as soon as no other run trains",
            _ => "does not wait: the pause is taken back",
        };
        return Asked { run: folder.id(), dir: folder.path(), asked: "resume" }.report(args.run.json, what);
    }
    let model = folder.recipe()?.model;
    let base = args.base.resolve(model.as_deref(), workspace.as_ref())?;
    drop(workspace);
    let base = training_base(base, &args.base);
    if args.detach {
        if folder.status().is_ok_and(|status| status.state == RunState::Finished) {
            return Err(training::TrainingError::Finished(folder.id().to_string()).into());
        }
        return launch::detach(&folder, &base, args.run.json);
    }
    report(&follow(training::resume(folder, base)?)?, args.run.json)
}
