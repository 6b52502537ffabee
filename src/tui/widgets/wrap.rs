//! Text broken into rows: at spaces, and inside words only when one alone is wider than a row.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The rows of a text at a width in columns; line feeds start a new row. A width of 0 gives no rows.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    if width == 0 {
        return Vec::new();
    }
    text.split('\n').flat_map(|line| wrap_line(line, width)).collect()
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut columns = 0;
    for word in words(line) {
        let needed = word.trim_end().width();
        if columns > 0 && columns + needed > width {
            rows.push(std::mem::take(&mut row));
            columns = 0;
        }
        for grapheme in word.graphemes(true) {
            let wide = grapheme.width();
            if columns + wide > width {
                // Spaces at the end of a row are not carried into the next.
                if grapheme == " " {
                    continue;
                }
                rows.push(std::mem::take(&mut row));
                columns = 0;
                if wide > width {
                    continue;
                }
            }
            row.push_str(grapheme);
            columns += wide;
        }
    }
    rows.push(row);
    for row in &mut rows {
        row.truncate(row.trim_end().len());
    }
    rows
}

/// The words of a line, each with the spaces before the first and after itself.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let word = rest.find(|c| c != ' ').unwrap_or(rest.len());
        let gap = rest[word..].find(' ').map_or(rest.len(), |at| word + at);
        let end = rest[gap..].find(|c| c != ' ').map_or(rest.len(), |at| gap + at);
        let (taken, left) = rest.split_at(end);
        rest = left;
        (!taken.is_empty()).then_some(taken)
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
        assert_eq!(wrap("x", 0), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_asked_and_no_letter_is_lost(text in "[a-z日é ]{0,60}", width in 2usize..20) {
            let rows = wrap(&text, width);
            prop_assert!(rows.iter().all(|row| row.width() <= width));
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&rows.concat()), letters(&text));
        }
    }
}
