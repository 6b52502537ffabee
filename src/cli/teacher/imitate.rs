//! `logwright teacher imitate`

use clap::Args;
use serde_json::{Value, json};

use super::asking::{AskingArgs, common_json, failure, go, prompt_text, told_unchecked};
use super::corrections::correct;
use super::local;
use super::shared::{LogsArgs, SamplingArgs, WhichArgs};
use crate::cli::base::named_adapter;
use crate::cli::{Context, Failure, output};
use crate::model::DeviceChoice;
use crate::teacher::{
    Chosen, CorrectionsPlan, Imitate, ImitatePlan, Outcome, Questions, Solved, Wrong, WrongOnes, from_file, of_project,
    questions_of_rationales,
};
use crate::training::project_device;
use crate::workspace::Workspace;

#[derive(Debug, Args)]
#[command(mut_arg("max_tokens", |arg| arg.default_value("384")))]
pub(super) struct ImitateArgs {
    /// The tuned model: a run (its id, the start of it, `latest`) or an adapter's folder [default: the model without one]
    #[arg(long, value_name = "RUN|DIR")]
    adapter: Option<String>,
    /// The model under it: a name that `model list` knows, or a path [default: the run's, else the project's]
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    /// Where to compute: cpu, or cuda:N for an NVIDIA GPU [default: the project's `device`, else the first GPU that can be used,
    /// else cpu]
    #[arg(long)]
    device: Option<DeviceChoice>,
    #[command(flatten)]
    sampling: SamplingArgs,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    logs: LogsArgs,
    /// The logs of the project's rationales
    #[arg(long, conflicts_with = "data")]
    rationales: bool,
    /// Solutions of each
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Let a teacher correct the wrong ones at once; otherwise they wait for `teacher corrections`
    #[arg(long)]
    correct: bool,
    #[command(flatten)]
    asking: AskingArgs,
    /// Print as JSON: {right, wrong, unchecked, malformed, failed, left, new, items: [{id, right, wrong, …}][, corrections]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ImitateArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let questions = questions(args, &workspace)?;
    let same_answer = workspace.settings().review.same_answer;
    let n = args.n;
    let SamplingArgs { temperature, max_tokens, seed, tries } = args.sampling;
    let plan = ImitatePlan { n, temperature, max_tokens, seed, same_answer };
    let source = args.adapter.clone().or_else(|| args.base.clone());
    let mut job = Imitate::new(plan.clone(), &source.unwrap_or_else(|| workspace.settings().model.clone()))?;
    for bad in &questions.rejected {
        let file = args.logs.data.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        output::note(&format!("{file}:{}: {}", bad.line, bad.why));
    }
    let items = job.prepare(questions.asked)?;
    if items.is_empty() {
        return Err(Failure::failed("there is nothing to solve"));
    }
    if args.asking.dry_run {
        if let Some(run) = &args.adapter {
            named_adapter(run, Some(&workspace))?;
        }
        let first = items.first().map(|item| job.ask(item, 0).messages);
        let requests = items.len() * args.n as usize;
        if args.json {
            output::json(&json!({ "questions": items.len(), "solutions": requests, "first_prompt": first }))?;
        } else {
            output::line(&prompt_text(first.as_deref().unwrap_or_default())?)?;
            output::line(&format!("{} logs would be solved {} times each: {requests} solutions", items.len(), args.n))?;
        }
        return match questions.rejected.len() {
            0 => Ok(()),
            bad => Err(Failure::failed(format!("{bad} rows left out"))),
        };
    }
    let batch = args.asking.concurrency;
    let device = args.device.map_or_else(|| project_device(Some(&workspace)), Ok)?;
    let mut opened = local::open(args.base.as_deref(), args.adapter.as_deref(), &device, batch, &workspace)?;
    // Solutions are written together: as many questions at a time as fill a batch, and a few more.
    opened.terms.concurrency += args.n as usize;
    job = Imitate::new(plan, opened.teacher.model())?;
    let ran = go(&job, &items, &opened, &workspace)?;
    let done: Vec<&Solved> = ran
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Done(solved) => Some(solved),
            Outcome::Failed(_) | Outcome::Left => None,
        })
        .collect();
    let sum = |count: fn(&Solved) -> usize| done.iter().map(|solved| count(solved)).sum::<usize>();
    let left = ran.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Left)).count();
    let (right, wrong) = (sum(|solved| solved.right.len()), sum(|solved| solved.wrong.len()));
    let unchecked = sum(|solved| solved.unchecked.len());
    let (malformed, failed) = (sum(|solved| solved.malformed), sum(|solved| solved.failed.len()));
    let mut report = common_json(&opened, &ran);
    for (name, count) in [
        ("right", right),
        ("wrong", wrong),
        ("malformed", malformed),
        ("unchecked", unchecked),
        ("failed", failed),
        ("left", left),
        ("new", sum(|solved| solved.new)),
    ] {
        report.insert(name.into(), json!(count));
    }
    let listed = items.iter().zip(&ran.outcomes).map(|(item, outcome)| match outcome {
        Outcome::Done(solved) => json!(solved),
        Outcome::Failed(why) => json!({ "id": item.id(), "failed": [why] }),
        Outcome::Left => json!({ "id": item.id(), "left": true }),
    });
    report.insert("items".into(), listed.collect::<Value>());
    let mut ending = failure(&ran.ended, left);
    let wrong_ids: Vec<String> = done.iter().flat_map(|solved| solved.wrong.clone()).collect();
    // The model's memory is the teacher's to have, where that is one of this machine, too.
    let model = opened.teacher.model().to_owned();
    drop(opened);
    let mut corrections = None;
    if args.correct && ending.is_none() && !wrong_ids.is_empty() {
        let chosen = WrongOnes { among: Some(&wrong_ids), ..WrongOnes::default() };
        let plan = CorrectionsPlan { tries, same_answer, ..CorrectionsPlan::default() };
        corrections = Some(correct(&args.asking, plan, Wrong::of_project(&workspace, chosen)?, &workspace)?);
    }
    if args.json {
        if let Some(corrections) = &corrections {
            report.insert("corrections".into(), json!(corrections.json));
        }
        output::json(&report)?;
    } else {
        let waits = if args.correct { "" } else { " (`logwright teacher corrections` corrects them)" };
        output::line(&format!(
            "{} logs, solved {} times each by {model}: {right} right solutions wait for review, {wrong} wrong ones for a \
             correction{waits}{}, {malformed} could not be read, {failed} not had",
            items.len(),
            args.n,
            told_unchecked(unchecked)
        ))?;
        if let Some(corrections) = &corrections {
            corrections.notes.iter().for_each(|note| output::note(note));
            output::line(&corrections.text)?;
        }
    }
    if ending.is_none() {
        ending = corrections.and_then(|corrections| corrections.failure);
    }
    match (ending, questions.rejected.len(), failed) {
        (Some(failure), ..) => Err(failure),
        (None, 0, 0) => Ok(()),
        (None, 0, failed) => Err(Failure::failed(format!("{failed} solutions could not be had"))),
        (None, bad, _) => Err(Failure::failed(format!("{bad} rows left out"))),
    }
}

fn questions(args: &ImitateArgs, workspace: &Workspace) -> Result<Questions, Failure> {
    let chosen = Chosen {
        dataset: args.which.dataset.as_deref(),
        task: args.logs.task,
        id: None,
        limit: args.which.limit,
        // What is accepted already may be solved in another way.
        again: true,
    };
    if let Some(path) = &args.logs.data {
        return Ok(from_file(path, workspace, chosen)?);
    }
    if !args.rationales {
        return Ok(of_project(workspace, chosen)?);
    }
    let mut asked = questions_of_rationales(workspace)?;
    asked.retain(|question| args.which.dataset.as_deref().is_none_or(|dataset| question.system == dataset));
    asked.retain(|question| args.logs.task.is_none_or(|task| question.task == task));
    let limit = args.which.limit.unwrap_or(usize::MAX);
    let beyond_limit = asked.len().saturating_sub(limit);
    asked.truncate(limit);
    Ok(Questions { asked, beyond_limit, ..Questions::default() })
}
