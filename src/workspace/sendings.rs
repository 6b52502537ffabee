//! Requests to teacher models, each written down before it is sent and settled when it is known what became of it.
//!
//! What was sent and never settled – the program was killed – may have been paid for, and so may what was lost on the way:
//! both are *open* until a whole reply is kept, and nobody sends an open request again without meaning to. Rows are only
//! added, so that copies merge: what one copy left open the other may have settled.
//!
//! Several processes may ask for one project at once: `asking` knows which of them live.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::completions::{Completion, completion_of, keep};
use super::store::{At, Write, uid};
use super::{Holder, Money, Workspace, WorkspaceError};

/// A request that was written down to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sending {
    /// Its id.
    pub id: String,
    /// What its completion would be kept under.
    pub key: String,
    /// What it was asked for.
    pub job: String,
    /// The model.
    pub model: String,
    /// Which process sent it.
    #[serde(skip)]
    pub process: String,
    /// When.
    pub sent_at: Timestamp,
    /// The most that it may have cost; `None` where the price is unknown.
    pub cost: Option<Money>,
    /// Whether it is known that its reply was lost on the way: the connection broke, the time was over, nothing of the reply
    /// could be used. Otherwise nothing is known: the program ended first.
    pub lost: bool,
}

/// A request that somebody wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSend {
    /// What its completion will be kept under.
    pub key: String,
    /// What it is asked for.
    pub job: String,
    /// The model.
    pub model: String,
    /// Which process wants to.
    pub process: String,
    /// The most that it may cost.
    pub cost: Option<Money>,
    /// Open requests for the same thing that are knowingly sent again, by id.
    pub again: Vec<String>,
}

/// What came of wanting to send a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is on disk that it is being sent: now send it.
    Go(Sending),
    /// There is a reply already.
    Answered(Completion),
    /// It is open already, and these were not to be sent again.
    Open(Vec<Sending>),
    /// The project's budget has no room for it beside what is spent and promised, of all its processes.
    TooDear {
        /// What is spent.
        spent: Money,
        /// What requests may cost that were sent and not answered.
        promised: Money,
        /// What the project may spend in all.
        budget: Money,
    },
    /// The same, but requests of another process are under way, and may leave more than they were promised.
    Wait,
    /// The same, but that process does not go on: its answers should long be here.
    Held(Holder),
}

/// What is known of a request before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A whole reply is kept.
    Answered(Completion),
    /// It was sent, and there is no reply; the oldest first.
    Open(Vec<Sending>),
    /// Nothing that costs.
    Nothing,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// A completion is kept.
    Answered,
    /// It may have been paid for, and nothing of it can be used.
    Lost,
    /// It was not paid for.
    Unpaid,
}

impl Settlement {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Lost => "lost",
            Self::Unpaid => "unpaid",
        }
    }
}

/// A request that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The request, where it was written down.
    pub sending: Option<String>,
    /// What became of it.
    pub outcome: Settlement,
    /// The reply, or what the loss may have cost.
    pub completion: Option<Completion>,
}

/// What may have been paid for without an answer, in all of a project.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OpenSendings {
    /// Requests that were sent and have no reply, the oldest first; nobody waits for one.
    pub open: Vec<Sending>,
    /// Requests that a process waits for now.
    pub under_way: Vec<Sending>,
}

/// The open requests of one key (`?`).
const OPEN: &str = "SELECT *, EXISTS (SELECT 1 FROM settlements WHERE sending = sendings.uid) AS lost
                    FROM sendings WHERE key = ? AND NOT EXISTS (
                        SELECT 1 FROM settlements WHERE sending = sendings.uid AND outcome IN ('answered', 'unpaid'))
                    ORDER BY at, uid";

async fn known(connection: &mut SqliteConnection, key: &str) -> Result<Known, sqlx::Error> {
    let whole = sqlx::query("SELECT * FROM completions WHERE key = ? AND finish != 'lost' ORDER BY at, uid LIMIT 1");
    if let Some(row) = whole.bind(key).fetch_optional(&mut *connection).await? {
        return Ok(Known::Answered(completion_of(&row)?));
    }
    let open = sqlx::query(OPEN).bind(key).fetch_all(connection).await?;
    let open = open.iter().map(sending_of).collect::<Result<Vec<Sending>, sqlx::Error>>()?;
    Ok(if open.is_empty() { Known::Nothing } else { Known::Open(open) })
}

