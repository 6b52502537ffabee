//! An OpenAI-compatible service: OpenAI itself, vLLM, llama.cpp, Ollama and what speaks like them.

mod address;
mod answer;
mod refusal;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Map, Value, json};

pub use address::Address;

use super::{Ask, Miss, Paid, Remedy, Reply, Secret, Teacher, TeacherError};
use crate::reasoning::prompt::Speaker;

/// Where a key is looked for, in this order.
pub const KEY_VARIABLES: [&str; 2] = ["LOGWRIGHT_TEACHER_KEY", "OPENAI_API_KEY"];

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: less than the five seconds after which common servers close it, so that no request is
/// sent into one that is being closed.
const IDLE: Duration = Duration::from_secs(4);
/// A reply's body may not be larger: a few thousand tokens are some 20 KB.
const LARGEST: usize = 8 << 20;

/// The keys in the environment, if there are any, and where they may go.
#[derive(Debug)]
pub struct Keys {
    /// For whatever teacher is asked.
    teacher: Option<Secret>,
    /// Set for other programs, too: for OpenAI itself.
    openai: Option<Secret>,
}

impl Keys {
    /// Those of the environment.
    pub fn of_environment() -> Self {
        let [teacher, openai] = KEY_VARIABLES.map(|name| Secret::new(&std::env::var(name).ok()?));
        Self { teacher, openai }
    }

    /// The key for a service. OpenAI's goes to OpenAI, to this machine and its network, and where the user said so
    /// (`trusted`): a project that came from somebody else must not be able to name the address that it is sent to.
    fn for_address(self, address: &Address, trusted: bool) -> (Option<Secret>, Option<String>) {
        match self {
            Self { teacher: Some(key), .. } => (Some(key), None),
            Self { openai: Some(key), .. } if trusted || address.is_near() || address.is_openai() => (Some(key), None),
            Self { openai: Some(_), .. } => {
                let [ours, openai] = KEY_VARIABLES;
                let why =
                    format!("{openai} is not sent to {address}, which the project's settings name: set {ours} for it");
                (None, Some(why))
            }
            Self { .. } => (None, None),
        }
    }
}

/// A model of a service.
#[derive(Debug)]
pub struct Endpoint {
    address: Address,
    model: String,
    key: Option<Secret>,
    /// Why a key that is there is not sent.
    withheld: Option<String>,
    client: Client,
    dialect: Mutex<Dialect>,
}

/// What a service was found not to understand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Dialect {
    /// It wants `max_completion_tokens` for `max_tokens`.
    completion_tokens: bool,
    /// It takes no `seed`.
    no_seed: bool,
    /// It takes no `temperature` but its own.
    no_temperature: bool,
}

impl Dialect {
    /// What a complaint of the service says about a request in this dialect.
    fn learn(self, status: StatusCode, said: &str) -> Self {
        let about = |setting: &str| refusal::is_about(status, said, setting);
        Self {
            completion_tokens: self.completion_tokens || about("max_completion_tokens"),
            no_seed: self.no_seed || about("seed"),
            no_temperature: self.no_temperature || about("temperature"),
        }
    }
}

impl Endpoint {
    /// A model at an address, which the user named himself if it is `trusted`.
    ///
    /// # Errors
    /// When the key cannot stand in a header, or the system gives no secure connections.
    pub fn with_keys(address: Address, model: &str, keys: Keys, trusted: bool) -> Result<Self, TeacherError> {
        let (key, withheld) = keys.for_address(&address, trusted);
        Ok(Self { withheld, ..Self::new(address, model, key)? })
    }

