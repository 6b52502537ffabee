//! Which round is open: blind first, then panel, then only rulings; seniors open and close.

use jiff::Timestamp;
use serde::Serialize;

use super::Round;

/// A senior opened or closed a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoundEvent {
    /// Which round.
    pub round: Round,
    /// Whether it is open from here on.
    pub open: bool,
    /// Who did it.
    pub by: String,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Everybody votes alone.
    Blind,
    /// The panel sees the blind votes, anonymised, and votes again.
    Panel,
    /// Both rounds are closed: seniors rule what is still open.
    Ruling,
}

impl Phase {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Panel => "panel",
            Self::Ruling => "ruling",
        }
    }
}

/// What a round lets annotators do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundState {
    /// It waits for the round before it to close.
    Waiting,
    /// Votes are taken.
    Open,
    /// Its votes are frozen.
    Closed,
}

impl RoundState {
    /// The word for it, as people say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// A stretch of time in which a round was closed: from a moment on, until it was opened again if it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedPeriod {
    /// The round was closed then.
    pub from: Timestamp,
    /// And opened again then.
    pub until: Option<Timestamp>,
}

/// The history of a project's rounds. The blind round is open from the start, and the panel opens when it closes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rounds {
    /// In order of time.
    events: Vec<RoundEvent>,
}

impl Rounds {
    /// The history that `events` make, whatever their order.
    pub fn new(mut events: Vec<RoundEvent>) -> Self {
        events.sort_by_key(|event| event.at);
        Self { events }
    }

    /// What happened, in order of time.
    pub fn events(&self) -> &[RoundEvent] {
        &self.events
    }

    /// The newest event of a round.
    pub fn last(&self, round: Round) -> Option<&RoundEvent> {
        self.events.iter().rfind(|event| event.round == round)
    }

    /// What a round lets annotators do now.
    pub fn state(&self, round: Round) -> RoundState {
        match (round, self.last(round)) {
            (_, Some(event)) if !event.open => RoundState::Closed,
            (Round::Blind, _) => RoundState::Open,
            (Round::Panel, _) if self.state(Round::Blind) == RoundState::Closed => RoundState::Open,
            (Round::Panel, _) => RoundState::Waiting,
        }
    }

    /// Where the process stands.
    pub fn phase(&self) -> Phase {
        match (self.state(Round::Blind), self.state(Round::Panel)) {
            (RoundState::Open, _) => Phase::Blind,
            (_, RoundState::Closed) => Phase::Ruling,
            _ => Phase::Panel,
        }
    }

    /// The round that takes votes now, if one does.
    pub fn open_round(&self) -> Option<Round> {
        Round::ALL.into_iter().find(|&round| self.state(round) == RoundState::Open)
    }

    /// Since when a round is closed, if it is.
    pub fn closed_since(&self, round: Round) -> Option<Timestamp> {
        self.closed_periods(round).last().filter(|period| period.until.is_none()).map(|period| period.from)
    }

    /// When a round was closed; what was cast meanwhile, in a copy that had not heard of it, came too late.
    pub fn closed_periods(&self, round: Round) -> Vec<ClosedPeriod> {
        let mut periods: Vec<ClosedPeriod> = Vec::new();
        for event in self.events.iter().filter(|event| event.round == round) {
            let running = periods.last_mut().filter(|period| period.until.is_none());
            match (running, event.open) {
                (Some(period), true) => period.until = Some(event.at),
                (None, false) => periods.push(ClosedPeriod { from: event.at, until: None }),
                // Two copies closed it, or opened it: the first counts.
                _ => {}
            }
        }
        periods
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(round: Round, open: bool, second: i64) -> RoundEvent {
        let at = Timestamp::from_second(second).unwrap();
        RoundEvent { round, open, by: "mei".into(), reason: None, at }
    }

    #[test]
    fn closing_blind_opens_the_panel_and_closing_that_leaves_rulings() {
        let mut events = Vec::new();
        let phase = |events: &Vec<RoundEvent>| Rounds::new(events.clone()).phase();
        assert_eq!(phase(&events), Phase::Blind);
        assert_eq!(Rounds::default().state(Round::Panel), RoundState::Waiting);
        events.push(event(Round::Blind, false, 10));
        assert_eq!(phase(&events), Phase::Panel);
        assert_eq!(Rounds::new(events.clone()).open_round(), Some(Round::Panel));
        events.push(event(Round::Panel, false, 20));
        assert_eq!(phase(&events), Phase::Ruling);
        events.push(event(Round::Panel, true, 30));
        assert_eq!(phase(&events), Phase::Panel);
    }

    #[test]
    fn two_copies_that_close_a_round_close_it_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let rounds = Rounds::new(vec![
            event(Round::Blind, true, 30),
            event(Round::Blind, false, 20),
            event(Round::Blind, false, 10),
            event(Round::Panel, false, 15),
            event(Round::Blind, false, 40),
        ]);
        let expected = [ClosedPeriod { from: at(10), until: Some(at(30)) }, ClosedPeriod { from: at(40), until: None }];
        assert_eq!(rounds.closed_periods(Round::Blind), expected);
    }
}
