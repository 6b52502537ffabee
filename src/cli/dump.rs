//! `logwright dump FILE`

use std::path::PathBuf;

use clap::Args;

use super::{Context, Failure, output};

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    /// The file to write: one JSON object a line, which `logwright merge` reads
    file: PathBuf,
    /// Print the result as JSON: {rows: {table: rows}, damaged: {table: why}}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DumpArgs, context: &Context) -> Result<(), Failure> {
    let dumped = context.workspace()?.dump(&args.file)?;
    if args.json {
        output::json(&dumped)?;
    } else {
        let rows: u64 = dumped.rows.values().sum();
        output::line(&format!("{rows} rows written to {}", args.file.display()))?;
    }
    if dumped.damaged.is_empty() {
        return Ok(());
    }
    let damaged: Vec<String> = dumped.damaged.iter().map(|(table, why)| format!("{table} ({why})")).collect();
    Err(Failure::failed(format!(
        "some rows could not be read: {}; all others are in {}",
        damaged.join(", "),
        args.file.display()
    )))
}
