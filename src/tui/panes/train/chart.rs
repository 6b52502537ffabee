//! Curves over the steps of a run.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::figure::Figure;
use crate::training::StepRecord;
use crate::tui::theme::Theme;

/// Steps that a point of a smooth curve is the mean of.
pub(super) const SMOOTH: usize = 10;

fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    (0..points.len())
        .map(|at| {
            let window = &points[at.saturating_sub(SMOOTH - 1)..=at];
            (points[at].0, window.iter().map(|point| point.1).sum::<f64>() / window.len() as f64)
        })
        .collect()
}

/// What a chart shows.
pub(super) struct Shown<'a> {
    /// The run in front.
    pub curve: &'a [StepRecord],
    /// Steps that it will have.
    pub steps: usize,
    /// The run that it is compared with.
    pub other: Option<&'a [StepRecord]>,
}

/// Draws one figure.
pub(super) fn view(shown: &Shown<'_>, figure: &Figure, theme: &Theme, frame: &mut Frame, area: Rect) {
    let raw = figure.points(shown.curve);
    let held_out = figure.held_out(shown.curve);
    let other = shown.other.map(|curve| smooth(&figure.points(curve))).unwrap_or_default();
    let mean = smooth(&raw);
    let values = raw.iter().chain(&held_out).chain(&other).map(|point| point.1);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return;
    }
    let margin = ((high - low) * 0.05).max(high.abs() * 0.01).max(1e-9);
    let low = if low >= 0.0 { (low - margin).max(0.0) } else { low - margin };
    let high = high + margin;
    let last = |curve: &[StepRecord]| curve.last().map_or(1, |record| record.step);
    let last = shown.steps.max(last(shown.curve)).max(shown.other.map_or(1, last)).max(2);
    let scatter = |name: &'static str, marker, style: Style| {
        Dataset::default().name(name).marker(marker).graph_type(GraphType::Scatter).style(style)
    };
    let line = |name: &'static str, style: Style| {
        Dataset::default().name(name).marker(Marker::Braille).graph_type(GraphType::Line).style(style)
    };
    let mut sets = Vec::new();
    let is_noisy = !matches!(figure, Figure::LearningRate);
    if is_noisy {
        sets.push(scatter("each step", Marker::Dot, theme.muted).data(&raw));
    }
    if !other.is_empty() {
        sets.push(line("compared", theme.warning).data(&other));
    }
    sets.push(line(if is_noisy { "mean of 10" } else { "each step" }, theme.accent).data(if is_noisy {
        &mean
    } else {
        &raw
    }));
    if !held_out.is_empty() {
        sets.push(scatter("held out", Marker::Block, theme.normal).data(&held_out));
    }
    let labels = |from: String, middle: String, to: String| [from, middle, to].map(Line::from).to_vec();
    let chart = Chart::new(sets)
        .x_axis(Axis::default().title("step").style(theme.muted).bounds([1.0, last as f64]).labels(labels(
            "1".into(),
            last.div_ceil(2).to_string(),
            last.to_string(),
        )))
        .y_axis(Axis::default().title(figure.title()).style(theme.muted).bounds([low, high]).labels(labels(
            short(low),
            short((low + high) / 2.0),
            short(high),
        )));
    frame.render_widget(chart, area);
}

/// A number in at most seven columns.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.01 => format!("{value:.0e}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
