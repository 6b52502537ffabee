//! Where in a file a setting stands, for those who have to mend it.

use std::path::Path;

use super::RecipeError;

impl RecipeError {
    /// The same complaint about the recipe in a file: with its path, and the line of the first setting complained about.
    pub(in crate::training) fn in_file(self, path: &Path, text: &str) -> Self {
        match self {
            Self::Invalid(complaints) => {
                let line = line_of(text, complaint_key(&complaints)).unwrap_or(1);
                Self::Syntax { path: path.to_path_buf(), line, why: Self::Invalid(complaints).to_string() }
            }
            other => other,
        }
    }
}

/// The setting that is complained about first.
pub(in crate::training) fn complaint_key(complaints: &[String]) -> &str {
    complaints.first().and_then(|complaint| complaint.split([' ', ':']).next()).unwrap_or_default()
}

/// The line, from 1, that sets `key`, such as `data.batch`: in its table, or written out in full or in part.
pub(in crate::training) fn line_of(text: &str, key: &str) -> Option<usize> {
    let sets = |line: &str, name: &str| {
        line.strip_prefix(name).is_some_and(|rest| !name.is_empty() && rest.trim_start().starts_with('='))
    };
    let mut within = "";
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            within = header.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
            continue;
        }
        let name = if within.is_empty() {
            Some(key)
        } else {
            key.strip_prefix(within).and_then(|rest| rest.strip_prefix('.'))
        };
        if name.is_some_and(|name| sets(line, name)) {
            return Some(at + 1);
        }
    }
    None
}

/// The line, from 1, of the table array `[[name]]`'s element `at`.
pub(in crate::training) fn line_of_element(text: &str, name: &str, at: usize) -> Option<usize> {
    let header = |line: &str| line.trim().strip_prefix("[[").is_some_and(|rest| rest.split(']').next() == Some(name));
    text.lines().enumerate().filter(|(_, line)| header(line)).nth(at).map(|(at, _)| at + 1)
}

/// The line, from 1, that sets `key` within the table array `[[name]]`'s element `at`.
pub(in crate::training) fn line_within_element(text: &str, name: &str, at: usize, key: &str) -> Option<usize> {
    let first = line_of_element(text, name, at)?;
    let end = line_of_element(text, name, at + 1).unwrap_or(usize::MAX);
    let within: Vec<&str> = text.lines().take(end - 1).skip(first - 1).collect();
    Some(first - 1 + line_of(&within.join("\n"), &format!("{name}.{key}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "seed = 1\nlength.steps = 0\n\n[data] # what\n  batch=0\n[optimizer]\nbatch = 3\n[[stage]]\n[[stage]]\n";

    #[test]
    fn a_setting_is_found_in_its_table_or_written_out() {
        assert_eq!(line_of(FILE, "seed"), Some(1));
        assert_eq!(line_of(FILE, "length.steps"), Some(2));
        assert_eq!(line_of(FILE, "data.batch"), Some(5));
        assert_eq!((line_of(FILE, "lora.rank"), line_of(FILE, "")), (None, None));
        assert_eq!((line_of_element(FILE, "stage", 1), line_of_element(FILE, "stage", 2)), (Some(9), None));
    }

    #[test]
    fn a_setting_is_found_in_its_element() {
        let text = "seed = 1\n[[stage]]\nlora.rank = 1\n[[stage]]\nname = \"b\"\n[stage.lora]\nrank = 2\n";
        assert_eq!(line_within_element(text, "stage", 0, "lora.rank"), Some(3));
        assert_eq!(line_within_element(text, "stage", 1, "lora.rank"), Some(7));
        assert_eq!(line_within_element(text, "stage", 0, "lora.alpha"), None);
        assert_eq!(line_within_element(text, "stage", 2, "lora.rank"), None);
    }

    #[test]
    fn a_complaint_names_the_line_of_its_setting() {
        let error = RecipeError::Invalid(vec!["data.batch = 0 (1 to 1024)".into()]).in_file(Path::new("r.toml"), FILE);
        assert_eq!(error.to_string(), "r.toml:5: the recipe cannot work: data.batch = 0 (1 to 1024)");
    }
}
