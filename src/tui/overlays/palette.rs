//! The palette: every action that works here, found by a few letters of its name or help.

use crossterm::event::KeyCode;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_textarea::TextArea;

use crate::logs::SafeText;
use crate::tui::action::{Action, Mode, Spec, specs_for};
use crate::tui::keys::{Key, Keymap};
use crate::tui::panes::PaneId;
use crate::tui::theme::Theme;
use crate::tui::widgets::{ListView, popup};

/// The open palette.
#[derive(Debug)]
pub struct Palette {
    pane: PaneId,
    query: TextArea<'static>,
    found: Vec<&'static Spec>,
    selected: usize,
    rows: ListView,
}

impl Palette {
    /// The palette of a pane, with every action listed.
    pub fn new(pane: PaneId) -> Self {
        let mut query = TextArea::default();
        query.set_cursor_line_style(ratatui::style::Style::default());
        let mut palette = Self { pane, query, found: Vec::new(), selected: 0, rows: ListView::default() };
        palette.search();
        palette
    }

    fn search(&mut self) {
        let query = self.query.lines().concat();
        let pattern = Pattern::parse(&query, CaseMatching::Ignore, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, &'static Spec)> = specs_for(self.pane, Mode::BROWSE)
            .filter_map(|spec| {
                let text = format!("{} {}", spec.id, spec.help);
                Some((pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher)?, spec))
            })
            .collect();
        // Stable: equal scores stay in the table's order.
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = scored.into_iter().map(|(_, spec)| spec).collect();
        self.selected = 0;
    }

    pub(super) fn press(mut self: Box<Self>, key: Key) -> (Option<Box<Self>>, Option<Action>) {
        let step = |code| Key::code(code) == key;
        if step(KeyCode::Esc) || key == Key::ctrl('c') {
            return (None, None);
        }
        if step(KeyCode::Enter) {
            return (None, self.found.get(self.selected).map(|spec| spec.action));
        }
        let last = self.found.len().saturating_sub(1);
        if step(KeyCode::Down) || key == Key::ctrl('n') {
            self.selected = (self.selected + 1).min(last);
        } else if step(KeyCode::Up) || key == Key::ctrl('p') {
            self.selected = self.selected.saturating_sub(1);
        } else if !step(KeyCode::Tab) && self.query.input(key.to_event()) {
            self.search();
        }
        (Some(self), None)
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.query.insert_str(SafeText::one_line(text).as_str());
        self.search();
    }

    pub(super) fn view(&self, keymap: &Keymap, theme: &Theme, frame: &mut Frame, body: Rect) {
        let height = u16::try_from(self.found.len()).unwrap_or(u16::MAX).saturating_add(4).max(8);
        let inner = popup(frame, body, 72.min(body.width), height, " Actions ", theme);
        let [line, rule, list] =
            Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(0)]).areas(inner);
        let [mark, query] = Layout::horizontal([Constraint::Length(2), Constraint::Min(0)]).areas(line);
        frame.render_widget(Span::styled(":", theme.key), mark);
        frame.render_widget(&self.query, query);
        let count = match self.found.len() {
            0 => "no action is called so".to_owned(),
            n => format!("{n} of {}", specs_for(self.pane, Mode::BROWSE).count()),
        };
        frame.render_widget(Paragraph::new(count).style(theme.muted), rule);
        self.rows.render(frame, list, self.found.len(), self.selected, |index, _| {
            let Some(spec) = self.found.get(index) else { return Line::default() };
            let keys = keymap.keys_of(spec.id).first().map(Key::to_string).unwrap_or_default();
            let style = if index == self.selected { theme.selection } else { ratatui::style::Style::new() };
            Line::from(vec![
                Span::styled(if index == self.selected { "> " } else { "  " }, theme.accent),
                Span::styled(format!("{:<24}", spec.id), style),
                Span::styled(format!("{keys:<10}"), theme.key),
                Span::styled(spec.help, theme.muted),
            ])
        });
    }
}
