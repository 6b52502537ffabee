//! Frames written with few bytes, for terminals at the far end of a slow line.
//!
//! ratatui says which cells differ from the last frame; the usual backend then moves the cursor for every gap between
//! them and spells every colour out. This one knows what the terminal shows, so it writes over a short gap instead of
//! jumping it, erases a run of blanks with one command, changes colour and weight in one, and hides the cursor once.

use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// From so many blanks in a row on, erasing them is shorter than writing them.
const ERASED: u16 = 10;

/// A backend around another that it asks for everything but drawing. What is drawn goes through the other's writer.
#[derive(Debug)]
pub struct Thrift<B> {
    inner: B,
    shown: Buffer,
    cursor_hidden: bool,
}

impl<B: Backend> Thrift<B> {
    /// Writes through `inner`.
    pub fn new(inner: B) -> Self {
        Self { inner, shown: Buffer::default(), cursor_hidden: false }
    }

    /// Makes room for so many columns and rows, and at once for the whole terminal.
    fn grow(&mut self, columns: u16, rows: u16) {
        let Size { width, height } = self.inner.size().unwrap_or_default();
        let old = self.shown.area;
        let (width, height) = (width.max(columns).max(old.width), height.max(rows).max(old.height));
        let mut grown = Buffer::empty(Rect { x: 0, y: 0, width, height });
        grown.merge(&self.shown);
        self.shown = grown;
    }

    /// Forgets what the terminal shows, and whether it shows a cursor.
    pub fn forget(&mut self) {
        self.shown.reset();
        self.cursor_hidden = false;
    }
}

impl<B: Write> Write for Thrift<B> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<B: Backend<Error = io::Error> + Write> Backend for Thrift<B> {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut pen = Pen::default();
        let mut bytes = Vec::new();
        let mut changed: Vec<(u16, u16)> = Vec::new();
        for (x, y, cell) in content {
            if !self.shown.area.contains(Position { x, y }) {
                self.grow(x + 1, y + 1);
            }
            self.shown[(x, y)] = cell.clone();
            // The second half of a wide character is never among the changes; what stood there is gone.
            for covered in (x + 1..).take(cell.symbol().width().saturating_sub(1)) {
                if self.shown.area.contains(Position { x: covered, y }) {
                    self.shown[(covered, y)].reset();
                }
            }
            changed.push((x, y));
        }
        let mut rest = changed.as_slice();
        while let Some(&(x, y)) = rest.first() {
            pen.go_to(&self.shown, x, y, &mut bytes);
            let blanks = blanks(&self.shown, rest);
            if blanks >= ERASED {
                pen.style(&self.shown[(x, y)], &mut bytes);
                let _ = write!(bytes, "\x1b[{blanks}X");
                rest = &rest[usize::from(blanks)..];
            } else {
                pen.print(&self.shown[(x, y)], &mut bytes);
                rest = &rest[1..];
            }
        }
        pen.put_down(&mut bytes);
        self.inner.write_all(&bytes)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.cursor_hidden, true) {
            return Ok(());
        }
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor_hidden = false;
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.shown.reset();
        self.inner.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.shown.reset();
        self.inner.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

/// How many of the first changed cells are blanks in a row, without colour or weight: those that erasing leaves.
fn blanks(shown: &Buffer, changed: &[(u16, u16)]) -> u16 {
    let Some(&(left, row)) = changed.first() else { return 0 };
    let blank = |cell: &Cell| cell.symbol() == " " && is_plain(cell);
    let run = changed
        .iter()
        .zip(left..)
        .take_while(|((x, y), expected)| (*y, x) == (row, expected) && blank(&shown[(*x, *y)]));
    u16::try_from(run.count()).unwrap_or(u16::MAX)
}

fn is_plain(cell: &Cell) -> bool {
    same_style(cell, &Cell::EMPTY)
}

fn same_style(a: &Cell, b: &Cell) -> bool {
    (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)
}

/// Where the terminal's cursor is, and the style that it writes in.
#[derive(Default)]
struct Pen {
    at: Option<(u16, u16)>,
    style: Option<Cell>,
}

