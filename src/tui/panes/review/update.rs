//! How the Review pane changes: by what the user asks, and by what the disk says. What decides an item is in `deciding`.

use std::time::Duration;

use super::actions::{Action, TROUBLE};
use super::effects::{Effect, Loaded, Message};
use super::entry::Entry;
use super::listing::{Listing, Only};
use super::state::{Doing, State};
use crate::logs::SafeText;
use crate::reasoning::{ItemKind, Reviewable};
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::Shared;

/// So long the cursor rests on a row before its item is drawn: a key held down sends the rows alone.
const REST: Duration = Duration::from_millis(60);

pub(super) fn mode(state: &State) -> Mode {
    if state.map.is_open() {
        return super::thoughts::MAP;
    }
    // A digit pressed ahead of the disk means what it will mean once the keys before it are dealt with.
    let choosing = state.ahead.iter().fold(state.doing == Doing::Choosing, |choosing, action| match action {
        Action::Troubles => true,
        Action::Trouble(_) | Action::AllTroubles | Action::Cancel => false,
        _ => choosing,
    });
    if choosing { TROUBLE } else { Mode::BROWSE }
}

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    // A decision moves on only once it is on disk; keys pressed meanwhile are about what comes then.
    if state.writing {
        state.ahead.push_back(action);
        return Vec::new();
    }
    if !action.is_move() {
        // What is asked is about the item under the cursor, also if it was not drawn yet.
        rest(state);
    }
    let mut effects = carry_out(state, action, shared);
    if action.is_move() {
        let message = Box::new(app::Message::Review(Message::Rested));
        effects.push(app::Effect::After { slot: "review-rest", wait: REST, message });
    } else {
        rest(state);
    }
    effects
}

fn carry_out(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    match action {
        Action::Next => step(state, 1),
        Action::Previous => step(state, -1),
        Action::PageDown => step(state, state.list().view.page().cast_signed()),
        Action::PageUp => step(state, -state.list().view.page().cast_signed()),
        Action::First => step(state, isize::MIN),
        Action::Last => step(state, isize::MAX),
        Action::NextOpen => {
            let (list, queue) = (&mut state.lists[state.kind], &state.queues[state.kind]);
            if !list.select_next_open(queue) {
                return vec![Toast::info(format!("no other {} listed here is undecided", state.kind())).into()];
            }
        }
        Action::NextKind => state.kind = (state.kind + 1) % ItemKind::ALL.len(),
        Action::PreviousKind => state.kind = (state.kind + ItemKind::ALL.len() - 1) % ItemKind::ALL.len(),
        Action::ScrollDown => state.reading.turn(true),
        Action::ScrollUp => state.reading.turn(false),
        Action::TogglePending => {
            let pending = !state.list().pending;
            list_anew(state, |list| list.pending = pending);
        }
        Action::Troubles => state.doing = Doing::Choosing,
        Action::Trouble(digit) => return list_trouble(state, digit),
        Action::AllTroubles => {
            state.doing = Doing::Reading;
            list_anew(state, |list| list.only = Only::All);
        }
        Action::Cancel => state.doing = Doing::Reading,
        Action::OpenMap => return super::thoughts::open(state),
        Action::ByOrder => return super::thoughts::toggle_order(state, shared),
        Action::Map(action) => return super::thoughts::act(state, action),
        Action::Search => return vec![search(&state.list().words)],
        Action::Back => list_anew(state, Listing::show_all),
        Action::NextStep => go_to_step(state, state.step + 1),
        Action::PreviousStep => go_to_step(state, state.step.saturating_sub(1)),
        Action::Words => state.words_marked = !state.words_marked,
        Action::Prefix => {
            state.prefix_open = !state.prefix_open;
            // What was opened is to be read; folded, the sides come back into sight.
            state.reading.follows = !state.prefix_open;
            state.reading.top.set(0);
        }
        Action::CopyLog => {
            let copy = |entry: &Entry| app::Effect::Copy(SafeText::new(entry.current.input()).into_string());
            let effects: Vec<_> = state.selected().map(copy).into_iter().collect();
            let told = (!effects.is_empty()).then(|| Toast::info("copied the log").into());
            return effects.into_iter().chain(told).collect();
        }
        Action::AskAgain => return super::asking::ask_hint(state),
        Action::Right | Action::Wrong | Action::Unjudged | Action::FirstWrong => {
            return super::marking::act(state, action, shared);
        }
        Action::Accept
        | Action::Edit
        | Action::EditRejected
        | Action::Swap
        | Action::Reject
        | Action::Undo
        | Action::AcceptTroubleFree => return super::deciding::act(state, action, shared),
    }
    Vec::new()
}

