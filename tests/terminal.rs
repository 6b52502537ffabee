//! The workbench end to end: the real program on a pseudo-terminal, its screen read back through a terminal emulator.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long to wait for something that must come; reached only when it does not.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came from the program so far, as a terminal shows it.
struct Shown {
    terminal: vt100::Parser,
    /// How many bytes it took.
    bytes: usize,
    ended: bool,
}

/// The program on a terminal of its own.
struct Workbench {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
}

impl Workbench {
    /// Opens the workbench in 80×24, with `home` for everything that it keeps of its own. Arguments follow.
    fn open(home: &Path, arguments: &[&str]) -> Self {
        Self::open_with(home, arguments, &[])
    }

    fn open_with(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        stand_in_for_the_model(home);
        let pair = native_pty_system().openpty(size(80, 24)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_logwright"));
        command.args(arguments);
        command.cwd(home);
        command.env_clear();
        for (name, folder) in
            [("HOME", "."), ("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("LOGWRIGHT_CACHE", "cache")]
        {
            command.env(name, home.join(folder));
        }
        command.env("LOGWRIGHT_DEMO", home.join("demo"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("USER", "tester");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let keys = pair.master.take_writer().unwrap();
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::new((
            Mutex::new(Shown { terminal: vt100::Parser::new(24, 80, 0), bytes: 0, ended: false }),
            Condvar::new(),
        ));
        let screen = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = output.read(&mut bytes).unwrap_or(0);
                let mut shown = screen.0.lock().unwrap();
                shown.terminal.process(&bytes[..read]);
                shown.bytes += read;
                shown.ended = read == 0;
                screen.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { child, master: pair.master, keys, shown }
    }

    /// Types into the terminal.
    fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen is as wanted, and returns its text.
    fn wait_for(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let (shown, changed) = &*self.shown;
        let deadline = Instant::now() + PATIENCE;
        let mut shown = shown.lock().unwrap();
        while !wanted(shown.terminal.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let contents = shown.terminal.screen().contents();
            assert!(!left.is_zero() && !shown.ended, "no {what} on the screen:\n{contents}");
            shown = changed.wait_timeout(shown, left).unwrap().0;
        }
        shown.terminal.screen().contents()
    }

    fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contents().contains(text))
    }

    /// How many bytes the program has sent, once it has sent none for a while.
    fn bytes_at_rest(&self) -> usize {
        loop {
            let before = self.shown.0.lock().unwrap().bytes;
            std::thread::sleep(Duration::from_millis(250));
            if self.shown.0.lock().unwrap().bytes == before {
                return before;
            }
        }
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.shown.0.lock().unwrap().terminal.screen_mut().set_size(rows, columns);
        self.master.resize(size(columns, rows)).unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits until the program is stopped, as the shell would.
    fn wait_until_stopped(&self) {
        let id = self.child.process_id().unwrap().to_string();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let listed = Command::new("ps").args(["-o", "stat=", "-p", &id]).output().unwrap();
            if listed.stdout.starts_with(b"T") {
                return;
            }
            assert!(Instant::now() < deadline, "the program was not stopped");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the program has ended and everything that it wrote is read.
    fn end(mut self) -> (ExitStatus, vt100::Parser) {
        let (shown, changed) = &*self.shown;
        let (shown, late) = changed.wait_timeout_while(shown.lock().unwrap(), PATIENCE, |shown| !shown.ended).unwrap();
        assert!(!late.timed_out(), "the program does not end:\n{}", shown.terminal.screen().contents());
        let mut terminal = vt100::Parser::new(24, 80, 0);
        terminal.process(&shown.terminal.screen().state_formatted());
        drop(shown);
        (self.child.wait().unwrap(), terminal)
    }
}

impl Drop for Workbench {
    fn drop(&mut self) {
        if let (Ok(None), Some(id)) = (self.child.try_wait(), self.child.process_id()) {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
            let _ = self.child.wait();
        }
    }
}

/// A file of the model's size, in its place, so that the workbench does not fetch it.
fn stand_in_for_the_model(home: &Path) {
    let folder = home.join("cache/models/smollm2-135m");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::File::create(folder.join("SmolLM2-135M-Instruct.Q4_1.gguf")).unwrap().set_len(98_362_432).unwrap();
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// Runs a subcommand that must succeed.
fn logwright(home: &Path, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_logwright")).args(arguments).current_dir(home).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn assert_terminal_is_as_before(terminal: &vt100::Parser) {
    let screen = terminal.screen();
    assert!(!screen.alternate_screen(), "still on the alternate screen");
    assert!(!screen.hide_cursor(), "the cursor is hidden");
    assert!(!screen.bracketed_paste(), "pastes are still bracketed");
}

#[test]
fn the_six_panes_of_the_demo_open_one_by_one_and_quitting_restores_the_terminal() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    for (key, tab, shows) in [
        ("2", "[2 Panel]", "alpha 0.787"),
        ("3", "[3 Review]", "accept"),
        ("4", "[4 Train]", "No run yet"),
        ("5", "[5 Reason]", "332 logs"),
        ("6", "[6 Evaluate]", "anomaly class"),
        ("1", "[1 Label]", "0 of 332 voted"),
    ] {
        bench.type_keys(key);
        bench.wait_for(tab, |screen| screen.contents().contains(tab) && screen.contents().contains(shows));
    }
    bench.type_keys("?");
    bench.wait_for_text("Keys: Label");
    bench.type_keys("\x1b");
    bench.wait_for("closed help", |screen| !screen.contents().contains("Keys: Label"));
    bench.type_keys(":evalu\r");
    bench.wait_for_text("[6 Evaluate]");
    bench.type_keys("q");
    let (status, terminal) = bench.end();
    assert!(status.success());
    assert_terminal_is_as_before(&terminal);

    // The next start goes back to where this one was left.
    let bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("[6 Evaluate]");
}

#[test]
fn votes_that_the_screen_has_acknowledged_survive_a_kill_9() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("na3u");
    bench.wait_for_text("3 of 332 voted, 3 this session");
    bench.signal("KILL");
    bench.end();

    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("3 of 332 voted, 0 this session");
    bench.type_keys("z");
    bench.wait_for_text("2 of 332 voted");
    bench.signal("KILL");
    bench.end();
    let bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("2 of 332 voted, 0 this session");
}

#[test]
fn undo_and_redo_reach_across_a_restart_and_leaving_says_what_was_done() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("na3");
    bench.wait_for_text("2 of 332 voted, 2 this session");
    bench.type_keys("q");
    let (_, terminal) = bench.end();
    let farewell = terminal.screen().contents();
    assert!(farewell.contains("2 votes: 1 normal, 1 abnormal, 0 unsure, 0 skipped; median"), "{farewell}");

    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("2 of 332 voted, 0 this session");
    bench.type_keys("zz");
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("q");
    assert!(!bench.end().1.screen().contents().contains("votes:"), "nothing was cast");

    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("Z");
    bench.wait_for_text("1 of 332 voted");
    bench.type_keys("Z");
    bench.wait_for_text("2 of 332 voted");
    bench.type_keys("Z");
    bench.wait_for_text("nothing that you took back");
}

#[test]
fn near_duplicates_are_voted_on_and_taken_back_as_one() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("xxxb");
    bench.wait_for_text("3 of 3 marked ticked");
    bench.type_keys("n");
    bench.wait_for_text("3 of 332 voted, 3 this session");
    bench.type_keys("z");
    bench.wait_for_text("0 of 332 voted");
    bench.wait_for_text("took back your vote on 3 templates");
}

#[test]
fn guidelines_are_written_in_the_editor_and_kept() {
    let home = tempfile::tempdir().unwrap();
    let editor = [("EDITOR", "sh -c 'echo \"- a reboot is normal\" >> \"$0\"'")];
    let mut bench = Workbench::open_with(home.path(), &[], &editor);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("i");
    bench.wait_for_text("no guidelines yet");
    bench.type_keys("e");
    bench.wait_for_text("What is asked");
    let kept = std::fs::read_to_string(home.path().join("demo/guidelines.md")).unwrap();
    assert!(kept.ends_with("- a reboot is normal\n"), "{kept}");
    bench.type_keys("\x1b");
    bench.wait_for("the pane", |screen| !screen.contents().contains("What is asked"));
}

#[test]
fn a_closed_blind_round_takes_no_more_votes_on_the_screen() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    // Closed behind the screen's back: the store refuses, and the pane says so.
    logwright(home.path(), &["-C", "demo", "round", "close", "--as", "tester"]);
    bench.type_keys("n");
    bench.wait_for_text("error: ");
    bench.type_keys("21");
    bench.wait_for_text("the blind round is closed");
    bench.type_keys("n");
    bench.wait_for_text("vote in the Panel pane (2)");
}

/// The rows of a page are moved through one by one. At once a move sends a few dozen bytes; when the cursor rests, the
/// next template's details follow, which are as long as they are.
#[test]
fn a_held_key_sends_few_bytes_for_each_row() {
    let home = tempfile::tempdir().unwrap();
    for (columns, rows, moves) in [(80, 24, 6), (200, 60, 40)] {
        let mut bench = Workbench::open(home.path(), &[]);
        bench.wait_for_text("0 of 332 voted");
        bench.resize(columns, rows);
        bench.type_keys("g");
        let before = bench.bytes_at_rest();
        bench.type_keys("j");
        let one = bench.bytes_at_rest();
        for _ in 1..moves {
            bench.type_keys("j");
            std::thread::sleep(Duration::from_millis(15));
        }
        let all = bench.bytes_at_rest();
        let each = (all - one) / (moves - 1);
        println!("{columns}x{rows}: a move that rests {} bytes, one of {moves} in a row {each} bytes", one - before);
        assert!(each <= 300, "{columns}x{rows}: {each} bytes a move");
        bench.type_keys("q");
        bench.end();
    }
}

#[test]
fn escape_sequences_in_a_log_are_shown_as_text() {
    let home = tempfile::tempdir().unwrap();
    let templates = "dataset,id,template,label,count,sample\n\
        bgl,e1,\"\x1b]0;owned\x07\x1b[2J\x1b[31mred \u{202e}<*> alert\",abnormal,1,\"line \x1b[5mblink\x08\x08 \u{9b}31m\"\n";
    std::fs::write(home.path().join("templates.csv"), templates).unwrap();
    logwright(home.path(), &["init", "project"]);
    logwright(home.path(), &["-C", "project", "import", "templates", "templates.csv"]);
    let bench = Workbench::open(home.path(), &["project"]);
    let text = bench.wait_for_text("0 of 1 voted");
    assert!(text.contains("\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred \\u{202e}<*> alert"), "{text}");
    assert!(text.contains("line \\x1b[5mblink\\x08\\x08 \\x9b31m"), "{text}");
}

#[test]
fn the_screen_follows_the_size_of_its_terminal() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    bench.resize(40, 10);
    bench.wait_for_text("needs 60x16");
    bench.resize(200, 60);
    // Side by side, list and template share a row of borders.
    bench.wait_for("the wide layout", |screen| screen.contents().contains("┐┌ bgl/"));
    bench.resize(80, 24);
    bench.wait_for("the narrow layout", |screen| {
        let contents = screen.contents();
        contents.contains("0 of 332 voted") && !contents.contains("┐┌")
    });
    // A key that comes in the very moment of a resize waits in crossterm until the next one: it polls edge-triggered.
    bench.bytes_at_rest();
    bench.type_keys("q");
    assert!(bench.end().0.success());
}

