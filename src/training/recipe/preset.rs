//! Recipes to begin from: a quick look, a thorough run, and what the papers did.

use super::{LengthSettings, ObjectiveName, Recipe, ScheduleName, Take};
use crate::training::{AdvantageName, RewardPreset};

/// Steps of a quick look: enough to see what the data does.
const QUICK_STEPS: usize = 60;

/// Steps of a quick look where each step writes its own answers.
const QUICK_GRPO_STEPS: usize = 20;

/// A recipe to begin from. Those named after a paper have its batch, length, rate and schedule; the papers train large models, so their rates are low for small ones.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// What it optimises.
    pub objective: ObjectiveName,
    change: fn(&mut Recipe),
}

impl PartialEq for Preset {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.objective) == (other.name, other.objective)
    }
}

const fn preset(objective: ObjectiveName, name: &'static str, change: fn(&mut Recipe)) -> Preset {
    Preset { name, objective, change }
}

const ALL: [Preset; 11] = [
    preset(ObjectiveName::Sft, "quick", |recipe| recipe.length.steps = Some(QUICK_STEPS)),
    preset(ObjectiveName::Sft, "thorough", |recipe| {
        recipe.lora.dropout = 0.05;
        thorough(recipe, 4.0);
    }),
    preset(ObjectiveName::Sft, "LogReasoner", |recipe| {
        (recipe.data.batch, recipe.data.accumulation, recipe.data.max_length) = (4, 4, 2096);
        recipe.optimizer.learning_rate = 3e-5;
        recipe.length.epochs = 5.0;
    }),
    preset(ObjectiveName::Sft, "R-Log", |recipe| {
        recipe.data.max_length = 2048;
        recipe.optimizer.learning_rate = 2e-5;
        recipe.length.epochs = 6.0;
    }),
    preset(ObjectiveName::Dpo, "quick", |recipe| recipe.length.steps = Some(QUICK_STEPS)),
    preset(ObjectiveName::Dpo, "thorough", |recipe| thorough(recipe, 4.0)),
    preset(ObjectiveName::Dpo, "LogReasoner", |recipe| {
        recipe.data.max_length = 2096;
        recipe.optimizer.learning_rate = 5e-6;
        recipe.length.epochs = 5.0;
    }),
    preset(ObjectiveName::Grpo, "quick", |recipe| {
        (recipe.length.steps, recipe.length.evaluate_every) = (Some(QUICK_GRPO_STEPS), 5);
        recipe.grpo.get_or_insert_default().max_tokens = 128;
    }),
    preset(ObjectiveName::Grpo, "RationAnomaly", |recipe| rationanomaly(recipe, RewardPreset::Paper)),
    preset(ObjectiveName::Grpo, "RationAnomaly code", |recipe| rationanomaly(recipe, RewardPreset::Code)),
    preset(ObjectiveName::Grpo, "R-Log", |recipe| {
        recipe.data.batch = 16;
        recipe.length.epochs = 5.0;
        verl(recipe, RewardPreset::RLog);
        let grpo = recipe.grpo.get_or_insert_default();
        (grpo.rollouts, grpo.temperature) = (8, 0.8);
    }),
];

fn thorough(recipe: &mut Recipe, epochs: f64) {
    let take = Take::Best;
    recipe.length = LengthSettings { epochs, evaluate_every: 25, patience: 4, take, ..LengthSettings::default() };
}

fn rationanomaly(recipe: &mut Recipe, reward: RewardPreset) {
    (recipe.data.batch, recipe.data.max_length) = (32, 2048);
    recipe.length.epochs = 2.0;
    verl(recipe, reward);
    let grpo = recipe.grpo.get_or_insert_default();
    (grpo.rollouts, grpo.temperature, grpo.max_tokens) = (16, 0.9, 1024);
}

/// What both papers' GRPO has in common: verl's ways, and their rate.
fn verl(recipe: &mut Recipe, reward: RewardPreset) {
    let optimizer = &mut recipe.optimizer;
    (optimizer.learning_rate, optimizer.schedule, optimizer.warmup_steps) = (4e-7, ScheduleName::Constant, 0);
    let grpo = recipe.grpo.get_or_insert_default();
    (grpo.kl, grpo.unbiased_kl, grpo.advantage) = (0.001, false, AdvantageName::Verl);
    recipe.reward.get_or_insert_default().preset = reward;
}

impl Preset {
    /// The presets of an objective; the first is where a form begins.
    pub fn all_of(objective: ObjectiveName) -> impl Iterator<Item = &'static Self> {
        ALL.iter().filter(move |preset| preset.objective == objective)
    }

    /// The preset that `name` means, however it is written: `RationAnomaly code` is `rationanomaly-code`, too.
    ///
    /// # Errors
    /// When the objective has none of that name, with those that it has.
    pub fn named(objective: ObjectiveName, name: &str) -> Result<&'static Self, String> {
        let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_'], "-");
        Self::all_of(objective).find(|preset| plain(preset.name) == plain(name)).ok_or_else(|| {
            let known: Vec<String> = Self::all_of(objective).map(|preset| plain(preset.name)).collect();
            format!("there is no preset {name:?} of {}; there are {}", objective.as_str(), known.join(", "))
        })
    }

    /// The recipe of this preset; what is about the project stays: model, start, seed, and what it learns from.
    pub fn applied(&self, to: &Recipe) -> Recipe {
        let mut recipe = Recipe::of(self.objective);
        (recipe.seed, recipe.model, recipe.start) = (to.seed, to.model.clone(), to.start.clone());
        (recipe.data.tasks, recipe.data.source) = (to.data.tasks.clone(), to.data.source);
        (self.change)(&mut recipe);
        recipe
    }

    /// Which preset a recipe is, if it is one.
    pub fn of(recipe: &Recipe) -> Option<&'static Self> {
        Self::all_of(recipe.objective).find(|preset| preset.applied(recipe) == *recipe)
    }

    /// The preset after that of a recipe; the first after the last, and where a recipe is none.
    pub fn after(recipe: &Recipe) -> &'static Self {
        let all: Vec<&'static Self> = Self::all_of(recipe.objective).collect();
        let at = Self::of(recipe).and_then(|of| all.iter().position(|preset| *preset == of));
        all[at.map_or(0, |at| (at + 1) % all.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_work_and_is_found_again() {
        for preset in &ALL {
            let start = Recipe { seed: 7, start: Some("latest".into()), ..Recipe::of(preset.objective) };
            let recipe = preset.applied(&start);
            assert_eq!(recipe.complaints(), Vec::<String>::new(), "{}", preset.name);
            assert_eq!(recipe.clone().completed().objective, preset.objective);
            assert_eq!((recipe.seed, recipe.start.as_deref()), (7, Some("latest")));
            assert_eq!(Preset::of(&recipe), Some(preset), "{}", preset.name);
            assert_eq!(Preset::named(preset.objective, &preset.name.to_uppercase()), Ok(preset));
        }
    }

    #[test]
    fn presets_follow_each_other_round() {
        let mut recipe = Recipe::of(ObjectiveName::Grpo);
        let names: Vec<&str> = (0..5)
            .map(|_| {
                let next = Preset::after(&recipe);
                recipe = next.applied(&recipe);
                next.name
            })
            .collect();
        assert_eq!(names, ["quick", "RationAnomaly", "RationAnomaly code", "R-Log", "quick"]);
        let error = Preset::named(ObjectiveName::Dpo, "r-log").unwrap_err();
        assert!(error.contains("quick, thorough, logreasoner"), "{error}");
    }
}
