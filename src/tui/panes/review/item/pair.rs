//! A preference pair: what its sides share in one row, then where they part, side by side or one above the other.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::entry::Entry;
use super::blocks::{beside, fact, rule};
use super::steps::{gutter, marked, without_number};
use super::{Laid, Look, SIDE_BY_SIDE, facts};
use crate::reasoning::{Mark, Pair, PairCheck, Parsed, Step, parse};
use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, likeness, sides};

/// Steps that have less than this in common are not compared word by word: all of both would be marked.
const ALIKE: f32 = 0.3;

pub(super) fn lay_out(pair: &Pair, entry: &Entry, look: Look<'_>, theme: &Theme) -> Laid {
    let width = look.width;
    let marks = entry.marks_of(look.reviewer);
    let truth = entry.queued.findings.truth.as_ref().map_or(pair.label.as_str(), |truth| truth.answer.as_str());
    let check = pair.check_against(truth);
    let (chosen, rejected) = (parse(&pair.chosen), parse(&pair.rejected));
    let mut rows = facts::log("Log", &pair.input, width, theme);
    rows.extend(facts::label(&pair.label, &pair.label, entry, width, theme));
    rows.extend(checks(check, width, theme));

    let shared = if check.prefix { pair.first_wrong_step.saturating_sub(1) } else { 0 };
    if shared > 0 {
        rows.extend(prefix(&chosen.steps[..shared], look, theme));
    }
    let from = rows.len();
    let wide = width >= SIDE_BY_SIDE;
    let left_width = if wide { width.saturating_sub(3) / 2 } else { width };
    let right_width = if wide { width.saturating_sub(3) - left_width } else { width };
    let (left, right) = (Side::new(&chosen, shared), Side::new(&rejected, shared));
    let (mut left_rows, mut right_rows) = (
        vec![rule("+ Chosen", theme.added, theme, left_width)],
        vec![rule("x Rejected", theme.removed, theme, right_width)],
    );
    let made_up = entry.made_up(look.words_marked);
    let claimed = |step: &Step, number| {
        let from = step.range.end - without_number(&step.text, number).len();
        marked(&pair.chosen, from..step.range.end, &made_up, Style::new(), theme)
    };
    // The rows of the step in hand, which is one of the rejected side.
    let mut hand = (0, 3);
    for at in 0..left.steps.len().max(right.steps.len()) {
        let number = shared + at + 1;
        let (was, is) = (right.text(at, number), left.text(at, number));
        let compared = match (was, is) {
            (Some(was), Some(is)) if likeness(was, is) >= ALIKE => Some(sides(was, is, theme)),
            _ => None,
        };
        let (rejected_text, chosen_text) = match compared {
            Some((was, is)) => (Some(was), Some(is)),
            None => (was.map(plain), left.steps.get(at).map(|step| claimed(step, number))),
        };
        if let Some(text) = chosen_text {
            left_rows.extend(gutter(text, number, Mark::Unjudged, false, left_width, theme));
        }
        if let Some(text) = rejected_text {
            if number == pair.first_wrong_step {
                right_rows.push(Line::styled("x first wrong step", theme.error));
            }
            let mark = marks.get(number - 1).copied().unwrap_or_default();
            let in_hand = number == look.step + 1;
            if in_hand {
                hand = (right_rows.len(), right_rows.len() + 2);
            }
            right_rows.extend(gutter(text, number, mark, in_hand, right_width, theme));
        }
        if wide && look.airy {
            // Steps of one number begin in one row.
            let rows = left_rows.len().max(right_rows.len()) + 1;
            left_rows.resize(rows, Line::default());
            right_rows.resize(rows, Line::default());
        }
    }
    left_rows.extend(answer(&chosen, left_width, theme));
    right_rows.extend(answer(&rejected, right_width, theme));
    let aim = if wide {
        rows.extend(beside(left_rows, left_width, right_rows, theme));
        (from + hand.0, from + hand.1)
    } else {
        // Where the sides part, the start of both is to be seen, unless the user goes on from there.
        let parting = look.step + 1 == pair.first_wrong_step;
        let above = left_rows.len();
        rows.extend(left_rows);
        rows.extend(right_rows);
        (if parting { from } else { from + above + hand.0 }, from + above + hand.1)
    };
    rows.extend(facts::claims(&made_up, width, theme));
    rows.extend(facts::findings(entry, width, theme));
    rows.extend(facts::review(entry, look, width, theme));
    rows.extend(facts::repeated(entry, look, width, theme));
    rows.extend(facts::edit(entry, width, theme));
    Laid { aim, rows }
}

fn plain(text: &str) -> Shaded {
    Shaded::plain(text, Style::new())
}

/// The steps of a side after what both share.
struct Side<'a> {
    steps: &'a [Step],
}

impl<'a> Side<'a> {
    fn new(parsed: &'a Parsed, shared: usize) -> Self {
        Self { steps: parsed.steps.get(shared..).unwrap_or_default() }
    }

    fn text(&self, at: usize, number: usize) -> Option<&'a str> {
        self.steps.get(at).map(|step| without_number(&step.text, number))
    }
}

fn answer(parsed: &Parsed, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let answer = parsed.answer.as_deref().unwrap_or("none");
    fact("Answer", answer, facts::label_style(answer, theme), width, theme)
}

/// `+ same start  + only chosen is right  x ...`: what should hold, each with whether it does.
fn checks(check: PairCheck, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let must = [
        (check.prefix, "same start", "starts differ"),
        (check.answers, "only chosen is right", "answers not right and wrong"),
        (check.format, "format kept", "format broken"),
    ];
    let should = [
        (check.reflection, "turns round", "does not turn round"),
        (check.exclusion, "wrong step left out", "wrong step said again"),
    ];
    let mut text = Shaded::default();
    let told = must.map(|told| (told, theme.error)).into_iter().chain(should.map(|told| (told, theme.warning)));
    for (index, ((holds, yes, no), style)) in told.enumerate() {
        let gap = if index == 0 { "" } else { "  " };
        let (mark, word, style) = if holds { ("+", yes, theme.normal) } else { ("x", no, style) };
        text.push(gap, Style::new());
        // What belongs together stays in one row.
        text.push(&format!("{mark} {word}").replace(' ', "\u{a0}"), style);
    }
    text.hanging("Checks  ", theme.muted, width)
}

/// What both sides share: one row, or all of it.
fn prefix(steps: &[Step], look: Look<'_>, theme: &Theme) -> Vec<Line<'static>> {
    let name = match steps.len() {
        1 => "= Shared step 1".to_owned(),
        n => format!("= Shared steps 1-{n}"),
    };
    if !look.prefix_open {
        let last = steps.last().map_or("", |step| without_number(&step.text, steps.len()));
        let lead = format!("{name}: ");
        let room = look.width.saturating_sub(lead.len());
        let end = crate::tui::widgets::fit_end(crate::logs::SafeText::one_line(last).as_str(), room);
        return vec![Line::from(vec![Span::styled(lead, theme.muted), Span::raw(end)])];
    }
    let mut rows = vec![rule(&name, theme.muted, theme, look.width)];
    for (index, step) in steps.iter().enumerate() {
        let text = without_number(&step.text, index + 1);
        rows.extend(gutter(plain(text), index + 1, Mark::Unjudged, false, look.width, theme));
    }
    rows
}
