//! The real terminal: taken over at start, and given back whatever happens.
//!
//! Given back on leaving, on an error (by `Drop`), on a panic of the thread that draws (by a hook), for Ctrl-Z and while
//! `$EDITOR` has it.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;

use super::thrift::Thrift;

type Out = BufWriter<Stdout>;

/// The terminal while it is ours.
pub struct Screen {
    terminal: ratatui::Terminal<Thrift<CrosstermBackend<Out>>>,
    taken: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal over: raw mode, alternate screen, bracketed paste, and a panic hook that gives it back.
    ///
    /// # Errors
    /// When there is no terminal, or it cannot be set up.
    pub fn take() -> io::Result<Self> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(io::Error::other("the workbench needs a terminal for its input and output"));
        }
        let taken = Arc::new(AtomicBool::new(false));
        give_back_on_panic(Arc::clone(&taken));
        // One write for a frame of up to 64 KiB.
        let out = BufWriter::with_capacity(64 << 10, io::stdout());
        let terminal = ratatui::Terminal::new(Thrift::new(CrosstermBackend::new(out)))?;
        let mut screen = Self { terminal, taken };
        screen.enter()?;
        Ok(screen)
    }

    fn enter(&mut self) -> io::Result<()> {
        self.taken.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(self.terminal.backend_mut(), EnterAlternateScreen, EnableBracketedPaste)?;
        self.forget()
    }

    /// Clears the screen and makes the next frame write every cell. Not by `Terminal::clear`: that asks the terminal where
    /// its cursor is, and waits for an answer that the input thread takes or a plain terminal never gives.
    fn forget(&mut self) -> io::Result<()> {
        self.terminal.backend_mut().forget();
        let area = self.terminal.size()?;
        self.terminal.resize(area.into())
    }

    /// Gives the terminal back as it was. Harmless to call twice.
    pub fn give_back(&mut self) {
        if self.taken.swap(false, Ordering::SeqCst) {
            // A terminal that is gone cannot be told anything; there is nothing else to do about it.
            let _ = Write::flush(self.terminal.backend_mut());
            let _ = restore(&mut io::stdout());
        }
    }

    /// Draws one frame: what differs from the last one is written.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(view).map(drop)
    }

    /// Stops the process for the shell and takes the terminal again when it is brought back.
    ///
    /// # Errors
    /// When the terminal cannot be taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.give_back();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.enter()
    }

    /// Takes the terminal again, whatever state it is in, and draws everything with the next frame: on request, and after
    /// the process was stopped from outside and brought back.
    ///
    /// # Errors
    /// When the terminal cannot be taken again.
    pub fn retake(&mut self) -> io::Result<()> {
        self.enter()
    }

    /// Lets the user change `text` in `$VISUAL` or `$EDITOR` (else `vi`); returns what the file held when the editor ended.
    ///
    /// # Errors
    /// When the editor cannot be started or fails, or its file cannot be read as UTF-8.
    pub fn edit(&mut self, text: &str) -> io::Result<String> {
        let path = private_file(text)?;
        self.give_back();
        let outcome = run_editor(&path);
        self.enter()?;
        let edited = outcome.and_then(|()| std::fs::read_to_string(&path));
        let _ = std::fs::remove_file(&path);
        edited
    }

    /// Hands text to the system's clipboard (OSC 52), where the terminal allows it.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Rings the bell.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub fn bell(&mut self) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(b"\x07")?;
        Write::flush(out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn restore(out: &mut impl Write) -> io::Result<()> {
    // Raw mode first: if the terminal takes no more output, it must at least echo again.
    let raw = disable_raw_mode();
    execute!(out, DisableBracketedPaste, LeaveAlternateScreen, Show)?;
    raw
}

/// While the terminal is ours, a panic on the drawing thread gives it back before the report is printed; a panic on
/// another thread prints nothing, since its job catches and shows it.
fn give_back_on_panic(taken: Arc<AtomicBool>) {
    let drawing_thread = std::thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |report| {
        if std::thread::current().id() == drawing_thread {
            if taken.swap(false, Ordering::SeqCst) {
                let _ = restore(&mut io::stdout());
            }
            before(report);
        } else if !taken.load(Ordering::SeqCst) {
            before(report);
        }
    }));
}

/// A new file that only this user can read, holding `text`.
fn private_file(text: &str) -> io::Result<std::path::PathBuf> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut last = io::Error::other("no name was free");
    for attempt in 0..100 {
        let path = std::env::temp_dir().join(format!("logwright-{}-{attempt}.txt", std::process::id()));
        match options.open(&path) {
            Ok(mut file) => return file.write_all(text.as_bytes()).map(|()| path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Runs the user's editor on a file. The setting is a command line for the shell, as for git: `code --wait`.
fn run_editor(path: &std::path::Path) -> io::Result<()> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$@\""), &editor]).arg(path).status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the editor \"{editor}\" ended with {status}; the text is unchanged (EDITOR names another)"
    )))
}

/// Columns of the terminal; 80 where there is none.
pub fn width() -> usize {
    crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns))
}
