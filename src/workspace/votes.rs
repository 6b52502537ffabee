//! Votes in the store.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::ledger::VOTES;
use super::rounds::{counting, read_rounds};
use super::store::{At, Write, uid};
use super::{Workspace, WorkspaceError, templates};
use crate::labels::agreement::{Agreement, Bootstrap};
use crate::labels::{Category, Judgement, Label, Round, RoundState, Rounds, Tally, Vote, VoteTable};
use crate::logs::TemplateKey;

/// A vote about to be cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVote {
    /// On which template.
    pub template: TemplateKey,
    /// By whom.
    pub annotator: String,
    /// What is said.
    pub judgement: Judgement,
    /// In which round.
    pub round: Round,
    /// What is added in words.
    pub comment: Option<String>,
    /// Whether the annotator had seen the original label or a suggestion.
    pub revealed: bool,
    /// How long the annotator looked, in milliseconds.
    pub elapsed_ms: Option<u64>,
    /// When it was cast; now if `None`. Imported votes keep their own time.
    pub at: Option<Timestamp>,
}

impl NewVote {
    /// A blind vote that is cast now, with nothing more to say of it.
    pub fn new(template: TemplateKey, annotator: impl Into<String>, judgement: Judgement) -> Self {
        Self {
            template,
            annotator: annotator.into(),
            judgement,
            round: Round::Blind,
            comment: None,
            revealed: false,
            elapsed_ms: None,
            at: None,
        }
    }
}

/// What a transaction gives: something done, or why it was refused and nothing written.
type Outcome<T> = Result<Result<T, WorkspaceError>, sqlx::Error>;

