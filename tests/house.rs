//! The rules of the house that a test can hold: which room may use which, what is pure, where `unsafe` may stand.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may use, besides itself. An arrow never points back.
const ARROWS: [(&str, &[&str]); 10] = [
    ("logs", &[]),
    ("labels", &["logs"]),
    ("reasoning", &["logs", "labels"]),
    ("model", &[]),
    ("workspace", &["logs", "labels", "reasoning"]),
    ("teacher", &["logs", "labels", "reasoning", "workspace", "model"]),
    ("training", &["logs", "labels", "reasoning", "workspace", "model"]),
    ("evaluation", &["logs", "labels", "reasoning", "workspace", "model"]),
    ("tui", &["logs", "labels", "reasoning", "workspace", "model", "teacher", "training", "evaluation"]),
    ("cli", &["logs", "labels", "reasoning", "workspace", "model", "teacher", "training", "evaluation", "tui"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file, by its path below `src`, with its text.
fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root().join("src")).unwrap().to_owned(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 20, "the sources are not where this test looks");
    found
}

fn room(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The lines of a file that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn arrows_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(may_use) = allowed.get(room(&path).as_str()) else { continue };
        for (number, line) in code(&text) {
            for (other, _) in ARROWS {
                let used =
                    line.contains(&format!("crate::{other}::")) || line.contains(&format!("use crate::{other};"));
                if used && room(&path) != other && !may_use.contains(&other) {
                    wrong.push(format!("src/{}:{number}: {} may not use {other}", path.display(), room(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_rooms_do_no_input_or_output() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !["logs", "labels", "reasoning"].contains(&room(&path).as_str()) {
            continue;
        }
        for (number, line) in code(&text) {
            for forbidden in
                ["std::fs", "std::net", "std::env", "std::process", "std::thread", "ratatui", "crossterm", "println!"]
            {
                if line.contains(forbidden) {
                    wrong.push(format!("src/{}:{number}: {forbidden}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_screen_knows_the_terminal() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if room(&path) == "tui" {
            continue;
        }
        for (number, line) in code(&text) {
            if ["ratatui::", "crossterm::", "tui_textarea::"].iter().any(|name| line.contains(name)) {
                wrong.push(format!("src/{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_in_the_kernels_alone() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path.starts_with("model/kernels") || path == Path::new("model/kernels.rs") {
            continue;
        }
        for (number, line) in code(&text) {
            if line.contains("unsafe ") || line.contains("allow(unsafe_code)") {
                let allows_the_kernels = path == Path::new("model/mod.rs") && line.contains("allow(unsafe_code)");
                if !allows_the_kernels {
                    wrong.push(format!("src/{}:{number}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_holds_one_idea() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .map(|(path, lines)| format!("src/{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn every_room_says_what_it_is_for() {
    for (room, _) in ARROWS {
        let text = fs::read_to_string(root().join("src").join(room).join("mod.rs")).unwrap();
        assert!(text.starts_with("//! "), "src/{room}/mod.rs opens with what the room is for");
    }
}
