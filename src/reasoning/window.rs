//! A session: a window of log lines that are judged as one (LogReasoner asks about 20, RationAnomaly about 100).

use std::fmt;

/// Lines of a log, in order, none of them blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    lines: Vec<String>,
}

/// Lines that make no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// There is nothing to judge.
    #[error("the session is empty: give 1 to {} lines", Window::MOST)]
    Empty,
    /// There are more than one window holds.
    #[error("the session has {0} lines, and a window holds 1 to {most}: give fewer", most = Window::MOST)]
    TooLong(usize),
}

impl Window {
    /// The most lines of a window.
    pub const MOST: usize = 100;

    /// The lines of a text; blank ones do not count.
    ///
    /// # Errors
    /// When it has none, or more than [`Window::MOST`].
    pub fn read(text: &str) -> Result<Self, WindowError> {
        Self::of(text.lines())
    }

    /// These lines; blank ones do not count. A line feed inside one is a blank, so that each stays one line.
    ///
    /// # Errors
    /// When there is none, or more than [`Window::MOST`].
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, WindowError> {
        let one_line = |line: &str| line.trim_end().replace(['\n', '\r'], " ");
        let lines: Vec<String> = lines.into_iter().filter(|line| !line.trim().is_empty()).map(one_line).collect();
        match lines.len() {
            0 => Err(WindowError::Empty),
            1..=Self::MOST => Ok(Self { lines }),
            many => Err(WindowError::TooLong(many)),
        }
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// The lines, each on its own: what is asked about.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_lines_that_say_something() {
        let window = Window::read("  a b \r\n\n \nc\n").unwrap();
        assert_eq!((window.lines().len(), window.to_string().as_str()), (2, "  a b\nc"));
        assert_eq!(Window::of(["a\nb", "c"]).unwrap().to_string(), "a b\nc");
    }

    #[test]
    fn a_window_has_one_to_a_hundred_lines() {
        assert_eq!(Window::read(" \n"), Err(WindowError::Empty));
        assert_eq!(Window::read(&"x\n".repeat(100)).unwrap().lines().len(), 100);
        let why = Window::read(&"x\n".repeat(101)).unwrap_err().to_string();
        assert_eq!(why, "the session has 101 lines, and a window holds 1 to 100: give fewer");
    }
}
