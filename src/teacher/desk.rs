//! The desk that a job's requests go over: from what is kept, else to the teacher; within the pace and the budget; again
//! where that may help; and kept before anybody sees it.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::{Semaphore, oneshot, watch};

use super::job::{Ended, Terms};
use super::{Ask, Finish, Miss, OverBudget, Pacer, Paid, Purse, Remedy, Reply, Reservation, Tally, Teacher, Usage};
use crate::workspace::{Completion, CompletionEnd, Holder, Money, Sending, Sent, Settled, Settlement, ToSend};

/// The most that is waited between two attempts, unless the service asks for more.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// A service that asks to wait longer than this is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// How long a request under way may still take once the job is to stop: its reply is likely paid for.
const GRACE: Duration = Duration::from_secs(20);
/// When so many requests in a row came to nothing, for all their repetitions, the service is given up.
const HOPELESS: usize = 10;

/// How often it is looked whether another process has its answer.
const OTHERS: Duration = Duration::from_millis(250);

/// What is asked of the thread that holds the project.
pub(super) enum Errand {
    /// Says what is known of a request.
    Find { key: String, found: oneshot::Sender<Found> },
    /// Writes down that a request is being sent.
    Send { to_send: ToSend, sent: oneshot::Sender<Sent> },
    /// Writes down what became of one.
    Settle { settled: Settled, kept: oneshot::Sender<()> },
}

/// What is known of a request.
pub(super) enum Found {
    Answered(Completion),
    /// Another process waits for its answer.
    UnderWay(Holder),
    /// It was sent, and nobody waits for its answer any more.
    Open(Vec<Sending>),
    Nothing,
}

/// What came of an attempt.
enum Attempted {
    Answered(Answered),
    Missed(Miss),
    /// Another process was faster.
    Busy,
}

/// A reply, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The reply.
    pub reply: Reply,
    /// What it is kept under.
    pub key: String,
    /// Whether it was there already, and cost nothing now.
    pub cached: bool,
}

/// Why a job's request has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAnswered {
    /// This one failed; others may do better. Why, in one line.
    Failed(String),
    /// The whole job is over: there is nothing more to ask.
    Over,
}

