//! What the Evaluate pane reads, and the job in which the model answers.

use std::path::Path;

use super::state::{Setup, Source, Wearable};
use crate::evaluation::{
    EvaluationError, Items, KeywordRule, ModelPredictor, Progress, Report, Selection, evaluate_anomaly, keep_report,
    project_items, read_items,
};
use crate::model::{Adapter, LanguageModel, installed};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::training::{RunFolder, adapter_of_run, list_runs, project_device};
use crate::tui::app;
use crate::tui::effects::{Edge, Job};
use crate::tui::panes::PaneId;
use crate::workspace::Workspace;

/// What the pane wants done outside.
#[derive(Debug)]
pub enum Effect {
    /// Read the items and the runs, and let the keyword rule judge.
    Load(Setup),
    /// Ask the model.
    Evaluate {
        /// About what.
        setup: Setup,
        /// The project's model.
        model: String,
    },
}

/// What comes back from the pane's effects and prompts.
#[derive(Debug)]
pub enum Message {
    /// Items and runs were read.
    Loaded(Loaded),
    /// How far the model is.
    Progress(Progress),
    /// The model has answered.
    Evaluated(Setup, Box<Report>),
    /// The evaluation ended without a report.
    Stopped,
    /// The user typed a file's path, or nothing for the project.
    DataTyped(String),
    /// The user typed a limit, or nothing for none.
    LimitTyped(String),
}

/// Items and runs, as they were read.
#[derive(Debug)]
pub struct Loaded {
    /// The setup that they were read for.
    pub(super) setup: Setup,
    /// The keyword rule's report, or why there are no items.
    pub(super) keyword: Result<Box<Report>, String>,
    /// The runs that have an adapter, newest first.
    pub(super) wearables: Vec<Wearable>,
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Load(setup) => edge.store(move |workspace| message(Message::Loaded(load(workspace, setup)))),
        Effect::Evaluate { setup, model } => {
            let root = edge.root().to_owned();
            edge.spawn(PaneId::Evaluate, "evaluate", move |job| {
                match evaluate(&root, &setup, &model, job) {
                    Ok(report) => job.tell(message(Message::Evaluated(setup, Box::new(report)))),
                    Err(why) => {
                        job.tell(message(Message::Stopped));
                        return why.map_or(Ok(()), Err);
                    }
                }
                Ok(())
            });
        }
    }
}

fn message(message: Message) -> app::Message {
    app::Message::Evaluate(message)
}

pub(super) fn load(workspace: &Workspace, setup: Setup) -> Loaded {
    let wearable = |info: crate::training::RunInfo| {
        let folder = RunFolder::at(&info.dir);
        let model = folder.recipe().ok().and_then(|recipe| recipe.model);
        Some(Wearable { run: info.run, dir: adapter_of_run(&folder).ok()?, model })
    };
    let wearables = list_runs(&workspace.runs_dir()).into_iter().filter_map(wearable).collect();
    let keyword = items(workspace, &setup).and_then(|items| {
        let selection = Selection { limit: setup.limit };
        evaluate_anomaly(&items, selection, &KeywordRule::default(), &mut |_| {}, &|| false)
            .map(Box::new)
            .map_err(|error| error.to_string())
    });
    Loaded { setup, keyword, wearables }
}

fn items(workspace: &Workspace, setup: &Setup) -> Result<Items, String> {
    let items = match &setup.source {
        Source::Project => project_items(workspace, setup.truth),
        Source::File(path) => read_items(path, setup.truth),
    };
    items.map_err(|error| error.to_string())
}

/// The model's report; `Err(None)` when the user stopped it.
fn evaluate(root: &Path, setup: &Setup, model: &str, job: &Job) -> Result<Report, Option<String>> {
    let failed = |error: &dyn std::fmt::Display| Some(error.to_string());
    let workspace = Workspace::open(root).map_err(|error| failed(&error))?;
    let items = items(&workspace, setup).map_err(Some)?;
    let run = setup.adapter.as_ref().map(|run| RunFolder::at(workspace.runs_dir().join(run.as_str())));
    let device = project_device(Some(&workspace)).map_err(|error| failed(&error))?;
    drop(workspace);
    let of_run = run.as_ref().and_then(|run| run.recipe().ok()).and_then(|recipe| recipe.model);
    let name = of_run.unwrap_or_else(|| model.to_owned());
    let path = installed(&name).ok_or_else(|| Some(format!("model {name} is not on this machine")))?;
    let model = LanguageModel::load(&path, &device).map_err(|error| failed(&error))?;
    if let Some(note) = model.note() {
        job.tell(app::Message::Toast(app::Toast::warning(note)));
    }
    let adapter = match &run {
        Some(run) => {
            let dir = adapter_of_run(run).map_err(|error| failed(&error))?;
            Some((Adapter::load(&dir, &model).map_err(|error| failed(&error))?, run.id()))
        }
        None => None,
    };
    let wearing = adapter.as_ref().map(|(adapter, run)| (adapter, run.as_str()));
    let predictor = ModelPredictor::new(&model, &name, wearing, AnomalyPrompt::default());
    let mut tell = |progress: Progress| {
        job.progress(format!("{}/{}", progress.done, progress.of));
        job.report(message(Message::Progress(progress)));
    };
    let selection = Selection { limit: setup.limit };
    let report = evaluate_anomaly(&items, selection, &predictor, &mut tell, &|| job.is_cancelled());
    let report = report.map_err(|error| match error {
        EvaluationError::Cancelled(_) => None,
        EvaluationError::Predictor(why) => Some(why),
    })?;
    // The margins are a help for later; a project that cannot be written has its report all the same.
    if let Ok(workspace) = Workspace::open(root) {
        let _ = keep_report(&workspace, &report);
    }
    Ok(report)
}
