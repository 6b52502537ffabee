//! Files written whole: a reader sees the old one or the new one, never half of it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::WorkspaceError;

/// Writes a file that somebody asked for, whole or not at all. Missing folders are made.
///
/// # Errors
/// When it cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WorkspaceError> {
    write_whole(path, bytes).map_err(|error| WorkspaceError::io(path, error))
}

/// Replaces `path` with `bytes`, on disk when this returns. Missing folders are made.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, |file| file.write_all(bytes))
}

/// Replaces `path` with what `write` writes, which may be more than memory holds. If `write` fails, `path` stays.
pub(super) fn write_whole_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), WorkspaceError>,
) -> Result<(), WorkspaceError> {
    let mut refused = None;
    let done = replace(path, |file| {
        let mut buffered = BufWriter::new(file);
        match write(&mut buffered) {
            Ok(()) => buffered.flush(),
            Err(error) => {
                refused = Some(error);
                Err(io::Error::other("not written"))
            }
        }
    });
    match refused {
        Some(error) => Err(error),
        None => done.map_err(|error| WorkspaceError::io(path, error)),
    }
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().ok_or_else(|| io::Error::other("not a file name"))?.to_string_lossy();
    let part = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&part).and_then(|mut file| write(&mut file).and_then(|()| file.sync_all()));
    let done = written.and_then(|()| fs::rename(&part, path));
    if done.is_err() {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&part);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_part_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/patch.json");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        let refused = |_: &mut BufWriter<&mut File>| Err(WorkspaceError::Invalid("no".into()));
        assert_eq!(write_whole_with(&path, refused).unwrap_err().to_string(), "no");
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path().join("deep")).unwrap().count(), 1);
    }
}
