//! Keys: how one is written, and which action it stands for in this session.
//!
//! A [`Key`] has one spelling (`n`, `U`, `ctrl-u`, `space`, `left`), used by the action table, `keys.toml`, the footer, the
//! help and the README. A [`Keymap`] is the action table's defaults with the user's partial overrides laid over them.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::{Action, Mode, Scope, Spec, all_specs};

/// One key press: a code with Ctrl and Alt; Shift is part of the character (`U`, not shift-u).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Key {
    /// A plain character, as typed: `Key::char('U')` is Shift-u.
    pub const fn char(character: char) -> Self {
        Self { code: KeyCode::Char(character), modifiers: KeyModifiers::NONE }
    }

    /// A character with Ctrl held; write it in lower case.
    pub const fn ctrl(character: char) -> Self {
        Self { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
    }

    /// A character with Alt held.
    pub const fn alt(character: char) -> Self {
        Self { code: KeyCode::Char(character), modifiers: KeyModifiers::ALT }
    }

    /// A key without a character: Enter, Esc, arrows, function keys.
    pub const fn code(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// The key of a terminal event, or `None` for a release.
    pub fn from_event(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let kept = KeyModifiers::CONTROL | KeyModifiers::ALT;
        let (code, modifiers) = match event.code {
            // Terminals report Ctrl-Shift-u and Ctrl-u alike; one spelling for both.
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::CONTROL) => {
                (KeyCode::Char(c.to_ascii_lowercase()), event.modifiers & kept)
            }
            KeyCode::Char(c) => (KeyCode::Char(c), event.modifiers & kept),
            code => (code, event.modifiers & (kept | KeyModifiers::SHIFT)),
        };
        Some(Self { code, modifiers })
    }

    /// The event that a terminal sends for this key.
    pub const fn to_event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }
}

/// The names of keys that have no character of their own (or whose character cannot be seen).
const NAMED: &[(&str, KeyCode)] = &[
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "f{n}"),
            (None, other) => write!(f, "{}", format!("{other:?}").to_lowercase()),
        }
    }
}

/// A key whose spelling means nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a key: write it like n, U, ctrl-u, alt-x, space, enter, left or f5")]
pub struct UnknownKey(pub String);

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        // A lone "-" and "ctrl--" are the minus key, so a prefix counts only when something follows it.
        loop {
            let (modifier, tail) = match rest.split_once('-') {
                Some(("ctrl", tail)) if !tail.is_empty() => (KeyModifiers::CONTROL, tail),
                Some(("alt", tail)) if !tail.is_empty() => (KeyModifiers::ALT, tail),
                Some(("shift", tail)) if !tail.is_empty() => (KeyModifiers::SHIFT, tail),
                _ => break,
            };
            modifiers |= modifier;
            rest = tail;
        }
        let unknown = || UnknownKey(text.to_owned());
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) if modifiers.contains(KeyModifiers::SHIFT) => {
                modifiers -= KeyModifiers::SHIFT;
                KeyCode::Char(c.to_ascii_uppercase())
            }
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => match NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(rest)) {
                Some((_, code)) => *code,
                None => {
                    let number = rest.strip_prefix(['f', 'F']).and_then(|n| n.parse::<u8>().ok());
                    KeyCode::F(number.filter(|n| (1..=24).contains(n)).ok_or_else(unknown)?)
                }
            },
        };
        Ok(Self { code, modifiers })
    }
}

/// Which key means which action, where; made once at start.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: HashMap<(Scope, Mode, Key), Action>,
    keys: HashMap<&'static str, Vec<Key>>,
}

impl Keymap {
    /// The keys of the action table, nothing changed.
    pub fn defaults() -> Self {
        Self::with_overrides(&HashMap::new()).0
    }

