//! What is evaluated on: items of a file, each a log with the truth about it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::labels::Label;
use crate::logs::table::{self, Format, Rejected, Row, TableError};
use crate::logs::{VARIABLE, made_id};
use crate::workspace::{TemplateRecord, Workspace, WorkspaceError};

/// Which column holds the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The label that experts agreed on.
    Gold,
    /// The label that the item came with.
    Label,
}

impl Truth {
    /// The column's name.
    pub fn column(self) -> &'static str {
        match self {
            Self::Gold => "gold",
            Self::Label => "label",
        }
    }
}

impl FromStr for Truth {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "gold" => Ok(Self::Gold),
            "label" => Ok(Self::Label),
            _ => Err(format!("truth {word:?} is neither gold nor label")),
        }
    }
}

/// A log with the truth about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The dataset that it belongs to; empty if the file does not say.
    pub dataset: String,
    /// Its id.
    pub id: String,
    /// The log.
    pub input: String,
    /// What it is.
    pub truth: Label,
}

/// The items of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Items {
    /// Where they come from.
    pub source: PathBuf,
    /// Which column the truth was read from.
    pub truth: Truth,
    /// The items, in the order of the file.
    pub items: Vec<Item>,
    /// The rows that could not be used.
    pub rejected: Vec<Rejected>,
}

/// Why nothing of a file can be evaluated on.
#[derive(Debug, thiserror::Error)]
pub enum ItemsError {
    /// The file cannot be read.
    #[error("{}: {}", .0.display(), .1)]
    File(PathBuf, std::io::Error),
    /// It holds no table.
    #[error("{}: {}", .0.display(), .1)]
    Table(PathBuf, TableError),
    /// No template of the project has a truth to be judged by.
    #[error("no template of the project has {} yet", match .0 { Truth::Gold => "a gold label", Truth::Label => "a label" })]
    NoTruth(Truth),
    /// The project's store cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// It lacks what is needed.
    #[error("{}: {}", .0.display(), .1)]
    Unusable(PathBuf, String),
}

/// Reads labelled logs from a CSV, JSON or JSONL file: `template` (or `input`, `log`), `gold` or `label`, and, where
/// there, `dataset` and `id`.
///
/// Without a `truth`, gold is taken if the file has it at all, else the label. Rows that cannot be used are told by
/// line; they are never guessed at.
///
/// # Errors
/// When the file cannot be read, or no row of it can be used.
pub fn read_items(path: &Path, truth: Option<Truth>) -> Result<Items, ItemsError> {
    let bytes = std::fs::read(path).map_err(|error| ItemsError::File(path.to_path_buf(), error))?;
    let format = Format::guess(&path.to_string_lossy(), &bytes);
    let table = table::read(&bytes, format, &[]).map_err(|error| ItemsError::Table(path.to_path_buf(), error))?;
    let has = |column: &str| table.rows.iter().any(|row| row.fields.contains_key(column));
    let truth = truth.unwrap_or(if has(Truth::Gold.column()) { Truth::Gold } else { Truth::Label });
    if !table.rows.is_empty() && !has(truth.column()) {
        let why = format!("column \"{}\" missing; the truth is read from it", truth.column());
        return Err(ItemsError::Unusable(path.to_path_buf(), why));
    }
    let mut items = Vec::with_capacity(table.rows.len());
    let mut rejected = table.rejected;
    for row in table.rows {
        let line = row.line;
        match item(row, truth) {
            Ok(item) => items.push(item),
            Err(why) => rejected.push(Rejected { line, why }),
        }
    }
    rejected.sort_by_key(|rejected| rejected.line);
    if items.is_empty() {
        let first = rejected.first().map_or_else(String::new, |first| format!("; line {}: {}", first.line, first.why));
        return Err(ItemsError::Unusable(path.to_path_buf(), format!("no row can be evaluated{first}")));
    }
    Ok(Items { source: path.to_path_buf(), truth, items, rejected })
}

