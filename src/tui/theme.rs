//! Named styles: nothing on the screen has a colour but through one of these.
//!
//! A colour never stands alone (a glyph and a word stand beside it), so under `NO_COLOR`, where the monochrome theme has
//! only bold, dim, underlined and reversed, nothing is lost.

use ratatui::style::{Color, Modifier, Style};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

const DEFAULT: &str = include_str!("../../assets/themes/default.toml");
const MONO: &str = include_str!("../../assets/themes/mono.toml");

/// The styles, by what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// What the eye should find first: the current tab, a running job.
    #[serde(deserialize_with = "style")]
    pub accent: Style,
    /// What may be overlooked: hints, counts, what is inactive.
    #[serde(deserialize_with = "style")]
    pub muted: Style,
    /// The label normal, an accepted item, success.
    #[serde(deserialize_with = "style")]
    pub normal: Style,
    /// The label abnormal.
    #[serde(deserialize_with = "style")]
    pub abnormal: Style,
    /// Look here before you go on.
    #[serde(deserialize_with = "style")]
    pub warning: Style,
    /// Something failed.
    #[serde(deserialize_with = "style")]
    pub error: Style,
    /// The selected row.
    #[serde(deserialize_with = "style")]
    pub selection: Style,
    /// Lines around things.
    #[serde(deserialize_with = "style")]
    pub border: Style,
    /// Lines around the thing that has the keyboard.
    #[serde(deserialize_with = "style")]
    pub border_focused: Style,
    /// Headings.
    #[serde(deserialize_with = "style")]
    pub title: Style,
    /// The name of a key.
    #[serde(deserialize_with = "style")]
    pub key: Style,
    /// `<*>` in a template.
    #[serde(deserialize_with = "style")]
    pub variable: Style,
    /// Text that an edit brought.
    #[serde(deserialize_with = "style")]
    pub added: Style,
    /// Text that an edit took.
    #[serde(deserialize_with = "style")]
    pub removed: Style,
    /// A token that was more probable than not; one that was surer is plain.
    #[serde(deserialize_with = "style")]
    pub likely: Style,
    /// A token that was less probable than not.
    #[serde(deserialize_with = "style")]
    pub doubtful: Style,
    /// A token that was one of many as good.
    #[serde(deserialize_with = "style")]
    pub guess: Style,
}

impl Theme {
    /// The default theme, in the terminal's own sixteen colours.
    pub fn coloured() -> Self {
        toml::from_str(DEFAULT).expect("the bundled theme is read by a test")
    }

    /// The theme without colour, for `NO_COLOR`.
    pub fn monochrome() -> Self {
        toml::from_str(MONO).expect("the bundled theme is read by a test")
    }
}

/// A style as a theme file has it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    fg: Option<String>,
    bg: Option<String>,
    modifiers: Vec<Named>,
}

/// A modifier by its name.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Bold,
    Dim,
    Italic,
    Underlined,
    Reversed,
    CrossedOut,
}

fn style<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Style, D::Error> {
    let entry = Entry::deserialize(deserializer)?;
    let colour = |name: Option<String>| {
        let parsed =
            name.map(|name| name.parse::<Color>().map_err(|_| Error::custom(format!("\"{name}\" is no colour"))));
        parsed.transpose()
    };
    let style = Style { fg: colour(entry.fg)?, bg: colour(entry.bg)?, ..Style::new() };
    Ok(entry.modifiers.into_iter().fold(style, |style, name| {
        style.add_modifier(match name {
            Named::Bold => Modifier::BOLD,
            Named::Dim => Modifier::DIM,
            Named::Italic => Modifier::ITALIC,
            Named::Underlined => Modifier::UNDERLINED,
            Named::Reversed => Modifier::REVERSED,
            Named::CrossedOut => Modifier::CROSSED_OUT,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_themes_are_read() {
        assert_eq!(Theme::coloured().normal.fg, Some(Color::Green));
        assert!(Theme::monochrome().selection.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn no_color_leaves_no_colour() {
        for line in MONO.lines().filter(|line| !line.starts_with('#')) {
            assert!(!line.contains("fg") && !line.contains("bg"), "{line}");
        }
    }
}
