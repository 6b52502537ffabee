//! Taking items through a job: several at a time in a thread of their own, while the calling thread holds the project.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select, unbounded};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::desk::{Errand, Found};
use super::{Desk, NotAnswered, Tally, Teacher, TeacherError};
use crate::workspace::{Known, Money, Price, Sending, TeacherSettings, Workspace, WorkspaceError};

/// How often it is looked whether to stop, and told how it goes while nothing is done.
const GLANCE: Duration = Duration::from_millis(100);

/// How fast to ask, how patiently, and for how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Requests at a time.
    pub concurrency: usize,
    /// The most requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// The most tokens in any minute.
    pub tokens_per_minute: Option<u64>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often a request is sent again.
    pub retries: u32,
    /// The most that is waited before the second attempt; it doubles from then on.
    pub backoff: Duration,
    /// What the model costs.
    pub price: Option<Price>,
    /// The most that the job may cost.
    pub budget: Option<Money>,
    /// Whether what may have been paid for is sent again where no answer came of it: what a killed job had under way, a
    /// connection that broke, a reply that was cut.
    pub ask_again: bool,
    /// Whether asking costs nothing, so that there is nothing to write down before it.
    pub free: bool,
}

impl Terms {
    /// For a model that costs nothing and is in no hurry: it is asked `concurrency` things at a time, each once.
    pub fn free(concurrency: usize, timeout: Duration) -> Self {
        Self {
            concurrency,
            requests_per_minute: None,
            tokens_per_minute: None,
            timeout,
            retries: 0,
            backoff: Duration::ZERO,
            price: None,
            budget: None,
            ask_again: true,
            free: true,
        }
    }

    /// What the settings say for a model, with a budget for this job, where one is given; of the project's own budget, what
    /// is not spent yet.
    ///
    /// # Errors
    /// When there is a budget and no price for the model, or the store cannot be read.
    pub fn of(workspace: &Workspace, model: &str, budget: Option<Money>) -> Result<Self, TeacherError> {
        let settings: &TeacherSettings = &workspace.settings().teacher;
        let price = settings.prices.get(model).copied();
        let mut budget = budget;
        if let Some(whole) = settings.budget.and_then(Money::from_dollars) {
            let spent: Money = workspace.spending()?.iter().map(|spending| spending.cost).sum();
            budget = Some(budget.unwrap_or(whole).min(whole.less(spent)));
        }
        if budget.is_some() && price.is_none() {
            return Err(TeacherError::NoPrice { model: model.to_owned() });
        }
        // What has no price may well cost something.
        let free = price.is_some_and(|price| price.input == 0.0 && price.output == 0.0);
        Ok(Self {
            concurrency: settings.concurrency,
            requests_per_minute: settings.requests_per_minute.map(u64::from),
            tokens_per_minute: settings.tokens_per_minute,
            timeout: Duration::from_secs_f64(settings.timeout_seconds),
            retries: settings.retries,
            backoff: Duration::from_secs_f64(settings.backoff_seconds),
            price,
            budget,
            ask_again: free,
            free,
        })
    }
}

/// What to ask about each item, and what of the replies to keep.
pub trait Job: Sync {
    /// What it works on.
    type Item: Send + Sync;
    /// What comes of one.
    type Done: Send;

    /// What its spending is counted under, such as `rationales`.
    fn name(&self) -> &'static str;

    /// Works on one item. What it asks of the desk is kept and never paid for twice, so that it may simply ask again what an
    /// earlier job asked.
    ///
    /// # Errors
    /// Why nothing came of it, in one line, or that the job is over.
    fn work<'a>(&'a self, desk: &'a Desk<'a>, item: &'a Self::Item) -> BoxFuture<'a, Result<Self::Done, NotAnswered>>;

    /// Puts what came of an item into the project. It is called in the thread that holds the project.
    ///
    /// # Errors
    /// When the store cannot be written: the job ends.
    fn keep(&self, workspace: &Workspace, done: &mut Self::Done) -> Result<(), WorkspaceError>;
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<D> {
    /// Something came of it.
    Done(D),
    /// Nothing did, and why in one line.
    Failed(String),
    /// The job was over before it was done.
    Left,
}

/// Told while a job runs.
#[derive(Debug)]
pub enum Event<'a, D> {
    /// How it goes; at most ten times a second.
    Tally(Tally),
    /// Item `.0` is through.
    Item(usize, &'a Outcome<D>),
}

/// Why a job is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "ended", content = "why")]
pub enum Ended {
    /// Every item is through.
    Whole,
    /// Someone asked to stop.
    Stopped,
    /// The next request would overspend; what was spent and needed.
    Budget(String),
    /// The teacher refuses, and would refuse every request; what, where and what to do.
    Refused(String),
    /// The project's store fails.
    Store(String),
}

/// A job that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran<D> {
    /// What became of every item, in the order in which they were given.
    pub outcomes: Vec<Outcome<D>>,
    /// How it went.
    pub tally: Tally,
    /// Why it is over.
    pub ended: Ended,
    /// Requests that may have been paid for, and of which no answer is kept; the oldest first.
    pub unsettled: Vec<Sending>,
}

