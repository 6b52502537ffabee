//! The files of a run's folder: replaced as a whole, or a line of JSON for each record.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::training::TrainingError;

/// Writes a file so that a reader, or a crash, sees the old or the new one and nothing between.
pub(in crate::training) fn replace(path: &Path, bytes: &[u8]) -> Result<(), TrainingError> {
    let partial = path.with_extension("partial");
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&partial, path)
    };
    write().map_err(|error| {
        // Half a file takes room that a full disk has not.
        let _ = fs::remove_file(&partial);
        TrainingError::file(path, error)
    })
}

/// Waits until the names in a folder are on the disk.
pub(in crate::training) fn sync_folder(path: &Path) -> Result<(), TrainingError> {
    // Only Unix opens folders; elsewhere the system keeps names in order by itself.
    let sync = || if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) };
    sync().map_err(|error| TrainingError::file(path, error))
}

/// Values as lines of JSON.
pub(super) fn lines<T: Serialize>(path: &Path, values: &[T]) -> Result<Vec<u8>, TrainingError> {
    let mut bytes = Vec::new();
    for value in values {
        serde_json::to_writer(&mut bytes, value).map_err(|error| TrainingError::damaged(path, error))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Leaves the whole lines of a file of records up to `step`.
pub(super) fn rewind(path: &Path, step: usize) -> Result<(), TrainingError> {
    match lines_until(path, step)? {
        Some(kept) => replace(path, &kept),
        None => Ok(()),
    }
}

/// The whole lines of a file of records up to `step`, byte for byte; `None` where there is no such file.
pub(super) fn lines_until(path: &Path, step: usize) -> Result<Option<Vec<u8>>, TrainingError> {
    #[derive(serde::Deserialize)]
    struct At {
        step: usize,
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TrainingError::file(path, error)),
    };
    let stays =
        |line: &&[u8]| line.ends_with(b"\n") && serde_json::from_slice::<At>(line).is_ok_and(|at| at.step <= step);
    Ok(Some(bytes.split_inclusive(|&byte| byte == b'\n').filter(stays).flatten().copied().collect()))
}

/// Adds a value as a line of JSON.
pub(super) fn append_line(path: &Path, value: &impl Serialize) -> Result<(), TrainingError> {
    let mut line = serde_json::to_vec(value).map_err(|error| TrainingError::damaged(path, error))?;
    line.push(b'\n');
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(&line))
        .map_err(|error| TrainingError::file(path, error))
}

/// The values of a file of lines of JSON, without the half line that a kill left at its end; none where there is no file.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TrainingError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(TrainingError::file(path, error)),
    };
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    bytes[..whole]
        .split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| {
            serde_json::from_slice(line)
                .map_err(|error| TrainingError::damaged(path, format!("line {}: {error}", at + 1)))
        })
        .collect()
}
