//! The recipe form: every setting of the chosen objective a line, changed one by one, what cannot work told beside it.

mod fields;

use std::collections::BTreeMap;

pub(super) use fields::{Field, Kind};

use super::effects::Wanted;
use crate::model::DeviceChoice;
use crate::reasoning::Task;
use crate::training::{ObjectiveName, Preset, Recipe};

/// What comes of asking for a change.
pub(super) enum Change {
    /// A text is needed.
    Ask,
    /// The next value.
    Turn(Box<Recipe>),
}

impl Field {
    /// Its value in a recipe's file, as text; empty where it is absent.
    fn value(&self, recipe: &Recipe, table: &toml::Table) -> String {
        let found = get(table, self.place);
        match (self.kind, found) {
            (Kind::Preset, _) => Preset::of(recipe).map_or("own", |preset| preset.name).to_owned(),
            (Kind::Choice(words), Some(toml::Value::String(value))) => {
                words.iter().find(|(word, _)| word == value).map_or(value.as_str(), |(_, shown)| shown).to_owned()
            }
            (_, Some(value)) => plain(value),
            (_, None) => String::new(),
        }
    }

    /// What it shows, also where its value says nothing.
    fn value_text(&self, recipe: &Recipe, table: &toml::Table) -> String {
        let of_start = recipe.start.is_some() && ["lora.rank", "lora.alpha"].contains(&self.place);
        match (self.kind, self.value(recipe, table)) {
            _ if of_start => "as where it starts".to_owned(),
            _ if self.place == "length.epochs" && recipe.length.steps.is_some() => "–".to_owned(),
            (Kind::Optional, value) if value.is_empty() => "as the passes need".to_owned(),
            (Kind::Start, value) if value.is_empty() => "a fresh adapter".to_owned(),
            (Kind::Tasks, value) if value.is_empty() => "all".to_owned(),
            (_, value) => value,
        }
    }

    /// The recipe with this setting as typed; it may be one that cannot work.
    fn typed(&self, recipe: &Recipe, text: &str) -> Result<Recipe, String> {
        let text = text.trim();
        let mut typed = recipe.clone();
        match self.kind {
            Kind::Start => typed.start = (!text.is_empty()).then(|| text.to_owned()),
            Kind::Tasks => typed.data.tasks = tasks(text)?,
            Kind::Optional if text.is_empty() => typed.length.steps = None,
            _ => {
                let wrong = || format!("{text:?} is no number that fits here");
                let mut table = table_of(recipe);
                let value = match get(&table, self.place) {
                    Some(toml::Value::Float(_)) => text.parse().map(toml::Value::Float).map_err(|_| wrong())?,
                    _ => text.parse().map(toml::Value::Integer).map_err(|_| wrong())?,
                };
                put(&mut table, self.place, value);
                typed = table.try_into().map_err(|_| wrong())?;
            }
        }
        if self.place == "lora.rank" {
            // Twice the rank keeps the update's scale, whatever the rank is.
            typed.lora.alpha = 2.0 * typed.lora.rank as f64;
        }
        Ok(typed)
    }

    /// The recipe with the next value of this setting; `None` where a text is needed.
    fn turned(&self, recipe: &Recipe) -> Option<Recipe> {
        let mut table = table_of(recipe);
        let next = match (self.kind, get(&table, self.place)) {
            (Kind::Preset, _) => return Some(Preset::after(recipe).applied(recipe)),
            (Kind::YesNo, Some(toml::Value::Boolean(yes))) => toml::Value::Boolean(!yes),
            (Kind::Choice(words), Some(toml::Value::String(value))) => {
                let at = words.iter().position(|(word, _)| word == value).map_or(0, |at| (at + 1) % words.len());
                toml::Value::String(words[at].0.to_owned())
            }
            _ => return None,
        };
        put(&mut table, self.place, next);
        table.try_into().ok()
    }
}

fn tasks(text: &str) -> Result<Vec<String>, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map(|task: Task| task.to_string()).map_err(|error| error.to_string())).collect()
}

/// A recipe as its file has it. A seed beyond what a file can hold leaves nothing to show.
fn table_of(recipe: &Recipe) -> toml::Table {
    toml::Table::try_from(recipe).unwrap_or_default()
}

fn get<'a>(table: &'a toml::Table, place: &str) -> Option<&'a toml::Value> {
    match place.split_once('.') {
        Some((section, key)) => table.get(section)?.get(key),
        None => table.get(place),
    }
}

