//! Nothing is paid for twice: replies are kept, what was sent is known, and the real program is killed and suspended in between.

#![allow(clippy::unwrap_used)]

#[path = "support/teacher.rs"]
mod service;
mod support;

use std::collections::{HashMap, HashSet};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use service::{
    Asked, Deed, PRICES, RIGHT, Service, WRONG, flagged, kept, numbers, project_of, rationales, set, start, wait_for,
};
use support::Project;

#[test]
fn right_rationales_wait_for_review_and_are_never_paid_for_twice() {
    let project = Project::with_templates();
    let service =
        Service::start(|asked| Deed::Reply(format!("<think>1. a\n2. {}</think><answer>normal</answer>", asked.number)));
    let output = rationales(&project, &service, &["--n", "2"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let report = output.json();
    let counts = numbers(&report, &["total", "asked", "cached", "kept", "new", "wrong", "failed", "left"]);
    assert_eq!(counts, [2, 4, 0, 4, 4, 0, 0, 0]);
    assert_eq!((&report["ended"], &report["spent"]), (&"whole".into(), &Value::Null));
    let again = rationales(&project, &service, &["--n", "2"]).json();
    assert_eq!(numbers(&again, &["asked", "cached", "kept", "new"]), [0, 4, 4, 0]);
    assert_eq!(service.requests(), 4);
    let listed = project.run(&["review", "list", "--json"]).json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["standing"]), (4, &"pending".into()));
    // What is accepted is not asked about again, unless it is wanted.
    assert_eq!(project.run(&["review", "accept", listed["items"][0]["id"].as_str().unwrap()]).code, 0);
    let rest = rationales(&project, &service, &[]).json();
    assert_eq!(numbers(&rest, &["total", "accepted_before"]), [1, 1]);
    assert_eq!(numbers(&rationales(&project, &service, &["--again"]).json(), &["total", "accepted_before"]), [2, 0]);
}