impl Workspace {
    /// Every annotator's newest vote on every template in every round, in the order they were cast; where one was cast
    /// in sight of the original label or a suggestion, also the newest that was not. Votes that were cast while their
    /// round was closed are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn votes(&self) -> Result<Vec<Vote>, WorkspaceError> {
        self.select_votes(None)
    }

    /// What [`Workspace::votes`] says of one annotator.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn votes_by(&self, annotator: &str) -> Result<Vec<Vote>, WorkspaceError> {
        self.select_votes(Some(annotator))
    }

    fn select_votes(&self, annotator: Option<&str>) -> Result<Vec<Vote>, WorkspaceError> {
        let annotator = annotator.map(str::to_owned);
        let votes = self.store.read(|connection| {
            Box::pin(async move {
                let rounds = read_rounds(connection).await?;
                let whose = if annotator.is_some() { "AND r.annotator = ?" } else { "" };
                let standing = VOTES.standing(counting(&rounds));
                let query = format!("SELECT {COLUMNS} {standing} {whose} ORDER BY r.at, r.uid");
                let query = sqlx::query(&query);
                let query = if let Some(annotator) = annotator { query.bind(annotator) } else { query };
                let mut rows = query.fetch(connection);
                let mut votes = Vec::new();
                while let Some(row) = rows.try_next().await? {
                    match vote_of(&row)? {
                        Ok(vote) => votes.push(vote),
                        Err(why) => return Ok(Err(why)),
                    }
                }
                Ok(Ok(votes))
            })
        })?;
        Ok(newest(votes.map_err(|why| self.store.damaged("votes", why))?))
    }

    /// The templates that `annotator` ever labelled, also where that was taken back: what they came labelled as has been
    /// seen, so a vote on them is never a blind one again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ever_labelled(&self, annotator: &str) -> Result<HashSet<TemplateKey>, WorkspaceError> {
        let annotator = annotator.to_owned();
        let keys: Vec<(String, String)> = self.store.read(|connection| {
            Box::pin(async move {
                sqlx::query_as(
                    "SELECT DISTINCT dataset, template FROM votes
                     WHERE annotator = ? AND judgement IN ('normal', 'abnormal')",
                )
                .bind(annotator)
                .fetch_all(connection)
                .await
            })
        })?;
        Ok(keys.into_iter().map(|(dataset, id)| TemplateKey::new(dataset, id)).collect())
    }

    /// Casts a vote. It is on disk when this returns.
    ///
    /// # Errors
    /// As [`Workspace::cast_votes`].
    pub fn cast_vote(&self, vote: &NewVote) -> Result<Vote, WorkspaceError> {
        let mut cast = self.cast_votes(std::slice::from_ref(vote))?;
        cast.pop().ok_or_else(|| WorkspaceError::Invalid("no vote was cast".into()))
    }

    /// Casts votes that are one decision: all of them or none, taken back as one. They are on disk when this returns.
    /// A panel vote is kept with what the others said as it was cast.
    ///
    /// # Errors
    /// When a template is unknown, an annotator has no name, the round takes no votes, or the store cannot be written.
    pub fn cast_votes(&self, votes: &[NewVote]) -> Result<Vec<Vote>, WorkspaceError> {
        if votes.iter().any(|vote| vote.annotator.trim().is_empty()) {
            return Err(WorkspaceError::Invalid("a vote needs an annotator's name".into()));
        }
        self.store.write(|write, at| {
            let votes = votes.to_vec();
            Box::pin(async move { cast_all(write, at, &votes).await })
        })?
    }

    /// Takes back the newest decision of `annotator` that stands; what was said before counts again. Gives the votes
    /// taken back: several where near-duplicates were decided as one, none where nothing is left to take back.
    ///
    /// # Errors
    /// When the round of that decision is closed, or the store cannot be written.
    pub fn undo_vote(&self, annotator: &str) -> Result<Vec<Vote>, WorkspaceError> {
        self.store.write(|write, at| {
            let annotator = annotator.to_owned();
            Box::pin(async move {
                let standing = VOTES.standing(counting(&read_rounds(write).await?));
                let newest = format!(
                    "SELECT coalesce(r.decision, r.uid) {standing} AND r.annotator = ? ORDER BY r.at DESC, r.uid DESC LIMIT 1"
                );
                let newest: Option<String> =
                    sqlx::query_scalar(&newest).bind(&annotator).fetch_optional(&mut **write).await?;
                let Some(decision) = newest else { return Ok(Ok(Vec::new())) };
                let group = format!(
                    "SELECT {COLUMNS} {standing} AND r.annotator = ? AND coalesce(r.decision, r.uid) = ? ORDER BY r.at, r.uid"
                );
                let rows = sqlx::query(&group).bind(&annotator).bind(&decision).fetch_all(&mut **write).await?;
                take_back_in_open_round(write, at, &rows, "uid").await
            })
        })?
    }

    /// Casts again what `annotator` last took back, if nothing was cast since. Gives the votes that count again.
    ///
    /// # Errors
    /// When the round of that decision is closed, or the store cannot be written.
    pub fn redo_vote(&self, annotator: &str) -> Result<Vec<Vote>, WorkspaceError> {
        self.store.write(|write, at| {
            let annotator = annotator.to_owned();
            Box::pin(async move {
                // Undos that stand, each with the vote that it took back.
                const UNDONE: &str = "FROM votes r JOIN votes u ON u.undoes = r.uid
                    WHERE r.judgement IS NOT NULL AND u.annotator = ?
                      AND NOT EXISTS (SELECT 1 FROM votes again WHERE again.undoes = u.uid)";
                let newest = format!(
                    "SELECT coalesce(u.decision, r.uid) {UNDONE} AND NOT EXISTS (
                         SELECT 1 FROM votes later WHERE later.annotator = u.annotator AND later.judgement IS NOT NULL
                             AND later.at > u.at)
                     ORDER BY u.at DESC, u.uid DESC LIMIT 1"
                );
                let newest: Option<String> =
                    sqlx::query_scalar(&newest).bind(&annotator).fetch_optional(&mut **write).await?;
                let Some(decision) = newest else { return Ok(Ok(Vec::new())) };
                let group = format!(
                    "SELECT {COLUMNS}, u.uid AS undo {UNDONE} AND coalesce(u.decision, r.uid) = ? ORDER BY u.at, u.uid"
                );
                let rows = sqlx::query(&group).bind(&annotator).bind(&decision).fetch_all(&mut **write).await?;
                take_back_in_open_round(write, at, &rows, "undo").await
            })
        })?
    }

    /// The uid of every vote that was ever cast or imported.
    pub(super) fn vote_uids(&self) -> Result<HashSet<String>, WorkspaceError> {
        let uids: Vec<String> = self.store.read(|connection| {
            Box::pin(sqlx::query_scalar("SELECT uid FROM votes WHERE judgement IS NOT NULL").fetch_all(connection))
        })?;
        Ok(uids.into_iter().collect())
    }

    /// The agreement of the annotators over the votes of `round`, with intervals by `bootstrap`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn agreement(&self, round: Round, bootstrap: Bootstrap) -> Result<Agreement, WorkspaceError> {
        let votes = self.votes()?;
        Ok(Agreement::of(&VoteTable::of_round(&votes, round, &self.gold_given(&votes)?), round, bootstrap))
    }
}

