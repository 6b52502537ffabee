//! What the user can ask of the Review pane.

use crossterm::event::KeyCode;

use crate::tui::action::{self, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// It is being chosen which trouble is listed.
pub const TROUBLE: Mode = Mode("trouble");

/// What the user can ask of the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The next item.
    Next,
    /// The item before.
    Previous,
    /// A page of items down.
    PageDown,
    /// A page of items up.
    PageUp,
    /// The first item.
    First,
    /// The last item.
    Last,
    /// The next undecided item.
    NextOpen,
    /// The next kind: rationales, pairs, thoughts.
    NextKind,
    /// The kind before.
    PreviousKind,
    /// Further down in the item.
    ScrollDown,
    /// Further up in the item.
    ScrollUp,
    /// Show the pending ones only, or all.
    TogglePending,
    /// Choose which trouble is listed.
    Troubles,
    /// List the trouble of this digit.
    Trouble(u8),
    /// List everything.
    AllTroubles,
    /// Give up choosing.
    Cancel,
    /// List what holds some words.
    Search,
    /// Leave nothing out.
    Back,
    /// It is good.
    Accept,
    /// It is good once changed.
    Edit,
    /// It is not good.
    Reject,
    /// Take the last decision back.
    Undo,
    /// Everything of this kind that shows no trouble is good, once a sample was looked at.
    AcceptTroubleFree,
    /// The teacher is to be asked for the rationale once more.
    AskAgain,
    /// The rejected side of the pair is to be changed.
    EditRejected,
    /// The sides of the pair change places.
    Swap,
    /// The step in hand holds.
    Right,
    /// The step in hand does not hold.
    Wrong,
    /// Nothing is said of the step in hand any more.
    Unjudged,
    /// The step in hand is the first wrong one.
    FirstWrong,
    /// The step below.
    NextStep,
    /// The step above.
    PreviousStep,
    /// Mark words that the log does not have, too.
    Words,
    /// Show the shared steps of a pair, or fold them.
    Prefix,
    /// Put the log on the clipboard.
    CopyLog,
    /// Show all thoughts on a map.
    OpenMap,
    /// List thoughts in the order in which each adds most to those before, or as they came.
    ByOrder,
    /// Something on the map.
    Map(super::thoughts::Action),
}

impl Action {
    /// Whether it moves from item to item and nothing else.
    pub(super) fn is_move(self) -> bool {
        matches!(self, Self::Next | Self::Previous | Self::PageDown | Self::PageUp | Self::First | Self::Last)
    }
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(action::Action::Review(action), id, PaneId::Review, keys, short, help)
}

const fn trouble(digit: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Trouble(digit), id, keys, "", "list only what is in the trouble of this number").during(TROUBLE)
}

const ENTER: Key = Key::code(KeyCode::Enter);
const ESC: Key = Key::code(KeyCode::Esc);

