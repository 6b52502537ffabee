//! How long a key waits for its first byte on the terminal, at rest and while a fine-tuning saturates all cores.
//!
//! `cargo bench --bench latency [-- SECONDS]` opens the real program on a pseudo-terminal over the bundled demo, needs the default
//! model (`logwright model pull smollm2-135m`), and prints median, 95th percentile and longest. The aim is a 95th
//! percentile under 16 ms.

#![allow(clippy::unwrap_used, missing_docs)]

mod screen;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use screen::Screen;

/// Between two keys, as someone types who moves through a list.
const BETWEEN: Duration = Duration::from_millis(90);

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(15);
    let project = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_logwright");
    let demo = |name: &str| format!("{}/datasets/demo/{name}", env!("CARGO_MANIFEST_DIR"));
    let run = |arguments: &[&str]| {
        let done = Command::new(program).args(arguments).current_dir(project.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    run(&["init", "."]);
    run(&["import", "templates", &demo("templates.csv")]);
    run(&["import", "rationales", &demo("rationales.jsonl")]);
    run(&["review", "accept", "--all"]);

    let Screen { mut child, mut keys, bytes } = Screen::open(Path::new(program), project.path(), &[]);
    let mut press = |text: &str, wait: u64| {
        keys.write_all(text.as_bytes()).unwrap();
        keys.flush().unwrap();
        thread::sleep(Duration::from_millis(wait));
    };
    thread::sleep(Duration::from_secs(2));
    press("\x1b", 300);
    press("1", 500);
    report("at rest", &mut measure(&mut press, &bytes, seconds));
    press("4", 500);
    press("n", 500);
    press("s", 6000);
    press("1", 500);
    report("while it trains", &mut measure(&mut press, &bytes, seconds));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Milliseconds from each key to the first byte that follows it.
fn measure(press: &mut impl FnMut(&str, u64), bytes: &Receiver<Instant>, seconds: u64) -> Vec<f64> {
    let begin = Instant::now();
    let mut found = Vec::new();
    let mut down = 0;
    while begin.elapsed() < Duration::from_secs(seconds) {
        while bytes.try_recv().is_ok() {}
        // Down for a page's length, then up again, so that every key moves the cursor.
        let key = if down % 40 < 20 { "j" } else { "k" };
        down += 1;
        let pressed = Instant::now();
        press(key, 0);
        let first = bytes.recv_timeout(Duration::from_secs(2)).unwrap_or_else(|_| Instant::now());
        found.push(first.saturating_duration_since(pressed).as_secs_f64() * 1000.0);
        thread::sleep(BETWEEN);
    }
    found
}

fn report(what: &str, found: &mut [f64]) {
    found.sort_by(f64::total_cmp);
    let at = |share: f64| found[((found.len() - 1) as f64 * share) as usize];
    let (median, high, longest) = (at(0.5), at(0.95), at(1.0));
    println!("{what}: {} keys, median {median:.2} ms, p95 {high:.2} ms, longest {longest:.2} ms", found.len());
}
