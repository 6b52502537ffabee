//! What a recipe's file itself says of its adapter's shape, as against what defaults and presets say. A run that starts from an
//! adapter has that one's shape: a file that says otherwise would silently be disobeyed.

use std::path::{Path, PathBuf};

use super::place::line_of;
use super::{LoraRecipe, RecipeError, table, text_of};

/// What decides an adapter's shape and scale, by its place in a recipe.
const KEYS: [&str; 4] = ["lora.rank", "lora.alpha", "lora.targets", "lora.rank_stabilized"];

/// The shape that a file asks for, setting by setting.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaidShape(Vec<Said>);

#[derive(Debug, Clone, PartialEq)]
struct Said {
    key: &'static str,
    value: toml::Value,
    file: PathBuf,
    line: usize,
}

impl SaidShape {
    /// What the recipe at `path` says.
    ///
    /// # Errors
    /// When it cannot be read, or is no TOML.
    pub fn of_file(path: &Path) -> Result<Self, RecipeError> {
        let text = text_of(path)?;
        Ok(Self::of(&table(path, &text)?, path, |key| line_of(&text, key)))
    }

    /// What a table of the file at `path` says; `line` is where a setting stands.
    pub(in crate::training) fn of(table: &toml::Table, path: &Path, line: impl Fn(&str) -> Option<usize>) -> Self {
        let said = |key: &'static str| {
            let (section, name) = key.split_once('.')?;
            let value = table.get(section)?.get(name)?.clone();
            let line = line(key).or_else(|| line(section)).unwrap_or(1);
            Some(Said { key, value, file: path.to_path_buf(), line })
        };
        Self(KEYS.into_iter().filter_map(said).collect())
    }

    /// This, with what `above` says in its place.
    #[must_use]
    pub(in crate::training) fn under(mut self, above: Self) -> Self {
        self.0.retain(|said| above.0.iter().all(|other| other.key != said.key));
        self.0.extend(above.0);
        self
    }

    /// Refuses to start from `start`, which has the shape of `lora`, where the file asks for another.
    ///
    /// # Errors
    /// What the file says first and otherwise, with its line, both values and what to do.
    pub fn agrees_with(&self, lora: &LoraRecipe, start: &str) -> Result<(), RecipeError> {
        let there = toml::Table::try_from(lora).unwrap_or_default();
        let differs = |said: &&Said| {
            let name = said.key.rsplit('.').next().unwrap_or_default();
            there.get(name).is_some_and(|there| !same(&said.value, there))
        };
        let Some(said) = self.0.iter().find(differs) else { return Ok(()) };
        let Said { key, value, file, line } = said;
        let name = key.rsplit('.').next().unwrap_or_default();
        let there = there.get(name).map_or_else(String::new, ToString::to_string);
        let why = format!(
            "{key} = {value}, and {start}, which this starts from, has {there}: an adapter keeps its shape. Take the line out, \
             or start from a fresh adapter or one of that shape"
        );
        Err(RecipeError::Syntax { path: file.clone(), line: *line, why })
    }
}

/// Whether two values mean the same: whole numbers are numbers, and targets have no order.
fn same(a: &toml::Value, b: &toml::Value) -> bool {
    let number = |value: &toml::Value| value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
    let words = |value: &toml::Value| {
        let mut words: Vec<String> = value.as_array()?.iter().map(ToString::to_string).collect();
        words.sort();
        words.dedup();
        Some(words)
    };
    match (number(a), number(b), words(a), words(b)) {
        (Some(a), Some(b), ..) => a == b,
        (_, _, Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> SaidShape {
        let table = toml::from_str(text).unwrap();
        SaidShape::of(&table, Path::new("r.toml"), |key| line_of(text, key))
    }

    #[test]
    fn only_what_the_file_says_and_the_start_denies_is_refused() {
        let start = LoraRecipe::default();
        for fits in [
            "",
            "[lora]\ndropout = 0.5\n",
            "[lora]\nrank = 8\nalpha = 16\nrank_stabilized = false\n",
            "lora.targets = [\"down_proj\", \"up_proj\", \"gate_proj\", \"o_proj\", \"v_proj\", \"k_proj\", \"q_proj\"]\n",
        ] {
            said(fits).agrees_with(&start, "latest").unwrap();
        }
        for (text, told) in [
            ("seed = 1\n[lora]\nrank = 4\n", "r.toml:3: lora.rank = 4, and run x, which this starts from, has 8"),
            ("lora.alpha = 8\n", "r.toml:1: lora.alpha = 8, and run x, which this starts from, has 16"),
            ("[lora]\nrank = 8\n\ntargets = [\"q_proj\"]\n", "r.toml:4: lora.targets = [\"q_proj\"], and run x"),
            ("\nlora = { rank_stabilized = true }\n", "r.toml:2: lora.rank_stabilized = true"),
        ] {
            let error = said(text).agrees_with(&start, "run x").unwrap_err().to_string();
            assert!(error.starts_with(told) && error.contains("Take the line out"), "{error}");
        }
    }

    #[test]
    fn what_a_stage_says_stands_over_what_its_file_says() {
        let both = said("lora.rank = 4\nlora.alpha = 8\n").under(said("lora.rank = 8\n"));
        let start = LoraRecipe { alpha: 8.0, ..LoraRecipe::default() };
        both.agrees_with(&start, "x").unwrap();
    }
}
