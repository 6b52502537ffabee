//! `logwright round status|close|open`

use clap::{Args, Subcommand};

use super::{Context, Failure, output};
use crate::labels::Round;
use crate::workspace::{RoundStatus, Workspace};

#[derive(Debug, Args)]
pub(super) struct RoundArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Where the rounds stand
    Status {
        /// Print it as JSON: {phase, rounds: [{round, state, votes, annotators, templates, late, last}], events}
        #[arg(long)]
        json: bool,
    },
    /// Close the round that is open, as a senior: its votes are frozen, and after the blind round the panel's opens
    Close(Change),
    /// Open a closed round again, as a senior
    Open {
        /// blind or panel
        round: Round,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Args)]
struct Change {
    /// Who does it: a senior of this project
    #[arg(long = "as", value_name = "NAME")]
    senior: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Print where the rounds stand then, as `round status --json` does
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RoundArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let senior = |change: &Change| workspace.settings().acting(change.senior.as_deref());
    match &args.what {
        What::Status { json } => status(&workspace, *json),
        What::Close(change) => {
            let round = workspace.close_round(&senior(change), change.reason.as_deref())?;
            if change.json { status(&workspace, true) } else { output::line(&format!("the {round} round is closed")) }
        }
        What::Open { round, change } => {
            workspace.open_round(*round, &senior(change), change.reason.as_deref())?;
            if change.json {
                status(&workspace, true)
            } else {
                output::line(&format!("the {round} round is open again"))
            }
        }
    }
}

fn status(workspace: &Workspace, json: bool) -> Result<(), Failure> {
    let rounds = workspace.rounds()?;
    let status = workspace.round_status()?;
    if json {
        return output::json(&serde_json::json!({
            "phase": rounds.phase(), "rounds": status, "events": rounds.events(),
        }));
    }
    let mut lines = vec![format!("phase: {}", rounds.phase().as_str())];
    lines.extend(status.iter().map(line));
    output::line(&lines.join("\n"))
}

fn line(status: &RoundStatus) -> String {
    let RoundStatus { votes, annotators, templates, late, .. } = status;
    let mut line = format!(
        "{:<6} {:<8} {votes} judgements of {annotators} annotators on {templates} templates",
        status.round,
        status.state.as_str()
    );
    if *late > 0 {
        line += &format!("; {late} came after it was closed and do not count");
    }
    if let Some(event) = &status.last {
        let done = if event.open { "opened" } else { "closed" };
        line += &format!("; {done} by {} at {}", event.by, event.at);
        if let Some(reason) = &event.reason {
            line += &format!(": {reason}");
        }
    }
    line
}
