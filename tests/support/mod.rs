//! Runs the real binary in a folder of its own.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::fs;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What a run of the program came to.
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output, which must be one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

/// Runs the program in `dir`, with folders of its own for all that it keeps outside a project but the model.
pub fn logwright(dir: &Path, args: &[&str]) -> Output {
    finish(command(dir, args))
}

/// The same with some bytes on its standard input.
pub fn logwright_fed(dir: &Path, args: &[&str], input: &[u8]) -> Output {
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(input).unwrap();
    (&file).rewind().unwrap();
    let mut command = command(dir, args);
    command.stdin(file);
    finish(command)
}

/// The program, ready to be started in `dir`.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logwright"));
    command.args(args).current_dir(dir).env_remove("LOGWRIGHT_PROJECT").env("LOGWRIGHT_DEMO", dir.join("demo"));
    command.env_remove("LOGWRIGHT_TEACHER_KEY").env_remove("OPENAI_API_KEY");
    command
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Output {
    let output = command.output().expect("the program starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// A project in a folder that goes with it.
pub struct Project {
    dir: TempDir,
}

impl Project {
    pub fn empty() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        assert_eq!(project.run(&["init", "."]).code, 0);
        project
    }

    pub fn with_templates() -> Self {
        let project = Self::empty();
        let table = b"dataset,id,template,label\nbgl,1,kernel panic at <*>,normal\nbgl,2,ciod: ready on <*>,normal\n";
        project.write("templates.csv", table);
        assert_eq!(project.run(&["import", "templates", "templates.csv"]).code, 0);
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn run(&self, args: &[&str]) -> Output {
        logwright(self.dir.path(), args)
    }
}
