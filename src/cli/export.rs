//! `logwright export structured FILE`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Context, Failure, output};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Which line of a raw log is of which template: LineId,EventId,EventTemplate
    Structured(StructuredArgs),
}

#[derive(Debug, Args)]
struct StructuredArgs {
    /// The CSV to write
    file: PathBuf,
    /// The log's dataset, where there are several
    #[arg(long)]
    dataset: Option<String>,
    /// The log, where a dataset has several
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print the result as JSON: {source, dataset, lines, skipped}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExportArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        What::Structured(args) => structured(args, context),
    }
}

fn structured(args: &StructuredArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let done = workspace.export_structured(&args.file, args.dataset.as_deref(), args.log.as_deref())?;
    if args.json {
        return output::json(&done);
    }
    let file = args.file.display();
    output::line(&format!("{} lines of {} written to {file}", done.lines, done.source.display()))
}
