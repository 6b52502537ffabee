//! The recipe form: every setting a line, changed one by one, what cannot work told beside it.

use std::collections::BTreeMap;

use crate::training::{LengthSettings, Recipe, ScheduleName, Take};

/// Steps of a run started from the screen, unless the user says otherwise: enough to see what the data does.
const STEPS: usize = 60;

/// A setting of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Preset,
    Steps,
    Epochs,
    Batch,
    Accumulation,
    MaxLength,
    AnswerWeight,
    LearningRate,
    Schedule,
    Warmup,
    WeightDecay,
    Clip,
    Rank,
    Alpha,
    RankStabilized,
    Dropout,
    DevFraction,
    SaveEvery,
    EvaluateEvery,
    EvaluateAnswers,
    Patience,
    Take,
    Seed,
}

/// How a setting is changed.
pub(super) enum Change {
    /// By asking for a text.
    Ask,
    /// By going on to its next value.
    Turn(Box<Recipe>),
}

impl Field {
    pub const ALL: [Self; 23] = [
        Self::Preset,
        Self::Steps,
        Self::Epochs,
        Self::Batch,
        Self::Accumulation,
        Self::MaxLength,
        Self::AnswerWeight,
        Self::LearningRate,
        Self::Schedule,
        Self::Warmup,
        Self::WeightDecay,
        Self::Clip,
        Self::Rank,
        Self::Alpha,
        Self::RankStabilized,
        Self::Dropout,
        Self::DevFraction,
        Self::SaveEvery,
        Self::EvaluateEvery,
        Self::EvaluateAnswers,
        Self::Patience,
        Self::Take,
        Self::Seed,
    ];

