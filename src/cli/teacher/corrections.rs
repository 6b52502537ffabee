//! `logwright teacher corrections`

use clap::Args;
use serde_json::{Map, Value, json};

use super::asking::{AskingArgs, common_json, failure, go, not_had, tell_unsettled};
use super::shared::{OneArgs, SamplingArgs, WhichArgs};
use crate::cli::{Context, Failure, output};
use crate::teacher::{Ask, Corrected, Corrections, CorrectionsPlan, Outcome, Prompts, ToCorrect, Wrong, WrongOnes};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
#[command(mut_arg("temperature", |arg| arg.default_value("0.2")))]
pub(super) struct CorrectionsArgs {
    #[command(flatten)]
    asking: AskingArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    one: OneArgs,
    /// Print as JSON: {asked, cached, corrected, not_corrected, failed, left, new, items: [{id, pair, first_wrong_step, why, complaints}]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CorrectionsArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let chosen = WrongOnes {
        dataset: args.which.dataset.as_deref(),
        id: args.one.id.as_deref(),
        among: None,
        limit: args.which.limit,
        again: args.one.again,
    };
    let wrong = Wrong::of_project(&workspace, chosen)?;
    let plan = CorrectionsPlan {
        tries: args.sampling.tries,
        temperature: args.sampling.temperature,
        max_tokens: args.sampling.max_tokens,
        seed: args.sampling.seed,
        same_answer: workspace.settings().review.same_answer,
    };
    if args.asking.dry_run {
        let job = Corrections::new(plan, args.asking.model(&workspace)?)?;
        let items = job.prepare(wrong.found, &Prompts::load(Some(workspace.dir()))?)?;
        let asks: Vec<Ask> = items.iter().map(|item| job.ask(item)).collect();
        return args.asking.rehearse("corrections", &asks, &workspace, args.json);
    }
    let report = correct(&args.asking, plan, wrong, &workspace)?;
    if args.json {
        output::json(&report.json)?;
    } else {
        report.notes.iter().for_each(|note| output::note(note));
        output::line(&report.text)?;
    }
    report.failure.map_or(Ok(()), Err)
}

/// What came of correcting.
pub(super) struct Report {
    /// For programs.
    pub json: Map<String, Value>,
    /// For people, in a line.
    pub text: String,
    /// What is to be told beside it, a line each.
    pub notes: Vec<String>,
    /// What makes it a failure, if anything does.
    pub failure: Option<Failure>,
}

/// Lets a teacher correct wrong trajectories.
pub(super) fn correct(
    asking: &AskingArgs,
    plan: CorrectionsPlan,
    wrong: Wrong,
    workspace: &Workspace,
) -> Result<Report, Failure> {
    let prompts = Prompts::load(Some(workspace.dir()))?;
    let opened = asking.open(workspace)?;
    let job = Corrections::new(plan, opened.teacher.model())?;
    let Wrong { found, corrected: before, malformed, beyond_limit } = wrong;
    let items = job.prepare(found, &prompts)?;
    let ran = go(&job, &items, &opened, workspace)?;
    let done: Vec<&Corrected> = ran
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Done(corrected) => Some(corrected),
            Outcome::Failed(_) | Outcome::Left => None,
        })
        .collect();
    let count = |of: fn(&&Corrected) -> bool| done.iter().copied().filter(of).count();
    let (made, new) = (count(|one| one.pair.is_some()), count(|one| one.new));
    let failed = ran.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    let left = ran.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Left)).count();
    let not_made = done.len() - made;

    let mut report = common_json(&opened, &ran);
    for (name, count) in [
        ("corrected", made),
        ("not_corrected", not_made),
        ("failed", failed),
        ("left", left),
        ("new", new),
        ("corrected_before", before),
        ("malformed", malformed),
        ("beyond_limit", beyond_limit),
    ] {
        report.insert(name.into(), json!(count));
    }
    report.insert("items".into(), items.iter().zip(&ran.outcomes).map(listed).collect());
    let notes = items.iter().zip(&ran.outcomes).filter_map(|(item, outcome)| match outcome {
        Outcome::Failed(why) => Some(format!("{}: {why}", item.id())),
        Outcome::Done(corrected) if corrected.pair.is_none() => {
            let why = corrected.complaints.last().map_or("", String::as_str);
            Some(format!("{}: no pair after {} tries: {why}", item.id(), corrected.complaints.len()))
        }
        Outcome::Done(_) | Outcome::Left => None,
    });
    let notes = notes.collect();
    let malformed = if malformed > 0 { format!("; {malformed} have no steps to correct") } else { String::new() };
    let text = format!(
        "{} wrong trajectories: {made} pairs wait for review, {not_made} could not be corrected, {failed} not had; {} \
         asked, {} cached; {before} were corrected before{malformed}",
        items.len(),
        ran.tally.asked,
        ran.tally.cached
    );
    tell_unsettled(&ran.tally);
    let failure = failure(&ran.ended, left).or_else(|| not_had(failed, "corrections", &ran.tally));
    Ok(Report { json: report, text, notes, failure })
}

fn listed((item, outcome): (&ToCorrect, &Outcome<Corrected>)) -> Value {
    match outcome {
        Outcome::Done(corrected) => json!(corrected),
        Outcome::Failed(why) => json!({ "id": item.id(), "pair": null, "failed": why }),
        Outcome::Left => json!({ "id": item.id(), "pair": null, "left": true }),
    }
}