fn sending_of(row: &SqliteRow) -> Result<Sending, sqlx::Error> {
    let cost: Option<i64> = row.try_get("cost")?;
    Ok(Sending {
        id: row.try_get("uid")?,
        key: row.try_get("key")?,
        job: row.try_get("job")?,
        model: row.try_get("model")?,
        process: row.try_get("process")?,
        sent_at: At(row.try_get("at")?).timestamp(),
        cost: cost.and_then(|cost| u64::try_from(cost).ok()).map(Money::from_nanos),
        lost: row.try_get("lost")?,
    })
}

/// A project's budget, and what of it is gone.
struct Budget {
    whole: Money,
    spent: Money,
    /// What requests may cost that were sent and are not settled.
    promised: Money,
}

impl Budget {
    async fn read(write: &mut Write<'_>, whole: Money) -> Result<Self, sqlx::Error> {
        let spent: i64 =
            sqlx::query_scalar("SELECT coalesce(sum(cost), 0) FROM completions").fetch_one(&mut **write).await?;
        let promised: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(cost), 0) FROM sendings
             WHERE NOT EXISTS (SELECT 1 FROM settlements WHERE sending = sendings.uid)",
        )
        .fetch_one(&mut **write)
        .await?;
        let money = |nanos: i64| Money::from_nanos(nanos.max(0) as u64);
        Ok(Self { whole, spent: money(spent), promised: money(promised) })
    }
}

