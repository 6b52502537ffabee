//! Draws the Review pane: the kinds on top, the queue on the left, the item beside it.
//!
//! Moving the cursor changes the marks before two rows of the list and the number above it; the item follows once the
//! cursor rests. That is a few bytes on a slow line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::effects::Agreed;
use super::entry::Entry;
use super::item::{Look, label_style, lay_out, standing};
use super::listing::{Only, Row};
use super::state::{Doing, State};
use crate::labels::agreement::Estimate;
use crate::logs::SafeText;
use crate::reasoning::{ItemKind, Standing, Trouble, TruthSource};
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, digit_popup, fit, framed, notice, pad};

/// The row of an item in which its log, or a thought's challenge, begins.
const HEADLINE: usize = 1;

/// A label of so many bytes has room in the frame of its item.
const SHORT: usize = 16;

/// From this width of the list on, its rows have the word of where an item stands.
const WORDED: usize = 40;

/// From this height of an item on there is room for empty rows between its steps.
const AIRY: u16 = 36;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let [kinds, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(kinds_line(state, usize::from(area.width), theme), kinds);
    if let Some(why) = &state.failure {
        let why = format!("The queue cannot be read: {}", SafeText::one_line(why));
        return notice(frame, body, theme, &why);
    }
    if !state.loaded {
        return notice(frame, body, theme, "Reading the queue ...");
    }
    if state.map.is_open() {
        return super::thoughts::view(&state.map, theme, frame, body);
    }
    let list_width = match body.width {
        160.. => 64,
        120.. => 44,
        _ => 31,
    };
    let [left, right] = Layout::horizontal([Constraint::Length(list_width), Constraint::Min(0)]).areas(body);
    if state.list().rows.is_empty() {
        notice(frame, body, theme, &nothing(state));
    } else {
        view_list(state, theme, frame, left);
        if let Some(entry) = state.shown() {
            view_item(state, entry, shared, frame, right);
        }
    }
    if state.doing == Doing::Choosing {
        let names = state.troubles().into_iter();
        let names = names.map(|trouble| trouble_line(state, trouble)).collect();
        digit_popup(frame, body, " List which trouble? 0 everything ", names, theme);
    }
}

/// `[rationales 3/60] pairs 0/20 …  decided/all`
fn kinds_line(state: &State, width: usize, theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (index, kind) in ItemKind::ALL.into_iter().enumerate() {
        let number = |n: usize| count(n as u64);
        let text = format!("{kind}s {}/{}", number(state.decided(index)), number(state.queues[index].len()));
        spans.push(if index == state.kind {
            Span::styled(format!("[{text}]"), theme.accent)
        } else {
            Span::styled(format!(" {text} "), Style::new())
        });
    }
    let word = if state.board.reviewers > 1 { "  yours/all" } else { "  decided/all" };
    spans.push(Span::styled(word, theme.muted));
    let list = state.list();
    let mut listed = Vec::new();
    if list.pending {
        listed.push("undecided".to_owned());
    }
    match list.only {
        Only::All => {}
        Only::In(trouble) => listed.push(trouble_word(trouble).to_owned()),
        Only::Sample => listed.push("the sample".to_owned()),
    }
    if !list.words.is_empty() {
        listed.push(format!("\"{}\"", SafeText::one_line(&list.words)));
    }
    let mut push = |text: String, style| {
        let used: usize = spans.iter().map(Span::width).sum();
        spans.push(Span::styled(fit(&text, width.saturating_sub(used)), style));
    };
    if !listed.is_empty() {
        push(format!("; listed: {}", listed.join(", ")), theme.warning);
    }
    if let Some(Agreed { percent: Estimate { value: Ok(percent), n, .. }, alpha }) = state.agreement {
        let alpha = alpha.value.map_or_else(|_| "undefined".to_owned(), |alpha| format!("{alpha:.2}"));
        push(format!("; reviewers agree: {percent:.0} %, alpha {alpha}, n = {}", count(n)), theme.muted);
    }
    Line::from(spans)
}

fn trouble_word(trouble: Option<Trouble>) -> &'static str {
    trouble.map_or("no trouble", Trouble::as_str)
}

/// The words for a trouble where there is little room.
fn short_word(trouble: Option<Trouble>) -> &'static str {
    match trouble {
        Some(Trouble::AnswerMismatch) => "answer not the label",
        Some(Trouble::PrefixDiffers) => "sides part too early",
        Some(Trouble::GoldDivided) => "gold labels differ",
        Some(Trouble::Ungrounded) => "ungrounded claims",
        other => trouble_word(other),
    }
}

/// `malformed: 2 undecided of 5`
fn trouble_line(state: &State, trouble: Option<Trouble>) -> String {
    let (mut open, mut all) = (0_u64, 0_u64);
    for entry in state.queue().iter().filter(|entry| entry.is_in(trouble)) {
        all += 1;
        open += u64::from(entry.open);
    }
    format!("{}: {} undecided of {}", trouble_word(trouble), count(open), count(all))
}

fn nothing(state: &State) -> String {
    let kind = state.kind();
    if state.queue().is_empty() {
        format!("There are no {kind}s yet: bring them in with logwright import {kind}s FILE.")
    } else if state.decided(state.kind) == state.queue().len() && state.list().pending {
        format!("All {kind}s are decided. Press p to see them.")
    } else {
        format!("No {kind} is listed like this; esc lists everything again.")
    }
}

