//! The one table of actions: from it come the keymap, the footer, the help, the palette and the README's list of keys.
//!
//! Global actions stand here; each pane keeps its own rows beside the code that carries them out
//! (`panes/<pane>/actions.rs`), and [`all_specs`] strings them together.

use std::fmt::Write as _;

use super::keys::Key;
use super::panes::{PaneId, evaluate, label, panel, reason, review, train};

/// Everything that a key or the palette can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Works in every pane.
    Global(GlobalAction),
    /// Label pane.
    Label(label::Action),
    /// Panel pane.
    Panel(panel::Action),
    /// Review pane.
    Review(review::Action),
    /// Train pane.
    Train(train::Action),
    /// Reason pane.
    Reason(reason::Action),
    /// Evaluate pane.
    Evaluate(evaluate::Action),
}

/// The actions that work in every pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalAction {
    /// Show another pane.
    Show(PaneId),
    /// Show the next pane, from the last the first.
    NextPane,
    /// Show the pane before, from the first the last.
    PreviousPane,
    /// Open or close the full list of keys.
    Help,
    /// Search all actions by name.
    Palette,
    /// Draw everything again.
    Redraw,
    /// Stop the program for the shell; `fg` brings it back.
    Suspend,
    /// Leave the workbench.
    Quit,
}

/// Where an action works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In every pane.
    Everywhere,
    /// In one pane only.
    Pane(PaneId),
}

/// What a pane is in the middle of. In any mode but [`Mode::BROWSE`] only that mode's own keys work (and Ctrl-C), so a
/// digit can mean a category while one is being chosen, and a pane otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode(pub &'static str);

impl Mode {
    /// Nothing pending: the pane's keys and the global ones work.
    pub const BROWSE: Self = Self("browse");
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What happens.
    pub action: Action,
    /// Kebab-case name, as in `keys.toml` and the palette.
    pub id: &'static str,
    /// Where it works.
    pub scope: Scope,
    /// During what it works.
    pub mode: Mode,
    /// Default keys, first the one to show.
    pub keys: &'static [Key],
    /// One or two words for the footer; empty keeps it out of there.
    pub short: &'static str,
    /// A sentence part for help and palette, starting with a verb.
    pub help: &'static str,
}

/// A row for a pane's table: browse mode; see [`Spec::during`] for another.
pub const fn spec(
    action: Action,
    id: &'static str,
    pane: PaneId,
    keys: &'static [Key],
    short: &'static str,
    help: &'static str,
) -> Spec {
    Spec { action, id, scope: Scope::Pane(pane), mode: Mode::BROWSE, keys, short, help }
}

