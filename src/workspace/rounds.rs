//! The panel's rounds in the store: who closed and opened which, and what follows for votes.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::ledger::VOTES;
use super::store::{At, uid};
use super::{Workspace, WorkspaceError};
use crate::labels::{Phase, Round, RoundEvent, RoundState, Rounds};

/// Where a round stands, in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundStatus {
    /// Which round.
    pub round: Round,
    /// What annotators can do in it.
    pub state: RoundState,
    /// How many judgements count in it: each annotator's newest on each template.
    pub votes: u64,
    /// How many annotators gave them.
    pub annotators: u64,
    /// How many templates have one.
    pub templates: u64,
    /// How many votes came too late, from copies that had not heard that it was closed. They are kept and do not count.
    pub late: u64,
    /// The newest opening or closing.
    pub last: Option<RoundEvent>,
}

impl Workspace {
    /// The history of the project's rounds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rounds(&self) -> Result<Rounds, WorkspaceError> {
        self.store.read(|connection| Box::pin(async move { read_rounds(connection).await }))
    }

    /// Where each round stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn round_status(&self) -> Result<[RoundStatus; 2], WorkspaceError> {
        Ok([self.status_of(Round::Blind)?, self.status_of(Round::Panel)?])
    }

    fn status_of(&self, round: Round) -> Result<RoundStatus, WorkspaceError> {
        self.store.read(|connection| {
            Box::pin(async move {
                let rounds = read_rounds(connection).await?;
                let query = format!(
                    "SELECT count(*), count(DISTINCT annotator), count(DISTINCT template) FROM (
                         SELECT r.annotator, json_array(r.dataset, r.template) AS template {} AND r.round = ?
                         GROUP BY r.annotator, r.dataset, r.template)",
                    VOTES.standing(counting(&rounds))
                );
                let (votes, annotators, templates) =
                    sqlx::query_as(&query).bind(round.as_str()).fetch_one(&mut *connection).await?;
                let late = format!(
                    "SELECT count(*) FROM votes r WHERE r.judgement IS NOT NULL AND r.round = ? AND NOT {}",
                    counting(&rounds)("r")
                );
                let late = sqlx::query_scalar(&late).bind(round.as_str()).fetch_one(connection).await?;
                let (state, last) = (rounds.state(round), rounds.last(round).cloned());
                Ok(RoundStatus { round, state, votes, annotators, templates, late, last })
            })
        })
    }

    /// Closes the round that is open: its votes are frozen. Gives which that was.
    ///
    /// # Errors
    /// When no round is open, `by` is no senior, or the store cannot be written.
    pub fn close_round(&self, by: &str, reason: Option<&str>) -> Result<Round, WorkspaceError> {
        let Some(round) = self.rounds()?.open_round() else {
            return Err(WorkspaceError::Invalid(
                "both rounds are closed already: seniors rule what is open (`logwright rule`)".into(),
            ));
        };
        self.record_round(round, false, by, reason)?;
        Ok(round)
    }

    /// Opens a closed round again. The blind one cannot be opened once the panel has voted: its annotators have seen each
    /// other's votes.
    ///
    /// # Errors
    /// When the round is open or waits, the panel has voted, `by` is no senior, or the store cannot be written.
    pub fn open_round(&self, round: Round, by: &str, reason: Option<&str>) -> Result<(), WorkspaceError> {
        match self.rounds()?.state(round) {
            RoundState::Open => return Err(WorkspaceError::Invalid(format!("the {round} round is open already"))),
            RoundState::Waiting => {
                return Err(WorkspaceError::Invalid(
                    "the panel round opens when a senior closes the blind one (`logwright round close`)".into(),
                ));
            }
            RoundState::Closed => {}
        }
        if round == Round::Blind && self.status_of(Round::Panel)?.votes > 0 {
            return Err(WorkspaceError::Invalid(
                "the blind round stays closed: the panel has voted, in sight of the blind votes (undo its votes first)"
                    .into(),
            ));
        }
        self.record_round(round, true, by, reason)
    }

    fn record_round(&self, round: Round, open: bool, by: &str, reason: Option<&str>) -> Result<(), WorkspaceError> {
        self.require_senior(by, "open or close rounds")?;
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
        self.store.write(|write, at| {
            let by = by.to_owned();
            Box::pin(async move {
                let event = if open { "open" } else { "close" };
                sqlx::query("INSERT INTO rounds (uid, at, round, event, senior, reason) VALUES (?, ?, ?, ?, ?, ?)")
                    .bind(uid("rounds", &(at.0, round, event, &by, &reason)))
                    .bind(at.0)
                    .bind(round.as_str())
                    .bind(event)
                    .bind(&by)
                    .bind(&reason)
                    .execute(&mut **write)
                    .await
                    .map(drop)
            })
        })
    }

    /// Refuses who is no senior of this project.
    ///
    /// # Errors
    /// For everybody else, naming the seniors.
    pub(super) fn require_senior(&self, name: &str, what: &str) -> Result<(), WorkspaceError> {
        if self.settings().is_senior(name) {
            return Ok(());
        }
        let seniors = self.settings().seniors.join(", ");
        Err(WorkspaceError::Invalid(format!("{name} may not {what} here; seniors are {seniors}")))
    }

    /// Where the process stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn phase(&self) -> Result<Phase, WorkspaceError> {
        Ok(self.rounds()?.phase())
    }
}

/// The history of the rounds, within a transaction or outside.
pub(super) async fn read_rounds(connection: &mut SqliteConnection) -> Result<Rounds, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM rounds ORDER BY at, uid").fetch_all(connection).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let round: String = row.try_get("round")?;
        let event: String = row.try_get("event")?;
        events.push(RoundEvent {
            round: if round == Round::Panel.as_str() { Round::Panel } else { Round::Blind },
            open: event == "open",
            by: row.try_get("senior")?,
            reason: row.try_get("reason")?,
            at: At(row.try_get("at")?).timestamp(),
        });
    }
    Ok(Rounds::new(events))
}

/// The condition, for a row of `votes` by the name given, that it was not cast while its round was closed.
pub(super) fn counting(rounds: &Rounds) -> impl Fn(&str) -> String {
    let mut closed: Vec<(&'static str, i64, i64)> = Vec::new();
    for round in Round::ALL {
        for period in rounds.closed_periods(round) {
            let until = period.until.map_or(i64::MAX, |until| At::from(until).0);
            closed.push((round.as_str(), At::from(period.from).0, until));
        }
    }
    move |row| {
        let late: Vec<String> = closed
            .iter()
            .map(|(round, from, until)| format!("{row}.round = '{round}' AND {row}.at > {from} AND {row}.at < {until}"))
            .collect();
        if late.is_empty() { "TRUE".to_owned() } else { format!("NOT ({})", late.join(" OR ")) }
    }
}
