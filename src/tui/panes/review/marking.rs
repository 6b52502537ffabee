//! Judging the steps of an item one by one.

use super::actions::Action;
use super::effects::Write;
use super::state::State;
use crate::reasoning::Mark;
use crate::tui::app::{self, Toast};
use crate::tui::panes::Shared;
use crate::workspace::NewMarks;

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    let Some(entry) = state.selected() else { return Vec::new() };
    let (step, by) = (state.step + 1, &shared.annotator);
    let marks = match action {
        Action::FirstWrong => NewMarks::first_wrong(&entry.current, by, step),
        Action::Right => NewMarks::on_step(&entry.current, by, step, Mark::Right),
        Action::Wrong => NewMarks::on_step(&entry.current, by, step, Mark::Wrong),
        _ => NewMarks::on_step(&entry.current, by, step, Mark::Unjudged),
    };
    match marks {
        Ok(marks) => {
            // What is judged is done with; a first wrong step is where one stays, to say more of it.
            if matches!(action, Action::Right | Action::Wrong) {
                state.step = step.min(entry_steps(state).saturating_sub(1));
            }
            state.reading.follows = true;
            super::deciding::write(state, Write::Mark(marks))
        }
        Err(why) => vec![Toast::warning(why.to_string()).into()],
    }
}

fn entry_steps(state: &State) -> usize {
    state.selected().map_or(0, |entry| entry.steps().len())
}
