//! Reading what the model said along the way: one answer at a time, with the log and what each part of its reward gave.

use std::cell::Cell;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::figure::{place, word};
use crate::logs::SafeText;
use crate::training::Sample;
use crate::tui::theme::Theme;
use crate::tui::widgets::{fit, framed, notice, pad, wrap};

/// Columns of the longest bar.
const BAR: usize = 24;

/// Columns of a part's name.
const NAME: usize = 11;

/// Where the reader is.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Which answer, counted from the first of the run.
    pub at: usize,
    /// Rows that are scrolled past.
    pub scrolled: usize,
    /// How many rows can be seen, and how far down they go; known once it is drawn.
    rows: Cell<usize>,
    last: Cell<usize>,
}

impl Reading {
    /// Begins with an answer.
    pub fn at(at: usize) -> Self {
        Self { at, last: Cell::new(usize::MAX), ..Self::default() }
    }

    /// Scrolls by rows.
    pub fn scroll(&mut self, by: isize) {
        self.scrolled = self.scrolled.saturating_add_signed(by).min(self.last.get());
    }

    /// Rows of a page.
    pub fn page(&self) -> isize {
        isize::try_from(self.rows.get().saturating_sub(1).max(1)).unwrap_or(1)
    }
}

/// Draws the answer that is read.
pub(super) fn view(reading: &Reading, samples: &[Sample], theme: &Theme, frame: &mut Frame, area: Rect) {
    let count = samples.len();
    let at = reading.at.min(count.saturating_sub(1));
    let title = match samples.get(at) {
        Some(sample) => format!(" Answer {} of {count}, after step {} ", at + 1, sample.step),
        None => " Answers ".to_owned(),
    };
    let block = framed(fit(&title, usize::from(area.width.saturating_sub(2))), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(sample) = samples.get(at) else {
        return notice(frame, inner, theme, "The model was not asked anything yet in this run.");
    };
    let width = usize::from(inner.width);
    let reward = reward_rows(sample, width, theme);
    let height = u16::try_from(reward.len()).unwrap_or(u16::MAX).min(inner.height / 2);
    let [text, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(height)]).areas(inner);
    let lines = text_rows(sample, width, theme);
    let seen = usize::from(text.height);
    reading.rows.set(seen);
    reading.last.set(lines.len().saturating_sub(seen));
    let top = reading.scrolled.min(reading.last.get());
    frame.render_widget(Paragraph::new(lines.into_iter().skip(top).take(seen).collect::<Vec<_>>()), text);
    frame.render_widget(Paragraph::new(reward), foot);
}

fn text_rows(sample: &Sample, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let part = |name: &'static str, text: &str| {
        let heading = Line::styled(name, theme.title);
        let rows = wrap(SafeText::new(text.trim()).as_str(), width).into_iter().map(Line::from);
        std::iter::once(heading).chain(rows).collect::<Vec<_>>()
    };
    [part("Log", &sample.input), vec![Line::default()], part("Answer", &sample.text)].concat()
}

/// `reward +1.10` and a bar for each part, what is below nought marked with `-`.
fn reward_rows(sample: &Sample, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    if sample.reward.is_empty() {
        return Vec::new();
    }
    let total = sample.reward.get("total").copied().unwrap_or_else(|| sample.reward.values().sum());
    let mut parts: Vec<(&String, f64)> =
        sample.reward.iter().filter(|(name, _)| *name != "total").map(|(name, value)| (name, *value)).collect();
    parts.sort_by_key(|(name, _)| place(name));
    let largest = parts.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let room = BAR.min(width.saturating_sub(NAME + 9));
    let mut rows = vec![Line::styled(fit(&format!("Reward {total:+.3}"), width), theme.title)];
    for (name, value) in parts {
        let length = (value.abs() / largest * room as f64).round() as usize;
        let (mark, style) = if value < 0.0 { ("-", theme.error) } else { ("#", theme.normal) };
        let name = SafeText::one_line(&word(name)).into_string();
        rows.push(Line::from(vec![
            Span::styled(pad(&name, NAME), theme.muted),
            Span::raw(format!("{value:+7.3} ")),
            Span::styled(mark.repeat(length), style),
        ]));
    }
    rows
}
