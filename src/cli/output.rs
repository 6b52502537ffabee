//! What subcommands print.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::Failure;
use crate::logs::SafeText;

/// Prints one JSON object on a line of its own.
///
/// # Errors
/// When standard output cannot be written; a reader that left (`| head`) is no error.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    write(&serde_json::to_string(value)?)
}

/// Prints text for people, made safe, and a line end.
///
/// # Errors
/// When standard output cannot be written; a reader that left is no error.
pub fn line(text: &str) -> Result<(), Failure> {
    write(SafeText::new(text).as_str())
}

fn write(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says on standard error why the program stops.
pub fn complain(failure: &Failure) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "logwright: {failure}");
}

/// Says something in passing on standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", SafeText::new(text));
}

/// A line on standard error that is written over as work goes on; silent where nobody watches.
#[derive(Debug)]
pub struct Progress {
    watched: bool,
    shown: usize,
}

impl Progress {
    /// A progress line, shown only on a terminal.
    pub fn new() -> Self {
        Self { watched: io::stderr().is_terminal(), shown: 0 }
    }

    /// Shows `text` in place of what was shown before.
    pub fn show(&mut self, text: &str) {
        if self.watched {
            let text = SafeText::one_line(text).into_string();
            let blank = self.shown.saturating_sub(text.chars().count());
            let _ = write!(io::stderr(), "\r{text}{:blank$}", "");
            self.shown = text.chars().count();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown > 0 {
            let _ = writeln!(io::stderr());
        }
    }
}
