//! Which processes ask teachers for this project now, and for which requests they wait.
//!
//! Each holds a lock on a file of its own while it lives, by which the others know whether a request is under way or nobody
//! waits for it any more; the system takes the lock away from a process that is killed. A process that is suspended keeps its
//! lock: the file says which one it is, and how long it waits for an answer, so that nobody waits for it for ever.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::uid;
use super::{Sending, Workspace, WorkspaceError};

/// What settling a request may take once its time is over, at most.
const SETTLING: Duration = Duration::from_secs(30);

/// Says to other processes that this one lives, while it is held.
#[derive(Debug)]
pub struct Asking {
    process: String,
    path: PathBuf,
    _file: File,
}

impl Asking {
    /// What the requests of this process name.
    pub fn process(&self) -> &str {
        &self.process
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // A file that stays behind does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

pub(super) fn lock_path(dir: &Path, process: &str) -> PathBuf {
    dir.join(format!(".asking-{process}.lock"))
}

/// What a process says of itself in its file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Card {
    pid: Option<u32>,
    host: String,
    /// How long it waits for an answer, in milliseconds.
    timeout_ms: u64,
}

/// The process that waits for the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Its number in its system, where it tells.
    pub pid: Option<u32>,
    /// The machine that it runs on; empty where that is not told.
    pub host: String,
    /// When it sent the request.
    pub since: Timestamp,
    /// Whether the answer should long be here: a process that runs would have given it up by now.
    pub overdue: bool,
    /// Whether its system says that it is suspended.
    pub suspended: bool,
}

impl Holder {
    fn of(card: Card, since: Timestamp) -> Self {
        let timeout = Duration::from_millis(card.timeout_ms);
        let due = since.checked_add(timeout + SETTLING.min(timeout)).unwrap_or(Timestamp::MAX);
        let here = card.host == host();
        let suspended = card.pid.is_some_and(|pid| here && is_suspended(pid));
        Self { pid: card.pid, host: card.host, since, overdue: Timestamp::now() > due, suspended }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since;
        let Some(pid) = self.pid else {
            return write!(
                f,
                "another process has it out since {since:.0} and does not go on: let it, or end it, then start again"
            );
        };
        let place =
            if self.host.is_empty() || self.host == host() { String::new() } else { format!(" on {}", self.host) };
        let how = if self.suspended { "is suspended" } else { "does not go on" };
        write!(
            f,
            "process {pid}{place} has it out since {since:.0} and {how}: `kill -CONT {pid}` lets it go on, `kill -KILL {pid}` ends \
             it; then start again"
        )
    }
}

/// The name of this machine; empty where the system does not tell.
fn host() -> String {
    let told =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|file| std::fs::read_to_string(file).ok());
    told.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Whether Linux says that a process is stopped: its state is what follows its name, which may hold anything, in parentheses.
fn is_suspended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['T', 't']))
}

impl Workspace {
    /// Tells other processes that this one asks teachers from now on, until what is returned goes. It gives a request up after
    /// `timeout`.
    ///
    /// # Errors
    /// When the project's folder cannot be written.
    pub fn asking(&self, timeout: Duration) -> Result<Asking, WorkspaceError> {
        // Every `RandomState` has other keys.
        let chance = RandomState::new().hash_one(std::process::id());
        let process = uid("process", &(Timestamp::now().as_nanosecond(), std::process::id(), chance));
        let path = lock_path(&self.dir, &process);
        let io = |error| WorkspaceError::io(&path, error);
        let mut file = OpenOptions::new().create_new(true).write(true).open(&path).map_err(io)?;
        // Where files cannot be locked, others take this process for dead: then they report what it has under way instead
        // of waiting for it, and still do not send it again.
        let _ = file.try_lock();
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let card = Card { pid: Some(std::process::id()), host: host(), timeout_ms };
        file.write_all(&serde_json::to_vec(&card).expect("a card is plain data")).map_err(io)?;
        Ok(Asking { process, path, _file: file })
    }

    /// The process that sent a request and waits for its answer; `None` where it does not live any more.
    pub fn holder(&self, sending: &Sending) -> Option<Holder> {
        let path = lock_path(&self.dir, &sending.process);
        let file = File::open(&path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                // One that is only just being written says nothing yet, and is not overdue either.
                let card = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
                let unknown = || Card { timeout_ms: SETTLING.as_millis() as u64, ..Card::default() };
                Some(Holder::of(card.unwrap_or_else(unknown), sending.sent_at))
            }
            Err(TryLockError::Error(_)) => None,
            Ok(()) => {
                // Left behind by a process that was killed: nobody needs it.
                let _ = std::fs::remove_file(&path);
                None
            }
        }
    }

    /// Whether the process that sent a request lives.
    pub fn is_under_way(&self, sending: &Sending) -> bool {
        self.holder(sending).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_go_on_is_named_once_its_time_is_over() {
        let card = Card { pid: Some(4711), host: "elsewhere".into(), timeout_ms: 60_000 };
        let ago = |seconds: i64| Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap();
        assert!(!Holder::of(card.clone(), ago(80)).overdue);
        let late = Holder::of(card.clone(), ago(100));
        assert!(late.overdue && !late.suspended);
        let told = late.to_string();
        assert!(told.starts_with("process 4711 on elsewhere has it out since 20"), "{told}");
        assert!(told.contains("does not go on: `kill -CONT 4711` lets it go on, `kill -KILL 4711` ends it"), "{told}");
        let nobody = Holder::of(Card { pid: None, ..card }, ago(100)).to_string();
        assert!(nobody.starts_with("another process has it out since"), "{nobody}");
        assert!(!is_suspended(std::process::id()));
    }
}
