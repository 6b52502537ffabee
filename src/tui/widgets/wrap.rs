//! Text broken into rows: at line feeds, between words, and inside words only where one alone is wider than a row.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The rows of a text at a width in columns, without the spaces at their ends. A width of 0 gives no rows.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    row_ranges(text, width).into_iter().map(|row| text[row].trim_end().to_owned()).collect()
}

/// Where the rows of a text lie in it, each at most `width` columns wide but for spaces at its end. All bytes are in one of
/// them, except line feeds and what is wider than a whole row.
pub(super) fn row_ranges(text: &str, width: usize) -> Vec<Range<usize>> {
    if width == 0 {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut from = 0;
    for line in text.split('\n') {
        let (mut start, mut at, mut columns) = (from, from, 0);
        for word in line.split_inclusive(' ') {
            let needed = word.trim_end_matches(' ').width();
            if columns > 0 && needed > 0 && columns + needed > width {
                rows.push(start..at);
                (start, columns) = (at, 0);
            }
            for piece in word.graphemes(true).flat_map(|grapheme| pieces(grapheme, width)) {
                let wide = piece.width();
                if columns > 0 && columns + wide > width && piece != " " {
                    rows.push(start..at);
                    (start, columns) = (at, 0);
                }
                at += piece.len();
                if wide > width {
                    start = at;
                } else {
                    columns += wide;
                }
            }
        }
        rows.push(start..at);
        from += line.len() + 1;
    }
    rows
}

/// A grapheme, or its characters where together they are wider than a row.
fn pieces(grapheme: &str, width: usize) -> impl Iterator<Item = &str> {
    let whole = grapheme.width() <= width || grapheme.chars().all(|c| c.width().unwrap_or(0) > width);
    let mut rest = grapheme;
    std::iter::from_fn(move || {
        let end = if whole { rest.len() } else { rest.chars().next().map_or(0, char::len_utf8) };
        let (piece, left) = rest.split_at(end);
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("kernel panic on node", 12), ["kernel panic", "on node"]);
        assert_eq!(wrap("a\n\nb", 5), ["a", "", "b"]);
        assert_eq!(wrap("0123456789ab", 5), ["01234", "56789", "ab"]);
        assert_eq!(wrap("ログの日本語", 5), ["ログ", "の日", "本語"]);
        assert_eq!(wrap("  indented text", 10), ["  indented", "text"]);
        assert_eq!(wrap("kernel    panic", 7), ["kernel", "panic"]);
        assert_eq!(wrap("x", 0), Vec::<String>::new());
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn a_grapheme_wider_than_a_row_is_broken_into_its_characters() {
        assert_eq!(wrap("゛ઃ", 2), ["゛", "ઃ"]);
        assert_eq!(wrap("a日b", 1), ["a", "b"], "what fits nowhere is left out");
    }

    #[test]
    fn rows_keep_every_byte() {
        let rows: Vec<&str> =
            row_ranges("kernel panic  on node", 12).into_iter().map(|r| &"kernel panic  on node"[r]).collect();
        assert_eq!(rows, ["kernel panic  ", "on node"]);
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_asked_and_no_letter_is_lost(text in "(\\PC| |\n|[a-z日é]){0,60}", width in 2usize..20) {
            let text = crate::logs::SafeText::new(&text);
            let rows = wrap(text.as_str(), width);
            prop_assert!(rows.iter().all(|row| row.width() <= width), "{rows:?}");
            let letters = |s: &str| s.split_whitespace().collect::<String>();
            prop_assert_eq!(letters(&rows.concat()), letters(text.as_str()));
            let kept: String = row_ranges(text.as_str(), width).into_iter().map(|row| &text.as_str()[row]).collect();
            prop_assert_eq!(kept, text.as_str().replace('\n', ""));
        }
    }
}
