//! From stored examples to the objective that a recipe names, with what is held out split off.

use super::{
    Checkpoint, DataSummary, Dpo, Example, Grpo, LoraRecipe, Objective, ObjectiveName, Recipe, Reference, Reward,
    RunFolder, Sft, TrainingError, split_dev, tokenize, tokenize_pairs, tokenize_prompts,
};
use crate::model::{Adapter, LanguageModel};

/// What an objective keeps in its run's folder, and finds there.
pub(super) enum Keep<'a> {
    /// What is worth it, from this checkpoint on.
    From(Option<&'a Checkpoint>),
    /// Nothing: it is tried and thrown away.
    Nothing,
}

/// The objective of a run in `folder`, ready to train `adapter`.
///
/// # Errors
/// When nothing fits, or what the run keeps cannot be read.
pub(super) fn build(
    model: LanguageModel,
    adapter: Adapter,
    examples: &[Example],
    recipe: &Recipe,
    folder: &RunFolder,
    keep: Keep<'_>,
) -> Result<(Box<dyn Objective>, DataSummary), TrainingError> {
    let mut settings = recipe.data.clone();
    settings.max_length = settings.max_length.min(model.config().context);
    let nothing_fits = || {
        let why = if settings.max_length < recipe.data.max_length || settings.max_length == model.config().context {
            TrainingError::NothingFitsModel
        } else {
            TrainingError::NothingFits
        };
        why(examples.len(), settings.max_length)
    };
    match recipe.objective {
        ObjectiveName::Sft => {
            let (tokenized, mut data) = tokenize(examples, &model, &settings)?;
            if tokenized.is_empty() {
                return Err(nothing_fits());
            }
            let (train, dev) = split_dev(tokenized, &settings, recipe.seed);
            (data.examples, data.held_out) = (train.len(), dev.len());
            data.tokens = train.iter().map(|example| example.tokens.len()).sum();
            let sft = Sft::new(model, adapter, train, dev, settings.batch).seeded(recipe.seed);
            Ok((Box::new(sft), data))
        }
        ObjectiveName::Dpo => {
            let (pairs, mut data) = tokenize_pairs(examples, &model, &settings)?;
            if pairs.is_empty() {
                return Err(nothing_fits());
            }
            let (train, dev) = split_dev(pairs, &settings, recipe.seed);
            (data.examples, data.held_out) = (train.len(), dev.len());
            data.tokens = train.iter().map(|pair| pair.chosen.len() + pair.rejected.len()).sum();
            let dpo = recipe.dpo.clone().unwrap_or_default();
            let reference = Reference::open(dpo.reference, folder, &model)?;
            let kept = matches!(keep, Keep::From(_)).then_some(folder);
            let dpo = Dpo::new(model, adapter, reference, dpo, train, dev, settings.batch, kept)?.seeded(recipe.seed);
            Ok((Box::new(dpo), data))
        }
        ObjectiveName::Grpo => {
            let (prompts, mut data) = tokenize_prompts(examples, &model, &settings)?;
            if prompts.is_empty() {
                return Err(nothing_fits());
            }
            let (train, dev) = split_dev(prompts, &settings, recipe.seed);
            (data.examples, data.held_out) = (train.len(), dev.len());
            data.tokens = train.iter().map(|prompt| prompt.tokens.len()).sum();
            let settings = recipe.grpo.clone().unwrap_or_default();
            let reward = Reward::new(&recipe.reward.clone().unwrap_or_default());
            let reference = Reference::open(settings.reference, folder, &model)?;
            let grpo = Grpo::new(model, adapter, reference, settings, reward, train, dev, recipe.seed);
            let checkpoint = if let Keep::From(checkpoint) = keep { checkpoint } else { None };
            let state = checkpoint.map(|it| it.adapter_dir().with_file_name(Grpo::STATE_FILE));
            if let Some(state) = state.filter(|path| path.is_file()) {
                grpo.restore(&state)?;
            }
            Ok((Box::new(grpo), data))
        }
    }
}

/// The parts of PEFT's `adapter_config.json` that a recipe tells of, too.
#[derive(serde::Deserialize)]
struct Shape {
    r: usize,
    lora_alpha: f64,
    target_modules: Vec<String>,
    #[serde(default)]
    use_rslora: bool,
}

/// Copies the adapter that a run starts from into its folder, and gives its shape as a recipe tells it.
///
/// # Errors
/// When a file is missing or cannot be written.
pub(super) fn keep_start(
    from: &std::path::Path,
    folder: &RunFolder,
    lora: LoraRecipe,
) -> Result<LoraRecipe, TrainingError> {
    let start = folder.start_dir();
    std::fs::create_dir_all(&start).map_err(|error| TrainingError::file(&start, error))?;
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let path = from.join(name);
        std::fs::copy(&path, start.join(name)).map_err(|error| TrainingError::file(&path, error))?;
    }
    Ok(shape_of(&start, &lora)?.unwrap_or(lora))
}

/// `lora` with the shape and scale of the adapter in a folder; `None` where PEFT has another way to say it: then the model room
/// decides when it loads the adapter.
///
/// # Errors
/// When its configuration cannot be read.
pub(super) fn shape_of(folder: &std::path::Path, lora: &LoraRecipe) -> Result<Option<LoraRecipe>, TrainingError> {
    let path = folder.join("adapter_config.json");
    let text = std::fs::read(&path).map_err(|error| TrainingError::file(&path, error))?;
    let Ok(Shape { r, lora_alpha, target_modules, use_rslora }) = serde_json::from_slice(&text) else {
        return Ok(None);
    };
    Ok(Some(LoraRecipe {
        rank: r,
        alpha: lora_alpha,
        targets: target_modules,
        rank_stabilized: use_rslora,
        dropout: lora.dropout,
    }))
}
