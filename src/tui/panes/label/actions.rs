//! The Label pane's rows of the action table.

use crossterm::event::KeyCode;

use crate::tui::action::{Action as Any, Mode, Spec, spec};
use crate::tui::keys::Key;
use crate::tui::panes::PaneId;

/// A category is being chosen for something abnormal.
pub const CATEGORY: Mode = Mode("category");
/// The order of the queue is being chosen.
pub const ORDER: Mode = Mode("order");
/// Templates that are to be decided together are being looked through.
pub const BATCH: Mode = Mode("together");

/// What an annotator can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Vote normal.
    Normal,
    /// Vote abnormal; asks for the category next.
    Abnormal,
    /// Choose the category of this digit.
    Category(u8),
    /// Vote abnormal without a category.
    NoCategory,
    /// Give up choosing: no vote, the same order.
    Cancel,
    /// Vote unsure.
    Unsure,
    /// Put the template aside.
    Skip,
    /// Raise or lower one's flag on the template.
    Flag,
    /// Take back the last decision.
    Undo,
    /// Cast again what was taken back.
    Redo,
    /// Add words to the vote.
    Comment,
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
    /// To the next template without a vote of one's own.
    NextOpen,
    /// Show only the templates that hold some words.
    Filter,
    /// Show only the templates that have some letters in order, the best first.
    Fuzzy,
    /// Show all templates again; leave what is to be decided together.
    Back,
    /// Choose the order of the queue.
    Order,
    /// Choose the order of this digit.
    OrderBy(u8),
    /// Mark the row, or tick it, and go on.
    Mark,
    /// Tick all rows of the batch, or none.
    MarkAll,
    /// Show the template's near-duplicates, to decide together.
    NearDuplicates,
    /// Show the marked rows, to decide together.
    Marked,
    /// To the template's next occurrence.
    NextOccurrence,
    /// To the occurrence before.
    PreviousOccurrence,
    /// More lines around the occurrence.
    MoreLines,
    /// Fewer lines around the occurrence.
    FewerLines,
    /// Only lines of the occurrence's node, or all.
    SameNode,
    /// Read the project's guidelines.
    Guidelines,
    /// Read what was done in this session.
    Summary,
    /// Open the trace of the contested verdict.
    OpenTrace,
    /// Copy the template's text.
    Copy,
}

const fn row(action: Action, id: &'static str, keys: &'static [Key], short: &'static str, help: &'static str) -> Spec {
    spec(Any::Label(action), id, PaneId::Label, keys, short, help)
}

const fn category(digit: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::Category(digit), id, keys, "", "choose the category of this number").during(CATEGORY)
}

const fn order(digit: u8, id: &'static str, keys: &'static [Key]) -> Spec {
    row(Action::OrderBy(digit), id, keys, "", "choose the order of this number").during(ORDER)
}

const ENTER: Key = Key::code(KeyCode::Enter);
const ESC: Key = Key::code(KeyCode::Esc);

