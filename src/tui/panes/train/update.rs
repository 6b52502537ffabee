//! How the Train pane changes: by what the user asks, and by what happens in a run.

use super::actions::Action;
use super::effects::{Course, Effect, Loaded, Message, can_resume};
use super::state::{Active, Field, State};
use crate::logs::SafeText;
use crate::training::{DataSummary, Event, RunState, StepRecord, Summary};
use crate::tui::app::{self, Toast};
use crate::tui::model::ModelStanding;
use crate::tui::overlays::{Confirm, Prompt};
use crate::tui::panes::{PaneId, Shared};

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    match action {
        Action::New => open_form(state, shared),
        Action::Next => select(state, state.place() + 1),
        Action::Previous => select(state, state.place().saturating_sub(1)),
        Action::Reload => vec![app::Effect::Train(Effect::Load)],
        Action::Cancel => ask_to_cancel(state),
        Action::Resume => resume(state, shared),
        Action::FetchModel => fetch_model(shared),
        Action::CopyAdapter => match state.front() {
            Some(info) => {
                let path = info.dir.join("adapter").display().to_string();
                vec![Toast::info(format!("copied {path}")).into(), app::Effect::Copy(path)]
            }
            None => vec![Toast::warning("there is no run to copy from").into()],
        },
        Action::FieldDown => {
            state.field = (state.field + 1).min(Field::ALL.len() - 1);
            Vec::new()
        }
        Action::FieldUp => {
            state.field = state.field.saturating_sub(1);
            Vec::new()
        }
        Action::Change => {
            let field = Field::ALL[state.field];
            let typed = |text| app::Message::Train(Message::Typed(text));
            vec![Prompt::line(field.question(), &field.value(&state.recipe), typed).into()]
        }
        Action::Start => start(state),
        Action::Leave => {
            state.filling = false;
            Vec::new()
        }
    }
}

pub(super) fn receive(state: &mut State, message: Message) -> Vec<app::Effect> {
    match message {
        Message::Loaded(Ok(loaded)) => loaded_runs(state, loaded),
        Message::Loaded(Err(why)) => {
            state.failure = Some(SafeText::one_line(&why));
            Vec::new()
        }
        Message::Steps(run, Ok(Course { steps, sample })) => {
            // While the run goes on here, what was heard is newer than what was read.
            let newer = state.front_active().is_some() && state.curve.len() > steps.len();
            if Some(&run) == state.selected.as_ref() && !newer {
                state.curve = steps;
                state.sample = sample;
            }
            Vec::new()
        }
        Message::Steps(_, Err(why)) | Message::CancelRequested(Err(why)) => vec![Toast::error(why).into()],
        Message::CancelRequested(Ok(())) => {
            vec![Toast::info("asked; it stops after its present batch. Press u to see whether it has").into()]
        }
        Message::CancelConfirmed => cancel(state),
        Message::Typed(text) => match Field::ALL[state.field].changed(&state.recipe, &text) {
            Ok(recipe) => {
                state.recipe = recipe;
                Vec::new()
            }
            Err(why) => vec![Toast::warning(why).into()],
        },
        Message::NotStarted => {
            state.starting = false;
            Vec::new()
        }
        Message::Happened(event) => happened(state, *event),
    }
}

/// Why nothing can be trained now, if that is so.
fn obstacle(state: &State, shared: &Shared) -> Option<String> {
    if state.is_busy() {
        return Some("a run is going on: cancel it first, or wait for its end".into());
    }
    match &shared.model {
        ModelStanding::Here(_) => None,
        ModelStanding::Coming(how_far) => Some(format!("the model {} is still coming: {how_far}", shared.model_name)),
        ModelStanding::Missing(_) | ModelStanding::Unknown => {
            Some(format!("the model {} is not here: press m to fetch it", shared.model_name))
        }
    }
}

fn open_form(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    if let Some(why) = obstacle(state, shared) {
        return vec![Toast::warning(why).into()];
    }
    if state.accepted == Some(0) {
        return vec![Toast::warning("no rationale is accepted yet: accept some in Review (3) first").into()];
    }
    state.filling = true;
    Vec::new()
}

fn start(state: &mut State) -> Vec<app::Effect> {
    state.filling = false;
    state.starting = true;
    vec![app::Effect::Train(Effect::Start(Box::new(state.recipe.clone())))]
}

fn resume(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    if let Some(why) = obstacle(state, shared) {
        return vec![Toast::warning(why).into()];
    }
    let Some(info) = state.front() else { return vec![Toast::warning("there is no run to resume").into()] };
    if !can_resume(info.status.state) {
        return vec![
            Toast::warning(format!("{} is {}; there is nothing to resume", info.run, info.status.state)).into(),
        ];
    }
    let dir = info.dir.clone();
    state.starting = true;
    vec![app::Effect::Train(Effect::Resume(dir))]
}

