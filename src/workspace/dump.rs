//! Saving what can be read of a damaged store: every row as a line of JSON, which `merge` brings into another project.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::store::{TABLES, Write};
use super::{Workspace, WorkspaceError};

/// What was saved of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dumped {
    /// Rows written, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Tables that could not be read to their end, each with what SQLite said; how many rows they lost cannot be known.
    pub damaged: BTreeMap<&'static str, String>,
}

/// A line of a dump.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    table: String,
    row: Map<String, Value>,
}

/// The rows of a table that can be read, as JSON objects, and what SQLite said where some cannot.
struct Salvaged {
    rows: Vec<String>,
    complaint: Option<String>,
}

impl Workspace {
    /// Writes every row that can be read to `file`: one JSON object a line, `{table, row}`. Raw-log indexes are left out;
    /// importing the logs again makes them.
    ///
    /// # Errors
    /// When the file cannot be written, or nothing of the store can be read.
    pub fn dump(&self, file: &Path) -> Result<Dumped, WorkspaceError> {
        let mut dumped = Dumped::default();
        let io = |error| WorkspaceError::io(file, error);
        let mut writer = BufWriter::new(File::create(file).map_err(io)?);
        for table in TABLES {
            let salvaged = self.store.read(|connection| Box::pin(salvage(connection, table)))?;
            dumped.rows.insert(table, salvaged.rows.len() as u64);
            for row in &salvaged.rows {
                writeln!(writer, "{{\"table\":\"{table}\",\"row\":{row}}}").map_err(io)?;
            }
            if let Some(complaint) = salvaged.complaint {
                dumped.damaged.insert(table, complaint);
            }
        }
        let whole = writer.into_inner().map_err(|error| io(error.into_error()))?;
        whole.sync_all().map_err(io)?;
        Ok(dumped)
    }
}

/// Reads a table in both directions around each place that cannot be read.
async fn salvage(connection: &mut SqliteConnection, table: &'static str) -> Result<Salvaged, sqlx::Error> {
    let mut salvaged = Salvaged { rows: Vec::new(), complaint: None };
    let columns: Vec<String> =
        match sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(&mut *connection).await
        {
            Ok(columns) => columns,
            Err(error) => {
                salvaged.complaint = Some(error.to_string());
                return Ok(salvaged);
            }
        };
    let fields: Vec<String> = columns.iter().map(|column| format!("'{column}', {column}")).collect();
    let select = format!("SELECT rowid, json_object({}) FROM {table}", fields.join(", "));

    let mut last = 0_i64;
    loop {
        let forward = format!("{select} WHERE rowid > ? ORDER BY rowid");
        let Err(error) = read_on(connection, &forward, last, i64::MAX, &mut salvaged.rows, &mut last).await else {
            break;
        };
        salvaged.complaint.get_or_insert(error.to_string());
        // Beyond the damage: the nearest row, by ever longer steps, that can be read.
        let mut step = 1_i64;
        let beyond = loop {
            let probe = format!("SELECT rowid FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1");
            let start = last.saturating_add(step);
            match sqlx::query_scalar::<_, i64>(&probe).bind(start).fetch_optional(&mut *connection).await {
                Ok(found) => break found,
                Err(_) if step > 1 << 40 => break None,
                Err(_) => step *= 2,
            }
        };
        let backward = format!("{select} WHERE rowid < ? ORDER BY rowid DESC");
        let (before, from) = (last, beyond.unwrap_or(i64::MAX));
        let mut lowest = before;
        // It is to fail, at the other side of the damage.
        let _ = read_on(connection, &backward, from, before, &mut salvaged.rows, &mut lowest).await;
        match beyond {
            Some(row) => last = row - 1,
            None => break,
        }
    }
    Ok(salvaged)
}

/// Reads rows from `start` on until the end, the row `until`, or an error; `reached` is the last row read.
async fn read_on(
    connection: &mut SqliteConnection,
    query: &str,
    start: i64,
    until: i64,
    rows: &mut Vec<String>,
    reached: &mut i64,
) -> Result<(), sqlx::Error> {
    let mut stream = sqlx::query(query).bind(start).fetch(connection);
    while let Some(row) = stream.try_next().await? {
        let rowid: i64 = row.try_get(0)?;
        if rowid == until {
            break;
        }
        *reached = rowid;
        rows.push(row.try_get(1)?);
    }
    Ok(())
}

/// Adds the rows of a dump that are not here yet; says what is wrong with the first line that cannot be used.
pub(super) async fn add_dump(
    write: &mut Write<'_>,
    text: &str,
) -> Result<Result<BTreeMap<&'static str, u64>, String>, sqlx::Error> {
    let mut added = BTreeMap::new();
    let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for table in TABLES {
        let names =
            sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(&mut **write).await?;
        columns.insert(table, names);
        added.insert(table, 0);
    }
    // All lines before the first row is added: a refusal leaves nothing behind.
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let Ok(Line { table, row }) = serde_json::from_str(line) else {
            return Ok(Err(format!("line {number} is no line of a dump")));
        };
        let Some(table) = TABLES.into_iter().find(|known| *known == table) else {
            return Ok(Err(format!("line {number}: no table {table} here")));
        };
        let known = &columns[table];
        if let Some(stranger) = row.keys().find(|name| !known.contains(*name)) {
            return Ok(Err(format!("line {number}: {table} has no {stranger} here")));
        }
        rows.push((table, row));
    }
    for (table, row) in rows {
        let names: Vec<&str> = row.keys().map(String::as_str).collect();
        let values: Vec<String> = names.iter().map(|name| format!("json_extract(?1, '$.{name}')")).collect();
        let query = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
        let done = sqlx::query(&query).bind(Value::Object(row).to_string()).execute(&mut **write).await?;
        *added.entry(table).or_insert(0) += done.rows_affected();
    }
    Ok(Ok(added))
}
