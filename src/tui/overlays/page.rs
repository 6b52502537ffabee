//! A page to read: a text under a heading, scrolled as far as it goes.

use std::cell::Cell;

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::logs::SafeText;
use crate::tui::app::{Effect, Message};
use crate::tui::keys::Key;
use crate::tui::theme::Theme;
use crate::tui::widgets::{popup, wrap};

/// An open page.
#[derive(Clone, Debug)]
pub struct Page {
    heading: SafeText,
    text: SafeText,
    /// What `e` asks for.
    edit: Option<fn() -> Message>,
    scrolled: usize,
    /// How many rows can be seen, and how far down they can go; known once it is drawn.
    rows: Cell<usize>,
    last: Cell<usize>,
}

impl Page {
    /// A page with a heading and a text of any length.
    pub fn new(heading: impl AsRef<str>, text: impl AsRef<str>) -> Self {
        Self {
            heading: SafeText::one_line(heading.as_ref()),
            text: SafeText::new(text.as_ref().trim_end()),
            edit: None,
            scrolled: 0,
            rows: Cell::new(1),
            last: Cell::new(usize::MAX),
        }
    }

    /// Lets the user ask for an editor with `e`; `edit` makes the message that asks for it.
    #[must_use]
    pub fn on_edit(mut self, edit: fn() -> Message) -> Self {
        self.edit = Some(edit);
        self
    }

    pub(super) fn press(mut self, key: Key) -> (Option<Self>, Vec<Effect>) {
        let is = |code| Key::code(code) == key;
        if is(KeyCode::Esc) || is(KeyCode::Enter) || key == Key::char('q') || key == Key::ctrl('c') {
            return (None, Vec::new());
        }
        if let Some(edit) = self.edit.filter(|_| key == Key::char('e')) {
            return (None, vec![Effect::Send(Box::new(edit()))]);
        }
        let page = self.rows.get().saturating_sub(1).max(1);
        let top = self.scrolled;
        let moved = if is(KeyCode::Down) || key == Key::char('j') {
            top.saturating_add(1)
        } else if is(KeyCode::Up) || key == Key::char('k') {
            top.saturating_sub(1)
        } else if is(KeyCode::PageDown) || key == Key::char(' ') || key == Key::ctrl('f') {
            top.saturating_add(page)
        } else if is(KeyCode::PageUp) || key == Key::char('b') || key == Key::ctrl('b') {
            top.saturating_sub(page)
        } else if is(KeyCode::Home) || key == Key::char('g') {
            0
        } else if is(KeyCode::End) || key == Key::char('G') {
            usize::MAX
        } else {
            top
        };
        self.scrolled = moved.min(self.last.get());
        (Some(self), Vec::new())
    }

    pub(super) fn hints(&self) -> &'static [(&'static str, &'static str)] {
        match self.edit {
            Some(_) => &[("up/down", "scroll"), ("e", "edit in $EDITOR"), ("esc", "close")],
            None => &[("up/down", "scroll"), ("esc", "close")],
        }
    }

    pub(super) fn view(&self, theme: &Theme, frame: &mut Frame, body: Rect) {
        let width = body.width.min(100);
        let rows = wrap(self.text.as_str(), usize::from(width.saturating_sub(4)));
        let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
        let inner = popup(frame, body, width, height, &format!(" {} ", self.heading), theme);
        let inner = Rect { x: inner.x + inner.width.min(1), width: inner.width.saturating_sub(2), ..inner };
        let seen = usize::from(inner.height);
        self.rows.set(seen);
        self.last.set(rows.len().saturating_sub(seen));
        let top = self.scrolled.min(self.last.get());
        let lines: Vec<Line> = rows.into_iter().skip(top).take(seen).map(Line::from).collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }
}