async fn cast_all(write: &mut Write<'_>, at: At, votes: &[NewVote]) -> Outcome<Vec<Vote>> {
    let rounds = read_rounds(write).await?;
    let mut cast: Vec<Vote> = Vec::with_capacity(votes.len());
    let decision = (votes.len() > 1).then(|| vote_uid(votes[0].at.map_or(at, At::from), &votes[0]));
    for vote in votes {
        if let Some(refusal) = refusal(&rounds, vote.round) {
            return Ok(Err(refusal));
        }
        if !templates::is_known(write, &vote.template).await? {
            return Ok(Err(WorkspaceError::NoTemplate(vote.template.to_string())));
        }
    }
    for (index, vote) in votes.iter().enumerate() {
        let others = match vote.round {
            Round::Panel => Some(others_of(write, &rounds, vote).await?),
            Round::Blind => None,
        };
        let at = vote.at.map_or(at.after(index), At::from);
        append(write, at, vote, decision.as_deref(), others).await?;
        cast.push(Vote {
            template: vote.template.clone(),
            annotator: vote.annotator.clone(),
            judgement: vote.judgement.clone(),
            round: vote.round,
            comment: vote.comment.clone(),
            revealed: vote.revealed,
            elapsed_ms: vote.elapsed_ms,
            others,
            at: at.timestamp(),
        });
    }
    Ok(Ok(cast))
}

/// Why `round` takes no votes now, if so.
fn refusal(rounds: &Rounds, round: Round) -> Option<WorkspaceError> {
    let why = match (rounds.state(round), round) {
        (RoundState::Open, _) => return None,
        (RoundState::Waiting, _) => {
            "the panel round opens when a senior closes the blind one (`logwright round close`)".to_owned()
        }
        (RoundState::Closed, Round::Blind) if rounds.state(Round::Panel) == RoundState::Open => {
            "the blind round is closed and its votes are frozen: vote in the panel round (`--round panel`, or pane 2)"
                .into()
        }
        (RoundState::Closed, _) => {
            format!(
                "the {round} round is closed and its votes are frozen: a senior rules, or opens it again (`logwright round open {round}`)"
            )
        }
    };
    Some(WorkspaceError::Invalid(why))
}

/// Takes back rows of votes by the uid in `column`, if the round that they are in is open; gives the votes.
async fn take_back_in_open_round(
    write: &mut Write<'_>,
    at: At,
    rows: &[SqliteRow],
    column: &str,
) -> Outcome<Vec<Vote>> {
    let rounds = read_rounds(write).await?;
    let mut votes = Vec::with_capacity(rows.len());
    for row in rows {
        match vote_of(row)? {
            Ok(vote) => votes.push(vote),
            Err(why) => return Ok(Err(WorkspaceError::Invalid(format!("a damaged row in votes: {why}")))),
        }
    }
    if let Some(refusal) = votes.iter().find_map(|vote| refusal(&rounds, vote.round)) {
        return Ok(Err(refusal));
    }
    let uids = rows.iter().map(|row| row.try_get(column)).collect::<Result<Vec<String>, _>>()?;
    VOTES.take_back(write, at, &uids).await?;
    Ok(Ok(votes))
}

