//! What a run begins with: its folder, with recipe and examples frozen in it, and the adapter that it trains.

use std::path::Path;

use jiff::Timestamp;

use super::build::keep_start;
use super::start::Place;
use super::{Example, LoraRecipe, Recipe, RunFolder, RunState, Status, TrainingError};
use crate::model::{Adapter, DeviceChoice, LanguageModel, LoraSettings, Target};

/// Makes the folder of a new run, for [`super::resume`] or [`super::detach`] to work on, where it is to compute on `device`.
///
/// # Errors
/// As [`super::start`].
pub fn prepare(
    recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    place: &Place,
    device: DeviceChoice,
) -> Result<RunFolder, TrainingError> {
    let recipe = recipe.completed().validated()?;
    let examples = wanted(&recipe, examples)?;
    lora_settings(&recipe.lora, recipe.seed)?;
    let now = Timestamp::now();
    let folder = match place {
        Place::In(parent) => RunFolder::create_in(parent, now, recipe.objective)?,
        Place::At(path) => RunFolder::create_at(path)?,
    };
    // Held until all is there, so that nobody takes it for what a kill left behind.
    let lock = folder.lock()?;
    let filled = folder.write_device(device).and_then(|()| fill(&folder, recipe, &examples, from, now));
    // Nothing of what a failure leaves is a run, or may become part of the next one. The first error is the one to tell.
    match (&filled, place) {
        (Ok(()), _) => {}
        (Err(_), Place::In(_)) => {
            drop(lock);
            let _ = std::fs::remove_dir_all(folder.path());
        }
        (Err(_), Place::At(_)) => folder.clear_beginning(),
    }
    filled.map(|()| folder)
}

/// Writes all that a run begins with.
fn fill(
    folder: &RunFolder,
    mut recipe: Recipe,
    examples: &[Example],
    from: Option<&Path>,
    now: Timestamp,
) -> Result<(), TrainingError> {
    folder.clear_start()?;
    if let Some(from) = from {
        // What the adapter brings must be as good as what a recipe says, or the run could not be gone on with.
        recipe.lora = keep_start(from, folder, recipe.lora)?;
        recipe = recipe.validated()?;
    }
    folder.write_examples(examples)?;
    folder.write_recipe(&recipe)?;
    folder.write_status(&Status::new(RunState::Queued, 0, recipe.length.steps.unwrap_or(0), now))
}

/// The examples that the recipe's tasks ask for.
pub(super) fn wanted(recipe: &Recipe, examples: &[Example]) -> Result<Vec<Example>, TrainingError> {
    let wanted = |example: &&Example| {
        recipe.data.tasks.is_empty() || recipe.data.tasks.iter().any(|task| task.parse() == Ok(example.task))
    };
    let what = recipe.learns_from();
    if examples.is_empty() {
        return Err(TrainingError::NothingAccepted { what, pending: None });
    }
    let wanted: Vec<Example> = examples.iter().filter(wanted).cloned().collect();
    if wanted.is_empty() {
        return Err(TrainingError::NoneOfTasks(examples.len(), what, recipe.data.tasks.join(", ")));
    }
    Ok(wanted)
}

/// The adapter that a run begins with: the one that it starts from, or a fresh one.
pub(super) fn first_adapter(
    folder: &RunFolder,
    model: &LanguageModel,
    recipe: &Recipe,
) -> Result<Adapter, TrainingError> {
    if folder.start_dir().is_dir() {
        return load_adapter(&folder.start_dir(), model, recipe);
    }
    Ok(Adapter::new(model, &lora_settings(&recipe.lora, recipe.seed)?)?)
}

/// An adapter to train on: its shape and scale are its own, and how much of it is dropped is the recipe's.
pub(super) fn load_adapter(dir: &Path, model: &LanguageModel, recipe: &Recipe) -> Result<Adapter, TrainingError> {
    Ok(Adapter::load(dir, model)?.with_dropout(recipe.lora.dropout as f32))
}

fn lora_settings(recipe: &LoraRecipe, seed: u64) -> Result<LoraSettings, TrainingError> {
    let target = |name: &String| {
        Target::from_name(name).ok_or_else(|| {
            let known = Target::ALL.map(Target::name).join(", ");
            TrainingError::Model(format!("lora.targets: {name:?} is no linear layer; there are {known}"))
        })
    };
    let targets = recipe.targets.iter().map(target).collect::<Result<_, _>>()?;
    let (rank, alpha, dropout) = (recipe.rank, recipe.alpha as f32, recipe.dropout as f32);
    Ok(LoraSettings { rank, alpha, rank_stabilized: recipe.rank_stabilized, dropout, targets, seed })
}
