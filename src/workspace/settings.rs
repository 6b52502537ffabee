//! `logwright.toml`: what a project has decided. Never secrets: those come from the environment.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::WorkspaceError;
use crate::labels::{ConsensusRule, Taxonomy};

/// The settings' file in a project folder.
pub const SETTINGS_FILE: &str = "logwright.toml";

/// A project's settings. Every one has a default, so that an empty file is a valid one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The project's name, for the top line.
    pub name: String,
    /// Who votes and reviews here unless `--as` says otherwise; the system's user if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotator: Option<String>,
    /// Who may rule; anybody if empty.
    pub seniors: Vec<String>,
    /// The language model to reason with and to tune, by name or path.
    pub model: String,
    /// The error categories, in the order of their digit keys.
    pub taxonomy: Taxonomy,
    /// When votes alone settle a template.
    pub consensus: ConsensusRule,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "project".into(),
            annotator: None,
            seniors: Vec::new(),
            model: "smollm2-135m".into(),
            taxonomy: Taxonomy::default(),
            consensus: ConsensusRule::default(),
        }
    }
}

impl Settings {
    /// Reads settings.
    pub(super) fn load(path: &Path) -> Result<Self, WorkspaceError> {
        let text = fs::read_to_string(path).map_err(|error| WorkspaceError::io(path, error))?;
        let complaint = |line, why| WorkspaceError::Settings { path: path.to_owned(), line, why };
        let settings: Self = toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            complaint(text[..at].matches('\n').count() + 1, error.message().to_owned())
        })?;
        let share = settings.consensus.share;
        if !(share > 0.5 && share <= 1.0) {
            let line = text.lines().position(|line| line.trim_start().starts_with("share")).map_or(1, |line| line + 1);
            return Err(complaint(line, format!("consensus share {share} is not above 0.5 and at most 1")));
        }
        Ok(settings)
    }

    /// Writes settings to a file that must not exist yet.
    pub(super) fn save_new(&self, path: &Path) -> Result<(), WorkspaceError> {
        let body = toml::to_string_pretty(self).map_err(|error| WorkspaceError::Invalid(error.to_string()))?;
        let text = format!(
            "# A Logwright project. Keys and passwords never belong here: they come from the environment.\n\n{body}"
        );
        let written = fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| WorkspaceError::io(path, error))
    }

    /// Who acts: `given` if there is one, else the project's annotator, else the system's user.
    pub fn acting(&self, given: Option<&str>) -> String {
        let user = || std::env::var("USER").or_else(|_| std::env::var("USERNAME")).ok();
        let named = given.map(str::to_owned).or_else(|| self.annotator.clone()).or_else(user);
        named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "me".into())
    }

    /// Whether `name` may rule and close rounds.
    pub fn is_senior(&self, name: &str) -> bool {
        self.seniors.is_empty() || self.seniors.iter().any(|senior| senior == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_being_written_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SETTINGS_FILE);
        let settings = Settings { name: "prüfstand".into(), seniors: vec!["mei".into()], ..Settings::default() };
        settings.save_new(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), settings);
        assert!(settings.is_senior("mei") && !settings.is_senior("ana"));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SETTINGS_FILE);
        fs::write(&path, "name = \"x\"\ncolour = 3\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:2: unknown field `colour`"), "{error}");
        fs::write(&path, "[consensus]\nminimum_votes = 2\nshare = 0.4\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:3: consensus share 0.4"), "{error}");
    }
}
