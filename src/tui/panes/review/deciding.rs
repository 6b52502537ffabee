//! Deciding an item: what the user says of it goes to the disk, and what comes back from there moves the cursor on.

use std::collections::BTreeMap;

use super::actions::Action;
use super::effects::{Changed, Deed, Effect, Message, Write};
use super::entry::Entry;
use super::sampling;
use super::state::State;
use crate::logs::SafeText;
use crate::reasoning::{ItemKind, Pair, Reviewable, Trouble, Verdict};
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::Shared;
use crate::tui::widgets::counted;

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    match action {
        Action::Undo => {
            let by = shared.annotator.clone();
            let marks = state.deeds.last().copied().unwrap_or(false);
            return write(state, if marks { Write::UndoMarks(by) } else { Write::Undo(by) });
        }
        Action::AcceptTroubleFree => return sampling::ask(state),
        _ => {}
    }
    // A key that outruns the drawing decides the item under the cursor.
    let Some(entry) = state.selected() else {
        return vec![Toast::warning(format!("there is no {} here to review", state.kind())).into()];
    };
    match (action, &entry.current) {
        (Action::Accept, _) => {
            let review = entry.accepted_by(&shared.annotator);
            let grave: Vec<&str> = entry.troubles().iter().filter(|t| is_grave(**t)).map(|t| t.as_str()).collect();
            let told = format!("accepted all the same: {}; u takes it back", grave.join(", "));
            let mut effects = if grave.is_empty() { Vec::new() } else { vec![Toast::warning(told).into()] };
            effects.extend(write(state, Write::Decide(review)));
            effects
        }
        (Action::Reject, _) => {
            let title = format!("Why is {} rejected? (may stay empty)", entry.id());
            ask(state, Prompt::line(title, "", |reason| app::Message::Review(Message::RejectBecause(reason))))
        }
        (Action::Edit, current) => {
            // The text area covers the log, so the title repeats it.
            let title = match current.kind() {
                ItemKind::Rationale => format!("Reasoning on: {}", current.input()),
                ItemKind::Pair => format!("Chosen side on: {}", current.input()),
                ItemKind::Thought => "The challenge, then a step a line".to_owned(),
            };
            let text = current.text();
            ask(state, Prompt::area(title, &text, |text| app::Message::Review(Message::Edited(text))))
        }
        (Action::EditRejected, Reviewable::Pair(pair)) => {
            let (title, text) = (format!("Rejected side on: {}", pair.input), pair.rejected.clone());
            ask(state, Prompt::area(title, &text, |text| app::Message::Review(Message::RejectedEdited(text))))
        }
        (Action::Swap, Reviewable::Pair(pair)) => {
            let (chosen, rejected) = pair.swapped();
            let entry = entry.clone();
            // How it looks the other way round wants to be seen.
            state.stays = true;
            changed(state, &entry, Sides { chosen: &chosen, rejected: &rejected }, shared)
        }
        _ => vec![Toast::warning("only a pair has two sides").into()],
    }
}

/// Whether what trains with it trains the wrong thing.
fn is_grave(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::AnswerMismatch | Trouble::Malformed | Trouble::PrefixDiffers)
}

fn ask(state: &mut State, prompt: Prompt) -> Vec<app::Effect> {
    state.asked = state.selected().map(|entry| (entry.queued.item.kind(), entry.id().to_owned()));
    vec![prompt.on_cancel(|| app::Message::Review(Message::GaveUp)).into()]
}

/// What a prompt brought.
pub(super) fn answered(state: &mut State, message: Message, shared: &Shared) -> Vec<app::Effect> {
    let Some((kind, id)) = state.asked.take() else { return Vec::new() };
    let Some(entry) = state.place_of(kind, &id).map(|place| state.queues[kind as usize][place].clone()) else {
        return vec![Toast::error(format!("{id} is gone")).into()];
    };
    match message {
        Message::RejectBecause(reason) => {
            let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
            write(state, Write::Decide(entry.queued.review_by(&shared.annotator, Verdict::Reject, reason)))
        }
        Message::Edited(text) => edited(state, &entry, text.trim_end(), false, shared),
        Message::RejectedEdited(text) => edited(state, &entry, text.trim_end(), true, shared),
        _ => Vec::new(),
    }
}

/// The sides of a pair as they are to be, or what an edit changes of something else.
struct Sides<'a> {
    chosen: &'a str,
    rejected: &'a str,
}

fn edited(state: &mut State, entry: &Entry, text: &str, rejected: bool, shared: &Shared) -> Vec<app::Effect> {
    if text.trim().is_empty() {
        return vec![Toast::warning("nothing is left of it: press r to reject it").into()];
    }
    let before = match &entry.current {
        Reviewable::Pair(pair) if rejected => pair.rejected.clone(),
        other => other.text(),
    };
    // The text area was given the text made safe, so that is what an untouched text looks like.
    if text == SafeText::new(&before).as_str().trim_end() {
        return vec![Toast::info("nothing changed; press a to accept it as it is").into()];
    }
    match &entry.current {
        Reviewable::Pair(Pair { chosen, .. }) if rejected => {
            changed(state, entry, Sides { chosen, rejected: text }, shared)
        }
        Reviewable::Pair(Pair { rejected, .. }) => changed(state, entry, Sides { chosen: text, rejected }, shared),
        _ => changed(state, entry, Sides { chosen: text, rejected: "" }, shared),
    }
}