/// How often the program's threads have gone to sleep or been sent there: an idle one does neither.
#[cfg(target_os = "linux")]
fn switches(bench: &Workbench) -> u64 {
    let tasks = format!("/proc/{}/task", bench.child.process_id().unwrap());
    let mut total = 0;
    for task in std::fs::read_dir(tasks).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
        total += counts.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum::<u64>();
    }
    total
}

#[test]
#[cfg(target_os = "linux")]
fn an_idle_workbench_sleeps_in_every_pane() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    for pane in ["1 Label", "2 Panel", "3 Review", "4 Train", "5 Reason", "6 Evaluate"] {
        bench.type_keys(&pane[..1]);
        bench.wait_for_text(&format!("[{pane}]"));
        // What entering set going has to come to rest first, however slow the machine; then nothing may happen any more.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = switches(&bench);
            std::thread::sleep(Duration::from_millis(700));
            if switches(&bench) == before {
                break;
            }
            assert!(Instant::now() < deadline, "the workbench keeps waking up in {pane}");
        }
    }
}

#[test]
fn a_signal_to_end_restores_the_terminal() {
    for signal in ["TERM", "HUP", "INT"] {
        let home = tempfile::tempdir().unwrap();
        let bench = Workbench::open(home.path(), &[]);
        bench.wait_for_text("0 of 332 voted");
        bench.signal(signal);
        let (_, terminal) = bench.end();
        assert_terminal_is_as_before(&terminal);
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_a_continue_takes_it_again() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("\x1a");
    bench.wait_for("the shell's screen", |screen| !screen.alternate_screen());
    bench.wait_until_stopped();
    bench.signal("CONT");
    bench.wait_for("the workbench", |screen| screen.alternate_screen() && screen.contents().contains("0 of 332 voted"));
    bench.type_keys("n");
    bench.wait_for_text("1 of 332 voted");
}

#[test]
fn keys_from_the_users_file_work_and_conflicts_are_named() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config/logwright");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("keys.toml"), "label-normal = \"ctrl-g\"\nlabel-skip = \"?\"\n").unwrap();
    let mut bench = Workbench::open(home.path(), &[]);
    bench.wait_for_text("wanted by label-skip and help");
    bench.type_keys("\r");
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("n\x07");
    bench.wait_for_text("1 of 332 voted");
}