impl Pen {
    /// Moves to a cell: over a short gap by writing once more what is there, else by a jump.
    fn go_to(&mut self, shown: &Buffer, x: u16, y: u16, bytes: &mut Vec<u8>) {
        match self.at {
            Some(at) if at == (x, y) => return,
            Some((from, row)) if row == y && from < x => {
                let jump = x - from;
                let gap: Vec<&Cell> = (from..x).map(|x| &shown[(x, y)]).collect();
                let written = gap.iter().map(|cell| cell.symbol().len()).sum::<usize>();
                let alike = |pattern: &Cell| gap.iter().all(|cell| same_style(cell, pattern));
                // As wide as it is told to be, so that the cursor ends where it should.
                let narrow = gap.iter().all(|cell| cell.symbol().is_ascii() && cell.symbol().width() == 1);
                let free = alike(&shown[(x, y)]) || self.style.as_ref().map_or_else(|| alike(&Cell::EMPTY), alike);
                // A wide character before the gap would be cut in two by writing its second half.
                let whole = from == 0 || shown[(from - 1, y)].symbol().width() < 2;
                if narrow && free && whole && written <= 3 + usize::from(jump > 1) {
                    for cell in gap {
                        self.print(cell, bytes);
                    }
                } else if jump == 1 {
                    bytes.extend(b"\x1b[C");
                } else {
                    let _ = write!(bytes, "\x1b[{jump}C");
                }
            }
            _ => {
                let _ = write!(bytes, "\x1b[{};{}H", y + 1, x + 1);
            }
        }
        self.at = Some((x, y));
    }

    /// Writes a cell where the cursor is.
    fn print(&mut self, cell: &Cell, bytes: &mut Vec<u8>) {
        self.style(cell, bytes);
        bytes.extend(cell.symbol().as_bytes());
        let width = u16::try_from(cell.symbol().width()).unwrap_or(1);
        // What is not one column wide may leave the cursor elsewhere than thought: the next cell is gone to by name.
        self.at = self.at.filter(|_| width == 1 && cell.symbol().is_ascii()).map(|(x, y)| (x + 1, y));
    }

    /// Takes on a cell's style, with one command.
    fn style(&mut self, cell: &Cell, bytes: &mut Vec<u8>) {
        if self.style.as_ref().map_or_else(|| is_plain(cell), |style| same_style(style, cell)) {
            return;
        }
        let before = self.style.replace(cell.clone());
        if is_plain(cell) {
            bytes.extend(b"\x1b[m");
            return;
        }
        bytes.extend(b"\x1b[");
        let codes = bytes.len();
        // From nothing each time, unless there is nothing: what to switch off need not be said.
        if before.is_some_and(|before| !is_plain(&before)) {
            bytes.extend(b";0");
        }
        for (modifier, code) in [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::SLOW_BLINK, 5),
            (Modifier::RAPID_BLINK, 6),
            (Modifier::REVERSED, 7),
            (Modifier::HIDDEN, 8),
            (Modifier::CROSSED_OUT, 9),
        ] {
            if cell.modifier.contains(modifier) {
                let _ = write!(bytes, ";{code}");
            }
        }
        colour(cell.fg, 30, bytes);
        colour(cell.bg, 40, bytes);
        bytes.remove(codes);
        bytes.push(b'm');
    }

    fn put_down(self, bytes: &mut Vec<u8>) {
        if self.style.is_some_and(|style| !is_plain(&style)) {
            bytes.extend(b"\x1b[m");
        }
    }
}