/// Accepts an item with changes; as it came if they lead back there.
fn changed(state: &mut State, entry: &Entry, sides: Sides<'_>, shared: &Shared) -> Vec<app::Effect> {
    let original = &entry.queued.item;
    let text = match original {
        Reviewable::Pair(pair) => pair.edit(sides.chosen, sides.rejected),
        _ => sides.chosen.to_owned(),
    };
    let back = text == original.text().trim_end();
    let verdict = if back { Verdict::Accept } else { Verdict::Edit(text.clone()) };
    let now = original.clone().with_text(&text);
    let findings = state.board.background.findings(&now, &entry.queued.decided);
    // What others said is no trouble of the text.
    let own =
        |trouble: &&Trouble| !matches!(trouble, Trouble::Disagreement | Trouble::LabelChanged | Trouble::TextChanged);
    let troubles: Vec<&str> = findings.troubles.iter().filter(own).map(|trouble| trouble.as_str()).collect();
    state.stays |= findings.troubles.iter().any(|trouble| is_grave(*trouble));
    let mut effects = write(state, Write::Decide(entry.queued.review_by(&shared.annotator, verdict, None)));
    if back {
        effects.push(Toast::info(format!("{} is accepted as it came", entry.id())).into());
    } else if !troubles.is_empty() {
        let told = format!("saved; still flagged: {}", troubles.join(", "));
        effects.push(Toast::warning(told).into());
    }
    effects
}

/// Has something written down; what is asked meanwhile waits.
pub(super) fn write(state: &mut State, what: Write) -> Vec<app::Effect> {
    state.writing = true;
    vec![app::Effect::Review(Effect::Write(what, state.heard))]
}

/// A decision is on disk, or is not.
pub(super) fn decided(state: &mut State, result: Result<Box<Changed>, String>, shared: &Shared) -> Vec<app::Effect> {
    state.writing = false;
    match result {
        Ok(changed) => take_in(state, *changed, shared),
        // What was asked for meanwhile relied on this decision.
        Err(why) => {
            state.stays = false;
            state.ahead.clear();
            vec![Toast::error(why).into()]
        }
    }
}

/// So many changed items are judged at once without anybody noticing.
const MANY: usize = 200;

/// Takes in what a decision changed, and moves on to what comes next.
fn take_in(state: &mut State, changed: Changed, shared: &Shared) -> Vec<app::Effect> {
    let Changed { deed, news } = changed;
    state.heard = news.heard;
    // Items that came in are not in the queue, and to judge very many here would hold the screen up: it is read anew, on the
    // store's thread.
    let anew = news.more_items || news.items.len() > MANY;
    let reload = anew.then(|| app::Effect::Review(Effect::Load(shared.annotator.clone())));
    let news = if news.items.len() > MANY { BTreeMap::new() } else { news.items };
    let mut touched = [false; 3];
    let mut reworded = false;
    let mut near: Vec<(ItemKind, Vec<String>)> = Vec::new();
    for ((kind, id), said) in &news {
        let Some(place) = state.place_of(*kind, id) else { continue };
        touched[*kind as usize] = true;
        let entry = &mut state.queues[*kind as usize][place];
        // What repeats an item or is repeated by it may not be the same any more.
        near.push((*kind, state.board.settle(&entry.queued.item, &said.decisions)));
        let before = (*kind == ItemKind::Thought).then(|| entry.current.clone());
        entry.take(said, &state.board, &shared.annotator);
        reworded |= before.is_some_and(|before| before != entry.current);
    }
    for (kind, ids) in near {
        state.judge_again(kind, &ids, &shared.annotator);
    }
    if reworded {
        state.around = None;
    }
    if deed == Deed::Decided {
        state.deeds.push(false);
        if !std::mem::take(&mut state.stays) {
            state.lists[state.kind].select_next_open(&state.queues[state.kind]);
        }
    }
    for (kind, _) in touched.into_iter().enumerate().filter(|(_, touched)| *touched) {
        state.lists[kind].arrange(&state.queues[kind]);
    }
    let mut effects = if reworded { super::closeness::look(state) } else { Vec::new() };
    effects.extend(reload);
    effects.extend(followed(state, deed));
    effects
}

/// What follows a deed that is on disk and taken in.
fn followed(state: &mut State, deed: Deed) -> Vec<app::Effect> {
    match deed {
        Deed::Decided => sampling::go_on(state),
        Deed::Marked => {
            state.deeds.push(true);
            Vec::new()
        }
        Deed::Sampled(outcome) => {
            let effects = sampling::outcome(state, &outcome);
            state.lists[state.kind].arrange(&state.queues[state.kind]);
            effects
        }
        Deed::Undone(None, _) => vec![Toast::info("you have no decision to take back").into()],
        Deed::Unmarked(None) => vec![Toast::info("you have no marks to take back").into()],
        Deed::Undone(Some(item), 1) => back_to(state, &item, &format!("took back the last decision, on {}", item.1)),
        Deed::Undone(Some(item), many) => {
            let told = format!("took back the last decision, on {} at once", counted(many, item.0.as_str()));
            back_to(state, &item, &told)
        }
        Deed::Unmarked(Some(item)) => back_to(state, &item, &format!("took back the last marks, on {}", item.1)),
    }
}

/// Goes to the item on which something was taken back.
fn back_to(state: &mut State, (kind, id): &(ItemKind, String), told: &str) -> Vec<app::Effect> {
    state.deeds.pop();
    state.kind = *kind as usize;
    if let Some(place) = state.place_of(*kind, id) {
        state.lists[state.kind].select(place, &state.queues[state.kind]);
    }
    vec![Toast::info(told).into()]
}
