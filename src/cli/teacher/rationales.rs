//! `logwright teacher rationales`

use clap::Args;
use serde_json::{Value, json};

use super::asking::{AskingArgs, common_json, failure, go, not_had, tell_unsettled, told_unchecked};
use super::shared::{LogsArgs, OneArgs, SamplingArgs, WhichArgs};
use crate::cli::{Context, Failure, output};
use crate::teacher::{
    Ask, Chosen, Outcome, Prepared, Prompts, Rationales, RationalesPlan, Taught, from_file, of_project,
};

#[derive(Debug, Args)]
pub(super) struct RationalesArgs {
    #[command(flatten)]
    asking: AskingArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    one: OneArgs,
    #[command(flatten)]
    logs: LogsArgs,
    /// Rationales for each log
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// The thought in the prompt: its id, or none [default: the seed thought for task and system]
    #[arg(long, value_name = "ID")]
    thought: Option<String>,
    /// What a reviewer says of an earlier attempt
    #[arg(long, value_name = "TEXT", requires = "id")]
    hint: Option<String>,
    /// Print as JSON: {total, asked, cached, kept, wrong, unchecked, failed, left, spent, remaining, unsettled, unsettled_cost,
    /// unsettled_requests: [...], ended, items: [...]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RationalesArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let chosen = Chosen {
        dataset: args.which.dataset.as_deref(),
        task: args.logs.task,
        id: args.one.id.as_deref(),
        limit: args.which.limit,
        again: args.one.again,
    };
    let questions = match &args.logs.data {
        Some(path) => from_file(path, &workspace, chosen)?,
        None => of_project(&workspace, chosen)?,
    };
    let plan = RationalesPlan {
        n: args.n,
        tries: args.sampling.tries,
        temperature: args.sampling.temperature,
        max_tokens: args.sampling.max_tokens,
        seed: args.sampling.seed,
        thought: args.thought.clone(),
        hint: args.hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty()).map(str::to_owned),
        same_answer: workspace.settings().review.same_answer,
    };
    let job = Rationales::new(plan, args.asking.model(&workspace)?)?;
    let prompts = Prompts::load(Some(workspace.dir()))?;
    let items = job.prepare(questions.asked, &prompts, &workspace)?;
    for bad in &questions.rejected {
        output::note(&format!("{}:{}: {}", name_of(args), bad.line, bad.why));
    }
    if args.asking.dry_run {
        if !prompts.replaced().is_empty() {
            output::note(&format!("prompts of the project's own: {}", prompts.replaced().join(", ")));
        }
        let asks: Vec<Ask> = items.iter().flat_map(|item| (0..args.n).map(|sample| job.ask(item, sample))).collect();
        args.asking.rehearse("rationales", &asks, &workspace, args.json)?;
    } else {
        teach(args, &job, &items, &workspace, questions.accepted)?;
    }
    match questions.rejected.len() {
        0 => Ok(()),
        bad => Err(Failure::failed(format!("{}: {bad} rows left out", name_of(args)))),
    }
}

fn name_of(args: &RationalesArgs) -> String {
    args.logs.data.as_ref().map_or_else(|| "the project".to_owned(), |path| path.display().to_string())
}

fn teach(
    args: &RationalesArgs,
    job: &Rationales,
    items: &[Prepared],
    workspace: &crate::workspace::Workspace,
    accepted: usize,
) -> Result<(), Failure> {
    let opened = args.asking.open(workspace)?;
    let ran = go(job, items, &opened, workspace)?;
    let done = || {
        ran.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Done(taught) => Some(taught),
            Outcome::Failed(_) | Outcome::Left => None,
        })
    };
    let sum = |count: fn(&Taught) -> usize| done().map(count).sum::<usize>();
    let (kept, wrong) = (sum(|taught| taught.right.len()), sum(|taught| taught.wrong.len()));
    let unchecked = sum(|taught| taught.unchecked.len());
    let broken = ran.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    let failed = sum(|taught| taught.failed.len()) + broken;
    let left = ran.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Left)).count();
    let left = left + done().filter(|taught| taught.cut_short).count();
    let ending = failure(&ran.ended, left);
    if args.json {
        let mut report = common_json(&opened, &ran);
        for (name, count) in [
            ("kept", kept),
            ("wrong", wrong),
            ("unchecked", unchecked),
            ("failed", failed),
            ("left", left),
            ("new", sum(|taught| taught.new)),
            ("accepted_before", accepted),
        ] {
            report.insert(name.into(), json!(count));
        }
        let listed = items.iter().zip(&ran.outcomes).map(|(item, outcome)| listed(item.id(), outcome));
        report.insert("items".into(), listed.collect());
        output::json(&report)?;
    } else {
        for (item, outcome) in items.iter().zip(&ran.outcomes) {
            match outcome {
                Outcome::Failed(why) => output::note(&format!("{}: {why}", item.id())),
                Outcome::Done(taught) => {
                    taught.failed.iter().for_each(|why| output::note(&format!("{}: {why}", taught.id)))
                }
                Outcome::Left => {}
            }
        }
        let tally = &ran.tally;
        let money = match (tally.spent, tally.remaining) {
            (Some(spent), Some(remaining)) => format!("; {spent} spent, {remaining} left"),
            (Some(spent), None) => format!("; {spent} spent"),
            (None, _) => String::new(),
        };
        output::line(&format!(
            "{} logs: {kept} rationales right, {wrong} wrong and flagged (`review list --flagged`){}, {failed} not had; {} asked, {} cached{money}",
            items.len(),
            told_unchecked(unchecked),
            tally.asked,
            tally.cached
        ))?;
    }
    tell_unsettled(&ran.tally);
    ending.or_else(|| not_had(failed, "rationales", &ran.tally)).map_or(Ok(()), Err)
}

fn listed(id: &str, outcome: &Outcome<Taught>) -> Value {
    match outcome {
        Outcome::Done(taught) => json!(taught),
        Outcome::Failed(why) => json!({ "id": id, "right": [], "wrong": [], "unchecked": [], "failed": [why] }),
        Outcome::Left => {
            json!({ "id": id, "right": [], "wrong": [], "unchecked": [], "failed": [], "cut_short": true })
        }
    }
}
