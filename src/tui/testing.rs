//! For tests: keys played into the workbench, and the workbench rendered to text.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use unicode_width::UnicodeWidthStr;

use super::app::{AppState, Effect, Message, update};
use super::keys::{Key, Keymap};
use super::model::ModelStanding;
use super::panes::{PaneId, Shared};
use super::session::Session;
use super::theme::Theme;
use super::thrift::Thrift;
use super::view::view;

/// A workbench of the project `demo` as `anna`, with one pane in front. Its first effects are dropped: hand it data with
/// [`tell`].
pub fn workbench(pane: PaneId) -> AppState {
    let shared = Shared {
        project: "demo".to_owned(),
        annotator: "anna".to_owned(),
        taxonomy: crate::labels::Taxonomy::default(),
        model_name: "smollm2-135m".to_owned(),
        model: ModelStanding::Unknown,
        theme: Theme::coloured(),
        now: std::time::Duration::ZERO,
    };
    let mut state = AppState::new(shared, Keymap::defaults());
    let session = Session { pane, ..Session::default() };
    let _ = state.start(&session);
    state
}

/// Hands the workbench a message; returns the effects for the edge.
pub fn tell(state: &mut AppState, message: Message) -> Vec<Effect> {
    update(state, message)
}

/// Presses keys, written with a space between each: `a 3 down ctrl-s`. Returns the effects for the edge.
pub fn press(state: &mut AppState, keys: &str) -> Vec<Effect> {
    let events = keys.split_whitespace().map(|spelling| {
        let key: Key = spelling.parse().expect("tests spell keys right");
        crossterm::event::Event::Key(key.to_event())
    });
    update(state, Message::Input(events.collect()))
}

/// Types a text, character by character.
pub fn type_text(state: &mut AppState, text: &str) -> Vec<Effect> {
    let events = text.chars().map(|c| crossterm::event::Event::Key(Key::char(c).to_event()));
    update(state, Message::Input(events.collect()))
}

/// What the screen shows at a size, trailing spaces cut. Styles are not in it.
pub fn screen(state: &AppState, width: u16, height: u16) -> String {
    let terminal = draw(state, width, height);
    let buffer = terminal.backend().buffer();
    let rows = (0..height).map(|y| {
        let mut row = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            // A wide character takes the cells after its own.
            x += u16::try_from(symbol.width()).unwrap_or(1).max(1);
        }
        row.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Draws at every awkward size; a panic is the failure.
pub fn survives_any_size(state: &AppState) {
    for width in (0..=12).chain([59, 60, 61, 79, 80, 133, 200]) {
        for height in (0..=6).chain([15, 16, 17, 24, 60]) {
            draw(state, width, height);
        }
    }
}

/// What was written, for the one who handed it out.
#[derive(Clone, Default)]
pub struct Paper(Rc<RefCell<Vec<u8>>>);

impl Paper {
    /// Everything that was written since the last time.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.borrow_mut())
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A terminal of a fixed size, drawn on as the real one is, that counts what it is sent.
pub struct CountingScreen {
    paper: Paper,
    terminal: Terminal<Thrift<CrosstermBackend<Paper>>>,
}

impl CountingScreen {
    /// A terminal that shows nothing yet.
    pub fn new(width: u16, height: u16) -> Self {
        let paper = Paper::default();
        let backend = Thrift::new(CrosstermBackend::new(paper.clone()));
        let viewport = Viewport::Fixed(Rect { x: 0, y: 0, width, height });
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport });
        Self { paper, terminal: terminal.expect("a fixed size is known") }
    }

    /// Draws a frame; returns how many bytes it took.
    pub fn draw(&mut self, state: &AppState) -> usize {
        self.terminal.draw(|frame| view(state, frame)).expect("paper takes everything");
        self.paper.take().len()
    }
}

fn draw(state: &AppState, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("the test backend is always there");
    terminal.draw(|frame| view(state, frame)).expect("the test backend takes everything");
    terminal
}
