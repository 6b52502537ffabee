//! What the Evaluate pane knows: what to evaluate, what came of it, and where the user is in the errors.

use std::path::PathBuf;

use crate::evaluation::{Baseline, Mistake, Progress, Report, Scores, Truth};
use crate::logs::SafeText;
use crate::training::RunId;
use crate::tui::widgets::ListView;

/// Items that are asked about unless the user says otherwise: enough for a first look, soon enough to wait for.
const LIMIT: usize = 100;

/// Where the items come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The project's templates.
    Project,
    /// A file.
    File(PathBuf),
}

/// What is evaluated on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Where the items come from.
    pub(super) source: Source,
    /// What is taken for the truth; gold where there is gold, if `None`.
    pub(super) truth: Option<Truth>,
    /// At most so many items; all if `None`.
    pub(super) limit: Option<usize>,
    /// The run whose adapter the model wears.
    pub(super) adapter: Option<RunId>,
}

/// A run that has an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wearable {
    /// Its name.
    pub run: RunId,
    /// The folder of the adapter.
    pub dir: PathBuf,
    /// The model that it was trained on.
    pub model: Option<String>,
}

/// What the pane shows.
#[derive(Debug)]
pub struct State {
    /// What the next evaluation is on.
    pub(super) setup: Setup,
    /// Whether the user chose the adapter; until then, the newest run's is taken.
    pub(super) chosen: bool,
    /// The runs that have an adapter, newest first.
    pub(super) wearables: Vec<Wearable>,
    /// The keyword rule's report on the items.
    pub(super) keyword: Option<Box<Report>>,
    /// Why there are no items.
    pub(super) failure: Option<SafeText>,
    /// The model's report, and on what it was made.
    pub(super) report: Option<(Setup, Box<Report>)>,
    /// How far the evaluation is that is going on.
    pub(super) running: Option<Progress>,
    /// Which part's scores are shown: all, then the datasets, then the worded logs.
    pub(super) part: usize,
    /// The error in front.
    pub(super) front: usize,
    pub(super) list: ListView,
}

impl Default for State {
    fn default() -> Self {
        Self {
            setup: Setup { source: Source::Project, truth: None, limit: Some(LIMIT), adapter: None },
            chosen: false,
            wearables: Vec::new(),
            keyword: None,
            failure: None,
            report: None,
            running: None,
            part: 0,
            front: 0,
            list: ListView::default(),
        }
    }
}

/// The scores of a part of the items.
pub(super) struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// The predictor's scores.
    pub scores: &'a Scores,
    /// What simpler predictors score.
    pub baselines: &'a [Baseline],
}

impl State {
    /// The report in front: the model's, if it answered what is set up now; else the keyword rule's.
    pub(super) fn shown(&self) -> Option<&Report> {
        match &self.report {
            Some((setup, report)) if *setup == self.setup => Some(report),
            _ => self.keyword.as_deref(),
        }
    }

    /// The part in front, of the report in front.
    pub(super) fn shown_part(&self) -> Option<Part<'_>> {
        let report = self.shown()?;
        let whole = Part { name: "all", scores: &report.scores, baselines: &report.baselines };
        let sections = report.by_dataset.iter().chain([&report.worded]);
        let section = self.part.checked_sub(1).and_then(|at| sections.into_iter().nth(at));
        Some(section.map_or(whole, |section| Part {
            name: &section.name,
            scores: &section.scores,
            baselines: &section.baselines,
        }))
    }

    /// How many parts the report in front has.
    pub(super) fn parts(&self) -> usize {
        self.shown().map_or(1, |report| report.by_dataset.len() + 2)
    }

    /// The errors in the report in front.
    pub(super) fn errors(&self) -> &[Mistake] {
        self.shown().map_or(&[], |report| &report.errors)
    }

    /// The error in front.
    pub(super) fn mistake(&self) -> Option<&Mistake> {
        self.errors().get(self.front)
    }
}
