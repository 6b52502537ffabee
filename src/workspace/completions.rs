//! What teacher models replied, in the store: found again by what was asked, and what it cost.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::store::{At, Write, uid};
use super::{Money, Workspace, WorkspaceError};

/// How a kept completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionEnd {
    /// The model was done.
    Stop,
    /// It ran into the limit of its tokens.
    Length,
    /// Something else, such as a filter.
    Other,
    /// It may have been paid for, and nothing of it can be used.
    Lost,
}

impl CompletionEnd {
    const ALL: [Self; 4] = [Self::Stop, Self::Length, Self::Other, Self::Lost];

    fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Other => "other",
            Self::Lost => "lost",
        }
    }
}

/// A teacher model's reply to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// SHA-256, in hexadecimal, of the model and what was asked.
    pub key: String,
    /// What it was asked for, such as `rationales`.
    pub job: String,
    /// The model.
    pub model: String,
    /// How it ended.
    pub end: CompletionEnd,
    /// The text; empty where it is lost.
    pub reply: String,
    /// Tokens read, where the service said.
    pub prompt_tokens: Option<u64>,
    /// Tokens written, where the service said.
    pub completion_tokens: Option<u64>,
    /// What it cost, or may have cost; `None` where the price is unknown.
    pub cost: Option<Money>,
}

/// What has been spent on a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spending {
    /// The model.
    pub model: String,
    /// What for.
    pub job: String,
    /// Replies that were kept.
    pub completions: u64,
    /// Replies that were lost on the way and may have been paid for.
    pub lost: u64,
    /// Requests that were sent and of which nothing more is known: under way, or cut off by the end of the program. They
    /// count at the most that they may cost.
    pub unsettled: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// What all of it cost, as far as prices were known.
    pub cost: Money,
    /// How many of them have no price.
    pub unpriced: u64,
}

/// Keeps a completion.
pub(super) async fn keep(write: &mut Write<'_>, at: At, completion: &Completion) -> Result<(), sqlx::Error> {
    let count = |tokens: Option<u64>| tokens.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX));
    let Completion { key, job, model, end, reply, prompt_tokens, completion_tokens, cost } = completion;
    sqlx::query(
        "INSERT OR IGNORE INTO completions
             (uid, at, key, job, model, finish, reply, prompt_tokens, completion_tokens, cost)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(uid("completions", &(at.0, key, end.as_str(), reply)))
    .bind(at.0)
    .bind(key)
    .bind(job)
    .bind(model)
    .bind(end.as_str())
    .bind(reply)
    .bind(count(*prompt_tokens))
    .bind(count(*completion_tokens))
    .bind(count(cost.map(Money::nanos)))
    .execute(&mut **write)
    .await?;
    Ok(())
}

pub(super) fn completion_of(row: &SqliteRow) -> Result<Completion, sqlx::Error> {
    let count =
        |column| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.and_then(|n| u64::try_from(n).ok()));
    let word: String = row.try_get("finish")?;
    let end = CompletionEnd::ALL.into_iter().find(|end| end.as_str() == word);
    Ok(Completion {
        key: row.try_get("key")?,
        job: row.try_get("job")?,
        model: row.try_get("model")?,
        end: end.ok_or_else(|| sqlx::Error::Decode(format!("finish \"{word}\" is unknown").into()))?,
        reply: row.try_get("reply")?,
        prompt_tokens: count("prompt_tokens")?,
        completion_tokens: count("completion_tokens")?,
        cost: count("cost")?.map(Money::from_nanos),
    })
}

