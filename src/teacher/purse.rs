//! Money: what may be spent, what is promised to requests under way, and what has been spent.
//!
//! A request takes the most that it can cost out of the budget before it is sent, and gives back what it did not need. So
//! nothing that is under way can overspend together. What was lost on the way and may have been charged counts as spent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::workspace::{Money, Price};

/// A budget and what has become of it.
#[derive(Debug)]
pub struct Purse {
    price: Option<Price>,
    budget: Option<Money>,
    held: Mutex<Held>,
    returned: Notify,
}

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    spent: Money,
    reserved: Money,
}

/// Money set aside for one request. Dropping it gives all of it back.
#[derive(Debug)]
pub struct Reservation<'p> {
    purse: &'p Purse,
    amount: Money,
}

/// A request that would cost more than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget of {budget} would be overspent: {spent} is spent, and the next request may cost up to {needed}")]
pub struct OverBudget {
    /// What may be spent.
    pub budget: Money,
    /// What has been.
    pub spent: Money,
    /// What the request may cost.
    pub needed: Money,
}

impl Purse {
    /// A purse of so much, for a model of this price; without a budget it only counts, without a price it cannot.
    pub fn new(price: Option<Price>, budget: Option<Money>) -> Self {
        Self { price, budget, held: Mutex::default(), returned: Notify::new() }
    }

    /// What so many tokens cost; `None` where the price is unknown.
    pub fn cost(&self, prompt_tokens: u64, completion_tokens: u64) -> Option<Money> {
        self.price.map(|price| price.of(prompt_tokens, completion_tokens))
    }

    /// Sets aside what a request may cost; waits where money is only out with other requests.
    ///
    /// # Errors
    /// When the budget cannot cover it whatever comes back.
    pub async fn reserve(&self, prompt_tokens: u64, completion_tokens: u64) -> Result<Reservation<'_>, OverBudget> {
        let needed = self.cost(prompt_tokens, completion_tokens).unwrap_or_default();
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            // Registered before the look, so that nothing that comes back in between is missed.
            returned.as_mut().enable();
            match self.try_reserve(needed) {
                Ok(Some(reservation)) => return Ok(reservation),
                Ok(None) => returned.await,
                Err(over) => return Err(over),
            }
        }
    }

    /// Sets `needed` aside; `None` where that has to wait for money that is out.
    fn try_reserve(&self, needed: Money) -> Result<Option<Reservation<'_>>, OverBudget> {
        let mut held = self.lock();
        if let Some(budget) = self.budget {
            if held.spent + needed > budget {
                return Err(OverBudget { budget, spent: held.spent, needed });
            }
            if held.spent + held.reserved + needed > budget {
                return Ok(None);
            }
        }
        held.reserved += needed;
        Ok(Some(Reservation { purse: self, amount: needed }))
    }

    /// What has been spent; `None` where the price is unknown.
    pub fn spent(&self) -> Option<Money> {
        self.price.map(|_| self.lock().spent)
    }

    /// What is left to spend, where there is a budget.
    pub fn remaining(&self) -> Option<Money> {
        let held = *self.lock();
        self.budget.map(|budget| budget.less(held.spent))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation<'_> {
    /// What was set aside.
    pub fn amount(&self) -> Money {
        self.amount
    }

    /// Spends what it came to, and gives the rest back.
    pub fn settle(self, cost: Money) {
        self.purse.lock().spent += cost;
    }

    /// Spends all of it.
    pub fn forfeit(self) {
        let amount = self.amount;
        self.settle(amount);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut held = self.purse.lock();
        held.reserved = held.reserved.less(self.amount);
        drop(held);
        self.purse.returned.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRICE: Price = Price { input: 1.0, output: 2.0 };

    fn purse(nanos: u64) -> Purse {
        Purse::new(Some(PRICE), Some(Money::from_nanos(nanos)))
    }

    fn at_once(purse: &Purse, prompt: u64, completion: u64) -> Result<Option<Reservation<'_>>, OverBudget> {
        purse.try_reserve(purse.cost(prompt, completion).unwrap())
    }

    #[test]
    fn a_request_takes_the_most_and_gives_back_the_rest() {
        let purse = purse(10_000);
        let first = at_once(&purse, 2, 3).unwrap().unwrap();
        assert_eq!(first.amount(), Money::from_nanos(8_000));
        assert!(at_once(&purse, 2, 3).unwrap().is_none(), "the second waits for the first");
        first.settle(Money::from_nanos(1_000));
        assert_eq!(purse.remaining(), Some(Money::from_nanos(9_000)));
        let second = at_once(&purse, 2, 3).unwrap().unwrap();
        second.forfeit();
        let over = at_once(&purse, 2, 0).unwrap_err();
        assert_eq!((over.spent, over.needed), (Money::from_nanos(9_000), Money::from_nanos(2_000)));
        drop(at_once(&purse, 1, 0).unwrap().unwrap());
        assert_eq!(purse.spent(), Some(Money::from_nanos(9_000)));
    }

    #[test]
    fn without_a_price_nothing_is_counted() {
        let purse = Purse::new(None, None);
        assert!(purse.try_reserve(Money::ZERO).unwrap().is_some());
        assert_eq!((purse.spent(), purse.remaining(), purse.cost(1, 1)), (None, None, None));
    }

    #[tokio::test]
    async fn one_that_waits_goes_on_when_money_comes_back() {
        let purse = purse(10_000);
        let first = purse.reserve(8, 0).await.unwrap();
        let waiting = purse.reserve(8, 0);
        let coming_back = async {
            tokio::task::yield_now().await;
            first.settle(Money::from_nanos(500));
        };
        let (second, ()) = tokio::join!(waiting, coming_back);
        assert_eq!(second.unwrap().amount(), Money::from_nanos(8_000));
        let first = purse.reserve(8, 0).await.unwrap();
        let (second, ()) = tokio::join!(purse.reserve(8, 0), async {
            tokio::task::yield_now().await;
            first.forfeit();
        });
        assert!(second.is_err(), "what came back is not enough");
    }

    proptest! {
        #[test]
        fn never_more_is_spent_than_the_budget(
            budget in 0_u64..50_000,
            requests in prop::collection::vec((0_u64..20, 0_u64..20, 0_u64..=100, any::<bool>()), 0..60),
        ) {
            let purse = purse(budget);
            let mut out = Vec::new();
            for (prompt, completion, share, later) in requests {
                if let Ok(Some(reservation)) = at_once(&purse, prompt, completion) {
                    if later {
                        out.push(reservation);
                    } else {
                        let cost = Money::from_nanos(reservation.amount().nanos() * share / 100);
                        reservation.settle(cost);
                    }
                }
                prop_assert!(purse.spent().unwrap().nanos() <= budget);
            }
            out.into_iter().for_each(Reservation::forfeit);
            prop_assert!(purse.spent().unwrap().nanos() <= budget);
        }
    }
}
