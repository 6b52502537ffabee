//! Task sets in the store: logs with the truth about them, for tasks other than anomalies.

use std::str::FromStr as _;

use serde::Serialize;
use sqlx::Row as _;

use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::logs::made_id;
use crate::logs::table::Row;
use crate::reasoning::{Task, yes_or_no};

/// A log with the truth about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct TaskCase {
    /// Its id, its own among those of its task.
    pub id: String,
    /// What is asked.
    pub task: Task,
    /// The dataset or system that the log is of, if known.
    pub dataset: Option<String>,
    /// The log.
    pub log: String,
    /// What is said to fit it, in semantic matching.
    pub description: Option<String>,
    /// The true answer: `true` or `false`, or the cause in words.
    pub answer: String,
}

impl TaskCase {
    /// A row of `log,description,match`, `log,failure` or `log,cause`, with `dataset` and `id` where there.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub(super) fn of_row(mut row: Row, dataset: Option<&str>) -> Result<Self, String> {
        let log = row.take_text("log").or_else(|| row.take_text("input")).ok_or("\"log\" is missing or empty")?;
        let truths =
            [("match", Task::SemanticMatching), ("failure", Task::FailurePrediction), ("cause", Task::RootCause)];
        let told = truths.into_iter().find_map(|(name, task)| Some((name, task, row.take_text(name)?)));
        let (name, task, answer) =
            told.ok_or("there is none of \"match\", \"failure\" and \"cause\": nobody could tell a right answer")?;
        let answer = match task {
            Task::RootCause => answer.trim().to_owned(),
            _ => yes_or_no(&answer).ok_or(format!("{name} \"{answer}\" is neither true nor false"))?.to_owned(),
        };
        let description = row.take_text("description");
        if task == Task::SemanticMatching && description.is_none() {
            return Err("\"description\" is missing or empty".into());
        }
        let asked = format!("{log}\n{}", description.as_deref().unwrap_or_default());
        Ok(Self {
            id: row.take_text("id").unwrap_or_else(|| made_id(task.as_str(), &asked)),
            dataset: row.take_text("dataset").or_else(|| dataset.map(str::to_owned)),
            task,
            log,
            description,
            answer,
        })
    }
}

impl Workspace {
    /// The cases of all task sets, in the order in which they came in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn task_cases(&self) -> Result<Vec<TaskCase>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query(
                    "SELECT * FROM (
                         SELECT *, row_number() OVER (PARTITION BY task, id ORDER BY at DESC, uid DESC) AS age,
                                min(at) OVER (PARTITION BY task, id) AS first_at
                         FROM tasks
                     ) WHERE age = 1 ORDER BY first_at, task, id",
                )
                .fetch_all(connection)
                .await
            })
        })?;
        let case = |row: &sqlx::sqlite::SqliteRow| {
            let optional = |column| row.try_get::<Option<String>, _>(column).map_err(|error| self.store.failed(error));
            let text = |column| optional(column).map(Option::unwrap_or_default);
            Ok(TaskCase {
                id: text("id")?,
                task: Task::from_str(&text("task")?).map_err(|error| self.store.damaged("tasks", error))?,
                dataset: optional("dataset")?,
                log: text("log")?,
                description: optional("description")?,
                answer: text("answer")?,
            })
        };
        rows.iter().map(case).collect()
    }
}

/// Appends a case.
pub(super) async fn append(write: &mut Write<'_>, at: At, case: &TaskCase) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR IGNORE INTO tasks (uid, at, task, id, dataset, log, description, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid("tasks", &(at.0, case)))
    .bind(at.0)
    .bind(case.task.as_str())
    .bind(&case.id)
    .bind(&case.dataset)
    .bind(&case.log)
    .bind(&case.description)
    .bind(&case.answer)
    .execute(&mut **write)
    .await
    .map(drop)
}
