//! How the Review pane changes: by what the user asks, and by what the disk says.

use super::actions::Action;
use super::effects::{Changed, Deed, Effect, Loaded, Message};
use super::state::{Entry, State};
use crate::logs::SafeText;
use crate::reasoning::{ItemKind, Standing, Trouble, Verdict};
use crate::tui::app::{self, Toast};
use crate::tui::overlays::{Confirm, Prompt};
use crate::tui::panes::Shared;
use crate::workspace::NewReview;

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    // A decision moves on only once it is on disk; keys pressed meanwhile are about what comes then.
    if state.writing {
        state.ahead.push_back(action);
        return Vec::new();
    }
    match action {
        Action::Next => step(state, |front, last| (front + 1).min(last)),
        Action::Previous => step(state, |front, _| front.saturating_sub(1)),
        Action::First => step(state, |_, _| 0),
        Action::Last => step(state, |_, last| last),
        Action::NextKind => show_kind(state, 1),
        Action::PreviousKind => show_kind(state, ItemKind::ALL.len() - 1),
        Action::ScrollDown => state.reading.turn(true),
        Action::ScrollUp => state.reading.turn(false),
        Action::TogglePending => {
            // What is in front stays in front, if it is listed still.
            let front = state.selected().map(|entry| entry.original.id().to_owned());
            state.places[state.kind] = front;
            state.only_pending = !state.only_pending;
            state.reading.top.set(0);
        }
        Action::Accept => return accept(state, shared),
        Action::Reject => return ask_why(state),
        Action::Edit => return open_editor(state),
        Action::Undo => return write(state, Effect::Undo { reviewer: shared.annotator.clone() }),
        Action::AcceptAll => return ask_to_accept_all(state),
        Action::CopyLog => {
            let copy = |entry: &Entry| app::Effect::Copy(SafeText::new(entry.current.input()).into_string());
            let effects: Vec<_> = state.selected().map(copy).into_iter().collect();
            let told = (!effects.is_empty()).then(|| Toast::info("copied the log").into());
            return effects.into_iter().chain(told).collect();
        }
    }
    Vec::new()
}

pub(super) fn receive(state: &mut State, message: Message, shared: &Shared) -> Vec<app::Effect> {
    match message {
        Message::Loaded(Ok(Loaded(queues))) => {
            state.queues = queues;
            state.loaded = true;
            state.failure = None;
            Vec::new()
        }
        Message::Loaded(Err(why)) => {
            state.failure = Some(why);
            Vec::new()
        }
        Message::Decided(result) => {
            state.writing = false;
            let mut effects = match result {
                Ok(changed) => take_in(state, &changed),
                // What was asked for meanwhile relied on this decision.
                Err(why) => {
                    state.ahead.clear();
                    vec![Toast::error(why).into()]
                }
            };
            while !state.writing {
                let Some(action) = state.ahead.pop_front() else { break };
                effects.extend(act(state, action, shared));
            }
            effects
        }
        Message::RejectBecause(reason) => {
            let Some((kind, item)) = state.asked.take() else { return Vec::new() };
            let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
            let reviewer = shared.annotator.clone();
            write(
                state,
                Effect::Decide(NewReview { kind, item, reviewer, verdict: Verdict::Reject, label: None, reason }),
            )
        }
        Message::Edited(text) => edited(state, &text, shared),
        Message::GaveUp => {
            state.asked = None;
            Vec::new()
        }
        Message::AcceptAllConfirmed => {
            let (kind, reviewer) = (state.kind(), shared.annotator.clone());
            write(state, Effect::AcceptAll { kind, reviewer })
        }
    }
}

/// Moves in the list: `to` makes the new place from the old and the last.
fn step(state: &mut State, to: impl FnOnce(usize, usize) -> usize) {
    let listed = state.listed();
    if let Some(front) = state.front(&listed) {
        let place = listed[to(front, listed.len() - 1)];
        state.select(place);
    }
}

fn show_kind(state: &mut State, steps: usize) {
    state.kind = (state.kind + steps) % ItemKind::ALL.len();
    state.reading.top.set(0);
}

fn write(state: &mut State, effect: Effect) -> Vec<app::Effect> {
    state.writing = true;
    vec![app::Effect::Review(effect)]
}

fn accept(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    let Some(entry) = state.selected() else { return nothing_here(state) };
    let (kind, item) = (entry.original.kind(), entry.original.id().to_owned());
    let verdict = Verdict::accepting(entry.review.as_ref());
    state.places[state.kind] = Some(item.clone());
    let reviewer = shared.annotator.clone();
    write(state, Effect::Decide(NewReview { kind, item, reviewer, verdict, label: None, reason: None }))
}

fn nothing_here(state: &State) -> Vec<app::Effect> {
    vec![Toast::warning(format!("there is no {} here to review", state.kind())).into()]
}

