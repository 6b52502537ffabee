//! Traces of one log side by side: in a table, and as texts: what one says and the first does not stands between `{+` and
//! `+}`, what only the first says between `[-` and `-]`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use similar::{ChangeTag, TextDiff};

use super::state::{Comparison, State, Told};
use super::trace_view::answer_span;
use crate::evaluation::first_difference;
use crate::logs::SafeText;
use crate::tui::theme::Theme;
use crate::tui::widgets::{fit, framed, pad, wrap};

/// Columns that a text needs at least to be read.
const NARROWEST: u16 = 38;

/// Columns of a name in the table.
const NAME: usize = 22;

/// Draws the traces of a comparison.
pub(super) fn view_comparison(state: &State, comparison: &Comparison, theme: &Theme, frame: &mut Frame, area: Rect) {
    let told: Vec<&Told> = comparison.sides.iter().filter_map(|ticket| state.told_as(*ticket)).collect();
    let Some((first, others)) = told.split_first().filter(|(_, others)| !others.is_empty()) else { return };
    let front = comparison.front.clamp(1, others.len());
    let height = u16::try_from(told.len() + 1).unwrap_or(u16::MAX);
    let [table, texts] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    view_table(first, others, front, theme, frame, table);

    // The first stands always; beside it, as many others as there is room for, the one in front among them.
    let beside = usize::from((texts.width / NARROWEST).saturating_sub(1).max(1)).min(others.len());
    let from = front.saturating_sub(beside).min(others.len() - beside);
    let shown = &others[from..from + beside];
    let places = Layout::horizontal(vec![Constraint::Fill(1); beside + 1]).split(texts);
    let first_text = SafeText::new(&first.trace.text);
    let in_front = SafeText::new(&others[front - 1].trace.text);
    // What the first alone says, it says against the one in front.
    let (was, _) = marked(first_text.as_str(), in_front.as_str());
    view_text(&was, &side_name(first, &told), Marks::REMOVED, comparison.top, false, theme, frame, places[0]);
    for (index, told_here) in shown.iter().enumerate() {
        let text = SafeText::new(&told_here.trace.text);
        let (_, is) = marked(first_text.as_str(), text.as_str());
        let focused = from + index + 1 == front && others.len() > 1;
        let name = side_name(told_here, &told);
        view_text(&is, &name, Marks::ADDED, comparison.top, focused, theme, frame, places[index + 1]);
    }
}

/// What a side is called: a branch and what it came from by that, others by who wrote them.
fn side_name(told: &Told, all: &[&Told]) -> String {
    if told.parent.is_some_and(|parent| all.iter().any(|other| other.ticket == parent)) {
        return "Branch".to_owned();
    }
    if all.iter().any(|other| other.parent == Some(told.ticket)) {
        return "Before".to_owned();
    }
    SafeText::one_line(told.trace.adapter.as_deref().unwrap_or("base model")).into_string()
}

