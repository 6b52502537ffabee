//! An OpenAI-compatible service on the loopback that misbehaves on demand: raw sockets, because resets and slow or cut bodies
//! are the point; and what tests do with one.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::SockRef;

use crate::support::{self, Output, Project};

/// A request as the service sees it.
pub struct Asked {
    pub headers: HashMap<String, String>,
    pub body: Value,
    /// Requests with this body so far, this one included.
    pub times: usize,
    /// Requests of any kind so far, this one included.
    pub number: usize,
}

impl Asked {
    /// The user's turn.
    pub fn user(&self) -> &str {
        self.body["messages"][1]["content"].as_str().unwrap()
    }
}

/// What the service does with a request.
pub enum Deed {
    /// A whole completion with this text.
    Reply(String),
    /// The same with what it ended by.
    Finish(String, &'static str),
    /// A status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// A body that is cut, though declared whole.
    Truncated(String),
    /// JSON that is cut, and declared so.
    CutJson(String),
    /// Some of the body, then silence.
    Slow(String),
    /// The same, but whole after a while.
    Late(String, Duration),
    /// The connection is reset without an answer.
    Reset,
    /// Anything at all, with this content type.
    Other(&'static str, String),
}

type Behave = dyn Fn(&Asked) -> Deed + Send + Sync;

#[derive(Default)]
struct Seen {
    requests: usize,
    times: HashMap<String, usize>,
    served: HashMap<String, usize>,
    charged: HashMap<String, usize>,
    keys: HashMap<String, HashSet<String>>,
}

/// A running service.
#[derive(Clone)]
pub struct Service {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Service {
    /// Starts one; it goes with the test.
    pub fn start(behave: impl Fn(&Asked) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (kept, behave): (_, Arc<Behave>) = (Arc::clone(&seen), Arc::new(behave));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, behave) = (Arc::clone(&kept), Arc::clone(&behave));
                std::thread::spawn(move || serve(stream, &seen, &*behave));
            }
        });
        Self { url, seen }
    }

    /// An address where nothing listens.
    pub fn nowhere() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { url: format!("http://{free}"), seen: Arc::default() }
    }

    /// How often each request was answered with a whole completion.
    pub fn served(&self) -> HashMap<String, usize> {
        self.seen.lock().unwrap().served.clone()
    }

    /// How often each request was worked on, whatever came of it: a service may charge for that. What was refused by a status
    /// or answered with a page is not.
    pub fn charged(&self) -> HashMap<String, usize> {
        self.seen.lock().unwrap().charged.clone()
    }

    /// The idempotency keys that came with each request.
    pub fn keys(&self) -> HashMap<String, HashSet<String>> {
        self.seen.lock().unwrap().keys.clone()
    }

    /// Requests of any kind so far.
    pub fn requests(&self) -> usize {
        self.seen.lock().unwrap().requests
    }
}

/// One connection, with any number of requests.
fn serve(stream: TcpStream, seen: &Mutex<Seen>, behave: &Behave) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((headers, body)) = read(&mut reader) {
        let key = body.to_string();
        let asked = {
            let mut seen = seen.lock().unwrap();
            seen.requests += 1;
            let number = seen.requests;
            let times = seen.times.entry(key.clone()).or_default();
            *times += 1;
            let times = *times;
            let idempotency = headers.get("idempotency-key").cloned().unwrap_or_default();
            seen.keys.entry(key.clone()).or_default().insert(idempotency);
            Asked { headers, body, times, number }
        };
        let count = || *seen.lock().unwrap().served.entry(key.clone()).or_default() += 1;
        let deed = behave(&asked);
        if !matches!(deed, Deed::Status(..) | Deed::Other("text/html", _)) {
            *seen.lock().unwrap().charged.entry(key.clone()).or_default() += 1;
        }
        if act(&stream, deed, count).is_none() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<(HashMap<String, String>, Value)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    assert!(line.starts_with("POST /v1/chat/completions "), "{line}");
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((headers, serde_json::from_slice(&body).ok()?))
}

