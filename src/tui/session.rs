//! Where the user was: kept per project in the user's state folder, so that the next start goes back there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::panes::PaneId;

/// The pane in front, and each pane's bookmark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The pane in front.
    pub pane: PaneId,
    /// What each pane wants to be told at the next start.
    #[serde(default)]
    pub bookmarks: BTreeMap<PaneId, String>,
}

impl Default for Session {
    fn default() -> Self {
        Self { pane: PaneId::Label, bookmarks: BTreeMap::new() }
    }
}

/// The file that keeps a project's session, or nothing to keep it in.
#[derive(Clone, Debug, Default)]
pub struct SessionFile(Option<PathBuf>);

impl SessionFile {
    /// The file for the project in `root`, below the user's state folder. Projects are told apart by a hash of their path.
    pub fn of_project(state_dir: Option<&Path>, root: &Path) -> Self {
        Self(state_dir.map(|dir| {
            let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
            let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
            let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            dir.join("sessions").join(name + ".toml")
        }))
    }

    /// The session of last time; where it cannot be read, a new one. It is a convenience and never stands in the way.
    pub fn load(&self) -> Session {
        let text = self.0.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps the session, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, session: &Session) -> std::io::Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let text = toml::to_string(session).map_err(std::io::Error::other)?;
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, text)?;
        std::fs::rename(&temporary, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_comes_back_as_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let file = SessionFile::of_project(Some(dir.path()), dir.path());
        assert_eq!(file.load(), Session::default());
        let bookmarks = BTreeMap::from([(PaneId::Label, "bgl/17".to_owned())]);
        let session = Session { pane: PaneId::Reason, bookmarks };
        file.save(&session).unwrap();
        assert_eq!(file.load(), session);
    }

    #[test]
    fn a_spoiled_session_file_is_a_new_session() {
        let dir = tempfile::tempdir().unwrap();
        let file = SessionFile::of_project(Some(dir.path()), dir.path());
        file.save(&Session::default()).unwrap();
        std::fs::write(file.0.as_ref().unwrap(), "pane = \"kitchen\"").unwrap();
        assert_eq!(file.load(), Session::default());
    }
}