/// The code of a colour: `base` is 30 for the text and 40 for what is behind it.
fn colour(colour: Color, base: u8, bytes: &mut Vec<u8>) {
    let plain = |n: u8| Some(base + n);
    let bright = |n: u8| Some(base + 60 + n);
    let code = match colour {
        Color::Reset => return,
        Color::Black => plain(0),
        Color::Red => plain(1),
        Color::Green => plain(2),
        Color::Yellow => plain(3),
        Color::Blue => plain(4),
        Color::Magenta => plain(5),
        Color::Cyan => plain(6),
        Color::Gray => plain(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(_) | Color::Rgb(..) => None,
    };
    let _ = match (code, colour) {
        (Some(code), _) => write!(bytes, ";{code}"),
        (None, Color::Indexed(n)) => write!(bytes, ";{};5;{n}", base + 8),
        (None, Color::Rgb(r, g, b)) => write!(bytes, ";{};2;{r};{g};{b}", base + 8),
        (None, _) => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::Paper;
    use proptest::prelude::*;
    use ratatui::backend::CrosstermBackend;
    use ratatui::style::Style;
    use ratatui::widgets::Widget;
    use ratatui::{Terminal, TerminalOptions, Viewport};

    const WIDTH: u16 = 24;
    const HEIGHT: u16 = 3;

    /// The cells that a terminal shows, and how many bytes each frame took.
    type Drawn = (Vec<String>, Vec<usize>);

    type Picture = Vec<(u16, u16, String, u8)>;

    fn picture(text: &'static str) -> impl Strategy<Value = Picture> {
        proptest::collection::vec((0..WIDTH, 0..HEIGHT, text, 0u8..6), 0..6)
    }

    struct Painted<'a>(&'a Picture);

    impl Widget for Painted<'_> {
        fn render(self, area: Rect, buffer: &mut Buffer) {
            for (x, y, text, style) in self.0 {
                let style = match style {
                    0 => Style::new().fg(Color::Red),
                    1 => Style::new().fg(Color::DarkGray).add_modifier(Modifier::BOLD),
                    2 => Style::new().add_modifier(Modifier::REVERSED),
                    3 => Style::new().bg(Color::Indexed(99)).fg(Color::Rgb(1, 2, 3)),
                    _ => Style::new(),
                };
                if area.contains(Position { x: *x, y: *y }) {
                    buffer.set_stringn(*x, *y, text, usize::from(WIDTH - x), style);
                }
            }
        }
    }

    /// What a terminal shows after all pictures, and how many bytes each took.
    fn shown<B: Backend>(paper: &Paper, backend: B, pictures: &[Picture]) -> Drawn {
        let area = Rect { x: 0, y: 0, width: WIDTH, height: HEIGHT };
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(backend, options).unwrap_or_else(|_| panic!("a fixed size is known"));
        let mut screen = vt100::Parser::new(HEIGHT, WIDTH, 0);
        let mut sizes = Vec::new();
        for picture in pictures {
            assert!(terminal.draw(|frame| frame.render_widget(Painted(picture), area)).is_ok());
            let bytes = paper.take();
            screen.process(&bytes);
            sizes.push(bytes.len());
        }
        let mut cells = Vec::new();
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                let cell = screen.screen().cell(y, x).unwrap();
                let back = (cell.bgcolor(), cell.inverse());
                // A blank has no colour to be seen but behind it.
                cells.push(match cell.contents() {
                    "" | " " => format!(" {back:?}"),
                    symbol => format!("{symbol} {back:?} {:?} {}", cell.fgcolor(), cell.bold()),
                });
            }
        }
        (cells, sizes)
    }

    /// What the usual backend comes to, and this one.
    fn both(pictures: &[Picture]) -> (Drawn, Drawn) {
        let paper = Paper::default();
        let usual = shown(&paper, CrosstermBackend::new(paper.clone()), pictures);
        let thrifty = shown(&paper, Thrift::new(CrosstermBackend::new(paper.clone())), pictures);
        (usual, thrifty)
    }

    proptest! {
        #[test]
        fn the_terminal_shows_what_the_usual_backend_makes_it_show(
            pictures in proptest::collection::vec(picture("([a-c]| |é){0,20}"), 1..6),
        ) {
            let ((usual, _), (thrifty, _)) = both(&pictures);
            prop_assert_eq!(thrifty, usual);
        }

        /// Where half of a wide character is written over, terminals differ in what is behind the other half.
        #[test]
        fn wide_characters_stand_where_the_usual_backend_puts_them(
            pictures in proptest::collection::vec(picture("([a-c]| |日|é){0,20}"), 1..6),
        ) {
            let symbols = |cells: Vec<String>| cells.iter().map(|cell| cell.chars().next()).collect::<Vec<_>>();
            let ((usual, _), (thrifty, _)) = both(&pictures);
            prop_assert_eq!(symbols(thrifty), symbols(usual));
        }
    }

    #[test]
    fn it_takes_fewer_bytes() {
        let line = |text: &str| vec![(0, 1, text.to_owned(), 1)];
        let ((_, usual), (_, thrifty)) = both(&[line("abc abc abc abc"), line("abb abb abb abb"), line("a")]);
        assert!(thrifty[1] * 2 < usual[1] && thrifty[2] * 2 <= usual[2], "{thrifty:?} against {usual:?}");
    }
}