impl Spec {
    /// The same row, working during another mode than browsing.
    pub const fn during(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

const fn global(
    action: GlobalAction,
    id: &'static str,
    keys: &'static [Key],
    short: &'static str,
    help: &'static str,
) -> Spec {
    Spec { action: Action::Global(action), id, scope: Scope::Everywhere, mode: Mode::BROWSE, keys, short, help }
}

use crossterm::event::KeyCode;

/// The footer's word for the help, which always finds room there.
pub const HELP_WORD: &str = "help";

/// The rows that work in every pane.
const GLOBAL: &[Spec] = &[
    global(GlobalAction::Help, "help", &[Key::char('?'), Key::code(KeyCode::F(1))], HELP_WORD, "show all keys"),
    global(GlobalAction::Palette, "palette", &[Key::char(':')], "palette", "search all actions by name"),
    global(GlobalAction::Quit, "quit", &[Key::char('q'), Key::ctrl('c')], "quit", "leave the workbench"),
    global(GlobalAction::Show(PaneId::Label), "pane-label", &[Key::char('1')], "", "go to Label: vote on templates"),
    global(
        GlobalAction::Show(PaneId::Panel),
        "pane-panel",
        &[Key::char('2')],
        "",
        "go to Panel: agreement and rulings",
    ),
    global(GlobalAction::Show(PaneId::Review), "pane-review", &[Key::char('3')], "", "go to Review: accept reasoning"),
    global(GlobalAction::Show(PaneId::Train), "pane-train", &[Key::char('4')], "", "go to Train: fine-tune the model"),
    global(
        GlobalAction::Show(PaneId::Reason),
        "pane-reason",
        &[Key::char('5')],
        "",
        "go to Reason: step through a verdict",
    ),
    global(
        GlobalAction::Show(PaneId::Evaluate),
        "pane-evaluate",
        &[Key::char('6')],
        "",
        "go to Evaluate: score the model",
    ),
    global(GlobalAction::NextPane, "pane-next", &[Key::code(KeyCode::Tab)], "", "go to the next pane"),
    global(GlobalAction::PreviousPane, "pane-previous", &[Key::code(KeyCode::BackTab)], "", "go to the previous pane"),
    global(GlobalAction::Redraw, "redraw", &[Key::ctrl('l')], "", "draw the screen again"),
    global(GlobalAction::Suspend, "suspend", &[Key::ctrl('z')], "", "stop for the shell; fg comes back"),
];

/// Every action there is: the global ones, then pane by pane.
pub fn all_specs() -> impl Iterator<Item = &'static Spec> {
    [
        GLOBAL,
        label::ACTIONS,
        panel::ACTIONS,
        review::ACTIONS,
        review::MAP_ACTIONS,
        train::ACTIONS,
        reason::ACTIONS,
        evaluate::ACTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The actions that work now: the pane's in this mode, then, when it is only browsing, the global ones.
pub fn specs_for(pane: PaneId, mode: Mode) -> impl Iterator<Item = &'static Spec> {
    let own = all_specs().filter(move |s| s.scope == Scope::Pane(pane) && s.mode == mode);
    let everywhere = all_specs().filter(move |s| s.scope == Scope::Everywhere && mode == Mode::BROWSE);
    own.chain(everywhere)
}

/// Rows that do the same for one key after another (the digits of the categories), put together; others stand alone.
pub fn runs(specs: impl Iterator<Item = &'static Spec>) -> Vec<Vec<&'static Spec>> {
    let mut runs: Vec<Vec<&Spec>> = Vec::new();
    for spec in specs {
        match runs.last_mut().filter(|run| run.iter().all(|s| s.help == spec.help && s.mode == spec.mode)) {
            Some(run) => run.push(spec),
            None => runs.push(vec![spec]),
        }
    }
    runs
}

/// The keys of a run: all of them, or the first and the last of many.
pub fn run_keys(run: &[&Spec], keys_of: impl Fn(&Spec) -> Vec<Key>) -> Vec<String> {
    let keys: Vec<String> = run.iter().flat_map(|spec| keys_of(spec)).map(|key| key.to_string()).collect();
    match &keys[..] {
        [first, .., last] if run.len() > 1 => vec![first.clone(), "..".to_owned(), last.clone()],
        _ => keys,
    }
}

/// Each scope that has actions, with its heading.
fn scopes() -> impl Iterator<Item = (&'static str, Vec<&'static Spec>)> {
    let headings =
        std::iter::once(("Everywhere", Scope::Everywhere)).chain(PaneId::ALL.map(|p| (p.title(), Scope::Pane(p))));
    headings.map(|(heading, scope)| (heading, all_specs().filter(move |s| s.scope == scope).collect()))
}

/// The list of default keys as the README has it: a heading and a Markdown table for each pane.
pub fn markdown() -> String {
    let mut text = String::new();
    for (heading, specs) in scopes() {
        let _ = writeln!(text, "**{heading}**\n\n| key | does | name |\n| --- | --- | --- |");
        for run in runs(specs.into_iter()) {
            let keys = run_keys(&run, |spec| spec.keys.to_vec());
            let keys: Vec<String> = keys.iter().map(|k| if k == ".." { k.clone() } else { code(k) }).collect();
            let name = match run[..] {
                [only] => code(only.id),
                [first, .., last] => format!("{} .. {}", code(first.id), code(last.id)),
                [] => continue,
            };
            let _ = writeln!(text, "| {} | {} | {name} |", keys.join(" "), run[0].help);
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// A word in a Markdown table as code.
fn code(word: &str) -> String {
    format!("`{}`", word.replace('|', "\\|"))
}

/// All default keys as a `keys.toml`, to copy lines from.
pub fn default_keys_toml() -> String {
    let mut text = "# The default keys of every action. Copy the lines that you want to change to keys.toml in the configuration\n\
        # folder (~/.config/logwright on Linux); all others stay as they are.\n"
        .to_owned();
    for (heading, specs) in scopes() {
        let _ = writeln!(text, "\n# {heading}");
        for spec in specs {
            let keys: Vec<toml::Value> = spec.keys.iter().map(|key| key.to_string().into()).collect();
            let _ = writeln!(text, "{} = {}  # {}", spec.id, toml::Value::Array(keys), spec.help);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_action_has_a_kebab_case_name_of_its_own() {
        let mut seen = HashSet::new();
        for spec in all_specs() {
            assert!(seen.insert(spec.id), "{} stands twice in the table", spec.id);
            assert!(spec.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", spec.id);
            assert!(!spec.help.is_empty() && !spec.keys.is_empty(), "{} lacks help or a key", spec.id);
        }
    }

    #[test]
    fn the_file_of_default_keys_is_what_it_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/keys.toml");
        if std::env::var_os("LOGWRIGHT_UPDATE_KEYS").is_some() {
            std::fs::write(&path, default_keys_toml()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text == default_keys_toml(),
            "assets/keys.toml is old: LOGWRIGHT_UPDATE_KEYS=1 cargo test default_keys"
        );
        let (keymap, notices) = crate::tui::keys::Keymap::from_toml(&default_keys_toml());
        assert_eq!(notices, Vec::<String>::new());
        for spec in all_specs() {
            assert_eq!(keymap.keys_of(spec.id), spec.keys, "{}", spec.id);
        }
    }

    #[test]
    fn pane_actions_stand_in_the_scope_of_their_pane() {
        for spec in all_specs() {
            let expected = match spec.action {
                Action::Global(_) => Scope::Everywhere,
                Action::Label(_) => Scope::Pane(PaneId::Label),
                Action::Panel(_) => Scope::Pane(PaneId::Panel),
                Action::Review(_) => Scope::Pane(PaneId::Review),
                Action::Train(_) => Scope::Pane(PaneId::Train),
                Action::Reason(_) => Scope::Pane(PaneId::Reason),
                Action::Evaluate(_) => Scope::Pane(PaneId::Evaluate),
            };
            assert_eq!(spec.scope, expected, "{}", spec.id);
        }
    }
}
