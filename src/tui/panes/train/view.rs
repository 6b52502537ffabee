//! How the Train pane looks: recipe and runs on the left, the curve of the run in front on the right.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Paragraph};

use super::state::{Field, State};
use crate::logs::SafeText;
use crate::training::{RunInfo, RunState, StepRecord};
use crate::tui::model::ModelStanding;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, duration, fit, framed, notice, pad, wrap};

/// From this width on, there is room for whole rows of the list of runs.
const WIDE: u16 = 120;

/// Columns of a whole row of the list of runs.
const ROW_WIDTH: usize = 46;

/// Columns of a setting's name.
const NAME_WIDTH: usize = 16;

/// From this height on, there is room for what the model said.
const TALL: u16 = 30;

/// Rows of what the model said.
const SAMPLE_ROWS: usize = 8;

/// Steps that a point of the smooth curve is the mean of.
const SMOOTH: usize = 10;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let left = if area.width >= WIDE { 50 } else { 33 };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(area);
    let form_height = u16::try_from(Field::ALL.len() + 4).unwrap_or(u16::MAX);
    let [form, runs] = Layout::vertical([Constraint::Length(form_height), Constraint::Min(0)]).areas(left);
    view_form(state, shared, frame, form);
    view_runs(state, &shared.theme, frame, runs);
    view_run(state, shared, frame, right);
}

