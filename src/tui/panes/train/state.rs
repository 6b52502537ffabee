//! What the Train pane knows: the recipe of the next run, the runs there are, and the curve of the one in front.

use super::figure::Figure;
use super::form::Form;
use super::samples::Reading;
use crate::logs::SafeText;
use crate::training::{
    CancelFlag, DataSummary, Estimate, ObjectiveName, Recipe, RunId, RunInfo, RunState, Sample, StepRecord, Supply,
};

/// A run that this workbench is working on.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// Which.
    pub run: RunId,
    /// Steps to do in all; nought while the data is prepared.
    pub steps: usize,
    /// What it trains on.
    pub data: DataSummary,
    /// Seconds that the rest takes at the present pace.
    pub eta_seconds: Option<f64>,
    /// Whether the user asked it to stop.
    pub stopping: bool,
    /// Whether it waits for its turn, or until it may go on.
    pub waiting: Option<RunState>,
}

/// A run that others are laid beside.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub run: RunId,
    pub curve: Vec<StepRecord>,
    pub recipe: Option<Box<Recipe>>,
}

/// What is known of the run that the form would start.
#[derive(Clone, Debug, Default)]
pub(super) enum Forecast {
    /// Nothing yet.
    #[default]
    None,
    /// The model is being asked; the flag stops that.
    Asked(CancelFlag),
    /// What it takes.
    Known(Box<Estimate>),
    /// Why that cannot be said.
    Failed(SafeText),
}

/// What the pane shows.
#[derive(Debug, Default)]
pub struct State {
    /// The settings of the next run.
    pub(super) form: Form,
    /// Whether they are being filled in.
    pub(super) filling: bool,
    /// What the next run would take.
    pub(super) forecast: Forecast,
    /// The runs, newest first.
    pub(super) runs: Vec<RunInfo>,
    /// What there is to learn from; `None` until the store was read.
    pub(super) supply: Option<Supply>,
    /// Why the runs cannot be read.
    pub(super) failure: Option<SafeText>,
    /// The run in front.
    pub(super) selected: Option<RunId>,
    /// The run that was in front at the last session.
    pub(super) wanted: Option<String>,
    /// The steps of the run in front.
    pub(super) curve: Vec<StepRecord>,
    /// What the model said along the way in the run in front.
    pub(super) samples: Vec<Sample>,
    /// The recipe of the run in front.
    pub(super) recipe: Option<Box<Recipe>>,
    /// The run that the one in front is compared with.
    pub(super) compared: Option<Compared>,
    /// Where the reader of what the model said is, while it is read.
    pub(super) reading: Option<Reading>,
    /// Which of the figures is drawn large.
    pub(super) figure: usize,
    /// The run that this workbench is working on.
    pub(super) active: Option<Active>,
    /// A run was asked for and has not reported yet.
    pub(super) starting: bool,
    /// The folders of other processes' runs are being watched.
    pub(super) watching: bool,
}

impl State {
    /// The run in front.
    pub(super) fn front(&self) -> Option<&RunInfo> {
        self.runs.iter().find(|info| Some(&info.run) == self.selected.as_ref())
    }

    /// Where the run in front stands in the list.
    pub(super) fn place(&self) -> usize {
        self.runs.iter().position(|info| Some(&info.run) == self.selected.as_ref()).unwrap_or(0)
    }

    /// The run in front, if this workbench is working on it.
    pub(super) fn front_active(&self) -> Option<&Active> {
        self.active.as_ref().filter(|active| Some(&active.run) == self.selected.as_ref())
    }

    /// Whether a run is going on here, or about to.
    pub(super) fn is_busy(&self) -> bool {
        self.starting || self.active.is_some()
    }

    /// Steps to do in the run in front.
    pub(super) fn steps(&self) -> usize {
        let active = self.front_active().map(|active| active.steps).filter(|&steps| steps > 0);
        active.or_else(|| self.front().map(|info| info.status.steps)).unwrap_or(0)
    }

    /// Where the run in front stands.
    pub(super) fn standing(&self) -> Option<RunState> {
        match self.front_active() {
            Some(active) => Some(active.waiting.unwrap_or(RunState::Running)),
            None => self.front().map(|info| info.status.state),
        }
    }

    /// What the run in front optimises.
    pub(super) fn objective(&self) -> ObjectiveName {
        let of_recipe = self.recipe.as_ref().map(|recipe| recipe.objective);
        of_recipe.or_else(|| self.front().map(|info| info.objective)).unwrap_or_default()
    }

    /// Why the form's run has nothing to learn from, if that is so.
    pub(super) fn lack(&self) -> Option<String> {
        Some(self.supply?.lack(&self.form.recipe)?.to_string())
    }

    /// The figures of the run in front, that which is drawn large first.
    pub(super) fn figures(&self) -> Vec<Figure> {
        let mut figures = Figure::all(self.objective(), &self.curve);
        let first = self.figure % figures.len().max(1);
        figures.rotate_left(first);
        figures
    }

    /// The run that the one in front is compared with, unless it is that one.
    pub(super) fn beside(&self) -> Option<&Compared> {
        self.compared.as_ref().filter(|compared| Some(&compared.run) != self.selected.as_ref())
    }

    /// The runs of other processes that are not over.
    pub(super) fn others_alive(&self) -> Vec<&RunInfo> {
        let here = self.active.as_ref().map(|active| &active.run);
        let alive = |info: &&RunInfo| info.status.state.is_alive() && Some(&info.run) != here;
        self.runs.iter().filter(alive).collect()
    }

    /// The first answer of the newest evaluation: where there are several, the one that got most.
    pub(super) fn newest_sample(&self) -> Option<usize> {
        let step = self.samples.last()?.step;
        self.samples.iter().position(|sample| sample.step == step)
    }

    /// Forgets what was read of the run in front.
    pub(super) fn forget_front(&mut self) {
        self.curve.clear();
        self.samples.clear();
        self.recipe = None;
        self.reading = None;
    }
}
