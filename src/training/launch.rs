//! From a project and a recipe to a run: what is to be learnt, which adapter it starts from and which model carries it. Screen and
//! shell both begin here, so that the same recipe is the same run.

use std::path::{Path, PathBuf};

use super::build::shape_of;
use super::{
    Base, Checkpoint, Estimate, Example, Job, Measure, Place, Recipe, RunFolder, SaidShape, Supply, TrainingError,
    accepted_examples, detach, estimate, prepare, resolve_run, start,
};
use crate::model::{DeviceChoice, default_device, installed};
use crate::workspace::{SETTINGS_FILE, Workspace};

/// An adapter that someone named.
#[derive(Debug, Clone)]
pub struct NamedAdapter {
    /// Its folder.
    pub dir: PathBuf,
    /// What to call it: the run's id, or the folder.
    pub name: String,
    /// The model that it was trained on, where its run says.
    pub model: Option<String>,
}

/// The adapter that `name` means: a folder in PEFT's layout, a run's folder, or a run in `runs` by its id, the start of
/// it, or `latest`.
///
/// # Errors
/// When there is no such run, or it has no adapter yet.
pub fn named_adapter(name: &str, runs: &Path) -> Result<NamedAdapter, TrainingError> {
    if Path::new(name).join("adapter_config.json").is_file() {
        // An adapter inside a run's folder still knows its run.
        let run = Path::new(name).parent().map(RunFolder::at);
        let model = run.and_then(|run| run.recipe().ok()).and_then(|recipe| recipe.model);
        return Ok(NamedAdapter { dir: PathBuf::from(name), name: name.to_owned(), model });
    }
    let run = resolve_run(runs, name)?;
    let model = run.recipe()?.model;
    Ok(NamedAdapter { dir: adapter_of_run(&run)?, name: run.id().to_string(), model })
}

/// The folder of the adapter that a run gave: the trained one, else that of its last checkpoint. A run that goes on removes
/// the trained one first.
///
/// # Errors
/// When it has neither yet.
pub fn adapter_of_run(folder: &RunFolder) -> Result<PathBuf, TrainingError> {
    let checkpoint = Checkpoint::latest(folder).map(|checkpoint| checkpoint.adapter_dir());
    let mut places = [Some(folder.adapter_dir()), checkpoint].into_iter().flatten();
    places
        .find(|dir| dir.join("adapter_config.json").is_file())
        .ok_or_else(|| TrainingError::damaged(folder.path(), "this run has no adapter yet; let it reach a checkpoint"))
}

/// Where a project computes unless someone says otherwise: as its settings say, else as [`default_device`].
///
/// # Errors
/// When the settings name something that is no device.
pub fn project_device(workspace: Option<&Workspace>) -> Result<DeviceChoice, TrainingError> {
    let named = workspace.and_then(|workspace| Some((workspace.dir(), workspace.settings().device.as_deref()?)));
    let Some((dir, name)) = named else { return Ok(default_device()) };
    name.parse().map_err(|why| TrainingError::damaged(dir.join(SETTINGS_FILE), why))
}

/// With what a run is to be computed.
#[derive(Debug, Clone, Default)]
pub struct Means {
    /// The model; `None`: the recipe's, else that of the adapter it starts from, else the project's.
    pub model: Option<String>,
    /// Where to compute; `None`: as [`project_device`] says.
    pub device: Option<DeviceChoice>,
    /// Asks the model about what is held out, where the recipe wants that.
    pub measure: Option<Measure>,
}

/// A run that can be begun.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Its settings, with model and start by name.
    pub recipe: Recipe,
    /// What it learns from.
    pub examples: Vec<Example>,
    /// The folder of the adapter that it starts from.
    pub from: Option<PathBuf>,
    /// What carries it.
    pub base: Base,
}

impl Launch {
    /// What `recipe` means in a project.
    ///
    /// # Errors
    /// When there is nothing to learn from – with how many wait for review –, no such adapter, or no such model here.
    pub fn of(recipe: Recipe, workspace: &Workspace, means: Means) -> Result<Self, TrainingError> {
        let recipe = recipe.completed().validated()?;
        let examples = accepted_examples(workspace, &recipe)?;
        if examples.is_empty()
            && let Some(lack) = Supply::of(workspace)?.lack(&recipe)
        {
            return Err(lack);
        }
        let start = recipe.start.as_deref().map(|name| named_adapter(name, &workspace.runs_dir())).transpose()?;
        let Means { model, device, measure } = means;
        let model = model
            .or(recipe.model)
            .or_else(|| start.as_ref().and_then(|start| start.model.clone()))
            .unwrap_or_else(|| workspace.settings().model.clone());
        let path = installed(&model).ok_or_else(|| TrainingError::NoModel(model.clone()))?;
        let device = Some(device.map_or_else(|| project_device(Some(workspace)), Ok)?);
        let name = start.as_ref().map(|start| start.name.clone());
        Ok(Self {
            recipe: Recipe { model: Some(model), start: name, ..recipe },
            examples,
            from: start.map(|start| start.dir),
            base: Base { path, device, measure },
        })
    }

    /// Refuses a start of another shape than the recipe's file at `path` itself asks for.
    ///
    /// # Errors
    /// As [`SaidShape::agrees_with`], and when the file or the start cannot be read.
    pub fn agrees_with(&self, path: &Path) -> Result<(), TrainingError> {
        let Some(from) = &self.from else { return Ok(()) };
        let Some(shape) = shape_of(from, &self.recipe.lora)? else { return Ok(()) };
        let start = self.recipe.start.as_deref().unwrap_or("the adapter");
        Ok(SaidShape::of_file(path)?.agrees_with(&shape, start)?)
    }

    /// What it would take; see [`estimate`].
    ///
    /// # Errors
    /// As [`estimate`].
    pub fn estimate(self, cancelled: &(dyn Fn() -> bool + Sync)) -> Result<Estimate, TrainingError> {
        estimate(self.recipe, &self.examples, self.from.as_deref(), &self.base, cancelled)
    }

    /// Begins it in a thread of this process.
    ///
    /// # Errors
    /// As [`start`].
    pub fn start(self, place: &Place) -> Result<Job, TrainingError> {
        start(self.recipe, &self.examples, self.from.as_deref(), place, self.base)
    }

    /// Begins it in a process of its own; gives its folder and that process's number.
    ///
    /// # Errors
    /// As [`prepare`] and [`detach`].
    pub fn detach(self, place: &Place) -> Result<(RunFolder, u32), TrainingError> {
        let folder = prepare(self.recipe, &self.examples, self.from.as_deref(), place, self.base.device())?;
        let process = detach(&folder, &self.base)?;
        Ok((folder, process))
    }
}
