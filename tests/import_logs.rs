//! Raw logs through the program: formats, compression, going on after a stop or a kill, and whatever else files hold.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Output, Project};

/// A BGL log of our own: `lines` lines from a few templates, some with alerts.
fn bgl(lines: usize) -> String {
    let mut log = String::new();
    for line in 0..lines {
        let (tag, message) = match line % 7 {
            0 => ("KERNDTLB", "data TLB error interrupt".to_owned()),
            1 | 2 => ("-", format!("generating core.{line}")),
            3 => ("-", format!("{} double-hummer alignment exceptions", line * 31 % 977)),
            4 => ("APPREAD", format!("ciod: failed to read message prefix on control stream socket:{line}")),
            _ => ("-", format!("CE sym {}, at 0x{line:08x}, mask 0x{:02x}", line % 40, line % 251)),
        };
        let node = format!("R{:02}-M0", line % 5);
        writeln!(log, "{tag} 11{line:08} 2005.06.03 {node} 2005-06-03-15.42 {node} RAS KERNEL INFO {message}").unwrap();
    }
    log
}

fn import(project: &Project, args: &[&str]) -> Value {
    let output = project.run(&[&["import", "logs", "--json"], args].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    output.json()
}

fn structured(project: &Project) -> String {
    assert_eq!(project.run(&["export", "structured", "out.csv"]).code, 0);
    fs::read_to_string(project.path("out.csv")).unwrap()
}

fn templates(project: &Project) -> Vec<logwright::workspace::TemplateRecord> {
    logwright::workspace::Workspace::open(&project.path("")).unwrap().templates().unwrap()
}

fn refused(output: &Output, code: i32, said: &[&str]) {
    assert_eq!(output.code, code, "{}", output.stderr);
    assert_eq!(output.stderr.lines().filter(|line| line.starts_with("logwright: ")).count(), 1, "{}", output.stderr);
    for said in said {
        assert!(output.stderr.contains(said), "{}", output.stderr);
    }
}

#[test]
fn a_log_becomes_templates_with_labels_counts_and_samples() {
    let project = Project::empty();
    project.write("b.log", bgl(700).as_bytes());
    let report = import(&project, &["b.log", "--format", "bgl"]);
    assert_eq!((&report["lines"], &report["templates"], &report["skipped"]), (&700.into(), &5.into(), &0.into()));
    for key in ["lines", "templates", "skipped", "seconds", "lines_per_second"] {
        assert!(report[key].is_number(), "{key}");
    }
    let templates = templates(&project);
    let texts: Vec<_> = templates.iter().map(|template| (template.text(), template.labelled.count)).collect();
    assert_eq!(
        texts,
        [
            ("data TLB error interrupt", 100),
            ("generating <*>", 200),
            ("<*> double-hummer alignment exceptions", 100),
            ("ciod: failed to read message prefix on control stream <*>", 100),
            ("CE sym <*> at <*> mask <*>", 200),
        ]
    );
    let labels: Vec<_> = templates.iter().map(|template| template.labelled.original.unwrap().as_str()).collect();
    assert_eq!(labels, ["abnormal", "normal", "normal", "abnormal", "normal"]);
    assert_eq!(templates[0].attributes["alert_lines"], 100);
    assert_eq!(templates[0].attributes["tags"], serde_json::json!(["KERNDTLB"]));
    let samples: Vec<_> = templates[0].sample_lines().collect();
    assert_eq!(samples.len(), 5);
    assert!(samples[0].starts_with("1100000000 2005.06.03 R00-M0 "), "{}", samples[0]);
    assert!(samples.iter().all(|line| !line.contains("KERNDTLB")));
}

#[test]
fn the_structured_table_keeps_line_numbers_and_leaves_out_what_is_not_of_the_format() {
    let project = Project::empty();
    project.write("a.log", b"10:00 INFO user 7 came\n\tat a stack trace\n\n10:01 INFO user 8, came\r\n10:02 WARN full");
    let output = project.run(&["import", "logs", "a.log", "--format", "<Time> <Level> <Content>"]);
    assert_eq!(output.code, 0);
    // "at a stack trace" is of this format too; the blank line is not.
    assert!(output.stderr.contains("1 of 5 lines are not of the format"), "{}", output.stderr);
    assert!(output.stderr.contains("a.log:3"), "{}", output.stderr);
    let table = structured(&project);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["LineId", "EventId", "EventTemplate"]);
    assert_eq!(rows.iter().skip(1).map(|row| row[0]).collect::<Vec<_>>(), ["1", "2", "4", "5"]);
    assert_eq!((rows[1][1], rows[1][2]), (rows[3][1], "user <*> came"));
    assert!(rows[1][1].starts_with("a-"), "the dataset is the file's name: {}", rows[1][1]);
}

