//! A model on this machine as teacher: the project's own, bare or wearing an adapter (LogReasoner's self-correction and its
//! imitation learning).
//!
//! The model lives in a thread of its own. Requests that come in at about the same time are written together, and each draws
//! from its own seed: what a reply is does not depend on its neighbours.

use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{Ask, Finish, Miss, Paid, Remedy, Reply, Teacher, TeacherError, Usage};
use crate::model::{self, Adapter, DeviceChoice, GenerateSettings, LanguageModel, Message, Role, Sampling};
use crate::reasoning::prompt::{Speaker, Turn};

/// How long a batch waits for more requests.
const GATHER: Duration = Duration::from_millis(30);

/// Stack of the model's thread.
const STACK_BYTES: usize = 16 << 20;

/// A request, and where its reply goes.
struct Request {
    ask: Ask,
    reply: oneshot::Sender<Result<Reply, Miss>>,
}

/// A model on this machine.
#[derive(Debug)]
pub struct Local {
    name: String,
    requests: Sender<Request>,
}

impl Local {
    /// Loads the model at `path` with the adapter in a folder, if any; `name` says which they are, and `batch` replies are
    /// written at the same time. An adapter's weights are part of the name that replies are kept under: a run that goes on
    /// becomes another teacher.
    ///
    /// # Errors
    /// When they cannot be loaded, or there is no thread.
    pub fn open(
        path: &Path,
        adapter: Option<&Path>,
        device: &DeviceChoice,
        name: &str,
        batch: usize,
    ) -> Result<Self, TeacherError> {
        let failed = |error: model::ModelError| TeacherError::System(format!("{name}: {error}"));
        let model = LanguageModel::load(path, device).map_err(failed)?;
        let weights = adapter.map(weights_of).transpose()?;
        let adapter = adapter.map(|dir| Adapter::load(dir, &model)).transpose().map_err(failed)?;
        let name = weights.map_or_else(|| name.to_owned(), |weights| format!("{name}@{weights}"));
        let (requests, coming) = unbounded();
        let desk = Writer { model, adapter, batch: batch.max(1), coming };
        // Its end is that of the channel: it goes when nobody can ask any more.
        thread::Builder::new()
            .name("teacher-model".into())
            .stack_size(STACK_BYTES)
            .spawn(move || desk.run())
            .map_err(|error| TeacherError::System(format!("no thread for the model: {error}")))?;
        Ok(Self { name, requests })
    }
}

/// The first eight digits of the SHA-256 of an adapter's weights.
fn weights_of(dir: &Path) -> Result<String, TeacherError> {
    let path = dir.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).map_err(|error| TeacherError::System(format!("{}: {error}", path.display())))?;
    Ok(Sha256::digest(&bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect())
}

impl Teacher for Local {
    fn model(&self) -> &str {
        &self.name
    }

    fn place(&self) -> String {
        "this machine".into()
    }

    fn ask<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Reply, Miss>> {
        let (reply, replied) = oneshot::channel();
        let sent = self.requests.send(Request { ask: ask.clone(), reply });
        async move {
            let gone = || miss("the model's thread is gone", Remedy::GiveUp);
            sent.map_err(|_| gone())?;
            replied.await.unwrap_or_else(|_| Err(gone()))
        }
        .boxed()
    }
}

fn miss(why: impl Into<String>, remedy: Remedy) -> Miss {
    Miss { why: why.into(), remedy, paid: Paid::No }
}

/// The thread that holds the model.
struct Writer {
    model: LanguageModel,
    adapter: Option<Adapter>,
    batch: usize,
    coming: Receiver<Request>,
}

impl Writer {
    fn run(&self) {
        let mut waiting: Vec<Request> = Vec::new();
        loop {
            if waiting.is_empty() {
                let Ok(first) = self.coming.recv() else { return };
                waiting.push(first);
            }
            self.gather(&mut waiting);
            let (temperature, max_tokens) = (waiting[0].ask.temperature, waiting[0].ask.max_tokens);
            let alike =
                |request: &Request| (request.ask.temperature, request.ask.max_tokens) == (temperature, max_tokens);
            let (mut batch, later): (Vec<Request>, Vec<Request>) = waiting.drain(..).partition(alike);
            let rest = batch.split_off(batch.len().min(self.batch));
            waiting = rest.into_iter().chain(later).collect();
            self.answer(batch, temperature, max_tokens);
        }
    }

