//! A question that is answered yes or no.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use crate::logs::SafeText;
use crate::tui::app::{Effect, Message};
use crate::tui::keys::Key;
use crate::tui::theme::Theme;
use crate::tui::widgets::{popup, wrap};

/// A question, and what follows from yes.
#[derive(Clone, Debug)]
pub struct Confirm {
    question: SafeText,
    yes: fn() -> Message,
}

impl Confirm {
    /// A question; `yes` makes the message that is sent when it is answered so.
    pub fn new(question: impl AsRef<str>, yes: fn() -> Message) -> Self {
        Self { question: SafeText::one_line(question.as_ref()), yes }
    }

    pub(super) fn press(self, key: Key) -> (Option<Self>, Vec<Effect>) {
        if key == Key::char('y') || key == Key::char('Y') {
            (None, vec![Effect::Send(Box::new((self.yes)()))])
        } else if [Key::char('n'), Key::char('N'), Key::code(KeyCode::Esc), Key::ctrl('c')].contains(&key) {
            (None, Vec::new())
        } else {
            (Some(self), Vec::new())
        }
    }

    pub(super) fn view(&self, theme: &Theme, frame: &mut Frame, body: Rect) {
        let width = u16::try_from(self.question.as_str().width() + 2).unwrap_or(u16::MAX).clamp(24, 60).min(body.width);
        let rows = wrap(self.question.as_str(), usize::from(width.saturating_sub(2)));
        let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
        let inner = popup(frame, body, width, height, " y yes / n no ", theme);
        frame.render_widget(Paragraph::new(rows.into_iter().map(Line::from).collect::<Vec<_>>()), inner);
    }
}
