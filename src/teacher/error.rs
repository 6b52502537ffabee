//! Why a teacher cannot be asked at all, in one line each: what, where, and what to do.

use std::path::PathBuf;

use crate::workspace::WorkspaceError;

/// Why nothing can be asked, or nothing more.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// The address of a service.
    #[error("endpoint {address}: {why}")]
    Address {
        /// What was given, without anything that could be a password.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// Settings that are missing.
    #[error("{0}")]
    Settings(String),
    /// The key cannot stand in a header.
    #[error("{0} holds what cannot be a key (a line break, or other than ASCII): set it anew")]
    Key(&'static str),
    /// The price of a model that has a budget.
    #[error(
        "no price is known for {model}, so a budget cannot be kept: put its price into logwright.toml, in dollars for a \
         million tokens (0 if it costs nothing):  [teacher.prices.{}]  input = …  output = …",
        quoted(model)
    )]
    NoPrice {
        /// The model.
        model: String,
    },
    /// A prompt of the project, or one that is built in.
    #[error("prompt {}: {why}", path.display())]
    Prompt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What is to be asked about.
    #[error("{}: {why}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nothing can be done as asked for.
    #[error("{0}")]
    Invalid(String),
    /// The system refuses a thread or a connection.
    #[error("{0}")]
    System(String),
    /// The project.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

/// A key of a TOML table, in quotation marks.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What a plan that asks again and samples must keep to.
pub(super) fn sampling_checks(tries: u32, temperature: f64, max_tokens: u32) -> [(bool, &'static str); 3] {
    [
        (tries <= 1_000, "--tries is at most 1000"),
        ((0.0..=2.0).contains(&temperature), "--temperature is from 0 to 2"),
        (max_tokens >= 1, "--max-tokens is at least 1"),
    ]
}

/// The first complaint whose check does not hold.
pub(super) fn checked<const N: usize>(checks: [(bool, &str); N]) -> Result<(), TeacherError> {
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, complaint)) => Err(TeacherError::Invalid(complaint.into())),
        None => Ok(()),
    }
}