/// Takes `items` through `job`. Blocks until all are through or the job is over; `stop` is looked at ten times a second.
/// Replies are in the store before the job sees them, and what comes of an item before `tell` hears of it.
///
/// # Errors
/// When the project cannot be written, or no thread can be had. What fails later is told in what is returned.
pub fn run<J: Job>(
    job: &J,
    items: &[J::Item],
    teacher: &dyn Teacher,
    terms: &Terms,
    workspace: &Workspace,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Event<'_, J::Done>),
) -> Result<Ran<J::Done>, TeacherError> {
    if let Some(why) = workspace.read_only() {
        // What cannot be kept is not paid for.
        let store = workspace.dir().join(crate::workspace::STORE_FILE);
        return Err(TeacherError::Invalid(format!("{}: nothing was asked; {why}", store.display())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| TeacherError::System(format!("no thread for the teacher: {error}")))?;
    let (errands, errands_in) = unbounded();
    let (through, through_in) = unbounded();
    let asking = workspace.asking(terms.timeout)?;
    let desk = Desk::new(teacher, terms, job.name(), asking.process(), items.len(), errands);
    let mut outcomes: Vec<Outcome<J::Done>> = items.iter().map(|_| Outcome::Left).collect();
    std::thread::scope(|scope| {
        let desk = &desk;
        scope.spawn(move || {
            let work = async |at: usize, item: &J::Item| {
                if desk.ended().is_some() {
                    return;
                }
                let done = job.work(desk, item).await;
                desk.count_done();
                // Nobody listens only after the store has failed.
                let _ = through.send((at, done));
            };
            let all = futures_util::stream::iter(items.iter().enumerate());
            runtime.block_on(all.for_each_concurrent(terms.concurrency, |(at, item)| work(at, item)));
        });
        let clerk = Clerk { job, workspace, desk };
        clerk.serve(&errands_in, &through_in, stop, tell, &mut outcomes);
    });
    let tally = desk.tally();
    let ended = desk.ended().unwrap_or(Ended::Whole);
    Ok(Ran { outcomes, tally, ended, unsettled: desk.unsettled() })
}

/// Holds the project while a job runs.
struct Clerk<'a, J: Job> {
    job: &'a J,
    workspace: &'a Workspace,
    desk: &'a Desk<'a>,
}

impl<J: Job> Clerk<'_, J> {
    /// Runs errands and takes in what is done, until the asking thread is through.
    fn serve(
        &self,
        errands: &Receiver<Errand>,
        through: &Receiver<(usize, Result<J::Done, NotAnswered>)>,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Event<'_, J::Done>),
        outcomes: &mut [Outcome<J::Done>],
    ) {
        let mut told: Option<Instant> = None;
        loop {
            select! {
                recv(errands) -> first => self.run(first.into_iter().chain(errands.try_iter()).collect()),
                recv(through) -> done => match done {
                    Ok((at, done)) => {
                        outcomes[at] = self.take(done);
                        tell(Event::Item(at, &outcomes[at]));
                    }
                    // The asking thread is gone.
                    Err(_) => break,
                },
                default(GLANCE) => {}
            }
            if stop() {
                self.desk.end(Ended::Stopped);
            }
            if told.is_none_or(|told| told.elapsed() >= GLANCE) {
                tell(Event::Tally(self.desk.tally()));
                told = Some(Instant::now());
            }
        }
        tell(Event::Tally(self.desk.tally()));
    }

    /// Runs errands; what is to be written goes into one transaction, and is on disk before it is acknowledged.
    fn run(&self, errands: Vec<Errand>) {
        let (mut settled, mut keeping) = (Vec::new(), Vec::new());
        let (mut to_send, mut sending) = (Vec::new(), Vec::new());
        for errand in errands {
            match errand {
                Errand::Settle { settled: one, kept } => {
                    settled.push(one);
                    keeping.push(kept);
                }
                Errand::Send { to_send: one, sent } => {
                    to_send.push(one);
                    sending.push(sent);
                }
                Errand::Find { key, found } => match self.find(&key) {
                    // Nobody waits for it where the job has ended meanwhile.
                    Ok(known) => {
                        let _ = found.send(known);
                    }
                    Err(error) => self.desk.end(Ended::Store(error.to_string())),
                },
            }
        }
        if settled.is_empty() && to_send.is_empty() {
            return;
        }
        match self.workspace.post(&settled, &to_send) {
            Ok(sent) => {
                keeping.into_iter().for_each(|kept| {
                    let _ = kept.send(());
                });
                sending.into_iter().zip(sent).for_each(|(waiting, sent)| {
                    let _ = waiting.send(sent);
                });
            }
            Err(error) => self.desk.end(Ended::Store(error.to_string())),
        }
    }

    fn find(&self, key: &str) -> Result<Found, WorkspaceError> {
        let open = match self.workspace.known(key)? {
            Known::Answered(completion) => return Ok(Found::Answered(completion)),
            Known::Nothing => return Ok(Found::Nothing),
            Known::Open(open) => open,
        };
        // The lost ones are nobody's any more, whoever lost them.
        if let Some(holder) = open.iter().filter(|one| !one.lost).find_map(|one| self.workspace.holder(one)) {
            return Ok(Found::UnderWay(holder));
        }
        // Its sender may have settled it and gone since this was read.
        Ok(match self.workspace.known(key)? {
            Known::Answered(completion) => Found::Answered(completion),
            Known::Open(open) => Found::Open(open),
            Known::Nothing => Found::Nothing,
        })
    }

    fn take(&self, done: Result<J::Done, NotAnswered>) -> Outcome<J::Done> {
        match done {
            Ok(mut done) => match self.job.keep(self.workspace, &mut done) {
                Ok(()) => Outcome::Done(done),
                Err(error) => {
                    self.desk.end(Ended::Store(error.to_string()));
                    Outcome::Failed(error.to_string())
                }
            },
            Err(NotAnswered::Failed(why)) => Outcome::Failed(why),
            Err(NotAnswered::Over) => Outcome::Left,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::testing::{Counting, Echo, terms};
    use super::super::{Estimate, Miss, Paid, Remedy};
    use super::*;
    use crate::workspace::ToSend;

    fn ran(teacher: &Counting, terms: &Terms, items: &[&str], workspace: &Workspace) -> Ran<String> {
        let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
        run(&Echo, &items, teacher, terms, workspace, &|| false, &mut |_| ()).unwrap()
    }

    #[test]
    fn the_same_question_at_the_same_time_is_paid_for_once() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let teacher = Counting::slow(10);
        let ran = ran(&teacher, &terms(), &["a", "a", "b", "a"], &workspace);
        assert_eq!(teacher.asked.load(Ordering::SeqCst), 2);
        assert_eq!((ran.tally.asked, ran.tally.cached, ran.tally.done), (2, 2, 4));
        assert_eq!(ran.outcomes[3], Outcome::Done("a".into()));
        assert_eq!((ran.ended, ran.tally.under_way), (Ended::Whole, 0));
    }

    fn miss(paid: Paid) -> Miss {
        Miss { why: "gone".into(), remedy: Remedy::Again(None), paid }
    }

    fn priced() -> Terms {
        let price = Some(Price { input: 1.0, output: 2.0 });
        Terms { price, budget: Money::from_dollars(1.0), ..terms() }
    }

    #[test]
    fn what_may_have_been_charged_counts_as_spent() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let teacher = Counting::missing([miss(Paid::No), miss(Paid::Perhaps)]);
        let ran = ran(&teacher, &Terms { ask_again: true, ..priced() }, &["a"], &workspace);
        assert_eq!((ran.tally.asked, ran.tally.missed, ran.tally.unsettled), (1, 2, 0));
        // The reply: 10 and 5 tokens. What was lost: at most 1 + 2 x 16 tokens read and 10 written.
        let (reply, lost) = (10_000 + 2 * 5_000, 33_000 + 2 * 10_000);
        assert_eq!(ran.tally.spent, Some(Money::from_nanos(reply + lost)));
        let spending = workspace.spending().unwrap();
        assert_eq!((spending[0].completions, spending[0].lost, Some(spending[0].cost)), (1, 1, ran.tally.spent));
    }

    #[test]
    fn what_may_have_been_charged_is_not_asked_again_unless_it_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let teacher = Counting::missing([miss(Paid::No), miss(Paid::Perhaps)]);
        let first = ran(&teacher, &priced(), &["a"], &workspace);
        let [Outcome::Failed(why)] = &first.outcomes[..] else { panic!("{:?}", first.outcomes) };
        assert_eq!(why, "gone; it may have been paid for: --ask-again asks again");
        assert_eq!((first.tally.unsettled, first.tally.unsettled_cost), (1, first.tally.spent));
        // Nor by the next job, which says so.
        let next = ran(&teacher, &priced(), &["a", "b"], &workspace);
        let [Outcome::Failed(why), Outcome::Done(_)] = &next.outcomes[..] else { panic!("{:?}", next.outcomes) };
        assert!(why.starts_with("may have been paid for: sent at 20") && why.contains("no answer kept"), "{why}");
        assert_eq!((teacher.asked.load(Ordering::SeqCst), next.unsettled.len(), next.unsettled[0].lost), (3, 1, true));
        let wanted = ran(&teacher, &Terms { ask_again: true, ..priced() }, &["a"], &workspace);
        assert_eq!((&wanted.outcomes[0], wanted.tally.unsettled), (&Outcome::Done("a".into()), 0));
    }

    #[test]
    fn what_a_killed_job_had_under_way_is_reported_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let teacher = Counting::default();
        let asked = Echo::ask("a");
        let to_send = ToSend {
            key: asked.key(teacher.model()),
            job: "echo".into(),
            model: "counting".into(),
            process: "killed".into(),
            cost: Some(Money::from_nanos(700)),
            again: Vec::new(),
        };
        workspace.post(&[], &[to_send]).unwrap();
        let resumed = ran(&teacher, &priced(), &["a"], &workspace);
        assert!(matches!(&resumed.outcomes[0], Outcome::Failed(why) if why.contains("no answer kept")));
        let tally = resumed.tally;
        assert_eq!((tally.unsettled, tally.unsettled_cost), (1, Some(Money::from_nanos(700))));
        assert_eq!((tally.spent, teacher.asked.load(Ordering::SeqCst)), (Some(Money::ZERO), 0));
        assert_eq!(workspace.spending().unwrap()[0].cost, Money::from_nanos(700), "the project's money counts it");
        let estimate = Estimate::of([asked.clone()], "echo", "counting", &priced(), &workspace).unwrap();
        assert_eq!((estimate.unsettled, estimate.cost_at_most), (1, Some(Money::ZERO)));
        let wanted = ran(&teacher, &Terms { ask_again: true, ..priced() }, &["a"], &workspace);
        assert_eq!(wanted.outcomes[0], Outcome::Done("a".into()));
        assert_eq!(workspace.spending().unwrap()[0].cost, Money::from_nanos(700 + 20_000), "both may be paid for");
    }

    #[test]
    fn what_another_process_has_under_way_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let teacher = Counting::slow(300);
        std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..2)
                .map(|_| {
                    let workspace = Workspace::open(dir.path()).unwrap();
                    let teacher = &teacher;
                    scope.spawn(move || ran(teacher, &priced(), &["a", "b"], &workspace))
                })
                .collect();
            for job in jobs {
                let ran = job.join().unwrap();
                assert_eq!(ran.outcomes, [Outcome::Done("a".into()), Outcome::Done("b".into())]);
            }
        });
        assert_eq!(teacher.asked.load(Ordering::SeqCst), 2);
        assert_eq!(workspace.spending().unwrap()[0].completions, 2);
    }

    #[test]
    fn a_process_that_does_not_go_on_is_named_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        drop(Workspace::init(dir.path()).unwrap());
        std::fs::write(dir.path().join("logwright.toml"), "[teacher]\nbudget = 0.0001\n").unwrap();
        let workspace = Workspace::open(dir.path()).unwrap();
        let teacher = Counting::default();
        let late = workspace.asking(Duration::ZERO).unwrap();
        let to_send = ToSend {
            key: Echo::ask("a").key(teacher.model()),
            job: "echo".into(),
            model: "counting".into(),
            process: late.process().to_owned(),
            cost: Some(Money::from_nanos(90_000)),
            again: Vec::new(),
        };
        workspace.post(&[], &[to_send]).unwrap();
        let pid = std::process::id();
        let same = ran(&teacher, &priced(), &["a"], &workspace);
        let [Outcome::Failed(why)] = &same.outcomes[..] else { panic!("{:?}", same.outcomes) };
        assert!(why.starts_with(&format!("process {pid} has it out since 20")), "{why}");
        assert_eq!(same.ended, Ended::Whole, "others may be had");
        let other = ran(&teacher, &priced(), &["b"], &workspace);
        let Ended::Budget(why) = &other.ended else { panic!("{:?}", other.ended) };
        assert!(
            why.starts_with(&format!("there is no room beside a request that is not settled: process {pid} ")),
            "{why}"
        );
        assert_eq!(teacher.asked.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_miss_is_told_after_the_last_try_and_others_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let miss = Miss { why: "busy".into(), remedy: Remedy::Again(None), paid: Paid::No };
        let teacher = Counting::missing(vec![miss; 3]);
        let terms = Terms { concurrency: 1, ..terms() };
        let ran = ran(&teacher, &terms, &["a", "b"], &workspace);
        assert_eq!(ran.outcomes, [Outcome::Failed("busy (tried 3 times)".into()), Outcome::Done("b".into())]);
    }
}
