//! The full list of keys: the pane's own, then the ones that work everywhere.

use crossterm::event::KeyCode;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::tui::action::{Action, GlobalAction, Mode, Scope, Spec, all_specs, run_keys, runs};
use crate::tui::app::AppState;
use crate::tui::keys::{Key, Keymap};
use crate::tui::panes::PaneId;
use crate::tui::theme::Theme;
use crate::tui::widgets::popup;

/// The open help.
#[derive(Clone, Copy, Debug, Default)]
pub struct Help {
    scrolled: u16,
}

impl Help {
    pub(super) fn press(mut self, key: Key, keymap: &Keymap, pane: PaneId, mode: Mode) -> Option<Self> {
        let closes = [Key::code(KeyCode::Esc), Key::code(KeyCode::Enter), Key::char('q'), Key::ctrl('c')]
            .contains(&key)
            || keymap.lookup(Scope::Pane(pane), mode, key) == Some(Action::Global(GlobalAction::Help));
        if closes {
            return None;
        }
        let step = |code| Key::code(code) == key;
        if step(KeyCode::Down) || key == Key::char('j') {
            self.scrolled = self.scrolled.saturating_add(1);
        } else if step(KeyCode::Up) || key == Key::char('k') {
            self.scrolled = self.scrolled.saturating_sub(1);
        } else if step(KeyCode::PageDown) || key == Key::char(' ') {
            self.scrolled = self.scrolled.saturating_add(10);
        } else if step(KeyCode::PageUp) {
            self.scrolled = self.scrolled.saturating_sub(10);
        } else if step(KeyCode::Home) {
            self.scrolled = 0;
        }
        let last = u16::try_from(line_count(pane)).unwrap_or(u16::MAX).saturating_sub(1);
        self.scrolled = self.scrolled.min(last);
        Some(self)
    }

    pub(super) fn view(self, state: &AppState, frame: &mut Frame, body: Rect) {
        let lines = lines(&state.keymap, state.pane, &state.shared.theme);
        let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let width = 76.min(body.width);
        let title = format!(" Keys: {} ", state.pane.title());
        let inner = popup(frame, body, width, wanted, &title, &state.shared.theme);
        let overhang = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(inner.height);
        frame.render_widget(Paragraph::new(lines).scroll((self.scrolled.min(overhang), 0)), inner);
    }
}

fn sections(pane: PaneId) -> [(&'static str, Vec<&'static Spec>); 2] {
    let of = |scope| all_specs().filter(|s| s.scope == scope).collect();
    [(pane.title(), of(Scope::Pane(pane))), ("Everywhere", of(Scope::Everywhere))]
}

fn line_count(pane: PaneId) -> usize {
    let rows = |specs: Vec<&'static Spec>| if specs.is_empty() { 0 } else { runs(specs.into_iter()).len() + 2 };
    sections(pane).into_iter().map(|(_, specs)| rows(specs)).sum()
}

fn lines<'a>(keymap: &Keymap, pane: PaneId, theme: &Theme) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (heading, specs) in sections(pane).into_iter().filter(|(_, specs)| !specs.is_empty()) {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(heading, theme.title));
        for run in runs(specs.into_iter()) {
            let Some(spec) = run.first() else { continue };
            let keys = run_keys(&run, |spec| keymap.keys_of(spec.id).to_vec());
            let during = if spec.mode == Mode::BROWSE { String::new() } else { format!(" ({})", spec.mode.0) };
            lines.push(Line::from(vec![
                Span::styled(format!("  {:<14} ", keys.join(" ")), theme.key),
                Span::raw(format!("{}{during}", spec.help)),
                Span::styled(format!("  {}", spec.id), theme.muted),
            ]));
        }
    }
    lines
}
