//! Steps of reasoning, one by one: what the log does not contain of them stands between `x[` and `]`, and beside the number
//! what the reviewer says of it: `+` right, `x` wrong.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::reasoning::{Mark, PlacedClaim, Step};
use crate::tui::theme::Theme;
use crate::tui::widgets::Shaded;

/// How one step is drawn.
pub(super) struct Drawn<'a> {
    /// The text that the step is a part of.
    pub text: &'a str,
    /// Its number, from 1.
    pub number: usize,
    /// What of the text the log does not contain, in the order of the text.
    pub made_up: &'a [PlacedClaim],
    pub style: Style,
    pub mark: Mark,
    /// Whether it is the step in hand.
    pub in_hand: bool,
    pub width: usize,
}

impl Drawn<'_> {
    /// The step's rows: `> 2 text`.
    pub fn rows(&self, step: &Step, theme: &Theme) -> Vec<Line<'static>> {
        let from = step.range.start + number_length(&step.text, self.number);
        let text = marked(self.text, from..step.range.end, self.made_up, self.style, theme);
        gutter(text, self.number, self.mark, self.in_hand, self.width, theme)
    }
}

/// A text behind its number: `> 2x text` is the step in hand, and wrong.
pub(super) fn gutter(
    text: Shaded,
    number: usize,
    mark: Mark,
    in_hand: bool,
    width: usize,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let cursor = if in_hand { ">" } else { " " };
    let (sign, style) = match mark {
        Mark::Right => ("+", theme.normal),
        Mark::Wrong => ("x", theme.error),
        Mark::Unjudged => (" ", theme.accent),
    };
    let mut rows = text.hanging(&format!("{cursor}{number:>2}{sign} "), style, width);
    // The cursor is a stretch of its own, so that moving it changes one cell.
    if let Some(lead) = rows.first_mut().and_then(|row| row.spans.first_mut()) {
        let rest = lead.content[1..].to_owned();
        let cursor_style = if in_hand { theme.selection } else { style };
        *lead = Span::styled(rest, style);
        rows[0].spans.insert(0, Span::styled(cursor, cursor_style));
    }
    rows
}

/// A stretch of a text with its made-up claims marked.
pub(super) fn marked(text: &str, within: Range<usize>, made_up: &[PlacedClaim], style: Style, theme: &Theme) -> Shaded {
    let mut shaded = Shaded::default();
    let mut at = within.start;
    for claim in made_up.iter().filter(|claim| claim.range.start >= within.start && claim.range.end <= within.end) {
        let (Some(before), Some(claimed)) = (text.get(at..claim.range.start), text.get(claim.range.clone())) else {
            continue;
        };
        shaded.push_lines(before, style);
        if claim.kind.is_hard() {
            shaded.push("x[", theme.error);
            shaded.push_lines(claimed, style.patch(theme.error));
            shaded.push("]", theme.error);
        } else {
            shaded.push("~", theme.warning);
            shaded.push_lines(claimed, style.patch(theme.warning));
        }
        at = claim.range.end;
    }
    shaded.push_lines(text.get(at..within.end).unwrap_or_default(), style);
    shaded
}

/// The length of the number that a step is written with, if that is its number.
fn number_length(text: &str, number: usize) -> usize {
    text.len() - without_number(text, number).len()
}

/// A step's text without the number that it is written with, if that is its number.
pub(super) fn without_number(text: &str, number: usize) -> &str {
    let rest = text.strip_prefix(&number.to_string());
    rest.and_then(|rest| rest.strip_prefix(['.', ')', ':'])).map_or(text, str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::{ClaimKind, parse};

    #[test]
    fn a_made_up_claim_stands_in_marks_and_the_written_number_goes() {
        let text = "<think>1. It is rank 7.\n2. No `fault` here.</think><answer>normal</answer>";
        let at = text.find('7').unwrap();
        let made_up = [PlacedClaim { text: "7".into(), kind: ClaimKind::Number, step: 1, range: at..at + 1 }];
        let theme = Theme::coloured();
        let parsed = parse(text);
        let drawn = |number: usize, in_hand| {
            let drawn =
                Drawn { text, number, made_up: &made_up, style: Style::new(), mark: Mark::Wrong, in_hand, width: 40 };
            drawn.rows(&parsed.steps[number - 1], &theme).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1, true), ["> 1x It is rank x[7]."]);
        assert_eq!(drawn(2, false), ["  2x No `fault` here."]);
    }
}
