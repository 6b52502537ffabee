//! `logwright train list`

use clap::Args;
use serde::Serialize;

use crate::cli::{Context, Failure, output};
use crate::training::{self, list_runs};

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
    if args.json {
        return output::json(&Listed { runs });
    }
    if runs.is_empty() {
        return output::line("no runs yet: `logwright train sft` makes one");
    }
    for info in runs {
        let status = &info.status;
        let loss = info.result().map_or_else(String::new, |(word, value)| format!("  {word} {value:.4}"));
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
