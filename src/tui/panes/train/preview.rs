//! Beside the form: what the next run would learn from, what the setting in front is for, and what the run would take.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::state::{Forecast, State};
use crate::logs::SafeText;
use crate::training::{Estimate, ObjectiveName, Recipe, Stock};
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, duration, fit, framed, notice, wrap};

/// Columns of a bar at most.
const BAR: usize = 40;

pub(super) fn view(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(" What it would learn from ", false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let head = head(state, width, theme);
    let height = u16::try_from(head.len()).unwrap_or(u16::MAX).min(inner.height);
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(inner);
    frame.render_widget(Paragraph::new(head), above);
    match &state.forecast {
        Forecast::None => notice(frame, below, theme, "Press t to see the examples' lengths and what the run takes."),
        Forecast::Asked(_) => notice(frame, below, theme, "Loading the model and trying a step ..."),
        Forecast::Failed(why) => notice(frame, below, theme, why.as_str()),
        Forecast::Known(estimate) => {
            frame.render_widget(Paragraph::new(lines(estimate, &state.form.recipe, width, theme)), below);
        }
    }
}

/// What it learns from, or why it cannot, and what the setting in front is for.
fn head(state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let recipe = &state.form.recipe;
    let mut lines = Vec::new();
    if let Some(why) = state.lack() {
        lines.extend(wrap(&capital(&why), width).into_iter().map(|row| Line::styled(row, theme.error)));
    } else if let Some(supply) = state.supply {
        let Stock { accepted, pending } = supply.stock(recipe);
        let waiting =
            if pending > 0 { format!("; {} more wait for review", count(pending as u64)) } else { String::new() };
        let text = format!("{} {}{waiting}.", count(accepted as u64), material(recipe));
        lines.extend(wrap(&text, width).into_iter().map(Line::from));
    }
    if let Some(start) = &recipe.start {
        let text = format!("It goes on from the adapter of {}.", SafeText::one_line(start));
        lines.extend(wrap(&text, width).into_iter().map(Line::from));
    }
    lines.push(Line::default());
    let field = state.form.field();
    let help = format!("{}: {}", field.name, field.help);
    lines.extend(wrap(&help, width).into_iter().map(|row| Line::styled(row, theme.muted)));
    lines.push(Line::default());
    lines
}

/// What a recipe learns from, in words that follow a number.
fn material(recipe: &Recipe) -> &'static str {
    match (recipe.objective, recipe.learns_from()) {
        (ObjectiveName::Sft, "thought") => "accepted thoughts: the core challenge and the steps of each are learnt",
        (ObjectiveName::Sft, _) => "accepted rationales: reasoning and verdict of each are learnt",
        (ObjectiveName::Dpo, _) => "accepted pairs: the chosen side of each is preferred to the rejected one",
        (ObjectiveName::Grpo, "template") => {
            "templates with gold ask: the model answers each several times and learns from the rewards"
        }
        (ObjectiveName::Grpo, "rationale or template") => {
            "rationales and templates ask: the model answers each several times and learns from the rewards"
        }
        (ObjectiveName::Grpo, _) => {
            "accepted rationales ask: the model answers each several times and learns from the rewards"
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn lines(estimate: &Estimate, recipe: &Recipe, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let data = &estimate.data;
    let max_length = recipe.data.max_length;
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
    let whose = if estimate.on_device { "memory of the device" } else { "memory" };
    lines.push(Line::raw(fit(&format!("{whose}: {}{free}", mebibytes(estimate.memory_bytes)), width)));
    let trained = format!("{} weights train", count(estimate.trainable_parameters as u64));
    lines.push(Line::raw(fit(&trained, width)));
    if let Some(why) = &estimate.refusal {
        lines.extend(wrap(why, width).into_iter().map(|row| Line::styled(row, theme.error)));
    }
    lines.push(Line::default());
    let of_what = match recipe.objective {
        ObjectiveName::Sft => "tokens an example",
        ObjectiveName::Dpo => "tokens a pair, both sides",
        ObjectiveName::Grpo => "tokens a question",
    };
    lines.push(Line::styled(of_what, theme.muted));
    let most = estimate.lengths.examples.iter().copied().max().unwrap_or(1).max(1);
    let room = width.saturating_sub(16).min(BAR);
    let mut from = estimate.lengths.from;
    for (&up_to, &examples) in estimate.lengths.up_to.iter().zip(&estimate.lengths.examples) {
        let bar = "#".repeat((examples * room).div_ceil(most));
        let longest = if recipe.objective == ObjectiveName::Dpo { 2 * max_length } else { max_length };
        let too_long = from > longest;
        let text = format!("{from:>5}-{up_to:<5} {bar} {examples}");
        let style = if too_long { theme.warning } else { theme.accent };
        lines.push(Line::styled(fit(&text, width), style));
        from = up_to + 1;
    }
    lines
}
