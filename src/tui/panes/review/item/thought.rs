//! A thought: its challenge and its steps, beside the problem and the analysis that it was distilled from.

use ratatui::style::Style;
use ratatui::text::Line;

use super::super::entry::Entry;
use super::blocks::{beside, plain, rule};
use super::steps::gutter;
use super::{Laid, Look, SIDE_BY_SIDE, around, facts};
use crate::reasoning::{Mark, Thought};
use crate::tui::theme::Theme;
use crate::tui::widgets::Shaded;

pub(super) fn lay_out(thought: &Thought, entry: &Entry, look: Look<'_>, theme: &Theme) -> Laid {
    let wide = look.width >= SIDE_BY_SIDE;
    let source_width = if wide { look.width / 2 } else { look.width };
    let mut source = facts::log("Problem", &thought.problem, source_width, theme);
    source.push(Line::default());
    source.push(rule("Analysis", theme.title, theme, source_width));
    source.extend(plain(&thought.analysis, theme.muted, source_width));

    let width = if wide { look.width - source_width - 3 } else { look.width };
    let mut rows = vec![rule("Challenge", theme.title, theme, width)];
    rows.extend(plain(&thought.challenge, Style::new(), width));
    rows.push(rule("Steps", theme.title, theme, width));
    for (index, step) in thought.steps.iter().enumerate() {
        rows.extend(gutter(Shaded::plain(step, Style::new()), index + 1, Mark::Unjudged, false, width, theme));
        if look.airy {
            rows.push(Line::default());
        }
    }
    rows.extend(facts::findings(entry, width, theme));
    rows.extend(facts::review(entry, look, width, theme));
    rows.extend(facts::repeated(entry, look, width, theme));
    rows.extend(facts::edit(entry, width, theme));
    if let Some(around) = look.around {
        rows.push(Line::default());
        rows.extend(around::nearest(around, width, theme));
    }
    let steps = |width| look.around.map(|around| around::histogram(around, thought.steps.len(), width, theme));
    if wide {
        if let Some(steps) = steps(width) {
            rows.push(Line::default());
            rows.extend(steps);
        }
        return Laid { rows: beside(source, source_width, rows, theme), aim: (0, 0) };
    }
    // The thought itself first: it is what is judged.
    rows.push(Line::default());
    rows.extend(source);
    if let Some(steps) = steps(look.width) {
        rows.push(Line::default());
        rows.extend(steps);
    }
    Laid { rows, aim: (0, 0) }
}