    /// Its name on the screen, what it is for, and its place in a recipe.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Preset => ("preset", "", ""),
            Self::Steps => ("steps", "Steps of the optimiser (empty: as many as the passes need)", "length.steps"),
            Self::Epochs => ("passes", "Passes over the data, where no steps are given", "length.epochs"),
            Self::Batch => ("batch", "Examples in a batch", "data.batch"),
            Self::Accumulation => ("batches/step", "Batches that make one step", "data.accumulation"),
            Self::MaxLength => ("max tokens", "Longest example, in tokens; longer ones are cut", "data.max_length"),
            Self::AnswerWeight => {
                ("answer weight", "Weight of a token of the verdict against one of the reasoning", "data.answer_weight")
            }
            Self::LearningRate => ("learning rate", "Highest learning rate", "optimizer.learning_rate"),
            Self::Schedule => ("schedule", "", "optimizer.schedule"),
            Self::Warmup => ("warm-up", "Steps over which the learning rate rises", "optimizer.warmup_steps"),
            Self::WeightDecay => ("weight decay", "Decoupled weight decay", "optimizer.weight_decay"),
            Self::Clip => ("clip", "Largest norm of a gradient (0: any)", "optimizer.clip"),
            Self::Rank => ("LoRA rank", "Rank of the LoRA update (alpha becomes twice that)", "lora.rank"),
            Self::Alpha => ("LoRA alpha", "Scale of the update: alpha / rank", "lora.alpha"),
            Self::RankStabilized => ("rsLoRA", "", "lora.rank_stabilized"),
            Self::Dropout => ("dropout", "Share of the inputs that an update does not see", "lora.dropout"),
            Self::DevFraction => ("held out", "Share of the examples that is held out", "data.dev_fraction"),
            Self::SaveEvery => ("save every", "Steps between two checkpoints", "length.save_every"),
            Self::EvaluateEvery => {
                ("measure every", "Steps between two evaluations (0: with each checkpoint)", "length.evaluate_every")
            }
            Self::EvaluateAnswers => ("measure F1", "", "length.evaluate_answers"),
            Self::Patience => {
                ("patience", "Evaluations without a better one before it stops (0: never)", "length.patience")
            }
            Self::Take => ("take", "", "length.take"),
            Self::Seed => ("seed", "Seed of everything drawn at random", "seed"),
        }
    }

    pub fn name(self) -> &'static str {
        self.words().0
    }

    pub fn question(self) -> &'static str {
        self.words().1
    }

    /// Its value in a recipe, as text.
    pub fn value(self, recipe: &Recipe) -> String {
        let Recipe { lora, data, optimizer, length, .. } = recipe;
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        match self {
            Self::Preset => Preset::of(recipe).map_or("own", Preset::name).to_owned(),
            Self::Steps => length.steps.map_or_else(String::new, |steps| steps.to_string()),
            Self::Epochs => length.epochs.to_string(),
            Self::Batch => data.batch.to_string(),
            Self::Accumulation => data.accumulation.to_string(),
            Self::MaxLength => data.max_length.to_string(),
            Self::AnswerWeight => data.answer_weight.to_string(),
            Self::LearningRate => optimizer.learning_rate.to_string(),
            Self::Schedule => match optimizer.schedule {
                ScheduleName::Cosine => "cosine",
                ScheduleName::Linear => "linear",
                ScheduleName::Constant => "constant",
            }
            .to_owned(),
            Self::Warmup => optimizer.warmup_steps.to_string(),
            Self::WeightDecay => optimizer.weight_decay.to_string(),
            Self::Clip => optimizer.clip.to_string(),
            Self::Rank => lora.rank.to_string(),
            Self::Alpha => lora.alpha.to_string(),
            Self::RankStabilized => yes_no(lora.rank_stabilized),
            Self::Dropout => lora.dropout.to_string(),
            Self::DevFraction => data.dev_fraction.to_string(),
            Self::SaveEvery => length.save_every.to_string(),
            Self::EvaluateEvery => length.evaluate_every.to_string(),
            Self::EvaluateAnswers => yes_no(length.evaluate_answers),
            Self::Patience => length.patience.to_string(),
            Self::Take => match length.take {
                Take::Last => "last weights",
                Take::Best => "best weights",
            }
            .to_owned(),
            Self::Seed => recipe.seed.to_string(),
        }
    }

    /// What its value means where it says nothing.
    pub fn value_text(self, recipe: &Recipe) -> String {
        match (self, recipe.length.steps) {
            (Self::Steps, None) => "as the passes need".to_owned(),
            (Self::Epochs, Some(_)) => "–".to_owned(),
            _ => self.value(recipe),
        }
    }

    /// How it is changed.
    pub fn change(self, recipe: &Recipe) -> Change {
        let mut turned = recipe.clone();
        match self {
            Self::Preset => turned = Preset::after(recipe).applied(recipe),
            Self::Schedule => {
                turned.optimizer.schedule = match recipe.optimizer.schedule {
                    ScheduleName::Cosine => ScheduleName::Linear,
                    ScheduleName::Linear => ScheduleName::Constant,
                    ScheduleName::Constant => ScheduleName::Cosine,
                }
            }
            Self::RankStabilized => turned.lora.rank_stabilized = !recipe.lora.rank_stabilized,
            Self::EvaluateAnswers => turned.length.evaluate_answers = !recipe.length.evaluate_answers,
            Self::Take => {
                turned.length.take = match recipe.length.take {
                    Take::Last => Take::Best,
                    Take::Best => Take::Last,
                }
            }
            _ => return Change::Ask,
        }
        Change::Turn(Box::new(turned))
    }

    /// The recipe with this setting as typed; it may be one that cannot work.
    ///
    /// # Errors
    /// When the text is no number of the kind that is needed.
    pub fn typed(self, recipe: &Recipe, text: &str) -> Result<Recipe, String> {
        fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
            text.parse().map_err(|_| format!("{text:?} is no number that fits here"))
        }
        let text = text.trim();
        let mut typed = recipe.clone();
        let Recipe { lora, data, optimizer, length, .. } = &mut typed;
        match self {
            Self::Steps if text.is_empty() => length.steps = None,
            Self::Steps => length.steps = Some(number(text)?),
            Self::Epochs => length.epochs = number(text)?,
            Self::Batch => data.batch = number(text)?,
            Self::Accumulation => data.accumulation = number(text)?,
            Self::MaxLength => data.max_length = number(text)?,
            Self::AnswerWeight => data.answer_weight = number(text)?,
            Self::LearningRate => optimizer.learning_rate = number(text)?,
            Self::Warmup => optimizer.warmup_steps = number(text)?,
            Self::WeightDecay => optimizer.weight_decay = number(text)?,
            Self::Clip => optimizer.clip = number(text)?,
            Self::Rank => {
                lora.rank = number(text)?;
                // Twice the rank keeps the update's scale, whatever the rank is.
                lora.alpha = 2.0 * lora.rank as f64;
            }
            Self::Alpha => lora.alpha = number(text)?,
            Self::Dropout => lora.dropout = number(text)?,
            Self::DevFraction => data.dev_fraction = number(text)?,
            Self::SaveEvery => length.save_every = number(text)?,
            Self::EvaluateEvery => length.evaluate_every = number(text)?,
            Self::Patience => length.patience = number(text)?,
            Self::Seed => typed.seed = number(text)?,
            Self::Preset | Self::Schedule | Self::RankStabilized | Self::EvaluateAnswers | Self::Take => {}
        }
        Ok(typed)
    }
}

