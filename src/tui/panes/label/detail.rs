//! The template under the cursor in full: its text, one's own vote, what that reveals, and its lines in the log.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::context::Occurrence;
use super::state::{Item, State};
use crate::logs::SafeText;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, fit, fit_end, framed, judgement_span, label_span, template_spans, wrap};

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let Some(item) = state.shown_item() else {
        return frame.render_widget(framed("", false, theme), area);
    };
    let title = format!(" {}  occurs {} times ", item.name, count(item.count));
    let block = framed(fit(&title, usize::from(area.width.saturating_sub(2))), false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    // What was just voted on stays in sight for one step, since that is where the original label shows itself.
    let last = state.last.filter(|index| Some(*index) != state.shown).map(|index| &state.items[index]);
    let foot = u16::from(last.is_some()) * 2;
    let [body, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(foot)]).areas(inner);
    let mut lines = said(state, item, usize::from(body.width), theme);
    let room = usize::from(body.height).saturating_sub(lines.len());
    lines.extend(occurrence(state, item, usize::from(body.width), room, theme));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body);
    if let Some(last) = last {
        frame.render_widget(Paragraph::new(last_vote(last, usize::from(foot.width), theme)), foot);
    }
}

/// The template's text, one's own vote on it, and what that reveals.
fn said<'a>(state: &State, item: &Item, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let text = wrap(item.text.as_str(), width).into_iter();
    let mut lines: Vec<Line> = text.map(|row| Line::from(template_spans(&row, Style::new(), theme))).collect();
    lines.push(Line::default());
    let mut yours = vec![Span::styled("Your vote  ", theme.title)];
    match &item.own {
        Some(own) => {
            yours.push(judgement_span(own, theme));
            yours.extend(own.category().map(|c| Span::raw(format!(" ({})", SafeText::one_line(c.as_str())))));
        }
        None => yours.push(Span::styled(". none yet", theme.muted)),
    }
    if item.flagged {
        yours.push(Span::styled("  F flagged", theme.warning));
    }
    let comment = state.drafts.get(&item.key).or(item.comment.as_ref()).filter(|text| !text.is_empty());
    if let Some(comment) = comment {
        let left = width.saturating_sub(Line::from(yours.clone()).width() + 4);
        let comment = fit(SafeText::one_line(comment).as_str(), left.max(8));
        yours.push(Span::raw(format!("  \"{comment}\"")));
    }
    lines.push(Line::from(yours));
    let mut original = vec![Span::styled("Original   ", theme.title)];
    original.extend(reveal_spans(item, theme));
    lines.push(Line::from(original));
    if let Some(contested) = &item.contested {
        let by = SafeText::one_line(&contested.by);
        let told = format!("a model's verdict on it is contested by {by}; t opens its trace");
        let told = fit(&told, width.saturating_sub(13));
        lines.push(Line::from(vec![Span::styled("Contested  ", theme.title), Span::styled(told, theme.warning)]));
    }
    lines
}

/// The vote before, with what it revealed.
fn last_vote<'a>(last: &Item, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let first = Line::from(vec![
        Span::styled("Last vote: ", theme.muted),
        last.own.as_ref().map_or_else(Span::default, |own| judgement_span(own, theme)),
        Span::raw(" "),
        Span::styled(fit(last.text.as_str(), width.saturating_sub(22)), theme.muted),
    ]);
    let mut second = vec![Span::raw("  came as ")];
    match last.revealed() {
        Some(_) => second.extend(reveal_spans(last, theme)),
        None => second = vec![Span::styled("  what it came as shows after normal or abnormal", theme.muted)],
    }
    vec![first, Line::from(second)]
}

/// The original label and the suggestion, or that they are hidden.
fn reveal_spans(item: &Item, theme: &Theme) -> Vec<Span<'static>> {
    let Some(reveal) = item.revealed() else {
        return vec![Span::styled("hidden, like the suggestion, until you say normal or abnormal", theme.muted)];
    };
    let mut spans = match &reveal.original {
        Some((label, category)) => {
            let category = category.as_ref().map(|c| Span::raw(format!(" ({})", SafeText::one_line(c.as_str()))));
            std::iter::once(label_span(*label, theme)).chain(category).collect()
        }
        None => vec![Span::styled("none", theme.muted)],
    };
    if let Some(suggestion) = &reveal.suggestion {
        spans.push(Span::styled(format!("  {} says ", SafeText::one_line(&suggestion.by)), theme.muted));
        spans.push(label_span(suggestion.label, theme));
    }
    spans
}

/// The lines around the occurrence that is looked at, as many as there is room for; else those that came with the
/// template.
fn occurrence<'a>(state: &State, item: &Item, width: usize, room: usize, theme: &Theme) -> Vec<Line<'a>> {
    let room = room.saturating_sub(2);
    let mut lines = vec![Line::default()];
    match state.contexts.known(item) {
        Some(Ok(Some(here))) => {
            lines.push(Line::styled(fit(&state.contexts.title(here), width), theme.title));
            lines.extend(around(here, width, room, theme));
        }
        Some(Err(why)) => lines.push(Line::styled(fit(why.as_str(), width), theme.error)),
        _ if item.samples.is_empty() => lines.push(Line::styled("No occurrence lines", theme.title)),
        _ => {
            lines.push(Line::styled("Occurrences", theme.title));
            lines.extend(item.samples.iter().map(|sample| Line::raw(sample.as_str().to_owned())));
        }
    }
    lines
}

/// As many lines as there is room for with the occurrence in their middle: that in full, of the others the end, where the
/// message is.
fn around<'a>(here: &Occurrence, width: usize, room: usize, theme: &Theme) -> Vec<Line<'a>> {
    let digits = here.lines.last().map_or(1, |(number, ..)| number.to_string().len());
    let columns = width.saturating_sub(digits + 4);
    let middle = here.lines.iter().position(|(_, _, is_occurrence)| *is_occurrence).unwrap_or(0);
    let full = here.lines.get(middle).map_or_else(Vec::new, |(_, text, _)| wrap(text.as_str(), columns));
    let others = room.saturating_sub(full.len());
    let top = middle.saturating_sub(others / 2).min(here.lines.len().saturating_sub(others + 1));
    let gutter = |mark: &'static str, number: String| {
        [Span::styled(mark, theme.accent), Span::styled(format!("{number:>digits$}  "), theme.muted)]
    };
    let mut lines = Vec::new();
    for (number, text, is_occurrence) in here.lines.iter().skip(top) {
        if *is_occurrence {
            for (row, text) in full.iter().enumerate() {
                let [mark, number] =
                    if row == 0 { gutter("> ", number.to_string()) } else { gutter("  ", String::new()) };
                lines.push(Line::from(vec![mark, number, Span::raw(text.clone())]));
            }
        } else {
            let [mark, number] = gutter("  ", number.to_string());
            lines.push(Line::from(vec![mark, number, Span::styled(fit_end(text.as_str(), columns), theme.muted)]));
        }
    }
    lines.truncate(room);
    lines
}
