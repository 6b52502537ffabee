//! How the Train pane changes: by what the user asks, and by what happens in a run.

use super::actions::Action;
use super::compare::differences;
use super::effects::{Course, Effect, Loaded, Message, can_resume};
use super::launching::{change, forecast, forget_forecast, leave, obstacle, open_form, open_form_from, start};
use super::samples::Reading;
use super::state::{Active, Compared, Forecast, State};
use crate::logs::SafeText;
use crate::training::{DataSummary, Event, RunId, RunInfo, RunState, StepRecord, Summary};
use crate::tui::app::{self, Toast};
use crate::tui::model::ModelStanding;
use crate::tui::overlays::{Confirm, Page};
use crate::tui::panes::{PaneId, Shared};

pub(super) fn act(state: &mut State, action: Action, shared: &Shared) -> Vec<app::Effect> {
    match action {
        Action::New => open_form(state, shared),
        Action::NewFrom => open_form_from(state, shared),
        Action::Next => select(state, state.place() + 1),
        Action::Previous => select(state, state.place().saturating_sub(1)),
        Action::Reload => vec![app::Effect::Train(Effect::Load)],
        Action::Cancel => ask_to_cancel(state),
        Action::Pause => pause(state),
        Action::Resume => resume(state, shared),
        Action::Figure => {
            state.figure = state.figure.wrapping_add(1);
            Vec::new()
        }
        Action::Compare => compare(state),
        Action::Samples => samples(state),
        Action::Recipe => recipe(state),
        Action::FetchModel => fetch_model(shared),
        Action::CopyAdapter => match state.front() {
            Some(info) => {
                let path = info.dir.join("adapter").display().to_string();
                vec![Toast::info(format!("copied {path}")).into(), app::Effect::Copy(path)]
            }
            None => vec![Toast::warning("there is no run to copy from").into()],
        },
        Action::FieldDown => {
            state.form.go(1);
            Vec::new()
        }
        Action::FieldUp => {
            state.form.go(-1);
            Vec::new()
        }
        Action::Change => change(state),
        Action::Try => forecast(state),
        Action::Start => start(state, Effect::Start),
        Action::StartDetached => start(state, Effect::StartDetached),
        Action::Leave => leave(state),
        Action::NextSample
        | Action::PreviousSample
        | Action::ScrollDown
        | Action::ScrollUp
        | Action::PageDown
        | Action::PageUp
        | Action::StopReading => {
            read(state, action);
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
        Message::Steps(run, Ok(course)) => {
            take_course(state, &run, course);
            Vec::new()
        }
        Message::ComparedSteps(run, Ok(Course { steps, recipe, .. })) => {
            state.compared = Some(Compared { run, curve: steps, recipe });
            Vec::new()
        }
        Message::Steps(_, Err(why))
        | Message::ComparedSteps(_, Err(why))
        | Message::CancelRequested(Err(why))
        | Message::Asked(Err(why)) => vec![Toast::error(why).into()],
        Message::Seen(info, course) => seen(state, *info, course),
        Message::NothingToWatch => {
            state.watching = false;
            Vec::new()
        }
        // Of settings that were changed meanwhile, or before a run, nobody wants to know.
        Message::Estimated(wanted, _)
            if *wanted != state.form.wanted() || !matches!(state.forecast, Forecast::Asked(_)) =>
        {
            Vec::new()
        }
        Message::Estimated(_, estimate) => {
            state.forecast = match estimate {
                Ok(estimate) => Forecast::Known(estimate),
                Err(why) => Forecast::Failed(SafeText::one_line(&why)),
            };
            Vec::new()
        }
        Message::CancelRequested(Ok(())) => {
            vec![Toast::info("asked; it stops after its present batch, with a checkpoint").into()]
        }
        Message::Asked(Ok(what)) => vec![Toast::info(what).into()],
        Message::CancelConfirmed => cancel(state),
        Message::Typed(text) => {
            state.form.take(&text);
            forget_forecast(state)
        }
        Message::NotStarted => {
            state.starting = false;
            Vec::new()
        }
        Message::Detached(run, process) => {
            state.starting = false;
            state.selected = Some(run.clone());
            state.forget_front();
            let told = format!("{run} goes on in process {process}, also when the workbench is closed");
            vec![Toast::info(told).into(), load()]
        }
        Message::Happened(event) => happened(state, *event),
    }
}

fn load() -> app::Effect {
    app::Effect::Train(Effect::Load)
}

fn pause(state: &State) -> Vec<app::Effect> {
    let dir = state.front().map(|info| info.dir.clone());
    match (state.standing(), dir) {
        (Some(RunState::Running), Some(dir)) => vec![app::Effect::Train(Effect::RequestPause(dir))],
        (Some(RunState::Paused), Some(dir)) => vec![app::Effect::Train(Effect::EndPause(dir))],
        _ => vec![Toast::warning("only a run that is going on can wait").into()],
    }
}

fn resume(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    let Some(info) = state.front() else { return vec![Toast::warning("there is no run to resume").into()] };
    let (run, dir) = (info.run.clone(), info.dir.clone());
    let standing = state.standing().unwrap_or(info.status.state);
    if standing == RunState::Paused {
        return vec![app::Effect::Train(Effect::EndPause(dir))];
    }
    if !can_resume(standing) {
        return vec![Toast::warning(format!("{run} is {standing}; there is nothing to resume")).into()];
    }
    if let Some(why) = obstacle(shared) {
        return vec![Toast::warning(why).into()];
    }
    if state.is_busy() {
        return vec![Toast::warning("a run is going on here: cancel it first, or wait for its end").into()];
    }
    state.starting = true;
    vec![app::Effect::Train(Effect::Resume(dir))]
}

fn compare(state: &mut State) -> Vec<app::Effect> {
    let Some(info) = state.front() else { return vec![Toast::warning("there is no run to compare with").into()] };
    let run = info.run.clone();
    if state.compared.as_ref().is_some_and(|compared| compared.run == run) {
        state.compared = None;
        return vec![Toast::info("no longer comparing").into()];
    }
    let effect = Effect::ReadCompared(run.clone(), info.dir.clone());
    vec![Toast::info(format!("other runs are now laid beside {run}")).into(), app::Effect::Train(effect)]
}

fn samples(state: &mut State) -> Vec<app::Effect> {
    let Some(first) = state.newest_sample() else {
        return vec![Toast::warning("the model was not asked anything yet in this run").into()];
    };
    state.reading = Some(Reading::at(first));
    Vec::new()
}

/// Moves the reader.
fn read(state: &mut State, action: Action) {
    let last = state.samples.len().saturating_sub(1);
    let Some(reading) = &mut state.reading else { return };
    match action {
        Action::NextSample => *reading = Reading::at((reading.at + 1).min(last)),
        Action::PreviousSample => *reading = Reading::at(reading.at.saturating_sub(1)),
        Action::ScrollDown => reading.scroll(1),
        Action::ScrollUp => reading.scroll(-1),
        Action::PageDown => reading.scroll(reading.page()),
        Action::PageUp => reading.scroll(-reading.page()),
        _ => state.reading = None,
    }
}

/// The recipe of the run in front, what differs from the compared one first.
fn recipe(state: &State) -> Vec<app::Effect> {
    let Some(recipe) = &state.recipe else {
        return vec![Toast::warning("no recipe of this run was read").into()];
    };
    let mut text = String::new();
    if let Some(other) = state.beside()
        && let Some(there) = &other.recipe
    {
        text = format!("Where it differs from {}:\n\n", other.run);
        for (name, front, other) in differences(recipe, there) {
            text += &format!("{name}: {front} here, {other} there\n");
        }
        text += "\nAll of it:\n\n";
    }
    text += &recipe.to_toml();
    let heading = state.selected.as_ref().map_or_else(String::new, |run| format!("Recipe of {run}"));
    vec![app::Effect::Page(Page::new(heading, text))]
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
        (Some(RunState::Queued), Some(run)) => format!("Take {run} out of the queue? It can be resumed."),
        (Some(standing), Some(run)) if standing.is_alive() => {
            format!("Stop {run}? It saves a checkpoint and can be resumed.")
        }
        _ if state.is_busy() => "Stop the run that is going on? It saves a checkpoint and can be resumed.".to_owned(),
        _ => return vec![Toast::warning("no run is going on").into()],
    };
    vec![app::Effect::Confirm(Confirm::new(question, || app::Message::Train(Message::CancelConfirmed)))]
}

