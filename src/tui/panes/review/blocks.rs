//! Text laid out in rows of a width: everything that the Review pane shows of an item is built from these, already
//! wrapped, so that it can scroll by rows and stand in columns.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::logs::SafeText;
use crate::tui::widgets::pad;

/// Breaks a text into rows of at most `width` columns: at line feeds, between words, and inside words longer than a row.
pub(super) fn wrap(text: &SafeText, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut rows = Vec::new();
    for line in text.as_str().split('\n') {
        let mut row = String::new();
        let mut used = 0;
        for (index, word) in line.split(' ').enumerate() {
            let gap = usize::from(index > 0);
            if used + gap + word.width() <= width {
                row.push_str(&" "[..gap]);
                row.push_str(word);
                used += gap + word.width();
                continue;
            }
            if used > 0 {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            for piece in word.graphemes(true).flat_map(|grapheme| pieces(grapheme, width)) {
                let columns = piece.width();
                if used + columns > width && used > 0 {
                    rows.push(std::mem::take(&mut row));
                    used = 0;
                }
                row.push_str(piece);
                used += columns;
            }
        }
        rows.push(row);
    }
    rows
}

/// A grapheme, or its characters where marks make it wider than a whole row.
fn pieces(grapheme: &str, width: usize) -> Vec<&str> {
    if grapheme.width() <= width {
        return vec![grapheme];
    }
    grapheme.char_indices().map(|(at, character)| &grapheme[at..at + character.len_utf8()]).collect()
}

/// A text behind a gutter: `gutter` on the first row, blanks of its width on the others.
pub(super) fn hanging(
    gutter: (&str, Style),
    text: &SafeText,
    style: impl Fn(&str) -> Vec<Span<'static>>,
    width: usize,
) -> Vec<Line<'static>> {
    let indent = gutter.0.width();
    wrap(text, width.saturating_sub(indent))
        .into_iter()
        .enumerate()
        .map(|(index, row)| {
            let lead = if index == 0 { gutter.0.to_owned() } else { " ".repeat(indent) };
            let mut spans = vec![Span::styled(lead, gutter.1)];
            spans.extend(style(&row));
            Line::from(spans)
        })
        .collect()
}

/// A text in one style, wrapped.
pub(super) fn plain(text: &SafeText, style: Style, width: usize) -> Vec<Line<'static>> {
    wrap(text, width).into_iter().map(|row| Line::styled(row, style)).collect()
}

/// A heading with a rule to the end of the row.
pub(super) fn rule(heading: &str, style: Style, line: Style, width: usize) -> Line<'static> {
    let heading = format!("{heading} ");
    let rest = width.saturating_sub(heading.width());
    Line::from(vec![Span::styled(heading, style), Span::styled("─".repeat(rest), line)])
}

/// Two columns side by side with a rule between them; `left` is filled up to `left_width`.
pub(super) fn beside(
    left: Vec<Line<'static>>,
    left_width: usize,
    right: Vec<Line<'static>>,
    rule: Style,
) -> Vec<Line<'static>> {
    let rows = left.len().max(right.len());
    let mut left = left.into_iter();
    let mut right = right.into_iter();
    (0..rows)
        .map(|_| {
            let mut line = left.next().unwrap_or_default();
            let missing = left_width.saturating_sub(line.width());
            line.spans.push(Span::raw(pad("", missing)));
            line.spans.push(Span::styled(" │ ", rule));
            line.spans.extend(right.next().unwrap_or_default().spans);
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        let wrapped = |text: &str, width| wrap(&SafeText::new(text), width);
        assert_eq!(wrapped("kernel panic: not syncing", 13), ["kernel panic:", "not syncing"]);
        assert_eq!(wrapped("0123456789", 4), ["0123", "4567", "89"]);
        assert_eq!(wrapped("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrapped("日本語のログ", 5), ["日本", "語の", "ログ"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn columns_keep_their_distance() {
        let rows = beside(vec![Line::from("ab")], 4, vec![Line::from("x"), Line::from("y")], Style::new());
        assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ab   │ x", "     │ y"]);
    }

    #[test]
    fn a_grapheme_wider_than_a_row_is_broken_into_its_characters() {
        assert_eq!(wrap(&SafeText::new("゛ઃ"), 2), ["゛", "ઃ"]);
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_asked_and_no_letter_is_lost(text in "(\\PC| |\n){0,60}", width in 2usize..20) {
            let text = SafeText::new(&text);
            let rows = wrap(&text, width);
            prop_assert!(rows.iter().all(|row| row.width() <= width), "{rows:?}");
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&rows.concat()), letters(text.as_str()));
        }
    }
}