/// The pane's rows.
pub const ACTIONS: &[Spec] = &[
    row(Action::Normal, "label-normal", &[Key::char('n')], "normal", "vote normal"),
    row(Action::Abnormal, "label-abnormal", &[Key::char('a')], "abnormal", "vote abnormal, then choose a category"),
    row(Action::Unsure, "label-unsure", &[Key::char('u')], "unsure", "vote unsure"),
    row(Action::Skip, "label-skip", &[Key::char('s')], "skip", "put the template aside"),
    row(Action::Undo, "label-undo", &[Key::char('z'), Key::char('U')], "undo", "take back your last decision"),
    row(
        Action::NextOpen,
        "label-next-open",
        &[Key::char(' ')],
        "next open",
        "go to the next template without your vote",
    ),
    row(
        Action::NearDuplicates,
        "label-near-duplicates",
        &[Key::char('d')],
        "near-dups",
        "list the near-duplicates, to decide together",
    ),
    row(Action::Redo, "label-redo", &[Key::char('Z'), Key::ctrl('r')], "redo", "cast again what you took back"),
    row(Action::Filter, "label-filter", &[Key::char('/')], "filter", "show only templates with these words"),
    row(Action::Order, "label-order", &[Key::char('o')], "order", "choose the order of the queue"),
    row(Action::Flag, "label-flag", &[Key::char('f')], "flag", "raise or lower your flag on the template"),
    row(Action::Comment, "label-comment", &[Key::char('c')], "comment", "add a comment to your vote"),
    row(
        Action::Fuzzy,
        "label-fuzzy",
        &[Key::char(';')],
        "fuzzy",
        "show only templates with these letters in order, best first",
    ),
    row(Action::Guidelines, "label-guidelines", &[Key::char('i')], "guidelines", "read the project's guidelines"),
    row(Action::Mark, "label-mark", &[Key::char('x')], "mark", "mark the row and go on"),
    row(Action::Marked, "label-marked", &[Key::char('b')], "marked", "list the marked rows, to decide together"),
    row(Action::Back, "label-clear-filter", &[ESC], "", "show all templates again; unmark all"),
    row(Action::NextOccurrence, "label-next-occurrence", &[Key::char(']')], "", "go to the next occurrence"),
    row(Action::PreviousOccurrence, "label-previous-occurrence", &[Key::char('[')], "", "go to the occurrence before"),
    row(Action::MoreLines, "label-more-lines", &[Key::char('+'), Key::char('=')], "", "show more lines around it"),
    row(Action::FewerLines, "label-fewer-lines", &[Key::char('-')], "", "show fewer lines around it"),
    row(Action::SameNode, "label-same-node", &[Key::char('m')], "", "show only lines of its node, or of all"),
    row(Action::Summary, "label-summary", &[Key::char('S')], "", "read what you did in this session"),
    row(
        Action::OpenTrace,
        "label-open-trace",
        &[Key::char('t')],
        "",
        "open the trace of the contested verdict in Reason",
    ),
    row(Action::Down, "label-down", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the template below"),
    row(Action::Up, "label-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the template above"),
    row(Action::PageDown, "label-page-down", &[Key::code(KeyCode::PageDown), Key::ctrl('f')], "", "go a page down"),
    row(Action::PageUp, "label-page-up", &[Key::code(KeyCode::PageUp), Key::ctrl('b')], "", "go a page up"),
    row(Action::First, "label-first", &[Key::code(KeyCode::Home), Key::char('g')], "", "go to the first template"),
    row(Action::Last, "label-last", &[Key::code(KeyCode::End), Key::char('G')], "", "go to the last template"),
    row(Action::Copy, "label-copy", &[Key::char('y')], "", "copy the template's text"),
    category(1, "label-category-1", &[Key::char('1')]),
    category(2, "label-category-2", &[Key::char('2')]),
    category(3, "label-category-3", &[Key::char('3')]),
    category(4, "label-category-4", &[Key::char('4')]),
    category(5, "label-category-5", &[Key::char('5')]),
    category(6, "label-category-6", &[Key::char('6')]),
    category(7, "label-category-7", &[Key::char('7')]),
    category(8, "label-category-8", &[Key::char('8')]),
    category(9, "label-category-9", &[Key::char('9')]),
    row(
        Action::NoCategory,
        "label-category-none",
        &[Key::char('0'), ENTER],
        "no category",
        "vote abnormal without a category",
    )
    .during(CATEGORY),
    row(Action::Cancel, "label-category-cancel", &[ESC], "give up", "choose no category and cast no vote")
        .during(CATEGORY),
    order(1, "label-order-1", &[Key::char('1')]),
    order(2, "label-order-2", &[Key::char('2')]),
    order(3, "label-order-3", &[Key::char('3')]),
    order(4, "label-order-4", &[Key::char('4')]),
    order(5, "label-order-5", &[Key::char('5')]),
    order(6, "label-order-6", &[Key::char('6')]),
    order(7, "label-order-7", &[Key::char('7')]),
    order(8, "label-order-8", &[Key::char('8')]),
    order(9, "label-order-9", &[Key::char('9')]),
    row(Action::Cancel, "label-order-cancel", &[ESC, ENTER], "keep the order", "keep the order").during(ORDER),
    row(Action::Normal, "label-together-normal", &[Key::char('n')], "normal", "vote normal on all ticked")
        .during(BATCH),
    row(
        Action::Abnormal,
        "label-together-abnormal",
        &[Key::char('a')],
        "abnormal",
        "vote abnormal on all ticked, then choose a category",
    )
    .during(BATCH),
    row(Action::Unsure, "label-together-unsure", &[Key::char('u')], "unsure", "vote unsure on all ticked")
        .during(BATCH),
    row(Action::Skip, "label-together-skip", &[Key::char('s')], "skip", "put all ticked aside").during(BATCH),
    row(
        Action::Mark,
        "label-together-tick",
        &[Key::char('x'), Key::char(' ')],
        "tick",
        "tick or untick the row and go on",
    )
    .during(BATCH),
    row(Action::MarkAll, "label-together-tick-all", &[Key::char('*')], "all", "tick all rows, or none").during(BATCH),
    row(Action::Back, "label-together-leave", &[ESC, Key::char('q')], "leave", "decide nothing together").during(BATCH),
    row(Action::Down, "label-together-down", &[Key::code(KeyCode::Down), Key::char('j')], "", "go to the row below")
        .during(BATCH),
    row(Action::Up, "label-together-up", &[Key::code(KeyCode::Up), Key::char('k')], "", "go to the row above")
        .during(BATCH),
    row(
        Action::PageDown,
        "label-together-page-down",
        &[Key::code(KeyCode::PageDown), Key::ctrl('f')],
        "",
        "go a page of rows down",
    )
    .during(BATCH),
    row(
        Action::PageUp,
        "label-together-page-up",
        &[Key::code(KeyCode::PageUp), Key::ctrl('b')],
        "",
        "go a page of rows up",
    )
    .during(BATCH),
];