/// What the service of the great test does with a request: by its content and how often it came, so that every run is alike.
fn misbehave(asked: &Asked) -> Deed {
    let number: usize =
        asked.user().split("message number ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let kind = number % 20;
    if kind < 16 && asked.times > 1 + usize::from(kind == 3) {
        // What is mended by asking again is mended by the second or third time.
        return Deed::Reply(RIGHT.into());
    }
    match kind {
        0 => Deed::Status(429, vec![("retry-after", "0".into())], r#"{"error":{"message":"slow down"}}"#.into()),
        1 if number == 1 => Deed::Status(429, vec![("retry-after", "1".into())], String::new()),
        1 => Deed::Status(429, vec![("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT".into())], String::new()),
        2 | 3 => Deed::Status(500, vec![], "<html>oops</html>".into()),
        4 => Deed::Status(503, vec![], String::new()),
        5 | 6 => Deed::Reset,
        7 if number < 250 => Deed::Slow(RIGHT.into()),
        7 => Deed::Late(RIGHT.into(), Duration::from_millis(200)),
        8 => Deed::Truncated(RIGHT.into()),
        9 => Deed::CutJson(RIGHT.into()),
        10 => Deed::Other(
            "application/json",
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}"#.into(),
        ),
        11 => Deed::Other("text/html", "<html>log in first</html>".into()),
        // The first sample of these is wrong, and of these cut off; other samples are other requests.
        16 if asked.body["seed"] == 1 => Deed::Reply(WRONG.into()),
        17 if asked.body["seed"] == 1 => Deed::Finish("<think>1. It goes on".into(), "length"),
        18 if number == 18 => Deed::Status(500, vec![], "always".into()),
        19 if number == 19 => Deed::Status(400, vec![], r#"{"error":{"message":"too long"}}"#.into()),
        19 if number == 39 => Deed::Reply(WRONG.into()),
        _ => Deed::Reply(RIGHT.into()),
    }
}

#[test]
fn five_hundred_requests_through_every_kind_of_trouble_and_a_kill() {
    let project = project_of(500);
    set(&project, PRICES);
    let budget = ["--budget", "20", "--concurrency", "32", "--tries", "4"];
    // After so many whole replies the service falls silent, until it is told to go on.
    let (replies, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(200)));
    let service = {
        let (replies, most) = (Arc::clone(&replies), Arc::clone(&most));
        Service::start(move |asked| {
            let deed = misbehave(asked);
            let whole = matches!(deed, Deed::Reply(_) | Deed::Finish(..) | Deed::Late(..));
            let silent = whole && replies.fetch_add(1, Ordering::SeqCst) >= most.load(Ordering::SeqCst);
            if silent { Deed::Slow(RIGHT.into()) } else { deed }
        })
    };
    let mut first = start(&project, &service, &budget);
    wait_for("the silence", || replies.load(Ordering::SeqCst) > 200 && kept(&project) == 200);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(kept(&project), 200, "what was replied is on disk");
    assert_eq!(service.served().values().sum::<usize>(), 200);

    most.store(usize::MAX, Ordering::SeqCst);
    let output = rationales(&project, &service, &budget);
    let report = output.json();
    assert_eq!(numbers(&report, &["total", "done", "left"]), [500, 500, 0], "{}", output.stderr);
    assert_eq!(output.code, 1, "not all were had");
    assert!(numbers(&report, &["cached"])[0] >= 200, "{}", output.stderr);
    // All are finished or reported: what may have been paid for, and two that the service refuses, unless these were under
    // way themselves as the job was killed.
    let [kept_now, wrong, failed, unsettled] = numbers(&report, &["kept", "wrong", "failed", "unsettled"])[..] else {
        panic!()
    };
    let why = |id: usize| report["items"][id]["failed"][0].as_str().unwrap().to_owned();
    let refused: Vec<usize> = [18, 19].into_iter().filter(|id| !why(*id).contains("may have been paid for")).collect();
    assert_eq!((kept_now + wrong + failed, failed), (500, unsettled + refused.len() as u64), "{}", output.stderr);
    assert!(
        output.stderr.contains(&format!("{unsettled} requests may have been paid for, up to $")),
        "{}",
        output.stderr
    );
    for id in &refused {
        let expected = if *id == 18 { "500: always (tried 6 times)" } else { "400: too long" };
        assert!(why(*id).contains(expected), "{}", why(*id));
    }
    let requests = report["unsettled_requests"].as_array().unwrap();
    let killed = requests.iter().filter(|request| request["lost"] == false).count();
    assert_eq!(
        (requests.len() as u64, killed > 0 && killed <= 32),
        (unsettled, true),
        "{killed} were cut off by the kill"
    );
    println!("killed: {killed} under way; {unsettled} may have been paid for, {kept_now} kept");
    let told = |item: &&Value| item["failed"].to_string().contains("may have been paid for");
    assert_eq!(report["items"].as_array().unwrap().iter().filter(told).count() as u64, unsettled);

    let twice =
        |charged: HashMap<String, usize>| charged.into_iter().filter(|(_, times)| *times > 1).collect::<Vec<_>>();
    assert_eq!(twice(service.charged()), [], "worked on twice");
    let served: usize = service.served().values().sum();
    assert_eq!(kept(&project), served as u64, "every reply is kept");
    assert_eq!((flagged(&project, "answer_mismatch") as u64, flagged(&project, "malformed")), (wrong, 0));
    let status = project.run(&["teacher", "status", "--json"]).json();
    assert_eq!(numbers(&status, &["unsettled", "under_way"]), [unsettled, 0]);
    assert_eq!(numbers(&status["models"][0], &["unsettled"]), [killed as u64]);
    let at_least = 0.0006 * served as f64 + report["unsettled_cost"].as_f64().unwrap() * 0.9;
    assert!(status["spent"].as_f64().unwrap() >= at_least, "what may have been paid counts as spent: {status}");

    // Nothing is sent of its own accord but the two that are refused.
    let before = service.requests();
    let again = rationales(&project, &service, &budget).json();
    assert_eq!(numbers(&again, &["asked", "kept", "new", "unsettled"]), [0, kept_now, 0, unsettled]);
    let attempts: usize = refused.iter().map(|id| if *id == 18 { 6 } else { 1 }).sum();
    assert_eq!(service.requests() - before, attempts, "nothing else is asked");

    let whole = rationales(&project, &service, &[&budget[..], &["--ask-again"]].concat()).json();
    assert_eq!(numbers(&whole, &["kept", "wrong", "failed", "unsettled"]), [497, 1, 2, 0]);
    assert_eq!(twice(service.served()), [], "answered twice");
    let keys = service.keys();
    assert!(keys.values().all(|keys| keys.len() == 1), "a request keeps its idempotency key");
    let all: HashSet<_> = keys.values().flatten().collect();
    assert_eq!(all.len(), keys.len(), "and no two have the same");
    // One that the service refuses and that was under way at the kill never has an answer that would settle that.
    let status = project.run(&["teacher", "status", "--json"]).json();
    assert_eq!(numbers(&status, &["unsettled"]), [2 - refused.len() as u64]);
}

#[test]
fn a_kill_at_any_moment_and_nothing_is_paid_for_twice() {
    let project = project_of(60);
    let service = Service::start(|_| Deed::Late(RIGHT.into(), Duration::from_millis(15)));
    for times in 0..12 {
        let mut child = start(&project, &service, &["--concurrency", "4"]);
        std::thread::sleep(Duration::from_millis(60 + 23 * times));
        // It may be done already.
        let _ = child.kill();
        child.wait().unwrap();
    }
    let output = rationales(&project, &service, &[]);
    let [kept_now, unsettled] = numbers(&output.json(), &["kept", "unsettled"])[..] else { panic!() };
    println!("12 kills: {unsettled} replies were under way, and are reported");
    assert_eq!((kept_now + unsettled, kept(&project)), (60, kept_now), "{}", output.stderr);
    assert!(service.charged().values().all(|times| *times == 1), "paid for twice");
    let left: Vec<_> = std::fs::read_dir(project.path(".")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    let locks = left.iter().filter(|name| name.to_string_lossy().starts_with(".asking")).count();
    assert!(locks <= 12, "{left:?}");
    let rest = rationales(&project, &service, &["--ask-again"]).json();
    assert_eq!(numbers(&rest, &["asked", "kept", "unsettled"]), [unsettled, 60, 0]);
}

#[test]
fn two_processes_at_once_ask_each_question_once() {
    let project = project_of(60);
    let service = Service::start(|_| Deed::Late(RIGHT.into(), Duration::from_millis(30)));
    let mut children: Vec<Child> = (0..3).map(|_| start(&project, &service, &["--concurrency", "6"])).collect();
    let ended: Vec<bool> = children.iter_mut().map(|child| child.wait().unwrap().success()).collect();
    assert_eq!(ended, [true; 3]);
    assert_eq!((kept(&project), service.requests()), (60, 60));
    assert!(service.charged().values().all(|times| *times == 1));
}

#[test]
fn what_costs_nothing_is_simply_asked_again() {
    let project = project_of(40);
    set(&project, "[teacher.prices.m]\ninput = 0.0\noutput = 0.0\n");
    let service = Service::start(|asked| if asked.times == 1 { Deed::Reset } else { Deed::Reply(RIGHT.into()) });
    let report = rationales(&project, &service, &[]).json();
    assert_eq!(numbers(&report, &["kept", "missed", "unsettled"]), [40, 40, 0]);
}

/// Suspends a process, or lets it go on.
#[cfg(unix)]
fn signal(child: &Child, which: &str) {
    let status = Command::new("kill").args([which, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn a_suspended_process_is_not_waited_for_for_ever_and_what_it_asked_is_not_asked_again() {
    let project = project_of(3);
    // The first request is answered late, so that its process can be suspended before.
    let service = Service::start(|asked| match asked.number {
        1 => Deed::Late(RIGHT.into(), Duration::from_millis(700)),
        _ => Deed::Reply(RIGHT.into()),
    });
    let mut first = start(&project, &service, &["--concurrency", "1"]);
    wait_for("the first request", || service.requests() == 1);
    signal(&first, "-STOP");
    let began = Instant::now();
    let output = rationales(&project, &service, &[]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let report = output.json();
    assert_eq!((output.code, numbers(&report, &["kept", "failed", "asked"])), (1, vec![2, 1, 2]), "{}", output.stderr);
    let pid = first.id();
    let why = report["items"][0]["failed"][0].as_str().unwrap();
    assert!(why.starts_with(&format!("process {pid} has it out since 20")), "{why}");
    assert!(
        why.contains(&format!("`kill -CONT {pid}` lets it go on, `kill -KILL {pid}` ends it; then start again")),
        "{why}"
    );
    if cfg!(target_os = "linux") {
        assert!(why.contains("and is suspended"), "{why}");
    }
    let status = project.run(&["teacher", "status", "--json"]).json();
    assert_eq!((&status["under_way"], &status["held_up"][0]["pid"]), (&json!(1), &json!(pid)), "{status}");
    // Not even where it is wanted is it asked again while somebody has it out.
    let output = rationales(&project, &service, &["--ask-again"]);
    assert_eq!((output.code, numbers(&output.json(), &["failed", "asked"])), (1, vec![1, 0]));
    signal(&first, "-CONT");
    let _ = first.wait().unwrap();
    // Its answer is kept, or told to be lost, by how long it was suspended; either way it is not asked again by itself.
    let after = rationales(&project, &service, &[]).json();
    let [kept_now, unsettled, asked] = numbers(&after, &["kept", "unsettled", "asked"])[..] else { panic!() };
    assert_eq!((kept_now + unsettled, asked), (3, 0), "{after}");
    assert!(service.served().values().all(|times| *times == 1), "answered twice");
}
