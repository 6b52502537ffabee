//! Items in the formats of other programs: for training elsewhere, for review elsewhere, and back.
//!
//! Every exported row carries the item's own columns in a column `logwright`, as JSON text, so that what comes back is the
//! same item whatever the format leaves out. A row without that column is read as well as its format allows.

mod export;
mod own;
mod parquet;
mod parquet_rows;
mod review_tools;
mod training;

pub use export::{ExportWhat, ItemExportReport, LeftOut};
pub(super) use own::own_row;
pub(super) use parquet_rows::{is_parquet, read_parquet};
pub(super) use review_tools::Said;

use std::path::Path;

/// The column that holds an item's own columns, as JSON text.
const OWN: &str = "logwright";

/// What holds, as JSON text, how an item was shown to whoever reviews it elsewhere.
const SHOWN: &str = "logwright_shown";

/// How items are written for, or by, another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemFormat {
    /// The item's own columns, as a table.
    Table(crate::logs::table::Format),
    /// `instruction, input, output` (or `chosen, rejected`), `system`.
    Alpaca,
    /// `conversations: [{from, value}]`, `system`.
    ShareGpt,
    /// TRL's conversational columns: `prompt` and `completion`, or `chosen` and `rejected`.
    Trl,
    /// Alpaca's columns, and an entry in `dataset_info.json` beside the file.
    LlamaFactory,
    /// verl's parquet: `data_source, prompt, ability, reward_model, extra_info`.
    Verl,
    /// Records of Argilla, for review.
    Argilla,
    /// Tasks of Label Studio, for review, and its labelling interface beside the file.
    LabelStudio,
}

impl ItemFormat {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        use crate::logs::table::Format;
        match self {
            Self::Table(Format::Csv) => "csv",
            Self::Table(Format::Json) => "json",
            Self::Table(Format::Jsonl) => "jsonl",
            Self::Alpaca => "alpaca",
            Self::ShareGpt => "sharegpt",
            Self::Trl => "trl",
            Self::LlamaFactory => "llama-factory",
            Self::Verl => "verl",
            Self::Argilla => "argilla",
            Self::LabelStudio => "label-studio",
        }
    }
}

/// Whether rows go into one JSON array, rather than one object a line.
fn as_array(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}
