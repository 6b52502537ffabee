//! A teacher and a job for tests.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Ask, Desk, Finish, Job, Miss, NotAnswered, Reply, Teacher, Terms, Usage};
use crate::reasoning::prompt::{Speaker, Turn};
use crate::workspace::{Workspace, WorkspaceError};

/// Counts how often it is asked; what was put in is what goes wrong first.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub asked: AtomicUsize,
    pub misses: Mutex<VecDeque<Miss>>,
    wait: u64,
}

impl Counting {
    /// One that takes so many milliseconds.
    pub fn slow(wait: u64) -> Self {
        Self { wait, ..Self::default() }
    }

    /// One that misses first.
    pub fn missing(misses: impl IntoIterator<Item = Miss>) -> Self {
        Self { misses: Mutex::new(misses.into_iter().collect()), ..Self::default() }
    }
}

impl Teacher for Counting {
    fn model(&self) -> &str {
        "counting"
    }

    fn place(&self) -> String {
        "here".into()
    }

    fn ask<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Reply, Miss>> {
        async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(self.wait)).await;
            if let Some(miss) = self.misses.lock().unwrap().pop_front() {
                return Err(miss);
            }
            let usage = Some(Usage { prompt_tokens: 10, completion_tokens: 5 });
            Ok(Reply { text: ask.messages[0].text.clone(), usage, finish: Finish::Stop })
        }
        .boxed()
    }
}

/// Asks what its items say.
pub(super) struct Echo;

impl Echo {
    /// What it asks about an item.
    pub fn ask(item: &str) -> Ask {
        let messages = vec![Turn { speaker: Speaker::User, text: item.to_owned() }];
        Ask { messages, temperature: 0.0, max_tokens: 10, seed: 0, sample: 0 }
    }
}

impl Job for Echo {
    type Item = String;
    type Done = String;

    fn name(&self) -> &'static str {
        "echo"
    }

    fn work<'a>(&'a self, desk: &'a Desk<'a>, item: &'a String) -> BoxFuture<'a, Result<String, NotAnswered>> {
        async move { Ok(desk.ask(&Self::ask(item)).await?.reply.text) }.boxed()
    }

    fn keep(&self, _: &Workspace, _: &mut String) -> Result<(), WorkspaceError> {
        Ok(())
    }
}

/// Terms without limits.
pub(super) fn terms() -> Terms {
    Terms {
        concurrency: 4,
        requests_per_minute: None,
        tokens_per_minute: None,
        timeout: Duration::from_secs(5),
        retries: 2,
        backoff: Duration::from_millis(1),
        price: None,
        budget: None,
        ask_again: false,
        free: false,
    }
}
