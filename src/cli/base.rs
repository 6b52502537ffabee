//! Which model, adapter and device a subcommand means.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::model::{DeviceChoice, installed, pull};
use crate::training::{RunFolder, adapter_of_run, resolve_run};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct BaseArgs {
    /// The model: a name that `model list` knows, or a path [default: the run's, else the project's]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Where to compute: cpu, or cuda:N for an NVIDIA GPU
    #[arg(long, default_value_t)]
    pub device: DeviceChoice,
}

/// A model on this machine.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// The name that it was asked for by.
    pub name: String,
    /// Its file or folder.
    pub path: PathBuf,
}

impl BaseArgs {
    /// The model that is meant: the one named, else the run's, else the project's, else the default.
    ///
    /// # Errors
    /// When it is not on this machine.
    pub fn resolve(&self, of_run: Option<&str>, workspace: Option<&Workspace>) -> Result<Base, Failure> {
        let of_project = workspace.map(|workspace| workspace.settings().model.as_str());
        let name = self.model.as_deref().or(of_run).or(of_project).unwrap_or(pull::DEFAULT_MODEL);
        let path = installed(name).ok_or_else(|| not_here(name))?;
        Ok(Base { name: name.to_owned(), path })
    }
}

/// What is said of a model that is not on this machine.
pub(super) fn not_here(name: &str) -> Failure {
    if pull::can_be_pulled(name) {
        return Failure::failed(format!("model {name} is not on this machine: run `logwright model pull {name}`"));
    }
    Failure::failed(format!(
        "model {name}: no such file or folder; `logwright model list` shows what is on this machine"
    ))
}

/// An adapter that someone named.
#[derive(Debug, Clone)]
pub(super) struct NamedAdapter {
    /// Its folder.
    pub dir: PathBuf,
    /// What to call it: the run's id, or the folder.
    pub name: String,
    /// The model that it was trained on, where its run says.
    pub model: Option<String>,
}

/// The adapter that `name` means: a folder in PEFT's layout, a run's folder, or a run of the project by its id, the
/// start of it, or `latest`.
///
/// # Errors
/// When there is no such run, or it has no adapter yet.
pub(super) fn named_adapter(name: &str, workspace: Option<&Workspace>) -> Result<NamedAdapter, Failure> {
    if Path::new(name).join("adapter_config.json").is_file() {
        // An adapter inside a run's folder still knows its run.
        let run = Path::new(name).parent().map(RunFolder::at);
        let model = run.and_then(|run| run.recipe().ok()).and_then(|recipe| recipe.model);
        return Ok(NamedAdapter { dir: PathBuf::from(name), name: name.to_owned(), model });
    }
    let runs = workspace.map_or_else(|| PathBuf::from("runs"), Workspace::runs_dir);
    let run = resolve_run(&runs, name)?;
    let model = run.recipe()?.model;
    Ok(NamedAdapter { dir: adapter_of_run(&run)?, name: run.id().to_string(), model })
}