fn put(table: &mut toml::Table, place: &str, value: toml::Value) {
    match place.split_once('.') {
        Some((section, key)) => {
            if let Some(toml::Value::Table(section)) = table.get_mut(section) {
                section.insert(key.to_owned(), value);
            }
        }
        None => {
            table.insert(place.to_owned(), value);
        }
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        // What was single precision reads as it was typed.
        toml::Value::Float(number) if f64::from(*number as f32) == *number => (*number as f32).to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        toml::Value::Array(words) => words.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A line of the form, as the screen shows it.
pub(super) struct Row {
    /// The setting.
    pub field: &'static Field,
    /// Its value, or what was typed for it and is none.
    pub text: String,
    /// What is wrong with it.
    pub complaint: Option<String>,
}

/// The recipe of the next run, as far as it is filled in.
#[derive(Debug)]
pub(super) struct Form {
    /// The settings.
    pub recipe: Recipe,
    /// Where the run computes; `None`: as the project says.
    device: Option<DeviceChoice>,
    /// Where the project computes, once that is known.
    pub of_project: Option<DeviceChoice>,
    /// The line in front.
    pub at: usize,
    /// What was typed and is no value, with why, by its place.
    broken: BTreeMap<&'static str, (String, String)>,
    /// The recipes of the other objectives, as they were left.
    drafts: Vec<Recipe>,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            recipe: first(ObjectiveName::Sft),
            device: None,
            of_project: None,
            at: 0,
            broken: BTreeMap::new(),
            drafts: Vec::new(),
        }
    }
}

/// The recipe that an objective's form begins with.
fn first(objective: ObjectiveName) -> Recipe {
    let bare = Recipe::of(objective);
    Preset::all_of(objective).next().map_or_else(|| bare.clone(), |preset| preset.applied(&bare))
}