/// What everybody but the voter says of the template now.
async fn others_of(connection: &mut SqliteConnection, rounds: &Rounds, vote: &NewVote) -> Result<Tally, sqlx::Error> {
    let query = format!(
        "SELECT judgement FROM (SELECT r.*, row_number() OVER (PARTITION BY annotator ORDER BY at DESC, uid DESC) AS age {}
             AND r.dataset = ? AND r.template = ? AND r.annotator <> ?) WHERE age = 1",
        VOTES.standing(counting(rounds))
    );
    let words: Vec<String> = sqlx::query_scalar(&query)
        .bind(&vote.template.dataset)
        .bind(&vote.template.id)
        .bind(&vote.annotator)
        .fetch_all(connection)
        .await?;
    let mut tally = Tally::default();
    words.iter().filter_map(|word| word.parse::<Label>().ok()).for_each(|label| tally.add(label));
    Ok(tally)
}

/// Of votes in the order they were cast, the newest of each annotator on each template in each round, with and without
/// sight of the label. Here and not in the query: by hash that takes a fraction of what SQLite's sorting does.
fn newest(mut votes: Vec<Vote>) -> Vec<Vote> {
    let mut seen = HashSet::with_capacity(votes.len());
    let mut keep: Vec<bool> = votes
        .iter()
        .rev()
        .map(|vote| seen.insert((&vote.template, &vote.annotator, vote.round, vote.revealed)))
        .collect();
    votes.retain(|_| keep.pop().unwrap_or(true));
    votes
}

/// The columns of `votes`, by the name `r`, that [`vote_of`] reads by their places, and the uid.
const COLUMNS: &str =
    "r.dataset, r.template, r.annotator, r.judgement, r.category, r.round, r.comment, r.revealed, r.elapsed_ms,
    r.others_normal, r.others_abnormal, r.at, r.uid";

/// A vote as its row of [`COLUMNS`] says, or what is wrong with the row.
fn vote_of(row: &SqliteRow) -> Result<Result<Vote, String>, sqlx::Error> {
    let text = |place| row.try_get::<&str, _>(place);
    let owned = |place| text(place).map(str::to_owned);
    let count = |place| row.try_get::<Option<i64>, _>(place).map(|n| n.and_then(|n| u32::try_from(n).ok()));
    let judgement = match Judgement::parse(text(3)?, row.try_get(4)?) {
        Ok(judgement) => judgement,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let round = match text(5)?.parse() {
        Ok(round) => round,
        Err(why) => return Ok(Err(why)),
    };
    let elapsed: Option<i64> = row.try_get(8)?;
    Ok(Ok(Vote {
        template: TemplateKey { dataset: owned(0)?, id: owned(1)? },
        annotator: owned(2)?,
        judgement,
        round,
        comment: row.try_get(6)?,
        revealed: row.try_get(7)?,
        elapsed_ms: elapsed.and_then(|ms| u64::try_from(ms).ok()),
        others: count(9)?.zip(count(10)?).map(|(normal, abnormal)| Tally { normal, abnormal }),
        at: At(row.try_get(11)?).timestamp(),
    }))
}

/// The uid of the row of a vote cast at `at`.
pub(super) fn vote_uid(at: At, vote: &NewVote) -> String {
    let category = vote.judgement.category().map(Category::as_str);
    uid("votes", &(at.0, &vote.template, &vote.annotator, vote.round, vote.judgement.word(), category, &vote.comment))
}

/// Appends a vote; one that is there already, to the letter, is not appended twice.
pub(super) async fn append(
    write: &mut Write<'_>,
    at: At,
    vote: &NewVote,
    decision: Option<&str>,
    others: Option<Tally>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT OR IGNORE INTO votes (uid, at, dataset, template, annotator, round, judgement, category, comment,
             elapsed_ms, revealed, decision, others_normal, others_abnormal)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(vote_uid(at, vote))
    .bind(at.0)
    .bind(&vote.template.dataset)
    .bind(&vote.template.id)
    .bind(&vote.annotator)
    .bind(vote.round.as_str())
    .bind(vote.judgement.word())
    .bind(vote.judgement.category().map(Category::as_str))
    .bind(&vote.comment)
    .bind(vote.elapsed_ms.and_then(|ms| i64::try_from(ms).ok()))
    .bind(vote.revealed)
    .bind(decision)
    .bind(others.map(|tally| tally.normal))
    .bind(others.map(|tally| tally.abnormal))
    .execute(&mut **write)
    .await?;
    Ok(done.rows_affected() > 0)
}
