//! How the Train pane looks: recipe and runs on the left; on the right the run in front, or what the form's run would take.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::State;
use super::{front, preview, samples};
use crate::logs::SafeText;
use crate::training::{RunInfo, RunState};
use crate::tui::model::ModelStanding;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, fit, framed, notice, pad, wrap};

/// From this width on, there is room for whole rows of the list of runs.
const WIDE: u16 = 120;

/// Columns of a whole row of the list of runs.
const ROW_WIDTH: usize = 46;

/// Columns of a setting's name.
const NAME_WIDTH: usize = 16;

/// Settings that are shown while the form is not filled in.
const SETTINGS: usize = 8;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let left = if area.width >= WIDE { 50 } else { 33 };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(area);
    if state.filling {
        view_form(state, shared, frame, left);
        return preview::view(state, &shared.theme, frame, right);
    }
    // An answer is prose: on a narrow screen it gets all the room.
    if let Some(reading) = state.reading.as_ref().filter(|_| area.width < WIDE) {
        return samples::view(reading, &state.samples, &shared.theme, frame, area);
    }
    let form_height = u16::try_from(SETTINGS + 4).unwrap_or(u16::MAX);
    let [form, runs] = Layout::vertical([Constraint::Length(form_height), Constraint::Min(0)]).areas(left);
    view_form(state, shared, frame, form);
    view_runs(state, &shared.theme, frame, runs);
    match &state.reading {
        Some(reading) => samples::view(reading, &state.samples, &shared.theme, frame, right),
        None => front::view(state, shared, frame, right),
    }
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
    let recipe = &state.form.recipe;
    let examples = match state.supply {
        Some(supply) => format!("{} accepted", count(supply.stock(recipe).accepted as u64)),
        None => String::new(),
    };
    let mut lines = vec![row("  model", &model_text(shared)), row(&format!("  {}s", recipe.learns_from()), &examples)];
    let mut front_line = 0;
    for (at, setting) in state.form.rows().into_iter().enumerate() {
        let front = state.filling && at == state.form.at;
        let value = SafeText::one_line(&setting.text).into_string();
        let line = row(&format!("{} {}", if front { ">" } else { " " }, setting.field.name), &value);
        if front {
            front_line = lines.len();
        }
        lines.push(if front { line.patch_style(theme.selection) } else { line });
        if state.filling
            && let Some(why) = setting.complaint
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
        let result = match info.result() {
            Some(("loss", loss)) => format!(" {loss:.3}"),
            // By its word: numbers of two kinds stand in one column.
            Some((word, value)) => format!(" {word} {value:.2}"),
            None => String::new(),
        };
        (format!("{mark} {:<11} ", standing.as_str()), format!("{name} {step}{result}{compared}"))
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
        RunState::Damaged => ("?", theme.error),
    }
}
