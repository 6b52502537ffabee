//! What subcommands print.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::Failure;
use crate::logs::SafeText;
use crate::tui::terminal;
use crate::tui::widgets::fit;

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
    shown: bool,
}

/// Back to the start of the line, and nothing behind.
const CLEAR: &str = "\r\x1b[K";

impl Progress {
    /// A progress line, shown only on a terminal.
    pub fn new() -> Self {
        Self { watched: io::stderr().is_terminal(), shown: false }
    }

    /// Shows `text` in place of what was shown before, cut to the terminal's width: a longer one could not be written over.
    pub fn show(&mut self, text: &str) {
        if self.watched {
            let text = fit(SafeText::one_line(text).as_str(), terminal::width().saturating_sub(1));
            let _ = write!(io::stderr(), "{CLEAR}{text}");
            self.shown = true;
        }
    }

    /// Says something in passing, above the line.
    pub fn note(&mut self, text: &str) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
        note(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = writeln!(io::stderr());
        }
    }
}
