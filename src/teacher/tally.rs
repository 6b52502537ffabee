//! How a job is going, in numbers and in a line.

use std::fmt;

use serde::Serialize;

use super::Usage;
use crate::workspace::Money;

/// How a job is going.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Items to do.
    pub items: usize,
    /// Items done, reported or given up.
    pub done: usize,
    /// Replies that the teacher gave.
    pub asked: u64,
    /// Replies that were there already.
    pub cached: u64,
    /// Attempts that came to nothing.
    pub missed: u64,
    /// Requests under way now.
    pub under_way: usize,
    /// Tokens read and written, as far as the teacher said.
    #[serde(flatten)]
    pub usage: Usage,
    /// What has been spent; `None` where the price is unknown.
    pub spent: Option<Money>,
    /// What is left of the budget, if there is one.
    pub remaining: Option<Money>,
    /// Requests that this job met or made and that may have been paid for, though there is no answer: they are not sent
    /// again unless that is asked for.
    pub unsettled: usize,
    /// The most that these may have cost, whenever they were sent; `None` where the price is unknown.
    pub unsettled_cost: Option<Money>,
}

/// How it goes, in one line for people.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, done, asked, cached, missed, under_way, spent, remaining, unsettled, .. } = self;
        write!(f, "{done}/{items} · {asked} asked, {cached} cached")?;
        if *missed > 0 {
            write!(f, ", {missed} missed")?;
        }
        if *unsettled > 0 {
            write!(f, ", {unsettled} unsettled")?;
        }
        if *under_way > 0 {
            write!(f, " · {under_way} under way")?;
        }
        spent.map_or(Ok(()), |spent| write!(f, " · {spent} spent"))?;
        remaining.map_or(Ok(()), |remaining| write!(f, ", {remaining} left"))
    }
}
