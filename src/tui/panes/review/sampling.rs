//! Accepting what shows no trouble: a sample of it is listed and decided one by one, then the rest is accepted at once.

use super::effects::{Message, Write};
use super::listing::Only;
use super::state::State;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::{Confirm, Prompt};
use crate::tui::panes::Shared;
use crate::tui::widgets::counted;
use crate::workspace::{SampleCheck, SampleOutcome};

/// How large the sample is unless the user says otherwise.
const SAMPLE: usize = 20;

/// Where the draw starts: as on the command line, so that both draw the same.
const SEED: u64 = 1;

/// Asks how many are to be looked at.
pub(super) fn ask(state: &State) -> Vec<app::Effect> {
    let kind = state.kind();
    let free = state.queue().iter().filter(|entry| entry.open && entry.is_in(None)).count();
    if free == 0 {
        return vec![Toast::info(format!("no {kind} without trouble waits for you")).into()];
    }
    let free_ones = counted(free, kind.as_str());
    let title = format!("{free_ones} without trouble: review how many before accepting all?");
    let size = state.sample.unwrap_or(SAMPLE).min(free).to_string();
    vec![Prompt::line(title, &size, |size| app::Message::Review(Message::SampleOf(size))).into()]
}

pub(super) fn answered(state: &mut State, message: Message, shared: &Shared) -> Vec<app::Effect> {
    if let Message::SampleOf(size) = message {
        match size.trim().parse() {
            Ok(size) if size > 0 => state.sample = Some(size),
            _ => return vec![Toast::warning(format!("\"{}\" is no number of items", size.trim())).into()],
        }
    }
    let Some(sample) = state.sample else { return Vec::new() };
    let reviewer = shared.annotator.clone();
    let alike = state.board.background.alike().to_vec();
    let check = SampleCheck { kinds: vec![state.kind()], reviewer, sample, seed: SEED, tolerate: 0, alike };
    super::deciding::write(state, Write::AcceptTroubleFree(check))
}

/// What the check came to: either the rest is accepted, or the sample is listed to be decided.
pub(super) fn outcome(state: &mut State, outcome: &SampleOutcome) -> Vec<app::Effect> {
    let kind = state.kind();
    let Some(why) = &outcome.refused else {
        state.sample = None;
        let list = &mut state.lists[state.kind];
        if list.only == Only::Sample {
            list.only = Only::All;
        }
        let (accepted, of) = (counted(outcome.accepted, kind.as_str()), outcome.sample.len());
        let told = format!("accepted {accepted} after a sample of {of}, none rejected; u takes all back");
        return vec![Toast::info(told).into()];
    };
    if outcome.waiting.is_empty() {
        state.sample = None;
        return vec![Toast::warning(why).into()];
    }
    let places = outcome.sample.iter().filter_map(|item| state.place_of(item.kind, &item.id)).collect();
    let list = &mut state.lists[state.kind];
    list.show_all();
    list.sampled = places;
    list.only = Only::Sample;
    list.arrange(&state.queues[state.kind]);
    list.select_first_open(&state.queues[state.kind]);
    let told = format!(
        "decide these {} of {} without trouble; then the rest can be accepted",
        outcome.sample.len(),
        outcome.drawn_from
    );
    vec![Toast::info(told).into()]
}

/// Once the whole sample is decided, asks whether the rest is to be accepted.
pub(super) fn go_on(state: &State) -> Vec<app::Effect> {
    let list = state.list();
    let entries = state.queue();
    if state.sample.is_none() || list.only != Only::Sample || list.sampled.iter().any(|place| entries[*place].open) {
        return Vec::new();
    }
    let rest = entries.iter().filter(|entry| entry.open && entry.is_in(None)).count();
    let question = format!(
        "The sample of {} is decided. Accept the other {} without trouble, unless one of the sample was rejected?",
        list.sampled.len(),
        counted(rest, state.kind().as_str())
    );
    vec![app::Effect::Confirm(Confirm::new(question, || app::Message::Review(Message::SampleConfirmed)))]
}
