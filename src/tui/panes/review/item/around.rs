//! What is around a thought: the ones nearest to it, and how many steps thoughts have.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::closeness::Around;
use super::blocks::rule;
use crate::logs::SafeText;
use crate::reasoning::Likeness;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, fit};

/// Rows of the histogram at most.
const BARS: usize = 9;

/// `.97 = thought-001  its challenge`: the nearest thoughts, `=` where one says the same.
pub(super) fn nearest(around: &Around, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let heading = match around.by {
        Likeness::Meaning => "Nearest in meaning",
        Likeness::Words => "Nearest in words",
    };
    let mut rows = vec![rule(heading, theme.title, theme, width)];
    for near in &around.near {
        let mut text = Shaded::default();
        text.push(&format!("{} ", SafeText::one_line(&near.id)), theme.muted);
        text.push(SafeText::one_line(&near.challenge).as_str(), Style::new());
        let (mark, style) = if near.same { ("=", theme.warning) } else { (" ", theme.muted) };
        rows.extend(text.hanging(&format!("{:.2} {mark} ", near.similarity), style, width));
    }
    if around.near.is_empty() {
        rows.push(Line::styled("There is no other thought.", theme.muted));
    }
    rows
}

/// `> 5 ████ 12 as this one`: how many thoughts have how many steps.
pub(super) fn histogram(around: &Around, own: usize, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut rows = vec![rule("Steps in a thought", theme.title, theme, width)];
    let counts: Vec<(usize, usize)> = around.steps.iter().map(|(steps, count)| (*steps, *count)).collect();
    // Where there are too many rows, those around the thought's own.
    let at = counts.iter().position(|(steps, _)| *steps == own).unwrap_or(0);
    let from = at.saturating_sub(BARS / 2).min(counts.len().saturating_sub(BARS));
    let longest = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let room = width.saturating_sub(25).clamp(1, 40);
    for (steps, count) in counts.into_iter().skip(from).take(BARS) {
        let (cursor, style, told) =
            if steps == own { (">", theme.accent, " as this one") } else { (" ", theme.key, "") };
        let bar = "█".repeat((count * room).div_ceil(longest));
        rows.push(Line::from(vec![
            Span::styled(cursor, theme.selection),
            Span::raw(format!("{steps:>2} ")),
            Span::styled(bar, style),
            Span::styled(fit(&format!(" {count}{told}"), 24), theme.muted),
        ]));
    }
    rows
}
