//! How the Reason pane looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::compare::view_comparison;
use super::kept::view_kept;
use super::log_view::{ShownLog, view_log};
use super::several::view_ticks;
use super::state::{Board, Doing, Front, State, Writing};
use super::step_text::Lens;
use super::trace_view::{inside, view_trace};
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
    match &state.doing {
        Doing::Ticking(ticks) => view_ticks(ticks, &state.adapters, &shared.theme, frame, area),
        Doing::Opening(opening) => view_kept(opening, &shared.theme, frame, area),
        Doing::Browsing | Doing::Branching | Doing::Supposing(_) => {}
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
    let marked = match state.marked.len() {
        0 => String::new(),
        n => format!("| {} marked: enter asks about them as one session ", count(n as u64)),
    };
    let title = match state.filter.as_str() {
        "" if !state.only_in_doubt => format!(" {all} logs "),
        "" => format!(" {listed} of {all} logs{doubt} "),
        filter => format!(" {listed} of {all} logs{doubt}: {} ", SafeText::one_line(filter)),
    };
    let block = framed(fit(&(title + &marked), inside(list)), state.front == Front::Logs, theme);
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
            Span::styled(if state.marked.contains(&state.visible[index]) { "x" } else { " " }, theme.accent),
            Span::styled(if item.in_doubt { "? " } else { "  " }, theme.warning),
            Span::styled(pad(item.name.as_str(), 12) + " ", theme.muted),
        ];
        spans.extend(template_spans(&pad(item.text.as_str(), usize::from(width).saturating_sub(18)), style, theme));
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
        Board::Waiting { question } => {
            let rest = view_log(&ShownLog::plain(&question.text, question.session), theme, frame, area);
            let block = framed(" Reasoning ", state.front == Front::Trace, theme);
            let inner = block.inner(rest);
            frame.render_widget(block, rest);
            notice(
                frame,
                inner,
                theme,
                &advice(shared, "o comes here, and enter lets the model reason about this log."),
            );
        }
        Board::Writing(writing) => {
            let question = &writing.question;
            let rest = view_log(&ShownLog::plain(&question.text, question.session), theme, frame, area);
            view_writing(writing, theme, frame, rest);
        }
        Board::Failed { question, why } => {
            let rest = view_log(&ShownLog::plain(&question.text, question.session), theme, frame, area);
            let block = framed(" Reasoning ", true, theme);
            let inner = block.inner(rest);
            frame.render_widget(block, rest);
            notice(frame, inner, theme, &format!("No reasoning: {why}"));
        }
        Board::Trace => {
            let Some(told) = state.told() else { return };
            let trace = &told.trace;
            let log = ShownLog {
                text: &trace.input,
                session: trace.session,
                bytes_cut: trace.input_bytes_cut,
                evidence: &trace.evidence,
                claims: (state.lens == Lens::Grounding && state.comparing.is_none())
                    .then(|| trace.grounding.iter().filter(|claim| claim.step == state.step).collect()),
                supposing: state.supposing(),
            };
            let rest = view_log(&log, theme, frame, area);
            match &state.comparing {
                Some(comparison) => view_comparison(state, comparison, theme, frame, rest),
                None => view_trace(state, told, theme, frame, rest),
            }
        }
    }
}

/// The text as it comes; its end is always in sight.
fn view_writing(writing: &Writing, theme: &Theme, frame: &mut Frame, area: Rect) {
    let who = match writing.with.len() {
        0 => "The model".to_owned(),
        all => {
            let name = SafeText::one_line(writing.adapter.as_deref().unwrap_or("The base model")).into_string();
            format!("{name} ({} of {all})", all - writing.next.len())
        }
    };
    let title = match (writing.tokens, writing.tokens_per_second) {
        _ if writing.stopping => " Stopping ".to_owned(),
        (0, _) if writing.loading => format!(" {who} is being loaded "),
        (0, _) => format!(" {who} reads the log "),
        (tokens, None) => format!(" {who} writes: {tokens} tokens, esc stops it "),
        (tokens, Some(pace)) => format!(" {who} writes: {tokens} tokens, {pace:.0} tokens/s, esc stops it "),
    };
    let block = framed(fit(&title, inside(area)), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = wrap(SafeText::new(&writing.text).as_str(), usize::from(inner.width));
    let first = rows.len().saturating_sub(usize::from(inner.height));
    let lines: Vec<Line> = rows.into_iter().skip(first).map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}
