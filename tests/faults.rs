//! What must not lose a vote: a process killed at any instant, several at once, a full disk, a store that cannot be written
//! or is damaged, a clock that goes back.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use logwright::labels::Judgement;
use logwright::logs::TemplateKey;
use logwright::workspace::{NewVote, ReadOnly, Workspace};
use support::Project;

/// How many votes a voter casts unless it is killed.
const SCRIPT: usize = 10_000;
const KILLS: u64 = 50;

fn vote(id: &str, annotator: &str) -> NewVote {
    NewVote::new(TemplateKey::new("bgl", id), annotator, Judgement::Normal)
}

fn voters(workspace: &Workspace) -> BTreeSet<String> {
    workspace.votes().unwrap().into_iter().map(|vote| vote.annotator).collect()
}

/// Nothing by itself: the other tests start this program again with a script, and it votes and says so after each vote.
#[test]
fn scripted_voter() {
    let Ok(script) = std::env::var("LOGWRIGHT_TEST_VOTER") else { return };
    let (dir, name) = script.split_once('|').unwrap();
    let workspace = Workspace::open(Path::new(dir)).unwrap();
    let votes = std::env::var("LOGWRIGHT_TEST_VOTES").unwrap().parse().unwrap();
    for number in 0..votes {
        let annotator = format!("{name}.{number}");
        workspace.cast_vote(&vote(if number % 2 == 0 { "1" } else { "2" }, &annotator)).unwrap();
        // One write, so that a kill leaves a whole line or none.
        std::io::stdout().write_all(format!("\nvoted {annotator}\n").as_bytes()).unwrap();
    }
}

fn start_voter(dir: &Path, name: &str, votes: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["scripted_voter", "--exact", "--nocapture"])
        .env("LOGWRIGHT_TEST_VOTER", format!("{}|{name}", dir.display()))
        .env("LOGWRIGHT_TEST_VOTES", votes.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn acknowledged(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("voted ").map(str::to_owned))
}

#[test]
fn a_voter_killed_at_any_instant_loses_no_acknowledged_vote() {
    let project = Project::with_templates();
    let dir = project.path("");
    // A small generator of its own: where the kills fall must not depend on the clock alone.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut all = BTreeSet::new();
    for kill in 0..KILLS {
        let mut voter = start_voter(&dir, &format!("voter{kill}"), SCRIPT);
        let mut acknowledgements = acknowledged(&mut voter);
        for _ in 0..=random(120) {
            all.insert(acknowledgements.next().expect("the voter votes until it is killed"));
        }
        std::thread::sleep(Duration::from_micros(random(3_000)));
        voter.kill().unwrap();
        voter.wait().unwrap();
        all.extend(acknowledgements);
        let kept = voters(&Workspace::open(&dir).unwrap());
        let lost: Vec<_> = all.difference(&kept).collect();
        assert!(lost.is_empty(), "kill {kill}: {} of {} acknowledged votes are lost: {lost:?}", lost.len(), all.len());
    }
    assert!(all.len() > 1_000, "{}", all.len());
}

#[test]
fn five_processes_vote_at_once_and_none_loses_a_vote() {
    let project = Project::with_templates();
    let dir = project.path("");
    let mut children: Vec<Child> = (0..5).map(|n| start_voter(&dir, &format!("voter{n}"), 60)).collect();
    for child in &mut children {
        assert_eq!(acknowledged(child).count(), 60);
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(voters(&Workspace::open(&dir).unwrap()).len(), 300);
}

/// The limit on the size of files stands in for a disk that is full: both fail the write.
#[test]
#[cfg(unix)]
fn a_full_disk_refuses_a_vote_and_keeps_the_others() {
    let project = Project::with_templates();
    assert_eq!(project.run(&["vote", "1", "normal", "--as", "ana"]).code, 0);
    let long = "x".repeat(200_000);
    let script = "ulimit -f 100; trap '' XFSZ; exec \"$0\" vote 2 normal --as bao --comment \"$1\"";
    // The comment makes the row larger than what may still be written.
    let comment = &long[..120_000];
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_logwright"), comment])
        .current_dir(project.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("workspace.db") && said.contains("is the disk full?"), "{said}");
    assert_eq!(voters(&Workspace::open(&project.path("")).unwrap()), BTreeSet::from(["ana".to_owned()]));
    assert_eq!(project.run(&["vote", "2", "normal", "--as", "bao", "--comment", comment]).code, 0);
}

/// A store with the middle of its file overwritten, and many votes around the damage.
fn damaged() -> Project {
    let project = Project::with_templates();
    let mut table = "dataset,id,annotator,label,comment\n".to_owned();
    for n in 0..2_000 {
        table += &format!("bgl,1,voter{n},normal,{}\n", "because ".repeat(10));
    }
    project.write("votes.csv", table.as_bytes());
    assert_eq!(project.run(&["import", "votes", "votes.csv"]).code, 0);
    let path = project.path("workspace.db");
    let length = fs::metadata(&path).unwrap().len();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(length / 2 / 4096 * 4096)).unwrap();
    file.write_all(&[0xa5; 3 * 4096]).unwrap();
    project
}

