//! `logwright teacher corrections`

use clap::Args;
use serde_json::{Map, Value, json};

use super::asking::{AskingArgs, common_json, failure, go};
use crate::cli::{Context, Failure, output};
use crate::teacher::{Ask, Corrected, Corrections, CorrectionsPlan, Outcome, Prompts, ToCorrect, Wrong, WrongOnes};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct CorrectionsArgs {
    #[command(flatten)]
    asking: AskingArgs,
    #[command(flatten)]
    how: CorrectingArgs,
    /// Only logs of this dataset
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Only this rationale or contested trace
    #[arg(long)]
    id: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Also those that a pair rejects already
    #[arg(long)]
    again: bool,
    /// How freely the teacher samples
    #[arg(long, value_name = "T", default_value_t = 0.2)]
    temperature: f64,
    /// The most tokens of a reply
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    max_tokens: u32,
    /// What sampling starts from; another one asks for other corrections
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print as JSON: {asked, cached, corrected, not_corrected, failed, left, new, items: [{id, pair, first_wrong_step, why, complaints}]}
    #[arg(long)]
    json: bool,
}

/// What `teacher imitate --correct` has in common with it.
#[derive(Debug, Args)]
pub(super) struct CorrectingArgs {
    /// How often a correction that makes no pair is asked for again
    #[arg(long, value_name = "K", default_value_t = 3)]
    pub tries: u32,
}

pub(super) fn run(args: &CorrectionsArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let chosen = WrongOnes {
        dataset: args.dataset.as_deref(),
        id: args.id.as_deref(),
        among: None,
        limit: args.limit,
        again: args.again,
    };
    let wrong = Wrong::of_project(&workspace, chosen)?;
    let plan = CorrectionsPlan {
        tries: args.how.tries,
        temperature: args.temperature,
        max_tokens: args.max_tokens,
        seed: args.seed,
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

    let mut report = common_json(&opened, &ran.tally, &ran.ended);
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
    let failure = failure(&ran.ended, left).or_else(|| {
        let why = || format!("{failed} corrections could not be had; the same command asks for them again");
        (failed > 0).then(|| Failure::failed(why()))
    });
    Ok(Report { json: report, text, notes, failure })
}

fn listed((item, outcome): (&ToCorrect, &Outcome<Corrected>)) -> Value {
    match outcome {
        Outcome::Done(corrected) => json!(corrected),
        Outcome::Failed(why) => json!({ "id": item.id(), "pair": null, "failed": why }),
        Outcome::Left => json!({ "id": item.id(), "pair": null, "left": true }),
    }
}
