//! Raw logs: read once, grouped into templates, and never copied.
//!
//! The store keeps, for every line, which template it belongs to and how long it is; the lines themselves stay in their
//! files. An import commits some hundred thousand lines at a time, together with Drain's state behind them, so that one that
//! is killed goes on where it was and comes to the same result.

mod chunk;
mod context;
mod export;
mod format;
mod import;
mod publish;
mod reader;
mod rows;
mod sources;
mod state;

pub use context::{ContextLine, OccurrenceContext};
pub use export::StructuredExport;
pub use import::{LogImport, LogImportReport, LogProgress};

/// A count as SQLite holds it.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count as SQLite held it.
fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