#[test]
fn the_editor_gets_the_terminal_and_hands_the_text_back() {
    let home = tempfile::tempdir().unwrap();
    let editor = [("EDITOR", "sh -c 'echo written outside >> \"$0\"; read key; echo \"then $key\" >> \"$0\"'")];
    let mut bench = Workbench::open_with(home.path(), &[], &editor);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("3");
    bench.wait_for_text("[rationales 0/60]");
    bench.type_keys("e");
    bench.wait_for_text("ctrl-o");
    bench.type_keys("\x0f");
    bench.wait_for("the editor's screen", |screen| !screen.alternate_screen());
    // Keys go to the editor now, every one of them.
    bench.type_keys("typed there\n");
    bench.wait_for_text("then typed there");
    bench.type_keys("!\x13");
    bench.wait_for("the closed prompt", |screen| !screen.contents().contains("ctrl-o"));
    bench.wait_for_text("saved; still flagged");
}

#[test]
fn a_failing_editor_loses_no_text() {
    let home = tempfile::tempdir().unwrap();
    let mut bench = Workbench::open_with(home.path(), &[], &[("EDITOR", "false")]);
    bench.wait_for_text("0 of 332 voted");
    bench.type_keys("3");
    bench.wait_for_text("[rationales 0/60]");
    bench.type_keys("e");
    bench.wait_for_text("ctrl-o");
    bench.type_keys("kept words\x0f");
    let text = bench.wait_for_text("the text is unchanged");
    assert!(text.contains("kept words"), "{text}");
}

#[test]
fn no_color_draws_without_colour() {
    let home = tempfile::tempdir().unwrap();
    let bench = Workbench::open_with(home.path(), &[], &[("NO_COLOR", "1")]);
    bench.wait_for_text("0 of 332 voted");
    let shown = bench.shown.0.lock().unwrap();
    let screen = shown.terminal.screen();
    for row in 0..24 {
        for column in 0..80 {
            let cell = screen.cell(row, column).unwrap();
            let colours = (cell.fgcolor(), cell.bgcolor());
            assert_eq!(colours, (vt100::Color::Default, vt100::Color::Default), "row {row} column {column}");
        }
    }
}

#[test]
fn without_a_terminal_there_is_one_clear_line() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_logwright"))
        .env("LOGWRIGHT_DEMO", home.path().join("demo"))
        .current_dir(home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("needs a terminal") && complaint.lines().count() == 1, "{complaint}");
}
