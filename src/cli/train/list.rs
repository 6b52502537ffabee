//! `logwright train list`

use clap::Args;
use serde::Serialize;

use crate::cli::{Context, Failure, output};
use crate::training::{self, RunState, list_runs};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print {runs: […]} as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed {
    runs: Vec<training::RunInfo>,
}

pub(super) fn run(args: &ListArgs, context: &Context) -> Result<(), Failure> {
    let runs = list_runs(&context.workspace()?.runs_dir());
    let (damaged, all) = (runs.iter().filter(|info| info.status.state == RunState::Damaged).count(), runs.len());
    if args.json {
        output::json(&Listed { runs })?;
    } else {
        lines(&runs)?;
    }
    match damaged {
        0 => Ok(()),
        _ => {
            Err(Failure::failed(format!("{damaged} of {all} runs cannot be read; why, and what to do, is in the list")))
        }
    }
}

fn lines(runs: &[training::RunInfo]) -> Result<(), Failure> {
    if runs.is_empty() {
        return output::line("no runs yet: `logwright train sft` makes one");
    }
    for info in runs {
        let status = &info.status;
        let loss = info.result().map_or_else(String::new, |(word, value)| format!("  {word} {value:.4}"));
        let why = status.message.as_ref().map_or_else(String::new, |message| format!("  {message}"));
        let device = info.device.as_ref().map_or_else(String::new, |device| format!("  {device}"));
        output::line(&format!(
            "{:<24} {:<12} {:>5}/{}{device}{loss}{why}",
            info.run.as_str(),
            status.state,
            status.step,
            status.steps
        ))?;
    }
    Ok(())
}
