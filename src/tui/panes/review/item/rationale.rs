//! A rationale: its log and label, and its steps one by one.

use ratatui::style::Style;
use ratatui::text::Line;

use super::super::entry::Entry;
use super::blocks::{beside, fact, rule};
use super::steps::Drawn;
use super::{Laid, Look, SIDE_BY_SIDE, facts};
use crate::reasoning::Rationale;
use crate::tui::theme::Theme;

pub(super) fn lay_out(rationale: &Rationale, entry: &Entry, look: Look<'_>, theme: &Theme) -> Laid {
    let wide = look.width >= SIDE_BY_SIDE;
    let left_width = if wide { look.width * 2 / 5 } else { look.width };
    let parsed = rationale.parsed();
    let made_up = entry.made_up(look.words_marked);
    let marks = entry.marks_of(look.reviewer);

    let mut before = facts::log("Log", &rationale.input, left_width, theme);
    if look.airy {
        before.push(Line::default());
    }
    let label = match &rationale.category {
        Some(category) => format!("{}, {}", rationale.label, category.as_str()),
        None => rationale.label.clone(),
    };
    before.extend(facts::label(&label, &rationale.label, entry, left_width, theme));
    before.extend(facts::answer(&parsed, rationale.task, entry, left_width, theme));
    let mut after = facts::claims(&made_up, left_width, theme);
    after.extend(facts::findings(entry, left_width, theme));
    if let Some(source) = &rationale.source {
        after.extend(fact("Source", source, Style::new(), left_width, theme));
    }
    after.extend(facts::review(entry, look, left_width, theme));

    let steps_width = if wide { look.width - left_width - 3 } else { look.width };
    let mut steps = vec![rule("Steps", theme.title, theme, steps_width)];
    let mut aim = (0, 0);
    for (index, step) in parsed.steps.iter().enumerate() {
        let in_hand = index == look.step;
        let drawn = Drawn {
            text: &rationale.reasoning,
            number: index + 1,
            made_up: &made_up,
            style: Style::new(),
            mark: marks.get(index).copied().unwrap_or_default(),
            in_hand,
            width: steps_width,
        };
        let from = steps.len();
        steps.extend(drawn.rows(step, theme));
        if in_hand {
            aim = (from, steps.len());
        }
        if look.airy {
            steps.push(Line::default());
        }
    }
    if wide {
        before.extend(after);
        before.extend(facts::repeated(entry, look, left_width, theme));
        steps.extend(facts::edit(entry, steps_width, theme));
        return Laid { rows: beside(before, left_width, steps, theme), aim };
    }
    let shift = before.len();
    before.extend(steps);
    before.extend(after);
    before.extend(facts::repeated(entry, look, look.width, theme));
    before.extend(facts::edit(entry, look.width, theme));
    Laid { rows: before, aim: (shift + aim.0, shift + aim.1) }
}
