//! Beside the form: what the next run would train on, and what it would take.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::state::{Forecast, State};
use crate::training::Estimate;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, duration, fit, framed, notice, wrap};

/// Columns of a bar at most.
const BAR: usize = 40;

pub(super) fn view(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(" What it would train on ", false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    match &state.forecast {
        Forecast::None => notice(frame, inner, theme, "Press t to see the examples' lengths and what the run takes."),
        Forecast::Asked => notice(frame, inner, theme, "Loading the model and trying a step ..."),
        Forecast::Failed(why) => notice(frame, inner, theme, why.as_str()),
        Forecast::Known(estimate) => {
            let width = usize::from(inner.width);
            frame
                .render_widget(Paragraph::new(lines(estimate, state.form.recipe.data.max_length, width, theme)), inner);
        }
    }
}

fn lines(estimate: &Estimate, max_length: usize, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let data = &estimate.data;
    let number = |n: usize| count(n as u64);
    let mut lines = vec![
        Line::raw(fit(&format!("{} examples, {} held out", number(data.examples), number(data.held_out)), width)),
        Line::raw(fit(&format!("{} tokens in {} steps", number(estimate.tokens), number(estimate.steps)), width)),
    ];
    if data.truncated + data.left_out > 0 {
        let cut = format!("{} are cut to {max_length} tokens, {} left out", data.truncated, data.left_out);
        lines.push(Line::styled(fit(&cut, width), theme.warning));
    }
    if estimate.tokens_per_second > 0.0 {
        let pace =
            format!("{:.0} tokens/s, {} without evaluations", estimate.tokens_per_second, duration(estimate.seconds));
        lines.push(Line::raw(fit(&pace, width)));
    }
    let mebibytes = |bytes: u64| format!("{} MiB", count(bytes.div_ceil(1 << 20)));
    let free = estimate.available_bytes.map_or_else(String::new, |bytes| format!(" of {}", mebibytes(bytes)));
    lines.push(Line::raw(fit(&format!("memory: {}{free}", mebibytes(estimate.memory_bytes)), width)));
    let trained = format!("{} weights train", count(estimate.trainable_parameters as u64));
    lines.push(Line::raw(fit(&trained, width)));
    if let Some(why) = &estimate.refusal {
        lines.extend(wrap(why, width).into_iter().map(|row| Line::styled(row, theme.error)));
    }
    lines.push(Line::default());
    lines.push(Line::styled("tokens an example", theme.muted));
    let most = estimate.lengths.examples.iter().copied().max().unwrap_or(1).max(1);
    let room = width.saturating_sub(16).min(BAR);
    let mut from = estimate.lengths.from;
    for (&up_to, &examples) in estimate.lengths.up_to.iter().zip(&estimate.lengths.examples) {
        let bar = "#".repeat((examples * room).div_ceil(most));
        let too_long = from > max_length;
        let text = format!("{from:>5}-{up_to:<5} {bar} {examples}");
        let style = if too_long { theme.warning } else { theme.accent };
        lines.push(Line::styled(fit(&text, width), style));
        from = up_to + 1;
    }
    lines
}
