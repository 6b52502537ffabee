//! What the Train pane knows: the recipe of the next run, the runs there are, and the curve of the one in front.

use crate::logs::SafeText;
use crate::training::{DataSummary, Recipe, RunId, RunInfo, RunState, Sample, StepRecord};

/// Steps of a run started from the screen, unless the user says otherwise: enough to see what the data does.
const STEPS: usize = 60;

/// A setting of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Steps,
    Batch,
    LearningRate,
    Rank,
    MaxLength,
    AnswerWeight,
    Seed,
}

impl Field {
    pub const ALL: [Self; 7] =
        [Self::Steps, Self::Batch, Self::LearningRate, Self::Rank, Self::MaxLength, Self::AnswerWeight, Self::Seed];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Batch => "batch",
            Self::LearningRate => "learning rate",
            Self::Rank => "LoRA rank",
            Self::MaxLength => "max tokens",
            Self::AnswerWeight => "answer weight",
            Self::Seed => "seed",
        }
    }

    /// What it is for, for the question.
    pub fn question(self) -> &'static str {
        match self {
            Self::Steps => "Steps of the optimiser (empty: two passes over the data)",
            Self::Batch => "Examples in a batch",
            Self::LearningRate => "Highest learning rate",
            Self::Rank => "Rank of the LoRA update",
            Self::MaxLength => "Longest example, in tokens; longer ones are cut",
            Self::AnswerWeight => "Weight of a token of the verdict against one of the reasoning",
            Self::Seed => "Seed of everything drawn at random",
        }
    }

    /// Its value in a recipe, as text.
    pub fn value(self, recipe: &Recipe) -> String {
        match self {
            Self::Steps => recipe.length.steps.map_or_else(String::new, |steps| steps.to_string()),
            Self::Batch => recipe.data.batch.to_string(),
            Self::LearningRate => recipe.optimizer.learning_rate.to_string(),
            Self::Rank => recipe.lora.rank.to_string(),
            Self::MaxLength => recipe.data.max_length.to_string(),
            Self::AnswerWeight => recipe.data.answer_weight.to_string(),
            Self::Seed => recipe.seed.to_string(),
        }
    }

    /// The recipe with this setting changed.
    ///
    /// # Errors
    /// When the text is no such number, or the recipe cannot work with it.
    pub fn changed(self, recipe: &Recipe, text: &str) -> Result<Recipe, String> {
        fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
            text.parse().map_err(|_| format!("{text:?} is no number that fits here"))
        }
        let text = text.trim();
        let mut changed = recipe.clone();
        match self {
            Self::Steps if text.is_empty() => changed.length.steps = None,
            Self::Steps => changed.length.steps = Some(number(text)?),
            Self::Batch => changed.data.batch = number(text)?,
            Self::LearningRate => changed.optimizer.learning_rate = number(text)?,
            Self::Rank => {
                let rank = number(text)?;
                // Twice the rank keeps the update's scale, whatever the rank is.
                changed.lora.alpha = 2.0 * rank as f64;
                changed.lora.rank = rank;
            }
            Self::MaxLength => changed.data.max_length = number(text)?,
            Self::AnswerWeight => changed.data.answer_weight = number(text)?,
            Self::Seed => changed.seed = number(text)?,
        }
        changed.validated().map_err(|error| error.to_string())
    }
}

/// A run that this workbench is working on.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// Which.
    pub run: RunId,
    /// Steps to do in all; nought while the data is prepared.
    pub steps: usize,
    /// What it trains on.
    pub data: DataSummary,
    /// Seconds that the rest takes at the present pace.
    pub eta_seconds: Option<f64>,
    /// Whether the user asked it to stop.
    pub stopping: bool,
}

/// What the pane shows.
#[derive(Debug)]
pub struct State {
    /// The settings of the next run.
    pub(super) recipe: Recipe,
    /// Whether they are being filled in.
    pub(super) filling: bool,
    /// The setting in front.
    pub(super) field: usize,
    /// The runs, newest first.
    pub(super) runs: Vec<RunInfo>,
    /// How many rationales may train; `None` until the store was read.
    pub(super) accepted: Option<usize>,
    /// Why the runs cannot be read.
    pub(super) failure: Option<SafeText>,
    /// The run in front.
    pub(super) selected: Option<RunId>,
    /// The run that was in front at the last session.
    pub(super) wanted: Option<String>,
    /// The steps of the run in front.
    pub(super) curve: Vec<StepRecord>,
    /// What the model said when the run in front last asked it.
    pub(super) sample: Option<Sample>,
    /// The run that this workbench is working on.
    pub(super) active: Option<Active>,
    /// A run was asked for and has not reported yet.
    pub(super) starting: bool,
}

impl Default for State {
    fn default() -> Self {
        let mut recipe = Recipe::default();
        recipe.length.steps = Some(STEPS);
        Self {
            recipe,
            filling: false,
            field: 0,
            runs: Vec::new(),
            accepted: None,
            failure: None,
            selected: None,
            wanted: None,
            curve: Vec::new(),
            sample: None,
            active: None,
            starting: false,
        }
    }
}

impl State {
    /// The run in front.
    pub(super) fn front(&self) -> Option<&RunInfo> {
        self.runs.iter().find(|info| Some(&info.run) == self.selected.as_ref())
    }

    /// Where the run in front stands in the list.
    pub(super) fn place(&self) -> usize {
        self.runs.iter().position(|info| Some(&info.run) == self.selected.as_ref()).unwrap_or(0)
    }

    /// The run in front, if this workbench is working on it.
    pub(super) fn front_active(&self) -> Option<&Active> {
        self.active.as_ref().filter(|active| Some(&active.run) == self.selected.as_ref())
    }

    /// Whether a run is going on here, or about to.
    pub(super) fn is_busy(&self) -> bool {
        self.starting || self.active.is_some()
    }

    /// Steps to do in the run in front.
    pub(super) fn steps(&self) -> usize {
        let active = self.front_active().map(|active| active.steps).filter(|&steps| steps > 0);
        active.or_else(|| self.front().map(|info| info.status.steps)).unwrap_or(0)
    }

    /// Where the run in front stands.
    pub(super) fn standing(&self) -> Option<RunState> {
        match self.front_active() {
            Some(_) => Some(RunState::Running),
            None => self.front().map(|info| info.status.state),
        }
    }
}