/// A recipe to begin from. Those named after a paper have its batch, length, rate and schedule; the papers train large
/// models, so their rates are low for small ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    Quick,
    Thorough,
    LogReasoner,
    RLog,
}

impl Preset {
    const ALL: [Self; 4] = [Self::Quick, Self::Thorough, Self::LogReasoner, Self::RLog];

    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick look",
            Self::Thorough => "thorough",
            Self::LogReasoner => "LogReasoner SFT",
            Self::RLog => "R-Log SFT",
        }
    }

    /// The recipe of a preset; seed and model stay.
    pub fn applied(self, recipe: &Recipe) -> Recipe {
        let mut preset = Recipe { seed: recipe.seed, model: recipe.model.clone(), ..Recipe::default() };
        preset.objective = recipe.objective;
        match self {
            Self::Quick => preset.length.steps = Some(STEPS),
            Self::Thorough => {
                preset.lora.dropout = 0.05;
                preset.length = LengthSettings {
                    epochs: 4.0,
                    evaluate_every: 25,
                    patience: 4,
                    take: Take::Best,
                    ..LengthSettings::default()
                };
            }
            Self::LogReasoner => {
                (preset.data.batch, preset.data.accumulation, preset.data.max_length) = (4, 4, 2096);
                preset.optimizer.learning_rate = 3e-5;
                preset.length.epochs = 5.0;
            }
            Self::RLog => {
                preset.data.max_length = 2048;
                preset.optimizer.learning_rate = 2e-5;
                preset.length.epochs = 6.0;
            }
        }
        preset
    }

    fn of(recipe: &Recipe) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.applied(recipe) == *recipe)
    }

    fn after(recipe: &Recipe) -> Self {
        let at = Self::of(recipe).and_then(|of| Self::ALL.iter().position(|preset| *preset == of));
        Self::ALL[at.map_or(0, |at| (at + 1) % Self::ALL.len())]
    }
}

/// The recipe of the next run, as far as it is filled in.
#[derive(Debug)]
pub(super) struct Form {
    /// The settings.
    pub recipe: Recipe,
    /// The line in front.
    pub at: usize,
    /// What was typed and is no number, with why.
    broken: BTreeMap<Field, (String, String)>,
}

impl Default for Form {
    fn default() -> Self {
        Self { recipe: Preset::Quick.applied(&Recipe::default()), at: 0, broken: BTreeMap::new() }
    }
}

impl Form {
    /// The setting in front.
    pub fn field(&self) -> Field {
        Field::ALL[self.at.min(Field::ALL.len() - 1)]
    }

    /// Takes what was typed for the setting in front.
    pub fn take(&mut self, text: &str) {
        let field = self.field();
        match field.typed(&self.recipe, text) {
            Ok(recipe) => {
                self.recipe = recipe;
                self.broken.remove(&field);
            }
            Err(why) => {
                self.broken.insert(field, (text.to_owned(), why));
            }
        }
    }

    /// Takes another recipe as a whole.
    pub fn replace(&mut self, recipe: Recipe) {
        self.recipe = recipe;
        self.broken.clear();
    }

    /// What a setting shows: what was typed last, if it was no number.
    pub fn text(&self, field: Field) -> String {
        self.broken.get(&field).map_or_else(|| field.value_text(&self.recipe), |(text, _)| text.clone())
    }

    /// What to edit a setting from.
    pub fn initial(&self, field: Field) -> String {
        self.broken.get(&field).map_or_else(|| field.value(&self.recipe), |(text, _)| text.clone())
    }

    /// What is wrong with a setting.
    pub fn complaint(&self, field: Field) -> Option<String> {
        if let Some((_, why)) = self.broken.get(&field) {
            return Some(why.clone());
        }
        let place = field.words().2;
        let of_field = |complaint: &String| {
            !place.is_empty()
                && complaint.strip_prefix(place).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        self.recipe.complaints().into_iter().find(of_field)
    }

    /// Everything that is wrong, in a line.
    pub fn obstacle(&self) -> Option<String> {
        let broken = self.broken.iter().map(|(field, (_, why))| format!("{}: {why}", field.name()));
        let all: Vec<String> = broken.chain(self.recipe.complaints()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}