#[test]
fn compressed_logs_are_told_by_their_content_and_read_alike() {
    let log = bgl(5_000);
    let plain = Project::empty();
    plain.write("x.log", log.as_bytes());
    import(&plain, &["x.log", "--format", "bgl"]);
    let expected = structured(&plain);

    let gzip = Project::empty();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&log.as_bytes()[..1_000]).unwrap();
    let mut bytes = encoder.finish().unwrap();
    // A file of several members, as log rotation writes them.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&log.as_bytes()[1_000..]).unwrap();
    bytes.extend(encoder.finish().unwrap());
    gzip.write("no-ending", &bytes);
    assert_eq!(import(&gzip, &["no-ending", "--format", "bgl"])["lines"], 5_000);
    assert_eq!(structured(&gzip), expected);

    let zstd = Project::empty();
    zstd.write("x.log.zst", &zstd::encode_all(log.as_bytes(), 1).unwrap());
    import(&zstd, &["x.log.zst", "--format", "bgl"]);
    assert_eq!(structured(&zstd), expected);

    bytes.truncate(bytes.len() / 2);
    gzip.write("half.gz", &bytes);
    let half = gzip.run(&["import", "logs", "half.gz", "--format", "bgl", "--dataset", "half"]);
    refused(&half, 1, &["half.gz", "behind line", "mend the file"]);
}

#[test]
fn a_second_import_adds_nothing_and_a_grown_file_goes_on_at_its_end() {
    let log = bgl(3_000);
    let cut = log.match_indices('\n').nth(1_500).unwrap().0 - 3;
    let whole = Project::empty();
    whole.write("b.log", log.as_bytes());
    import(&whole, &["b.log", "--format", "bgl"]);

    let grown = Project::empty();
    // In the middle of a line: its rest belongs to it.
    grown.write("b.log", &log.as_bytes()[..cut]);
    let first = import(&grown, &["b.log", "--format", "bgl"])["lines"].as_u64().unwrap();
    let rows = templates(&grown);
    for name in ["b.log", "./b.log", grown.path("b.log").to_str().unwrap()] {
        let again = import(&grown, &[name, "--format", "bgl"]);
        assert_eq!((&again["lines"], &again["unchanged"]), (&0.into(), &1.into()));
    }
    assert_eq!(templates(&grown), rows);
    grown.write("b.log", log.as_bytes());
    assert_eq!(import(&grown, &["b.log", "--format", "bgl"])["lines"], 3_000 - first);
    let lines = structured(&grown);
    assert_eq!(lines.lines().count(), 3_001);
    assert_eq!(lines.lines().filter(|line| line.ends_with(",data TLB error interrupt")).count(), 429);

    // The same name, another log: a new source. Alike at first, then changed: refused.
    let longer = bgl(300_000);
    let edited = Project::empty();
    edited.write("b.log", longer.as_bytes());
    import(&edited, &["b.log", "--format", "bgl"]);
    edited.write("b.log", longer.replace("1100299999", "9900299999").as_bytes());
    refused(&edited.run(&["import", "logs", "b.log", "--format", "bgl"]), 1, &["b.log", "others now"]);
    edited.write("b.log", log.replace("R00", "R77").as_bytes());
    assert_eq!(import(&edited, &["b.log", "--format", "bgl"])["lines"], 3_000);
}