pub(super) fn receive(state: &mut State, message: Message, shared: &Shared) -> Vec<app::Effect> {
    let effects = match message {
        Message::Loaded(Ok(loaded)) => {
            take(state, *loaded, shared);
            super::closeness::look(state)
        }
        Message::Compared(found) => {
            super::closeness::found(state, *found, &shared.annotator);
            Vec::new()
        }
        Message::Loaded(Err(why)) => {
            state.failure = Some(why);
            Vec::new()
        }
        Message::Rested => Vec::new(),
        Message::Map(message) => super::thoughts::receive(state, message, shared),
        Message::Search(words) => {
            list_anew(state, |list| list.words = words);
            Vec::new()
        }
        Message::Decided(result) => {
            let mut effects = super::deciding::decided(state, result, shared);
            rest(state);
            while !state.writing {
                let Some(action) = state.ahead.pop_front() else { break };
                effects.extend(act(state, action, shared));
            }
            effects
        }
        Message::SampleOf(_) | Message::SampleConfirmed => super::sampling::answered(state, message, shared),
        Message::Taught(taught) => {
            let reload = app::Effect::Review(Effect::Load(shared.annotator.clone()));
            vec![taught.told().into(), reload]
        }
        Message::AskAgain(hint) => match state.asked.take() {
            Some((_, about)) => vec![
                Toast::info(format!("asking the teacher again for {about}; go on meanwhile")).into(),
                app::Effect::Review(Effect::AskAgain { about, hint }),
            ],
            None => Vec::new(),
        },
        Message::RejectBecause(_) | Message::Edited(_) | Message::RejectedEdited(_) | Message::GaveUp => {
            super::deciding::answered(state, message, shared)
        }
    };
    rest(state);
    effects
}

/// Takes a freshly read queue, keeping the cursors, or going where the last session was left.
fn take(state: &mut State, Loaded { queues, board, agreement, heard }: Loaded, shared: &Shared) {
    let alike = std::mem::take(&mut state.board).background.alike().to_vec();
    let here: Vec<Option<String>> = (0..ItemKind::ALL.len())
        .map(|kind| state.lists[kind].selected().map(|place| state.queues[kind][place].id().to_owned()))
        .collect();
    state.board = board;
    state.queues = queues;
    super::thoughts::sort(&state.map, &mut state.queues[ItemKind::Thought as usize]);
    let place = |(place, entry): (usize, &Entry)| (entry.id().to_owned(), place);
    state.places = std::array::from_fn(|kind| state.queues[kind].iter().enumerate().map(place).collect());
    // What was known to mean the same still does, until it is found out again.
    let changed = state.board.mean_alike(ItemKind::Thought, alike);
    state.judge_again(ItemKind::Thought, &changed, &shared.annotator);
    state.list_under_trouble(ItemKind::Thought, &changed);
    state.relist = true;
    let mut wanted = state.wanted.take();
    for (kind, here) in here.into_iter().enumerate() {
        let here = here.or_else(|| wanted.take_if(|(of, _)| *of == kind).map(|(_, id)| id));
        let front = here.and_then(|id| state.places[kind].get(&id).copied());
        state.lists[kind].read(&state.queues[kind], front);
    }
    state.agreement = agreement;
    state.heard = heard;
    state.loaded = true;
    state.failure = None;
    state.shown = None;
}

/// The cursor rests: its item is drawn, from the top.
fn rest(state: &mut State) {
    let selected = state.list().selected().map(|place| (state.kind, place));
    if state.shown != selected {
        state.shown = selected;
        state.reading.top.set(0);
        // A pair opens where its sides part.
        let parts = state.shown().and_then(|entry| match &entry.current {
            Reviewable::Pair(pair) => Some(pair.first_wrong_step.saturating_sub(1)),
            _ => None,
        });
        state.step = parts.unwrap_or(0);
        state.reading.follows = parts.is_some();
    }
    let thought = state.shown().filter(|entry| entry.queued.item.kind() == ItemKind::Thought).map(|entry| entry.id());
    if thought != state.around.as_ref().map(|(of, _)| of.as_str()) {
        state.around =
            thought.map(|id| (id.to_owned(), state.closeness.as_ref().and_then(|closeness| closeness.around(id))));
    }
}

fn step(state: &mut State, by: isize) {
    state.lists[state.kind].step(by);
}

fn list_anew(state: &mut State, change: impl FnOnce(&mut Listing)) {
    let list = &mut state.lists[state.kind];
    change(list);
    list.arrange(&state.queues[state.kind]);
}

fn list_trouble(state: &mut State, digit: u8) -> Vec<app::Effect> {
    let troubles = state.troubles();
    let Some(only) = usize::from(digit).checked_sub(1).and_then(|place| troubles.get(place).copied()) else {
        return Vec::new();
    };
    state.doing = Doing::Reading;
    let stays = state.selected().is_some_and(|entry| entry.is_in(only));
    list_anew(state, |list| list.only = Only::In(only));
    if !stays {
        state.lists[state.kind].select_first_open(&state.queues[state.kind]);
    }
    Vec::new()
}

fn go_to_step(state: &mut State, step: usize) {
    let steps = state.shown().map_or(0, |entry| entry.steps().len());
    state.step = step.min(steps.saturating_sub(1));
    state.reading.follows = true;
}

fn search(words: &str) -> app::Effect {
    let set = |text| app::Message::Review(Message::Search(text));
    Prompt::line("Search: words that an item must hold", words, set)
        .on_change(set)
        .on_cancel(|| app::Message::Review(Message::Search(String::new())))
        .into()
}
