//! Which log format a name means in a project: the settings' own come before the built-in ones.

use serde::{Deserialize, Serialize};

use crate::logs::format::{BUILT_IN, LineFormat, built_in};
use crate::logs::{DrainSettings, Masks};
use crate::workspace::{Workspace, WorkspaceError};

/// The settings' name for a format that is written out on the command line.
const CUSTOM: &str = "custom";

/// A format with all that comes of its name.
#[derive(Debug)]
pub(super) struct LogFormat {
    /// Its name; `None` for one that was written out.
    pub name: Option<String>,
    pub line: LineFormat,
    pub recipe: Recipe,
    pub masks: Masks,
}

/// What decides into which templates messages fall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Recipe {
    pub masks: Vec<String>,
    pub drain: DrainSettings,
}

impl Workspace {
    /// The log format that a name, or a header such as `<Date> <Time> <Content>`, means.
    pub(super) fn log_format(&self, format: &str) -> Result<LogFormat, WorkspaceError> {
        let formats = &self.settings().logs.formats;
        let written_out = format.contains('<');
        let name = if written_out { CUSTOM } else { format };
        let known = built_in(name);
        let own = formats.get(name).or_else(|| formats.get(&name.to_ascii_lowercase()));
        let header = if written_out {
            format
        } else {
            let header = own.and_then(|own| own.header.as_deref()).or(known.map(|known| known.header));
            header.ok_or_else(|| {
                let names: Vec<&str> =
                    BUILT_IN.iter().map(|known| known.name).chain(formats.keys().map(String::as_str)).collect();
                WorkspaceError::LogFormat(format!(
                    "no log format {format}: there are {}; or write out how lines begin, as in '<Date> <Time> <Level> <Content>'",
                    names.join(", ")
                ))
            })?
        };
        let line = LineFormat::new(header).map_err(|error| WorkspaceError::LogFormat(error.to_string()))?;

        let mut drain = known.map_or_else(DrainSettings::default, |known| known.drain);
        let mut masks: Vec<String> =
            known.map_or_else(Vec::new, |known| known.masks.iter().map(|&mask| mask.to_owned()).collect());
        if let Some(own) = own {
            drain.similarity = own.similarity.unwrap_or(drain.similarity);
            drain.depth = own.depth.unwrap_or(drain.depth);
            drain.max_children = own.max_children.unwrap_or(drain.max_children);
            masks = own.masks.clone().unwrap_or(masks);
        }
        let compiled = Masks::new(&masks).map_err(|error| WorkspaceError::LogFormat(error.to_string()))?;
        Ok(LogFormat {
            name: (!written_out).then(|| known.map_or(name, |known| known.name).to_owned()),
            line,
            recipe: Recipe { masks, drain },
            masks: compiled,
        })
    }
}