impl Form {
    /// Its lines.
    pub fn fields(&self) -> Vec<&'static Field> {
        fields::of(self.recipe.objective)
    }

    /// The setting in front.
    pub fn field(&self) -> &'static Field {
        let fields = self.fields();
        fields[self.at.min(fields.len() - 1)]
    }

    /// Goes to the line `by` further down.
    pub fn go(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(self.fields().len() - 1);
    }

    /// Changes the setting in front, or says that a text is needed for that.
    pub fn change(&self) -> Change {
        let field = self.field();
        if field.kind == Kind::Objective {
            let next = match self.recipe.objective {
                ObjectiveName::Sft => ObjectiveName::Dpo,
                ObjectiveName::Dpo => ObjectiveName::Grpo,
                ObjectiveName::Grpo => ObjectiveName::Sft,
            };
            let draft = self.drafts.iter().find(|draft| draft.objective == next);
            return Change::Turn(Box::new(draft.cloned().unwrap_or_else(|| first(next))));
        }
        field.turned(&self.recipe).map_or(Change::Ask, |recipe| Change::Turn(Box::new(recipe)))
    }

    /// Takes what was typed for the setting in front.
    pub fn take(&mut self, text: &str) {
        let field = self.field();
        if field.kind == Kind::Device {
            return self.take_device(field.place, text.trim());
        }
        match field.typed(&self.recipe, text) {
            Ok(recipe) => {
                self.recipe = recipe;
                self.broken.remove(field.place);
            }
            Err(why) => {
                self.broken.insert(field.place, (text.to_owned(), why));
            }
        }
    }

    fn take_device(&mut self, place: &'static str, text: &str) {
        let device = (!text.is_empty()).then(|| text.parse()).transpose();
        match device {
            Ok(device) => {
                self.device = device;
                self.broken.remove(place);
            }
            Err(why) => {
                self.broken.insert(place, (text.to_owned(), why));
            }
        }
    }

    /// The run that is asked for.
    pub fn wanted(&self) -> Wanted {
        Wanted { recipe: self.recipe.clone(), device: self.device }
    }

    fn device_text(&self) -> String {
        self.device.or(self.of_project).map_or_else(String::new, |device| device.to_string())
    }

    /// Takes another recipe as a whole; that of another objective is kept for when one comes back to it.
    pub fn replace(&mut self, recipe: Recipe) {
        let left = std::mem::replace(&mut self.recipe, recipe);
        // What was typed for a setting is dropped only where the setting itself is another now.
        let (before, now) = (table_of(&left), table_of(&self.recipe));
        let of_other = left.objective != self.recipe.objective;
        self.broken.retain(|place, _| !of_other && get(&before, place) == get(&now, place));
        if left.objective != self.recipe.objective {
            self.drafts.retain(|draft| draft.objective != left.objective);
            self.drafts.push(left);
        }
    }

    /// Starts from an adapter.
    pub fn start_from(&mut self, run: &str) {
        self.recipe.start = Some(run.to_owned());
    }

    /// What to edit the setting in front from.
    pub fn initial(&self) -> String {
        let field = self.field();
        let value = || match field.kind {
            Kind::Device => self.device_text(),
            _ => field.value(&self.recipe, &table_of(&self.recipe)),
        };
        self.broken.get(field.place).map_or_else(value, |(text, _)| text.clone())
    }

    /// Every line with its value.
    pub fn rows(&self) -> Vec<Row> {
        let (table, complaints) = (table_of(&self.recipe), self.recipe.complaints());
        let row = |field: &'static Field| match self.broken.get(field.place) {
            Some((text, why)) => Row { field, text: text.clone(), complaint: Some(why.clone()) },
            None if field.kind == Kind::Device => Row { field, text: self.device_text(), complaint: None },
            None => {
                let complaint = complaints.iter().find(|complaint| is_about(complaint, field.place)).cloned();
                Row { field, text: field.value_text(&self.recipe, &table), complaint }
            }
        };
        self.fields().into_iter().map(row).collect()
    }

    /// Everything that is wrong, in a line.
    pub fn obstacle(&self) -> Option<String> {
        let broken = self.fields().into_iter().filter_map(|field| {
            let (_, why) = self.broken.get(field.place)?;
            Some(format!("{}: {why}", field.name))
        });
        let all: Vec<String> = broken.chain(self.recipe.complaints()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

fn is_about(complaint: &str, place: &str) -> bool {
    !place.is_empty() && complaint.strip_prefix(place).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_place_in_the_recipe_and_can_be_changed() {
        for objective in [ObjectiveName::Sft, ObjectiveName::Dpo, ObjectiveName::Grpo] {
            let recipe = Recipe::of(objective);
            let table = table_of(&recipe);
            for field in fields::of(objective) {
                let there = get(&table, field.place).is_some();
                match field.kind {
                    Kind::Preset | Kind::Start | Kind::Optional | Kind::Device => {}
                    Kind::Number => {
                        let text = field.value(&recipe, &table);
                        assert!(there, "{}", field.place);
                        assert_eq!(field.typed(&recipe, &text).unwrap().objective, objective);
                        assert!(field.typed(&recipe, "two").is_err());
                    }
                    Kind::Choice(words) => {
                        // Round once, and back where it was.
                        let mut turned = recipe.clone();
                        for _ in words {
                            turned = field.turned(&turned).unwrap();
                        }
                        assert_eq!(turned, recipe, "{}", field.place);
                    }
                    Kind::YesNo => assert_ne!(field.turned(&recipe).unwrap(), recipe, "{}", field.place),
                    Kind::Objective | Kind::Tasks => assert!(there, "{}", field.place),
                }
                assert!(field.name.len() <= 13, "{} is too long for its column", field.name);
            }
        }
    }

    #[test]
    fn numbers_read_as_they_were_typed() {
        let recipe = Recipe::default();
        let of = |place: &str| fields::of(ObjectiveName::Sft).into_iter().find(|field| field.place == place).unwrap();
        for (place, text) in [("data.answer_weight", "0.1"), ("optimizer.learning_rate", "0.00003"), ("seed", "7")] {
            let typed = of(place).typed(&recipe, text).unwrap();
            assert_eq!(of(place).value(&typed, &table_of(&typed)), text);
        }
        assert!(of("data.batch").typed(&recipe, "-1").is_err());
        let tasks = of("data.tasks").typed(&recipe, "matching, anomaly").unwrap();
        assert_eq!(tasks.data.tasks, ["semantic_matching", "anomaly"]);
        assert!(of("data.tasks").typed(&recipe, "poetry").is_err());
    }

    #[test]
    fn what_was_typed_and_is_no_value_stays_until_its_setting_changes() {
        let mut form = Form::default();
        let go_to = |form: &mut Form, place: &str| {
            form.at = form.fields().iter().position(|field| field.place == place).unwrap();
        };
        go_to(&mut form, "length.steps");
        form.take("60abc");
        go_to(&mut form, "optimizer.schedule");
        let Change::Turn(recipe) = form.change() else { panic!("a choice is turned") };
        form.replace(*recipe);
        assert!(form.obstacle().is_some_and(|why| why.contains("steps")), "{:?}", form.obstacle());
        go_to(&mut form, "length.steps");
        assert_eq!(form.initial(), "60abc");
        let dpo = Recipe::of(ObjectiveName::Dpo);
        form.replace(dpo);
        assert_eq!(form.obstacle(), None, "another objective's form begins clean");
    }
}
