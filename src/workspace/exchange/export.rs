//! Export of items: for training only what was accepted, and all of it on request for review elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::own::{field_of, keep_types, own_columns};
use super::parquet::write_verl;
use super::training::{Lesson, row};
use super::{ItemFormat, as_array, review_tools};
use crate::logs::table::Format;
use crate::reasoning::{ItemKind, Reviewable, Standing};
use crate::workspace::files::write_whole;
use crate::workspace::{Queued, Workspace, WorkspaceError};

/// What is exported, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportWhat {
    /// Rationales or thoughts, to be said.
    Sft(ItemKind),
    /// Pairs, to be preferred.
    Dpo,
    /// Rationales, whose answers are to be found.
    Grpo,
    /// Items, as they are.
    Items(ItemKind),
}

impl ExportWhat {
    fn kind(self) -> ItemKind {
        match self {
            Self::Sft(kind) | Self::Items(kind) => kind,
            Self::Dpo => ItemKind::Pair,
            Self::Grpo => ItemKind::Rationale,
        }
    }

    fn lesson(self) -> Lesson {
        match self {
            Self::Sft(_) => Lesson::Say,
            Self::Dpo => Lesson::Prefer,
            Self::Grpo => Lesson::Find,
            Self::Items(ItemKind::Pair) => Lesson::Prefer,
            Self::Items(_) => Lesson::Say,
        }
    }

    /// Whether it can be written so.
    fn takes(self, format: ItemFormat) -> bool {
        match (self, format) {
            (Self::Items(_), ItemFormat::Table(_) | ItemFormat::Argilla | ItemFormat::LabelStudio) => true,
            (Self::Items(_), _) | (_, ItemFormat::Argilla | ItemFormat::LabelStudio | ItemFormat::Table(_)) => false,
            (Self::Sft(_), _) => true,
            (Self::Dpo, format) => format != ItemFormat::Verl,
            (Self::Grpo, format) => matches!(format, ItemFormat::Trl | ItemFormat::Verl),
        }
    }

    /// The formats that it can be written in, for a complaint.
    fn formats(self) -> &'static str {
        match self {
            Self::Items(_) => "csv, json, jsonl, argilla, label-studio",
            Self::Sft(_) => "trl, alpaca, sharegpt, llama-factory, verl",
            Self::Dpo => "trl, alpaca, sharegpt, llama-factory",
            Self::Grpo => "trl, verl",
        }
    }
}

/// Why items were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Nobody, or not enough reviewers, accepted them.
    pub pending: usize,
    /// They were rejected.
    pub rejected: usize,
    /// They were accepted for another label than the one that is held true now.
    pub label_changed: usize,
    /// They were decided for another text than they have now.
    pub text_changed: usize,
    /// Reviewers disagree on them.
    pub disputed: usize,
}

impl LeftOut {
    /// All of them.
    pub fn total(self) -> usize {
        self.pending + self.rejected + self.label_changed + self.text_changed + self.disputed
    }
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemExportReport {
    /// How many items were written.
    pub rows: usize,
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// What was left out, and why.
    pub left_out: LeftOut,
    /// How many of the written items answer otherwise than what is held true of their log.
    pub contradicting: usize,
}

impl Workspace {
    /// Writes items to a file, whole or not at all: those that may train, as they train, or with `all` every one, as its
    /// newest review leaves it.
    ///
    /// # Errors
    /// When the format does not fit, the store cannot be read, or a file cannot be written.
    pub fn export_items(
        &self,
        what: ExportWhat,
        format: ItemFormat,
        all: bool,
        file: &Path,
    ) -> Result<ItemExportReport, WorkspaceError> {
        if !what.takes(format) {
            let (name, formats) = (format.as_str(), what.formats());
            return Err(WorkspaceError::Invalid(format!("this cannot be written as {name}: take one of {formats}")));
        }
        if format != ItemFormat::Table(Format::Csv)
            && file.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"))
        {
            let (name, file) = (format.as_str(), file.display());
            return Err(WorkspaceError::Invalid(format!(
                "{file}: {name} is no CSV: give the file another ending, such as .jsonl, or ask for --format csv"
            )));
        }
        let board = self.review_board()?;
        let of_kind = board.items.iter().filter(|queued| queued.item.kind() == what.kind());
        let (mut chosen, mut left_out) = (Vec::new(), LeftOut::default());
        for queued in of_kind {
            if all || queued.standing().trains() {
                chosen.push(queued);
            } else if queued.standing() == Standing::Rejected {
                left_out.rejected += 1;
            } else if queued.decided.text_changed {
                left_out.text_changed += 1;
            } else if queued.decided.label_changed && !queued.decisions.is_empty() {
                left_out.label_changed += 1;
            } else if queued.decided.disputed {
                left_out.disputed += 1;
            } else {
                left_out.pending += 1;
            }
        }
        let items: Vec<Reviewable> = chosen.iter().map(|queued| as_it_trains(queued)).collect();
        let contradicting = items.iter().filter(|item| board.background.contradicts(item)).count();
        let bytes = match format {
            ItemFormat::Table(format) => table(&items, format, file)?,
            ItemFormat::Argilla | ItemFormat::LabelStudio => {
                let write =
                    if format == ItemFormat::Argilla { review_tools::argilla } else { review_tools::label_studio };
                // Nobody knows who is going to review it, so it shows what everybody may see.
                let shown = chosen.iter().map(|&queued| write(&board.seen_by(queued.clone(), "")));
                rows(&shown.collect::<Vec<_>>(), true)
            }
            _ => self.exercises(&items, what.lesson(), format, file)?,
        };
        // What goes beside it may be refused, and then nothing is written.
        let written: Vec<(PathBuf, Vec<u8>)> = [(file.to_owned(), bytes)]
            .into_iter()
            .chain(beside(what, format, self.settings().review.reviewers, file)?)
            .collect();
        for (file, bytes) in &written {
            write_whole(file, bytes).map_err(|error| WorkspaceError::io(file, error))?;
        }
        let files = written.into_iter().map(|(file, _)| file).collect();
        Ok(ItemExportReport { rows: items.len(), files, left_out, contradicting })
    }