fn cancel(state: &mut State) -> Vec<app::Effect> {
    let of_another = state.standing().is_some_and(RunState::is_alive) && state.front_active().is_none();
    if let Some(info) = state.front().filter(|_| of_another) {
        return vec![app::Effect::Train(Effect::RequestCancel(info.dir.clone()))];
    }
    if let Some(active) = &mut state.active {
        active.stopping = true;
    }
    let mut effects = forget_forecast(state);
    effects.push(app::Effect::CancelJobs(PaneId::Train));
    effects
}

/// Brings the run at a place of the list to the front, and asks for its steps.
fn select(state: &mut State, place: usize) -> Vec<app::Effect> {
    let Some(info) = state.runs.get(place) else { return Vec::new() };
    let (run, dir) = (info.run.clone(), info.dir.clone());
    if Some(&run) != state.selected.as_ref() {
        state.forget_front();
    }
    state.selected = Some(run.clone());
    vec![app::Effect::Train(Effect::ReadSteps(run, dir))]
}

fn loaded_runs(state: &mut State, loaded: Loaded) -> Vec<app::Effect> {
    state.failure = None;
    state.runs = loaded.runs;
    state.supply = Some(loaded.supply);
    state.form.of_project = loaded.device;
    if let Some(wanted) = state.wanted.take()
        && state.selected.is_none()
    {
        state.selected = state.runs.iter().find(|info| info.run.as_str() == wanted).map(|info| info.run.clone());
    }
    let mut effects = select(state, state.place());
    if !state.watching && !state.others_alive().is_empty() {
        state.watching = true;
        effects.push(app::Effect::Train(Effect::Watch));
    }
    effects
}

