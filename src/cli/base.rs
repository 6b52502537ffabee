//! Which model, adapter and device a subcommand means.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::model::{DeviceChoice, installed, pull};
pub(super) use crate::training::NamedAdapter;
use crate::training::{self, TrainingError};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct BaseArgs {
    /// The model: a name that `model list` knows, or a path [default: the run's, else the project's]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Where to compute: cpu, or cuda:N for an NVIDIA GPU, with :bf16, :f16 or :f32 behind it for a precision [default: the run's, where one goes on; else the project's
    /// `device`, else the first GPU that can be used, else cpu]
    #[arg(long)]
    pub device: Option<DeviceChoice>,
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

    /// The device that is meant: the one named, else the project's.
    ///
    /// # Errors
    /// When the project's settings name something that is no device.
    pub fn device(&self, workspace: Option<&Workspace>) -> Result<DeviceChoice, Failure> {
        Ok(self.device.map_or_else(|| training::project_device(workspace), Ok)?)
    }
}

/// What is said of a model that is not on this machine.
pub(super) fn not_here(name: &str) -> Failure {
    TrainingError::NoModel(name.to_owned()).into()
}

/// The adapter that `name` means: a folder in PEFT's layout, a run's folder, or a run of the project by its id, the
/// start of it, or `latest`.
///
/// # Errors
/// When there is no such run, or it has no adapter yet.
pub(super) fn named_adapter(name: &str, workspace: Option<&Workspace>) -> Result<NamedAdapter, Failure> {
    let runs = workspace.map_or_else(|| PathBuf::from("runs"), Workspace::runs_dir);
    Ok(training::named_adapter(name, &runs)?)
}
