//! How fast a teacher is asked: so many requests and tokens in any minute, and not at all while the service asks to wait.

use std::collections::VecDeque;
use std::sync::{Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// What limits are stated for.
const WINDOW: Duration = Duration::from_secs(60);

/// Lets requests through at the pace that was agreed, in the order in which they came.
#[derive(Debug)]
pub struct Pacer {
    requests: Option<u64>,
    tokens: Option<u64>,
    /// One at a time stands at the gate; the lock is fair.
    gate: Mutex<()>,
    passed: Lock<Passed>,
}

#[derive(Debug, Default)]
struct Passed {
    /// When each of the last minute passed, with its tokens and its number.
    recent: VecDeque<(Instant, u64, u64)>,
    next: u64,
    closed_until: Option<Instant>,
}

impl Pacer {
    /// A pace of at most so many requests and tokens in any minute.
    pub fn new(requests: Option<u64>, tokens: Option<u64>) -> Self {
        Self { requests, tokens, gate: Mutex::new(()), passed: Lock::default() }
    }

    /// Waits for its turn with a request of so many tokens; gives its number. One that has more tokens than a minute may
    /// have goes alone.
    pub async fn pass(&self, tokens: u64) -> u64 {
        let _gate = self.gate.lock().await;
        loop {
            let admitted = self.admit(&mut self.lock(), Instant::now(), tokens);
            match admitted {
                Ok(number) => return number,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Lets a request through, or says how long it has to wait.
    fn admit(&self, passed: &mut Passed, now: Instant, tokens: u64) -> Result<u64, Duration> {
        if let Some(wait) = self.wait(passed, now, tokens) {
            return Err(wait);
        }
        let number = passed.next;
        passed.next += 1;
        if self.requests.is_some() || self.tokens.is_some() {
            passed.recent.push_back((now, tokens, number));
        }
        Ok(number)
    }

    /// How long the next request has to wait; `None` if not at all.
    fn wait(&self, passed: &mut Passed, now: Instant, tokens: u64) -> Option<Duration> {
        if let Some(until) = passed.closed_until.filter(|until| *until > now) {
            return Some(until - now);
        }
        while passed.recent.front().is_some_and(|(at, ..)| now.duration_since(*at) >= WINDOW) {
            passed.recent.pop_front();
        }
        let used: u64 = passed.recent.iter().map(|(_, tokens, _)| tokens).sum();
        let full = self.requests.is_some_and(|most| passed.recent.len() as u64 >= most)
            || self.tokens.is_some_and(|most| !passed.recent.is_empty() && used + tokens > most);
        let (first, ..) = passed.recent.front()?;
        full.then(|| (*first + WINDOW).saturating_duration_since(now).max(Duration::from_millis(1)))
    }

    /// Says how many tokens request `number` had in the end.
    pub fn settle(&self, number: u64, tokens: u64) {
        if let Some(entry) = self.lock().recent.iter_mut().find(|(.., known)| *known == number) {
            entry.1 = tokens;
        }
    }

    /// Lets nothing through for this long: the service asked for it.
    pub fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut passed = self.lock();
        passed.closed_until = Some(passed.closed_until.map_or(until, |known| known.max(until)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `requests` passes, in seconds from `start`, by a clock of its own.
    fn passes(pacer: &Pacer, start: Instant, requests: &[u64]) -> Vec<u64> {
        let mut now = start;
        let mut times = Vec::new();
        for tokens in requests {
            while let Err(wait) = pacer.admit(&mut pacer.lock(), now, *tokens) {
                now += wait;
            }
            times.push((now - start).as_secs());
        }
        times
    }

    #[test]
    fn no_minute_has_more_requests_than_agreed() {
        let now = Instant::now();
        assert_eq!(passes(&Pacer::new(Some(2), None), now, &[1; 5]), [0, 0, 60, 60, 120]);
        assert_eq!(passes(&Pacer::new(None, None), now, &[1; 3]), [0, 0, 0]);
    }

    #[test]
    fn no_minute_has_more_tokens_than_agreed_and_a_large_request_goes_alone() {
        let times = passes(&Pacer::new(None, Some(100)), Instant::now(), &[60, 40, 1, 500, 1]);
        assert_eq!(times, [0, 0, 60, 120, 180]);
    }

    #[test]
    fn what_was_not_used_is_for_others() {
        let pacer = Pacer::new(None, Some(100));
        let now = Instant::now();
        let first = pacer.admit(&mut pacer.lock(), now, 100).unwrap();
        pacer.settle(first, 10);
        assert_eq!(passes(&pacer, now, &[90, 1]), [0, 60]);
    }

    #[test]
    fn a_service_that_asks_to_wait_is_waited_for_by_all() {
        let pacer = Pacer::new(None, None);
        pacer.close_for(Duration::from_secs(7));
        pacer.close_for(Duration::from_secs(3));
        let times = passes(&pacer, Instant::now(), &[1, 1]);
        assert!(times.iter().all(|time| (6..=7).contains(time)), "{times:?}");
    }
}
