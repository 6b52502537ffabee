//! A curriculum: recipes in a row, each from the adapter of the one before.
//!
//! ```toml
//! model = "smollm2-135m"        # and seed: for every stage that does not say otherwise
//!
//! [[stage]]
//! name = "thoughts"             # LogReasoner: how such questions are solved
//! objective = "sft"
//! data.source = "thoughts"
//!
//! [[stage]]
//! name = "preferences"
//! objective = "dpo"
//! recipe = "dpo.toml"           # a recipe beside this file; what the stage says wins over it
//! ```
//!
//! Each stage is a run like any other. What belongs together stands in `runs/<time>-chain/chain.json`, so that the same file, started
//! again, goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::build::shape_of;
use super::recipe::{complaint_key, lay_over, line_of, line_of_element, line_within_element, syntax, table, text_of};
use super::run::{by_number, replace};
use super::{
    Checkpoint, ObjectiveName, Recipe, RecipeError, RunFolder, RunState, SaidShape, TrainingError, named_adapter,
};

const RECORD: &str = "chain.json";

/// One of the recipes of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What it is called, in its run's name too.
    pub name: String,
    /// What it does.
    pub recipe: Recipe,
    /// What its files say of its adapter's shape.
    pub said: SaidShape,
}

/// Recipes in a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// From first to last.
    pub stages: Vec<Stage>,
}

/// A chain that was started: which runs are its stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainRecord {
    /// Its name.
    pub chain: String,
    /// SHA-256 of all that its recipes say.
    pub recipes_sha256: String,
    /// The names of its runs, in order; later ones may not exist yet.
    pub runs: Vec<String>,
}

/// What a chain says for all of its stages, to be told with its line where it is of the wrong kind.
#[derive(Deserialize)]
struct Common {
    #[serde(rename = "model")]
    _model: Option<String>,
    #[serde(rename = "seed")]
    _seed: Option<u64>,
}

