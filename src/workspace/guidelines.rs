//! The project's guidelines for its annotators: a text of their own, in a file of their own.

use std::fs;
use std::io::ErrorKind;

use super::files::write_whole;
use super::{Workspace, WorkspaceError};

/// The guidelines' file in a project folder.
pub const GUIDELINES_FILE: &str = "guidelines.md";

impl Workspace {
    /// The guidelines, if the project has any. Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn guidelines(&self) -> Result<Option<String>, WorkspaceError> {
        let path = self.dir.join(GUIDELINES_FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(WorkspaceError::io(&path, error)),
        }
    }

    /// Writes the guidelines, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_guidelines(&self, text: &str) -> Result<(), WorkspaceError> {
        let path = self.dir.join(GUIDELINES_FILE);
        write_whole(&path, text.as_bytes()).map_err(|error| WorkspaceError::io(&path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guidelines_are_a_file_that_may_be_absent() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&dir.path().join("p")).unwrap();
        assert_eq!(workspace.guidelines().unwrap(), None);
        workspace.write_guidelines("# Ours\n").unwrap();
        assert_eq!(workspace.guidelines().unwrap().as_deref(), Some("# Ours\n"));
    }
}
