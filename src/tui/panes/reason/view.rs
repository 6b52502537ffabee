//! How the Reason pane looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::{Board, Front, State, Writing, step_name};
use crate::evaluation::{SteppedStep, SteppedToken, SteppedTrace};
use crate::logs::SafeText;
use crate::reasoning::answer_label;
use crate::tui::model::ModelStanding;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{fit, framed, label_span, notice, pad, template_spans, wrap};

/// From this width on, the logs and the reasoning stand side by side.
const SIDE_BY_SIDE: u16 = 120;

/// Below this probability a token, or a step's mean, is worth a look.
const DOUBTFUL: f64 = 0.5;

/// Cells of a full probability bar.
const BAR: usize = 10;

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

fn inside(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(2))
}

fn view_logs(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let [standing, list] = Layout::vertical([Constraint::Length(3), Constraint::Min(0)]).areas(area);
    let block = framed(" Model ", false, theme);
    frame.render_widget(Paragraph::new(standing_line(state, shared, inside(standing))).block(block), standing);

    let all = state.items().len();
    let title = match state.filter.as_str() {
        "" => format!(" {all} logs "),
        filter => format!(" {} of {all} logs: {} ", state.visible.len(), SafeText::one_line(filter)),
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
        Some(Ok(_)) if state.visible.is_empty() => return notice(frame, inner, theme, "No log has these words."),
        Some(Ok(_)) => {}
    }
    state.rows.render(frame, inner, state.visible.len(), state.selected, |index, width| {
        let item = &state.items()[state.visible[index]];
        let selected = index == state.selected;
        let style = if selected { theme.selection } else { Style::new() };
        let mut spans = vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(pad(item.name.as_str(), 12) + " ", theme.muted),
        ];
        spans.extend(template_spans(&pad(item.text.as_str(), usize::from(width).saturating_sub(15)), style, theme));
        Line::from(spans)
    });
}

/// The model, where it is, and what it wears.
fn standing_line(state: &State, shared: &Shared, width: usize) -> Line<'static> {
    let theme = &shared.theme;
    let name = SafeText::one_line(&shared.model_name);
    let worn =
        state.worn().map_or_else(|| "no adapter".to_owned(), |worn| SafeText::one_line(&worn.name).into_string());
    let text = |rest: &str| fit(&format!("{name} {rest}"), width);
    match &shared.model {
        ModelStanding::Here(_) => Line::raw(text(&format!("+ {worn}"))),
        ModelStanding::Coming(progress) => Line::styled(text(&format!("is coming: {progress}")), theme.accent),
        ModelStanding::Missing(why) => Line::styled(text(&format!("is not here: {why}")), theme.warning),
        ModelStanding::Unknown => Line::styled(text("..."), theme.muted),
    }
}

fn view_reasoning(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    match &state.board {
        Board::Empty => {
            let block = framed(" Reasoning ", false, theme);
            let inner = block.inner(area);
            frame.render_widget(block, area);
            notice(
                frame,
                inner,
                theme,
                "Pick a log and press enter, or i to type one: the model's reasoning comes here.",
            );
        }
        Board::Writing(writing) => {
            let rest = view_log(&writing.log, 0, theme, frame, area);
            view_writing(writing, theme, frame, rest);
        }
        Board::Failed { log, why } => {
            let rest = view_log(log, 0, theme, frame, area);
            let block = framed(" Reasoning ", true, theme);
            let inner = block.inner(rest);
            frame.render_widget(block, rest);
            notice(frame, inner, theme, &format!("No reasoning: {why}"));
        }
        Board::Trace(trace) => {
            let rest = view_log(&trace.input, trace.input_bytes_cut, theme, frame, area);
            view_trace(state, trace, theme, frame, rest);
        }
    }
}

/// The log, in at most a quarter of the area; returns what is left.
fn view_log(log: &str, bytes_cut: usize, theme: &Theme, frame: &mut Frame, area: Rect) -> Rect {
    let rows = wrap(SafeText::one_line(log).as_str(), inside(area));
    let most = (area.height / 4).max(3);
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).min(most);
    let [top, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    let title = match bytes_cut {
        0 => " Log ".to_owned(),
        cut => format!(" Log, without its last {cut} bytes: too long for the model "),
    };
    let lines: Vec<Line> = rows.iter().map(|row| Line::from(template_spans(row, Style::new(), theme))).collect();
    frame.render_widget(Paragraph::new(lines).block(framed(fit(&title, inside(top)), false, theme)), top);
    rest
}

