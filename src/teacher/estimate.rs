//! What a job would cost, before anything is sent.

use serde::Serialize;

use super::{Ask, TeacherError, Terms};
use crate::workspace::{Known, Money, Workspace};

/// Tokens of a reply where the project has none yet to go by: a rationale of a handful of steps.
const USUAL_REPLY: u64 = 350;
/// So many replies of a job are enough to go by.
const ENOUGH: u64 = 10;

/// What a job would cost. Tokens are guessed: services count them each in their own way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Requests, if every first reply can be used.
    pub requests: u64,
    /// How many of them are answered already, and cost nothing.
    pub cached: u64,
    /// How many may have been paid for already and have no answer: they are sent again, and cost again, only where that is
    /// asked for.
    pub unsettled: u64,
    /// Tokens to read, about.
    pub prompt_tokens: u64,
    /// Tokens to write, about: as long as the project's replies were so far, else as usual.
    pub completion_tokens: u64,
    /// What the rest costs, about; `None` where the price is unknown.
    pub cost: Option<Money>,
    /// The most that it can cost if every first reply can be used; `None` where the price is unknown.
    pub cost_at_most: Option<Money>,
}

impl Estimate {
    /// What these requests would cost, each asked once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(
        asks: impl IntoIterator<Item = Ask>,
        job: &str,
        model: &str,
        terms: &Terms,
        workspace: &Workspace,
    ) -> Result<Self, TeacherError> {
        let price = terms.price;
        let spending = workspace.spending()?;
        let known = spending.iter().find(|known| known.job == job && known.model == model);
        let known = known.filter(|known| known.completions >= ENOUGH && known.completion_tokens > 0);
        let reply = known.map_or(USUAL_REPLY, |known| known.completion_tokens.div_ceil(known.completions));
        let mut estimate = Self {
            requests: 0,
            cached: 0,
            unsettled: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            cost: price.map(|_| Money::ZERO),
            cost_at_most: price.map(|_| Money::ZERO),
        };
        for ask in asks {
            estimate.requests += 1;
            match workspace.known(&ask.key(model))? {
                Known::Answered(_) => {
                    estimate.cached += 1;
                    continue;
                }
                Known::Open(_) => {
                    estimate.unsettled += 1;
                    if !terms.ask_again {
                        continue;
                    }
                }
                Known::Nothing => {}
            }
            let (prompt, completion) = (ask.prompt_tokens_about(), reply.min(u64::from(ask.max_tokens)));
            estimate.prompt_tokens += prompt;
            estimate.completion_tokens += completion;
            if let Some(price) = price {
                let most = price.of(ask.prompt_tokens_at_most(), u64::from(ask.max_tokens));
                estimate.cost = estimate.cost.map(|cost| cost + price.of(prompt, completion));
                estimate.cost_at_most = estimate.cost_at_most.map(|cost| cost + most);
            }
        }
        Ok(estimate)
    }
}
