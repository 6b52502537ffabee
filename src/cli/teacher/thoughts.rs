//! `logwright teacher thoughts`

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::asking::{AskingArgs, common_json, failure, go, not_had, tell_unsettled};
use super::shared::SamplingArgs;
use crate::cli::{Context, Failure, interrupt, output};
use crate::model::Embedder;
use crate::teacher::{
    Analyses, Ask, Excluded, Outcome, Picked, PreparedThought, Prompts, Thinking, Thoughts, ThoughtsPlan, from_cases,
    from_tasks, seed_thoughts, select,
};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
#[command(mut_arg("max_tokens", |arg| arg.default_value("512")))]
pub(super) struct ThoughtsArgs {
    #[command(flatten)]
    asking: AskingArgs,
    /// A handbook's cases (CSV, JSON or JSONL): symptom, steps[, task]; those of fewer than 3 steps are left out
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present_any = ["tasks", "seeds"])]
    cases: Vec<PathBuf>,
    /// The project's own reasoning that answers right, accepted or not yet reviewed
    #[arg(long)]
    tasks: bool,
    /// The thirteen frames of reasoning that come with the program; asks nobody
    #[arg(long, conflicts_with_all = ["cases", "tasks"])]
    seeds: bool,
    /// Choose so many analyses, those that differ most [default: all that say something of their own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Print as JSON: {analyses, excluded, rejected, chosen, asked, cached, kept, flagged, failed, left, spent, remaining,
    /// ended, items: [...]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ThoughtsArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    if args.seeds {
        return seeds(args, &workspace);
    }
    let mut analyses = Analyses::default();
    for file in &args.cases {
        analyses.extend(from_cases(file)?);
    }
    if args.tasks {
        analyses.extend(from_tasks(&workspace)?);
    }
    for Excluded { source, why } in analyses.excluded.iter().chain(&analyses.rejected) {
        output::note(&format!("{source}: left out: {why}"));
    }
    if analyses.usable.is_empty() {
        let left_out = analyses.excluded.len() + analyses.rejected.len();
        return Err(Failure::failed(format!("there is nothing to distil: {left_out} left out, none usable")));
    }
    let (usable, excluded, rejected) = (analyses.usable.len(), analyses.excluded, analyses.rejected);
    let job = Thoughts::new(plan(args), args.asking.model(&workspace)?)?;
    let prompts = Prompts::load(Some(workspace.dir()))?;
    let items = job.prepare(choose(args, analyses.usable)?, &prompts)?;
    if args.asking.dry_run {
        output::note(&format!(
            "{} of {usable} analyses chosen; {} left out",
            items.len(),
            excluded.len() + rejected.len()
        ));
        let asks: Vec<Ask> = items.iter().map(|item| job.ask(item)).collect();
        args.asking.rehearse("thoughts", &asks, &workspace, args.json)?;
    } else {
        let mut report = Map::new();
        report.insert("analyses".into(), json!(usable));
        report.insert("excluded".into(), json!(excluded));
        report.insert("rejected".into(), json!(rejected));
        report.insert("chosen".into(), json!(items.len()));
        distil(args, &job, &items, &workspace, report)?;
    }
    match rejected.first() {
        None => Ok(()),
        Some(Excluded { source, why }) => {
            Err(Failure::failed(format!("{} rows cannot be read; {source}: {why}", rejected.len())))
        }
    }
}

fn plan(args: &ThoughtsArgs) -> ThoughtsPlan {
    let SamplingArgs { tries, temperature, max_tokens, seed } = args.sampling;
    ThoughtsPlan { tries, temperature, max_tokens, seed }
}

/// The analyses that differ most.
fn choose(args: &ThoughtsArgs, usable: Vec<crate::teacher::Analysis>) -> Result<Vec<Picked>, Failure> {
    let embedder = Embedder::open()?;
    let stop = interrupt::flag()?;
    let total = usable.len();
    let mut line = output::Progress::new();
    let picked = select(&embedder, usable, args.count.map(|count| count as usize), &mut |done| {
        line.show(&format!("{done} of {total} analyses read"));
        if stop.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    picked.ok_or_else(|| Failure::failed("stopped before anything was asked"))
}

fn distil(
    args: &ThoughtsArgs,
    job: &Thoughts,
    items: &[PreparedThought],
    workspace: &Workspace,
    mut report: Map<String, Value>,
) -> Result<(), Failure> {
    let opened = args.asking.open(workspace)?;
    let ran = go(job, items, &opened, workspace)?;
    let done: Vec<&Thinking> = ran
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Done(thinking) => Some(thinking),
            Outcome::Failed(_) | Outcome::Left => None,
        })
        .collect();
    let flagged = done.iter().filter(|thinking| !thinking.details.is_empty()).count();
    let failed: Vec<&str> = ran
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Failed(why) => Some(why.as_str()),
            Outcome::Done(_) | Outcome::Left => None,
        })
        .collect();
    let left = ran.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Left)).count();
    let tally = &ran.tally;
    if args.json {
        report.extend(common_json(&opened, &ran));
        for (name, count) in [
            ("kept", done.len() - flagged),
            ("flagged", flagged),
            ("failed", failed.len()),
            ("left", left),
            ("new", done.iter().filter(|thinking| thinking.new).count()),
        ] {
            report.insert(name.into(), json!(count));
        }
        report.insert("items".into(), json!(done));
        report.insert("failures".into(), json!(failed));
        output::json(&report)?;
    } else {
        failed.iter().for_each(|why| output::note(why));
        for thinking in done.iter().filter(|thinking| !thinking.details.is_empty()) {
            output::note(&format!("{}: still names its case: {}", thinking.id, thinking.details.join(", ")));
        }
        let money = match (tally.spent, tally.remaining) {
            (Some(spent), Some(remaining)) => format!("; {spent} spent, {remaining} left"),
            (Some(spent), None) => format!("; {spent} spent"),
            (None, _) => String::new(),
        };
        output::line(&format!(
            "{} analyses: {} thoughts wait for review, {flagged} of them flagged, {} not had; {} asked, {} cached{money}",
            items.len(),
            done.len(),
            failed.len(),
            tally.asked,
            tally.cached
        ))?;
    }
    tell_unsettled(tally);
    failure(&ran.ended, left).or_else(|| not_had(failed.len(), "thoughts", tally)).map_or(Ok(()), Err)
}

fn seeds(args: &ThoughtsArgs, workspace: &Workspace) -> Result<(), Failure> {
    let thoughts = seed_thoughts();
    let dry = args.asking.dry_run;
    let new = if dry {
        let known: HashSet<String> = workspace.thoughts()?.into_iter().map(|thought| thought.id).collect();
        thoughts.iter().filter(|thought| !known.contains(&thought.id)).count()
    } else {
        workspace.add_thoughts(&thoughts)?
    };
    if args.json {
        return output::json(&json!({ "seeds": thoughts.len(), "new": new }));
    }
    let what = if dry { "would be new here" } else { "are new here and wait for review" };
    output::line(&format!("{new} of {} seed thoughts {what}", thoughts.len()))
}