/// The pane's rows of the action table.
pub const ACTIONS: &[Spec] = &[
    row(Action::Accept, "review-accept", &[Key::char('a')], "accept", "accept the item and go to the next pending one"),
    row(Action::Edit, "review-edit", &[Key::char('e')], "edit", "edit the item; saving accepts it as edited"),
    row(Action::Reject, "review-reject", &[Key::char('r')], "reject", "reject the item, with a reason"),
    row(Action::Undo, "review-undo", &[Key::char('u')], "undo", "take back your last decision"),
    row(
        Action::FirstWrong,
        "review-first-wrong",
        &[Key::char('w')],
        "first wrong",
        "the step in hand is the first wrong one: those before it are right",
    ),
    row(Action::Troubles, "review-troubles", &[Key::char('t')], "trouble", "choose which trouble is listed"),
    row(Action::NextOpen, "review-next-open", &[Key::char('n')], "next open", "go to the next undecided item"),
    row(Action::Search, "review-search", &[Key::char('/')], "search", "list only what holds these words"),
    row(
        Action::NextKind,
        "review-next-kind",
        &[Key::code(KeyCode::Right), Key::char('l')],
        "kind",
        "go on to pairs, thoughts, rationales",
    ),
    row(
        Action::PreviousKind,
        "review-previous-kind",
        &[Key::code(KeyCode::Left), Key::char('h')],
        "",
        "go back to rationales, pairs, thoughts",
    ),
    row(
        Action::ScrollDown,
        "review-scroll-down",
        &[Key::char(' '), Key::code(KeyCode::PageDown)],
        "scroll",
        "read further down in the item",
    ),
    row(
        Action::ScrollUp,
        "review-scroll-up",
        &[Key::char('b'), Key::code(KeyCode::PageUp)],
        "",
        "read further up in the item",
    ),
    row(
        Action::Right,
        "review-step-right",
        &[Key::char('+'), Key::char('=')],
        "right",
        "the step in hand is right; go to the next",
    ),
    row(Action::Wrong, "review-step-wrong", &[Key::char('-')], "wrong", "the step in hand is wrong; go to the next"),
    row(Action::Unjudged, "review-step-unjudged", &[Key::char('0')], "", "say nothing of the step in hand any more"),
    row(Action::NextStep, "review-next-step", &[Key::char(']')], "step", "go to the next step"),
    row(Action::PreviousStep, "review-previous-step", &[Key::char('[')], "", "go to the step before"),
    row(
        Action::TogglePending,
        "review-pending",
        &[Key::char('p')],
        "pending",
        "list only what is undecided, or everything",
    ),
    row(Action::Back, "review-show-all", &[ESC], "", "list everything again"),
    row(Action::Next, "review-next", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the next item"),
    row(Action::Previous, "review-previous", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the item before"),
    row(Action::PageDown, "review-page-down", &[Key::ctrl('f')], "", "go a page of items down"),
    row(Action::PageUp, "review-page-up", &[Key::ctrl('b')], "", "go a page of items up"),
    row(Action::First, "review-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first item"),
    row(Action::Last, "review-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last item"),
    row(
        Action::AcceptTroubleFree,
        "review-accept-trouble-free",
        &[Key::char('A')],
        "accept rest",
        "accept what shows no trouble, once a sample of it was looked at",
    ),
    row(
        Action::AskAgain,
        "review-ask-again",
        &[Key::char('R')],
        "ask again",
        "ask the teacher for the rationale once more, with a hint",
    ),
    row(
        Action::EditRejected,
        "review-edit-rejected",
        &[Key::char('E')],
        "",
        "edit the rejected side of a pair; saving accepts it as edited",
    ),
    row(
        Action::Swap,
        "review-swap",
        &[Key::char('s')],
        "",
        "have the sides of a pair change places; that accepts it so",
    ),
    row(Action::Words, "review-words", &[Key::char('v')], "", "mark words that the log does not have too, or not"),
    row(Action::Prefix, "review-prefix", &[Key::char('o')], "", "show the shared steps of a pair, or fold them"),
    row(
        Action::OpenMap,
        "review-map",
        &[Key::char('m')],
        "map",
        "show all thoughts on a map, near to what means the same",
    ),
    row(
        Action::ByOrder,
        "review-by-order",
        &[Key::char('D')],
        "",
        "list thoughts in the order in which each adds most to those before, or as they came",
    ),
    row(Action::CopyLog, "review-copy", &[Key::char('y')], "", "copy the log to the clipboard"),
    trouble(1, "review-trouble-1", &[Key::char('1')]),
    trouble(2, "review-trouble-2", &[Key::char('2')]),
    trouble(3, "review-trouble-3", &[Key::char('3')]),
    trouble(4, "review-trouble-4", &[Key::char('4')]),
    trouble(5, "review-trouble-5", &[Key::char('5')]),
    trouble(6, "review-trouble-6", &[Key::char('6')]),
    trouble(7, "review-trouble-7", &[Key::char('7')]),
    trouble(8, "review-trouble-8", &[Key::char('8')]),
    trouble(9, "review-trouble-9", &[Key::char('9')]),
    row(Action::AllTroubles, "review-trouble-all", &[Key::char('0'), ENTER], "everything", "list everything")
        .during(TROUBLE),
    row(Action::Cancel, "review-trouble-cancel", &[ESC], "give up", "leave the list as it is").during(TROUBLE),
];