#[test]
fn a_killed_import_goes_on_to_the_same_result() {
    let log = bgl(1_500_000);
    let whole = Project::empty();
    whole.write("b.log", log.as_bytes());
    import(&whole, &["b.log", "--format", "bgl"]);
    let expected = structured(&whole);

    let killed = Project::empty();
    fs::rename(whole.path("b.log"), killed.path("b.log")).unwrap();
    let mut cut_short = 0;
    for attempt in 0..8u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_logwright"))
            .args(["import", "logs", "b.log", "--format", "bgl"])
            .current_dir(killed.path(""))
            .env_remove("LOGWRIGHT_PROJECT")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(60 + 35 * attempt));
        // SIGKILL: nothing is tidied up.
        child.kill().unwrap();
        cut_short += u64::from(!child.wait().unwrap().success());
    }
    let report = import(&killed, &["b.log", "--format", "bgl"]);
    assert!(cut_short > 0, "no import was slow enough to be killed");
    assert!(report["lines"].as_u64().unwrap() <= 1_500_000);
    assert_eq!(structured(&killed), expected);
    let counts = |project: &Project| -> Vec<(String, u64)> {
        templates(project).iter().map(|row| (row.key().id.clone(), row.labelled.count)).collect()
    };
    assert_eq!(counts(&killed), counts(&whole));
}