impl Chain {
    /// Reads a chain and the recipes that it names.
    ///
    /// # Errors
    /// Where a file cannot be read or is not TOML (with its line), and where a stage cannot work (with its name).
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let text = text_of(path)?;
        Self::parse(path, &text).map_err(|error| error.in_file(path, &text))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, RecipeError> {
        let mut whole = table(path, text)?;
        if let Err(error) = toml::from_str::<Common>(text) {
            return Err(syntax(path, text, &error));
        }
        let stages = match whole.remove("stage") {
            Some(toml::Value::Array(stages)) if !stages.is_empty() => stages,
            _ => return Err(invalid("a chain needs at least one [[stage]]")),
        };
        if let Some(key) = whole.keys().find(|key| !["model", "seed"].contains(&key.as_str())) {
            return Err(invalid(format!("{key} is no setting of a chain: there are model, seed and [[stage]]")));
        }
        let stage = |(at, stage)| {
            Self::stage(path, text, at, stage, &whole).map_err(|error| match error {
                RecipeError::Invalid(whys) => RecipeError::Syntax {
                    path: path.to_path_buf(),
                    line: line_of_element(text, "stage", at).unwrap_or(1),
                    why: whys.join("; "),
                },
                elsewhere => elsewhere,
            })
        };
        let stages = stages.into_iter().enumerate().map(stage).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { stages })
    }

    fn stage(
        path: &Path,
        text: &str,
        at: usize,
        stage: toml::Value,
        common: &toml::Table,
    ) -> Result<Stage, RecipeError> {
        let toml::Value::Table(mut own) = stage else { return Err(invalid("a [[stage]] is a table")) };
        let mut word = |key: &str| match own.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(word)) => Ok(Some(word)),
            Some(_) => Err(invalid(format!("stage {}: {key} is a text", at + 1))),
        };
        let (name, file) = (word("name")?, word("recipe")?);
        let mut file_text = None;
        let mut whole = common.clone();
        let mut said = SaidShape::default();
        if let Some(file) = file {
            let beside = path.parent().unwrap_or(Path::new("")).join(file);
            let text = text_of(&beside)?;
            // By itself, so that what is no setting there is told with that file and its line.
            if let Err(error) = toml::from_str::<Recipe>(&text) {
                return Err(syntax(&beside, &text, &error));
            }
            lay_over(&mut whole, table(&beside, &text)?);
            said = SaidShape::of_file(&beside)?;
            file_text = Some((beside, text));
        }
        let line =
            |key: &str| line_within_element(text, "stage", at, key).or_else(|| line_of_element(text, "stage", at));
        let said = said.under(SaidShape::of(&own, path, line));
        let own_settings = own.clone();
        lay_over(&mut whole, own);
        let called = name.clone().unwrap_or_else(|| format!("{}", at + 1));
        let wrong = |why: String| invalid(format!("stage {called}: {why}"));
        if at > 0 && whole.contains_key("start") {
            return Err(wrong("start is for the first stage; the others start from the one before".into()));
        }
        let objective = match whole.get("objective") {
            None => ObjectiveName::default(),
            Some(word) => {
                word.clone().try_into().map_err(|_| wrong(format!("objective {word} is none of sft, dpo, grpo")))?
            }
        };
        let name = name.unwrap_or_else(|| objective.as_str().to_owned());
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            return Err(wrong(format!("the name {name:?} is part of a folder's: letters, digits, - and _")));
        }
        let unknown = |why: String| {
            let own = if why.starts_with("unknown field") { "; a stage also has name and recipe" } else { "" };
            wrong(format!("{why}{own}"))
        };
        let recipe = Recipe::over_defaults(whole, objective).map_err(unknown)?;
        let recipe = recipe.completed().validated().map_err(|error| match (error, &file_text) {
            (RecipeError::Invalid(whys), Some((beside, text))) if is_of_file(&whys, text, &own_settings) => {
                RecipeError::Invalid(whys).in_file(beside, text)
            }
            (RecipeError::Invalid(whys), _) => wrong(whys.join("; ")),
            (other, _) => other,
        })?;
        Ok(Stage { name, recipe, said })
    }

    /// Refuses a chain in which a stage asks for another shape of its adapter than the one before leaves it: all of them have that of
    /// the first, or of the adapter that the first starts from, which may be a run in `runs`; or of the first's run where that has `begun`.
    ///
    /// # Errors
    /// As [`SaidShape::agrees_with`], and when that adapter cannot be found.
    pub fn has_one_shape(&self, runs: &Path, begun: Option<&RunFolder>) -> Result<(), TrainingError> {
        let Some((first, rest)) = self.stages.split_first() else { return Ok(()) };
        if let Some(begun) = begun {
            // Its start, which may be gone or another by now, is kept in its folder.
            let (shape, from) = (begun.recipe()?.lora, format!("stage {}", first.name));
            return rest.iter().try_for_each(|stage| Ok(stage.said.agrees_with(&shape, &from)?));
        }
        let lora = &first.recipe.lora;
        let start = first.recipe.start.as_deref().map(|name| named_adapter(name, runs)).transpose()?;
        let (shape, from) = match &start {
            Some(start) => (shape_of(&start.dir, lora)?, start.name.clone()),
            None => (Some(lora.clone()), format!("stage {}", first.name)),
        };
        let Some(shape) = shape else { return Ok(()) };
        if start.is_some() {
            first.said.agrees_with(&shape, &from)?;
        }
        rest.iter().try_for_each(|stage| Ok(stage.said.agrees_with(&shape, &from)?))
    }

    /// SHA-256 of all that the recipes say, in hexadecimal.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for Stage { name, recipe, .. } in &self.stages {
            hash.update(format!("[{name}]\n{}\n", recipe.to_toml()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The newest start of this chain in `runs` that is not finished.
    pub fn unfinished(&self, runs: &Path) -> Option<ChainRecord> {
        let digest = self.digest();
        let mut records: Vec<ChainRecord> = fs::read_dir(runs)
            .ok()?
            .flatten()
            .filter_map(|entry| serde_json::from_slice(&fs::read(entry.path().join(RECORD)).ok()?).ok())
            .filter(|record: &ChainRecord| record.recipes_sha256 == digest && record.runs.len() == self.stages.len())
            .collect();
        records.sort_by(|a, b| by_number(&b.chain, &a.chain));
        records.into_iter().find(|record| !(0..self.stages.len()).all(|stage| record.is_finished(runs, stage)))
    }

    /// Writes down that this chain starts now.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn begin(&self, runs: &Path, at: Timestamp) -> Result<ChainRecord, TrainingError> {
        fs::create_dir_all(runs).map_err(|error| TrainingError::file(runs, error))?;
        let stem = format!("{}-chain", at.strftime("%Y%m%d-%H%M%S"));
        let names = std::iter::once(stem.clone()).chain((2..).map(|number| format!("{stem}-{number}")));
        for chain in names {
            let dir = runs.join(&chain);
            match fs::create_dir(&dir) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(|error| TrainingError::file(&dir, error))?,
            }
            let run = |(at, stage): (usize, &Stage)| format!("{chain}-{}-{}", at + 1, stage.name);
            let runs = self.stages.iter().enumerate().map(run).collect();
            let record = ChainRecord { chain, recipes_sha256: self.digest(), runs };
            let json = serde_json::to_vec_pretty(&record).map_err(|error| TrainingError::damaged(&dir, error))?;
            replace(&dir.join(RECORD), &json)?;
            return Ok(record);
        }
        unreachable!("the numbers do not end")
    }
}

