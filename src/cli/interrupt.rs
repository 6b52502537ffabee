//! Ctrl-C during long work: the first asks it to stop in good order, the second ends the program at once. A terminal that closes
//! asks, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Failure;

/// Whether someone asked the program to stop.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Whether someone did.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// From now on, Ctrl-C (and TERM, and a terminal that closes) raise a flag.
///
/// # Errors
/// When the system refuses.
pub fn flag() -> Result<Interrupt, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the shutdown looks at the flag before this very signal raises it.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))?;
        signal_hook::flag::register(signal, Arc::clone(&asked))?;
    }
    #[cfg(unix)]
    if !hangs_on() {
        // Kernel and shell both say so when a terminal closes: the second time is no reason to leave at once.
        signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&asked))?;
    }
    Ok(Interrupt(asked))
}

/// Whether whoever started the program wants it to outlive the terminal, as `nohup` does by having the signal ignored.
#[cfg(unix)]
fn hangs_on() -> bool {
    use std::io::IsTerminal as _;
    let ignored = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    match ignored {
        Some(mask) => mask & 1 << (signal_hook::consts::SIGHUP - 1) != 0,
        // Where that is not told: `nohup` also takes standard error off the terminal.
        None => !std::io::stderr().is_terminal(),
    }
}