fn view_form(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let title = if state.filling { " Recipe of the new run " } else { " Next run: n " };
    let block = framed(title, state.filling, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let row = |name: &str, value: &str| {
        let name = pad(name, NAME_WIDTH);
        Line::from(vec![Span::styled(name, theme.muted), Span::raw(fit(value, width.saturating_sub(NAME_WIDTH)))])
    };
    let examples = match state.accepted {
        Some(accepted) => format!("{} accepted", count(accepted as u64)),
        None => String::new(),
    };
    let mut lines = vec![row("  model", &model_text(shared)), row("  rationales", &examples)];
    lines.extend(Field::ALL.into_iter().enumerate().map(|(at, field)| {
        let value = field.value(&state.recipe);
        let value = if value.is_empty() { "two passes" } else { &value };
        let front = state.filling && at == state.field;
        let line = row(&format!("{} {}", if front { ">" } else { " " }, field.name()), value);
        if front { line.patch_style(theme.selection) } else { line }
    }));
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The model's name, with where it is if it is not here.
fn model_text(shared: &Shared) -> String {
    let name = SafeText::one_line(&shared.model_name);
    match &shared.model {
        ModelStanding::Here(_) | ModelStanding::Unknown => name.into_string(),
        ModelStanding::Coming(how_far) => format!("{name}: {how_far}"),
        ModelStanding::Missing(_) => format!("{name}: missing"),
    }
}

fn view_runs(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(format!(" {} runs ", state.runs.len()), !state.filling, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if let Some(why) = &state.failure {
        return notice(frame, inner, theme, &format!("The runs cannot be read: {why}"));
    }
    if state.runs.is_empty() {
        return notice(frame, inner, theme, "No run yet.");
    }
    let height = usize::from(inner.height);
    let top = (state.place() + 1).saturating_sub(height);
    let lines: Vec<Line> = state
        .runs
        .iter()
        .enumerate()
        .skip(top)
        .take(height)
        .map(|(at, info)| run_row(state, info, at == state.place(), usize::from(inner.width), theme))
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// `+ finished    20261119-090000-sft 60/60 1.912`; where room is short, without the word and the loss.
fn run_row(state: &State, info: &RunInfo, front: bool, width: usize, theme: &Theme) -> Line<'static> {
    let active = state.active.as_ref().filter(|active| active.run == info.run);
    let standing = if active.is_some() { RunState::Running } else { info.status.state };
    let (mark, style) = standing_style(standing, theme);
    let step = match (active, state.curve.last()) {
        (Some(active), Some(last)) if front => format!("{}/{}", last.step, active.steps),
        _ => format!("{}/{}", info.status.step, info.status.steps),
    };
    let name = SafeText::one_line(info.run.as_str());
    let (left, text) = if width >= ROW_WIDTH {
        let loss = info.loss.map_or_else(String::new, |loss| format!(" {loss:.3}"));
        (format!("{mark} {:<11} ", standing.as_str()), format!("{name} {step}{loss}"))
    } else {
        (format!("{mark} "), format!("{name} {step}"))
    };
    let style_of_text = if front { theme.selection } else { Style::new() };
    let room = width.saturating_sub(left.chars().count());
    Line::from(vec![Span::styled(left, style), Span::styled(pad(&text, room), style_of_text)])
}

fn standing_style(state: RunState, theme: &Theme) -> (&'static str, Style) {
    match state {
        RunState::Queued => ("~", theme.muted),
        RunState::Running => (">", theme.accent),
        RunState::Paused => ("=", theme.warning),
        RunState::Finished => ("+", theme.normal),
        RunState::Cancelled => ("-", theme.muted),
        RunState::Failed => ("x", theme.error),
        RunState::Interrupted => ("!", theme.warning),
    }
}

fn view_run(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let Some(run) = &state.selected else {
        let block = framed(" Loss ", false, theme);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        return notice(frame, inner, theme, &nothing(state, shared));
    };
    let standing = state.standing().map_or("", RunState::as_str);
    let title = format!(" {}: {standing} ", SafeText::one_line(run.as_str()));
    let block = framed(fit(&title, usize::from(area.width.saturating_sub(2))), false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut figures = figures(state, usize::from(inner.width), theme);
    if inner.height >= TALL {
        figures.extend(sample_rows(state, usize::from(inner.width), theme));
    }
    let height = u16::try_from(figures.len()).unwrap_or(u16::MAX).min(inner.height);
    let [top, bottom] = Layout::vertical([Constraint::Min(0), Constraint::Length(height)]).areas(inner);
    frame.render_widget(Paragraph::new(figures), bottom);
    if state.curve.is_empty() {
        return notice(frame, top, theme, waiting(state));
    }
    view_curve(&state.curve, state.steps(), theme, frame, top);
}

fn nothing(state: &State, shared: &Shared) -> String {
    match (&shared.model, state.accepted) {
        _ if state.starting => "Starting ...".into(),
        (ModelStanding::Missing(why), _) => {
            format!("The model {} could not be had: {why}. Press m to try again.", shared.model_name)
        }
        (ModelStanding::Coming(how_far), _) => format!("The model {} is coming: {how_far}", shared.model_name),
        (_, Some(0)) => {
            "No rationale is accepted yet: go to Review (3) and accept what the model may learn from.".into()
        }
        _ => "Press n to fine-tune the model on the accepted rationales.".into(),
    }
}

fn waiting(state: &State) -> &'static str {
    match state.front_active() {
        Some(active) if active.steps == 0 => "Loading the model and the examples ...",
        Some(_) => "The first step is on its way ...",
        None => "No step was done.",
    }
}

/// Step, loss, learning rate, gradient, speed and what is left, as many to a row as fit.
fn figures(state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut figures = Vec::new();
    if let Some(last) = state.curve.last() {
        figures.push(format!("step {}/{}", count(last.step as u64), count(state.steps() as u64)));
        figures.push(format!("epoch {:.2}", last.epoch));
        figures.push(format!("loss {:.4}", last.loss));
        let losses: Vec<f64> = state.curve.iter().map(|record| record.loss).collect();
        figures.push(format!("first 5: {:.4}", mean(&losses[..losses.len().min(5)])));
        figures.push(format!("last 10: {:.4}", mean(&losses[losses.len().saturating_sub(SMOOTH)..])));
        if let Some(dev) = state.curve.iter().rev().find_map(|record| record.dev_loss) {
            figures.push(format!("held out: {dev:.4}"));
        }
        figures.push(format!("lr {:.2e}", last.learning_rate));
        figures.push(format!("gradient {:.3}", last.gradient_norm));
        figures.push(format!("{:.0} tokens/s", last.tokens_per_second));
    }
    if let Some(active) = state.front_active() {
        figures.extend(active.eta_seconds.map(|seconds| format!("{} left", duration(seconds))));
        if active.data.examples > 0 {
            figures.push(format!("{} examples, {} held out", active.data.examples, active.data.held_out));
        }
        if active.data.truncated + active.data.left_out > 0 {
            figures.push(format!("{} cut, {} left out", active.data.truncated, active.data.left_out));
        }
        if active.stopping {
            figures.push("stopping ...".into());
        }
    }
    if let Some(why) = state.front().and_then(|info| info.status.message.as_deref()) {
        figures.push(SafeText::one_line(why).into_string());
    }
    let mut rows: Vec<String> = Vec::new();
    for figure in figures {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 3 + figure.chars().count() <= width => {
                *row = format!("{row} | {figure}")
            }
            _ => rows.push(fit(&figure, width)),
        }
    }
    rows.into_iter().map(|row| Line::styled(row, theme.accent)).collect()
}

/// What the model said when it was last asked, and about what.
fn sample_rows(state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Some(sample) = &state.sample else { return Vec::new() };
    let asked = format!("asked after step {}: {}", sample.step, SafeText::one_line(&sample.input));
    let mut rows = vec![Line::default(), Line::styled(fit(&asked, width), theme.muted)];
    let said = wrap(SafeText::new(&sample.text).as_str(), width);
    rows.extend(said.into_iter().take(SAMPLE_ROWS).map(Line::from));
    rows
}

fn view_curve(curve: &[StepRecord], steps: usize, theme: &Theme, frame: &mut Frame, area: Rect) {
    let points: Vec<(f64, f64)> = curve.iter().map(|record| (record.step as f64, record.loss)).collect();
    let smooth: Vec<(f64, f64)> = (0..points.len())
        .map(|at| {
            let window = &points[at.saturating_sub(SMOOTH - 1)..=at];
            (points[at].0, window.iter().map(|point| point.1).sum::<f64>() / window.len() as f64)
        })
        .collect();
    let losses = points.iter().map(|point| point.1).filter(|loss| loss.is_finite());
    let (low, high) = losses.fold((f64::MAX, f64::MIN), |(low, high), loss| (low.min(loss), high.max(loss)));
    if low > high {
        return;
    }
    let margin = ((high - low) * 0.05).max(0.01);
    let (low, high) = ((low - margin).max(0.0), high + margin);
    let last = steps.max(curve.last().map_or(1, |record| record.step)).max(2);
    let datasets = vec![
        Dataset::default()
            .name("each step")
            .marker(Marker::Dot)
            .graph_type(GraphType::Scatter)
            .style(theme.muted)
            .data(&points),
        Dataset::default()
            .name("mean of 10")
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(theme.accent)
            .data(&smooth),
    ];
    let labels = |from: String, middle: String, to: String| [from, middle, to].map(Line::from).to_vec();
    let chart = Chart::new(datasets)
        .x_axis(Axis::default().title("step").style(theme.muted).bounds([1.0, last as f64]).labels(labels(
            "1".into(),
            last.div_ceil(2).to_string(),
            last.to_string(),
        )))
        .y_axis(Axis::default().title("loss, nats a token").style(theme.muted).bounds([low, high]).labels(labels(
            format!("{low:.2}"),
            format!("{:.2}", (low + high) / 2.0),
            format!("{high:.2}"),
        )));
    frame.render_widget(chart, area);
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