impl Workspace {
    /// What has been spent, by model and job.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn spending(&self) -> Result<Vec<Spending>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query(
                    "SELECT model, job, sum(whole) AS completions, sum(lost) AS lost, sum(unsettled) AS unsettled,
                            sum(read) AS prompt_tokens, sum(written) AS completion_tokens,
                            coalesce(sum(cost), 0) AS cost, sum(cost IS NULL) AS unpriced
                     FROM (SELECT model, job, finish != 'lost' AS whole, finish = 'lost' AS lost, 0 AS unsettled,
                                  coalesce(prompt_tokens, 0) AS read, coalesce(completion_tokens, 0) AS written, cost
                           FROM completions
                           UNION ALL
                           SELECT model, job, 0, 0, 1, 0, 0, cost FROM sendings
                           WHERE NOT EXISTS (SELECT 1 FROM settlements WHERE sending = sendings.uid))
                     GROUP BY model, job ORDER BY model, job",
                )
                .fetch_all(connection)
                .await
            })
        })?;
        let spending = |row: &SqliteRow| -> Result<Spending, sqlx::Error> {
            let count = |column| row.try_get::<i64, _>(column).map(|count| count.max(0) as u64);
            Ok(Spending {
                model: row.try_get("model")?,
                job: row.try_get("job")?,
                completions: count("completions")?,
                lost: count("lost")?,
                unsettled: count("unsettled")?,
                prompt_tokens: count("prompt_tokens")?,
                completion_tokens: count("completion_tokens")?,
                cost: Money::from_nanos(count("cost")?),
                unpriced: count("unpriced")?,
            })
        };
        rows.iter().map(|row| spending(row).map_err(|error| self.store.failed(error))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Known, Settled, Settlement};

    fn completion(key: &str, end: CompletionEnd, reply: &str) -> Completion {
        Completion {
            key: key.into(),
            job: "rationales".into(),
            model: "m".into(),
            end,
            reply: reply.into(),
            prompt_tokens: Some(10),
            completion_tokens: Some(2),
            cost: Some(Money::from_nanos(500)),
        }
    }

    fn keep_all(workspace: &Workspace, completions: &[Completion]) {
        let settled = |completion: &Completion| Settled {
            sending: None,
            outcome: Settlement::Answered,
            completion: Some(completion.clone()),
        };
        workspace.post(&completions.iter().map(settled).collect::<Vec<_>>(), &[]).unwrap();
    }

    fn reply(workspace: &Workspace, key: &str) -> String {
        match workspace.known(key).unwrap() {
            Known::Answered(completion) => completion.reply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_whole_reply_is_found_again_and_everything_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        assert_eq!(workspace.known("a").unwrap(), Known::Nothing);
        let unpriced = Completion { cost: None, ..completion("b", CompletionEnd::Length, "cut") };
        let kept = [
            completion("a", CompletionEnd::Lost, ""),
            completion("a", CompletionEnd::Stop, "first"),
            completion("a", CompletionEnd::Stop, "second"),
            unpriced.clone(),
        ];
        keep_all(&workspace, &kept);
        assert_eq!(reply(&workspace, "a"), "first");
        assert_eq!(workspace.known("b").unwrap(), Known::Answered(unpriced));
        let spending = workspace.spending().unwrap();
        assert_eq!(spending.len(), 1);
        let Spending { completions, lost, prompt_tokens, cost, unpriced, .. } = spending[0];
        assert_eq!((completions, lost, prompt_tokens, cost.nanos(), unpriced), (3, 1, 40, 1_500, 1));
    }

    #[test]
    fn copies_merge_into_the_union_and_a_dump_brings_them_back() {
        let dirs = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
        let [ours, theirs, third] = [&dirs[0], &dirs[1], &dirs[2]].map(|dir| Workspace::init(dir.path()).unwrap());
        keep_all(&ours, &[completion("a", CompletionEnd::Stop, "ours")]);
        keep_all(&theirs, &[completion("b", CompletionEnd::Stop, "theirs")]);
        assert_eq!(ours.merge(theirs.dir()).unwrap().added["completions"], 1);
        assert_eq!(ours.merge(theirs.dir()).unwrap().added["completions"], 0);
        let file = dirs[0].path().join("saved.jsonl");
        assert_eq!(ours.dump(&file).unwrap().rows["completions"], 2);
        third.merge(&file).unwrap();
        assert_eq!(reply(&third, "b"), "theirs");
    }
}