#[test]
fn a_damaged_store_is_told_opens_for_reading_and_can_be_saved() {
    let project = damaged();
    let workspace = Workspace::open(&project.path("")).unwrap();
    assert!(matches!(workspace.read_only(), Some(ReadOnly::Damaged(_))), "{:?}", workspace.read_only());
    drop(workspace);
    let refused = project.run(&["vote", "1", "normal", "--as", "ana"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("nothing was written; it is damaged"), "{}", refused.stderr);
    assert!(refused.stderr.contains("logwright dump FILE"), "{}", refused.stderr);

    let dumped = project.run(&["dump", "saved.jsonl", "--json"]);
    let saved = dumped.json()["rows"]["votes"].as_u64().unwrap();
    assert!((1_500..=2_000).contains(&saved), "{saved} votes saved: {}", dumped.stderr);
    assert_eq!(dumped.json()["rows"]["templates"], 2);
    let fresh = Project::empty();
    let file = project.path("saved.jsonl").display().to_string();
    let merged = fresh.run(&["merge", &file, "--json"]);
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    assert_eq!(merged.json()["added"]["votes"], saved);
    assert_eq!(fresh.run(&["vote", "1", "normal", "--as", "ana"]).code, 0);
    assert_eq!(fresh.run(&["merge", &file, "--json"]).json()["rows"], 0);
}

#[test]
fn a_dump_that_is_cut_short_adds_nothing() {
    let project = Project::with_templates();
    assert_eq!(project.run(&["dump", "whole.jsonl"]).code, 0);
    let whole = fs::read_to_string(project.path("whole.jsonl")).unwrap();
    let other = Project::empty();
    other.write("cut.jsonl", &whole.as_bytes()[..whole.len() - 20]);
    let output = other.run(&["merge", "cut.jsonl"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("line 2"), "{}", output.stderr);
    assert!(Workspace::open(&other.path("")).unwrap().templates().unwrap().is_empty());
}

#[test]
fn a_vote_cast_while_the_clock_stands_in_the_past_is_still_the_newest() {
    let project = Project::with_templates();
    project.write("future.csv", b"dataset,id,annotator,label,at\nbgl,1,ana,normal,2099-01-01T00:00:00Z\n");
    assert_eq!(project.run(&["import", "votes", "future.csv"]).code, 0);
    assert_eq!(project.run(&["vote", "1", "abnormal", "--as", "ana"]).code, 0);
    let votes = Workspace::open(&project.path("")).unwrap().votes().unwrap();
    assert_eq!(votes.iter().map(|vote| vote.judgement.word()).collect::<Vec<_>>(), ["abnormal"]);
}

#[test]
fn a_store_that_may_not_be_written_still_opens_for_reading() {
    let project = Project::with_templates();
    assert_eq!(project.run(&["vote", "1", "normal", "--as", "ana"]).code, 0);
    let (file, dir) = (project.path("workspace.db"), project.path(""));
    let lock = |read_only: bool| {
        for path in [&file, &dir] {
            let mut permissions = fs::metadata(path).unwrap().permissions();
            permissions.set_readonly(read_only);
            fs::set_permissions(path, permissions).unwrap();
        }
    };
    lock(true);
    if OpenOptions::new().append(true).open(&file).is_ok() {
        lock(false);
        println!("skipped: this user may write whatever the permissions say");
        return;
    }
    let status = project.run(&["round", "status", "--json"]);
    let refused = project.run(&["vote", "2", "normal", "--as", "ana"]);
    lock(false);
    assert_eq!((status.code, &status.json()["rounds"][0]["votes"]), (0, &serde_json::Value::from(1)));
    assert!(status.stderr.contains("cannot be written"), "{}", status.stderr);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("nothing was written"), "{}", refused.stderr);
}
