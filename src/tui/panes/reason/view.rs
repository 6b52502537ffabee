//! How the Reason pane looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::compare::view_comparison;
use super::state::{Board, Front, State, Writing};
use super::trace_view::{inside, strongest, view_trace};
use crate::evaluation::EvidenceToken;
use crate::logs::SafeText;
use crate::tui::model::ModelStanding;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, fit, framed, notice, pad, template_spans, wrap};

/// From this width on, the logs and the reasoning stand side by side.
const SIDE_BY_SIDE: u16 = 120;

/// The most rows that say how the model is.
const STANDING_ROWS: usize = 4;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    if area.width >= SIDE_BY_SIDE {
        let [logs, trace] = Layout::horizontal([Constraint::Percentage(35), Constraint::Percentage(65)]).areas(area);
        view_logs(state, shared, frame, logs);
        view_reasoning(state, shared, frame, trace);
    } else if state.front == Front::Logs {
        view_logs(state, shared, frame, area);
    } else {
        view_reasoning(state, shared, frame, area);
    }
}

fn view_logs(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let lines = standing_lines(state, shared, inside(area));
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let [standing, list] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(lines).block(framed(" Model ", false, theme)), standing);

    let (all, listed) = (count(state.items().len() as u64), count(state.visible.len() as u64));
    let doubt = if state.only_in_doubt { " in doubt" } else { "" };
    let title = match state.filter.as_str() {
        "" if !state.only_in_doubt => format!(" {all} logs "),
        "" => format!(" {listed} of {all} logs{doubt} "),
        filter => format!(" {listed} of {all} logs{doubt}: {} ", SafeText::one_line(filter)),
    };
    let block = framed(fit(&title, inside(list)), state.front == Front::Logs, theme);
    let inner = block.inner(list);
    frame.render_widget(block, list);
    match &state.items {
        None => return notice(frame, inner, theme, "Reading the logs ..."),
        Some(Err(why)) => return notice(frame, inner, theme, why.as_str()),
        Some(Ok(items)) if items.is_empty() => {
            return notice(frame, inner, theme, "No templates here yet. Press i to type or paste a log.");
        }
        Some(Ok(_)) if state.visible.is_empty() => {
            let text = match state.filter.as_str() {
                "" => "The votes contradict each other on no template; esc lists all again.",
                _ => "No log has these words; esc lists all again.",
            };
            return notice(frame, inner, theme, text);
        }
        Some(Ok(_)) => {}
    }
    state.rows.render(frame, inner, state.visible.len(), state.selected, |index, width| {
        let item = &state.items()[state.visible[index]];
        let selected = index == state.selected;
        let style = if selected { theme.selection } else { Style::new() };
        let mut spans = vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(if item.in_doubt { "? " } else { "  " }, theme.warning),
            Span::styled(pad(item.name.as_str(), 12) + " ", theme.muted),
        ];
        spans.extend(template_spans(&pad(item.text.as_str(), usize::from(width).saturating_sub(17)), style, theme));
        Line::from(spans)
    });
}

/// The model, where it is and what it wears; without it, what to do.
fn standing_lines(state: &State, shared: &Shared, width: usize) -> Vec<Line<'static>> {
    let theme = &shared.theme;
    let (text, style) = match &shared.model {
        ModelStanding::Here(_) => {
            let worn = state.worn().map_or("no adapter", |worn| worn.name.as_str());
            (SafeText::one_line(&format!("{} + {worn}", shared.model_name)).into_string(), Style::new())
        }
        ModelStanding::Coming(_) => (advice(shared, ""), theme.accent),
        ModelStanding::Missing(_) => (advice(shared, ""), theme.warning),
        ModelStanding::Unknown => (advice(shared, ""), theme.muted),
    };
    let mut rows = wrap(&text, width);
    if rows.len() > STANDING_ROWS {
        let rest = rows.split_off(STANDING_ROWS - 1).join(" ");
        rows.push(fit(&rest, width));
    }
    rows.into_iter().map(|row| Line::styled(row, style)).collect()
}

