//! The settings of a fine-tuning, as a TOML file that people write and a run folder keeps.

mod layers;

pub(super) use layers::lay_over;

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

/// How the learning rate goes on after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleName {
    /// Along half a cosine down to nought.
    #[default]
    Cosine,
    /// In a line down to nought.
    Linear,
    /// Not at all.
    Constant,
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
    /// The adapter to start from: a run, or a folder in PEFT's layout. Absent: a fresh one. Its rank, alpha and targets win
    /// over `lora`.
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

/// Which accepted things supervised fine-tuning learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// Rationales: reasoning and answer.
    #[default]
    Rationales,
    /// Thoughts: the core challenge of a question and the steps to take (LogReasoner's first stage).
    Thoughts,
}

/// The low-rank adapter (Hu et al. 2021): W·x + (alpha / rank)·B·A·x. Its weights are single precision whatever the
/// base's format is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraRecipe {
    /// Rank of the update.
    pub rank: usize,
    /// Scale of the update; alpha / rank multiplies it.
    pub alpha: f64,
    /// Multiply by alpha / √rank instead (rsLoRA): for ranks from 32 on, which would learn slowly otherwise.
    pub rank_stabilized: bool,
    /// Share of each linear's inputs that the update does not see, drawn anew for every batch.
    pub dropout: f64,
    /// Names of the linear layers that get an update.
    pub targets: Vec<String>,
}

impl Default for LoraRecipe {
    fn default() -> Self {
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        let targets = targets.map(str::to_owned).to_vec();
        Self { rank: 8, alpha: 16.0, rank_stabilized: false, dropout: 0.0, targets }
    }
}

/// What is trained on, and how it is cut into batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// Only these tasks (`anomaly`, `parsing`, …); empty means all.
    pub tasks: Vec<String>,
    /// Which accepted things SFT learns; DPO learns pairs, GRPO from rationales.
    pub source: DataSource,
    /// Examples in a batch.
    pub batch: usize,
    /// Batches that make one step.
    pub accumulation: usize,
    /// Longest example, in tokens; longer ones are cut, and counted.
    pub max_length: usize,
    /// Weight of a token of the verdict (its tags included) against one of the reasoning: a hundred tokens of reasoning
    /// drown the ten of the verdict, so that at 10 each has about half of the say. Reported losses are weighted so, too.
    pub answer_weight: f32,
    /// Share of the examples that is held out to measure the loss on.
    pub dev_fraction: f64,
    /// Most examples held out.
    pub dev_limit: usize,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            source: DataSource::Rationales,
            batch: 4,
            accumulation: 1,
            max_length: 1024,
            answer_weight: 10.0,
            dev_fraction: 0.05,
            dev_limit: 32,
        }
    }
}

/// Parameters that decay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayGroup {
    /// A, from a linear's inputs to the rank.
    LoraA,
    /// B, from the rank to its outputs.
    LoraB,
}

impl DecayGroup {
    /// Whether a parameter of this name belongs to it.
    pub fn holds(self, name: &str) -> bool {
        name.contains(match self {
            Self::LoraA => "lora_A",
            Self::LoraB => "lora_B",
        })
    }
}

/// How the weights move: AdamW.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerSettings {
    /// Highest learning rate.
    pub learning_rate: f64,
    /// How the learning rate goes on after its warm-up.
    pub schedule: ScheduleName,
    /// Steps over which the learning rate rises.
    pub warmup_steps: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The matrices that decay: all of an update, by default. Decaying `lora_b` alone pulls the update back to nothing
    /// and leaves the directions that `lora_a` has found.
    pub decay: Vec<DecayGroup>,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
    /// Largest norm of a step's gradient; longer ones are scaled down to it. Nought: no clipping.
    pub clip: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            learning_rate: 3e-3,
            schedule: ScheduleName::Cosine,
            warmup_steps: 10,
            weight_decay: 0.0,
            decay: vec![DecayGroup::LoraA, DecayGroup::LoraB],
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip: 1.0,
        }
    }
}

/// Which evaluation is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// That of the lowest loss on what is held out.
    #[default]
    Loss,
    /// That of the highest anomaly-class F1 on what is held out; needs `evaluate_answers`.
    F1,
}

impl BestBy {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::F1 => "F1",
        }
    }
}

/// Which weights a finished run gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// Those after its last step.
    #[default]
    Last,
    /// Those of its best evaluation.
    Best,
}

/// How long a run is, and how often its work is measured and saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LengthSettings {
    /// Steps of the optimiser. Absent: as many as `epochs` need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Passes over the data, where `steps` is absent.
    pub epochs: f64,
    /// Steps between two checkpoints. Nought: none but that of a cancelled run.
    pub save_every: usize,
    /// Checkpoints that are kept, newest first.
    pub keep_last: usize,
    /// Whether the checkpoint of the best evaluation is written and kept, too.
    pub keep_best: bool,
    /// Steps between two evaluations of what is held out. Nought: as often as checkpoints are written.
    pub evaluate_every: usize,
    /// Whether an evaluation also asks the model about the held-out logs, for the anomaly-class F1 of its verdicts. It
    /// takes as long as it takes to write the answers.
    pub evaluate_answers: bool,
    /// Which evaluation is the best.
    pub best_by: BestBy,
    /// Which weights a finished run gives.
    pub take: Take,
    /// Evaluations without a better one after which the run stops early. Nought: it does not.
    pub patience: usize,
    /// By how much an evaluation must surpass the best to be better.
    pub least_gain: f64,
}

