//! The frame around the panes: top line, status line, the keys that work now. Reads the state, does nothing else.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use unicode_width::UnicodeWidthStr;

use super::action::{HELP_WORD, specs_for};
use super::app::{AppState, Tone};
use super::keys::Key;
use super::panes::{Pane, PaneId};
use super::widgets::{fit, notice};

/// The smallest screen, in columns and rows, that the panes are laid out for.
pub const SMALLEST: (u16, u16) = (60, 16);

/// Draws the workbench.
pub fn view(state: &AppState, frame: &mut Frame) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "The terminal has {}x{}; Logwright needs {}x{}. Make it larger, or press {} to leave.",
            area.width,
            area.height,
            SMALLEST.0,
            SMALLEST.1,
            state.keymap.keys_of("quit").first().map(Key::to_string).unwrap_or_default()
        );
        notice(frame, area, &state.shared.theme, &text);
        return;
    }
    let [top, body, status, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1), Constraint::Length(1)])
            .areas(area);
    frame.render_widget(top_line(state, top.width), top);
    let shared = &state.shared;
    match state.pane {
        PaneId::Label => state.label.view(shared, frame, body),
        PaneId::Panel => state.panel.view(shared, frame, body),
        PaneId::Review => state.review.view(shared, frame, body),
        PaneId::Train => state.train.view(shared, frame, body),
        PaneId::Reason => state.reason.view(shared, frame, body),
        PaneId::Evaluate => state.evaluate.view(shared, frame, body),
    }
    if let Some(overlay) = &state.overlay {
        overlay.view(state, frame, body);
    }
    view_status(state, frame, status);
    frame.render_widget(footer(state, keys.width), keys);
}

/// ` 1 Label [2 Panel] 3 Review …          * sft 12/60 · anna @ demo`: the tabs first, then as much as fits.
fn top_line(state: &AppState, width: u16) -> Line<'static> {
    let theme = &state.shared.theme;
    let mut spans = Vec::new();
    for (index, pane) in PaneId::ALL.into_iter().enumerate() {
        let busy = if state.jobs.iter().any(|job| job.pane == pane) { "*" } else { "" };
        let name = format!("{} {}{busy}", index + 1, pane.title());
        spans.push(if pane == state.pane {
            Span::styled(format!("[{name}]"), theme.accent)
        } else {
            Span::styled(format!(" {name} "), Style::new())
        });
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used + 1);
    let mut who = format!("{} @ {}", state.shared.annotator, state.shared.project);
    if let Some(job) = state.jobs.last() {
        let more = if state.jobs.len() > 1 { format!(" +{}", state.jobs.len() - 1) } else { String::new() };
        who = format!("{} {}{more} | {who}", job.name, job.progress);
    }
    let who = fit(&who, room);
    let gap = room - Span::raw(who.as_str()).width() + 1;
    spans.push(Span::raw(" ".repeat(gap)));
    spans.push(Span::styled(who, theme.muted));
    Line::from(spans)
}

fn view_status(state: &AppState, frame: &mut Frame, area: Rect) {
    let theme = &state.shared.theme;
    let Some(toast) = &state.toast else { return };
    let (word, style) = match toast.tone {
        Tone::Info => ("", theme.normal),
        Tone::Warning => ("warning: ", theme.warning),
        Tone::Error => ("error: ", theme.error),
    };
    let text = fit(&format!("{word}{}", toast.text), usize::from(area.width));
    frame.render_widget(Paragraph::new(text).style(style), area);
}

/// The keys that work now, from the left as many as fit; the way to the help always does.
fn footer(state: &AppState, width: u16) -> Line<'static> {
    let hints: Vec<(String, &str)> = match &state.overlay {
        Some(overlay) => overlay.hints().iter().map(|(key, word)| ((*key).to_owned(), *word)).collect(),
        None => specs_for(state.pane, state.mode())
            .filter(|spec| !spec.short.is_empty())
            .filter_map(|spec| Some((state.keymap.keys_of(spec.id).first()?.to_string(), spec.short)))
            .collect(),
    };
    let columns = |(key, word): &(String, &str)| key.width() + word.width() + 3;
    let help = hints.iter().position(|(_, word)| *word == HELP_WORD);
    let reserved = help.map_or(0, |at| columns(&hints[at]));
    let theme = &state.shared.theme;
    let mut spans = Vec::new();
    let mut left = (usize::from(width) + 2).saturating_sub(reserved);
    for (index, hint) in hints.into_iter().enumerate() {
        if Some(index) != help {
            match left.checked_sub(columns(&hint)) {
                Some(rest) => left = rest,
                // Nothing after the first that does not fit, but for the help.
                None => left = 0,
            }
            if left == 0 {
                continue;
            }
        }
        spans.push(Span::styled(hint.0, theme.key));
        spans.push(Span::raw(format!(" {}  ", hint.1)));
    }
    Line::from(spans)
}
