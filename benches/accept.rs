//! How long a decision in the Review pane takes: from the key to the first byte of the screen that moves on, which is after the
//! decision is on disk.
//!
//! `cargo bench --bench accept` opens the real program on a pseudo-terminal over a project of 100,000 templates with gold labels and
//! 20,000 rationales, half of them decided before, accepts `KEYS` (200) of them one by one, and counts what is on disk in the end.
//! `TEMPLATES` and `RATIONALES` make it smaller; `PROGRAM` names another build of the program to measure.

#![allow(clippy::unwrap_used, missing_docs)]

mod screen;

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use screen::Screen;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A word for a number, unlike its neighbours'.
fn word(n: usize) -> String {
    let mut n = n.wrapping_mul(2_654_435_761) % 17_576_000;
    (0..5).map(|_| (char::from(b'a' + (n % 26) as u8), n /= 26).0).collect()
}

fn main() {
    let (templates, rationales, keys) =
        (setting("TEMPLATES", 100_000), setting("RATIONALES", 20_000), setting("KEYS", 200));
    let program = std::env::var("PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_logwright").to_owned());
    let project = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| -> String {
        let done = Command::new(&program).args(arguments).current_dir(project.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    run(&["init", "."]);
    write_files(project.path(), templates, rationales);
    run(&["import", "templates", "templates.csv"]);
    run(&["import", "rationales", "first.jsonl"]);
    run(&["review", "accept", "--all"]);
    run(&["import", "rationales", "second.jsonl"]);
    let before = accepted(&run(&["review", "list", "--standing", "accepted"]));

    let state = [("XDG_STATE_HOME", project.path().join("state"))];
    let Screen { mut child, keys: mut typed, bytes } = Screen::open(Path::new(&program), project.path(), &state);
    let mut press = |text: &str| {
        typed.write_all(text.as_bytes()).unwrap();
        typed.flush().unwrap();
    };
    let quiet = |most: u64| while bytes.recv_timeout(Duration::from_millis(most)).is_ok() {};
    thread::sleep(Duration::from_secs(3));
    press("\x1b");
    quiet(500);
    press("3");
    quiet(8000);
    // To the first that is undecided.
    press("n");
    quiet(1000);
    let mut found = Vec::new();
    for _ in 0..keys {
        let pressed = Instant::now();
        press("a");
        let first = bytes.recv_timeout(Duration::from_secs(10)).expect("the screen moves on");
        found.push(first.saturating_duration_since(pressed).as_secs_f64() * 1000.0);
        quiet(40);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let after = accepted(&run(&["review", "list", "--standing", "accepted"]));
    assert_eq!(after - before, keys, "every decision is on disk");
    found.sort_by(f64::total_cmp);
    let at = |share: f64| found[((found.len() - 1) as f64 * share) as usize];
    println!(
        "{templates} templates, {rationales} rationales, {keys} accepted: key to screen median {:.2} ms, p95 {:.2} ms, longest {:.2} ms",
        at(0.5),
        at(0.95),
        at(1.0)
    );
    println!("one write that is on disk takes {:.2} ms here", one_write(project.path()));
}

fn accepted(listed: &str) -> usize {
    listed.lines().filter(|line| line.starts_with("accepted ")).count()
}

/// The median of writing a page and having it on disk, in milliseconds: what no decision can be faster than.
fn one_write(dir: &Path) -> f64 {
    let mut file = std::fs::File::create(dir.join("probe")).unwrap();
    let mut times: Vec<f64> = (0..50)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[25]
}

fn write_files(dir: &Path, templates: usize, rationales: usize) {
    let text = |n: usize| format!("{} {} <*> reports {} after {}", word(n), word(n + 7), word(n * 3), word(n + 99));
    let mut table = "dataset,id,template,label,gold\n".to_owned();
    for n in 0..templates {
        writeln!(table, "bench,{n},{},normal,normal", text(n)).unwrap();
    }
    std::fs::write(dir.join("templates.csv"), table).unwrap();
    let rationale = |n: usize| {
        let steps: Vec<String> = (1..6)
            .map(|step| {
                format!(
                    "{step}. It {} and {} {}, so {}.",
                    word(n * 11 + step),
                    word(n + step * 31),
                    word(n * 5 + step),
                    word(step * n + 3)
                )
            })
            .collect();
        serde_json::json!({
            "id": format!("r-{n}"), "task": "anomaly", "instruction": "Judge the entry.", "input": text(n), "label": "normal",
            "reasoning": format!("<think>{}</think><answer>normal</answer>", steps.join("\n")),
        })
        .to_string()
    };
    for (name, range) in [("first.jsonl", 0..rationales / 2), ("second.jsonl", rationales / 2..rationales)] {
        std::fs::write(dir.join(name), range.map(rationale).collect::<Vec<_>>().join("\n")).unwrap();
    }
}
