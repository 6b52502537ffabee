//! How the Train pane looks: recipe and runs on the left, the curves of the run in front on the right.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chart::{self, SMOOTH, Shown};
use super::compare::differences;
use super::form::Field;
use super::preview;
use super::state::State;
use crate::logs::SafeText;
use crate::training::{RunInfo, RunState};
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

/// From this height on, there is room for what the model said, and for small charts under the large one.
const TALL: u16 = 30;

/// Rows of what the model said.
const SAMPLE_ROWS: usize = 8;

/// Small charts under the large one.
const SMALL_CHARTS: usize = 3;

/// Settings that are shown while the form is not filled in.
const SETTINGS: usize = 8;

/// Settings in which two recipes differ that are shown.
const DIFFERENCES: usize = 6;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let left = if area.width >= WIDE { 50 } else { 33 };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(area);
    if state.filling {
        view_form(state, shared, frame, left);
        return preview::view(state, &shared.theme, frame, right);
    }
    let form_height = u16::try_from(SETTINGS + 4).unwrap_or(u16::MAX);
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
    let mut front_line = 0;
    for (at, field) in Field::ALL.into_iter().enumerate() {
        let front = state.filling && at == state.form.at;
        let value = SafeText::one_line(&state.form.text(field)).into_string();
        let line = row(&format!("{} {}", if front { ">" } else { " " }, field.name()), &value);
        if front {
            front_line = lines.len();
        }
        lines.push(if front { line.patch_style(theme.selection) } else { line });
        if state.filling
            && let Some(why) = state.form.complaint(field)
        {
            let why = format!("  x {}", SafeText::one_line(&why));
            lines.extend(wrap(&why, width).into_iter().map(|row| Line::styled(row, theme.error)));
        }
    }
    // The setting in front stays in sight, with what is wrong with it.
    let height = usize::from(inner.height);
    let top = (front_line + 3).min(lines.len()).saturating_sub(height);
    frame.render_widget(Paragraph::new(lines.into_iter().skip(top).take(height).collect::<Vec<_>>()), inner);
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
    let standing = active.map_or(info.status.state, |active| active.waiting.unwrap_or(RunState::Running));
    let (mark, style) = standing_style(standing, theme);
    let step = match (active, state.curve.last()) {
        (Some(active), Some(last)) if front => format!("{}/{}", last.step, active.steps),
        _ => format!("{}/{}", info.status.step, info.status.steps),
    };
    let compared = if state.compared.as_ref().is_some_and(|compared| compared.run == info.run) { " =" } else { "" };
    let name = SafeText::one_line(info.run.as_str());
    let (left, text) = if width >= ROW_WIDTH {
        let loss = info.loss.map_or_else(String::new, |loss| format!(" {loss:.3}"));
        (format!("{mark} {:<11} ", standing.as_str()), format!("{name} {step}{loss}{compared}"))
    } else {
        (format!("{mark} "), format!("{name} {step}{compared}"))
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
    let width = usize::from(inner.width);
    let mut figures = figures(state, width, theme);
    figures.extend(difference_rows(state, width, theme));
    if inner.height >= TALL {
        figures.extend(sample_rows(state, width, theme));
    }
    let height = u16::try_from(figures.len()).unwrap_or(u16::MAX).min(inner.height);
    let [top, bottom] = Layout::vertical([Constraint::Min(0), Constraint::Length(height)]).areas(inner);
    frame.render_widget(Paragraph::new(figures), bottom);
    if state.curve.is_empty() {
        return notice(frame, top, theme, waiting(state));
    }
    view_charts(state, theme, frame, top);
}

