//! Outside text made fit for a terminal: what would act is made visible instead.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Tab stops stand this many columns apart.
const TAB_WIDTH: usize = 4;

/// One or more lines of text in which nothing can move the cursor, recolour, reorder or ring.
///
/// Control characters (C0, DEL and C1), Unicode bidirectional controls and other invisible format characters become
/// escapes such as `\x1b` or `\u{202e}`; tabs become spaces to the next stop; line feeds stay, because a caller
/// decides how lines are laid out. The raw text is not kept: it lives in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SafeText(String);

impl SafeText {
    /// Makes `raw` safe.
    pub fn new(raw: &str) -> Self {
        let mut safe = String::with_capacity(raw.len());
        let mut column = 0;
        for character in raw.chars() {
            match character {
                '\n' => {
                    safe.push('\n');
                    column = 0;
                }
                '\t' => {
                    let width = TAB_WIDTH - column % TAB_WIDTH;
                    safe.extend(std::iter::repeat_n(' ', width));
                    column += width;
                }
                _ if acts(character) => {
                    let from = safe.len();
                    let code = u32::from(character);
                    // Writing to a String cannot fail.
                    let _ = if code < 0x100 { write!(safe, "\\x{code:02x}") } else { write!(safe, "\\u{{{code:x}}}") };
                    column += safe.len() - from;
                }
                _ => {
                    safe.push(character);
                    column += 1;
                }
            }
        }
        Self(safe)
    }

    /// Makes bytes safe that may not be UTF-8: every invalid byte becomes U+FFFD.
    pub fn from_bytes(raw: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(raw))
    }

    /// Makes `raw` safe on a single line: line feeds become `⏎`.
    pub fn one_line(raw: &str) -> Self {
        let safe = Self::new(raw);
        if safe.0.contains('\n') { Self(safe.0.replace('\n', "⏎")) } else { safe }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for SafeText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<SafeText> for Cow<'static, str> {
    fn from(text: SafeText) -> Self {
        Cow::Owned(text.0)
    }
}

/// Whether a terminal would act on this character, or a reader could not see it.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_and_bidi_overrides_become_visible() {
        assert_eq!(SafeText::new("a\x1b[31mred\x07\u{202e}x\u{9b}").as_str(), "a\\x1b[31mred\\x07\\u{202e}x\\x9b");
    }

    #[test]
    fn tabs_run_to_the_next_stop_of_their_line() {
        assert_eq!(SafeText::new("ab\tc\n\td").as_str(), "ab  c\n    d");
    }

    #[test]
    fn invalid_bytes_and_carriage_returns_are_shown() {
        assert_eq!(SafeText::from_bytes(b"ok\xff\r").as_str(), "ok\u{fffd}\\x0d");
        assert_eq!(SafeText::one_line("a\nb").as_str(), "a⏎b");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_survives(raw in any::<String>()) {
            let safe = SafeText::new(&raw);
            prop_assert!(safe.as_str().chars().all(|c| c == '\n' || !acts(c)));
            let again = SafeText::new(safe.as_str());
            prop_assert_eq!(again.as_str(), safe.as_str());
        }
    }
}
