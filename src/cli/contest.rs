//! `logwright contest TRACE`: as in the Reason pane, its template is flagged and waits in the Label queue.

use clap::Args;

use super::{Context, Failure, output};
use crate::evaluation::contest_kept;

#[derive(Debug, Args)]
pub(super) struct ContestArgs {
    /// The kept trace: its id, or the start of it
    trace: String,
    /// Why it is wrong
    #[arg(long, allow_hyphen_values = true)]
    reason: Option<String>,
    /// Say so no longer
    #[arg(long, conflicts_with = "reason")]
    withdraw: bool,
    /// Who says so
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
    /// Print the result as JSON: {id, by, contested, template, cited}; `cited`: of a session, the templates of the lines that the
    /// reasoning cites
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ContestArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let by = workspace.settings().acting(args.by.as_deref());
    let mut cited = Vec::new();
    if args.withdraw {
        workspace.contest_trace(&args.trace, &by, false, None)?;
    } else {
        cited = contest_kept(&workspace, &args.trace, args.reason.as_deref(), &by)?.cited;
    }
    let record = workspace.trace(&args.trace)?.record;
    if args.json {
        let contested = record.contested.is_some();
        return output::json(&serde_json::json!({
            "id": record.id, "by": by, "contested": contested, "template": record.template, "cited": cited,
        }));
    }
    let done = if args.withdraw { "no longer contests" } else { "contests" };
    let names: Vec<String> = cited.iter().map(ToString::to_string).collect();
    let flagged = if names.is_empty() { String::new() } else { format!("; flagged: {}", names.join(", ")) };
    output::line(&format!("{by} {done} {}{flagged}", record.id))
}