    /// A model at an address. The key goes into one header and nowhere else.
    ///
    /// # Errors
    /// When the key cannot stand in a header, or the system gives no secure connections.
    pub fn new(address: Address, model: &str, key: Option<Secret>) -> Result<Self, TeacherError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            // The error would name the value.
            let value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()));
            let mut value = value.map_err(|_| TeacherError::Key(KEY_VARIABLES[0]))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("logwright/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            // A key goes to the address that it was given for, and to no other.
            .redirect(reqwest::redirect::Policy::none());
        if address.is_near() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| TeacherError::System(root_cause(&error)))?;
        Ok(Self { address, model: model.to_owned(), key, withheld: None, client, dialect: Mutex::default() })
    }

    /// What to say before anything is sent, if anything.
    pub fn warning(&self) -> Option<String> {
        let far = self.address.is_plain() && !self.address.is_near();
        let open = far.then(|| {
            let key = if self.key.is_some() { "the key and the logs" } else { "the logs" };
            format!("{}: plain http over a public network: {key} can be read on the way; use https", self.address)
        });
        let all: Vec<String> = open.into_iter().chain(self.withheld.clone()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn body(&self, ask: &Ask, dialect: Dialect) -> Value {
        let role = |speaker| match speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        let messages: Vec<Value> =
            ask.messages.iter().map(|turn| json!({ "role": role(turn.speaker), "content": turn.text })).collect();
        let mut body = Map::new();
        body.insert("model".into(), json!(self.model));
        body.insert("messages".into(), json!(messages));
        if !dialect.no_temperature {
            body.insert("temperature".into(), json!(ask.temperature));
        }
        let limit = if dialect.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        body.insert(limit.into(), json!(ask.max_tokens));
        if !dialect.no_seed {
            body.insert("seed".into(), json!(ask.sample_seed()));
        }
        body.insert("stream".into(), json!(false));
        Value::Object(body)
    }

    async fn attempt(&self, ask: &Ask) -> Result<Reply, Miss> {
        let again = |why: String, paid| Miss { why, remedy: Remedy::Again(None), paid };
        let dialect = *self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        let request = self
            .client
            .post(self.address.completions())
            // A proxy that knows this header does not let a request that it has answered be paid for again.
            .header("idempotency-key", ask.key(&self.model))
            .json(&self.body(ask, dialect));
        let response = request.send().await.map_err(|error| {
            let why = format!("{}: {}", self.address, root_cause(&error));
            // What never reached the service costs nothing.
            match error.is_connect() {
                true => Miss { why, remedy: Remedy::Reach, paid: Paid::No },
                false => again(why, Paid::Perhaps),
            }
        })?;
        if !response.status().is_success() {
            return Err(self.refused(response, dialect).await);
        }
        let is_json = response
            .headers()
            .get(CONTENT_TYPE)
            .is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.to_ascii_lowercase().contains("json")));
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("?").to_owned();
        let body = whole(response).await;
        let body = body.map_err(|why| again(format!("{}: {why}", self.address), Paid::Perhaps))?;
        if !is_json {
            let why = format!("{}: not JSON but {kind}: is this an OpenAI-compatible service?", self.address);
            // A page instead of a reply: nothing was written for us.
            return Err(again(why, Paid::No));
        }
        let mut reply =
            answer::read(&body).map_err(|miss| Miss { why: format!("{}: {}", self.address, miss.why), ..miss })?;
        if let Some(key) = &self.key {
            reply.text = key.scrub_whole(reply.text);
        }
        Ok(reply)
    }

    /// What a status other than success means for a request in this dialect.
    async fn refused(&self, response: Response, dialect: Dialect) -> Miss {
        let status = response.status();
        let wait = refusal::wait(response.headers(), jiff::Timestamp::now());
        let body = whole(response).await.unwrap_or_default();
        let said = answer::complaint(&body);
        let learnt = dialect.learn(status, &said);
        if learnt != dialect {
            *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = learnt;
            let why = format!("{}: {}: {said}", self.address, status.as_u16());
            return Miss { why, remedy: Remedy::Again(Some(Duration::ZERO)), paid: Paid::No };
        }
        refusal::miss(&self.address, &self.model, self.key.is_some(), status, &said, wait)
    }
}

impl Teacher for Endpoint {
    fn model(&self) -> &str {
        &self.model
    }

    fn place(&self) -> String {
        self.address.to_string()
    }

    fn ask<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Reply, Miss>> {
        async move {
            let scrub = |text: &str| self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.scrub(text));
            self.attempt(ask).await.map_err(|miss| Miss { why: scrub(&miss.why), ..miss })
        }
        .boxed()
    }
}

/// A response's whole body, or why there is none.
async fn whole(mut response: Response) -> Result<Vec<u8>, String> {
    let declared = response.content_length();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST => {
                return Err("the reply is longer than 8 MiB".into());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(format!("the reply broke off: {}", root_cause(&error))),
        }
    }
    match declared {
        Some(declared) if declared > body.len() as u64 => {
            Err(format!("the reply broke off at {} of {declared} bytes", body.len()))
        }
        _ => Ok(body),
    }
}

/// The innermost cause of an error, in one line. Addresses and headers stand in the outer ones.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_openai_goes_nowhere_that_only_a_project_names() {
        let keys =
            |teacher: Option<&str>| Keys { teacher: teacher.and_then(Secret::new), openai: Secret::new("sk-theirs") };
        let sent = |to: &str, trusted, teacher| {
            let (key, withheld) = keys(teacher).for_address(&Address::parse(to).unwrap(), trusted);
            (key.map(|key| key.reveal().to_owned()), withheld.is_some())
        };
        let theirs = || (Some("sk-theirs".to_owned()), false);
        for near in ["https://api.openai.com", "http://localhost:8000", "http://192.168.1.7/v1"] {
            assert_eq!(sent(near, false, None), theirs(), "{near}");
        }
        for far in ["https://collector.example", "http://api.openai.com", "https://api.openai.com.collector.example"] {
            assert_eq!(sent(far, false, None), (None, true), "{far}");
            assert_eq!(sent(far, true, None), theirs(), "{far}");
            assert_eq!(sent(far, false, Some("ours")), (Some("ours".to_owned()), false), "{far}");
        }
        let endpoint =
            Endpoint::with_keys(Address::parse("https://collector.example").unwrap(), "m", keys(None), false);
        let warning = endpoint.unwrap().warning().unwrap();
        assert!(warning.contains("OPENAI_API_KEY is not sent to https://collector.example"), "{warning}");
    }
}
