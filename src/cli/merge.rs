//! `logwright merge OTHER...`

use std::path::PathBuf;

use clap::Args;

use super::{Context, Failure, output};

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Other copies of the project: their folders, workspace.db files, or dumps. They are only read
    #[arg(required = true)]
    others: Vec<PathBuf>,
    /// Print the result as JSON: {added: {table: rows}, rows, late}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MergeArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let mut total = crate::workspace::Merged::default();
    for other in &args.others {
        total.add(workspace.merge(other)?);
    }
    if args.json {
        return output::json(&total);
    }
    let added: Vec<String> =
        total.added.iter().filter(|(_, rows)| **rows > 0).map(|(table, rows)| format!("{rows} {table}")).collect();
    let late = match total.late {
        0 => String::new(),
        late => format!("; {late} votes here were cast after their round was closed and do not count"),
    };
    output::line(&match &added[..] {
        [] => format!("nothing new{late}"),
        _ => format!("added {}{late}", added.join(", ")),
    })
}
