//! `logwright patch make|apply|revert FILE`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Context, Failure, output};
use crate::labels::Patch;

#[derive(Debug, Args)]
pub(super) struct PatchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write this project's corrections to a patch
    Make(File),
    /// Make a patch's corrections gold here; refused for another set of templates
    Apply(File),
    /// Take back what a patch made gold here
    Revert(File),
}

#[derive(Debug, Args)]
struct File {
    /// The patch, as JSON
    file: PathBuf,
    /// Who applies it
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
    /// Print the result as JSON: {corrections, template_set_sha256}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PatchArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let (file, patch, count, done) = match &args.what {
        What::Make(file) => {
            let patch = workspace.make_patch()?;
            workspace.write_patch(&patch, &file.file)?;
            let count = patch.corrections.len();
            (file, patch, count, "written to")
        }
        What::Apply(file) => {
            let patch = read(&file.file)?;
            let count = workspace.apply_patch(&patch, &workspace.settings().acting(file.by.as_deref()))?;
            (file, patch, count, "applied from")
        }
        What::Revert(file) => {
            let patch = read(&file.file)?;
            let count = workspace.revert_patch(&patch)?;
            (file, patch, count, "reverted from")
        }
    };
    if file.json {
        let hash = &patch.template_set_sha256;
        return output::json(&serde_json::json!({ "corrections": count, "template_set_sha256": hash }));
    }
    output::line(&format!("{count} corrections {done} {}", file.file.display()))
}

fn read(file: &Path) -> Result<Patch, Failure> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    Patch::from_json(&bytes).map_err(|error| Failure::failed(format!("{name}: {error}")))
}
