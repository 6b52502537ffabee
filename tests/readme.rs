//! The README says what the program does: its list of keys is the action table's, and its commands exist.

use std::fs;
use std::path::Path;
use std::process::Command;

const OPEN: &str = "<!-- keys -->\n";
const CLOSE: &str = "<!-- /keys -->";

/// `LOGWRIGHT_UPDATE_README=1 cargo test --release --test readme` writes the list anew.
#[test]
fn the_list_of_keys_is_the_action_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let start = readme.find(OPEN).expect("the README has a place for the keys") + OPEN.len();
    let end = readme.find(CLOSE).expect("the README says where the keys end");
    let expected = format!("\n{}\n\n", logwright::tui::action::markdown());
    if std::env::var_os("LOGWRIGHT_UPDATE_README").is_some() {
        fs::write(&path, format!("{}{expected}{}", &readme[..start], &readme[end..])).unwrap();
        return;
    }
    assert!(
        readme[start..end] == expected,
        "the README's keys are out of date: LOGWRIGHT_UPDATE_README=1 cargo test --release --test readme"
    );
}

/// Every `logwright SUBCOMMAND` of the README's code blocks is one that the program knows.
#[test]
fn its_commands_exist() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut checked = 0;
    for line in readme.lines().filter_map(|line| line.strip_prefix("logwright ")) {
        let words: Vec<&str> =
            line.split_whitespace().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
        let command: Vec<&str> = words.into_iter().take(2).filter(|word| *word != "demo").collect();
        let output = Command::new(env!("CARGO_BIN_EXE_logwright")).args(&command).arg("--help").output().unwrap();
        assert!(output.status.success(), "logwright {} is not known", command.join(" "));
        checked += 1;
    }
    assert!(checked >= 6, "the README shows the road in six commands");
}
