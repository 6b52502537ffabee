//! How the Label pane looks: the template in full, and the list of all.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::state::{Item, Loading, State};
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{category_popup, count, fit, framed, judgement_span, label_span, notice, template_spans};

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
    view_list(state, theme, frame, list);
    view_detail(state, shared, frame, detail);
}

fn view_list(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let filter = if state.filter.is_empty() {
        String::new()
    } else {
        format!(", {} match \"{}\"", count(state.visible.len() as u64), state.filter)
    };
    let progress = format!(
        " {} of {} voted, {} this session{filter} ",
        count(state.judged as u64),
        count(state.items.len() as u64),
        count(state.cast as u64)
    );
    let block = framed(fit(&progress, usize::from(area.width.saturating_sub(2))), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if state.visible.is_empty() {
        return notice(frame, inner, theme, "No template holds these words; esc shows all again.");
    }
    state.rows.render(frame, inner, state.visible.len(), state.selected, |row, width| {
        let item = &state.items[state.visible[row]];
        list_row(item, row == state.selected, usize::from(width), theme)
    });
}

/// `> ! abnormal   1,234  machine check interrupt`: only the columns before the text show the selection, so that moving
/// it rewrites few cells.
fn list_row(item: &Item, selected: bool, width: usize, theme: &Theme) -> Line<'static> {
    let mark = if selected { "> " } else { "  " };
    let mut own = match &item.own {
        Some(judgement) => judgement_span(judgement, theme),
        None => Span::styled(". open", theme.muted),
    };
    let mut columns = theme.muted;
    if selected {
        own.style = own.style.patch(theme.selection);
        columns = columns.patch(theme.selection);
    }
    let left = format!("{}{:>8}", " ".repeat(11usize.saturating_sub(own.width())), count(item.count));
    let room = width.saturating_sub(mark.len() + 11 + 8 + 2);
    let mut spans = vec![Span::styled(mark, theme.accent), own, Span::styled(left, columns), Span::raw("  ")];
    spans.extend(template_spans(&fit(item.text.as_str(), room), Style::new(), theme));
    Line::from(spans)
}

fn view_detail(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let Some(item) = state.selected_item() else {
        return frame.render_widget(framed("", false, theme), area);
    };
    let title = format!(" {}  occurs {} times ", item.name, count(item.count));
    let block = framed(fit(&title, usize::from(area.width.saturating_sub(2))), false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    // What was just voted on stays in sight for one step, since that is where the original label shows itself.
    let last = state.last.filter(|index| Some(*index) != state.selected_index()).map(|index| &state.items[index]);
    let foot = u16::from(last.is_some()) * 2;
    let [body, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(foot)]).areas(inner);
    let lines = detail_lines(item, state.drafts.get(&item.key), theme);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body);
    if let Some(last) = last {
        let width = usize::from(foot.width);
        let mut second = vec![Span::raw("  ")];
        second.extend(reveal_spans(last, theme));
        let first = Line::from(vec![
            Span::styled("Last vote: ", theme.muted),
            last.own.as_ref().map_or_else(Span::default, |own| judgement_span(own, theme)),
            Span::raw(" "),
            Span::styled(fit(last.text.as_str(), width.saturating_sub(22)), theme.muted),
        ]);
        frame.render_widget(Paragraph::new(vec![first, Line::from(second)]), foot);
    }
    if state.choosing {
        category_popup(frame, area, &shared.taxonomy, theme);
    }
}

fn detail_lines<'a>(item: &Item, draft: Option<&String>, theme: &Theme) -> Vec<Line<'a>> {
    let mut lines = vec![Line::from(template_spans(item.text.as_str(), Style::new(), theme)), Line::default()];
    let mut yours = vec![Span::styled("Your vote  ", theme.title)];
    match &item.own {
        Some(own) => {
            yours.push(judgement_span(own, theme));
            yours.extend(own.category().map(|c| Span::raw(format!(" ({c})"))));
        }
        None => yours.push(Span::styled(". none yet", theme.muted)),
    }
    let comment = draft.map(String::as_str).or(item.comment.as_ref().map(|c| c.as_str()));
    if let Some(comment) = comment.filter(|text| !text.is_empty()) {
        yours.push(Span::raw(format!("  \"{comment}\"")));
    }
    lines.push(Line::from(yours));
    let mut original = vec![Span::styled("Original   ", theme.title)];
    original.extend(reveal_spans(item, theme));
    lines.push(Line::from(original));
    lines.push(Line::default());
    lines.push(Line::styled(if item.samples.is_empty() { "No occurrence lines" } else { "Occurrences" }, theme.title));
    lines.extend(item.samples.iter().map(|sample| Line::raw(sample.as_str().to_owned())));
    lines
}

/// The original label and the others' votes, or that they are hidden.
fn reveal_spans(item: &Item, theme: &Theme) -> Vec<Span<'static>> {
    let Some(reveal) = item.revealed() else {
        return vec![Span::styled("hidden, as are others' votes, until you say normal or abnormal", theme.muted)];
    };
    let mut spans = match &reveal.original {
        Some((label, category)) => {
            let category = category.as_ref().map(|c| Span::raw(format!(" ({c})")));
            std::iter::once(label_span(*label, theme)).chain(category).collect()
        }
        None => vec![Span::styled("none", theme.muted)],
    };
    for vote in &reveal.others {
        spans.push(Span::styled(format!("  {}: ", vote.annotator), theme.muted));
        spans.push(judgement_span(&vote.judgement, theme));
        if let Some(comment) = &vote.comment {
            spans.push(Span::styled(format!(" \"{comment}\""), theme.muted));
        }
    }
    spans
}