fn fetch_model(shared: &Shared) -> Vec<app::Effect> {
    match &shared.model {
        ModelStanding::Here(_) => vec![Toast::info(format!("{} is here already", shared.model_name)).into()],
        ModelStanding::Coming(_) => vec![Toast::info(format!("{} is coming already", shared.model_name)).into()],
        ModelStanding::Missing(_) | ModelStanding::Unknown => {
            vec![app::Effect::FetchModel(shared.model_name.clone())]
        }
    }
}

fn ask_to_cancel(state: &State) -> Vec<app::Effect> {
    let question = match (state.standing(), &state.selected) {
        (Some(RunState::Running), Some(run)) => format!("Stop {run}? It saves a checkpoint and can be resumed."),
        _ if state.is_busy() => "Stop the run that is going on? It saves a checkpoint and can be resumed.".to_owned(),
        _ => return vec![Toast::warning("no run is going on").into()],
    };
    vec![app::Effect::Confirm(Confirm::new(question, || app::Message::Train(Message::CancelConfirmed)))]
}

fn cancel(state: &mut State) -> Vec<app::Effect> {
    let of_another = state.standing() == Some(RunState::Running) && state.front_active().is_none();
    if let Some(info) = state.front().filter(|_| of_another) {
        return vec![app::Effect::Train(Effect::RequestCancel(info.dir.clone()))];
    }
    if let Some(active) = &mut state.active {
        active.stopping = true;
    }
    vec![app::Effect::CancelJobs(PaneId::Train)]
}

/// Brings the run at a place of the list to the front, and asks for its steps.
fn select(state: &mut State, place: usize) -> Vec<app::Effect> {
    let Some(info) = state.runs.get(place) else { return Vec::new() };
    if Some(&info.run) != state.selected.as_ref() {
        state.curve.clear();
        state.sample = None;
    }
    state.selected = Some(info.run.clone());
    vec![app::Effect::Train(Effect::ReadSteps(info.run.clone(), info.dir.clone()))]
}

fn loaded_runs(state: &mut State, loaded: Loaded) -> Vec<app::Effect> {
    state.failure = None;
    state.runs = loaded.runs;
    state.accepted = Some(loaded.accepted);
    if let Some(wanted) = state.wanted.take()
        && state.selected.is_none()
    {
        state.selected = state.runs.iter().find(|info| info.run.as_str() == wanted).map(|info| info.run.clone());
    }
    select(state, state.place())
}

fn happened(state: &mut State, event: Event) -> Vec<app::Effect> {
    let load = || app::Effect::Train(Effect::Load);
    match event {
        Event::Preparing(run) => {
            state.starting = false;
            state.selected = Some(run.clone());
            state.curve.clear();
            state.sample = None;
            let data = DataSummary::default();
            state.active = Some(Active { run, steps: 0, data, eta_seconds: None, stopping: false });
            vec![load()]
        }
        Event::Started { run, steps, data, done, .. } => {
            if let Some(active) = state.active.as_mut().filter(|active| active.run == run) {
                active.steps = steps;
                active.data = data;
            }
            if done > 0 { vec![load()] } else { Vec::new() }
        }
        Event::Step { record, eta_seconds } => {
            if let Some(active) = &mut state.active {
                active.eta_seconds = Some(eta_seconds);
            }
            if state.front_active().is_some() {
                push(&mut state.curve, record);
            }
            Vec::new()
        }
        Event::Saved { .. } => Vec::new(),
        Event::Paused { .. } | Event::Queued(_) => vec![load()],
        Event::Sampled(sample) => {
            if state.front_active().is_some() {
                state.sample = Some(sample);
            }
            Vec::new()
        }
        Event::Ended(outcome) => {
            state.active = None;
            state.starting = false;
            let mut effects = vec![load()];
            // A failure is told by the job itself.
            effects.extend(outcome.ok().map(|summary| Toast::info(told(&summary)).into()));
            effects
        }
    }
}

/// Adds a step, or replaces it where more is known of it now.
fn push(curve: &mut Vec<StepRecord>, record: StepRecord) {
    curve.retain(|known| known.step < record.step);
    curve.push(record);
}

fn told(summary: &Summary) -> String {
    let loss = match (summary.first_loss, summary.last_loss) {
        (Some(first), Some(last)) => format!(": loss {first:.3} (first 5) to {last:.3} (last 10)"),
        _ => String::new(),
    };
    match summary.status {
        RunState::Finished => format!("{} is finished{loss}; Reason (5) and Evaluate (6) can use it", summary.run),
        state => format!("{} is {state} after step {}{loss}; r goes on with it", summary.run, summary.steps),
    }
}