/// The text as it comes; its end is always in sight.
fn view_writing(writing: &Writing, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = match writing.tokens {
        0 => " The model reads the log ".to_owned(),
        tokens => format!(" The model writes: {tokens} tokens, x stops it "),
    };
    let block = framed(fit(&title, inside(area)), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = wrap(SafeText::new(&writing.text).as_str(), usize::from(inner.width));
    let first = rows.len().saturating_sub(usize::from(inner.height));
    let lines: Vec<Line> = rows.into_iter().skip(first).map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn view_trace(state: &State, trace: &SteppedTrace, theme: &Theme, frame: &mut Frame, area: Rect) {
    let verdict_rows = if area.height > 8 { 1 } else { 0 };
    let steps_height = u16::try_from(trace.steps.len() + 2).unwrap_or(u16::MAX).min((area.height / 2).max(4));
    let [verdict, steps, text, tokens] = Layout::vertical([
        Constraint::Length(verdict_rows),
        Constraint::Length(steps_height),
        Constraint::Length(step_text_height(state, area)),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(verdict_line(trace, usize::from(verdict.width), theme), verdict);
    view_steps(state, trace, theme, frame, steps);
    view_step_text(state, theme, frame, text);
    let [tokens, others] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(tokens);
    view_tokens(state, theme, frame, tokens);
    view_alternatives(state.current_token(), theme, frame, others);
}

/// Room for the whole selected step, where there is plenty; on a small screen its row in the list must do.
fn step_text_height(state: &State, area: Rect) -> u16 {
    if area.height < 30 {
        return 0;
    }
    let rows = state.current_step().map_or(0, |step| wrap(SafeText::new(&step.text).as_str(), inside(area)).len());
    u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height / 4)
}

/// ` ! abnormal  format kept  78 tokens/s  smollm2-135m + 20260101-...`
fn verdict_line(trace: &SteppedTrace, width: usize, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    spans.push(match trace.answer.as_deref().map(|answer| (answer, answer_label(answer))) {
        Some((_, Some(label))) => label_span(label, theme),
        Some((answer, None)) => {
            Span::styled(format!("? {}", fit(SafeText::one_line(answer).as_str(), 20)), theme.warning)
        }
        None => Span::styled("? no answer that can be read", theme.warning),
    });
    spans.push(match trace.format_ok {
        true => Span::styled("  format kept", theme.normal),
        false => Span::styled("  format not kept", theme.warning),
    });
    let adapter = trace.adapter.as_deref().unwrap_or("no adapter");
    let figures = format!("  {:.0} tokens/s  {} + {adapter}", trace.tokens_per_second, trace.model);
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::styled(fit(SafeText::one_line(&figures).as_str(), width.saturating_sub(used)), theme.muted));
    Line::from(spans)
}

fn view_steps(state: &State, trace: &SteppedTrace, theme: &Theme, frame: &mut Frame, area: Rect) {
    let at = (state.step + 1).min(trace.steps.len());
    let title = format!(" Step {at} of {}  left/right ", trace.steps.len());
    let block = framed(fit(&title, inside(area)), state.front == Front::Trace, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if trace.steps.is_empty() {
        return notice(frame, inner, theme, "The model wrote nothing.");
    }
    state.step_rows.render(frame, inner, trace.steps.len(), state.step, |index, width| {
        let step = &trace.steps[index];
        let selected = index == state.step;
        let style = if selected { theme.selection } else { Style::new() };
        let mean = step.mean_probability().unwrap_or_default();
        Line::from(vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(format!("{:>6} ", step_name(index, step)), theme.title),
            Span::styled(format!("{} ", percent(mean)), sureness(mean, theme)),
            Span::styled(pad(SafeText::one_line(&step.text).as_str(), usize::from(width).saturating_sub(15)), style),
        ])
    });
}

fn view_step_text(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let Some(step) = state.current_step() else { return };
    let mut lines: Vec<Line> = Vec::new();
    for row in wrap(SafeText::new(&step.text).as_str(), inside(area)) {
        lines.push(Line::raw(row));
    }
    frame.render_widget(Paragraph::new(lines).block(framed(" Its text ", false, theme)), area);
}

fn view_tokens(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let tokens: &[SteppedToken] = state.current_step().map_or(&[], |step: &SteppedStep| &step.tokens);
    let title = format!(" Token {} of {}  up/down ", (state.token + 1).min(tokens.len()), tokens.len());
    let block = framed(fit(&title, inside(area)), state.front == Front::Trace, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    state.token_rows.render(frame, inner, tokens.len(), state.token, |index, width| {
        let token = &tokens[index];
        let selected = index == state.token;
        let style = if selected { theme.selection } else { Style::new() };
        let mark = Span::styled(if selected { "> " } else { "  " }, theme.accent);
        Line::from(
            vec![mark]
                .into_iter()
                .chain(probability_spans(&token.text, token.probability, width, style, theme))
                .collect::<Vec<_>>(),
        )
    });
}

fn view_alternatives(token: Option<&SteppedToken>, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(" In its place ", false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(token) = token else { return };
    let row = |text: &str, probability: f32| {
        let spans = probability_spans(text, probability, inner.width, Style::new(), theme);
        Line::from(spans.collect::<Vec<_>>())
    };
    let lines: Vec<Line> = token.alternatives.iter().map(|other| row(&other.text, other.probability)).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// ` 93 % #########- " panic"`: the quotes show the spaces.
fn probability_spans<'a>(
    text: &str,
    probability: f32,
    width: u16,
    style: Style,
    theme: &Theme,
) -> impl Iterator<Item = Span<'a>> + use<'a> {
    let probability = f64::from(probability);
    let full = ((probability * BAR as f64).round() as usize).min(BAR);
    let bar = format!("{}{} ", "#".repeat(full), "-".repeat(BAR - full));
    let text = format!("\"{}\"", SafeText::one_line(text));
    let room = usize::from(width).saturating_sub(BAR + 9);
    let sure = sureness(probability, theme);
    [
        Span::styled(format!("{} ", percent(probability)), sure),
        Span::styled(bar, sure),
        Span::styled(pad(&text, room), style),
    ]
    .into_iter()
}

fn percent(probability: f64) -> String {
    match probability * 100.0 {
        p if p > 0.0 && p < 0.5 => " <1 %".to_owned(),
        p => format!("{p:>3.0} %"),
    }
}

fn sureness(probability: f64, theme: &Theme) -> Style {
    if probability < DOUBTFUL { theme.warning } else { theme.muted }
}
