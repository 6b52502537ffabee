//! What the Reason pane's threads do: have models answer, weigh what they said, and score what-ifs.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::effects::{Ask, Message, Suppose};
use super::state::Wearing;
use crate::evaluation::{
    Asked, Asking, Counterfactual, SteppedTrace, calibrations, keep_trace, step_through, template_of, weigh, what_if,
};
use crate::model::{Adapter, LanguageModel, installed};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::training::project_device;
use crate::tui::app::{Message as AppMessage, Toast};
use crate::tui::effects::Job;
use crate::workspace::{Workspace, WorkspaceError};

/// A model that is loaded, and from where.
pub(super) type Loaded = Option<(PathBuf, Arc<LanguageModel>)>;

/// A model in memory, with what it wears.
struct Ready {
    model: Arc<LanguageModel>,
    name: String,
    adapter: Option<(Adapter, String)>,
}

impl Ready {
    fn asked<'a>(&'a self, prompt: &'a AnomalyPrompt) -> Asked<'a> {
        Asked {
            model: &self.model,
            model_name: &self.name,
            adapter: self.adapter.as_ref().map(|(adapter, name)| (adapter, name.as_str())),
            prompt,
        }
    }
}

/// Brings a model into memory: the adapter's own, else `other` if one is named, else the project's.
fn ready(
    project: &(String, PathBuf),
    other: Option<&str>,
    adapter: Option<&Wearing>,
    loaded: &mut Loaded,
    root: &Path,
    job: &Job,
) -> Result<Ready, String> {
    let of_run = adapter.and_then(|adapter| adapter.model.as_deref());
    let name = of_run.or(other).unwrap_or(&project.0).to_owned();
    let path = if name == project.0 {
        project.1.clone()
    } else {
        installed(&name).ok_or_else(|| {
            let whose = if of_run.is_some() { "the adapter was trained on" } else { "the trace is of" };
            format!("{whose} {name}, which is not on this machine: run `logwright model pull {name}`")
        })?
    };
    let model = match loaded {
        Some((from, model)) if *from == path => Arc::clone(model),
        _ => {
            job.progress("loading");
            let workspace = Workspace::open(root).map_err(|error| error.to_string())?;
            let device = project_device(Some(&workspace)).map_err(|error| error.to_string())?;
            let model = LanguageModel::load(&path, &device).map_err(|error| error.to_string())?;
            if let Some(note) = model.note() {
                job.tell(AppMessage::Toast(Toast::warning(note)));
            }
            let model = Arc::new(model);
            job.tell(AppMessage::Reason(Message::ModelLoaded(path.clone(), Arc::clone(&model))));
            *loaded = Some((path, Arc::clone(&model)));
            model
        }
    };
    let worn = adapter.map(|adapter| Adapter::load(&adapter.dir, &model)).transpose();
    let worn = worn.map_err(|error| error.to_string())?;
    Ok(Ready { model, name, adapter: worn.zip(adapter.map(|adapter| adapter.name.clone())) })
}

/// An answer.
struct Answered {
    ticket: u64,
    ready: Ready,
    trace: SteppedTrace,
    /// Whether the user stopped it, so that there is nothing to weigh.
    stopped: bool,
}

/// Has everyone answer who is asked, one after the other, and tells each trace or why there is none; then has them weigh
/// what their verdicts rest on, tells that, and keeps the traces in the project at `root`.
pub(super) fn reason(mut ask: Ask, root: &Path, job: &Job) {
    let prompt = AnomalyPrompt::of(ask.question.session);
    let more = std::mem::take(&mut ask.more);
    let several = !more.is_empty();
    let everyone = std::iter::once((ask.ticket, ask.adapter.take())).chain(more);
    let mut answers = Vec::new();
    for (ticket, adapter) in everyone {
        let answer = match job.is_cancelled() {
            true => Err("stopped before the first token".to_owned()),
            false => answer(&mut ask, ticket, adapter.as_ref(), &prompt, root, job),
        };
        match answer {
            Ok(answered) => answers.push(answered),
            Err(why) => job.tell(AppMessage::Reason(Message::Failed(ticket, why))),
        }
    }
    job.progress("weighing");
    // Where several answered, the margins are what they are compared by: these come first.
    let passes: &[bool] = if several { &[false, true] } else { &[true] };
    for evidence in passes {
        for Answered { ticket, ready, trace, .. } in answers.iter_mut().filter(|answered| !answered.stopped) {
            // A trace that cannot be weighed, because it fills the context, still stands.
            let weighed = weigh(ready.asked(&prompt), trace, *evidence, &mut || !job.is_cancelled()).is_ok();
            let weighed = weighed.then(|| Box::new(trace.clone()));
            job.tell(AppMessage::Reason(Message::Weighed(*ticket, weighed)));
        }
    }
    // A trace that cannot be kept, because the project may not be written, can still be looked at.
    let _ = keep(&answers, &ask.by, root, job);
}

fn keep(answers: &[Answered], by: &str, root: &Path, job: &Job) -> Result<(), WorkspaceError> {
    if answers.is_empty() {
        return Ok(());
    }
    let workspace = Workspace::open(root)?;
    let templates = workspace.templates()?;
    let calibrations = calibrations(&workspace);
    for Answered { ticket, ready, trace, .. } in answers {
        let mut trace = trace.clone();
        trace.set_band(&calibrations);
        let template = template_of(&templates, &trace);
        let id = keep_trace(&workspace, &trace, template.as_ref(), Some(&ready.model.fingerprint()), by)?;
        job.tell(AppMessage::Reason(Message::Stored(*ticket, id)));
    }
    Ok(())
}

/// Has one answer, and tells the trace.
fn answer(
    ask: &mut Ask,
    ticket: u64,
    adapter: Option<&Wearing>,
    prompt: &AnomalyPrompt,
    root: &Path,
    job: &Job,
) -> Result<Answered, String> {
    let ready = ready(&ask.model, None, adapter, &mut ask.loaded, root, job)?;
    if job.is_cancelled() {
        return Err("stopped before the first token".to_owned());
    }
    let asking = Asking { fast: ask.fast, begun: ask.begun.clone(), ..Asking::default() };
    let (mut tokens, mut stopped, mut first) = (0_u32, false, None);
    let trace = step_through(ready.asked(prompt), &ask.question.text, &asking, &mut |text| {
        let since_first = first.get_or_insert_with(Instant::now).elapsed();
        let tokens_per_second = (tokens > 0).then(|| f64::from(tokens) / since_first.as_secs_f64());
        tokens += 1;
        let text = text.to_owned();
        job.report(AppMessage::Reason(Message::Written { ticket, text, tokens_per_second }));
        job.progress(format!("{tokens} tokens"));
        stopped = job.is_cancelled();
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let trace = trace.map_err(|error| error.to_string())?;
    job.tell(AppMessage::Reason(Message::Done { ticket, trace: Box::new(trace.clone()), stopped }));
    Ok(Answered { ticket, ready, trace, stopped })
}

/// Scores a changed log.
pub(super) fn suppose(mut suppose: Suppose, root: &Path, job: &Job) -> Result<Counterfactual, String> {
    let other = suppose.adapter.is_none().then_some(suppose.model.as_str());
    let ready = ready(&suppose.project, other, suppose.adapter.as_ref(), &mut suppose.loaded, root, job)?;
    let prompt = AnomalyPrompt::of(suppose.session);
    let go_on = &mut || !job.is_cancelled();
    match what_if(ready.asked(&prompt), &suppose.log, suppose.as_it_is, &suppose.changes, go_on) {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err("stopped".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