/// The figure of choice large, and where there is room the next ones small below.
fn view_charts(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let other = state.beside().map(|compared| &compared.curve[..]);
    let shown = Shown { curve: &state.curve, steps: state.steps(), other };
    let figures = state.figures();
    let Some((large, rest)) = figures.split_first() else { return };
    let mut above = area;
    if area.height >= TALL && area.width >= WIDE && !rest.is_empty() {
        let [top, row] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
        above = top;
        let small = rest.len().min(SMALL_CHARTS);
        let places = Layout::horizontal(vec![Constraint::Fill(1); small]).split(row);
        for (figure, place) in rest.iter().zip(places.iter()) {
            chart::view(&shown, figure, theme, frame, *place);
        }
    }
    chart::view(&shown, large, theme, frame, above);
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
    match (state.standing(), state.front_active()) {
        (Some(RunState::Queued), _) => "Waiting for its turn: another run trains.",
        (_, Some(active)) if active.steps == 0 => "Loading the model and the examples ...",
        (Some(RunState::Running), _) => "The first step is on its way ...",
        _ => "No step was done.",
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
        let named = last.statistics.iter().filter(|(name, _)| !name.starts_with("dev_"));
        figures.extend(named.map(|(name, value)| format!("{} {value:.3}", plain(name))));
        let held_out =
            state.curve.iter().rev().find(|record| record.statistics.keys().any(|name| name.starts_with("dev_")));
        let held_out = held_out.into_iter().flat_map(|record| &record.statistics);
        let held_out = held_out.filter_map(|(name, value)| Some((name.strip_prefix("dev_")?, value)));
        figures.extend(held_out.map(|(name, value)| format!("held out {}: {value:.3}", plain(name))));
    }
    let status = state.front().map(|info| &info.status);
    let alive = state.standing() == Some(RunState::Running);
    let eta = match state.front_active() {
        Some(active) => active.eta_seconds,
        None => status.and_then(|status| status.eta_seconds),
    };
    figures.extend(eta.filter(|_| alive).map(|seconds| format!("{} left", duration(seconds))));
    if let Some(bytes) = status.and_then(|status| status.memory_bytes).filter(|_| alive) {
        figures.push(format!("{} MiB", count(bytes.div_ceil(1 << 20))));
    }
    if let Some(active) = state.front_active() {
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
    if let Some(why) = status.and_then(|status| status.message.as_deref()) {
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

/// A statistic's name for people.
fn plain(name: &str) -> String {
    SafeText::one_line(&name.replace('_', " ")).into_string()
}

/// In which settings the run in front differs from the one that it is compared with.
fn difference_rows(state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Some(compared) = state.beside() else { return Vec::new() };
    let mut rows = vec![Line::styled(
        fit(&format!("compared with {}:", SafeText::one_line(compared.run.as_str())), width),
        theme.warning,
    )];
    let (Some(front), Some(other)) = (&state.recipe, &compared.recipe) else { return rows };
    let all = differences(front, other);
    if all.is_empty() {
        rows.push(Line::styled("the recipes are the same", theme.muted));
    }
    for (name, front, other) in all.iter().take(DIFFERENCES) {
        let text = format!("{name}: {} here, {} there", SafeText::one_line(front), SafeText::one_line(other));
        rows.push(Line::raw(fit(&text, width)));
    }
    if all.len() > DIFFERENCES {
        rows.push(Line::styled(format!("and {} more", all.len() - DIFFERENCES), theme.muted));
    }
    rows
}

/// What the model said when it was last asked, about what, and what each part of its reward gave.
fn sample_rows(state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Some(sample) = state.samples.last() else { return Vec::new() };
    let asked = format!("asked after step {}: {}", sample.step, SafeText::one_line(&sample.input));
    let mut rows = vec![Line::default(), Line::styled(fit(&asked, width), theme.muted)];
    let said = wrap(SafeText::new(&sample.text).as_str(), width);
    rows.extend(said.into_iter().take(SAMPLE_ROWS).map(Line::from));
    if !sample.reward.is_empty() {
        let parts: Vec<String> =
            sample.reward.iter().map(|(part, value)| format!("{} {value:+.3}", plain(part))).collect();
        rows.push(Line::styled(fit(&format!("reward: {}", parts.join(" | ")), width), theme.accent));
    }
    rows
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
