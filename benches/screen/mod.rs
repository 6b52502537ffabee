//! The real program on a pseudo-terminal of 200 columns and 60 rows, for benches that press keys.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

/// A program that runs on a screen of its own.
pub struct Screen {
    pub child: Box<dyn Child + Send + Sync>,
    /// What is typed.
    pub keys: Box<dyn Write + Send>,
    /// When something was drawn.
    pub bytes: Receiver<Instant>,
}

impl Screen {
    /// Opens `program` on the project in `folder`, with these variables set to paths.
    pub fn open(program: &Path, folder: &Path, variables: &[(&str, PathBuf)]) -> Self {
        let size = PtySize { rows: 60, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.arg(".");
        command.cwd(folder);
        command.env("TERM", "xterm-256color");
        variables.iter().for_each(|(name, path)| command.env(name, path));
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let keys = pair.master.take_writer().unwrap();
        let mut output = pair.master.try_clone_reader().unwrap();
        let (heard, bytes) = channel();
        thread::spawn(move || {
            // Kept as long as it is read from: the program's terminal goes with it.
            let _master = pair.master;
            let mut buffer = [0; 65536];
            while let Ok(read) = output.read(&mut buffer)
                && read > 0
                && heard.send(Instant::now()).is_ok()
            {}
        });
        Self { child, keys, bytes }
    }
}