async fn send(
    write: &mut Write<'_>,
    at: At,
    to_send: ToSend,
    budget: Option<&mut Budget>,
) -> Result<Sent, sqlx::Error> {
    match known(write, &to_send.key).await? {
        Known::Answered(completion) => return Ok(Sent::Answered(completion)),
        Known::Open(open) if open.iter().any(|one| !to_send.again.contains(&one.id)) => return Ok(Sent::Open(open)),
        Known::Open(_) | Known::Nothing => {}
    }
    let ToSend { key, job, model, process, cost, .. } = to_send;
    if let Some((budget, cost)) = budget.zip(cost) {
        let Budget { whole, spent, promised } = *budget;
        if spent + promised + cost > whole {
            return Ok(Sent::TooDear { spent, promised, budget: whole });
        }
        budget.promised += cost;
    }
    let id = uid("sendings", &(at.0, &key, &process));
    sqlx::query("INSERT INTO sendings (uid, at, key, job, model, process, cost) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(at.0)
        .bind(&key)
        .bind(&job)
        .bind(&model)
        .bind(&process)
        .bind(cost.map(|cost| i64::try_from(cost.nanos()).unwrap_or(i64::MAX)))
        .execute(&mut **write)
        .await?;
    Ok(Sent::Go(Sending { id, key, job, model, process, sent_at: at.timestamp(), cost, lost: false }))
}

impl Workspace {
    /// What is known of the request with this key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn known(&self, key: &str) -> Result<Known, WorkspaceError> {
        let key = key.to_owned();
        self.store.read(|connection| Box::pin(async move { known(connection, &key).await }))
    }

    /// Settles requests and writes down those that are to be sent, all or none; it is on disk when this returns. A request
    /// may be sent only if the answer to it is [`Sent::Go`]: of several processes that want the same, one gets that, and
    /// together they keep to the project's budget.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn post(&self, settled: &[Settled], to_send: &[ToSend]) -> Result<Vec<Sent>, WorkspaceError> {
        let (settled, to_send) = (settled.to_vec(), to_send.to_vec());
        let budget = self.settings().teacher.budget.and_then(Money::from_dollars);
        let wanted: Vec<(String, Option<Money>)> =
            to_send.iter().map(|wanted| (wanted.process.clone(), wanted.cost)).collect();
        let mut sent = self.store.write(|write, at| {
            Box::pin(async move {
                let mut rows = 0;
                for Settled { sending, outcome, completion } in settled {
                    if let Some(completion) = completion {
                        keep(write, at.after(rows), &completion).await?;
                        rows += 1;
                    }
                    if let Some(sending) = sending {
                        let at = at.after(rows).0;
                        sqlx::query("INSERT INTO settlements (uid, at, sending, outcome) VALUES (?, ?, ?, ?)")
                            .bind(uid("settlements", &(at, &sending, outcome.as_str())))
                            .bind(at)
                            .bind(sending)
                            .bind(outcome.as_str())
                            .execute(&mut **write)
                            .await?;
                        rows += 1;
                    }
                }
                let mut budget = match budget.filter(|_| !to_send.is_empty()) {
                    Some(whole) => Some(Budget::read(write, whole).await?),
                    None => None,
                };
                let mut sent = Vec::with_capacity(to_send.len());
                for to_send in to_send {
                    sent.push(send(write, at.after(rows), to_send, budget.as_mut()).await?);
                    rows += 1;
                }
                Ok(sent)
            })
        })?;
        for (sent, (process, cost)) in sent.iter_mut().zip(wanted) {
            if let Sent::TooDear { spent, budget, .. } = sent
                && *spent + cost.unwrap_or_default() <= *budget
            {
                let under_way = self.open_sendings()?.under_way;
                let others = under_way.iter().filter(|other| other.process != process);
                let holders: Vec<Holder> = others.filter_map(|other| self.holder(other)).collect();
                // What one that goes on leaves may do; else nothing will come of waiting.
                *sent = match holders.first() {
                    Some(first) if holders.iter().all(|holder| holder.overdue) => Sent::Held(first.clone()),
                    Some(_) => Sent::Wait,
                    None => continue,
                };
            }
        }
        Ok(sent)
    }

    /// The requests that were sent and have no reply.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open_sendings(&self) -> Result<OpenSendings, WorkspaceError> {
        let rows = self.store.read(|connection| {
            Box::pin(async move {
                let query = OPEN.replace("key = ? AND", "");
                let unanswered = "AND NOT EXISTS (SELECT 1 FROM completions c WHERE c.key = sendings.key
                                                  AND c.finish != 'lost') ORDER BY";
                let query = query.replace("ORDER BY", unanswered);
                let rows = sqlx::query(&query).fetch_all(connection).await?;
                rows.iter().map(sending_of).collect::<Result<Vec<Sending>, sqlx::Error>>()
            })
        })?;
        let (under_way, open) = rows.into_iter().partition(|sending| !sending.lost && self.is_under_way(sending));
        Ok(OpenSendings { open, under_way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::asking::lock_path;
    use crate::workspace::{CompletionEnd, Spending};

    fn want(key: &str, process: &str) -> ToSend {
        ToSend {
            key: key.into(),
            job: "rationales".into(),
            model: "m".into(),
            process: process.into(),
            cost: Some(Money::from_nanos(700)),
            again: Vec::new(),
        }
    }

    fn completion(key: &str, end: CompletionEnd) -> Completion {
        Completion {
            key: key.into(),
            job: "rationales".into(),
            model: "m".into(),
            end,
            reply: "r".into(),
            prompt_tokens: Some(10),
            completion_tokens: Some(2),
            cost: Some(Money::from_nanos(500)),
        }
    }

    fn settle(sending: &Sending, outcome: Settlement, end: Option<CompletionEnd>) -> Settled {
        let completion = end.map(|end| completion(&sending.key, end));
        Settled { sending: Some(sending.id.clone()), outcome, completion }
    }

    fn go(workspace: &Workspace, to_send: ToSend) -> Sending {
        match workspace.post(&[], &[to_send]).unwrap().remove(0) {
            Sent::Go(sending) => sending,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_processes_together_keep_to_the_projects_budget() {
        let dir = tempfile::tempdir().unwrap();
        Workspace::init(dir.path()).unwrap();
        std::fs::write(dir.path().join("logwright.toml"), "[teacher]\nbudget = 0.000001\n").unwrap();
        let workspace = Workspace::open(dir.path()).unwrap();
        let first = go(&workspace, want("a", "p"));
        let (promised, budget) = (Money::from_nanos(700), Money::from_nanos(1_000));
        let too_dear = Sent::TooDear { spent: Money::ZERO, promised, budget };
        assert_eq!(workspace.post(&[], &[want("b", "q")]).unwrap(), [too_dear]);
        // Where the other one lives, it may leave more than it was promised.
        let living = workspace.asking(std::time::Duration::from_secs(60)).unwrap();
        let second = [settle(&first, Settlement::Unpaid, None)];
        let [Sent::Go(first)] = &workspace.post(&second, &[want("a", living.process())]).unwrap()[..] else { panic!() };
        assert_eq!(workspace.post(&[], &[want("b", "q")]).unwrap(), [Sent::Wait]);
        drop(living);
        // One whose answer is overdue leaves nothing that is worth waiting for.
        let late = workspace.asking(std::time::Duration::ZERO).unwrap();
        let second = [settle(first, Settlement::Unpaid, None)];
        let [Sent::Go(first)] = &workspace.post(&second, &[want("a", late.process())]).unwrap()[..] else { panic!() };
        let [Sent::Held(holder)] = &workspace.post(&[], &[want("b", "q")]).unwrap()[..] else { panic!() };
        assert_eq!((holder.pid, holder.since), (Some(std::process::id()), first.sent_at));
        drop(late);
        // What costs nothing is not held up, and what was not paid for makes room.
        let free = ToSend { cost: None, ..want("c", "q") };
        assert!(matches!(workspace.post(&[], &[free]).unwrap()[..], [Sent::Go(_)]));
        let settled = [settle(first, Settlement::Unpaid, None)];
        assert!(matches!(workspace.post(&settled, &[want("b", "q")]).unwrap()[..], [Sent::Go(_)]));
    }

    #[test]
    fn what_was_sent_is_open_until_it_is_answered_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        assert_eq!(workspace.known("a").unwrap(), Known::Nothing);
        let first = go(&workspace, want("a", "p"));
        assert_eq!(workspace.known("a").unwrap(), Known::Open(vec![first.clone()]));
        assert_eq!(workspace.post(&[], &[want("a", "q")]).unwrap(), [Sent::Open(vec![first.clone()])]);
        workspace.post(&[settle(&first, Settlement::Unpaid, None)], &[]).unwrap();
        assert_eq!((workspace.known("a").unwrap(), workspace.spending().unwrap()), (Known::Nothing, vec![]));

        let second = go(&workspace, want("a", "p"));
        let spending = workspace.spending().unwrap();
        let Spending { completions, unsettled, cost, .. } = spending[0];
        assert_eq!((completions, unsettled, cost.nanos()), (0, 1, 700), "it may have been paid for");
        workspace.post(&[settle(&second, Settlement::Lost, Some(CompletionEnd::Lost))], &[]).unwrap();
        let second = Sending { lost: true, ..second };
        assert_eq!(workspace.known("a").unwrap(), Known::Open(vec![second.clone()]), "lost is open, too");
        assert_eq!(workspace.spending().unwrap()[0].cost.nanos(), 500, "but counted once");
        let third = go(&workspace, ToSend { again: vec![second.id.clone()], ..want("a", "p") });
        assert_eq!(workspace.open_sendings().unwrap().open, [second, third.clone()]);
        workspace.post(&[settle(&third, Settlement::Answered, Some(CompletionEnd::Stop))], &[]).unwrap();
        assert!(matches!(workspace.known("a").unwrap(), Known::Answered(_)));
        assert!(matches!(workspace.post(&[], &[want("a", "q")]).unwrap()[0], Sent::Answered(_)));
        assert_eq!(workspace.open_sendings().unwrap(), OpenSendings::default());
    }

    #[test]
    fn a_process_is_known_to_live_by_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let other = Workspace::open(dir.path()).unwrap();
        let asking = workspace.asking(std::time::Duration::from_secs(60)).unwrap();
        let sending = go(&workspace, want("a", asking.process()));
        assert!(other.is_under_way(&sending));
        assert_eq!(other.open_sendings().unwrap().under_way, std::slice::from_ref(&sending));
        drop(asking);
        assert!(!other.is_under_way(&sending));
        // A process that was killed leaves its file.
        let left = lock_path(workspace.dir(), "killed");
        std::fs::write(&left, "").unwrap();
        assert!(!other.is_under_way(&go(&workspace, want("b", "killed"))) && !left.exists());
        assert_eq!(other.open_sendings().unwrap().open.len(), 2);
    }

    #[test]
    fn copies_merge_and_what_one_settled_is_settled() {
        let dirs = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
        let [ours, theirs, third] = [&dirs[0], &dirs[1], &dirs[2]].map(|dir| Workspace::init(dir.path()).unwrap());
        let sending = go(&ours, want("a", "p"));
        theirs.merge(ours.dir()).unwrap();
        assert_eq!(theirs.known("a").unwrap(), Known::Open(vec![sending.clone()]), "the copy does not send it again");
        ours.post(&[settle(&sending, Settlement::Answered, Some(CompletionEnd::Stop))], &[]).unwrap();
        let file = dirs[0].path().join("saved.jsonl");
        ours.dump(&file).unwrap();
        for copy in [&theirs, &third] {
            copy.merge(&file).unwrap();
            assert!(matches!(copy.known("a").unwrap(), Known::Answered(_)));
            let spending = copy.spending().unwrap();
            assert_eq!((spending[0].unsettled, spending[0].cost.nanos()), (0, 500));
        }
    }
}
