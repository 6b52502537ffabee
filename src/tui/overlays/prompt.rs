//! A question for text: one line at the foot of the pane, or a whole text area.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use tui_textarea::{CursorMove, TextArea, WrapMode};

use crate::logs::SafeText;
use crate::tui::app::{Effect, Message};
use crate::tui::keys::Key;
use crate::tui::theme::Theme;
use crate::tui::widgets::popup;

/// An open question for text. The answer goes, through a function, into a message of the pane that asked; what the answer
/// is about, the pane remembers itself.
#[derive(Debug)]
pub struct Prompt {
    title: SafeText,
    text: TextArea<'static>,
    many_lines: bool,
    submit: fn(String) -> Message,
    change: Option<fn(String) -> Message>,
    cancel: Option<fn() -> Message>,
}

impl Prompt {
    /// Asks for one line; Enter submits.
    pub fn line(title: impl AsRef<str>, initial: &str, submit: fn(String) -> Message) -> Self {
        Self::new(title.as_ref(), SafeText::one_line(initial), false, submit)
    }

    /// Asks for a text of many lines; Ctrl-S submits, Ctrl-O edits it in `$EDITOR` and comes back. Control characters of the initial
    /// text are shown, and edited, in their visible form.
    pub fn area(title: impl AsRef<str>, initial: &str, submit: fn(String) -> Message) -> Self {
        Self::new(title.as_ref(), SafeText::new(initial), true, submit)
    }

    fn new(title: &str, initial: SafeText, many_lines: bool, submit: fn(String) -> Message) -> Self {
        let text = text_area(&initial, many_lines);
        Self { title: SafeText::one_line(title), text, many_lines, submit, change: None, cancel: None }
    }

    /// Puts another text in place of the one there.
    pub(in crate::tui) fn set_text(&mut self, text: &str) {
        let text = if self.many_lines { SafeText::new(text.trim_end_matches('\n')) } else { SafeText::one_line(text) };
        self.text = text_area(&text, self.many_lines);
    }

    /// Also tells the pane of every change, for a filter that works as one types.
    #[must_use]
    pub fn on_change(mut self, change: fn(String) -> Message) -> Self {
        self.change = Some(change);
        self
    }

    /// Also tells the pane when the user gives up.
    #[must_use]
    pub fn on_cancel(mut self, cancel: fn() -> Message) -> Self {
        self.cancel = Some(cancel);
        self
    }

    fn content(&self) -> String {
        self.text.lines().join("\n")
    }

    fn changed(&self) -> Vec<Effect> {
        self.change.map(|change| Effect::Send(Box::new(change(self.content())))).into_iter().collect()
    }

    pub(super) fn press(mut self: Box<Self>, key: Key) -> (Option<Box<Self>>, Vec<Effect>) {
        if key == Key::code(KeyCode::Esc) || key == Key::ctrl('c') {
            return (None, self.cancel.map(|cancel| Effect::Send(Box::new(cancel()))).into_iter().collect());
        }
        let submits = if self.many_lines {
            key == Key::ctrl('s')
        } else {
            key == Key::code(KeyCode::Enter) || key == Key::ctrl('s') || key == Key::ctrl('m')
        };
        if submits {
            let message = (self.submit)(self.content());
            return (None, vec![Effect::Send(Box::new(message))]);
        }
        if self.many_lines && key == Key::ctrl('o') {
            // The text comes back here, to be read once more and submitted, and stays as it is if the editor fails.
            let edit = Effect::Edit(self.content(), Message::PromptText);
            return (Some(self), vec![edit]);
        }
        // As in a shell; the text area itself would undo.
        if key == Key::ctrl('u') {
            let effects = if self.text.delete_line_by_head() { self.changed() } else { Vec::new() };
            return (Some(self), effects);
        }
        let effects = if self.text.input(key.to_event()) { self.changed() } else { Vec::new() };
        (Some(self), effects)
    }

    pub(super) fn paste(&mut self, pasted: &str) -> Vec<Effect> {
        let unix = pasted.replace("\r\n", "\n").replace('\r', "\n");
        let safe = if self.many_lines { SafeText::new(&unix) } else { SafeText::one_line(unix.trim_end()) };
        self.text.insert_str(safe.as_str());
        self.changed()
    }

    pub(super) fn hints(&self) -> &'static [(&'static str, &'static str)] {
        if self.many_lines {
            &[("ctrl-s", "done"), ("ctrl-o", "open $EDITOR"), ("esc", "give up")]
        } else {
            &[("enter", "done"), ("esc", "give up")]
        }
    }

    pub(super) fn view(&self, theme: &Theme, frame: &mut Frame, body: Rect) {
        let title = format!(" {} ", self.title);
        if self.many_lines {
            let inner = popup(frame, body, body.width.min(120), body.height, &title, theme);
            frame.render_widget(&self.text, inner);
        } else {
            let foot = Rect { y: body.bottom().saturating_sub(3), height: body.height.min(3), ..body };
            let inner = popup(frame, foot, foot.width, 3, &title, theme);
            let [mark, line] = Layout::horizontal([Constraint::Length(2), Constraint::Min(0)]).areas(inner);
            frame.render_widget(Span::styled(">", theme.key), mark);
            frame.render_widget(&self.text, line);
        }
    }
}

/// A text area with the cursor at its end.
fn text_area(text: &SafeText, many_lines: bool) -> TextArea<'static> {
    let mut area = TextArea::new(text.as_str().split('\n').map(str::to_owned).collect());
    area.set_cursor_line_style(Style::default());
    area.set_wrap_mode(if many_lines { WrapMode::WordOrGlyph } else { WrapMode::None });
    area.move_cursor(CursorMove::Bottom);
    area.move_cursor(CursorMove::End);
    area
}
