//! Traces of one log side by side: in a table, and as texts: what one says and the first does not stands between `{+` and
//! `+}`, what only the first says between `[-` and `-]`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::{Comparison, State, Told};
use super::trace_view::answer_span;
use crate::evaluation::first_difference;
use crate::logs::SafeText;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, fit, framed, pad, sides};

/// Columns that a text needs at least to be read.
const NARROWEST: u16 = 38;

/// Columns of a name in the table.
const NAME: usize = 22;

/// Draws the traces of a comparison.
pub(super) fn view_comparison(state: &State, comparison: &Comparison, theme: &Theme, frame: &mut Frame, area: Rect) {
    let told: Vec<&Told> = comparison.sides.iter().filter_map(|ticket| state.told_as(*ticket)).collect();
    let Some((first, others)) = told.split_first().filter(|(_, others)| !others.is_empty()) else { return };
    let front = comparison.front.clamp(1, others.len());
    let height = u16::try_from(told.len() + 1).unwrap_or(u16::MAX);
    let [table, texts] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    view_table(first, others, front, theme, frame, table);

    // The first stands always; beside it, as many others as there is room for, the one in front among them.
    let beside = usize::from((texts.width / NARROWEST).saturating_sub(1).max(1)).min(others.len());
    let from = front.saturating_sub(beside).min(others.len() - beside);
    let shown = &others[from..from + beside];
    let places = Layout::horizontal(vec![Constraint::Fill(1); beside + 1]).split(texts);
    let first_text = SafeText::new(&first.trace.text);
    let in_front = SafeText::new(&others[front - 1].trace.text);
    // What the first alone says, it says against the one in front.
    let (was, _) = sides(first_text.as_str(), in_front.as_str(), theme);
    view_text(&was, &side_name(first, &told), comparison.top, false, theme, frame, places[0]);
    for (index, told_here) in shown.iter().enumerate() {
        let text = SafeText::new(&told_here.trace.text);
        let (_, is) = sides(first_text.as_str(), text.as_str(), theme);
        let focused = from + index + 1 == front && others.len() > 1;
        let name = side_name(told_here, &told);
        view_text(&is, &name, comparison.top, focused, theme, frame, places[index + 1]);
    }
}

/// What a side is called: a branch and what it came from by that, others by who wrote them.
fn side_name(told: &Told, all: &[&Told]) -> String {
    if told.parent.is_some_and(|parent| all.iter().any(|other| other.ticket == parent)) {
        return "Branch".to_owned();
    }
    if all.iter().any(|other| other.parent == Some(told.ticket)) {
        return "Before".to_owned();
    }
    SafeText::one_line(told.trace.adapter.as_deref().unwrap_or("base model")).into_string()
}

/// `who  verdict  margin  steps  tokens/s  first difference`, a row for each.
fn view_table(first: &Told, others: &[&Told], front: usize, theme: &Theme, frame: &mut Frame, area: Rect) {
    let all: Vec<&Told> = std::iter::once(first).chain(others.iter().copied()).collect();
    let head =
        format!("  {}{:<12}{:>8}{:>7}{:>6}  first difference", pad("", NAME), "verdict", "margin", "steps", "tok/s");
    let mut lines = vec![Line::styled(fit(&head, usize::from(area.width)), theme.muted)];
    for (index, told) in all.iter().enumerate() {
        let trace = &told.trace;
        let selected = index == front && others.len() > 1;
        let answer = answer_span(trace, theme);
        let gap = " ".repeat(12_usize.saturating_sub(answer.width()));
        let margin = match trace.margin {
            Some(margin) => format!("{margin:+.1}"),
            None if told.weighing => "...".to_owned(),
            None => "-".to_owned(),
        };
        let difference = match first_difference(&first.trace, trace) {
            _ if index == 0 => String::new(),
            None => "none".to_owned(),
            Some(at) => format!("step {}: {} | {}", at.step, quoted(&at.was), quoted(&at.is)),
        };
        let mut spans = vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(pad(&side_name(told, &all), NAME - 1) + " ", theme.title),
            answer,
            Span::raw(format!("{gap}{margin:>8}{:>7}{:>6.0}  ", trace.reasoning_steps(), trace.tokens_per_second)),
        ];
        let used: usize = spans.iter().map(Span::width).sum();
        spans.push(Span::styled(fit(&difference, usize::from(area.width).saturating_sub(used)), theme.muted));
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn quoted(words: &str) -> String {
    if words.is_empty() { "the end".to_owned() } else { format!("\"{}\"", SafeText::one_line(words)) }
}

/// A text with its marked words, from row `top` on.
fn view_text(text: &Shaded, name: &str, top: usize, focused: bool, theme: &Theme, frame: &mut Frame, area: Rect) {
    let width = usize::from(area.width.saturating_sub(2));
    let (rows, _) = text.rows(width);
    let last = rows.len().saturating_sub(usize::from(area.height.saturating_sub(2)));
    let lines: Vec<Line> = rows.into_iter().skip(top.min(last)).collect();
    let block = framed(fit(&format!(" {name} "), width), focused, theme);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
