//! Draws the Review pane: the kinds on top, the queue on the left, the item beside it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::detail::{rows, standing};
use super::state::{Entry, State};
use crate::logs::SafeText;
use crate::reasoning::ItemKind;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{framed, notice, pad};

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let [kinds, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(kinds_line(state, theme), kinds);
    if let Some(why) = &state.failure {
        let why = format!("The queue cannot be read: {}", SafeText::one_line(why));
        return notice(frame, body, theme, &why);
    }
    if !state.loaded {
        return;
    }
    let listed = state.listed();
    let Some(front) = state.front(&listed) else {
        return notice(frame, body, theme, &nothing(state));
    };
    let list_width = if body.width >= 120 { 40 } else { 28 };
    let [left, right] = Layout::horizontal([Constraint::Length(list_width), Constraint::Min(0)]).areas(body);

    let title = format!(" {} of {} ", front + 1, listed.len());
    let block = framed(title, true, theme);
    let inner = block.inner(left);
    frame.render_widget(block, left);
    state.list.render(frame, inner, listed.len(), front, |index, width| {
        let line = list_row(&state.queue()[listed[index]], usize::from(width), theme);
        if index == front { line.patch_style(theme.selection) } else { line }
    });
    view_item(state, &state.queue()[listed[front]], theme, frame, right);
}

/// `[rationales 57 of 60 pending]  pairs 20 of 20 …`
fn kinds_line(state: &State, theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (index, kind) in ItemKind::ALL.into_iter().enumerate() {
        let text = format!("{kind}s {}/{}", state.pending(index), state.queues[index].len());
        spans.push(if index == state.kind {
            Span::styled(format!("[{text}]"), theme.accent)
        } else {
            Span::styled(format!(" {text} "), Style::new())
        });
    }
    let what = if state.only_pending { "  pending/all; only pending ones shown" } else { "  pending/all" };
    spans.push(Span::styled(what, theme.muted));
    Line::from(spans)
}

fn nothing(state: &State) -> String {
    let kind = state.kind();
    if state.queue().is_empty() {
        format!("There are no {kind}s yet: bring them in with logwright import {kind}s FILE.")
    } else {
        format!("All {kind}s are decided. Press p to see them.")
    }
}

/// `+ accepted rationale-001 !`
fn list_row(entry: &Entry, width: usize, theme: &Theme) -> Line<'static> {
    let (mark, word, style) = standing(entry.standing(), theme);
    let id = SafeText::one_line(entry.original.id());
    let flag = if entry.troubles.is_empty() { "  " } else { " !" };
    Line::from(vec![
        Span::styled(format!("{mark} {word:<8} "), style),
        Span::raw(pad(id.as_str(), width.saturating_sub(13))),
        Span::styled(flag, theme.error),
    ])
}

fn view_item(state: &State, entry: &Entry, theme: &Theme, frame: &mut Frame, area: Rect) {
    let id = SafeText::one_line(entry.original.id());
    let title = format!(" {id}: {} ", entry.original.task());
    let block = framed(title, false, theme);
    let inner = block.inner(area);
    let rows = rows(entry, usize::from(inner.width), theme);
    let reading = &state.reading;
    let height = usize::from(inner.height);
    reading.rows.set(rows.len());
    reading.height.set(height);
    let top = reading.top.get().min(rows.len().saturating_sub(height));
    reading.top.set(top);
    let below = rows.len().saturating_sub(top + height);
    let block = if below > 0 {
        block.title_bottom(Line::styled(format!(" {below} more rows below "), theme.muted).right_aligned())
    } else {
        block
    };
    frame.render_widget(block, area);
    let in_sight: Vec<Line> = rows.into_iter().skip(top).take(height).collect();
    frame.render_widget(Paragraph::new(in_sight), inner);
}