    /// Reads `keys.toml` (`action-id = "key"` or `action-id = ["key", "key"]`) over the defaults.
    ///
    /// What cannot be used is named, one line each, and the default stays; the rest counts.
    pub fn from_toml(text: &str) -> (Self, Vec<String>) {
        let mut notices = Vec::new();
        let mut overrides = HashMap::new();
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                notices.push(format!("keys.toml is not read, the default keys stay: {}", error.message()));
                return (Self::defaults(), notices);
            }
        };
        for (id, value) in &table {
            let Some(spec) = all_specs().find(|spec| spec.id == id) else {
                notices.push(format!("keys.toml: there is no action \"{id}\"; press ? for the list"));
                continue;
            };
            let spellings: Option<Vec<&str>> = match value {
                toml::Value::String(one) => Some(vec![one]),
                toml::Value::Array(many) => many.iter().map(toml::Value::as_str).collect(),
                _ => None,
            };
            let Some(spellings) = spellings else {
                notices.push(format!("keys.toml: {id} must be a key or a list of keys, in quotes"));
                continue;
            };
            match spellings.into_iter().map(str::parse).collect::<Result<Vec<Key>, UnknownKey>>() {
                Ok(keys) => drop(overrides.insert(spec.id, keys)),
                Err(error) => notices.push(format!("keys.toml: {id}: {error}")),
            }
        }
        let (keymap, conflicts) = Self::with_overrides(&overrides);
        notices.extend(conflicts);
        (keymap, notices)
    }

    /// Lays overrides over the defaults. Where two actions claim one key the user's choice wins, then the earlier one
    /// in the table, and the conflict is named.
    fn with_overrides(overrides: &HashMap<&'static str, Vec<Key>>) -> (Self, Vec<String>) {
        let mut bindings: HashMap<(Scope, Mode, Key), &Spec> = HashMap::new();
        let mut keys: HashMap<&'static str, Vec<Key>> = HashMap::new();
        let mut conflicts = Vec::new();
        let (chosen, untouched): (Vec<&Spec>, Vec<&Spec>) = all_specs().partition(|s| overrides.contains_key(s.id));
        for spec in chosen.into_iter().chain(untouched) {
            let wanted = overrides.get(spec.id).map_or(spec.keys, Vec::as_slice);
            for &key in wanted {
                let taken = bindings.get(&(spec.scope, spec.mode, key)).or_else(|| shadowed(&bindings, spec, key));
                if let Some(other) = taken {
                    conflicts
                        .push(format!("key {key} is wanted by {} and {}; {} keeps it", other.id, spec.id, other.id));
                    continue;
                }
                bindings.insert((spec.scope, spec.mode, key), spec);
                keys.entry(spec.id).or_default().push(key);
            }
        }
        let bindings = bindings.into_iter().map(|(place, spec)| (place, spec.action)).collect();
        (Self { bindings, keys }, conflicts)
    }

    /// The action that a key stands for in one pane and mode: the pane's own first, then, unless the mode holds the
    /// keyboard for itself, the ones that work everywhere.
    pub fn lookup(&self, scope: Scope, mode: Mode, key: Key) -> Option<Action> {
        let own = self.bindings.get(&(scope, mode, key));
        let everywhere = || match mode {
            Mode::BROWSE => self.bindings.get(&(Scope::Everywhere, Mode::BROWSE, key)),
            _ => None,
        };
        own.or_else(everywhere).copied()
    }

    /// The keys that an action has in this session, first the one to show.
    pub fn keys_of(&self, id: &str) -> &[Key] {
        self.keys.get(id).map_or(&[], Vec::as_slice)
    }
}

/// A binding of the other level (pane against everywhere) that would hide this one or be hidden by it.
fn shadowed<'a>(
    bindings: &'a HashMap<(Scope, Mode, Key), &'static Spec>,
    spec: &Spec,
    key: Key,
) -> Option<&'a &'static Spec> {
    if spec.mode != Mode::BROWSE {
        return None;
    }
    match spec.scope {
        Scope::Everywhere => {
            bindings.iter().find(|((_, mode, k), _)| *mode == Mode::BROWSE && *k == key).map(|(_, other)| other)
        }
        Scope::Pane(_) => bindings.get(&(Scope::Everywhere, Mode::BROWSE, key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::GlobalAction;
    use crate::tui::panes::PaneId;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_read_back_as_it_is_written() {
        for spelling in ["n", "U", "ctrl-u", "alt-x", "space", "enter", "left", "f5", "-", "ctrl--", "shift-up", "?"] {
            assert_eq!(spelling.parse::<Key>().unwrap().to_string(), spelling);
        }
        assert_eq!("shift-u".parse::<Key>().unwrap(), Key::char('U'));
        assert!("".parse::<Key>().is_err());
        assert!("ctrl-".parse::<Key>().is_err());
        assert!("f99".parse::<Key>().is_err());
    }

    #[test]
    fn the_defaults_have_no_conflicts() {
        assert_eq!(Keymap::with_overrides(&HashMap::new()).1, Vec::<String>::new());
    }

    #[test]
    fn an_override_changes_one_action_and_leaves_the_rest() {
        let (keymap, notices) = Keymap::from_toml("quit = [\"Q\", \"f10\"]");
        assert_eq!(notices, Vec::<String>::new());
        let scope = Scope::Pane(PaneId::Label);
        let quit = Some(Action::Global(GlobalAction::Quit));
        assert_eq!(keymap.lookup(scope, Mode::BROWSE, Key::char('Q')), quit);
        assert_eq!(keymap.lookup(scope, Mode::BROWSE, Key::char('q')), None);
        let help = Some(Action::Global(GlobalAction::Help));
        assert_eq!(keymap.lookup(scope, Mode::BROWSE, Key::char('?')), help);
    }

    #[test]
    fn conflicts_unknown_actions_and_unreadable_keys_are_named() {
        let (keymap, notices) = Keymap::from_toml("quit = \"?\"\nfly = \"f\"\nhelp = [\"hyper-x\"]\npalette = 3");
        assert_eq!(notices.len(), 4, "{notices:#?}");
        assert!(notices.iter().any(|n| n.contains("wanted by quit and help")));
        assert!(notices.iter().any(|n| n.contains("no action \"fly\"")));
        let scope = Scope::Pane(PaneId::Label);
        let quit = Some(Action::Global(GlobalAction::Quit));
        assert_eq!(keymap.lookup(scope, Mode::BROWSE, Key::char('?')), quit);
    }

    #[test]
    fn a_broken_file_leaves_every_default() {
        let (keymap, notices) = Keymap::from_toml("quit = [");
        assert_eq!(notices.len(), 1);
        assert_eq!(keymap.keys_of("quit"), Keymap::defaults().keys_of("quit"));
    }

    proptest! {
        #[test]
        fn no_spelling_panics(text in ".{0,12}") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
            }
        }
    }
}
