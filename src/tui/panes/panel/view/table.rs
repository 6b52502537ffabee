//! The corrections counted as in RationAnomaly's Table 1, with examples.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::view_text;
use crate::labels::{Label, Table1, Table1Row};
use crate::logs::SafeText;
use crate::tui::panes::panel::state::State;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, fit, label_span, notice, pad, template_spans};

/// Columns of a category.
const CATEGORY: usize = 24;

pub(super) fn view(state: &State, table: &Table1, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = format!(
        " Table 1: {} of {} templates corrected, {} normal -> abnormal, {} abnormal -> normal ",
        count(table.corrections as u64),
        count(table.compared as u64),
        count(table.directions.normal_to_abnormal as u64),
        count(table.directions.abnormal_to_normal as u64)
    );
    let width = usize::from(area.width.saturating_sub(2));
    let lines = if table.corrections == 0 { Vec::new() } else { lines(table, width, theme) };
    view_text(&title, &lines, &state.table_scroll, theme, frame, area);
    if table.corrections == 0 {
        let inner = area.inner(ratatui::layout::Margin::new(1, 1));
        notice(frame, inner, theme, "No gold label differs from the original one yet.");
    }
}

fn lines(table: &Table1, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for row in &table.rows {
        lines.push(row_line(row, width, theme));
        for example in &row.examples {
            let why = example.reason.as_ref().map(|reason| format!("  ({reason})")).unwrap_or_default();
            let text = SafeText::one_line(&format!("{}{why}", example.template));
            let mut spans = vec![Span::raw("     ")];
            spans.extend(template_spans(&fit(text.as_str(), width.saturating_sub(5)), theme.muted, theme));
            lines.push(Line::from(spans));
        }
    }
    lines.push(Line::default());
    let heading = format!(
        "{}{:>11}{:>20}{:>20}",
        pad("dataset", CATEGORY),
        "templates",
        "normal -> abnormal",
        "abnormal -> normal"
    );
    lines.push(Line::styled(fit(&heading, width), theme.title));
    for row in &table.datasets {
        let text = format!(
            "{}{:>11}{:>20}{:>20}",
            pad(SafeText::one_line(&row.dataset).as_str(), CATEGORY),
            count(row.templates as u64),
            count(row.directions.normal_to_abnormal as u64),
            count(row.directions.abnormal_to_normal as u64)
        );
        lines.push(Line::raw(fit(&text, width)));
    }
    lines
}

/// `! abnormal  network issue   12  bgl 4, spirit 8`
fn row_line(row: &Table1Row, width: usize, theme: &Theme) -> Line<'static> {
    let category = match (&row.category, row.to) {
        (Some(category), _) => category.as_str(),
        (None, Label::Abnormal) => "no category named",
        (None, Label::Normal) => "was called abnormal",
    };
    let datasets: Vec<String> = row.datasets.iter().map(|(name, n)| format!("{name} {}", count(*n as u64))).collect();
    let datasets = SafeText::one_line(&datasets.join(", "));
    let label = label_span(row.to, theme);
    let gap = " ".repeat(12usize.saturating_sub(label.width()));
    let category = pad(SafeText::one_line(category).as_str(), CATEGORY);
    let style = if row.corrections == 0 { theme.muted } else { Style::new() };
    let rest = format!("{category}{:>7}  {datasets}", count(row.corrections as u64));
    Line::from(vec![label, Span::raw(gap), Span::styled(fit(&rest, width.saturating_sub(12)), style)])
}
