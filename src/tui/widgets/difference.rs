//! Two texts laid beside or into each other, word by word: what only the second says stands between `{+` and `+}`, what only
//! the first says between `[-` and `-]`.

use ratatui::style::Style;
use similar::{ChangeTag, TextDiff};

use super::Shaded;
use crate::tui::theme::Theme;

/// What stands around words that only one side has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    Removed,
    Added,
}

impl Marks {
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Removed => ("[-", "-]"),
            Self::Added => ("{+", "+}"),
        }
    }

    fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Removed => theme.removed,
            Self::Added => theme.added,
        }
    }
}

/// Both texts, each with the words marked that the other lacks.
pub fn sides(was: &str, is: &str, theme: &Theme) -> (Shaded, Shaded) {
    let (mut left, mut right) = (Marking::new(theme), Marking::new(theme));
    each_change(was, is, |piece, marks| match marks {
        None => {
            left.push(piece, None);
            right.push(piece, None);
        }
        Some(Marks::Removed) => left.push(piece, marks),
        Some(Marks::Added) => right.push(piece, marks),
    });
    (left.finish(), right.finish())
}

/// One text with what was taken and what was brought, in their places.
pub fn whole(was: &str, is: &str, theme: &Theme) -> Shaded {
    let mut both = Marking::new(theme);
    each_change(was, is, |piece, marks| both.push(piece, marks));
    both.finish()
}

/// How much of two texts is the same words in the same order, from 0 to 1.
pub fn likeness(was: &str, is: &str) -> f32 {
    TextDiff::from_slices(&words(was), &words(is)).ratio()
}

/// Words with the space behind them, so that a stretch of changed words is one change; tags are words of their own.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut from, mut before) = (0, ' ');
    for (at, character) in text.char_indices() {
        let parts = (before.is_whitespace() && !character.is_whitespace()) || before == '>' || character == '<';
        if parts && at > from {
            words.push(&text[from..at]);
            from = at;
        }
        before = character;
    }
    if from < text.len() {
        words.push(&text[from..]);
    }
    words
}

fn each_change(was: &str, is: &str, mut tell: impl FnMut(&str, Option<Marks>)) {
    let (old, new) = (words(was), words(is));
    for change in TextDiff::from_slices(&old, &new).iter_all_changes() {
        let marks = match change.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Delete => Some(Marks::Removed),
            ChangeTag::Insert => Some(Marks::Added),
        };
        tell(change.value(), marks);
    }
}

/// A text that is put together of plain and marked stretches.
struct Marking<'a> {
    text: Shaded,
    open: Option<Marks>,
    theme: &'a Theme,
}

impl<'a> Marking<'a> {
    fn new(theme: &'a Theme) -> Self {
        Self { text: Shaded::default(), open: None, theme }
    }

    fn push(&mut self, piece: &str, marks: Option<Marks>) {
        if self.open != marks {
            self.close();
            if let Some(marks) = marks {
                self.text.push(marks.around().0, marks.style(self.theme));
            }
            self.open = marks;
        }
        let style = marks.map_or(Style::new(), |marks| marks.style(self.theme));
        self.text.push_lines(piece, style);
    }

    /// Ends a marked stretch before the space at its end.
    fn close(&mut self) {
        if let Some(marks) = self.open.take() {
            self.text.close(marks.around().1, marks.style(self.theme));
        }
    }

    fn finish(mut self) -> Shaded {
        self.close();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(shaded: &Shaded) -> String {
        let rows: Vec<String> = shaded.rows(500).0.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
        rows.join("/")
    }

    #[test]
    fn each_side_has_its_own_words_marked() {
        let marked = |was: &str, is: &str| {
            let (was, is) = sides(was, is, &Theme::coloured());
            (text(&was), text(&is))
        };
        let (was, is) = marked("1. a link. 2. it is fine. end", "1. a link. 2. it failed for good. end");
        assert_eq!(was, "1. a link. 2. it [-is fine.-] end");
        assert_eq!(is, "1. a link. 2. it {+failed for good.+} end");
        assert_eq!(marked("same", "same"), ("same".to_owned(), "same".to_owned()));
        assert_eq!(marked("", "new").1, "{+new+}");
    }

    #[test]
    fn in_one_text_what_was_taken_stands_before_what_was_brought() {
        let theme = Theme::coloured();
        assert_eq!(text(&whole("it is fine.\nend", "it failed.\nend", &theme)), "it [-is fine.-]/{+failed.+}/end");
        assert_eq!(text(&whole("x", "x", &theme)), "x");
        let tagged = whole("it is.</think><answer>a</answer>", "it is.</think><answer>b</answer>", &theme);
        assert_eq!(text(&tagged), "it is.</think><answer>[-a-]{+b+}</answer>");
        assert_eq!(words("a  b\n<x>c "), ["a  ", "b\n", "<x>", "c "]);
    }

    #[test]
    fn a_mark_goes_on_over_rows() {
        let theme = Theme::coloured();
        let (rows, _) = sides("a b c d", "a d", &theme).0.rows(5);
        let told = |row: &ratatui::text::Line| row.to_string().trim_end().to_owned();
        assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), ["a [-b", "c-] d"]);
        assert!(rows[1].spans[0].style == theme.removed);
    }
}