/// What to do next: with the model here, `then`; else how to get it.
fn advice(shared: &Shared, then: &str) -> String {
    let name = SafeText::one_line(&shared.model_name);
    match &shared.model {
        ModelStanding::Here(_) => then.to_owned(),
        ModelStanding::Coming(progress) => format!("{name} is coming: {progress}"),
        ModelStanding::Missing(why) => {
            format!("{name} is not here; m tries again, as does `logwright model pull {name}`. Why: {why}")
        }
        ModelStanding::Unknown => format!("looking for {name} ..."),
    }
}

fn view_reasoning(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    match &state.board {
        Board::Empty => {
            let block = framed(" Reasoning ", false, theme);
            let inner = block.inner(area);
            frame.render_widget(block, area);
            let then = "Pick a log and press enter, or i to type one: the model's reasoning comes here.";
            notice(frame, inner, theme, &advice(shared, then));
        }
        Board::Waiting { log } => {
            let rest = view_log(log, 0, &[], theme, frame, area);
            let block = framed(" Reasoning ", state.front == Front::Trace, theme);
            let inner = block.inner(rest);
            frame.render_widget(block, rest);
            notice(
                frame,
                inner,
                theme,
                &advice(shared, "Space comes here, and enter lets the model reason about this log."),
            );
        }
        Board::Writing(writing) => {
            let rest = view_log(&writing.log, 0, &[], theme, frame, area);
            view_writing(writing, theme, frame, rest);
        }
        Board::Failed { log, why } => {
            let rest = view_log(log, 0, &[], theme, frame, area);
            let block = framed(" Reasoning ", true, theme);
            let inner = block.inner(rest);
            frame.render_widget(block, rest);
            notice(frame, inner, theme, &format!("No reasoning: {why}"));
        }
        Board::Trace => {
            let Some(told) = state.told() else { return };
            let trace = &told.trace;
            let rest = view_log(&trace.input, trace.input_bytes_cut, &trace.evidence, theme, frame, area);
            match state.comparing.zip(state.parent()) {
                Some((top, parent)) => view_comparison(parent, told, top, theme, frame, rest),
                None => view_trace(state, told, theme, frame, rest),
            }
        }
    }
}

/// The log, in at most a quarter of the area, with the words set off that the verdict rests on; returns what is left.
fn view_log(
    log: &str,
    bytes_cut: usize,
    evidence: &[EvidenceToken],
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) -> Rect {
    let rows = wrap(SafeText::one_line(log).as_str(), inside(area));
    let most = (area.height / 4).max(3);
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).min(most);
    let [top, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    let title = match bytes_cut {
        0 => " Log ".to_owned(),
        cut => format!(" Log, without its last {cut} bytes: too long for the model "),
    };
    let shaded = strongest(evidence);
    let lines: Vec<Line> = rows.iter().map(|row| shaded_line(row, &shaded, theme)).collect();
    frame.render_widget(Paragraph::new(lines).block(framed(fit(&title, inside(top)), false, theme)), top);
    rest
}

/// A row of the log with the words of the evidence in the colour of the label that they speak for. Which words those are,
/// and how much each counts, also stands below the verdict.
fn shaded_line(row: &str, shaded: &[&EvidenceToken], theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for piece in row.split_inclusive(' ') {
        let word = piece.trim_end();
        let style = match shaded.iter().find(|evidence| SafeText::one_line(&evidence.token).as_str() == word) {
            Some(evidence) if evidence.delta > 0.0 => theme.abnormal,
            Some(_) => theme.normal,
            None => Style::new(),
        };
        spans.extend(template_spans(word, style, theme));
        spans.push(Span::raw(piece[word.len()..].to_owned()));
    }
    Line::from(spans)
}

/// The text as it comes; its end is always in sight.
fn view_writing(writing: &Writing, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = match (writing.tokens, writing.tokens_per_second) {
        _ if writing.stopping => " Stopping ".to_owned(),
        (0, _) if writing.loading => " The model is being loaded ".to_owned(),
        (0, _) => " The model reads the log ".to_owned(),
        (tokens, None) => format!(" The model writes: {tokens} tokens, esc stops it "),
        (tokens, Some(pace)) => format!(" The model writes: {tokens} tokens, {pace:.0} tokens/s, esc stops it "),
    };
    let block = framed(fit(&title, inside(area)), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = wrap(SafeText::new(&writing.text).as_str(), usize::from(inner.width));
    let first = rows.len().saturating_sub(usize::from(inner.height));
    let lines: Vec<Line> = rows.into_iter().skip(first).map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
