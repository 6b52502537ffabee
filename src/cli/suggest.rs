//! `logwright suggest`: what the model, or the keyword rule, would say of the templates.

use clap::Args;
use serde_json::json;

use super::base::{BaseArgs, named_adapter};
use super::{Context, Failure, interrupt, output};
use crate::evaluation::{Asked, KeywordRule, Margins};
use crate::labels::Label;
use crate::model::{Adapter, LanguageModel};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::workspace::{Suggestion, TemplateRecord, Workspace};

/// Templates between two writes: what a stop or a kill costs at most.
const BATCH: usize = 64;

#[derive(Debug, Args)]
pub(super) struct SuggestArgs {
    /// Let the keyword rule suggest, not the model
    #[arg(long, conflicts_with_all = ["adapter"])]
    rule: bool,
    /// The adapter that the model wears: a run (id, the start of it, `latest`) or a folder in PEFT's layout
    #[arg(long, value_name = "RUN|DIR")]
    adapter: Option<String>,
    #[command(flatten)]
    base: BaseArgs,
    /// Only templates of this dataset
    #[arg(long)]
    dataset: Option<String>,
    /// At most so many templates, of those that have no suggestion of this source yet
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print the result as JSON: {source, suggested, abnormal, left}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &SuggestArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let done = if args.rule { by_rule(args, &workspace)? } else { by_model(args, &workspace)? };
    if args.json {
        output::json(&json!({
            "source": done.source, "suggested": done.suggested, "abnormal": done.abnormal, "left": done.left,
        }))?;
    } else {
        let Done { source, suggested, abnormal, left, .. } = &done;
        output::line(&format!("{source}: {suggested} templates, {abnormal} of them abnormal; {left} left"))?;
    }
    if done.stopped { Err(Failure::failed("stopped; the same command goes on from here")) } else { Ok(()) }
}

#[derive(Default)]
struct Done {
    source: String,
    suggested: usize,
    abnormal: usize,
    left: usize,
    stopped: bool,
}

/// The templates that have no suggestion of `source` yet, and how many more there are than asked for.
fn waiting(args: &SuggestArgs, workspace: &Workspace, source: &str) -> Result<(Vec<TemplateRecord>, usize), Failure> {
    let known = workspace.suggestions()?;
    let mut waiting = workspace.templates()?;
    waiting.retain(|record| {
        args.dataset.as_ref().is_none_or(|dataset| *dataset == record.key().dataset)
            && known.get(record.key()).is_none_or(|suggestion| suggestion.source != source)
    });
    let taken = args.limit.unwrap_or(usize::MAX).min(waiting.len());
    let left = waiting.len() - taken;
    waiting.truncate(taken);
    Ok((waiting, left))
}

fn by_rule(args: &SuggestArgs, workspace: &Workspace) -> Result<Done, Failure> {
    let source = "keyword rule".to_owned();
    let (records, left) = waiting(args, workspace, &source)?;
    let rule = KeywordRule::default();
    let suggestions: Vec<Suggestion> = records
        .iter()
        .map(|record| Suggestion {
            template: record.key().clone(),
            source: source.clone(),
            label: rule.judge(record.text()),
            margin: None,
        })
        .collect();
    workspace.suggest(&suggestions)?;
    let abnormal = suggestions.iter().filter(|suggestion| suggestion.label == Label::Abnormal).count();
    Ok(Done { source, suggested: suggestions.len(), abnormal, left, stopped: false })
}

fn by_model(args: &SuggestArgs, workspace: &Workspace) -> Result<Done, Failure> {
    let adapter = args.adapter.as_deref().map(|name| named_adapter(name, Some(workspace))).transpose()?;
    let of_run = adapter.as_ref().and_then(|adapter| adapter.model.as_deref());
    let base = args.base.resolve(of_run, Some(workspace))?;
    let worn = adapter.as_ref().map(|adapter| format!(" + {}", adapter.name)).unwrap_or_default();
    let source = format!("{}{worn}", base.name);
    let (records, left) = waiting(args, workspace, &source)?;
    let model = LanguageModel::load(&base.path, &args.base.device)?;
    if let Some(note) = model.note() {
        output::note(note);
    }
    let loaded = adapter.as_ref().map(|adapter| Adapter::load(&adapter.dir, &model)).transpose()?;
    let prompt = AnomalyPrompt::default();
    let margins = Margins::new(Asked {
        model: &model,
        model_name: &base.name,
        adapter: loaded.as_ref().zip(adapter.as_ref().map(|adapter| adapter.name.as_str())),
        prompt: &prompt,
    });
    let stop = interrupt::flag()?;
    let mut progress = output::Progress::new();
    let mut done = Done { source, left: left + records.len(), ..Done::default() };
    for batch in records.chunks(BATCH) {
        let logs: Vec<&str> = batch.iter().map(TemplateRecord::text).collect();
        let Some(margins) = margins.at_once(&logs, &mut || !stop.is_set())? else {
            done.stopped = true;
            break;
        };
        let suggestions: Vec<Suggestion> = batch
            .iter()
            .zip(margins)
            .map(|(record, margin)| Suggestion {
                template: record.key().clone(),
                source: done.source.clone(),
                label: if margin > 0.0 { Label::Abnormal } else { Label::Normal },
                margin: Some(margin),
            })
            .collect();
        workspace.suggest(&suggestions)?;
        done.suggested += suggestions.len();
        done.left -= suggestions.len();
        done.abnormal += suggestions.iter().filter(|suggestion| suggestion.label == Label::Abnormal).count();
        progress.show(&format!("{} of {} templates", done.suggested, records.len()));
    }
    Ok(done)
}
