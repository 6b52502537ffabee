//! An item of the queue as rows of text: the log, what is wrong with it, and its steps, one by one.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::blocks::{beside, hanging, plain, rule};
use super::state::Entry;
use crate::logs::SafeText;
use crate::reasoning::{Pair, Parsed, Rationale, Reviewable, Standing, Step, Thought, Trouble, Verdict, parse};
use crate::tui::theme::Theme;
use crate::tui::widgets::template_spans;

/// From this width on, the log and the facts stand beside the steps instead of above them.
const SIDE_BY_SIDE: usize = 100;

/// What a standing looks like: a mark, its word, its style.
pub(super) fn standing(standing: Standing, theme: &Theme) -> (&'static str, &'static str, Style) {
    let (mark, style) = match standing {
        Standing::Pending => (".", theme.muted),
        Standing::Accepted => ("+", theme.normal),
        Standing::Edited => ("~", theme.normal),
        Standing::Rejected => ("x", theme.abnormal),
    };
    (mark, standing.as_str(), style)
}

/// Everything there is to see of an item, in rows of `width` columns.
pub(super) fn rows(entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut rows = match &entry.current {
        Reviewable::Rationale(rationale) => rationale_rows(rationale, entry, width, theme),
        Reviewable::Pair(pair) => pair_rows(pair, entry, width, theme),
        Reviewable::Thought(thought) => thought_rows(thought, width, theme),
    };
    rows.push(Line::default());
    rows.extend(review_rows(entry, width, theme));
    rows
}

fn rationale_rows(rationale: &Rationale, entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let parsed = rationale.parsed();
    let facts_width = if width >= SIDE_BY_SIDE { width * 2 / 5 } else { width };
    let mut facts = log_rows("Log", &rationale.input, facts_width, theme);
    facts.push(Line::default());
    let mut label = rationale.label.clone();
    if let Some(category) = &rationale.category {
        label = format!("{label}, {}", category.as_str());
    }
    facts.extend(fact("Label", &label, label_style(&rationale.label, theme), facts_width, theme));
    facts.extend(answer_rows(&parsed, &entry.troubles, facts_width, theme));
    if let Some(source) = &rationale.source {
        facts.extend(fact("Source", source, Style::new(), facts_width, theme));
    }

    let steps_width = if width >= SIDE_BY_SIDE { width - facts_width - 3 } else { width };
    let mut steps = vec![rule("Steps", theme.title, theme.border, steps_width)];
    steps.extend(step_rows(&parsed.steps, 0, steps_width, theme, |_| Style::new()));
    if width >= SIDE_BY_SIDE {
        beside(facts, facts_width, steps, theme.border)
    } else {
        facts.push(Line::default());
        facts.extend(steps);
        facts
    }
}

fn pair_rows(pair: &Pair, entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (chosen, rejected) = (parse(&pair.chosen), parse(&pair.rejected));
    let mut rows = log_rows("Log", &pair.input, width, theme);
    rows.push(Line::default());
    rows.extend(fact("Label", &pair.label, label_style(&pair.label, theme), width, theme));
    for trouble in &entry.troubles {
        rows.extend(fact("Check", &format!("! {}", trouble.as_str()), theme.error, width, theme));
    }
    rows.push(Line::default());

    let shared = if pair.check().prefix { pair.first_wrong_step.saturating_sub(1) } else { 0 };
    if shared > 0 {
        let heading = if shared == 1 { "= Shared step 1".to_owned() } else { format!("= Shared steps 1-{shared}") };
        rows.push(rule(&heading, theme.muted, theme.border, width));
        rows.extend(step_rows(&chosen.steps[..shared], 0, width, theme, |_| Style::new()));
    }
    let left_width = width.saturating_sub(3) / 2;
    let right_width = width.saturating_sub(3) - left_width;
    let side = |heading: &str, parsed: &Parsed, width: usize, style: Style, marked: usize| {
        let mut side = vec![rule(heading, style, theme.border, width)];
        let rest = parsed.steps.get(shared..).unwrap_or_default();
        for (place, step) in rest.iter().enumerate() {
            let number = shared + place + 1;
            if number == marked {
                side.push(Line::styled("x first wrong step", theme.error));
            }
            let style = if number == marked { theme.removed } else { Style::new() };
            side.extend(step_rows(std::slice::from_ref(step), number - 1, width, theme, |_| style));
        }
        let answer = parsed.answer.as_deref().unwrap_or("none");
        side.extend(fact("Answer", answer, label_style(answer, theme), width, theme));
        side
    };
    let left = side("+ Chosen", &chosen, left_width, theme.added, 0);
    let right = side("x Rejected", &rejected, right_width, theme.removed, pair.first_wrong_step);
    rows.extend(beside(left, left_width, right, theme.border));
    rows
}