/// Takes what was read of the run in front; while it goes on here, what was heard is newer.
fn take_course(state: &mut State, run: &RunId, course: Course) {
    let newer = state.front_active().is_some() && state.curve.len() > course.steps.len();
    if Some(run) == state.selected.as_ref() {
        state.recipe = course.recipe;
        if !newer {
            (state.curve, state.samples) = (course.steps, course.samples);
        }
    }
}

/// News of a run of another process.
fn seen(state: &mut State, info: RunInfo, course: Result<Course, String>) -> Vec<app::Effect> {
    let (run, standing) = (info.run.clone(), info.status.state);
    let known = state.runs.iter_mut().find(|known| known.run == run);
    let is_new = known.is_none();
    let was_alive = known.as_ref().is_some_and(|known| known.status.state.is_alive());
    if let Some(known) = known {
        *known = info.clone();
    }
    if let Ok(course) = course {
        if let Some(compared) = state.compared.as_mut().filter(|compared| compared.run == run) {
            compared.curve.clone_from(&course.steps);
        }
        take_course(state, &run, course);
    }
    if is_new {
        return vec![load()];
    }
    if standing.is_alive() || !was_alive {
        return Vec::new();
    }
    let why = info.status.message.map_or_else(String::new, |why| format!(": {why}"));
    let told = format!("{run} is {standing} after step {}{why}", info.status.step);
    let toast = if standing == RunState::Failed { Toast::error(told) } else { Toast::info(told) };
    vec![toast.into(), app::Effect::Bell, load()]
}

fn happened(state: &mut State, event: Event) -> Vec<app::Effect> {
    match event {
        Event::Preparing(run) => {
            if state.active.as_ref().is_some_and(|active| active.run == run) {
                // It has waited for its turn.
                state.active.iter_mut().for_each(|active| active.waiting = None);
                return vec![load()];
            }
            begin(state, run, None)
        }
        Event::Queued(run) => match state.active.as_mut().filter(|active| active.run == run) {
            // After a pause it waits for its turn again.
            Some(active) => {
                active.waiting = Some(RunState::Queued);
                vec![load()]
            }
            None => begin(state, run, Some(RunState::Queued)),
        },
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
                active.waiting = None;
                if let Some(listed) = state.runs.iter_mut().find(|info| info.run == active.run) {
                    listed.status.step = record.step;
                    listed.status.eta_seconds = Some(eta_seconds);
                }
                if let Some(compared) = state.compared.as_mut().filter(|compared| compared.run == active.run) {
                    push(&mut compared.curve, record.clone());
                }
            }
            if state.front_active().is_some() {
                push(&mut state.curve, record);
            }
            Vec::new()
        }
        Event::Saved { .. } => Vec::new(),
        Event::Paused { .. } => {
            state.active.iter_mut().for_each(|active| active.waiting = Some(RunState::Paused));
            vec![load()]
        }
        Event::Sampled(sample) => {
            if state.front_active().is_some() {
                state.samples.push(sample);
            }
            Vec::new()
        }
        Event::Ended(outcome) => {
            let mut effects = vec![load()];
            // A failure is told by the job itself.
            effects.extend(outcome.ok().map(|summary| Toast::info(told(&summary)).into()));
            state.active = None;
            state.starting = false;
            effects
        }
    }
}

/// A run of this workbench comes to the front.
fn begin(state: &mut State, run: RunId, waiting: Option<RunState>) -> Vec<app::Effect> {
    state.starting = false;
    state.selected = Some(run.clone());
    state.forget_front();
    let data = DataSummary::default();
    state.active = Some(Active { run, steps: 0, data, eta_seconds: None, stopping: false, waiting });
    vec![load()]
}

/// Adds a step, or replaces it where more is known of it now.
fn push(curve: &mut Vec<StepRecord>, record: StepRecord) {
    curve.retain(|known| known.step < record.step);
    curve.push(record);
}

fn told(summary: &Summary) -> String {
    let course = match (summary.first_reward.zip(summary.last_reward), summary.first_loss.zip(summary.last_loss)) {
        (Some((first, last)), _) => format!(": reward {first:.3} (first 5) to {last:.3} (last 10)"),
        (None, Some((first, last))) => format!(": loss {first:.3} (first 5) to {last:.3} (last 10)"),
        (None, None) => String::new(),
    };
    let why = summary.message.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    match summary.status {
        RunState::Finished => {
            format!("{} is finished{course}{why}; Reason (5) and Evaluate (6) can use it", summary.run)
        }
        state => format!("{} is {state} after step {}{course}; r goes on with it", summary.run, summary.steps),
    }
}