impl ChainRecord {
    /// The folder of a stage's run.
    pub fn folder(&self, runs: &Path, stage: usize) -> RunFolder {
        RunFolder::at(runs.join(&self.runs[stage]))
    }

    /// Whether a stage is done.
    pub fn is_finished(&self, runs: &Path, stage: usize) -> bool {
        self.folder(runs, stage).status().is_ok_and(|status| status.state == RunState::Finished)
    }

    /// Whether a stage was begun so far that its run can be gone on with; what a kill left before that is cleared away.
    ///
    /// # Errors
    /// When it cannot be cleared away, or holds more than the beginning of a run.
    pub fn is_begun(&self, runs: &Path, stage: usize) -> Result<bool, TrainingError> {
        let folder = self.folder(runs, stage);
        // The status is the last that a start writes.
        if folder.has_status() {
            return Ok(true);
        }
        if folder.is_locked() || Checkpoint::is_any(&folder) {
            let why = "it has no status.json, and is no run that was killed as it began; look at it, or move it away";
            return Err(TrainingError::damaged(folder.path(), why));
        }
        match fs::remove_dir_all(folder.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TrainingError::file(folder.path(), error))
            }
            _ => Ok(false),
        }
    }

    /// Whether a process has one of its runs in hand.
    pub fn is_going_on(&self, runs: &Path) -> bool {
        (0..self.runs.len()).any(|stage| self.folder(runs, stage).is_locked())
    }

    /// Its own folder.
    pub fn dir(&self, runs: &Path) -> PathBuf {
        runs.join(&self.chain)
    }
}

/// Whether what is complained about first is said in a stage's file, and not by the stage itself.
fn is_of_file(complaints: &[String], text: &str, own: &toml::Table) -> bool {
    let key = complaint_key(complaints);
    let is_own = match key.split_once('.') {
        Some((section, key)) => own.get(section).and_then(|section| section.get(key)).is_some(),
        None => own.contains_key(key),
    };
    !is_own && line_of(text, key).is_some()
}

