//! `logwright suggest`: what the model, or the keyword rule, would say of the templates.

use clap::Args;

use super::base::{BaseArgs, named_adapter};
use super::{Context, Failure, interrupt, output};
use crate::evaluation::{Asked, Margins, Suggestions, Wanted, suggest_by_model, suggest_by_rule};
use crate::model::{Adapter, LanguageModel};
use crate::reasoning::prompt::AnomalyPrompt;
use crate::workspace::Workspace;

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
    let wanted = Wanted { dataset: args.dataset.as_deref(), limit: args.limit };
    let done = if args.rule { suggest_by_rule(&workspace, wanted)? } else { by_model(args, &workspace, wanted)? };
    if args.json {
        output::json(&done)?;
    } else {
        let Suggestions { source, suggested, abnormal, left, .. } = &done;
        output::line(&format!("{source}: {suggested} templates, {abnormal} of them abnormal; {left} left"))?;
    }
    if done.stopped { Err(Failure::failed("stopped; the same command goes on from here")) } else { Ok(()) }
}

fn by_model(args: &SuggestArgs, workspace: &Workspace, wanted: Wanted<'_>) -> Result<Suggestions, Failure> {
    let adapter = args.adapter.as_deref().map(|name| named_adapter(name, Some(workspace))).transpose()?;
    let of_run = adapter.as_ref().and_then(|adapter| adapter.model.as_deref());
    let base = args.base.resolve(of_run, Some(workspace))?;
    let worn = adapter.as_ref().map(|adapter| format!(" + {}", adapter.name)).unwrap_or_default();
    let model = LanguageModel::load(&base.path, &args.base.device(Some(workspace))?)?;
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
    let mut go_on = |done, of| {
        progress.show(&format!("{done} of {of} templates"));
        !stop.is_set()
    };
    Ok(suggest_by_model(workspace, &format!("{}{worn}", base.name), &margins, wanted, &mut go_on)?)
}
