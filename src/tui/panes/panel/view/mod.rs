//! How the Panel pane looks: where the process stands on top, and one of four views below.

mod cases;
mod figures;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::state::{Board, Front, Scroll, State};
use crate::labels::Phase;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{category_popup, fit, framed, notice, wrap};

/// From this width on, two things stand side by side.
const SIDE_BY_SIDE: u16 = 120;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let board = match &state.board {
        None => return notice(frame, area, theme, "Reading the votes ..."),
        Some(Err(why)) => return notice(frame, area, theme, why.as_str()),
        Some(Ok(board)) => board,
    };
    let width = usize::from(area.width.saturating_sub(2));
    let mut standing: Vec<Line> = wrap(board.standing.as_str(), width).into_iter().map(Line::from).collect();
    standing.extend(figures::headline(&board.agreements.blind, width).into_iter().map(Line::from));
    standing.extend(wrap(&board.rule, width).into_iter().map(|row| Line::styled(row, theme.muted)));
    let height = u16::try_from(standing.len() + 2).unwrap_or(u16::MAX).min(area.height / 2);
    let [top, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    view_standing(state, board, standing, theme, frame, top);
    match state.front {
        Front::Cases => cases::view_cases(state, board, theme, frame, rest),
        Front::Agreement => figures::view(state, board, theme, frame, rest),
        Front::Table => table::view(state, &board.table, theme, frame, rest),
        Front::Corrections => cases::view_corrections(state, board, theme, frame, rest),
    }
    if state.choosing.is_some() {
        category_popup(frame, area, &shared.taxonomy, theme);
    }
}

fn view_standing(state: &State, board: &Board, rows: Vec<Line>, theme: &Theme, frame: &mut Frame, area: Rect) {
    let phase = match board.phase {
        Phase::Blind => " Blind round open ",
        Phase::Panel => " Panel round open ",
        Phase::Ruling => " Rounds closed: rulings ",
    };
    let mut block = framed(phase, false, theme);
    let mut views: Vec<Span> = vec![Span::raw(" ")];
    for front in Front::all() {
        let title = front.title();
        views.push(if front == state.front {
            Span::styled(format!("[{title}]"), theme.accent)
        } else {
            Span::styled(format!(" {title} "), theme.muted)
        });
    }
    views.push(Span::raw(" "));
    let views = Line::from(views);
    if phase.width() + views.width() + 2 <= usize::from(area.width) {
        block = block.title_top(views.right_aligned());
    }
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

/// A list above what is selected in it, or beside it where there is room.
fn list_and_detail(area: Rect) -> [Rect; 2] {
    if area.width >= SIDE_BY_SIDE {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area)
    } else {
        // The votes must be in sight; a few rows are enough of a list.
        Layout::vertical([Constraint::Length((area.height / 3).max(5)), Constraint::Min(0)]).areas(area)
    }
}

/// A framed text that may be longer than its place.
fn view_text(title: &str, lines: &[Line<'static>], scroll: &Scroll, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(fit(title, usize::from(area.width.saturating_sub(2))), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let top = scroll.top(lines.len(), usize::from(inner.height));
    let shown: Vec<Line> = lines.iter().skip(top).take(usize::from(inner.height)).cloned().collect();
    frame.render_widget(Paragraph::new(shown), inner);
}