    fn exercises(
        &self,
        items: &[Reviewable],
        lesson: Lesson,
        format: ItemFormat,
        file: &Path,
    ) -> Result<Vec<u8>, WorkspaceError> {
        let written: Result<Vec<Value>, _> =
            items.iter().enumerate().map(|(place, item)| row(item, format, lesson, place)).collect();
        let written = written.map_err(|error| WorkspaceError::Invalid(error.to_string()))?;
        if format == ItemFormat::Verl {
            let failed = |why| WorkspaceError::Invalid(format!("{}: {why}", file.display()));
            return write_verl(&written).map_err(failed);
        }
        Ok(rows(&written, as_array(file)))
    }
}

/// The item with the text that it trains with, and the label that is held true of its log.
fn as_it_trains(queued: &Queued) -> Reviewable {
    let label = queued.findings.truth.as_ref().and_then(|truth| truth.label);
    if queued.standing().trains() { queued.current().labelled(label) } else { queued.current() }
}

/// Rows as a JSON array, an element a line, or as one object a line.
fn rows(values: &[Value], array: bool) -> Vec<u8> {
    let lines: Vec<String> = values.iter().map(Value::to_string).collect();
    let text = match (array, lines.is_empty()) {
        (true, true) => "[]\n".to_owned(),
        (true, false) => format!("[\n{}\n]\n", lines.join(",\n")),
        (false, true) => String::new(),
        (false, false) => lines.join("\n") + "\n",
    };
    text.into_bytes()
}

/// Items as a table of their own columns; a CSV has every column that any of them has.
fn table(items: &[Reviewable], format: Format, file: &Path) -> Result<Vec<u8>, WorkspaceError> {
    let mut columns: Vec<Map<String, Value>> = items.iter().map(own_columns).collect();
    if format != Format::Csv {
        let values: Vec<Value> = columns.into_iter().map(Value::Object).collect();
        return Ok(rows(&values, format == Format::Json));
    }
    for row in &mut columns {
        keep_types(row);
    }
    let mut seen = BTreeSet::new();
    let names: Vec<&String> = columns.iter().flat_map(Map::keys).filter(|name| seen.insert(*name)).collect();
    let failed = |error: csv::Error| WorkspaceError::Invalid(format!("{}: {error}", file.display()));
    let mut writer = csv::Writer::from_writer(Vec::new());
    if !names.is_empty() {
        writer.write_record(&names).map_err(failed)?;
    }
    for row in &columns {
        let field = |name: &&String| row.get(*name).map(field_of).unwrap_or_default();
        writer.write_record(names.iter().map(field)).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| WorkspaceError::Invalid(format!("{}: {error}", file.display())))
}

/// What a program needs beside the file, and where.
fn beside(
    what: ExportWhat,
    format: ItemFormat,
    reviewers: usize,
    file: &Path,
) -> Result<Option<(PathBuf, Vec<u8>)>, WorkspaceError> {
    Ok(match format {
        ItemFormat::LlamaFactory => Some(dataset_info(what, file)?),
        _ => review_tools::settings_beside(format, reviewers, file),
    })
}

/// LLaMA-Factory's `dataset_info.json` beside a file, with an entry for it; what else it lists stays.
fn dataset_info(what: ExportWhat, file: &Path) -> Result<(PathBuf, Vec<u8>), WorkspaceError> {
    let path = file.with_file_name("dataset_info.json");
    let io = |error| WorkspaceError::io(&path, error);
    let mut listed: Map<String, Value> = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            WorkspaceError::Invalid(format!("{}: it is no JSON object, so it stays as it is: {error}", path.display()))
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(io(error)),
    };
    let text =
        |name: Option<&std::ffi::OsStr>| name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (name, stem) = (text(file.file_name()), text(file.file_stem()));
    // The entry goes by the stem, so train.json and train.jsonl have one name.
    let other = listed.get(&stem).and_then(|entry| entry.get("file_name")).filter(|known| **known != json!(name));
    if let Some(other) = other {
        return Err(WorkspaceError::Invalid(format!(
            "{}: \"{stem}\" is the entry of {other} there: choose another name than {name}",
            path.display()
        )));
    }
    let mut columns = json!({ "prompt": "instruction", "query": "input", "system": "system" });
    let mut entry = json!({ "file_name": name, "formatting": "alpaca" });
    if what.lesson() == Lesson::Prefer {
        entry["ranking"] = json!(true);
        columns["chosen"] = json!("chosen");
        columns["rejected"] = json!("rejected");
    } else {
        columns["response"] = json!("output");
    }
    entry["columns"] = columns;
    listed.insert(stem, entry);
    let mut bytes = serde_json::to_vec_pretty(&Value::Object(listed)).expect("an object of plain values");
    bytes.push(b'\n');
    Ok((path, bytes))
}