/// Does it; `None` where the connection is over.
fn act(mut stream: &TcpStream, deed: Deed, count: impl Fn()) -> Option<()> {
    let mut send = |status: u16, headers: &[(&str, String)], body: &[u8], declared: usize| {
        let mut head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {declared}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        stream.write_all(body).ok()
    };
    let json_type = || vec![("content-type", "application/json".to_owned())];
    match deed {
        Deed::Reply(text) => {
            let body = completion(&text, "stop");
            // Counted before it is written: the client may be done before this thread goes on.
            count();
            send(200, &json_type(), body.as_bytes(), body.len())
        }
        Deed::Finish(text, finish) => {
            let body = completion(&text, finish);
            count();
            send(200, &json_type(), body.as_bytes(), body.len())
        }
        Deed::Late(text, wait) => {
            let body = completion(&text, "stop");
            send(200, &json_type(), &body.as_bytes()[..20], body.len())?;
            std::thread::sleep(wait);
            count();
            stream.write_all(&body.as_bytes()[20..]).ok()
        }
        Deed::Status(status, mut headers, body) => {
            headers.extend(json_type());
            send(status, &headers, body.as_bytes(), body.len())
        }
        Deed::Truncated(text) => {
            let body = completion(&text, "stop");
            send(200, &json_type(), &body.as_bytes()[..body.len() / 2], body.len());
            None
        }
        Deed::CutJson(text) => {
            let body = completion(&text, "stop");
            let cut = &body.as_bytes()[..body.len() / 2];
            send(200, &json_type(), cut, cut.len())
        }
        Deed::Slow(text) => {
            let body = completion(&text, "stop");
            send(200, &json_type(), &body.as_bytes()[..10], body.len());
            // The client gives up: wait for it to hang up.
            let _ = stream.read(&mut [0]);
            None
        }
        Deed::Reset => {
            reset(stream);
            None
        }
        Deed::Other(kind, body) => send(200, &[("content-type", kind.to_owned())], body.as_bytes(), body.len()),
    }
}

/// Closes a connection by a reset, not in good order.
fn reset(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn completion(text: &str, finish: &str) -> String {
    json!({
        "id": "x", "object": "chat.completion",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": finish }],
        "usage": { "prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500 },
    })
    .to_string()
}

/// A reply that is right of what is normal.
pub const RIGHT: &str = "<think>1. It says \"panic\".\n2. So it failed.</think>\n<answer>normal</answer>";
/// One that is wrong of it.
pub const WRONG: &str = "<think>1. It says \"panic\".\n2. So it failed.</think>\n<answer>abnormal</answer>";
/// The services of these tests reply with so many tokens: at these prices, 0.0006 dollars each.
pub const PRICES: &str = "[teacher.prices.m]\ninput = 1.0\noutput = 2.0\n";

/// `teacher rationales` of a service, with `--json`.
pub fn arguments<'a>(service: &'a Service, args: &[&'a str]) -> Vec<&'a str> {
    let common = ["teacher", "rationales", "--endpoint", &service.url, "--model", "m", "--json"];
    common.into_iter().chain(args.iter().copied()).collect()
}

pub fn rationales(project: &Project, service: &Service, args: &[&str]) -> Output {
    project.run(&arguments(service, args))
}

pub fn numbers(report: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| report[*name].as_u64().unwrap_or_else(|| panic!("{name} in {report}"))).collect()
}

/// Adds to the project's settings.
pub fn set(project: &Project, settings: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(project.path("logwright.toml")).unwrap();
    file.write_all(format!("\n{settings}").as_bytes()).unwrap();
}

/// A project of so many templates, all normal, whose service misses are over soon.
pub fn project_of(templates: usize) -> Project {
    let project = Project::empty();
    let rows: String = (0..templates).map(|n| format!("bgl,{n},message number {n} from <*>,normal\n")).collect();
    project.write("templates.csv", format!("dataset,id,template,label\n{rows}").as_bytes());
    assert_eq!(project.run(&["import", "templates", "templates.csv"]).code, 0);
    set(&project, "[teacher]\nbackoff_seconds = 0.02\ntimeout_seconds = 1.0\nretries = 5\n");
    project
}

/// How many items the review queue flags with this trouble.
pub fn flagged(project: &Project, trouble: &str) -> usize {
    let listed = project.run(&["review", "list", "--flagged", "--json"]).json();
    let has = |item: &&Value| item["troubles"].as_array().unwrap().contains(&json!(trouble));
    listed["items"].as_array().unwrap().iter().filter(has).count()
}

/// How many completions the store holds.
pub fn kept(project: &Project) -> u64 {
    let status = project.run(&["teacher", "status", "--json"]).json();
    status["models"].as_array().unwrap().iter().map(|model| model["completions"].as_u64().unwrap()).sum()
}

pub fn wait_for(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn start(project: &Project, service: &Service, args: &[&str]) -> Child {
    let mut command = support::command(&project.path("."), &arguments(service, args));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
