//! Runs that outlive the screen: the same program in a session of its own, which no closing terminal reaches.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Base, RunFolder, TrainingError};

/// The argument by which the program knows that it is to leave its terminal.
pub const DETACHED: &str = "--detached";

/// One heap for all threads of the C library: what steps of changing sizes leave unused is not kept once for each, and the
/// most that a run takes is the same each time (`benches/README.md`).
const ONE_HEAP: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

/// How long the new process may take to claim its run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands a run that is not finished over to a process of its own, and gives that process's number. What it prints goes to
/// the run's `output.log`.
///
/// # Errors
/// When the process cannot be started, or ends before it has claimed the run.
pub fn detach(folder: &RunFolder, base: &Base) -> Result<u32, TrainingError> {
    let path = std::path::absolute(folder.path()).map_err(|error| TrainingError::file(folder.path(), error))?;
    let mut arguments: Vec<OsString> =
        vec!["train".into(), "resume".into(), path.into(), "--model".into(), base.path.clone().into()];
    if let Some(device) = base.device {
        arguments.extend(["--device".into(), device.to_string().into()]);
    }
    away(&arguments, &folder.output_path(), &|| folder.is_locked())
}

/// Starts this program with `arguments` and [`DETACHED`] in a process of its own, and gives that process's number once
/// `has_begun`. What it prints goes to the file `log`.
///
/// # Errors
/// When the process cannot be started, or ends badly before it has begun.
pub fn away(arguments: &[OsString], log: &Path, has_begun: &dyn Fn() -> bool) -> Result<u32, TrainingError> {
    let output = OpenOptions::new().create(true).append(true).open(log);
    let output = output.map_err(|error| TrainingError::file(log, error))?;
    let errors = output.try_clone().map_err(|error| TrainingError::file(log, error))?;
    let program = std::env::current_exe().map_err(|error| TrainingError::Thread(error.to_string()))?;
    let mut command = Command::new(program);
    if std::env::var_os(ONE_HEAP.0).is_none() {
        command.env(ONE_HEAP.0, ONE_HEAP.1);
    }
    let mut child = command
        .args(arguments)
        .arg(DETACHED)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| TrainingError::Thread(format!("no process for the run: {error}")))?;
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if has_begun() {
            break;
        }
        let ended = child.try_wait().map_err(|error| TrainingError::Thread(error.to_string()))?;
        if ended.is_some_and(|status| !status.success()) {
            let said = fs::read_to_string(log).unwrap_or_default();
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
            return Err(TrainingError::Thread(format!("the run's process ended at once: {last}")));
        }
        if ended.is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let id = child.id();
    // Whoever started it and lives on hears of its end, so that nothing of it stays behind.
    thread::spawn(move || child.wait());
    Ok(id)
}

/// Leaves the terminal that this process was started from: its closing, or a lost connection, no longer ends it.
pub fn leave_terminal() {
    // Refused only to the leader of a group, which a process that `detach` started is not.
    #[cfg(unix)]
    let _ = nix::unistd::setsid();
}