fn view_list(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let list = state.list();
    let selected = list.selected();
    let at = selected.and_then(|place| list.places().position(|other| other == place)).map_or(0, |at| at + 1);
    let title = format!(" {} of {} ", count(at as u64), count(list.places().count() as u64));
    let block = framed(title, true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let row = selected.and_then(|place| list.row_of(place)).unwrap_or(0);
    // The heading above the first item of a trouble comes into sight with it.
    let first =
        if matches!(row.checked_sub(1).map(|above| list.rows[above]), Some(Row::Heading(..))) { row - 1 } else { row };
    list.view.render_from(frame, inner, list.rows.len(), first, row, |index, width| match list.rows[index] {
        Row::Heading(trouble, decided, all) => heading(trouble, decided, all, usize::from(width), theme),
        Row::Item(place) => list_row(&state.queue()[place], index == row, usize::from(width), theme),
    });
}

/// `! malformed          2/5`: so many of them are decided, as in the line of kinds.
fn heading(trouble: Option<Trouble>, decided: usize, all: usize, width: usize, theme: &Theme) -> Line<'static> {
    let (mark, style) = if trouble.is_some() { ("! ", theme.warning) } else { ("= ", theme.muted) };
    let counts = format!(" {}/{}", count(decided as u64), count(all as u64));
    let room = width.saturating_sub(counts.len() + 2);
    let word = trouble_word(trouble);
    let word = fit(if word.len() > room { short_word(trouble) } else { word }, room);
    let gap = width.saturating_sub(2 + word.len() + counts.len());
    Line::from(vec![
        Span::styled(format!("{mark}{word}"), style),
        Span::styled(" ".repeat(gap), theme.muted),
        Span::styled(counts, theme.muted),
    ])
}

/// `>+ accepted  the log's text !`; where it is narrow, the mark stands for the word.
fn list_row(entry: &Entry, selected: bool, width: usize, theme: &Theme) -> Line<'static> {
    let cursor = if selected { Span::styled(">", theme.selection) } else { Span::raw(" ") };
    let (mut mark, mut word, mut style) = standing(entry.standing(), theme);
    // Decided by the reviewer, and waiting for somebody else: for a second, or one to decide between them.
    if entry.standing() == Standing::Pending && !entry.open {
        let waits = if entry.queued.decided.disputed { "disputed" } else { "1 of 2" };
        (mark, word, style) = ("*", waits, theme.muted);
    }
    let text = SafeText::one_line(entry.current.headline());
    let told = if width >= WORDED { format!("{mark} {word:<8} ") } else { format!("{mark} ") };
    let room = width.saturating_sub(told.len() + 3);
    let flag = if entry.troubles().is_empty() { Span::raw("  ") } else { Span::styled(" !", theme.warning) };
    Line::from(vec![cursor, Span::styled(told, style), Span::raw(pad(text.as_str(), room)), flag])
}

fn view_item(state: &State, entry: &Entry, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let inner = framed("", false, theme).inner(area);
    let near = entry.queued.findings.near.as_ref();
    let near = near.and_then(|near| Some(&state.queues[state.kind][state.place_of(state.kind(), &near.id)?].current));
    let around = state.around.as_ref().filter(|(of, _)| of == entry.id());
    let look = Look {
        reviewer: &shared.annotator,
        width: usize::from(inner.width),
        airy: area.height >= AIRY,
        step: state.step,
        prefix_open: state.prefix_open,
        words_marked: state.words_marked,
        near,
        around: around.and_then(|(_, around)| around.as_ref()),
    };
    let laid = lay_out(entry, look, theme);
    let height = usize::from(inner.height);
    let top = state.reading.scrolled(laid.rows.len(), height, laid.aim);
    let below = laid.rows.len().saturating_sub(top + height);
    // What is judged stays in sight: once the reader has gone past it, it stands in the frame.
    let title = if top > HEADLINE {
        entry.current.headline().to_owned()
    } else {
        format!("{}: {}", entry.id(), entry.current.task())
    };
    let title = fit(SafeText::one_line(&title).as_str(), usize::from(area.width.saturating_sub(4)));
    let block = framed(format!(" {title} "), false, theme);
    let block = if below > 0 {
        block.title_bottom(Line::styled(format!(" {below} more rows below "), theme.muted).right_aligned())
    } else {
        block
    };
    // The same goes for what is held true of it.
    let truth = entry.queued.findings.truth.as_ref().filter(|truth| top > HEADLINE && truth.answer.len() <= SHORT);
    let block = match truth {
        Some(truth) => {
            let source = if truth.source == TruthSource::Gold { "gold" } else { "label" };
            let told = format!(" {source} {} ", SafeText::one_line(&truth.answer));
            block.title_bottom(Line::styled(told, label_style(&truth.answer, theme)).left_aligned())
        }
        None => block,
    };
    frame.render_widget(block, area);
    let in_sight: Vec<Line> = laid.rows.into_iter().skip(top).take(height).collect();
    frame.render_widget(Paragraph::new(in_sight), inner);
}