/// `who  verdict  margin  steps  tokens/s  first difference`, a row for each.
fn view_table(first: &Told, others: &[&Told], front: usize, theme: &Theme, frame: &mut Frame, area: Rect) {
    let all: Vec<&Told> = std::iter::once(first).chain(others.iter().copied()).collect();
    let head =
        format!("  {}{:<12}{:>8}{:>7}{:>6}  first difference", pad("", NAME), "verdict", "margin", "steps", "tok/s");
    let mut lines = vec![Line::styled(fit(&head, usize::from(area.width)), theme.muted)];
    for (index, told) in all.iter().enumerate() {
        let trace = &told.trace;
        let selected = index == front && others.len() > 1;
        let answer = answer_span(trace, theme);
        let gap = " ".repeat(12_usize.saturating_sub(answer.width()));
        let margin = match trace.margin {
            Some(margin) => format!("{margin:+.1}"),
            None if told.weighing => "...".to_owned(),
            None => "-".to_owned(),
        };
        let difference = match first_difference(&first.trace, trace) {
            _ if index == 0 => String::new(),
            None => "none".to_owned(),
            Some(at) => format!("step {}: {} | {}", at.step, quoted(&at.was), quoted(&at.is)),
        };
        let mut spans = vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(pad(&side_name(told, &all), NAME - 1) + " ", theme.title),
            answer,
            Span::raw(format!("{gap}{margin:>8}{:>7}{:>6.0}  ", trace.reasoning_steps(), trace.tokens_per_second)),
        ];
        let used: usize = spans.iter().map(Span::width).sum();
        spans.push(Span::styled(fit(&difference, usize::from(area.width).saturating_sub(used)), theme.muted));
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn quoted(words: &str) -> String {
    if words.is_empty() { "the end".to_owned() } else { format!("\"{}\"", SafeText::one_line(words)) }
}

/// What stands around words that only one side has.
#[derive(Clone, Copy)]
struct Marks {
    begin: &'static str,
    end: &'static str,
}

impl Marks {
    const REMOVED: Self = Self { begin: "[-", end: "-]" };
    const ADDED: Self = Self { begin: "{+", end: "+}" };

    fn style(self, theme: &Theme) -> Style {
        if self.begin == Self::REMOVED.begin { theme.removed } else { theme.added }
    }
}

/// A text with its marked words, from row `top` on.
#[allow(clippy::too_many_arguments)]
fn view_text(
    text: &str,
    name: &str,
    marks: Marks,
    top: usize,
    focused: bool,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let width = usize::from(area.width.saturating_sub(2));
    let rows = wrap(text, width);
    let last = rows.len().saturating_sub(usize::from(area.height.saturating_sub(2)));
    let mut inside = false;
    let lines: Vec<Line> = rows.iter().map(|row| styled(row, marks, &mut inside, marks.style(theme))).collect();
    let lines: Vec<Line> = lines.into_iter().skip(top.min(last)).collect();
    let block = framed(fit(&format!(" {name} "), width), focused, theme);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// Both texts with their own words marked.
fn marked(was: &str, is: &str) -> (String, String) {
    // Words with the space behind them, so that a stretch of changed words is one change.
    let (old, new): (Vec<&str>, Vec<&str>) = (words(was), words(is));
    let diff = TextDiff::from_slices(&old, &new);
    let (mut left, mut right) = (Marked::default(), Marked::default());
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {
                left.push(change.value(), None);
                right.push(change.value(), None);
            }
            ChangeTag::Delete => left.push(change.value(), Some(Marks::REMOVED)),
            ChangeTag::Insert => right.push(change.value(), Some(Marks::ADDED)),
        }
    }
    (left.finish(), right.finish())
}

fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

/// A text that is put together of plain and marked stretches.
#[derive(Default)]
struct Marked {
    text: String,
    open: Option<Marks>,
}

impl Marked {
    fn push(&mut self, piece: &str, marks: Option<Marks>) {
        match (self.open, marks) {
            (None, Some(marks)) => {
                self.text.push_str(marks.begin);
                self.open = Some(marks);
            }
            (Some(marks), None) => {
                self.close(marks);
            }
            _ => {}
        }
        self.text.push_str(piece);
    }

    /// Ends a marked stretch before the space at its end.
    fn close(&mut self, marks: Marks) {
        let length = self.text.trim_end().len();
        self.text.insert_str(length, marks.end);
        self.open = None;
    }

    fn finish(mut self) -> String {
        if let Some(marks) = self.open {
            self.close(marks);
        }
        self.text
    }
}

/// A row with its marked stretches in a style; `inside` says whether the row begins in one, and then whether it ends so.
fn styled(row: &str, marks: Marks, inside: &mut bool, style: Style) -> Line<'static> {
    let mut spans = Vec::new();
    let mut rest = row;
    while !rest.is_empty() {
        let (at, of) = if *inside {
            (rest.find(marks.end).map(|at| at + marks.end.len()), style)
        } else {
            (rest.find(marks.begin), Style::new())
        };
        let (piece, left) = rest.split_at(at.unwrap_or(rest.len()));
        spans.push(Span::styled(piece.to_owned(), of));
        *inside ^= at.is_some();
        rest = left;
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own_words_marked() {
        let (was, is) = marked("1. a link. 2. it is fine. end", "1. a link. 2. it failed for good. end");
        assert_eq!(was, "1. a link. 2. it [-is fine.-] end");
        assert_eq!(is, "1. a link. 2. it {+failed for good.+} end");
        assert_eq!(marked("same", "same"), ("same".to_owned(), "same".to_owned()));
        assert_eq!(marked("", "new").1, "{+new+}");
    }

    #[test]
    fn a_mark_goes_on_over_rows() {
        let mut inside = false;
        let pieces = |row: &str, inside: &mut bool| -> Vec<String> {
            let line = styled(row, Marks::REMOVED, inside, Style::new());
            line.spans.iter().map(|span| span.content.to_string()).collect()
        };
        assert_eq!(pieces("a [-b", &mut inside), ["a ", "[-b"]);
        assert!(inside);
        assert_eq!(pieces("c-] d", &mut inside), ["c-]", " d"]);
        assert!(!inside);
    }
}
