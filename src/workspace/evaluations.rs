//! The last evaluation of each model and adapter, as files: `evaluations/NAME.json`.
//!
//! What an evaluation found can be found again, so the newest replaces the one before and nothing of it is merged.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::files::write_whole;
use super::{Workspace, WorkspaceError};

impl Workspace {
    /// Where the last evaluations are.
    pub fn evaluations_dir(&self) -> PathBuf {
        self.dir().join("evaluations")
    }

    /// Keeps an evaluation in the place of the one of this name. It is on disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_evaluation(&self, name: &str, report: &Value) -> Result<(), WorkspaceError> {
        let path = self.evaluations_dir().join(format!("{}.json", file_stem(name)));
        write_whole(&path, report.to_string().as_bytes()).map_err(|error| WorkspaceError::io(&path, error))
    }

    /// All evaluations that are kept, by name. A file that cannot be read is as if it were not there: the next
    /// evaluation writes it anew.
    pub fn evaluations(&self) -> Vec<Value> {
        let Ok(folder) = fs::read_dir(self.evaluations_dir()) else { return Vec::new() };
        let files = folder.filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        files.sort();
        files.iter().filter_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok()).collect()
    }
}

/// A file's name for any name: letters, digits, dots and hyphens stay, and what is made alike by that is told apart by a
/// number that follows from the name.
fn file_stem(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-.+".contains(c) { c } else { '_' }).collect();
    let plain: String = plain.trim_start_matches('.').chars().take(80).collect();
    if plain == name { plain } else { format!("{plain}_{}", crate::logs::made_id("name", name)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_evaluation_of_a_name_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        assert!(workspace.evaluations().is_empty());
        for n in [1, 2] {
            workspace.keep_evaluation("m+run", &json!({ "n": n })).unwrap();
        }
        workspace.keep_evaluation("../x/m", &json!({ "n": 3 })).unwrap();
        fs::write(workspace.evaluations_dir().join("broken.json"), "{").unwrap();
        let mut kept: Vec<i64> = workspace.evaluations().iter().map(|report| report["n"].as_i64().unwrap()).collect();
        kept.sort_unstable();
        assert_eq!(kept, [2, 3]);
    }

    #[test]
    fn no_name_leads_out_of_the_folder_or_to_anothers_file() {
        assert_eq!(file_stem("smollm2-135m"), "smollm2-135m");
        let stems = ["../a", "a/b", "a_b", "a b", ""].map(file_stem);
        assert!(stems.iter().all(|stem| !stem.contains('/') && !stem.starts_with('.')), "{stems:?}");
        assert_eq!(stems.iter().collect::<std::collections::HashSet<_>>().len(), 5);
    }
}
