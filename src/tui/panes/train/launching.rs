//! Opening the form of the next run, looking what it would take, and starting it.

use super::effects::{Effect, Message, Wanted};
use super::form::Change;
use super::state::{Forecast, State};
use crate::training::CancelFlag;
use crate::tui::app::{self, Toast};
use crate::tui::model::ModelStanding;
use crate::tui::overlays::Prompt;
use crate::tui::panes::Shared;

/// Why nothing can be trained now, if that is so.
pub(super) fn obstacle(shared: &Shared) -> Option<String> {
    match &shared.model {
        ModelStanding::Here(_) => None,
        ModelStanding::Coming(how_far) => Some(format!("the model {} is still coming: {how_far}", shared.model_name)),
        ModelStanding::Missing(_) | ModelStanding::Unknown => {
            Some(format!("the model {} is not here: press m to fetch it", shared.model_name))
        }
    }
}

/// This workbench trains one run at a time by itself; more wait as processes of their own.
const BUSY: &str = "a run is going on here: start others detached (d), where they wait for their turn";

pub(super) fn open_form(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    if let Some(why) = obstacle(shared) {
        return vec![Toast::warning(why).into()];
    }
    if state.supply.is_some_and(|supply| supply.is_empty()) {
        return vec![Toast::warning("nothing is accepted yet: accept something in Review (3) first").into()];
    }
    state.filling = true;
    forecast_unasked(state)
}

/// The form of a run that starts from the selected one's adapter.
pub(super) fn open_form_from(state: &mut State, shared: &Shared) -> Vec<app::Effect> {
    let Some(info) = state.front() else { return vec![Toast::warning("there is no run to start from").into()] };
    if info.status.step == 0 {
        return vec![Toast::warning(format!("{} has no adapter yet", info.run)).into()];
    }
    let run = info.run.to_string();
    let effects = open_form(state, shared);
    if !state.filling {
        return effects;
    }
    state.form.start_from(&run);
    // What the form was about before is not what it is about now.
    let mut all = effects;
    all.extend(forget_forecast(state));
    all.extend(forecast_unasked(state));
    all
}

/// What the form's run would take is no longer known, and whoever tries to find out stops.
pub(super) fn forget_forecast(state: &mut State) -> Vec<app::Effect> {
    match std::mem::take(&mut state.forecast) {
        Forecast::Asked(stop) => vec![app::Effect::Train(Effect::StopEstimate(stop))],
        _ => Vec::new(),
    }
}

/// The form is left; what it asked for is not waited for.
pub(super) fn leave(state: &mut State) -> Vec<app::Effect> {
    state.filling = false;
    match state.forecast {
        Forecast::Asked(_) => forget_forecast(state),
        _ => Vec::new(),
    }
}

pub(super) fn change(state: &mut State) -> Vec<app::Effect> {
    match state.form.change() {
        Change::Turn(recipe) => {
            state.form.replace(*recipe);
            forget_forecast(state)
        }
        Change::Ask => {
            let typed = |text| app::Message::Train(Message::Typed(text));
            vec![Prompt::line(state.form.field().help, &state.form.initial(), typed).into()]
        }
    }
}

/// Why the form's run cannot be begun.
fn form_obstacle(state: &State) -> Option<String> {
    state.form.obstacle().or_else(|| state.lack())
}

/// What the form's run would take is looked at as the form opens, but not beside a run, whose memory and cores it would take.
fn forecast_unasked(state: &mut State) -> Vec<app::Effect> {
    let known = !matches!(state.forecast, Forecast::None);
    if known || state.is_busy() || !state.others_alive().is_empty() || form_obstacle(state).is_some() {
        return Vec::new();
    }
    forecast(state)
}

pub(super) fn forecast(state: &mut State) -> Vec<app::Effect> {
    if let Some(why) = form_obstacle(state) {
        return vec![Toast::warning(why).into()];
    }
    if matches!(state.forecast, Forecast::Asked(_)) {
        return Vec::new();
    }
    let stop = CancelFlag::default();
    state.forecast = Forecast::Asked(stop.clone());
    vec![app::Effect::Train(Effect::Estimate(Box::new(state.form.wanted()), stop))]
}

pub(super) fn start(state: &mut State, how: fn(Box<Wanted>) -> Effect) -> Vec<app::Effect> {
    if let Some(why) = form_obstacle(state) {
        return vec![Toast::warning(why).into()];
    }
    let effect = how(Box::new(state.form.wanted()));
    if matches!(effect, Effect::Start(_)) {
        if state.is_busy() {
            return vec![Toast::warning(BUSY).into()];
        }
        // One that waits for its turn elsewhere looks for itself what is free then.
        if let Forecast::Known(estimate) = &state.forecast
            && let Some(why) = &estimate.refusal
        {
            return vec![Toast::warning(format!("{why}; t looks again")).into()];
        }
    }
    state.filling = false;
    // What is free will be another number by the time the form is open again.
    let mut effects = forget_forecast(state);
    state.starting = matches!(effect, Effect::Start(_));
    effects.push(app::Effect::Train(effect));
    effects
}
