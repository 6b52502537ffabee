//! A trace as a file of its own: a page for people, or JSON for programs.

use std::path::Path;

use super::page::{PageTrace, traces_page};
use super::stepping::SteppedTrace;
use crate::workspace::{WorkspaceError, write_file};

/// Writes a trace: as JSON, as `reason --json` prints it, where the file's name ends in `.json`; else as an HTML page that
/// needs nothing else.
///
/// # Errors
/// When the file cannot be written.
pub fn write_trace(trace: &SteppedTrace, file: &Path) -> Result<(), WorkspaceError> {
    let is_json = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let bytes = if is_json {
        let json = serde_json::to_vec_pretty(trace);
        json.map_err(|error| WorkspaceError::Invalid(format!("the trace cannot be written as JSON: {error}")))?
    } else {
        traces_page("A reasoning, step by step", &[PageTrace::from(trace)]).into_bytes()
    };
    write_file(file, &bytes)
}
