//! A text in several styles, laid out in rows.

use std::ops::Range;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::template_spans;
use super::wrap::row_ranges;
use crate::logs::SafeText;
use crate::tui::theme::Theme;

/// A text that is put together of stretches, each in a style.
#[derive(Default)]
pub struct Shaded {
    text: String,
    /// Where each stretch ends, and how it looks.
    stretches: Vec<(usize, Style)>,
    /// Where the stretch begins that is to stay in sight.
    aim: usize,
}

impl Shaded {
    /// A text from outside in one style, with its line feeds.
    pub fn plain(text: &str, style: Style) -> Self {
        let mut shaded = Self::default();
        shaded.push_lines(text, style);
        shaded
    }

    /// Adds a stretch of text from outside, on one line.
    pub fn push(&mut self, text: &str, style: Style) {
        self.text.push_str(SafeText::one_line(text).as_str());
        self.stretches.push((self.text.len(), style));
    }

    /// Adds a stretch of text from outside; its line feeds begin new rows.
    pub fn push_lines(&mut self, text: &str, style: Style) {
        self.text.push_str(SafeText::new(text).as_str());
        self.stretches.push((self.text.len(), style));
    }

    /// [`Shaded::push_lines`], with every `<*>` set off.
    pub fn push_template(&mut self, text: &str, style: Style, theme: &Theme) {
        for span in template_spans(text, style, theme) {
            self.push_lines(&span.content, span.style);
        }
    }

    /// Adds a mark right behind the last word, before the space that follows it.
    pub fn close(&mut self, mark: &str, style: Style) {
        let end = self.text.trim_end().len();
        let spaces = self.text.split_off(end);
        for (at, _) in &mut self.stretches {
            *at = (*at).min(end);
        }
        self.text.push_str(mark);
        self.stretches.push((self.text.len(), style));
        self.text.push_str(&spaces);
        self.stretches.push((self.text.len(), Style::new()));
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
        let mut rows = row_ranges(&self.text, width);
        // A line feed at the end ends a row and begins none.
        rows.pop_if(|last| last.start == last.end);
        let at = rows.iter().position(|row| self.aim < row.end).unwrap_or(rows.len().saturating_sub(1));
        (rows.into_iter().map(|row| self.line(row)).collect(), at)
    }

    /// The rows for a width behind a gutter, which stands on the first of them.
    pub fn hanging(&self, gutter: &str, style: Style, width: usize) -> Vec<Line<'static>> {
        let indent = gutter.width();
        let (mut rows, _) = self.rows(width.saturating_sub(indent).max(1));
        if rows.is_empty() {
            rows.push(Line::default());
        }
        let blank = " ".repeat(indent);
        for (index, row) in rows.iter_mut().enumerate() {
            let lead = if index == 0 { gutter } else { &blank };
            row.spans.insert(0, Span::styled(lead.to_owned(), style));
        }
        rows
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &Line) -> Vec<(String, Style)> {
        line.spans.iter().map(|span| (span.content.to_string(), span.style)).collect()
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
        assert_eq!(told(&rows[0])[0], ("one ".to_owned(), plain));
        assert!(rows.iter().flat_map(told).all(|(text, style)| (style == marked) == text.contains('t')));
        assert!(at <= 1);
        assert!(Shaded::default().rows(5).0.is_empty());
    }

    #[test]
    fn a_mark_closes_before_the_space_and_a_gutter_stands_once() {
        let (plain, marked) = (Style::new(), Theme::coloured().error);
        let mut text = Shaded::default();
        text.push("x[", marked);
        text.push("seg fault ", marked);
        text.close("]", marked);
        text.push("here", plain);
        let rows = text.hanging(" 1 ", marked, 9);
        let rows: Vec<String> = rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
        assert_eq!(rows, [" 1 x[seg", "   fault]", "   here"]);
        assert_eq!(Shaded::default().hanging(" 1 ", plain, 9).len(), 1);
    }
}
