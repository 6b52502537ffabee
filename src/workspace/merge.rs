//! Merging copies of a project: the union of their rows.
//!
//! Every row has a uid that follows from what it says and when, so the union is free of conflicts, the same in any order,
//! and merging twice changes nothing. What counts then follows from the rows as ever: the newest wins.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::store::TABLES;
use super::{STORE_FILE, Workspace, WorkspaceError, dump};

/// What a merge added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// Rows that were not here before, by table.
    pub added: BTreeMap<&'static str, u64>,
    /// Their sum.
    pub rows: u64,
    /// How many votes do not count now, because they were cast after a copy closed their round.
    pub late: u64,
}

impl Merged {
    /// The sum of this merge and the next.
    pub fn add(&mut self, next: Self) {
        for (table, rows) in next.added {
            *self.added.entry(table).or_default() += rows;
        }
        self.rows += next.rows;
        self.late = next.late;
    }
}

impl Workspace {
    /// Adds every row of another copy that is not here yet, all or none: of a project folder, its `workspace.db`, or what
    /// [`Workspace::dump`] saved of one. The other copy is only read. Raw-log indexes stay where their logs are.
    ///
    /// # Errors
    /// When there is no such copy, it was written by a later program, or it cannot be read.
    pub fn merge(&self, other: &Path) -> Result<Merged, WorkspaceError> {
        let file = if other.is_dir() { other.join(STORE_FILE) } else { other.to_owned() };
        if !file.is_file() {
            return Err(WorkspaceError::Invalid(format!("{}: no project and no workspace.db", other.display())));
        }
        let added = if is_dump(&file)? {
            let text = fs::read_to_string(&file).map_err(|error| WorkspaceError::io(&file, error))?;
            self.store.write(|write, _| Box::pin(async move { dump::add_dump(write, &text).await }))?
        } else {
            self.store.with_attached(&file, |connection| Box::pin(add_rows(connection)))?
        };
        let added = added.map_err(|why| WorkspaceError::Invalid(format!("{}: {why}", file.display())))?;
        let late = self.round_status()?.iter().map(|status| status.late).sum();
        Ok(Merged { rows: added.values().sum(), added, late })
    }
}

/// Whether a file is a dump rather than a database: databases begin with other words.
fn is_dump(file: &Path) -> Result<bool, WorkspaceError> {
    let mut first = [0; 1];
    let read = fs::File::open(file).and_then(|mut file| file.read(&mut first));
    Ok(read.map_err(|error| WorkspaceError::io(file, error))? == 1 && first[0] == b'{')
}

/// Adds the rows of the database attached as `other`, or says why that cannot be.
async fn add_rows(
    connection: &mut SqliteConnection,
) -> Result<Result<BTreeMap<&'static str, u64>, String>, sqlx::Error> {
    const VERSION: &str = "SELECT max(version) FROM _sqlx_migrations";
    let ours: i64 = sqlx::query_scalar(VERSION).fetch_one(&mut *connection).await?;
    let theirs =
        sqlx::query_scalar::<_, i64>(&VERSION.replace("FROM ", "FROM other.")).fetch_one(&mut *connection).await;
    match theirs {
        Err(sqlx::Error::Database(_)) => return Ok(Err("not a Logwright store".into())),
        Err(error) => return Err(error),
        Ok(theirs) if theirs > ours => {
            return Ok(Err("it was written by a later version of the program: bring this one up to date".into()));
        }
        Ok(_) => {}
    }
    let mut added = BTreeMap::new();
    for table in TABLES {
        // A copy from before a column or table was added lacks it: the column's default is what it would have said.
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?, 'other')")
            .bind(table)
            .fetch_all(&mut *connection)
            .await?;
        if columns.is_empty() {
            continue;
        }
        let columns = columns.join(", ");
        let union = format!("INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM other.{table}");
        let done = sqlx::query(&union).execute(&mut *connection).await?;
        added.insert(table, done.rows_affected());
    }
    Ok(Ok(added))
}