/// Where a job's requests go.
pub struct Desk<'a> {
    teacher: &'a dyn Teacher,
    terms: &'a Terms,
    job: &'static str,
    /// What requests name as their sender.
    process: &'a str,
    errands: Sender<Errand>,
    /// As many requests at a time as the terms allow, whatever number of items is worked on.
    lines: Semaphore,
    purse: Purse,
    pacer: Pacer,
    over: watch::Sender<Option<Ended>>,
    tally: Mutex<Tally>,
    /// Requests in a row that came to nothing.
    in_vain: AtomicUsize,
    /// One lock for each question under way: the same one, asked twice, is paid for once.
    under_way: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Requests that may have been paid for without an answer, by id.
    unsettled: Mutex<BTreeMap<String, Sending>>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        teacher: &'a dyn Teacher,
        terms: &'a Terms,
        job: &'static str,
        process: &'a str,
        items: usize,
        errands: Sender<Errand>,
    ) -> Self {
        Self {
            teacher,
            terms,
            job,
            process,
            errands,
            lines: Semaphore::new(terms.concurrency.max(1)),
            purse: Purse::new(terms.price, terms.budget),
            pacer: Pacer::new(terms.requests_per_minute, terms.tokens_per_minute),
            over: watch::Sender::new(None),
            tally: Mutex::new(Tally { items, ..Tally::default() }),
            in_vain: AtomicUsize::new(0),
            under_way: Mutex::default(),
            unsettled: Mutex::default(),
        }
    }

    /// The teacher's model.
    pub fn model(&self) -> &str {
        self.teacher.model()
    }

    /// How it goes.
    pub fn tally(&self) -> Tally {
        let unsettled = lock(&self.unsettled);
        let costs = unsettled.values().filter_map(|sending| sending.cost);
        let unsettled_cost = costs.reduce(|sum, cost| sum + cost);
        let (spent, remaining) = (self.purse.spent(), self.purse.remaining());
        Tally { spent, remaining, unsettled: unsettled.len(), unsettled_cost, ..*self.lock() }
    }

    /// The requests that may have been paid for without an answer, the oldest first.
    pub(super) fn unsettled(&self) -> Vec<Sending> {
        let mut unsettled: Vec<Sending> = lock(&self.unsettled).values().cloned().collect();
        unsettled.sort_by_key(|sending| sending.sent_at);
        unsettled
    }

    pub(super) fn count_done(&self) {
        self.lock().done += 1;
    }

    /// Ends the job: nothing more is asked. The first reason stays.
    pub(super) fn end(&self, why: Ended) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            if first {
                *over = Some(why);
            }
            first
        });
    }

    /// Why the job is over, if it is.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.over.borrow().clone()
    }

    /// Asks: the reply is kept on disk when this returns it.
    ///
    /// # Errors
    /// When there is none for this request, or the job is over.
    pub async fn ask(&self, ask: &Ask) -> Result<Answered, NotAnswered> {
        let key = ask.key(self.teacher.model());
        let turn = Arc::clone(lock(&self.under_way).entry(key.clone()).or_default());
        let answered = {
            let _turn = turn.lock().await;
            self.ask_alone(ask, &key).await
        };
        drop(turn);
        let mut under_way = lock(&self.under_way);
        if under_way.get(&key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            under_way.remove(&key);
        }
        answered
    }

    async fn ask_alone(&self, ask: &Ask, key: &str) -> Result<Answered, NotAnswered> {
        let mut attempt = 0;
        loop {
            let again = match self.look(key).await? {
                Found::Answered(kept) => return Ok(self.cached(kept, key)),
                Found::Open(open) if !self.terms.ask_again => return Err(self.leave(open)),
                Found::Open(open) => open.into_iter().map(|sending| sending.id).collect(),
                Found::UnderWay(_) | Found::Nothing => Vec::new(),
            };
            let miss = match self.attempt(ask, key, again).await? {
                Attempted::Answered(answered) => {
                    self.in_vain.store(0, Ordering::Relaxed);
                    // What was lost of it before counts as spent, but it has its answer now.
                    lock(&self.unsettled).retain(|_, sending| sending.key != key);
                    return Ok(answered);
                }
                Attempted::Busy => continue,
                Attempted::Missed(miss) => miss,
            };
            self.lock().missed += 1;
            let asked_to_wait = match miss.remedy {
                Remedy::GiveUp => {
                    self.end(Ended::Refused(miss.why));
                    return Err(NotAnswered::Over);
                }
                Remedy::Skip => return Err(NotAnswered::Failed(miss.why)),
                Remedy::Again(wait) => wait,
                Remedy::Reach => None,
            };
            // What may have been paid for is not paid for again by our own doing.
            let perhaps_paid = miss.paid != Paid::No && !self.terms.ask_again;
            if perhaps_paid || attempt == self.terms.retries {
                return Err(self.give_up(miss, attempt, perhaps_paid));
            }
            if let Some(wait) = asked_to_wait {
                if wait > LONGEST_WAIT {
                    let seconds = wait.as_secs();
                    self.end(Ended::Refused(format!("{}; it asks to come back in {seconds} s", miss.why)));
                    return Err(NotAnswered::Over);
                }
                // What the service says to one request holds for all.
                self.pacer.close_for(wait);
            }
            self.unless_over(tokio::time::sleep(backoff(self.terms.backoff, attempt))).await?;
            attempt += 1;
        }
    }

    /// What is known of a request that no other process has under way. One that does not go on is not waited for: what it has
    /// out may be paid for, so that it is not sent again either.
    async fn look(&self, key: &str) -> Result<Found, NotAnswered> {
        loop {
            match self.find(key).await? {
                Found::UnderWay(holder) if holder.overdue => return Err(NotAnswered::Failed(holder.to_string())),
                Found::UnderWay(_) => self.unless_over(tokio::time::sleep(OTHERS)).await?,
                found => return Ok(found),
            }
        }
    }

    fn cached(&self, kept: Completion, key: &str) -> Answered {
        self.lock().cached += 1;
        Answered { reply: reply_of(kept), key: key.to_owned(), cached: true }
    }

    /// Leaves a request alone that was sent before.
    fn leave(&self, open: Vec<Sending>) -> NotAnswered {
        let last = open.iter().map(|sending| sending.sent_at).max().unwrap_or_default();
        let ids: Vec<&str> = open.iter().map(|sending| sending.id.get(..8).unwrap_or(&sending.id)).collect();
        let why = format!(
            "may have been paid for: sent at {last:.0}, no answer kept ({}); --ask-again asks again",
            ids.join(", ")
        );
        lock(&self.unsettled).extend(open.into_iter().map(|sending| (sending.id.clone(), sending)));
        NotAnswered::Failed(why)
    }

    /// Gives a request up; and the service, where nothing at all comes of it.
    fn give_up(&self, miss: Miss, attempt: u32, perhaps_paid: bool) -> NotAnswered {
        let why = match (attempt, perhaps_paid) {
            (_, true) => format!("{}; it may have been paid for: --ask-again asks again", miss.why),
            (0, false) => format!("{} (tried once)", miss.why),
            (_, false) => format!("{} (tried {} times)", miss.why, attempt + 1),
        };
        let in_vain = self.in_vain.fetch_add(1, Ordering::Relaxed) + 1;
        let never_reached = miss.remedy == Remedy::Reach && self.lock().asked == 0;
        if never_reached {
            self.end(Ended::Refused(format!("{why}; is the service running, and its address right?")));
        } else if in_vain >= HOPELESS.max(2 * self.terms.concurrency) {
            self.end(Ended::Refused(format!("{in_vain} requests in a row came to nothing; the last: {why}")));
        }
        NotAnswered::Failed(why)
    }

    /// One attempt, once pace and budget let it through; open requests for the same thing are knowingly sent `again`.
    async fn attempt(&self, ask: &Ask, key: &str, again: Vec<String>) -> Result<Attempted, NotAnswered> {
        let (prompt, completion) = (ask.prompt_tokens_at_most(), u64::from(ask.max_tokens));
        // The semaphore is never closed.
        let _line = self.unless_over(self.lines.acquire()).await?;
        let number = self.unless_over(self.pacer.pass(ask.prompt_tokens_about() + completion)).await?;
        let reservation = match self.unless_over(self.purse.reserve(prompt, completion)).await? {
            Ok(reservation) => reservation,
            Err(over) => {
                self.end(Ended::Budget(over.to_string()));
                return Err(NotAnswered::Over);
            }
        };
        // Between waiting and sending the job may have ended.
        if self.ended().is_some() {
            return Err(NotAnswered::Over);
        }
        let sending = match self.write_down(key, again, reservation.amount()).await? {
            None => None,
            Some(Sent::Go(sending)) => Some(sending),
            Some(Sent::Answered(kept)) => {
                self.pacer.settle(number, 0);
                return Ok(Attempted::Answered(self.cached(kept, key)));
            }
            Some(Sent::Open(_)) => {
                self.pacer.settle(number, 0);
                return Ok(Attempted::Busy);
            }
            Some(Sent::Wait) => {
                self.pacer.settle(number, 0);
                drop(reservation);
                self.unless_over(tokio::time::sleep(OTHERS)).await?;
                return Ok(Attempted::Busy);
            }
            Some(Sent::Held(holder)) => {
                self.pacer.settle(number, 0);
                self.end(Ended::Budget(format!("there is no room beside a request that is not settled: {holder}")));
                return Err(NotAnswered::Over);
            }
            Some(Sent::TooDear { spent, promised, budget }) => {
                self.pacer.settle(number, 0);
                let over = OverBudget { budget, spent: spent + promised, needed: reservation.amount() };
                self.end(Ended::Budget(over.to_string()));
                return Err(NotAnswered::Over);
            }
        };
        self.lock().under_way += 1;
        let replied = self.in_time(ask).await;
        self.lock().under_way -= 1;
        let id = sending.as_ref().map(|sending| sending.id.clone());
        match replied {
            Ok(reply) => {
                if let Some(usage) = reply.usage {
                    self.pacer.settle(number, usage.prompt_tokens + usage.completion_tokens);
                }
                let cost = self.settle(reservation, reply.usage);
                self.count(reply.usage);
                self.lock().asked += 1;
                let completion = completion_of(&reply, key, self.job, self.teacher.model(), cost);
                self.keep(id, Settlement::Answered, Some(completion)).await?;
                Ok(Attempted::Answered(Answered { reply, key: key.to_owned(), cached: false }))
            }
            Err(miss) => {
                let (usage, cost) = match miss.paid {
                    Paid::No => {
                        self.pacer.settle(number, 0);
                        drop(reservation);
                        if id.is_some() {
                            self.keep(id, Settlement::Unpaid, None).await?;
                        }
                        return Ok(Attempted::Missed(miss));
                    }
                    Paid::Yes(usage) => (Some(usage), self.settle(reservation, Some(usage))),
                    Paid::Perhaps => (None, self.settle(reservation, None)),
                };
                self.count(usage);
                let lost = Completion {
                    key: key.to_owned(),
                    job: self.job.to_owned(),
                    model: self.teacher.model().to_owned(),
                    end: CompletionEnd::Lost,
                    reply: String::new(),
                    prompt_tokens: usage.map(|usage| usage.prompt_tokens),
                    completion_tokens: usage.map(|usage| usage.completion_tokens),
                    cost,
                };
                self.keep(id, Settlement::Lost, Some(lost)).await?;
                if let Some(sending) = sending {
                    lock(&self.unsettled).insert(sending.id.clone(), Sending { cost, lost: true, ..sending });
                }
                Ok(Attempted::Missed(miss))
            }
        }
    }

    /// The teacher's reply, or that it did not come in time.
    async fn in_time(&self, ask: &Ask) -> Result<Reply, Miss> {
        let late = |why: String| Err(Miss { why, remedy: Remedy::Again(None), paid: Paid::Perhaps });
        let mut over = self.over.subscribe();
        let patience = async {
            // What the budget has room for is waited for to its end. The sender lives as long as this desk.
            let _ = over.wait_for(|over| over.as_ref().is_some_and(|why| !matches!(why, Ended::Budget(_)))).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            reply = tokio::time::timeout(self.terms.timeout, self.teacher.ask(ask)) => match reply {
                Ok(reply) => reply,
                Err(_) => {
                    let seconds = self.terms.timeout.as_secs_f64();
                    late(format!("{} gave no whole reply in {seconds} s", self.teacher.place()))
                }
            },
            () = patience => late(format!("{} gave no reply before the job ended", self.teacher.place())),
        }
    }

    /// Pays for a request: by its usage, or all that it may have cost where nobody says.
    fn settle(&self, reservation: Reservation<'_>, usage: Option<Usage>) -> Option<Money> {
        let most = reservation.amount();
        match usage.map(|usage| self.purse.cost(usage.prompt_tokens, usage.completion_tokens)) {
            Some(None) => None,
            Some(Some(cost)) => {
                reservation.settle(cost);
                Some(cost)
            }
            None => {
                reservation.forfeit();
                self.terms.price.map(|_| most)
            }
        }
    }

    fn count(&self, usage: Option<Usage>) {
        let usage = usage.unwrap_or_default();
        let mut tally = self.lock();
        tally.usage.prompt_tokens += usage.prompt_tokens;
        tally.usage.completion_tokens += usage.completion_tokens;
    }

    async fn find(&self, key: &str) -> Result<Found, NotAnswered> {
        let (found, answer) = oneshot::channel();
        // Where nobody takes the errand, the store has failed and the job is over.
        let _ = self.errands.send(Errand::Find { key: key.to_owned(), found });
        answer.await.map_err(|_| NotAnswered::Over)
    }

    /// Writes down that a request is being sent; not where it costs nothing.
    async fn write_down(&self, key: &str, again: Vec<String>, most: Money) -> Result<Option<Sent>, NotAnswered> {
        if self.terms.free {
            return Ok(None);
        }
        let to_send = ToSend {
            key: key.to_owned(),
            job: self.job.to_owned(),
            model: self.teacher.model().to_owned(),
            process: self.process.to_owned(),
            cost: self.terms.price.map(|_| most),
            again,
        };
        let (sent, answer) = oneshot::channel();
        let _ = self.errands.send(Errand::Send { to_send, sent });
        answer.await.map(Some).map_err(|_| NotAnswered::Over)
    }

    async fn keep(
        &self,
        sending: Option<String>,
        outcome: Settlement,
        completion: Option<Completion>,
    ) -> Result<(), NotAnswered> {
        let (kept, answer) = oneshot::channel();
        let settled = Settled { sending, outcome, completion };
        let _ = self.errands.send(Errand::Settle { settled, kept });
        answer.await.map_err(|_| NotAnswered::Over)
    }

    /// Waits for something, unless the job ends before.
    async fn unless_over<T>(&self, wait: impl Future<Output = T>) -> Result<T, NotAnswered> {
        let mut over = self.over.subscribe();
        tokio::select! {
            biased;
            _ = over.wait_for(Option::is_some) => Err(NotAnswered::Over),
            done = wait => Ok(done),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait before attempt `attempt + 2`: anything up to `base` doubled each time (full jitter), so that requests
/// that failed together do not come back together.
fn backoff(base: Duration, attempt: u32) -> Duration {
    let most = base.saturating_mul(1 << attempt.min(16)).min(LONGEST_BACKOFF);
    // Every `RandomState` has other keys: enough chance for this.
    let share = (RandomState::new().hash_one(attempt) >> 11) as f64 / (1_u64 << 53) as f64;
    most.mul_f64(share)
}

fn completion_of(reply: &Reply, key: &str, job: &str, model: &str, cost: Option<Money>) -> Completion {
    Completion {
        key: key.to_owned(),
        job: job.to_owned(),
        model: model.to_owned(),
        end: match reply.finish {
            Finish::Stop => CompletionEnd::Stop,
            Finish::Length => CompletionEnd::Length,
            Finish::Other => CompletionEnd::Other,
        },
        reply: reply.text.clone(),
        prompt_tokens: reply.usage.map(|usage| usage.prompt_tokens),
        completion_tokens: reply.usage.map(|usage| usage.completion_tokens),
        cost,
    }
}

fn reply_of(kept: Completion) -> Reply {
    let usage = kept.prompt_tokens.zip(kept.completion_tokens);
    Reply {
        text: kept.reply,
        usage: usage.map(|(prompt_tokens, completion_tokens)| Usage { prompt_tokens, completion_tokens }),
        finish: match kept.end {
            CompletionEnd::Stop => Finish::Stop,
            CompletionEnd::Length => Finish::Length,
            CompletionEnd::Other | CompletionEnd::Lost => Finish::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_and_never_repeats_in_step() {
        let base = Duration::from_millis(100);
        for attempt in 0..40 {
            let most = base.saturating_mul(1 << attempt.min(16)).min(LONGEST_BACKOFF);
            assert!((0..50).all(|_| backoff(base, attempt) <= most));
        }
        let waits: std::collections::HashSet<Duration> = (0..50).map(|_| backoff(base, 3)).collect();
        assert!(waits.len() > 40, "{waits:?}");
        let mean = (0..2_000).map(|_| backoff(base, 3).as_secs_f64()).sum::<f64>() / 2_000.0;
        assert!((0.3..0.5).contains(&mean), "full jitter over 0.8 s has a mean of 0.4 s: {mean}");
    }
}
