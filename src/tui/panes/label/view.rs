//! How the Label pane looks: the list of all, beside or below the template in full.
//!
//! Moving the cursor changes two cells of the list: the mark before the row that is left and before the one that is
//! reached. Everything else about a row stays, so that a move is a few bytes on a slow line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::batch::Batch;
use super::state::{Doing, Item, Loading, State};
use crate::labels::queue::Order;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{category_popup, count, digit_popup, fit, framed, judgement_span, notice, template_spans};

/// From this width on, list and template stand side by side.
const SIDE_BY_SIDE: u16 = 120;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    match &state.loading {
        Loading::Waiting => return notice(frame, area, theme, "Reading the templates ..."),
        Loading::Failed(why) => return notice(frame, area, theme, why.as_str()),
        Loading::Done if state.items.is_empty() => {
            let text = "There are no templates yet. Import some: logwright import templates FILE";
            return notice(frame, area, theme, text);
        }
        Loading::Done => {}
    }
    let [list, detail] = if area.width >= SIDE_BY_SIDE {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area)
    } else {
        let [detail, list] = Layout::vertical([Constraint::Percentage(58), Constraint::Percentage(42)]).areas(area);
        [list, detail]
    };
    match &state.batch {
        Some(batch) => view_batch(state, batch, theme, frame, list),
        None => view_list(state, theme, frame, list),
    }
    super::detail::view(state, shared, frame, detail);
    match state.doing {
        Doing::Category => category_popup(frame, detail, &shared.taxonomy, theme),
        Doing::Order => {
            let names = Order::ALL.iter().map(|order| order.title().to_owned()).collect();
            digit_popup(frame, detail, " Order of the queue ", names, theme);
        }
        Doing::Browsing => {}
    }
}

fn view_list(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let marked = match state.marked.len() {
        0 => String::new(),
        n => format!(" | {} marked", count(n as u64)),
    };
    let title = format!(
        " {} of {} voted, {} this session{}{marked} ",
        count(state.judged as u64),
        count(state.items.len() as u64),
        count(state.session.cast() as u64),
        state.list.query_title(),
    );
    let room = usize::from(area.width.saturating_sub(2));
    let mut block = framed(fit(&title, room), true, theme);
    // At the foot the order; and quietly, why no vote is taken, or that they come very fast.
    let order = state.list.order_title().map(|order| (format!(" {order} "), theme.title));
    let closed = state.closed.as_deref().map(|why| (format!(" {why} "), theme.warning));
    let told = closed.or_else(|| state.session.haste().map(|haste| (format!(" {haste} "), theme.muted)));
    let mut left = room;
    for (text, style) in order.into_iter().chain(told) {
        let text = fit(&text, left);
        left = left.saturating_sub(text.width() + 1);
        block = block.title_bottom(Line::styled(text, style));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if state.list.visible.is_empty() {
        let text = match &state.list.why_not {
            Some(why) => format!("{why}; o chooses another order."),
            None if !state.list.query.is_empty() => "No template holds these words; esc shows all again.".to_owned(),
            None => "Nothing is to be seen in this order; o chooses another.".to_owned(),
        };
        return notice(frame, inner, theme, &text);
    }
    state.list.rows.render(frame, inner, state.list.visible.len(), state.list.row, |row, width| {
        let item = state.list.visible[row];
        let tick = if state.marked.contains(&item) { "x" } else { " " };
        list_row(&state.items[item], row == state.list.row, tick, usize::from(width), theme)
    });
}

fn view_batch(state: &State, batch: &Batch, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = format!(
        " Decide together: {} of {} {} ticked ",
        count(batch.ticked.len() as u64),
        count(batch.rows.len() as u64),
        batch.what,
    );
    let block = framed(fit(&title, usize::from(area.width.saturating_sub(2))), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    batch.view.render(frame, inner, batch.rows.len(), batch.row, |row, width| {
        let item = batch.rows[row];
        let tick = if batch.ticked.contains(&item) { "[x]" } else { "[ ]" };
        list_row(&state.items[item], row == batch.row, tick, usize::from(width), theme)
    });
}

/// `>xF ! abnormal   1,234  machine check interrupt`: the mark of the selection alone tells the selected row from others.
fn list_row(item: &Item, selected: bool, tick: &str, width: usize, theme: &Theme) -> Line<'static> {
    let mark = if selected { Span::styled(">", theme.selection) } else { Span::raw(" ") };
    let own = match &item.own {
        Some(judgement) => judgement_span(judgement, theme),
        None => Span::styled(". open", theme.muted),
    };
    // Who contests flags it too, so the one says the other.
    let flag = match (item.contested.is_some(), item.flagged) {
        (true, _) => "C ",
        (false, true) => "F ",
        (false, false) => "  ",
    };
    let left = format!("{}{:>8}", " ".repeat(11usize.saturating_sub(own.width())), count(item.count));
    let room = width.saturating_sub(1 + tick.len() + 2 + 11 + 8 + 2);
    let mut spans = vec![
        mark,
        Span::styled(tick.to_owned(), theme.accent),
        Span::styled(flag, theme.warning),
        own,
        Span::styled(left, theme.muted),
        Span::raw("  "),
    ];
    spans.extend(template_spans(&fit(item.text.as_str(), room), Style::new(), theme));
    Line::from(spans)
}
