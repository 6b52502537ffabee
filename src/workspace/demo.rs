//! The demo project that opens where there is no other: bundled in the program, unpacked once.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::{ImportKind, ImportSource, SETTINGS_FILE, Workspace, WorkspaceError};

/// What is in the demo: votes come after the templates they are on.
const TABLES: [(ImportKind, &str, &str); 5] = [
    (ImportKind::Templates, "templates.csv", include_str!("../../datasets/demo/templates.csv")),
    (ImportKind::Votes, "votes.csv", include_str!("../../datasets/demo/votes.csv")),
    (ImportKind::Rationales, "rationales.jsonl", include_str!("../../datasets/demo/rationales.jsonl")),
    (ImportKind::Pairs, "pairs.jsonl", include_str!("../../datasets/demo/pairs.jsonl")),
    (ImportKind::Thoughts, "thoughts.jsonl", include_str!("../../datasets/demo/thoughts.jsonl")),
];

/// Where the demo is unpacked: the user's data folder, or `LOGWRIGHT_DEMO`.
///
/// # Errors
/// When the system names no home folder.
pub fn demo_dir() -> Result<PathBuf, WorkspaceError> {
    if let Some(dir) = std::env::var_os("LOGWRIGHT_DEMO").filter(|dir| !dir.is_empty()) {
        return Ok(dir.into());
    }
    let dirs = ProjectDirs::from("", "", "logwright").ok_or_else(|| {
        WorkspaceError::Invalid(
            "no home folder is known: name a project (`logwright DIR`), or set LOGWRIGHT_DEMO".into(),
        )
    })?;
    Ok(dirs.data_dir().join("demo"))
}

/// Opens the demo in `dir`, unpacking it first where it is not there yet, or only in part: importing again what is
/// there changes nothing.
///
/// # Errors
/// When the folder cannot be written.
pub fn open_or_create_demo(dir: &Path) -> Result<Workspace, WorkspaceError> {
    if dir.join(SETTINGS_FILE).is_file() {
        let workspace = Workspace::open(dir)?;
        if !workspace.thoughts()?.is_empty() {
            return Ok(workspace);
        }
        return fill(workspace);
    }
    fill(Workspace::init(dir)?)
}

fn fill(workspace: Workspace) -> Result<Workspace, WorkspaceError> {
    for (kind, name, text) in TABLES {
        let report =
            workspace.import(kind, ImportSource { name, bytes: text.as_bytes(), format: None, dataset: None })?;
        if let Some(bad) = report.rejected.first() {
            return Err(WorkspaceError::Invalid(format!("bundled {name}:{}: {}", bad.line, bad.why)));
        }
    }
    Ok(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_unpacks_whole_and_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let demo = dir.path().join("demo");
        let workspace = open_or_create_demo(&demo).unwrap();
        assert!(workspace.templates().unwrap().len() >= 300);
        assert_eq!(workspace.rationales().unwrap().len(), 60);
        assert_eq!(workspace.pairs().unwrap().len(), 20);
        assert_eq!(workspace.thoughts().unwrap().len(), 20);
        let votes = workspace.votes().unwrap();
        drop(workspace);
        assert_eq!(open_or_create_demo(&demo).unwrap().votes().unwrap(), votes);
    }
}
