//! Rows of text that the views of items are built from.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, pad};

/// Text from outside in one style.
pub(super) fn plain(text: &str, style: Style, width: usize) -> Vec<Line<'static>> {
    Shaded::plain(text, style).rows(width).0
}

/// A heading with a rule to the end of the row.
pub(super) fn rule(heading: &str, style: Style, theme: &Theme, width: usize) -> Line<'static> {
    let heading = format!("{heading} ");
    let rest = width.saturating_sub(heading.width());
    Line::from(vec![Span::styled(heading, style), Span::styled("─".repeat(rest), theme.border)])
}

/// `Label   abnormal`: a name and a value from outside, which keeps its line breaks.
pub(super) fn fact(name: &str, value: &str, style: Style, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    Shaded::plain(value, style).hanging(&format!("{name:<8}"), theme.muted, width)
}

/// Two columns side by side with a rule between them; `left` is filled up to `left_width`.
pub(super) fn beside(
    left: Vec<Line<'static>>,
    left_width: usize,
    right: Vec<Line<'static>>,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let rows = left.len().max(right.len());
    let mut left = left.into_iter();
    let mut right = right.into_iter();
    (0..rows)
        .map(|_| {
            let mut line = left.next().unwrap_or_default();
            trim(&mut line, left_width);
            let missing = left_width.saturating_sub(line.width());
            line.spans.push(Span::raw(pad("", missing)));
            line.spans.push(Span::styled(" │ ", theme.border));
            line.spans.extend(right.next().unwrap_or_default().spans);
            line
        })
        .collect()
}

/// Takes away the space at the end of a row, where a word was broken off, that has no room any more.
fn trim(line: &mut Line<'static>, width: usize) {
    while line.width() > width
        && let Some(last) = line.spans.last_mut()
    {
        match last.content.strip_suffix(' ').map(str::to_owned) {
            Some(shorter) => last.content = shorter.into(),
            None if last.content.is_empty() => drop(line.spans.pop()),
            None => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_distance() {
        let rows = beside(
            vec![Line::from("abcd ")],
            4,
            vec![Line::from("x"), Line::from("y")],
            &crate::tui::theme::Theme::default(),
        );
        assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["abcd │ x", "     │ y"]);
    }
}
