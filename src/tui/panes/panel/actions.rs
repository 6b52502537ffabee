//! The Panel pane's rows of the action table.

use crossterm::event::KeyCode;

use crate::tui::action::{Action as Any, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// A category is being chosen for an abnormal vote or ruling.
pub const CATEGORY: Mode = Mode("category in the panel");

/// What a member of the panel, or a senior, can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Vote normal in the panel round.
    VoteNormal,
    /// Vote abnormal in the panel round; asks for the category.
    VoteAbnormal,
    /// Vote unsure in the panel round.
    VoteUnsure,
    /// Skip in the panel round.
    VoteSkip,
    /// Take back one's last vote in the panel round.
    UndoVote,
    /// Comment on the template.
    Comment,
    /// Rule normal; asks for the reason next.
    RuleNormal,
    /// Rule abnormal; asks for the category, then the reason.
    RuleAbnormal,
    /// Take back one's last ruling.
    UndoRuling,
    /// Choose the category of this digit.
    Category(u8),
    /// Abnormal without a category.
    NoCategory,
    /// Give up choosing: no vote and no ruling.
    Cancel,
    /// Close the round that is open.
    CloseRound,
    /// Open the round that was closed last.
    OpenRound,
    /// Show or hide who said what, for seniors.
    Names,
    /// To the next view.
    NextView,
    /// To the view before.
    PreviousView,
    /// Figures of the other round.
    OtherRound,
    /// Write the correction patch.
    WritePatch,
    /// To the row below.
    Down,
    /// To the row above.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// A row further in what is told about the selected row.
    DetailDown,
    /// A row back there.
    DetailUp,
    /// To the next case that waits for a vote or a ruling.
    NextOpen,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(Any::Panel(action), id, PaneId::Panel, keys, short, help)
}

const fn category(digit: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Category(digit), id, keys, "", "choose the category of this number").during(CATEGORY)
}

/// The pane's rows.
pub const ACTIONS: &[Spec] = &[
    row(Action::VoteNormal, "panel-vote-normal", &[Key::char('n')], "normal", "vote normal in the panel round"),
    row(
        Action::VoteAbnormal,
        "panel-vote-abnormal",
        &[Key::char('a')],
        "abnormal",
        "vote abnormal in the panel round, with a category",
    ),
    row(Action::RuleNormal, "panel-rule-normal", &[Key::char('N')], "rule normal", "rule normal, with a reason"),
    row(
        Action::RuleAbnormal,
        "panel-rule-abnormal",
        &[Key::char('A')],
        "rule abnormal",
        "rule abnormal, with a category and a reason",
    ),
    row(
        Action::NextView,
        "panel-next-view",
        &[Key::char('v')],
        "view",
        "show the next of cases, agreement, Table 1, corrections",
    ),
    row(Action::Comment, "panel-comment", &[Key::char('c')], "comment", "comment on the template, under your letter"),
    row(Action::NextOpen, "panel-next-open", &[Key::char(' ')], "next open", "go to the next case that waits for you"),
    row(Action::UndoVote, "panel-undo-vote", &[Key::char('z')], "undo", "take back your last vote in the panel round"),
    row(Action::UndoRuling, "panel-undo-ruling", &[Key::char('U')], "", "take back your last ruling"),
    row(Action::VoteUnsure, "panel-vote-unsure", &[Key::char('u')], "", "vote unsure in the panel round"),
    row(Action::VoteSkip, "panel-vote-skip", &[Key::char('s')], "", "skip in the panel round"),
    row(
        Action::CloseRound,
        "panel-close-round",
        &[Key::char('C')],
        "close round",
        "close the round that is open, as a senior",
    ),
    row(
        Action::OpenRound,
        "panel-open-round",
        &[Key::char('O')],
        "",
        "open the round again that was closed last, as a senior",
    ),
    row(
        Action::Names,
        "panel-names",
        &[Key::char('i')],
        "",
        "show or hide who said what, as a senior when the rounds are closed",
    ),
    row(Action::PreviousView, "panel-previous-view", &[Key::char('V')], "", "show the view before"),
    row(Action::OtherRound, "panel-other-round", &[Key::char('r')], "", "show the agreement of the other round"),
    row(
        Action::WritePatch,
        "panel-write-patch",
        &[Key::char('w')],
        "write patch",
        "write the correction patch to a file, as JSON or CSV",
    ),
    row(Action::Down, "panel-down", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the row below"),
    row(Action::Up, "panel-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the row above"),
    row(Action::PageDown, "panel-page-down", &[Key::code(KeyCode::PageDown), Key::ctrl('f')], "", "go a page down"),
    row(Action::PageUp, "panel-page-up", &[Key::code(KeyCode::PageUp), Key::ctrl('b')], "", "go a page up"),
    row(Action::First, "panel-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first row"),
    row(Action::Last, "panel-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last row"),
    row(Action::DetailDown, "panel-detail-down", &[Key::char('J')], "", "go on in the votes and comments"),
    row(Action::DetailUp, "panel-detail-up", &[Key::char('K')], "", "go back in the votes and comments"),
    category(1, "panel-category-1", &[Key::char('1')]),
    category(2, "panel-category-2", &[Key::char('2')]),
    category(3, "panel-category-3", &[Key::char('3')]),
    category(4, "panel-category-4", &[Key::char('4')]),
    category(5, "panel-category-5", &[Key::char('5')]),
    category(6, "panel-category-6", &[Key::char('6')]),
    category(7, "panel-category-7", &[Key::char('7')]),
    category(8, "panel-category-8", &[Key::char('8')]),
    category(9, "panel-category-9", &[Key::char('9')]),
    row(
        Action::NoCategory,
        "panel-category-none",
        &[Key::char('0'), Key::code(KeyCode::Enter)],
        "no category",
        "call it abnormal without a category",
    )
    .during(CATEGORY),
    row(
        Action::Cancel,
        "panel-category-cancel",
        &[Key::code(KeyCode::Esc)],
        "give up",
        "choose no category: no vote and no ruling",
    )
    .during(CATEGORY),
];
