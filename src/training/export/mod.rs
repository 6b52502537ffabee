//! What leaves a run for other programs: its adapter as it is, or the base model with the adapter worked into its weights.
//!
//! - `peft`: the adapter's folder, which `peft` loads over the base;
//! - `merged`: a folder in Transformers' layout, W + scale·B·A in `f32` or `bf16`, whatever the base's format was;
//! - `gguf`: base and adapter as one file, which llama.cpp runs; from a GGUF file or from a folder in Transformers' layout;
//! - `tensorboard`: the run's figures as an event file.
//!
//! Nothing is written over: the place must not exist yet. A folder appears under its name when it is whole.

mod gguf;
mod merged;
mod tensorboard;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{RunFolder, TrainingError, adapter_of_run};
use crate::model::pull::hub_name;
use crate::model::tensor_file::PlainFormat;
use crate::model::{Adapter, DeviceChoice, LanguageModel};

pub use gguf::GgufFormat;

/// PEFT's configuration of an adapter.
const CONFIG: &str = "adapter_config.json";

/// What a run is exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportKind {
    /// The adapter in PEFT's layout.
    Peft,
    /// Base and adapter as one model in Transformers' layout.
    Merged(PlainFormat),
    /// Base and adapter as one GGUF file.
    Gguf(GgufFormat),
    /// Steps and evaluations for TensorBoard.
    Tensorboard,
}

/// What was written; the object that `train export … --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The run.
    pub run: String,
    /// The file or folder.
    pub path: PathBuf,
    /// Bytes in all.
    pub bytes: u64,
    /// Linears that the adapter changed; nought where no weights were merged.
    pub merged_linears: usize,
}

/// Writes `run` to `out`; `base` is the model that it was trained on.
///
/// # Errors
/// When the run has no adapter yet, `out` exists, the base is another model or of a kind that cannot be written so, or a
/// file cannot be read or written.
pub fn export(run: &RunFolder, kind: ExportKind, base: &Path, out: &Path) -> Result<Exported, TrainingError> {
    if out.exists() {
        return Err(TrainingError::damaged(out, "it is there already; choose another --out"));
    }
    if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|error| TrainingError::file(parent, error))?;
    }
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    remove(&partial)?;
    let written = write(run, kind, base, &partial);
    let merged_linears = match written {
        Ok(linears) => linears,
        Err(error) => {
            // What went wrong is more telling than what cannot be removed.
            let _ = remove(&partial);
            return Err(error);
        }
    };
    fs::rename(&partial, out).map_err(|error| TrainingError::file(out, error))?;
    Ok(Exported { run: run.id().to_string(), path: out.to_path_buf(), bytes: size(out), merged_linears })
}

/// Where an export goes unless someone says otherwise: `exports/RUN-…` beside the project's runs.
pub fn default_place(run: &RunFolder, kind: ExportKind) -> PathBuf {
    let name = match kind {
        ExportKind::Peft => format!("{}-peft", run.id()),
        ExportKind::Merged(_) => format!("{}-merged", run.id()),
        ExportKind::Gguf(_) => format!("{}.gguf", run.id()),
        ExportKind::Tensorboard => format!("{}-tensorboard", run.id()),
    };
    let runs = run.path().parent().filter(|parent| parent.file_name().is_some_and(|name| name == "runs"));
    runs.and_then(Path::parent).map_or_else(|| PathBuf::from(&name), |project| project.join("exports").join(&name))
}

fn write(run: &RunFolder, kind: ExportKind, base: &Path, out: &Path) -> Result<usize, TrainingError> {
    match kind {
        ExportKind::Tensorboard => tensorboard::write(&run.steps()?, run.status()?.started, out).map(|()| 0),
        ExportKind::Peft => {
            let from = adapter_of_run(run)?;
            fs::create_dir_all(out).map_err(|error| TrainingError::file(out, error))?;
            for name in [CONFIG, "adapter_model.safetensors"] {
                copy(&from.join(name), &out.join(name))?;
            }
            if let Some(base) = run.recipe().ok().and_then(|recipe| hub_name(&recipe.model?)) {
                name_base(&out.join(CONFIG), &base)?;
            }
            Ok(0)
        }
        ExportKind::Merged(format) => {
            let (model, adapter) = load(run, base)?;
            fs::create_dir_all(out).map_err(|error| TrainingError::file(out, error))?;
            merged::write(&model, &adapter, format, out)
        }
        ExportKind::Gguf(format) => {
            let (model, adapter) = load(run, base)?;
            gguf::write(&run.id().to_string(), &model, &adapter, format, out)
        }
    }
}

/// Says in PEFT's configuration which model the adapter is for, by a name that `peft` finds it by.
fn name_base(path: &Path, base: &str) -> Result<(), TrainingError> {
    let bytes = fs::read(path).map_err(|error| TrainingError::file(path, error))?;
    let mut config: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| TrainingError::damaged(path, error))?;
    config["base_model_name_or_path"] = base.into();
    fs::write(path, format!("{config:#}\n")).map_err(|error| TrainingError::file(path, error))
}

fn load(run: &RunFolder, base: &Path) -> Result<(LanguageModel, Adapter), TrainingError> {
    let model = LanguageModel::load(base, &DeviceChoice::Cpu)?;
    let adapter = Adapter::load(&adapter_of_run(run)?, &model)?;
    Ok((model, adapter))
}

pub(super) fn copy(from: &Path, to: &Path) -> Result<(), TrainingError> {
    fs::copy(from, to).map(drop).map_err(|error| TrainingError::file(from, error))
}

fn remove(path: &Path) -> Result<(), TrainingError> {
    let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(TrainingError::file(path, error)),
        _ => Ok(()),
    }
}

fn size(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| size(&entry.path())).sum(),
        Err(_) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
    }
}

#[cfg(test)]
mod tests;