fn ask_why(state: &mut State) -> Vec<app::Effect> {
    let Some(entry) = state.selected() else { return nothing_here(state) };
    let item = (entry.original.kind(), entry.original.id().to_owned());
    let title = format!("Why is {} rejected? (may stay empty)", item.1);
    state.places[state.kind] = Some(item.1.clone());
    state.asked = Some(item);
    let prompt = Prompt::line(title, "", |reason| app::Message::Review(Message::RejectBecause(reason)));
    vec![app::Effect::Prompt(Box::new(prompt.on_cancel(|| app::Message::Review(Message::GaveUp))))]
}

fn open_editor(state: &mut State) -> Vec<app::Effect> {
    let Some(entry) = state.selected() else { return nothing_here(state) };
    let item = (entry.original.kind(), entry.original.id().to_owned());
    // The text area covers the log, so the title repeats it.
    let title = match item.0 {
        ItemKind::Rationale => format!("Reasoning on: {}", entry.current.input()),
        ItemKind::Pair => format!("Chosen side on: {}", entry.current.input()),
        ItemKind::Thought => "The challenge, then a step a line".to_owned(),
    };
    let text = entry.current.text();
    state.places[state.kind] = Some(item.1.clone());
    state.asked = Some(item);
    let prompt = Prompt::area(title, &text, |text| app::Message::Review(Message::Edited(text)));
    vec![app::Effect::Prompt(Box::new(prompt.on_cancel(|| app::Message::Review(Message::GaveUp))))]
}

fn edited(state: &mut State, text: &str, shared: &Shared) -> Vec<app::Effect> {
    let Some((kind, item)) = state.asked.take() else { return Vec::new() };
    let entries = &state.queues[kind as usize];
    let Some(entry) = entries.iter().find(|entry| entry.original.id() == item) else {
        return vec![Toast::error(format!("{item} is gone")).into()];
    };
    let text = text.trim_end();
    if text.trim().is_empty() {
        return vec![Toast::warning("nothing is left of it: press r to reject it").into()];
    }
    // The text area was given the text made safe, so that is what an untouched text looks like.
    if text == SafeText::new(&entry.current.text()).as_str().trim_end() {
        return vec![Toast::info("nothing changed; press a to accept it as it is").into()];
    }
    let troubles = entry.original.clone().with_text(text).troubles();
    let warning = (!troubles.is_empty()).then(|| {
        let words: Vec<&str> = troubles.into_iter().map(Trouble::as_str).collect();
        Toast::warning(format!("saved; {item} is still flagged: {}", words.join(", "))).into()
    });
    let back = text == entry.original.text().trim_end();
    let verdict = if back { Verdict::Accept } else { Verdict::Edit(text.to_owned()) };
    let reviewer = shared.annotator.clone();
    let mut effects =
        write(state, Effect::Decide(NewReview { kind, item, reviewer, verdict, label: None, reason: None }));
    effects.extend(warning);
    effects
}

fn ask_to_accept_all(state: &State) -> Vec<app::Effect> {
    let pending: Vec<&Entry> = state.queue().iter().filter(|entry| entry.standing() == Standing::Pending).collect();
    if pending.is_empty() {
        return vec![Toast::info(format!("no {} is pending", state.kind())).into()];
    }
    let flagged = pending.iter().filter(|entry| !entry.troubles.is_empty()).count();
    let question = format!("Accept all {} pending {}s, {flagged} of them flagged?", pending.len(), state.kind());
    vec![app::Effect::Confirm(Confirm::new(question, || app::Message::Review(Message::AcceptAllConfirmed)))]
}

/// Takes in what a decision changed, and moves on to what comes next.
fn take_in(state: &mut State, changed: &Changed) -> Vec<app::Effect> {
    for entry in state.queues.iter_mut().flatten() {
        let review = changed.of(&entry.original);
        if entry.review.as_ref() != review {
            *entry = Entry::new(entry.original.clone(), review.cloned());
        }
    }
    match &changed.deed {
        Deed::Decided => {
            advance(state);
            Vec::new()
        }
        Deed::AcceptedAll(count) => {
            let s = if *count == 1 { "" } else { "s" };
            vec![Toast::info(format!("accepted {count} {}{s}", state.kind())).into()]
        }
        Deed::Undone(None) => vec![Toast::info("you have no decision to take back").into()],
        Deed::Undone(Some((kind, item))) => {
            state.kind = *kind as usize;
            state.places[state.kind] = Some(item.clone());
            state.reading.top.set(0);
            vec![Toast::info(format!("took back the last decision, on {item}")).into()]
        }
    }
}

/// Goes to the next pending item after the one in front, from the end round to the start; stays if there is none.
fn advance(state: &mut State) {
    let queue = state.queue();
    let at = queue.iter().position(|entry| Some(entry.original.id()) == state.places[state.kind].as_deref());
    let Some(at) = at else { return };
    let after = (at + 1..queue.len()).chain(0..at);
    let next = after.into_iter().find(|&place| queue[place].standing() == Standing::Pending);
    if let Some(next) = next {
        state.select(next);
    }
}
