//! What the store holds already, as far as an import must know.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Entry, ImportKind, Key};
use crate::labels::{Round, RoundState, Rounds};
use crate::logs::TemplateKey;
use crate::workspace::store::At;
use crate::workspace::{TaskCase, Workspace, WorkspaceError, votes};

/// What an import of some kind may meet.
pub(super) enum Known {
    /// The newest row of every id.
    Rows(HashMap<Key, Entry>),
    Tasks(HashSet<TaskCase>),
    /// Votes: the templates there are, and what closed rounds still take. The store tells known votes from new ones.
    Votes {
        templates: HashSet<TemplateKey>,
        rounds: Rounds,
        frozen: HashSet<String>,
    },
}

impl Known {
    /// What there is of the kind.
    pub fn load(workspace: &Workspace, kind: ImportKind) -> Result<Self, WorkspaceError> {
        fn rows<T>(rows: Vec<T>, entry: impl Fn(Box<T>) -> Entry) -> Known {
            let entries = rows.into_iter().map(|row| entry(Box::new(row)));
            Known::Rows(entries.filter_map(|entry| Some((entry.key()?, entry))).collect())
        }
        Ok(match kind {
            ImportKind::Templates => rows(workspace.templates()?, Entry::Template),
            ImportKind::Rationales => rows(workspace.rationales()?, Entry::Rationale),
            ImportKind::Pairs => rows(workspace.pairs()?, Entry::Pair),
            ImportKind::Thoughts => rows(workspace.thoughts()?, Entry::Thought),
            ImportKind::Tasks => Self::Tasks(workspace.task_cases()?.into_iter().collect()),
            ImportKind::Votes => Self::votes(workspace)?,
        })
    }

    fn votes(workspace: &Workspace) -> Result<Self, WorkspaceError> {
        let templates = workspace.templates()?.into_iter().map(|record| record.key().clone()).collect();
        let rounds = workspace.rounds()?;
        let closed = Round::ALL.iter().any(|&round| rounds.state(round) == RoundState::Closed);
        let frozen = if closed { workspace.vote_uids()? } else { HashSet::new() };
        Ok(Self::Votes { templates, rounds, frozen })
    }

    /// Whether the store can take `entry`.
    pub fn check(&self, entry: &Entry) -> Result<(), String> {
        let (Self::Votes { templates, rounds, frozen }, Entry::Vote(vote)) = (self, entry) else { return Ok(()) };
        if !templates.contains(&vote.template) {
            return Err(format!("no template {} here", vote.template));
        }
        let round = vote.round;
        let Some(closed) = rounds.closed_since(round) else { return Ok(()) };
        let at = vote.at.unwrap_or(Timestamp::MAX);
        let in_time = Timestamp::from_second(86_400).is_ok_and(|known| at >= known) && at <= closed;
        if in_time || frozen.contains(&votes::vote_uid(At::from(at), vote)) {
            return Ok(());
        }
        Err(format!(
            "the {round} round was closed at {closed}, and this vote names no time before that in \"at\" (a senior may open \
             it again: `logwright round open {round}`)"
        ))
    }

    /// The store's newest row of what `entry` goes by.
    pub fn row(&self, entry: &Entry) -> Option<&Entry> {
        match self {
            Self::Rows(rows) => rows.get(&entry.key()?),
            Self::Tasks(_) | Self::Votes { .. } => None,
        }
    }

    /// Whether that row says just the same, or `whatever` it says.
    pub fn has(&self, entry: &Entry, whatever: bool) -> bool {
        match (self, entry) {
            (Self::Tasks(known), Entry::Task(case)) => known.contains(&**case),
            _ => self.row(entry).is_some_and(|row| whatever || row == entry),
        }
    }
}
