//! The words that a teacher is asked in: Jinja templates, which a project may replace by files of the same name in its
//! folder `prompts/`.

use std::path::{Path, PathBuf};

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::{TeacherError, fenced};
use crate::reasoning::prompt::{Speaker, Turn};

/// Where a project keeps prompts of its own.
pub const PROMPTS_FOLDER: &str = "prompts";

/// A prompt's file may not be longer than this: it would be sent with every request.
const LONGEST: u64 = 64 << 10;

/// The prompts that come with the program.
const BUILT_IN: [(&str, &str); 6] = [
    ("teacher.correction.system.jinja", include_str!("../../assets/prompts/teacher.correction.system.jinja")),
    ("teacher.correction.user.jinja", include_str!("../../assets/prompts/teacher.correction.user.jinja")),
    ("teacher.rationale.system.jinja", include_str!("../../assets/prompts/teacher.rationale.system.jinja")),
    ("teacher.rationale.user.jinja", include_str!("../../assets/prompts/teacher.rationale.user.jinja")),
    ("teacher.thought.system.jinja", include_str!("../../assets/prompts/teacher.thought.system.jinja")),
    ("teacher.thought.user.jinja", include_str!("../../assets/prompts/teacher.thought.user.jinja")),
];

/// All prompts, read once.
#[derive(Debug)]
pub struct Prompts {
    environment: Environment<'static>,
    folder: Option<PathBuf>,
    own: Vec<&'static str>,
}

impl Prompts {
    /// The prompts of the project in `dir`, or those that are built in.
    ///
    /// # Errors
    /// When a file of the project's cannot be read, or is no Jinja template.
    pub fn load(dir: Option<&Path>) -> Result<Self, TeacherError> {
        let folder = dir.map(|dir| dir.join(PROMPTS_FOLDER)).filter(|folder| folder.is_dir());
        let mut environment = Environment::new();
        // A misspelt variable is told, not sent as nothing.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        // Plain text: nothing is escaped.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.add_filter("fenced", |text: String| fenced(&text));
        let mut own = Vec::new();
        for (name, built_in) in BUILT_IN {
            let path = folder.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists());
            let text = match &path {
                None => built_in.to_owned(),
                Some(path) => {
                    own.push(name);
                    read(path)?
                }
            };
            let path = path.unwrap_or_else(|| PathBuf::from(name));
            environment.add_template_owned(name, text).map_err(|error| complaint(path, &error))?;
        }
        Ok(Self { environment, folder, own })
    }

    /// The names of the prompts that the project has replaced.
    pub fn replaced(&self) -> &[&'static str] {
        &self.own
    }

    /// The system's and the user's turn of `kind`: `teacher.KIND.system.jinja` and `teacher.KIND.user.jinja`, filled from
    /// `context`.
    ///
    /// Text from outside goes in through the filter `fenced`, or is fenced by who fills the context.
    ///
    /// # Errors
    /// When a prompt uses what the context does not hold.
    pub fn turns(&self, kind: &str, context: impl Serialize) -> Result<Vec<Turn>, TeacherError> {
        let context = minijinja::Value::from_serialize(&context);
        let turn = |speaker, part: &str| -> Result<Turn, TeacherError> {
            let name = format!("teacher.{kind}.{part}.jinja");
            let path = || match &self.folder {
                Some(folder) if self.own.contains(&name.as_str()) => folder.join(&name),
                _ => PathBuf::from(&name),
            };
            let text = self.environment.get_template(&name).and_then(|template| template.render(&context));
            let text = text.map_err(|error| complaint(path(), &error))?;
            Ok(Turn { speaker, text: text.trim().to_owned() })
        };
        Ok(vec![turn(Speaker::System, "system")?, turn(Speaker::User, "user")?])
    }
}

fn read(path: &Path) -> Result<String, TeacherError> {
    let prompt = |why: String| TeacherError::Prompt { path: path.to_owned(), why };
    let size = std::fs::metadata(path).map_err(|error| prompt(error.to_string()))?.len();
    if size > LONGEST {
        return Err(prompt(format!("{size} bytes are more than the {LONGEST} that a prompt may have")));
    }
    std::fs::read_to_string(path).map_err(|error| prompt(error.to_string()))
}

fn complaint(path: PathBuf, error: &minijinja::Error) -> TeacherError {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    TeacherError::Prompt { path, why: format!("{what}{line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Nothing {}

    #[test]
    fn a_project_may_have_words_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Prompts::load(Some(dir.path())).unwrap().replaced().is_empty());
        std::fs::create_dir(dir.path().join(PROMPTS_FOLDER)).unwrap();
        let file = dir.path().join(PROMPTS_FOLDER).join("teacher.rationale.system.jinja");
        std::fs::write(&file, "Say {{ nothing }}.").unwrap();
        let prompts = Prompts::load(Some(dir.path())).unwrap();
        assert_eq!(prompts.replaced(), ["teacher.rationale.system.jinja"]);
        let error = prompts.turns("rationale", Nothing {}).unwrap_err().to_string();
        assert!(error.contains("teacher.rationale.system.jinja") && error.contains("line 1"), "{error}");
        std::fs::write(&file, "{% if %}").unwrap();
        let error = Prompts::load(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("prompts/teacher.rationale.system.jinja: syntax error"), "{error}");
    }
}
