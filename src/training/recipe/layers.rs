//! How a recipe comes about: the defaults of its objective, and over them what a file says.

use std::path::Path;

use super::{DataSource, ObjectiveName, Recipe, RecipeError, syntax, table, text_of};

impl Recipe {
    /// The recipe of an objective with nothing changed.
    ///
    /// Learning rates are for adapters on models of some hundred million weights; the papers' are for seven billion (LogReasoner's
    /// DPO 5e-6, RationAnomaly's GRPO 4e-7).
    pub fn of(objective: ObjectiveName) -> Self {
        let mut recipe = Self { objective, ..Self::default() };
        match objective {
            ObjectiveName::Sft => {}
            ObjectiveName::Dpo => {
                recipe.optimizer.learning_rate = 1e-4;
                recipe.dpo = Some(Default::default());
            }
            ObjectiveName::Grpo => {
                recipe.optimizer.learning_rate = 5e-5;
                recipe.data.batch = 2;
                recipe.length.epochs = 1.0;
                (recipe.grpo, recipe.reward) = (Some(Default::default()), Some(Default::default()));
            }
        }
        recipe
    }

    /// The recipe with what its objective needs, and without what others need.
    #[must_use]
    pub fn completed(self) -> Self {
        let dpo = (self.objective == ObjectiveName::Dpo).then(|| self.dpo.unwrap_or_default());
        let rewarded = self.objective == ObjectiveName::Grpo;
        let grpo = rewarded.then(|| self.grpo.unwrap_or_default());
        let reward = rewarded.then(|| self.reward.unwrap_or_default().written_out());
        Self { dpo, grpo, reward, ..self }
    }

    /// What it learns from, in a word.
    pub fn learns_from(&self) -> &'static str {
        match (self.objective, self.data.source) {
            (ObjectiveName::Dpo, _) => "pair",
            (_, DataSource::Rationales) => "rationale",
            (_, DataSource::Thoughts) => "thought",
            (_, DataSource::Templates) => "template",
            (_, DataSource::Both) => "rationale or template",
        }
    }

    /// Reads and validates a recipe for `objective`: what its file does not say is as in [`Recipe::of`].
    ///
    /// # Errors
    /// As [`Recipe::load`], and where the file is for another objective.
    pub fn load_for(path: &Path, objective: ObjectiveName) -> Result<Self, RecipeError> {
        let text = text_of(path)?;
        let table = table(path, &text)?;
        if table.get("objective").is_some_and(|named| named.as_str() != Some(objective.as_str())) {
            let why = format!("this recipe is not for {}; `train {0}` needs one that is", objective.as_str());
            let line = 1 + text.lines().position(|line| line.trim_start().starts_with("objective")).unwrap_or(0);
            return Err(RecipeError::Syntax { path: path.to_path_buf(), line, why });
        }
        // Read by itself first: what is misspelt is told with its line.
        let _: Self = toml::from_str(&text).map_err(|error| syntax(path, &text, &error))?;
        let recipe = Self::over_defaults(table, objective).map_err(|why| RecipeError::Invalid(vec![why]));
        recipe.and_then(Self::validated).map_err(|error| error.in_file(path, &text))
    }

    /// The defaults of `objective` with the settings of `table` in their place.
    ///
    /// # Errors
    /// What is wrong with the table, in a line.
    pub fn over_defaults(table: toml::Table, objective: ObjectiveName) -> Result<Self, String> {
        let line = |error: &dyn std::fmt::Display| error.to_string().trim().replace('\n', " ");
        let mut whole = toml::Table::try_from(Self::of(objective)).map_err(|error| line(&error))?;
        lay_over(&mut whole, table);
        whole.try_into().map_err(|error: toml::de::Error| line(&error.message()))
    }
}

/// Puts the settings of `above` in the place of those of `below`.
pub(in crate::training) fn lay_over(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(value)) => lay_over(inner, value),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, objective: ObjectiveName) -> Result<Recipe, RecipeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, text).unwrap();
        Recipe::load_for(&path, objective)
    }

    #[test]
    fn what_a_file_does_not_say_is_the_objectives_default() {
        let recipe = load("seed = 3\n[dpo]\nbeta = 0.3\n[optimizer]\nwarmup_steps = 0\n", ObjectiveName::Dpo).unwrap();
        let mut expected = Recipe { seed: 3, ..Recipe::of(ObjectiveName::Dpo) };
        expected.optimizer.warmup_steps = 0;
        expected.dpo.as_mut().unwrap().beta = 0.3;
        assert_eq!(recipe, expected);
        assert_eq!(recipe.optimizer.learning_rate, 1e-4);
        assert_eq!(load("", ObjectiveName::Sft).unwrap(), Recipe::default());
    }

    #[test]
    fn a_recipe_for_something_else_and_a_misspelt_setting_are_told_with_their_line() {
        let error = load("seed = 1\nobjective = \"sft\"\n", ObjectiveName::Dpo).unwrap_err().to_string();
        assert!(error.contains(":2: this recipe is not for dpo"), "{error}");
        let error = load("[dpo]\nbeta = 0.1\nbetta = 1\n", ObjectiveName::Dpo).unwrap_err().to_string();
        assert!(error.contains(":3: ") && error.contains("betta"), "{error}");
        let error = load("[dpo]\nbeta = 0.0\n", ObjectiveName::Dpo).unwrap_err().to_string();
        assert!(error.contains("dpo.beta = 0"), "{error}");
    }
}
