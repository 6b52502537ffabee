//! `logwright review mark`: what a reviewer says of single steps.

use clap::Args;

use super::{find, kind_of};
use crate::cli::{Failure, output};
use crate::reasoning::{ItemKind, Mark};
use crate::workspace::{NewMarks, Workspace};

#[derive(Debug, Args)]
pub(super) struct MarkArgs {
    /// The rationale, or the pair, whose rejected side is judged
    id: String,
    /// What to say of the step: right, wrong or unjudged
    #[arg(requires = "step", required_unless_present = "first_wrong")]
    mark: Option<Mark>,
    /// Which step, from 1
    #[arg(long, value_name = "N", requires = "mark")]
    step: Option<usize>,
    /// This step, from 1, is the first wrong one: it is wrong, and those before it are right
    #[arg(long, value_name = "N", conflicts_with_all = ["step", "mark"])]
    first_wrong: Option<usize>,
    /// What was judged: `judged` of `review list --json` or `review show --json`; where it reads otherwise by now, nothing is written
    #[arg(long, value_name = "DIGEST")]
    judged: Option<String>,
    /// Only rationale or pair
    #[arg(long)]
    kind: Option<ItemKind>,
    /// Who reviews
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {kind, id, reviewer, marks: [right|wrong|unjudged], first_wrong}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MarkArgs, workspace: &Workspace) -> Result<(), Failure> {
    let kind = kind_of(&args.id, args.kind, workspace)?;
    let reviewer = workspace.settings().acting(args.reviewer.as_deref());
    let queued = find(workspace, kind, &args.id, &reviewer)?;
    if let Some(judged) = &args.judged {
        queued.must_be_shown_as(judged)?;
    }
    let item = queued.current();
    let marks = match (args.first_wrong, args.step, args.mark) {
        (Some(step), ..) => NewMarks::first_wrong(&item, &reviewer, step)?,
        (None, Some(step), Some(mark)) => NewMarks::on_step(&item, &reviewer, step, mark)?,
        _ => return Err(Failure::usage("say which step: --step N right|wrong|unjudged, or --first-wrong N")),
    };
    workspace.mark(&marks)?;
    let all = find(workspace, kind, &args.id, &reviewer)?.step_marks();
    let own = all.into_iter().find(|marks| marks.reviewer == reviewer);
    let (marks, first_wrong) = own.map_or((Vec::new(), None), |own| (own.marks.clone(), own.first_wrong()));
    if args.json {
        return output::json(&serde_json::json!({
            "kind": kind, "id": args.id, "reviewer": reviewer, "marks": marks, "first_wrong": first_wrong,
        }));
    }
    let words: Vec<String> = (1..).zip(&marks).map(|(step, mark)| format!("{step} {mark}")).collect();
    output::line(&format!("{kind} {} by {reviewer}: {}", args.id, words.join(", ")))
}