    /// Takes in what comes within a moment, as much as fits into a batch.
    fn gather(&self, waiting: &mut Vec<Request>) {
        let until = Instant::now() + GATHER;
        while waiting.len() < self.batch {
            match self.coming.recv_deadline(until) {
                Ok(request) => waiting.push(request),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&self, batch: Vec<Request>, temperature: f64, max_tokens: u32) {
        let (mut prompts, mut asked) = (Vec::new(), Vec::new());
        for request in batch {
            match self.encode(&request.ask) {
                Ok(prompt) => {
                    prompts.push(prompt);
                    asked.push(request);
                }
                // Nobody waits for it where the job has ended meanwhile.
                Err(why) => drop(request.reply.send(Err(miss(why, Remedy::Skip)))),
            }
        }
        if prompts.is_empty() {
            return;
        }
        let settings = GenerateSettings {
            max_tokens: max_tokens as usize,
            sampling: Sampling { temperature, ..Sampling::default() },
            seeds: asked.iter().map(|request| request.ask.sample_seed()).collect(),
            alternatives: 0,
            batch: self.batch,
            ..GenerateSettings::default()
        };
        let mut go_on = |_| match asked.iter().all(|request| request.reply.is_closed()) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        match self.model.generate(&prompts, self.adapter.as_ref(), &settings, &mut go_on) {
            Ok(traces) => {
                for ((request, trace), prompt) in asked.into_iter().zip(traces).zip(&prompts) {
                    let usage =
                        Usage { prompt_tokens: prompt.len() as u64, completion_tokens: trace.tokens.len() as u64 };
                    let finish = match trace.finish {
                        model::Finish::EndOfText | model::Finish::Stop => Finish::Stop,
                        model::Finish::Length => Finish::Length,
                        model::Finish::Cancelled => Finish::Other,
                    };
                    let reply = Reply { text: trace.text, usage: Some(usage), finish };
                    let _ = request.reply.send(Ok(reply));
                }
            }
            Err(error) => {
                for request in asked {
                    let _ = request.reply.send(Err(miss(error.to_string(), Remedy::Skip)));
                }
            }
        }
    }

    /// The tokens that ask; why not, where they leave no room for a reply.
    fn encode(&self, ask: &Ask) -> Result<Vec<u32>, String> {
        let messages: Vec<Message> = ask.messages.iter().map(message).collect();
        let prompt = self.model.encode_chat(&messages, true).map_err(|error| error.to_string())?;
        let (length, context) = (prompt.len(), self.model.config().context);
        if length >= context {
            return Err(format!("the question has {length} tokens, and the model reads {context}"));
        }
        Ok(prompt)
    }
}

fn message(turn: &Turn) -> Message {
    let role = match turn.speaker {
        Speaker::System => Role::System,
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
    };
    Message::new(role, turn.text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str, seed: u64) -> Ask {
        let messages = vec![Turn { speaker: Speaker::User, text: text.into() }];
        Ask { messages, temperature: 0.9, max_tokens: 12, seed, sample: 0 }
    }

    #[test]
    fn replies_written_together_are_those_written_alone() {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let open = |batch| Local::open(&tiny, None, &DeviceChoice::default(), "tiny", batch).unwrap();
        let asks = [ask("fan 3 stopped", 1), ask("link up", 2), ask("fan 3 stopped", 3), ask("disk full", 4)];
        let texts = |teacher: &Local| -> Vec<String> {
            let replies = futures_util::future::join_all(asks.iter().map(|ask| teacher.ask(ask)));
            runtime.block_on(replies).into_iter().map(|reply| reply.unwrap().text).collect()
        };
        let (together, alone) = (texts(&open(8)), texts(&open(1)));
        assert_eq!(together, alone);
        assert_ne!(together[0], together[2], "the same question with another seed");
        let long = Ask { messages: vec![Turn { speaker: Speaker::User, text: "x ".repeat(4_000) }], ..ask("", 1) };
        let missed = runtime.block_on(open(1).ask(&long)).unwrap_err();
        assert!(missed.why.contains("tokens") && missed.remedy == Remedy::Skip, "{missed:?}");
    }
}
