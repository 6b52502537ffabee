//! A text in several styles, laid out in rows: what the log and a step of the reasoning are drawn with.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::logs::SafeText;
use crate::tui::theme::Theme;
use crate::tui::widgets::template_spans;

/// A text that is put together of stretches, each in a style.
#[derive(Default)]
pub(super) struct Shaded {
    text: String,
    /// Where each stretch ends, and how it looks.
    stretches: Vec<(usize, Style)>,
    /// Where the stretch begins that is to stay in sight.
    aim: usize,
}

impl Shaded {
    /// Adds a stretch of text from outside, on one line.
    pub fn push(&mut self, text: &str, style: Style) {
        self.text.push_str(SafeText::one_line(text).as_str());
        self.stretches.push((self.text.len(), style));
    }

    /// [`Shaded::push`], with every `<*>` set off.
    pub fn push_template(&mut self, text: &str, style: Style, theme: &Theme) {
        for span in template_spans(text, style, theme) {
            self.push(&span.content, span.style);
        }
    }

    /// Begins a new row.
    pub fn end_row(&mut self) {
        self.text.push('\n');
        self.stretches.push((self.text.len(), Style::new()));
    }

    /// What is added next is to stay in sight.
    pub fn aim(&mut self) {
        self.aim = self.text.len();
    }

    /// The rows for a width, and the one that is to stay in sight.
    pub fn rows(&self, width: usize) -> (Vec<Line<'static>>, usize) {
        let rows = row_ranges(&self.text, width);
        let at = rows.iter().position(|row| self.aim < row.end).unwrap_or(rows.len().saturating_sub(1));
        (rows.into_iter().map(|row| self.line(row)).collect(), at)
    }

    fn line(&self, row: Range<usize>) -> Line<'static> {
        let first = self.stretches.partition_point(|(end, _)| *end <= row.start);
        let mut spans = Vec::new();
        let mut start = row.start;
        for (end, style) in &self.stretches[first..] {
            let end = (*end).min(row.end);
            if start < end {
                spans.push(Span::styled(self.text[start..end].to_owned(), *style));
            }
            if end == row.end {
                break;
            }
            start = end;
        }
        Line::from(spans)
    }
}

/// Where the rows of a text lie in it, each at most `width` columns wide but for a space at its end. Unlike
/// [`wrap`](crate::tui::widgets::wrap) this loses nothing but line feeds, so that a token can be found again.
fn row_ranges(text: &str, width: usize) -> Vec<Range<usize>> {
    if width == 0 {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut from = 0;
    for line in text.split('\n') {
        let (mut start, mut at, mut columns) = (from, from, 0);
        for word in line.split_inclusive(' ') {
            if columns > 0 && columns + word.trim_end_matches(' ').width() > width {
                rows.push(start..at);
                (start, columns) = (at, 0);
            }
            for grapheme in word.graphemes(true) {
                if columns > 0 && columns + grapheme.width() > width && grapheme != " " {
                    rows.push(start..at);
                    (start, columns) = (at, 0);
                }
                at += grapheme.len();
                columns += grapheme.width();
            }
        }
        if start < at {
            rows.push(start..at);
        }
        from += line.len() + 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_break_between_words_and_keep_every_byte() {
        let rows = |text: &str, width| -> Vec<String> {
            row_ranges(text, width).into_iter().map(|row| text[row].to_owned()).collect()
        };
        assert_eq!(rows("kernel panic on node", 12), ["kernel panic ", "on node"]);
        assert_eq!(rows("0123456789ab", 5), ["01234", "56789", "ab"]);
        assert_eq!(rows("ログの日本語", 5), ["ログ", "の日", "本語"]);
        assert_eq!(rows("a b\nc", 9), ["a b", "c"]);
        assert!(rows("x", 0).is_empty() && rows("", 5).is_empty());
    }

    #[test]
    fn a_stretch_goes_on_over_rows_and_what_is_aimed_at_is_told() {
        let (plain, marked) = (Style::new(), Theme::coloured().error);
        let mut text = Shaded::default();
        text.push("one ", plain);
        text.aim();
        text.push("two\tthree", marked);
        text.push(" end", plain);
        let (rows, at) = text.rows(8);
        let told = |line: &Line| line.spans.iter().map(|s| (s.content.to_string(), s.style)).collect::<Vec<_>>();
        assert_eq!(told(&rows[0])[0], ("one ".to_owned(), plain));
        assert!(rows.iter().flat_map(told).all(|(text, style)| (style == marked) == text.contains('t')));
        assert!(at <= 1);
    }

    proptest! {
        #[test]
        fn rows_fit_and_join_to_the_text(text in "[a-z日é ]{0,60}", width in 2usize..20) {
            let rows = row_ranges(&text, width);
            prop_assert!(rows.iter().all(|row| text[row.clone()].trim_end().width() <= width));
            prop_assert_eq!(rows.into_iter().map(|row| &text[row]).collect::<String>(), text.clone());
        }
    }
}
