//! How the Evaluate pane changes: by what the user asks, and by what comes of it.

use std::path::PathBuf;

use super::actions::Action;
use super::effects::{Effect, Loaded, Message};
use super::state::{Source, State};
use crate::evaluation::{Progress, Truth};
use crate::logs::SafeText;
use crate::tui::app::{self, Toast};
use crate::tui::model::ModelStanding;
use crate::tui::overlays::Prompt;
use crate::tui::panes::{PaneId, Shared, reason};

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    match action {
        Action::Start => start(state, shared),
        Action::Stop if state.running.is_some() => vec![app::Effect::CancelJobs(PaneId::Evaluate)],
        Action::Stop => vec![Toast::warning("no evaluation is going on").into()],
        Action::Data => {
            let path = match &state.setup.source {
                Source::Project => String::new(),
                Source::File(path) => path.display().to_string(),
            };
            let typed = |text| app::Message::Evaluate(Message::DataTyped(text));
            vec![Prompt::line("File of labelled logs (empty: the project's templates)", &path, typed).into()]
        }
        Action::Limit => {
            let limit = state.setup.limit.map_or_else(String::new, |limit| limit.to_string());
            let typed = |text| app::Message::Evaluate(Message::LimitTyped(text));
            vec![Prompt::line("Ask about at most so many items (empty: all)", &limit, typed).into()]
        }
        Action::Truth => {
            let now = state.shown().map_or(Truth::Gold, |report| report.truth);
            state.setup.truth = Some(if now == Truth::Gold { Truth::Label } else { Truth::Gold });
            reload(state)
        }
        Action::Adapter => next_adapter(state),
        Action::Part => {
            state.part = (state.part + 1) % state.parts();
            Vec::new()
        }
        Action::Next => go(state, 1),
        Action::Previous => go(state, -1),
        Action::PageDown => go(state, state.list.page().cast_signed()),
        Action::PageUp => go(state, -state.list.page().cast_signed()),
        Action::Reload => reload(state),
        Action::Open => match state.mistake() {
            Some(mistake) => {
                let ask = reason::Message::Ask(mistake.input.clone());
                vec![app::Effect::Show(PaneId::Reason), app::Effect::Send(Box::new(app::Message::Reason(ask)))]
            }
            None => vec![Toast::warning("there is no error to open").into()],
        },
        Action::CopyLog => match state.mistake() {
            Some(mistake) => vec![app::Effect::Copy(mistake.input.clone()), Toast::info("copied the log").into()],
            None => vec![Toast::warning("there is no error to copy from").into()],
        },
    }
}

pub(super) fn receive(state: &mut State, message: Message) -> Vec<app::Effect> {
    match message {
        Message::Loaded(loaded) => loaded_items(state, loaded),
        Message::Progress(progress) => {
            if state.running.is_some() {
                state.running = Some(progress);
            }
        }
        Message::Evaluated(setup, report) => {
            state.running = None;
            let f1 = report.scores.anomaly.f1.map_or_else(|| "undefined".to_owned(), |f1| format!("{f1:.3}"));
            let told = format!(
                "anomaly-class F1 {f1} of {} items, {} not readable",
                report.scores.n, report.scores.unparsed.total
            );
            if setup == state.setup {
                state.front = 0;
            }
            state.report = Some((setup, report));
            return vec![Toast::info(told).into()];
        }
        Message::Stopped => state.running = None,
        Message::DataTyped(text) => {
            let text = text.trim();
            state.setup.source = if text.is_empty() { Source::Project } else { Source::File(PathBuf::from(text)) };
            state.setup.truth = None;
            return reload(state);
        }
        Message::LimitTyped(text) => match text.trim() {
            "" => {
                state.setup.limit = None;
                return reload(state);
            }
            text => match text.parse() {
                Ok(0) | Err(_) => return vec![Toast::warning(format!("{text:?} is no number of items")).into()],
                Ok(limit) => {
                    state.setup.limit = Some(limit);
                    return reload(state);
                }
            },
        },
    }
    Vec::new()
}

fn reload(state: &State) -> Vec<app::Effect> {
    vec![app::Effect::Evaluate(Effect::Load(state.setup.clone()))]
}

fn start(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    if state.running.is_some() {
        return vec![Toast::warning("an evaluation is going on: c stops it").into()];
    }
    if let Some(why) = &state.failure {
        return vec![Toast::warning(format!("there is nothing to ask about: {why}")).into()];
    }
    let of_run = state.wearables.iter().find(|wearable| Some(&wearable.run) == state.setup.adapter.as_ref());
    let other_model =
        of_run.and_then(|wearable| wearable.model.as_ref()).is_some_and(|name| *name != shared.model_name);
    let warning = match &shared.model {
        ModelStanding::Here(_) => None,
        // Whether the run's own model is here, the job finds out.
        _ if other_model => None,
        ModelStanding::Coming(how_far) => Some(format!("the model {} is still coming: {how_far}", shared.model_name)),
        ModelStanding::Missing(_) | ModelStanding::Unknown => {
            Some(format!("the model {} is not here: logwright model pull {0}", shared.model_name))
        }
    };
    if let Some(warning) = warning {
        return vec![Toast::warning(warning).into()];
    }
    let of = state.keyword.as_ref().map_or(0, |report| report.scores.n);
    state.running = Some(Progress { done: 0, of, items_per_second: 0.0 });
    vec![app::Effect::Evaluate(Effect::Evaluate { setup: state.setup.clone(), model: shared.model_name.clone() })]
}

/// None, then the runs from the newest on, then none again.
fn next_adapter(state: &mut State) -> Vec<app::Effect> {
    if state.wearables.is_empty() {
        return vec![Toast::warning("no run has an adapter yet: Train (4) makes one").into()];
    }
    let place = state.wearables.iter().position(|wearable| Some(&wearable.run) == state.setup.adapter.as_ref());
    let next = place.map_or(0, |place| place + 1);
    state.setup.adapter = state.wearables.get(next).map(|wearable| wearable.run.clone());
    state.chosen = true;
    state.front = 0;
    Vec::new()
}

fn go(state: &mut State, by: isize) -> Vec<app::Effect> {
    let last = state.errors().len().saturating_sub(1);
    state.front = state.front.saturating_add_signed(by).min(last);
    Vec::new()
}

fn loaded_items(state: &mut State, loaded: Loaded) {
    // What was read for an older setup is of no use any more, but the runs are.
    state.wearables = loaded.wearables;
    let gone = |run: &crate::training::RunId| state.wearables.iter().all(|wearable| wearable.run != *run);
    if !state.chosen || state.setup.adapter.as_ref().is_some_and(gone) {
        state.setup.adapter = state.wearables.first().map(|wearable| wearable.run.clone());
    }
    let same_items = loaded.setup.source == state.setup.source
        && loaded.setup.truth == state.setup.truth
        && loaded.setup.limit == state.setup.limit;
    if !same_items {
        return;
    }
    match loaded.keyword {
        Ok(report) => {
            state.keyword = Some(report);
            state.failure = None;
        }
        Err(why) => {
            state.keyword = None;
            state.failure = Some(SafeText::one_line(&why));
        }
    }
    state.part = state.part.min(state.parts() - 1);
    state.front = state.front.min(state.errors().len().saturating_sub(1));
}
