//! A branch beside the trace that it came from: what one says and the other does not stands between `[-` and `-]`, or `{+`
//! and `+}`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use similar::{ChangeTag, TextDiff};

use super::state::Told;
use super::trace_view::verdict_line;
use crate::logs::SafeText;
use crate::tui::theme::Theme;
use crate::tui::widgets::{fit, framed, wrap};

/// Draws both, from row `top` on.
pub(super) fn view_comparison(parent: &Told, branch: &Told, top: usize, theme: &Theme, frame: &mut Frame, area: Rect) {
    let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area);
    let (was, is) = (SafeText::new(&parent.trace.text), SafeText::new(&branch.trace.text));
    let (was, is) = marked(was.as_str(), is.as_str());
    let sides =
        [(left, parent, was, " Before ", "[-", theme.removed), (right, branch, is, " Branch ", "{+", theme.added)];
    for (area, told, text, title, mark, style) in sides {
        let [verdict, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        frame.render_widget(verdict_line(told, usize::from(verdict.width), theme), verdict);
        let width = usize::from(body.width.saturating_sub(2));
        let rows = wrap(&text, width);
        let last = rows.len().saturating_sub(usize::from(body.height.saturating_sub(2)));
        let mut inside = false;
        let lines: Vec<Line> = rows.iter().map(|row| styled(row, mark, &mut inside, style)).collect();
        let lines: Vec<Line> = lines.into_iter().skip(top.min(last)).collect();
        let block = framed(fit(title, width), false, theme);
        frame.render_widget(Paragraph::new(lines).block(block), body);
    }
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
            ChangeTag::Delete => left.push(change.value(), Some(("[-", "-]"))),
            ChangeTag::Insert => right.push(change.value(), Some(("{+", "+}"))),
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
    open: Option<&'static str>,
}

impl Marked {
    fn push(&mut self, piece: &str, marks: Option<(&'static str, &'static str)>) {
        match (self.open, marks) {
            (None, Some((begin, end))) => {
                self.text.push_str(begin);
                self.open = Some(end);
            }
            (Some(end), None) => {
                self.close(end);
            }
            _ => {}
        }
        self.text.push_str(piece);
    }

    /// Ends a marked stretch before the space at its end.
    fn close(&mut self, end: &str) {
        let length = self.text.trim_end().len();
        self.text.insert_str(length, end);
        self.open = None;
    }

    fn finish(mut self) -> String {
        if let Some(end) = self.open {
            self.close(end);
        }
        self.text
    }
}

/// A row with its marked stretches in a style; `inside` says whether the row begins in one, and then whether it ends so.
fn styled(row: &str, begin: &str, inside: &mut bool, style: Style) -> Line<'static> {
    let end = if begin == "[-" { "-]" } else { "+}" };
    let mut spans = Vec::new();
    let mut rest = row;
    while !rest.is_empty() {
        let (at, of) =
            if *inside { (rest.find(end).map(|at| at + end.len()), style) } else { (rest.find(begin), Style::new()) };
        let (piece, left) = rest.split_at(at.unwrap_or(rest.len()));
        spans.push(ratatui::text::Span::styled(piece.to_owned(), of));
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
        let widths = |row: &str, inside: &mut bool| -> Vec<String> {
            styled(row, "[-", inside, Style::new()).spans.iter().map(|span| span.content.to_string()).collect()
        };
        assert_eq!(widths("a [-b", &mut inside), ["a ", "[-b"]);
        assert!(inside);
        assert_eq!(widths("c-] d", &mut inside), ["c-]", " d"]);
        assert!(!inside);
    }
}
