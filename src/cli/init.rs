//! `logwright init DIR`

use std::path::PathBuf;

use clap::Args;

use super::{Failure, output};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder; made if it is not there
    dir: PathBuf,
    /// Print the result as JSON: {project, name}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    let workspace = Workspace::init(&args.dir)?;
    let name = &workspace.settings().name;
    if args.json {
        return output::json(&serde_json::json!({ "project": workspace.dir(), "name": name }));
    }
    output::line(&format!("project {name} is in {}", workspace.dir().display()))
}
