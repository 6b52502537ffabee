//! Pieces that panes draw with. None of them knows a pane; all of them bear any size, and text of any width.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use crate::labels::{Judgement, Label, Taxonomy};
use crate::logs::SafeText;

mod difference;
mod list;
mod shaded;
mod wrap;

pub use difference::{likeness, sides, whole};
pub use list::ListView;
pub use shaded::Shaded;
pub use wrap::wrap;

/// A frame around a part of a pane; `focused` when it has the keyboard.
pub fn framed<'a>(title: impl Into<Line<'a>>, focused: bool, theme: &Theme) -> Block<'a> {
    let border = if focused { theme.border_focused } else { theme.border };
    Block::bordered().border_style(border).title(title).title_style(theme.title)
}

/// Clears a place in the middle of `body` and frames it; returns the inside.
pub fn popup(frame: &mut Frame, body: Rect, width: u16, height: u16, title: &str, theme: &Theme) -> Rect {
    let (width, height) = (width.min(body.width), height.min(body.height));
    let area = Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    frame.render_widget(Clear, area);
    let block = framed(Line::from(title.to_owned()), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// One quiet sentence in the middle of an area that has nothing else to show.
pub fn notice(frame: &mut Frame, area: Rect, theme: &Theme, text: &str) {
    let rows = wrap(text, usize::from(area.width.saturating_sub(4)));
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height);
    let area = Rect { y: area.y + (area.height - height) / 2, height, ..area };
    let lines: Vec<Line> = rows.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).style(theme.muted).alignment(Alignment::Center), area);
}

/// Cuts a text to at most `width` columns, with `..` where something was cut. Never splits a grapheme.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = ".".repeat(width.min(2));
    let mut left = width - mark.len();
    let mut cut = String::new();
    for grapheme in text.graphemes(true) {
        match left.checked_sub(grapheme.width()) {
            Some(rest) => left = rest,
            None => break,
        }
        cut.push_str(grapheme);
    }
    cut + &mark
}

/// Cuts the start of a text, so that its end fits into `width` columns, with `..` where something was cut.
pub fn fit_end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mark = ".".repeat(width.min(2));
    let mut left = width - mark.len();
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        match left.checked_sub(grapheme.width()) {
            Some(rest) => left = rest,
            None => break,
        }
        from = at;
    }
    mark + &text[from..]
}

/// Cuts a text to `width` columns and fills it up with spaces.
pub fn pad(text: &str, width: usize) -> String {
    let mut padded = fit(text, width);
    padded.extend(std::iter::repeat_n(' ', width.saturating_sub(padded.width())));
    padded
}

/// A template's text with every `<*>` in the theme's style for what varies.
pub fn template_spans(text: &str, base: Style, theme: &Theme) -> Vec<Span<'static>> {
    use crate::logs::{Segment, VARIABLE, segments};
    segments(text)
        .into_iter()
        .map(|segment| match segment {
            Segment::Constant(constant) => Span::styled(constant.to_owned(), base),
            Segment::Variable => Span::styled(VARIABLE, base.patch(theme.variable)),
        })
        .collect()
}

/// `o normal` or `! abnormal`, in the colour of the label.
pub fn label_span(label: Label, theme: &Theme) -> Span<'static> {
    match label {
        Label::Normal => Span::styled("o normal", theme.normal),
        Label::Abnormal => Span::styled("! abnormal", theme.abnormal),
    }
}

/// A judgement with its glyph, without its category.
pub fn judgement_span(judgement: &Judgement, theme: &Theme) -> Span<'static> {
    match judgement {
        Judgement::Unsure => Span::styled("? unsure", theme.warning),
        Judgement::Skip => Span::styled("- skipped", theme.muted),
        Judgement::Normal => label_span(Label::Normal, theme),
        Judgement::Abnormal(_) => label_span(Label::Abnormal, theme),
    }
}

/// The digit keys and the categories that they pick, at the foot of `area`.
pub fn category_popup(frame: &mut Frame, area: Rect, taxonomy: &Taxonomy, theme: &Theme) {
    let names = taxonomy.categories().iter().take(9);
    let mut names: Vec<String> = names.map(|name| SafeText::one_line(name.as_str()).into_string()).collect();
    names.push("none of these, or not known".to_owned());
    digits(frame, area, " Abnormal: which category? ", names, true, theme);
}

/// The digit keys from 1 on and what they pick, at the foot of `area`.
pub fn digit_popup(frame: &mut Frame, area: Rect, title: &str, names: Vec<String>, theme: &Theme) {
    digits(frame, area, title, names, false, theme);
}

/// A line for each digit key; `zero` if the last is picked with 0.
fn digits(frame: &mut Frame, area: Rect, title: &str, names: Vec<String>, zero: bool, theme: &Theme) {
    let height = u16::try_from(names.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let longest = names.iter().map(|name| name.width()).max().unwrap_or_default();
    let width = u16::try_from(longest + 7).unwrap_or(u16::MAX).max(44).min(area.width);
    let place = Rect { y: area.bottom() - height, height, width, ..area };
    frame.render_widget(Clear, place);
    let last = names.len();
    let line = |(digit, name): (usize, String)| {
        let digit = if zero && digit == last { 0 } else { digit };
        Line::from(vec![Span::styled(format!(" {digit}  "), theme.key), Span::raw(name)])
    };
    let lines: Vec<Line> = (1..).zip(names).map(line).collect();
    frame.render_widget(Paragraph::new(lines).block(framed(title.to_owned(), true, theme)), place);
}

/// A count of things: `1 correction`, `1,200 corrections`.
pub fn counted(n: usize, thing: &str) -> String {
    format!("{} {thing}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// A count with commas between the thousands.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `45 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_never_splits_a_wide_character() {
        assert_eq!(fit("kernel panic", 20), "kernel panic");
        assert_eq!(fit("kernel panic", 8), "kernel..");
        assert_eq!(fit("日本語のログ", 7), "日本..");
        assert_eq!(fit_end("kernel panic", 8), ".. panic");
        assert_eq!(fit_end("日本語のログ", 7), "..ログ");
        assert_eq!((fit_end("abc", 3), fit_end("abc", 1), fit_end("", 0)), ("abc".into(), ".".into(), String::new()));
        assert_eq!(fit("abc", 1), ".");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(pad("日本語のログ", 7), "日本.. ");
    }

    #[test]
    fn durations_are_told_in_two_units_at_most() {
        assert_eq!([5.4, 65.0, 7384.0].map(duration), ["5 s", "1 min 05 s", "2 h 03 min"]);
    }

    #[test]
    fn counts_have_commas() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((counted(1, "job"), counted(1200, "job")), ("1 job".to_owned(), "1,200 jobs".to_owned()));
    }

    proptest! {
        #[test]
        fn a_cut_text_fits_and_a_padded_one_fills(text in "\\PC{0,40}", width in 0usize..30) {
            prop_assert!(fit(&text, width).width() <= width);
            prop_assert!(fit_end(&text, width).width() <= width);
            prop_assert_eq!(pad(&text, width).width(), width);
        }
    }
}
