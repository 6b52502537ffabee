//! Draws the map of thoughts: the points, how many steps thoughts have, the thought in hand and what is nearest to it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::scatter::{Cell, cells, shares};
use super::state::{Made, Projection, State};
use super::update::NEIGHBOURS;
use crate::logs::SafeText;
use crate::reasoning::neighbours::Neighbour;
use crate::reasoning::{Task, Thought};
use crate::teacher::step_counts;
use crate::tui::theme::Theme;
use crate::tui::widgets::{fit, framed, notice, pad, wrap};

/// The letter and the style of a task's points.
fn look(task: Task, theme: &Theme) -> (char, Style) {
    match task {
        Task::Anomaly => ('a', theme.abnormal),
        Task::Parsing => ('p', theme.key),
        Task::Interpretation => ('i', theme.muted),
        Task::RootCause => ('r', theme.warning),
        Task::Solution => ('s', theme.normal),
        Task::SemanticMatching => ('m', theme.accent),
        Task::FailurePrediction => ('f', theme.doubtful),
    }
}

/// Draws the map over the whole pane.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let Some(made) = &state.made else {
        let why = match (&state.failure, &state.work) {
            (Some(why), _) => format!("There is no map: {}.", SafeText::one_line(why)),
            (None, Some(_)) => "Reading the thoughts ...".to_owned(),
            (None, None) => "There is no map.".to_owned(),
        };
        return notice(frame, area, theme, &why);
    };
    let wide = area.width >= 120;
    let share = if wide { 60 } else { 52 };
    let [left, right] = Layout::horizontal([Constraint::Percentage(share), Constraint::Min(0)]).areas(area);
    let counts = step_counts(made.thoughts.iter());
    let most = if area.height >= 40 { 12 } else { 4 };
    let bars = u16::try_from(counts.len().min(most)).unwrap_or(u16::MAX);
    let [map, histogram] = Layout::vertical([Constraint::Min(0), Constraint::Length(bars + 2)]).areas(left);
    let near = state.place().map(|place| made.overview.nearest(place, NEIGHBOURS)).unwrap_or_default();
    draw_map(state, made, &near, theme, frame, map);
    draw_histogram(&counts, most, theme, frame, histogram);
    draw_thought(state, made, &near, theme, frame, right);
}

fn draw_map(state: &State, made: &Made, near: &[Neighbour], theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = match state.projection {
        Projection::Components => {
            let [x, y] = made.overview.components().explained;
            format!(" {} thoughts by PCA, {:.0} + {:.0} % ", made.thoughts.len(), x * 100.0, y * 100.0)
        }
        Projection::Tsne => format!(" {} thoughts by t-SNE ", made.thoughts.len()),
    };
    let width = usize::from(area.width.saturating_sub(2));
    let mut block = framed(fit(&title, width), true, theme);
    let doing = state.work.as_ref().map(|work| work.what);
    if let Some(text) =
        doing.map(|what| format!(" {what} ... ")).or(state.failure.as_ref().map(|why| format!(" ! {why} ")))
    {
        block = block
            .title_bottom(Line::styled(fit(SafeText::one_line(&text).as_str(), width), theme.warning).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [points, legend] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(inner);
    let (columns, rows) = (usize::from(points.width), usize::from(points.height));
    let place = state.place();
    let grid = cells(&shares(state.points()), columns, rows);
    let lines: Vec<Line> = grid
        .chunks(columns.max(1))
        .take(rows)
        .map(|row| Line::from(row.iter().map(|cell| cell_span(cell, made, place, near, theme)).collect::<Vec<_>>()))
        .collect();
    frame.render_widget(Paragraph::new(lines), points);
    frame.render_widget(Paragraph::new(legend_line(made, columns, theme)), legend);
}

/// A letter where one thought lies, the dots of several; the thought in hand reversed, its neighbours underlined.
fn cell_span(cell: &Cell, made: &Made, place: Option<usize>, near: &[Neighbour], theme: &Theme) -> Span<'static> {
    let Some(first) = cell.points.first() else { return Span::raw(" ") };
    let selected = place.filter(|place| cell.points.contains(place));
    let close = near.iter().any(|near| cell.points.contains(&near.place));
    let (letter, style) = look(made.thoughts[selected.unwrap_or(*first)].task, theme);
    let symbol = if cell.points.len() == 1 || selected.is_some() { letter } else { cell.braille() };
    let style = if selected.is_some() {
        style.patch(theme.selection).add_modifier(Modifier::BOLD)
    } else if close {
        style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD)
    } else {
        style
    };
    Span::styled(symbol.to_string(), style)
}