#[test]
fn ctrl_c_stops_in_good_order() {
    let project = Project::empty();
    let mut log = File::create(project.path("b.log")).unwrap();
    let part = bgl(250_000);
    for _ in 0..6 {
        log.write_all(part.as_bytes()).unwrap();
    }
    let child = Command::new(env!("CARGO_BIN_EXE_logwright"))
        .args(["import", "logs", "b.log", "--format", "bgl", "--json"])
        .current_dir(project.path(""))
        .env_remove("LOGWRIGHT_PROJECT")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while project.path("workspace.db-wal").metadata().map_or(0, |wal| wal.len()) < 150_000 {
        assert!(started.elapsed() < Duration::from_secs(60), "the import does not get going");
        thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the same command goes on from there"), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = report["lines"].as_u64().unwrap();
    assert!(report["stopped"] == true && first > 0 && first < 1_500_000, "{report}");
    assert_eq!(templates(&project).iter().map(|row| row.labelled.count).sum::<u64>(), first);
    assert_eq!(import(&project, &["b.log", "--format", "bgl"])["lines"], 1_500_000 - first);
}

#[test]
fn junk_is_read_in_bounded_memory_and_told() {
    let project = Project::empty();
    project.write("empty.log", b"");
    assert_eq!(import(&project, &["empty.log", "--format", "bgl"])["lines"], 0);

    let mut noise = Vec::new();
    let mut state = 7u64;
    for _ in 0..400_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.extend_from_slice(&state.to_be_bytes());
    }
    project.write("noise.bin", &noise);
    let output = project.run(&["import", "logs", "noise.bin", "--format", "openssh"]);
    refused(&output, 1, &["no line is of the format openssh", "noise.bin:1"]);
    let report = import(&project, &["noise.bin", "--format", "<Content>"]);
    assert!(report["lines"].as_u64().unwrap() > 10_000);

    let mut long = b"10:00 first\n10:01 ".to_vec();
    long.resize(40 << 20, b'x');
    long.extend_from_slice(b"\n10:02 \xff\xfe last");
    project.write("long.log", &long);
    let report = import(&project, &["long.log", "--format", "<Time> <Content>"]);
    assert_eq!((&report["lines"], &report["cut"], &report["skipped"]), (&3.into(), &1.into(), &0.into()));
    let workspace = logwright::workspace::Workspace::open(&project.path("")).unwrap();
    let last = workspace.templates().unwrap().into_iter().find(|row| row.text().ends_with("last")).unwrap();
    let context = workspace.occurrence_context(last.key(), 0, 5, false).unwrap().unwrap();
    assert_eq!(context.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(context.lines[1].text.len(), 64 << 10);
    assert_eq!(context.lines[2].text, "10:02 \u{fffd}\u{fffd} last");
}

#[test]
fn wrong_usage_is_told_apart_from_files_that_cannot_be_read() {
    let project = Project::empty();
    project.write("a.log", b"x\n");
    refused(&project.run(&["import", "logs", "a.log", "--format", "vax"]), 2, &["no log format vax", "bgl, spirit"]);
    refused(&project.run(&["import", "logs", "a.log", "--format", "<Date> <Text>"]), 2, &["has no <Content>"]);
    refused(&project.run(&["import", "logs", "absent.log", "--format", "bgl"]), 1, &["absent.log: No such file"]);
    refused(&project.run(&["import", "logs", ".", "--format", "bgl"]), 1, &["is a folder"]);
    refused(&project.run(&["import", "logs", "/dev/null", "--format", "bgl"]), 1, &["write it to one first"]);
    refused(&project.run(&["export", "structured", "o.csv"]), 1, &["no raw logs here", "import logs"]);
    assert_eq!(project.run(&["import", "logs", "a.log"]).code, 2);
}

#[test]
fn settings_change_masks_and_name_formats_of_ones_own() {
    let project = Project::empty();
    let settings = fs::read_to_string(project.path("logwright.toml")).unwrap();
    let own = "\n[logs.formats.shop]\nheader = '<Time> <Host> <Content>'\nmasks = ['item \\w+']\nsimilarity = 0.7\n";
    project.write("logwright.toml", (settings + own).as_bytes());
    project.write("s.log", b"1 a sold item pear to ann\n2 b sold item plum to ann\n3 a sold item fig to bob\n");
    assert_eq!(import(&project, &["s.log", "--format", "shop"])["templates"], 2);
    let texts: Vec<_> = templates(&project).into_iter().map(|row| row.labelled.template).collect();
    assert_eq!((texts[0].text.as_str(), texts[0].key.dataset.as_str()), ("sold <*> to ann", "shop"));
    // Templates that were found with one recipe do not go on with another.
    let settings = fs::read_to_string(project.path("logwright.toml")).unwrap().replace("0.7", "0.4");
    project.write("logwright.toml", settings.as_bytes());
    project.write("t.log", b"1 a sold item fig to cy\n");
    refused(&project.run(&["import", "logs", "t.log", "--format", "shop"]), 1, &["other masks or settings"]);
}

#[test]
fn any_occurrence_is_shown_with_the_lines_around_it() {
    let project = Project::empty();
    let log = bgl(300_000);
    project.write("b.log", log.as_bytes());
    import(&project, &["b.log", "--format", "bgl"]);
    let workspace = logwright::workspace::Workspace::open(&project.path("")).unwrap();
    let template = workspace.templates().unwrap().remove(0);
    let lines: Vec<&str> = log.lines().collect();
    let count = workspace.occurrences(template.key()).unwrap();
    assert_eq!(count, 300_000u64.div_ceil(7));
    // The first, one on either side of a border between chunks, and the last.
    for occurrence in [0, 262_144 / 7, 262_144 / 7 + 1, count - 1] {
        let context = workspace.occurrence_context(template.key(), occurrence, 3, false).unwrap().unwrap();
        assert_eq!((context.occurrence, context.occurrences), (occurrence, count));
        let at = occurrence as usize * 7;
        let expected = at.saturating_sub(3)..(at + 4).min(lines.len());
        assert_eq!(context.lines.len(), expected.len());
        for (line, index) in context.lines.iter().zip(expected) {
            assert_eq!(line.number, index as u64 + 1);
            assert_eq!(line.text, lines[index].split_once(' ').unwrap().1);
            assert_eq!(line.is_occurrence, index == at);
        }
    }
    let shown = project.run(&["occurrences", &template.key().to_string(), "--occurrence", "2", "--around", "1"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let shown: Vec<&str> = shown.stdout.lines().collect();
    assert!(shown[0].ends_with("b.log: occurrence 2 of 42858"), "{}", shown[0]);
    assert!(shown[1].starts_with("  7  11") && shown[2].starts_with("> 8  11") && shown.len() == 4, "{shown:?}");
    let none = project.run(&["occurrences", &template.key().id, "--occurrence", "99999", "--json"]);
    refused(&none, 1, &["occurs 42858 times only"]);
    let node = workspace.occurrence_context(template.key(), 1_000, 2, true).unwrap().unwrap();
    let numbers: Vec<u64> = node.lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [6_991, 6_996, 7_001, 7_006, 7_011]);
    assert_eq!(workspace.occurrence_context(template.key(), count, 3, false).unwrap(), None);
    let other = logwright::logs::TemplateKey::new("bgl", "none");
    assert_eq!(workspace.occurrences(&other).unwrap(), 0);

    project.write("b.log", log.replace("R00", "R99").as_bytes());
    let error = workspace.occurrence_context(template.key(), 0, 3, false).unwrap_err().to_string();
    assert!(error.contains("b.log") && error.contains("no longer the log"), "{error}");
    fs::remove_file(project.path("b.log")).unwrap();
    let error = workspace.occurrence_context(template.key(), 0, 3, false).unwrap_err().to_string();
    assert!(error.contains("b.log") && error.contains("put the log back"), "{error}");
}
