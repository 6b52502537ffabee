//! Something to read before going on.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::logs::SafeText;
use crate::tui::keys::Key;
use crate::tui::theme::Theme;
use crate::tui::widgets::{popup, wrap};

/// A few sentences under a heading.
#[derive(Clone, Debug)]
pub struct Notice {
    heading: SafeText,
    sentences: Vec<SafeText>,
}

impl Notice {
    /// A notice with one paragraph for each sentence.
    pub fn new(heading: impl AsRef<str>, sentences: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let sentences = sentences.into_iter().map(|sentence| SafeText::one_line(sentence.as_ref())).collect();
        Self { heading: SafeText::one_line(heading.as_ref()), sentences }
    }

    pub(super) fn press(self, key: Key) -> Option<Self> {
        let closes = [Key::code(KeyCode::Enter), Key::code(KeyCode::Esc), Key::char(' '), Key::char('q')];
        (!closes.contains(&key)).then_some(self)
    }

    pub(super) fn view(&self, theme: &Theme, frame: &mut Frame, body: Rect) {
        let width = body.width.min(76);
        let columns = usize::from(width.saturating_sub(2));
        let rows = self.sentences.iter().flat_map(|sentence| wrap(sentence.as_str(), columns));
        let lines: Vec<Line> = rows.map(Line::from).collect();
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let inner = popup(frame, body, width, height, &format!(" {} ", self.heading), theme);
        frame.render_widget(Paragraph::new(lines), inner);
    }
}