impl Default for LengthSettings {
    fn default() -> Self {
        Self {
            steps: None,
            epochs: 2.0,
            save_every: 50,
            keep_last: 2,
            keep_best: true,
            evaluate_every: 0,
            evaluate_answers: false,
            best_by: BestBy::Loss,
            take: Take::Last,
            patience: 0,
            least_gain: 0.0,
        }
    }
}

/// When a loss that has run away stops the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchdogSettings {
    /// A step is out of line when its loss is so many times the median of the last 20, and a nat above it. Nought: never.
    pub factor: f64,
    /// Steps in a row that must be out of line.
    pub patience: usize,
}

impl Default for WatchdogSettings {
    fn default() -> Self {
        Self { factor: 4.0, patience: 3 }
    }
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

/// Reads a TOML file.
pub(super) fn table(path: &Path) -> Result<toml::Table, RecipeError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| RecipeError::Unreadable(path.to_path_buf(), error.to_string()))?;
    toml::from_str(&text).map_err(|error| syntax(path, &text, &error))
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> RecipeError {
    let line = error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count());
    RecipeError::Syntax { path: path.to_path_buf(), line, why: error.message().trim().replace('\n', " ") }
}

impl Recipe {
    /// Reads and validates a recipe.
    ///
    /// # Errors
    /// Where the file cannot be read, is not a recipe (with its line), or asks for what cannot work.
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| RecipeError::Unreadable(path.to_path_buf(), error.to_string()))?;
        let recipe: Self = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
        recipe.validated()
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
        let mut complaints = Vec::new();
        let mut require = |holds: bool, complaint: String| {
            if !holds {
                complaints.push(complaint);
            }
        };
        let Self { lora, data, optimizer, length, watchdog, .. } = self;
        require((1..=512).contains(&lora.rank), format!("lora.rank = {} (1 to 512)", lora.rank));
        require(
            lora.alpha.is_finite() && lora.alpha > 0.0,
            format!("lora.alpha = {} (a number above nought)", lora.alpha),
        );
        require(
            (0.0..=0.9).contains(&lora.dropout),
            format!("lora.dropout = {} (0 for none, at most 0.9)", lora.dropout),
        );
        require(!lora.targets.is_empty(), "lora.targets is empty (name at least one linear layer)".into());
        require((1..=1024).contains(&data.batch), format!("data.batch = {} (1 to 1024)", data.batch));
        require(
            (1..=4096).contains(&data.accumulation),
            format!("data.accumulation = {} (1 to 4096)", data.accumulation),
        );
        require(data.max_length >= 16, format!("data.max_length = {} (at least 16 tokens)", data.max_length));
        require(
            data.answer_weight.is_finite() && data.answer_weight > 0.0,
            format!("data.answer_weight = {} (a number above nought)", data.answer_weight),
        );
        require(
            (0.0..=0.5).contains(&data.dev_fraction),
            format!("data.dev_fraction = {} (0 to 0.5)", data.dev_fraction),
        );
        require(
            optimizer.learning_rate > 0.0 && optimizer.learning_rate <= 1.0,
            format!("optimizer.learning_rate = {} (above 0, at most 1)", optimizer.learning_rate),
        );
        require(
            (0.0..=1.0).contains(&optimizer.weight_decay),
            format!("optimizer.weight_decay = {} (0 to 1)", optimizer.weight_decay),
        );
        for (name, beta) in [("beta1", optimizer.beta1), ("beta2", optimizer.beta2)] {
            require((0.0..1.0).contains(&beta), format!("optimizer.{name} = {beta} (0 to below 1)"));
        }
        require(
            optimizer.epsilon > 0.0 && optimizer.epsilon <= 1e-2,
            format!("optimizer.epsilon = {} (above 0, at most 0.01)", optimizer.epsilon),
        );
        require(
            optimizer.clip.is_finite() && optimizer.clip >= 0.0,
            format!("optimizer.clip = {} (0 for none, or above)", optimizer.clip),
        );
        match length.steps {
            Some(steps) => require(steps >= 1, format!("length.steps = {steps} (at least 1)")),
            None => require(
                length.epochs > 0.0 && length.epochs <= 1000.0,
                format!("length.epochs = {} (above 0, at most 1000)", length.epochs),
            ),
        }
        require(length.keep_last >= 1, format!("length.keep_last = {} (at least 1)", length.keep_last));
        require(
            length.least_gain.is_finite() && length.least_gain >= 0.0,
            format!("length.least_gain = {} (0 or above)", length.least_gain),
        );
        require(
            length.best_by == BestBy::Loss || length.evaluate_answers,
            "length.best_by = f1 without length.evaluate_answers = true (which measures it)".into(),
        );
        require(
            length.take == Take::Last || length.keep_best,
            "length.take = best without length.keep_best = true (which keeps it)".into(),
        );
        require(
            watchdog.factor == 0.0 || watchdog.factor > 1.0 && watchdog.factor.is_finite(),
            format!("watchdog.factor = {} (0 for none, or above 1)", watchdog.factor),
        );
        require(watchdog.patience >= 1, format!("watchdog.patience = {} (at least 1)", watchdog.patience));
        complaints.extend(self.dpo.iter().flat_map(DpoSettings::complaints));
        complaints.extend(self.grpo.iter().flat_map(GrpoSettings::complaints));
        complaints.extend(self.reward.iter().flat_map(RewardSettings::complaints));
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
