//! The run in front: its figures as curves and in numbers, what it said last, and what it is compared with.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::chart::{self, SMOOTH, Shown};
use super::compare::differences;
use super::figure::{last_told, place, word};
use super::state::State;
use crate::logs::SafeText;
use crate::training::{ObjectiveName, RunState};
use crate::tui::model::ModelStanding;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, duration, fit, framed, notice, wrap};

/// From this width on, there is room for small charts beside each other.
const WIDE: u16 = 120;

/// From this height on, there is room for what the model said, and for small charts under the large one.
const TALL: u16 = 30;

/// Rows of what the model said.
const SAMPLE_ROWS: usize = 8;

/// Small charts beside each other, and rows that each needs.
const SMALL_CHARTS: usize = 4;
const SMALL_ROWS: u16 = 7;

/// Settings in which two recipes differ that are shown, also where there is little room.
const DIFFERENCES: usize = 6;
const FEW_DIFFERENCES: usize = 3;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
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
    let mut figures = figures(state, width, inner.height < TALL, theme);
    figures.extend(difference_rows(state, width, inner.height < TALL, theme));
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

/// The figure of choice large, and where there is room the next ones small below, in as many rows as there is room for.
fn view_charts(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let other = state.beside().map(|compared| &compared.curve[..]);
    let shown = Shown { curve: &state.curve, steps: state.steps(), other };
    let figures = state.figures();
    let Some((large, rest)) = figures.split_first() else { return };
    let mut above = area;
    if area.height >= TALL && area.width >= WIDE && !rest.is_empty() {
        let [top, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
        above = top;
        let most = usize::from(below.height / SMALL_ROWS).max(1);
        let rows = rest.len().div_ceil(SMALL_CHARTS).min(most);
        let columns = rest.len().div_ceil(rows).min(SMALL_CHARTS);
        let places = Layout::vertical(vec![Constraint::Fill(1); rows]).split(below);
        for (figures, row) in rest.chunks(columns).zip(places.iter()) {
            let places = Layout::horizontal(vec![Constraint::Fill(1); columns]).split(*row);
            for (figure, place) in figures.iter().zip(places.iter()) {
                chart::view(&shown, figure, theme, frame, *place);
            }
        }
    }
    chart::view(&shown, large, theme, frame, above);
}

fn nothing(state: &State, shared: &Shared) -> String {
    match &shared.model {
        _ if state.starting => "Starting ...".into(),
        ModelStanding::Missing(why) => {
            format!("The model {} could not be had: {why}. Press m to try again.", shared.model_name)
        }
        ModelStanding::Coming(how_far) => format!("The model {} is coming: {how_far}", shared.model_name),
        _ if state.supply.is_some_and(|supply| supply.is_empty()) => {
            "Nothing is accepted yet: go to Review (3) and accept what the model may learn from.".into()
        }
        _ => {
            "Press n to fine-tune the model on what is accepted: rationales (sft), pairs (dpo), its own answers (grpo)."
                .into()
        }
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
fn figures(state: &State, width: usize, short: bool, theme: &Theme) -> Vec<Line<'static>> {
    let mut figures = Vec::new();
    if let Some(last) = state.curve.last() {
        figures.push(format!("step {}/{}", count(last.step as u64), count(state.steps() as u64)));
        figures.push(format!("epoch {:.2}", last.epoch));
        figures.push(format!("loss {:.4}", last.loss));
        let losses: Vec<f64> = state.curve.iter().map(|record| record.loss).collect();
        figures.push(format!("first 5: {:.4}", mean(&losses[..losses.len().min(5)])));
        figures.push(format!("last 10: {:.4}", mean(&losses[losses.len().saturating_sub(SMOOTH)..])));
        // What GRPO brings down there is the reward's opposite, which is told by its own name.
        let told = state.objective() != ObjectiveName::Grpo;
        if let Some(dev) = state.curve.iter().rev().find_map(|record| record.dev_loss).filter(|_| told) {
            figures.push(format!("held out: {dev:.4}"));
        }
        figures.push(format!("lr {:.2e}", last.learning_rate));
        figures.push(format!("gradient {:.3}", last.gradient_norm));
        figures.push(format!("{:.0} tokens/s", last.tokens_per_second));
        figures.extend(last_told(&state.curve, short).iter().map(|told| SafeText::one_line(told).into_string()));
    }
    let status = state.front().map(|info| &info.status);
    let alive = state.standing() == Some(RunState::Running);
    let eta = match state.front_active() {
        Some(active) => active.eta_seconds,
        None => status.and_then(|status| status.eta_seconds),
    };
    figures.extend(eta.filter(|_| alive).map(|seconds| format!("{} left", duration(seconds))));
    let process = status.and_then(|status| status.memory_bytes).map(|bytes| bytes.div_ceil(1 << 20));
    let device = state.curve.last().and_then(|last| last.device_memory_mib.zip(last.device_total_mib));
    figures.extend(memory_text(process, device).filter(|_| alive));
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

/// What the process has in memory, in MiB, and beside it what is used of a GPU's; on the CPU there is no other.
fn memory_text(process: Option<u64>, device: Option<(u64, u64)>) -> Option<String> {
    let process = process.map(|mib| format!("memory {} MiB", count(mib)));
    let device = device.map(|(used, total)| format!("device {} of {} MiB", count(used), count(total)));
    let both: Vec<String> = process.into_iter().chain(device).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

/// In which settings the run in front differs from the one that it is compared with.
fn difference_rows(state: &State, width: usize, short: bool, theme: &Theme) -> Vec<Line<'static>> {
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
    let most = if short { FEW_DIFFERENCES } else { DIFFERENCES };
    for (name, front, other) in all.iter().take(most) {
        let text = format!("{name}: {} here, {} there", SafeText::one_line(front), SafeText::one_line(other));
        rows.push(Line::raw(fit(&text, width)));
    }
    if all.len() > most {
        rows.push(Line::styled(format!("and {} more: i reads all", all.len() - most), theme.muted));
    }
    rows
}

/// What the model said when it was last asked, about what, and what each part of its reward gave.
fn sample_rows(state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Some(sample) = state.newest_sample().and_then(|at| state.samples.get(at)) else { return Vec::new() };
    let asked = format!("asked after step {}: {}", sample.step, SafeText::one_line(&sample.input));
    let mut rows = vec![Line::default(), Line::styled(fit(&asked, width), theme.muted)];
    let said = wrap(SafeText::new(&sample.text).as_str(), width);
    rows.extend(said.into_iter().take(SAMPLE_ROWS).map(Line::from));
    if !sample.reward.is_empty() {
        let mut parts: Vec<(&String, &f64)> = sample.reward.iter().collect();
        // The total has no place among the parts: it is last.
        parts.sort_by_key(|(part, _)| place(part));
        let text = |(part, value): (&String, &f64)| format!("{} {value:+.3}", SafeText::one_line(&word(part)));
        let parts: Vec<String> = parts.into_iter().map(text).collect();
        rows.push(Line::styled(fit(&format!("reward: {}", parts.join(" | ")), width), theme.accent));
    }
    rows
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