fn invalid(why: impl Into<String>) -> RecipeError {
    RecipeError::Invalid(vec![why.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{DataSource, Status};

    const FILE: &str = "
seed = 7

[[stage]]
name = \"thoughts\"
data.source = \"thoughts\"

[[stage]]
objective = \"dpo\"
recipe = \"dpo.toml\"
seed = 8
";

    fn load(text: &str) -> Result<Chain, RecipeError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("dpo.toml"), "[dpo]\nbeta = 0.3\n[optimizer]\nwarmup_steps = 0\n").unwrap();
        fs::write(folder.path().join("misspelt.toml"), "[dpo]\nbata = 0.3\n").unwrap();
        fs::write(folder.path().join("wrong.toml"), "seed = 2\n[data]\nbatch = 0\n").unwrap();
        let path = folder.path().join("chain.toml");
        fs::write(&path, text).unwrap();
        Chain::load(&path)
    }

    #[test]
    fn a_stage_is_its_objectives_defaults_its_file_and_what_it_says_itself() {
        let Chain { stages } = load(FILE).unwrap();
        assert_eq!(stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["thoughts", "dpo"]);
        assert_eq!((stages[0].recipe.seed, stages[0].recipe.data.source), (7, DataSource::Thoughts));
        let dpo = &stages[1].recipe;
        assert_eq!((dpo.objective, dpo.seed, dpo.optimizer.warmup_steps), (ObjectiveName::Dpo, 8, 0));
        assert_eq!((dpo.dpo.as_ref().unwrap().beta, dpo.optimizer.learning_rate), (0.3, 1e-4));
    }

    #[test]
    fn what_cannot_work_is_told_with_its_stage() {
        for (text, why) in [
            ("", "at least one [[stage]]"),
            ("steps = 3\n[[stage]]\n", "steps is no setting of a chain"),
            ("[[stage]]\nobjective = \"ppo\"\n", "stage 1: objective"),
            ("[[stage]]\n[[stage]]\nname = \"b\"\nstart = \"x\"\n", "stage b: start is for the first stage"),
            ("[[stage]]\nname = \"a\"\n[stage.dpo]\nbeta = 1\n[stage.data]\nbatch = 0\n", "stage a: data.batch = 0"),
            ("[[stage]]\nname = \"../x\"\n", "part of a folder's"),
            ("[[stage]]\nlenght = 1\n", "unknown field `lenght`"),
            ("[[stage]]\nrecipe = \"gone.toml\"\n", "gone.toml"),
            ("seed = 1\nmodel = 3\n[[stage]]\n", "chain.toml:2: "),
            ("[[stage]]\nrecipe = \"misspelt.toml\"\n", "misspelt.toml:2: unknown field `bata`"),
            ("[[stage]]\nrecipe = \"wrong.toml\"\n", "wrong.toml:3: the recipe cannot work: data.batch = 0"),
            ("[[stage]]\nrecipe = \"wrong.toml\"\ndata.batch = -1\n", "chain.toml:1"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        let place =
            |text| load(text).unwrap_err().to_string().rsplit_once("chain.toml:").map(|(_, rest)| rest.to_owned());
        let misspelt = place("seed = 1\n[[stage]]\n\n[[stage]]\nnmae = \"b\"\n").unwrap();
        assert!(misspelt.starts_with("4: stage 2: unknown field `nmae`"), "{misspelt}");
        assert!(misspelt.ends_with("a stage also has name and recipe"), "{misspelt}");
        assert!(place("").unwrap().starts_with("1: "));
    }

    #[test]
    fn a_stage_that_asks_for_another_shape_than_the_first_leaves_is_refused_before_any_begins() {
        let runs = tempfile::tempdir().unwrap();
        let check =
            |text: &str| load(text).unwrap().has_one_shape(runs.path(), None).map_err(|error| error.to_string());
        check("[[stage]]\nlora.rank = 4\n[[stage]]\n").unwrap();
        check("[[stage]]\nlora.rank = 4\n[[stage]]\n[stage.lora]\nrank = 4\n").unwrap();
        let error =
            check("[[stage]]\nlora.rank = 4\n\n[[stage]]\n[stage.lora]\ndropout = 0.1\nrank = 8\n").unwrap_err();
        assert!(error.contains("chain.toml:7: lora.rank = 8, and stage sft, which"), "{error}");
        assert!(error.contains("has 4"), "{error}");
    }

    #[test]
    fn a_chain_that_was_begun_is_found_until_all_its_stages_are_finished() {
        let runs = tempfile::tempdir().unwrap();
        let (chain, runs) = (load(FILE).unwrap(), runs.path());
        assert_eq!(chain.unfinished(runs), None);
        let at = Timestamp::UNIX_EPOCH;
        let record = chain.begin(runs, at).unwrap();
        assert_eq!(record.runs, ["19700101-000000-chain-1-thoughts", "19700101-000000-chain-2-dpo"]);
        assert_eq!(chain.begin(runs, at).unwrap().chain, "19700101-000000-chain-2");
        assert_eq!(load(&FILE.replace("seed = 8", "seed = 9")).unwrap().unfinished(runs), None);
        for (stage, finished) in [(0, false), (1, true)] {
            for record in [&record, &chain.unfinished(runs).unwrap()] {
                let folder = record.folder(runs, stage);
                fs::create_dir_all(folder.path()).unwrap();
                folder.write_status(&Status::new(RunState::Finished, 1, 1, at)).unwrap();
            }
            assert_eq!(record.is_finished(runs, 1), finished);
        }
        assert_eq!(chain.unfinished(runs), None);
    }

    #[test]
    fn a_stage_that_was_killed_before_it_began_begins_again() {
        let runs = tempfile::tempdir().unwrap();
        let record = load(FILE).unwrap().begin(runs.path(), Timestamp::UNIX_EPOCH).unwrap();
        let folder = record.folder(runs.path(), 0);
        fs::create_dir_all(folder.path()).unwrap();
        folder.write_recipe(&Recipe::default()).unwrap();
        assert!(!record.is_begun(runs.path(), 0).unwrap());
        assert!(!folder.path().exists());
        fs::create_dir_all(folder.path()).unwrap();
        folder.write_status(&Status::new(RunState::Queued, 0, 1, Timestamp::UNIX_EPOCH)).unwrap();
        // Even where what it trains on is damaged: what it learnt is not thrown away for that.
        fs::write(folder.path().join("examples.jsonl"), "{").unwrap();
        assert!(record.is_begun(runs.path(), 0).unwrap());
    }
}
