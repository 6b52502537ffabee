//! How something said is taken back: by a row that names it, which can be taken back in its turn.
//!
//! Votes, rulings, reviews, marks and comments all work so: a row stands unless a standing row names it in `undoes`. An undo
//! names a row that says something; a redo names an undo. Nothing names a redo: undoing again names the first row anew.

use sqlx::Row as _;

use super::store::{At, Write, uid};

/// A table whose rows can be taken back.
pub(super) struct Ledger {
    /// The table.
    pub table: &'static str,
    /// The column that says something; null in rows that only take back.
    pub says: &'static str,
    /// The columns that a row shares with the one that it takes back.
    pub about: &'static str,
}

pub(super) const VOTES: Ledger =
    Ledger { table: "votes", says: "judgement", about: "dataset, template, annotator, round, decision" };
pub(super) const RULINGS: Ledger =
    Ledger { table: "rulings", says: "label", about: "dataset, template, source, ruled_by" };
pub(super) const REVIEWS: Ledger =
    Ledger { table: "reviews", says: "verdict", about: "kind, item, reviewer, decision" };
pub(super) const MARKS: Ledger =
    Ledger { table: "marks", says: "mark", about: "kind, item, reviewer, step, text, decision" };
pub(super) const COMMENTS: Ledger = Ledger { table: "comments", says: "text", about: "dataset, template, author" };

impl Ledger {
    /// `FROM … WHERE …` of the rows, by the name `r`, that say something and stand. `counts` is a further condition on a
    /// row, by the name that it is given: where it fails, a row is as if it were not there.
    pub fn standing(&self, counts: impl Fn(&str) -> String) -> String {
        let Self { table, says, .. } = self;
        let (row, undo, redo) = (counts("r"), counts("u"), counts("again"));
        format!(
            "FROM {table} r WHERE r.{says} IS NOT NULL AND {row} AND NOT EXISTS (
                 SELECT 1 FROM {table} u WHERE u.undoes = r.uid AND {undo} AND NOT EXISTS (
                     SELECT 1 FROM {table} again WHERE again.undoes = u.uid AND {redo}))"
        )
    }

    /// [`Ledger::standing`] where every row counts.
    pub fn all_standing(&self) -> String {
        self.standing(|_| "TRUE".into())
    }

    /// Takes back the rows `uids`: what they say, or the taking back that they are.
    pub async fn take_back(&self, write: &mut Write<'_>, at: At, uids: &[String]) -> Result<(), sqlx::Error> {
        let Self { table, about, .. } = self;
        let query = format!(
            "INSERT INTO {table} (uid, at, undoes, {about}) SELECT ?, ?, uid, {about} FROM {table} WHERE uid = ?"
        );
        for (index, undoes) in uids.iter().enumerate() {
            let at = at.after(index);
            sqlx::query(&query)
                .bind(uid(table, &(at.0, "undo", undoes)))
                .bind(at.0)
                .bind(undoes)
                .execute(&mut **write)
                .await?;
        }
        Ok(())
    }

    /// Takes back the newest row that stands and meets `condition`, an SQL condition on `r` with one place for `who`.
    /// Gives that row.
    pub async fn take_back_newest(
        &self,
        write: &mut Write<'_>,
        at: At,
        condition: &str,
        who: &str,
    ) -> Result<Option<sqlx::sqlite::SqliteRow>, sqlx::Error> {
        let query =
            format!("SELECT r.* {} AND {condition} ORDER BY r.at DESC, r.uid DESC LIMIT 1", self.all_standing());
        let newest = sqlx::query(&query).bind(who).fetch_optional(&mut **write).await?;
        if let Some(row) = &newest {
            self.take_back(write, at, &[row.try_get("uid")?]).await?;
        }
        Ok(newest)
    }

    /// Takes back the newest decision of `reviewer` that stands: one row, or all rows that were made as one. Gives them in
    /// the order in which they were made; none where there are none.
    pub async fn take_back_decision(
        &self,
        write: &mut Write<'_>,
        at: At,
        reviewer: &str,
    ) -> Result<Vec<sqlx::sqlite::SqliteRow>, sqlx::Error> {
        let standing = self.all_standing();
        let newest = format!(
            "SELECT coalesce(r.decision, r.uid) {standing} AND r.reviewer = ? ORDER BY r.at DESC, r.uid DESC LIMIT 1"
        );
        let newest: Option<String> = sqlx::query_scalar(&newest).bind(reviewer).fetch_optional(&mut **write).await?;
        let Some(decision) = newest else { return Ok(Vec::new()) };
        let group =
            format!("SELECT r.* {standing} AND r.reviewer = ? AND (r.uid = ? OR r.decision = ?) ORDER BY r.at, r.uid");
        let group = sqlx::query(&group).bind(reviewer).bind(&decision).bind(&decision);
        let rows = group.fetch_all(&mut **write).await?;
        let uids = rows.iter().map(|row| row.try_get("uid")).collect::<Result<Vec<String>, _>>()?;
        self.take_back(write, at, &uids).await?;
        Ok(rows)
    }
}