/// The project's own templates as items: gold is what its experts agree on, the label what the templates came with.
///
/// Without a `truth`, gold is taken if any template has it. Templates without the truth are left out.
///
/// # Errors
/// When the store cannot be read, or no template has the truth.
pub fn project_items(workspace: &Workspace, truth: Option<Truth>) -> Result<Items, ItemsError> {
    let source = workspace.dir().to_path_buf();
    let gold = workspace.gold()?;
    let truth = truth.unwrap_or(if gold.is_empty() { Truth::Label } else { Truth::Gold });
    let known = |record: TemplateRecord| {
        let label = match truth {
            Truth::Gold => gold.get(record.key()).map(|gold| gold.label),
            Truth::Label => record.labelled.original,
        }?;
        let key = record.key().clone();
        Some(Item { dataset: key.dataset, id: key.id, input: record.text().to_owned(), truth: label })
    };
    let items: Vec<Item> = workspace.templates()?.into_iter().filter_map(known).collect();
    if items.is_empty() {
        return Err(ItemsError::NoTruth(truth));
    }
    Ok(Items { source, truth, items, rejected: Vec::new() })
}

fn item(mut row: Row, truth: Truth) -> Result<Item, String> {
    let input = ["template", "input", "log"]
        .into_iter()
        .find_map(|column| row.take_text(column))
        .ok_or("none of \"template\", \"input\", \"log\" is there")?;
    let truth = row.require_text(truth.column())?.parse::<Label>().map_err(|error| error.to_string())?;
    let dataset = row.take_text("dataset").unwrap_or_default();
    let id = row.take_text("id").unwrap_or_else(|| made_id(&dataset, &input));
    Ok(Item { dataset, id, input, truth })
}

/// Whether a text has a word in it: a run of three or more letters that is not part of a longer run of letters and
/// digits, and not a hexadecimal number. Register dumps have none; they are many, all normal, and flatter any accuracy.
pub fn is_worded(text: &str) -> bool {
    text.replace(VARIABLE, " ").split(|c: char| !c.is_alphanumeric()).any(|run| {
        run.chars().count() >= 3
            && run.chars().all(char::is_alphabetic)
            && !run.chars().all(|character| character.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{ImportKind, ImportSource};

    fn read(name: &str, text: &[u8], truth: Option<Truth>) -> Result<Items, ItemsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_items(&path, truth)
    }

    #[test]
    fn gold_is_the_truth_where_there_is_gold() {
        let text = b"dataset,id,template,label,gold\nbgl,1,x,normal,abnormal\n";
        assert_eq!(read("t.csv", text, None).unwrap().items[0].truth, Label::Abnormal);
        assert_eq!(read("t.csv", text, Some(Truth::Label)).unwrap().items[0].truth, Label::Normal);
        let plain = read("t.jsonl", b"{\"input\":\"x\",\"label\":\"abnormal\"}\n", None).unwrap();
        assert_eq!((plain.truth, plain.items[0].truth), (Truth::Label, Label::Abnormal));
    }

    #[test]
    fn a_row_without_truth_is_told_and_never_guessed() {
        let text = b"template,label,gold\na,normal,\nb,normal,weird\nc,normal,normal\n";
        let items = read("t.csv", text, None).unwrap();
        assert_eq!(items.items.len(), 1);
        assert_eq!(items.rejected.iter().map(|rejected| rejected.line).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_file_without_the_truth_asked_for_is_refused_in_one_line() {
        let error = read("t.csv", b"template,label\na,normal\n", Some(Truth::Gold)).unwrap_err().to_string();
        assert!(error.contains("column \"gold\" missing") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_project_s_templates_are_judged_by_gold_where_there_is_gold() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(&dir.path().join("project")).unwrap();
        assert!(project_items(&workspace, None).is_err());
        let bytes = b"dataset,id,template,label,gold\nbgl,1,x,normal,abnormal\nbgl,2,y,normal,\n";
        let source = ImportSource { name: "t.csv", bytes, format: None, dataset: None };
        workspace.import(ImportKind::Templates, source).unwrap();
        let by_gold = project_items(&workspace, None).unwrap();
        assert_eq!((by_gold.truth, by_gold.items.len()), (Truth::Gold, 1));
        assert_eq!(by_gold.items[0].truth, Label::Abnormal);
        assert_eq!(project_items(&workspace, Some(Truth::Label)).unwrap().items.len(), 2);
    }

    #[test]
    fn register_dumps_are_wordless() {
        for dump in ["fpr5=0x8e7d21fd 3ffb6183 cc79128b", "28:00e6e8e0 29:00580000", "<*> <*>", "deadbeef", "su:"] {
            assert!(!is_worded(dump), "{dump}");
        }
        for text in ["MACHINE CHECK <*> iar 0x00000000", "lr:001283a0 ctr:0000fe31", "ciod: failed"] {
            assert!(is_worded(text), "{text}");
        }
    }
}
