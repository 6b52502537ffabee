//! `logwright.toml`: what a project has decided. Never secrets: those come from the environment.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{TeacherSettings, TraceSettings, WorkspaceError};
use crate::labels::{ConsensusRule, PanelRule, Taxonomy};
use crate::logs::format::LineFormat;
use crate::logs::{DrainLimits, Masks};
use crate::reasoning::ReviewRule;

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
    /// Where models compute, `cpu` or `cuda:N`; if unset, the first GPU where there is one that can be used, else the CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The error categories, in the order of their digit keys.
    pub taxonomy: Taxonomy,
    /// When votes alone settle a template.
    pub consensus: ConsensusRule,
    /// What comes before the panel beside disagreements.
    pub panel: PanelRule,
    /// How many reviewers must agree, and what is flagged for them.
    pub review: ReviewRule,
    /// How raw logs become templates.
    pub logs: LogSettings,
    /// Whom to ask for rationales and more, how fast, and for how much.
    #[serde(skip_serializing_if = "TeacherSettings::is_default")]
    pub teacher: TeacherSettings,
    /// How much of what models said is kept.
    #[serde(skip_serializing_if = "TraceSettings::is_default")]
    pub traces: TraceSettings,
}

/// How raw logs become templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// The most templates that a dataset may have; what fits none of them is gathered in one more.
    pub max_templates: usize,
    /// Formats of the project's own, and changes to those that are built in; `custom` is for headers that are written
    /// out on the command line.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub formats: BTreeMap<String, LogFormatSettings>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { max_templates: DrainLimits::default().clusters, formats: BTreeMap::new() }
    }
}

/// A log format: what is not set is as in the built-in format of the same name, or the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogFormatSettings {
    /// How lines begin, such as `<Date> <Time> <Level> <Content>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Regular expressions for what certainly varies in a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masks: Option<Vec<String>>,
    /// The share of a message's tokens that its template must have as constants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// The depth of Drain's tree: `depth - 3` leading tokens part messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// The most children a node of the tree may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_children: Option<usize>,
}

impl LogFormatSettings {
    /// What is wrong, with the text that it stands in.
    fn complaint(&self) -> Option<(String, String)> {
        if let Some(error) = self.header.as_ref().and_then(|header| LineFormat::new(header).err()) {
            return Some((self.header.clone().unwrap_or_default(), error.to_string()));
        }
        for mask in self.masks.iter().flatten() {
            if let Err(error) = Masks::new(&[mask]) {
                return Some((mask.clone(), error.to_string()));
            }
        }
        let number = |name: &str, why: String| Some((name.to_owned(), why));
        match (self.similarity, self.depth, self.max_children) {
            (Some(share), ..) if !(share > 0.0 && share <= 1.0) => {
                number("similarity", format!("similarity {share} is not above 0 and at most 1"))
            }
            (_, Some(depth), _) if !(3..=20).contains(&depth) => {
                number("depth", format!("depth {depth} is not from 3 to 20"))
            }
            (.., Some(children)) if children < 2 => {
                number("max_children", format!("max_children {children} is under 2"))
            }
            _ => None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "project".into(),
            annotator: None,
            seniors: Vec::new(),
            model: "smollm2-135m".into(),
            device: None,
            taxonomy: Taxonomy::default(),
            consensus: ConsensusRule::default(),
            panel: PanelRule::default(),
            review: ReviewRule::default(),
            logs: LogSettings::default(),
            teacher: TeacherSettings::default(),
            traces: TraceSettings::default(),
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
        let share = settings.panel.unanimous_share;
        if !(0.0..=1.0).contains(&share) {
            let named = text.lines().position(|line| line.trim_start().starts_with("unanimous_share"));
            let why = format!("panel unanimous_share {share} is not between 0 and 1");
            return Err(complaint(named.map_or(1, |line| line + 1), why));
        }
        if let Some((name, why)) = settings.review.complaint() {
            let named = text.lines().position(|line| line.trim_start().starts_with(name));
            return Err(complaint(named.map_or(1, |line| line + 1), why));
        }
        if let Some((what, why)) = settings.teacher.complaint() {
            let part = text.lines().position(|line| line.trim_start().starts_with("[teacher")).unwrap_or(0);
            let line = text.lines().skip(part).position(|line| line.contains(what)).unwrap_or(0);
            return Err(complaint(part + line + 1, format!("teacher: {why}")));
        }
        if let Some((what, why)) = settings.traces.complaint() {
            let part = text.lines().position(|line| line.trim_start().starts_with("[traces")).unwrap_or(0);
            let line = text.lines().skip(part).position(|line| line.trim_start().starts_with(what)).unwrap_or(0);
            return Err(complaint(part + line + 1, why));
        }
        for (name, format) in &settings.logs.formats {
            if let Some((what, why)) = format.complaint() {
                return Err(complaint(line_of_format(&text, name, &what), format!("log format {name}: {why}")));
            }
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

/// The line of the settings where `what`, as it is or escaped, stands in the part on a log format.
fn line_of_format(text: &str, name: &str, what: &str) -> usize {
    let escaped = what.replace('\\', "\\\\").replace('"', "\\\"");
    let part = text.lines().position(|line| line.trim_start().starts_with('[') && line.contains(name)).unwrap_or(0);
    let found = text.lines().skip(part).position(|line| line.contains(what) || line.contains(&escaped));
    part + found.unwrap_or(0) + 1
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
        fs::write(&path, "[panel]\nunanimous_share = 5\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:2: panel unanimous_share 5 is not between"), "{error}");
        fs::write(&path, "[review]\ntoo_long = 3\nreviewers = 3\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:3: review reviewers 3 is neither 1 nor 2"), "{error}");
        let formats = "[logs.formats.app]\nheader = '<Time> <Content>'\nmasks = [\n  '\\d+',\n  \"id=(\\\\w\",\n]\n";
        fs::write(&path, formats).unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:5: log format app: mask \"id=(\\w\" is no regular"), "{error}");
        fs::write(&path, "[teacher]\nconcurrency = 2\n[teacher.prices.m]\ninput = -1\noutput = 2\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:3: teacher: price of m: input -1"), "{error}");
        fs::write(&path, "[traces]\nmost = 9\nmost_megabytes = 0\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:3: traces: most_megabytes 0 keeps none"), "{error}");
        fs::write(&path, "[teacher]\napi_key = \"sk-secret\"\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:2: unknown field `api_key`") && !error.contains("sk-"), "{error}");
        fs::write(&path, "[logs.formats.bgl]\n\ndepth = 2\n").unwrap();
        let error = Settings::load(&path).unwrap_err().to_string();
        assert!(error.contains("logwright.toml:3: log format bgl: depth 2"), "{error}");
    }
}
