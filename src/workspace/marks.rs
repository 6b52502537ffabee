//! Marks on steps in the store.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::ledger::MARKS;
use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError};
use crate::reasoning::{ItemKind, Mark, Reviewable, StepMark, parse};

/// Marks about to be made on steps of one item: one decision, taken back as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMarks {
    /// What kind of item: a rationale or a pair.
    pub kind: ItemKind,
    /// Its id.
    pub item: String,
    /// By whom.
    pub reviewer: String,
    /// The steps, each with its number from 1, its text, and what is said of it.
    pub steps: Vec<(usize, String, Mark)>,
}

impl NewMarks {
    /// One mark on step `step` (from 1) of an item as it is now.
    ///
    /// # Errors
    /// When the item has no such step.
    pub fn on_step(item: &Reviewable, reviewer: &str, step: usize, mark: Mark) -> Result<Self, WorkspaceError> {
        let steps = Self::steps_of(item, step)?;
        let said = (step, steps[step - 1].clone(), mark);
        Ok(Self { kind: item.kind(), item: item.id().to_owned(), reviewer: reviewer.to_owned(), steps: vec![said] })
    }

    /// Step `step` (from 1) of an item as it is now is the first wrong one: it is wrong, and those before it are right.
    ///
    /// # Errors
    /// When the item has no such step.
    pub fn first_wrong(item: &Reviewable, reviewer: &str, step: usize) -> Result<Self, WorkspaceError> {
        let steps = Self::steps_of(item, step)?;
        let mark = |number| if number == step { Mark::Wrong } else { Mark::Right };
        let said = (1..=step).zip(steps).map(|(number, text)| (number, text, mark(number))).collect();
        Ok(Self { kind: item.kind(), item: item.id().to_owned(), reviewer: reviewer.to_owned(), steps: said })
    }

    fn steps_of(item: &Reviewable, step: usize) -> Result<Vec<String>, WorkspaceError> {
        let Some(text) = item.marked_text() else {
            return Err(WorkspaceError::Invalid(format!(
                "{} is a thought: its steps are not judged one by one",
                item.id()
            )));
        };
        let steps: Vec<String> = parse(text).steps.into_iter().map(|step| step.text).collect();
        if (1..=steps.len()).contains(&step) {
            return Ok(steps);
        }
        let (id, steps) = (item.id(), steps.len());
        Err(WorkspaceError::Invalid(format!("{id} has no step {step}: its steps are 1 to {steps}")))
    }
}

impl Workspace {
    /// All marks that stand, by kind and id of their item, in the order in which they were made.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn marks(&self) -> Result<BTreeMap<(ItemKind, String), Vec<StepMark>>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = format!("SELECT r.* {} ORDER BY r.at, r.uid", MARKS.all_standing());
                sqlx::query(&query).fetch_all(connection).await
            })
        })?;
        let mut marks: BTreeMap<_, Vec<StepMark>> = BTreeMap::new();
        for row in &rows {
            let mark = self.mark_of(row)?;
            marks.entry((mark.kind, mark.item.clone())).or_default().push(mark);
        }
        Ok(marks)
    }

    pub(super) fn mark_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<StepMark, WorkspaceError> {
        let text = |column| row.try_get::<String, _>(column).map_err(|error| self.store.failed(error));
        let number = |column| row.try_get::<i64, _>(column).map_err(|error| self.store.failed(error));
        let damaged = |error: String| self.store.damaged("marks", error);
        Ok(StepMark {
            kind: text("kind")?.parse().map_err(damaged)?,
            item: text("item")?,
            reviewer: text("reviewer")?,
            step: usize::try_from(number("step")?).unwrap_or(0),
            text: text("text")?,
            mark: text("mark")?.parse().map_err(damaged)?,
            at: At(number("at")?).timestamp(),
        })
    }

    /// Records marks on steps of one item, all or none. They are on disk when this returns.
    ///
    /// # Errors
    /// When the item is unknown, or the store cannot be written.
    pub fn mark(&self, marks: &NewMarks) -> Result<(), WorkspaceError> {
        let (kind, item) = (marks.kind, &marks.item);
        self.must_be_there(&[(kind, item)])?;
        self.store.write(|write, at| {
            let marks = marks.clone();
            Box::pin(async move { append(write, at, &marks).await })
        })
    }

    /// Takes back the newest marks of `reviewer` that are not taken back yet, all that were made as one; what was said
    /// before counts again. Gives them; none where there are none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn undo_marks(&self, reviewer: &str) -> Result<Vec<StepMark>, WorkspaceError> {
        let rows = self.store.write(|write, at| {
            let reviewer = reviewer.to_owned();
            Box::pin(async move { MARKS.take_back_decision(write, at, &reviewer).await })
        })?;
        rows.iter().map(|row| self.mark_of(row)).collect()
    }
}

async fn append(write: &mut Write<'_>, at: At, marks: &NewMarks) -> Result<(), sqlx::Error> {
    let NewMarks { kind, item, reviewer, steps } = marks;
    let decision = (steps.len() > 1).then(|| uid("marks", &(at.0, kind, item, reviewer, steps)));
    for (index, (step, text, mark)) in steps.iter().enumerate() {
        let at = at.after(index);
        sqlx::query(
            "INSERT OR IGNORE INTO marks (uid, at, kind, item, reviewer, step, text, mark, decision)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(uid("marks", &(at.0, kind, item, reviewer, step, text, mark)))
        .bind(at.0)
        .bind(kind.as_str())
        .bind(item)
        .bind(reviewer)
        .bind(i64::try_from(*step).unwrap_or(i64::MAX))
        .bind(text)
        .bind(mark.as_str())
        .bind(decision.as_deref())
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}