/// `a anomaly 24  r root 12  dots: several`, without the names where there is no room for them.
fn legend_line(made: &Made, width: usize, theme: &Theme) -> Line<'static> {
    let mut counts: Vec<(Task, usize)> = Vec::new();
    for thought in made.thoughts.iter() {
        match counts.iter_mut().find(|(task, _)| *task == thought.task) {
            Some((_, count)) => *count += 1,
            None => counts.push((thought.task, 1)),
        }
    }
    counts.sort_unstable();
    let line = |named: bool| {
        let mut spans = Vec::new();
        for (task, count) in &counts {
            let (letter, style) = look(*task, theme);
            spans.push(Span::styled(letter.to_string(), style));
            let name =
                task.as_str().split('_').next().filter(|_| named).map(|name| format!(" {name}")).unwrap_or_default();
            spans.push(Span::styled(format!("{name} {count}  "), theme.muted));
        }
        spans.push(Span::styled("dots: several", theme.muted));
        Line::from(spans)
    };
    let named = line(true);
    if named.width() <= width { named } else { line(false) }
}

fn draw_histogram(
    counts: &std::collections::BTreeMap<usize, usize>,
    most: usize,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let block = framed(" steps in a thought ", false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let longest = counts.values().copied().max().unwrap_or(1).max(1);
    let room = usize::from(inner.width).saturating_sub(10);
    let lines = counts.iter().take(most).map(|(steps, count)| {
        let bar = (count * room).div_ceil(longest);
        Line::from(vec![
            Span::raw(format!("{steps:>3} ")),
            Span::styled("█".repeat(bar), theme.key),
            Span::styled(format!(" {count}"), theme.muted),
        ])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), inner);
}

fn draw_thought(state: &State, made: &Made, near: &[Neighbour], theme: &Theme, frame: &mut Frame, area: Rect) {
    let Some(place) = state.place() else {
        return notice(frame, area, theme, "Press an arrow to take a thought in hand.");
    };
    let thought = &made.thoughts[place];
    let block = framed(format!(" {}: {} ", SafeText::one_line(&thought.id), thought.task), false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let per_neighbour = if area.height >= 40 { 2 } else { 1 };
    let wanted = u16::try_from(near.len() * per_neighbour + 1).unwrap_or(u16::MAX);
    let [text, below] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(wanted.min(inner.height / 2))]).areas(inner);
    let width = usize::from(inner.width);
    let rows = thought_rows(thought, made, place, width, theme);
    let lowest = rows.len().saturating_sub(usize::from(text.height));
    let top = state.top.get().min(lowest);
    state.top.set(top);
    frame.render_widget(Paragraph::new(rows.into_iter().skip(top).collect::<Vec<_>>()), text);

    let mut rows = vec![Line::styled("Nearest in meaning", theme.title)];
    for (number, near) in (1..).zip(near) {
        let other = &made.thoughts[near.place];
        let (letter, style) = look(other.task, theme);
        let same = made
            .overview
            .same()
            .iter()
            .any(|pair| (pair.first, pair.second) == (place.min(near.place), place.max(near.place)));
        let head = vec![
            Span::styled(format!("{number} "), theme.key),
            Span::raw(format!("{:.2} ", near.similarity)),
            Span::styled(format!("{letter} "), style),
            Span::styled(if same { "= " } else { "  " }, theme.warning),
        ];
        let id = SafeText::one_line(&other.id);
        let challenge = SafeText::one_line(&other.challenge);
        if per_neighbour == 2 {
            let mut head = head;
            head.push(Span::raw(fit(id.as_str(), width.saturating_sub(11))));
            head.push(Span::styled(if same { "  says the same" } else { "" }, theme.warning));
            rows.push(Line::from(head));
            rows.push(Line::styled(format!("  {}", fit(challenge.as_str(), width.saturating_sub(2))), theme.muted));
        } else {
            let mut head = head;
            head.push(Span::raw(pad(id.as_str(), width.saturating_sub(11).min(12))));
            head.push(Span::styled(format!(" {}", fit(challenge.as_str(), width.saturating_sub(24))), theme.muted));
            rows.push(Line::from(head));
        }
    }
    frame.render_widget(Paragraph::new(rows), below);
}

fn thought_rows(thought: &Thought, made: &Made, place: usize, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let order = match made.overview.order_of(place) {
        Some(order) => format!("chosen {order} of {}", made.thoughts.len()),
        None => "says nothing that others do not".to_owned(),
    };
    let mut rows = vec![Line::styled(order, theme.muted), Line::styled("Challenge", theme.title)];
    let safe = |text: &str| SafeText::one_line(text).into_string();
    rows.extend(wrap(&safe(&thought.challenge), width).into_iter().map(Line::from));
    rows.push(Line::styled("Steps", theme.title));
    for (number, step) in (1..).zip(&thought.steps) {
        for (index, row) in wrap(&safe(step), width.saturating_sub(3)).into_iter().enumerate() {
            let lead = if index == 0 { format!("{number:>2} ") } else { "   ".to_owned() };
            rows.push(Line::from(vec![Span::styled(lead, theme.accent), Span::raw(row)]));
        }
    }
    rows
}
