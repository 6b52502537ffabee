//! The settings of a fine-tuning, as a TOML file that people write and a run folder keeps.

mod data;
mod layers;
mod length;
mod lora;
mod optimizer;
mod place;
mod preset;
mod said;

pub use data::{DataSettings, DataSource};
pub(super) use layers::lay_over;
pub use length::{BestBy, LengthSettings, Take, WatchdogSettings};
pub use lora::LoraRecipe;
pub use optimizer::{DecayGroup, OptimizerSettings, ScheduleName};
pub(super) use place::{complaint_key, line_of, line_of_element, line_within_element};
pub use preset::Preset;
pub use said::SaidShape;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DpoSettings, GrpoSettings, RewardSettings};

/// What is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveName {
    /// Supervised fine-tuning: the likelihood of accepted reasoning.
    #[default]
    Sft,
    /// Direct preference optimisation: chosen against rejected reasoning.
    Dpo,
    /// Group relative policy optimisation: the model's own answers, by their rewards.
    Grpo,
}

impl ObjectiveName {
    /// The word for it, as in run ids and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Dpo => "dpo",
            Self::Grpo => "grpo",
        }
    }
}

/// The settings of a fine-tuning. Every field has a default, so an empty file is a recipe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// What is optimised.
    pub objective: ObjectiveName,
    /// The model to start from: a name that `model list` knows, or a path. Absent: the project's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The adapter to start from: a run, or a folder in PEFT's layout. Absent: a fresh one. Its rank, alpha, scale and targets
    /// win over `lora`, and a file that says others is refused; its dropout does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Decides everything that is drawn at random.
    pub seed: u64,
    /// The adapter that is trained.
    pub lora: LoraRecipe,
    /// What is trained on, and how it is cut into batches.
    pub data: DataSettings,
    /// How the weights move.
    pub optimizer: OptimizerSettings,
    /// How long, and how often the work is measured and saved.
    pub length: LengthSettings,
    /// When a loss that has run away stops the run.
    pub watchdog: WatchdogSettings,
    /// How preferences count; of DPO alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpo: Option<DpoSettings>,
    /// How rollouts are drawn and count; of GRPO alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpo: Option<GrpoSettings>,
    /// What a rollout is worth; of GRPO alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reward: Option<RewardSettings>,
}

/// Why a file is not a recipe.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("{path}: {why}", path = .0.display(), why = .1)]
    Unreadable(PathBuf, String),
    /// Not TOML, or TOML of something else.
    #[error("{path}:{line}: {why}", path = path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Settings that cannot work.
    #[error("the recipe cannot work: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

/// The complaints of those checks that do not hold.
pub(super) fn unmet<const N: usize>(checks: [(bool, String); N]) -> Vec<String> {
    checks.into_iter().filter_map(|(holds, complaint)| (!holds).then_some(complaint)).collect()
}

/// Reads a file's text.
pub(super) fn text_of(path: &Path) -> Result<String, RecipeError> {
    std::fs::read_to_string(path).map_err(|error| RecipeError::Unreadable(path.to_path_buf(), error.to_string()))
}

/// What the text of a TOML file says.
pub(super) fn table(path: &Path, text: &str) -> Result<toml::Table, RecipeError> {
    toml::from_str(text).map_err(|error| syntax(path, text, &error))
}

/// What is wrong with a TOML file, with its line.
pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> RecipeError {
    let line = error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count());
    RecipeError::Syntax { path: path.to_path_buf(), line, why: error.message().trim().replace('\n', " ") }
}

impl Recipe {
    /// Reads and validates a recipe.
    ///
    /// # Errors
    /// Where the file cannot be read, is not a recipe (with its line), or asks for what cannot work.
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let text = text_of(path)?;
        let recipe: Self = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
        recipe.validated().map_err(|error| error.in_file(path, &text))
    }

    /// The recipe, if its settings can work.
    ///
    /// # Errors
    /// Everything that cannot, at once.
    pub fn validated(self) -> Result<Self, RecipeError> {
        let complaints = self.complaints();
        if complaints.is_empty() { Ok(self) } else { Err(RecipeError::Invalid(complaints)) }
    }

    /// The recipe as TOML, with every setting written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a recipe is plain data that TOML can hold")
    }

    /// What cannot work, each with what would.
    pub fn complaints(&self) -> Vec<String> {
        let Self { lora, data, optimizer, length, watchdog, .. } = self;
        let mut complaints =
            [lora.complaints(), data.complaints(), optimizer.complaints(), length.complaints(), watchdog.complaints()]
                .concat();
        complaints.extend(self.dpo.iter().flat_map(DpoSettings::complaints));
        complaints.extend(self.grpo.iter().flat_map(GrpoSettings::complaints));
        complaints.extend(self.reward.iter().flat_map(RewardSettings::complaints));
        if !data.source.suits(self.objective) {
            let (source, objective) = (data.source.as_str(), self.objective.as_str());
            let grpo = self.objective == ObjectiveName::Grpo;
            let suitable = if grpo { "rationales, templates or both" } else { "rationales or thoughts" };
            complaints.push(format!("data.source = {source} with {objective} ({suitable})"));
        }
        if self.objective == ObjectiveName::Grpo && self.lora.dropout > 0.0 {
            let why = "what is drawn and what is learnt must be the same model";
            complaints.push(format!("lora.dropout = {} with grpo (0: {why})", self.lora.dropout));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Recipe, RecipeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, text).unwrap();
        Recipe::load(&path)
    }

    #[test]
    fn an_empty_file_is_the_default_recipe() {
        assert_eq!(load("").unwrap(), Recipe::default());
    }

    #[test]
    fn a_recipe_survives_its_own_file() {
        let mut recipe = Recipe { seed: 7, model: Some("qwen".into()), ..Recipe::default() };
        recipe.length.steps = Some(60);
        assert_eq!(load(&recipe.to_toml()).unwrap(), recipe);
    }

    #[test]
    fn a_misspelt_setting_is_told_with_its_line() {
        let error = load("seed = 1\n[optimizer]\nlearning_rat = 0.1\n").unwrap_err();
        let RecipeError::Syntax { line, why, .. } = error else { panic!("{error}") };
        assert_eq!(line, 3);
        assert!(why.contains("learning_rat"), "{why}");
    }

    #[test]
    fn everything_that_cannot_work_is_told_at_once_on_one_line() {
        let error = load("[lora]\nrank = 0\n[data]\nbatch = 0\n[length]\nepochs = -1.0\n").unwrap_err().to_string();
        for part in ["lora.rank = 0", "data.batch = 0", "length.epochs = -1"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains('\n'));
    }
}