fn thought_rows(thought: &Thought, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let side = width >= SIDE_BY_SIDE;
    let left_width = if side { width / 2 } else { width };
    let mut left = log_rows("Problem", &thought.problem, left_width, theme);
    left.push(Line::default());
    left.push(rule("Analysis", theme.title, theme.border, left_width));
    left.extend(plain(&SafeText::new(&thought.analysis), theme.muted, left_width));

    let right_width = if side { width - left_width - 3 } else { width };
    let mut right = vec![rule("Challenge", theme.title, theme.border, right_width)];
    right.extend(plain(&SafeText::new(&thought.challenge), Style::new(), right_width));
    right.push(Line::default());
    right.push(rule("Steps", theme.title, theme.border, right_width));
    for (index, step) in thought.steps.iter().enumerate() {
        right.extend(numbered(index + 1, &SafeText::new(step), Style::new(), right_width, theme));
        right.push(Line::default());
    }
    if side {
        beside(left, left_width, right, theme.border)
    } else {
        // The thought itself first: it is what is judged.
        right.extend(left);
        right
    }
}

fn log_rows(heading: &str, log: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut rows = vec![rule(heading, theme.title, theme.border, width)];
    let spans = |row: &str| template_spans(row, Style::new(), theme);
    rows.extend(hanging(("", Style::new()), &SafeText::new(log), spans, width));
    rows
}

/// `Label    abnormal`: a name and a value, which is made safe here and keeps its line breaks.
fn fact(name: &str, value: &str, style: Style, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let value = SafeText::new(value);
    let spans = |row: &str| vec![Span::styled(row.to_owned(), style)];
    hanging((&format!("{name:<8}"), theme.muted), &value, spans, width)
}

fn label_style(label: &str, theme: &Theme) -> Style {
    match crate::reasoning::answer_label(label) {
        Some(crate::labels::Label::Normal) => theme.normal,
        Some(crate::labels::Label::Abnormal) => theme.abnormal,
        None => Style::new(),
    }
}

/// The answer against the label, and whether the format is kept.
fn answer_rows(parsed: &Parsed, troubles: &[Trouble], width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut rows = match parsed.answer.as_deref() {
        None => fact("Answer", "! none that can be read", theme.error, width, theme),
        Some(answer) if troubles.contains(&Trouble::AnswerMismatch) => {
            fact("Answer", &format!("{answer}  ! is not the label"), theme.error, width, theme)
        }
        // Only a label can be compared; free text stands for itself.
        Some(answer) => {
            let style = label_style(answer, theme);
            let agrees = if crate::reasoning::answer_label(answer).is_some() { "  = the label" } else { "" };
            fact("Answer", &format!("{answer}{agrees}"), style, width, theme)
        }
    };
    if troubles.contains(&Trouble::Malformed) {
        let what = "! malformed: each tag once, reasoning first, nothing else";
        rows.extend(fact("Format", what, theme.error, width, theme));
    }
    rows
}

/// Steps, one block each; `before` says how many steps come before the first of them.
fn step_rows(
    steps: &[Step],
    before: usize,
    width: usize,
    theme: &Theme,
    style: impl Fn(usize) -> Style,
) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let number = before + index + 1;
        let text = SafeText::new(without_number(&step.text, number));
        rows.extend(numbered(number, &text, style(number), width, theme));
        rows.push(Line::default());
    }
    rows
}

fn numbered(number: usize, text: &SafeText, style: Style, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let spans = |row: &str| vec![Span::styled(row.to_owned(), style)];
    hanging((&format!("{number:>2} "), theme.accent), text, spans, width)
}

/// A step's text without the number that it is written with, if that is its number.
fn without_number(text: &str, number: usize) -> &str {
    let rest = text.strip_prefix(&number.to_string());
    rest.and_then(|rest| rest.strip_prefix(['.', ')', ':'])).map_or(text, str::trim_start)
}

/// The newest review: whose, when, why.
fn review_rows(entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (mark, word, style) = standing(entry.standing(), theme);
    let mut rows = Vec::new();
    match &entry.review {
        None => rows.extend(fact("Review", &format!("{mark} {word}"), style, width, theme)),
        Some(review) => {
            let reviewer = SafeText::one_line(&review.reviewer);
            let when = review.at.strftime("%Y-%m-%d %H:%M");
            rows.extend(fact("Review", &format!("{mark} {word} by {reviewer}, {when} UTC"), style, width, theme));
            if let Some(reason) = &review.reason {
                rows.extend(fact("Why", reason, Style::new(), width, theme));
            }
            if matches!(review.verdict, Verdict::Edit(_)) {
                rows.push(Line::default());
                rows.push(rule("What the edit changed", theme.title, theme.border, width));
                rows.extend(difference(&entry.original.text(), &entry.current.text(), width, theme));
            }
        }
    }
    rows
}

/// The lines that an edit took and brought.
fn difference(before: &str, after: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    use similar::ChangeTag;
    let difference = similar::TextDiff::from_lines(before, after);
    let mut rows = Vec::new();
    for change in difference.iter_all_changes() {
        let (mark, style) = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => ("- ", theme.removed),
            ChangeTag::Insert => ("+ ", theme.added),
        };
        let text = SafeText::new(change.value().trim_end_matches('\n'));
        rows.extend(hanging((mark, style), &text, |row| vec![Span::styled(row.to_owned(), style)], width));
    }
    rows
}
