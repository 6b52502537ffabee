//! `logwright review list|show|accept|edit|reject|undo`

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Failure, output};
use crate::reasoning::{ItemKind, Reviewable, Standing, Task, Trouble, Verdict};
use crate::workspace::{NewReview, Queued, Workspace};

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what there is to review, and where it stands
    List(List),
    /// Print one item as its newest review leaves it
    Show(Show),
    /// Accept items as they are, so that they train
    Accept(Accept),
    /// Accept an item with its text replaced
    Edit(Edit),
    /// Reject items, so that they do not train
    Reject(Reject),
    /// Take back your last decision
    Undo(Undo),
}

#[derive(Debug, Args)]
struct List {
    /// Only rationale, pair or thought
    #[arg(long)]
    kind: Option<ItemKind>,
    /// Only what stands so
    #[arg(long)]
    standing: Option<StandingArg>,
    /// Only what is flagged: an answer against the label, a broken format
    #[arg(long)]
    flagged: bool,
    /// Print as JSON: {items: [{kind, id, task, input, standing, troubles, reviewer, reason, at}]}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StandingArg {
    Pending,
    Accepted,
    Edited,
    Rejected,
}

impl From<StandingArg> for Standing {
    fn from(standing: StandingArg) -> Self {
        match standing {
            StandingArg::Pending => Self::Pending,
            StandingArg::Accepted => Self::Accepted,
            StandingArg::Edited => Self::Edited,
            StandingArg::Rejected => Self::Rejected,
        }
    }
}

#[derive(Debug, Args)]
struct Show {
    /// The item's id
    id: String,
    /// Which kind of item, where several go by that id
    #[arg(long)]
    kind: Option<ItemKind>,
    /// Print as JSON: {kind, id, …}, the columns of the item's kind
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Accept {
    /// The items' ids
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// Everything that is pending, seen or not
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Edit {
    /// The item's id
    id: String,
    /// The new text, or - for standard input: a rationale's reasoning, a pair's chosen side, or a thought's challenge
    /// and then a step a line
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Reject {
    /// The items' ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Only rationale, pair or thought
    #[arg(long)]
    kind: Option<ItemKind>,
    /// Who reviews
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {verdict, reviewer, count}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Undo {
    /// Whose decision
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {undone}, the decision or null
    #[arg(long)]
    json: bool,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    kind: ItemKind,
    id: &'a str,
    task: Task,
    input: &'a str,
    standing: Standing,
    troubles: Vec<Trouble>,
    reviewer: Option<&'a str>,
    reason: Option<&'a str>,
    at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    verdict: &'a str,
    reviewer: &'a str,
    count: usize,
}

pub(super) fn run(args: &ReviewArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    match &args.what {
        What::List(args) => list(args, &workspace),
        What::Show(args) => show(args, &workspace),
        What::Accept(args) if args.all => {
            let reviewer = args.common.reviewer(&workspace);
            let kinds = args.common.kind.map_or_else(|| ItemKind::ALL.to_vec(), |kind| vec![kind]);
            let count = workspace.accept_pending(&kinds, &reviewer)?;
            args.common.report(&Outcome { verdict: Verdict::Accept.word(), reviewer: &reviewer, count })
        }
        What::Accept(args) => {
            let newest = workspace.reviews()?;
            let verdict = |kind, id: &str| Verdict::accepting(newest.get(&(kind, id.to_owned())));
            decide(&args.ids, Verdict::Accept.word(), verdict, None, &args.common, &workspace)
        }
        What::Edit(args) => {
            let verdict = Verdict::Edit(read_text(&args.text)?);
            let ids = std::slice::from_ref(&args.id);
            decide(ids, verdict.word(), |_, _| verdict.clone(), None, &args.common, &workspace)
        }
        What::Reject(args) => {
            let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
            decide(&args.ids, Verdict::Reject.word(), |_, _| Verdict::Reject, reason, &args.common, &workspace)
        }
        What::Undo(args) => undo(args, &workspace),
    }
}

fn list(args: &List, workspace: &Workspace) -> Result<(), Failure> {
    let queue = workspace.review_queue()?;
    let mut items = Vec::new();
    for queued in &queue {
        let listed = listed(queued);
        let wanted = args.kind.is_none_or(|kind| kind == listed.kind)
            && args.standing.is_none_or(|standing| Standing::from(standing) == listed.standing)
            && (!args.flagged || !listed.troubles.is_empty());
        if wanted {
            items.push(listed);
        }
    }
    if args.json {
        return output::json(&serde_json::json!({ "items": items }));
    }
    for item in &items {
        let troubles: Vec<&str> = item.troubles.iter().map(|trouble| trouble.as_str()).collect();
        let flags = if troubles.is_empty() { String::new() } else { format!("  ! {}", troubles.join(", ")) };
        output::line(&format!("{:<9} {:<9} {}{flags}", item.standing.as_str(), item.kind, item.id))?;
    }
    let pending = items.iter().filter(|item| item.standing == Standing::Pending).count();
    let s = if items.len() == 1 { "" } else { "s" };
    output::line(&format!("{} item{s}, {pending} pending", items.len()))
}

fn listed(queued: &Queued) -> Listed<'_> {
    let review = queued.review.as_ref();
    Listed {
        kind: queued.item.kind(),
        id: queued.item.id(),
        task: queued.item.task(),
        input: queued.item.input(),
        standing: queued.standing(),
        troubles: queued.current().troubles(),
        reviewer: review.map(|review| review.reviewer.as_str()),
        reason: review.and_then(|review| review.reason.as_deref()),
        at: review.map(|review| review.at),
    }
}

fn show(args: &Show, workspace: &Workspace) -> Result<(), Failure> {
    let kind = kind_of(&args.id, args.kind, workspace)?;
    let queue = workspace.review_queue()?;
    let item = queue.iter().find(|queued| queued.item.kind() == kind && queued.item.id() == args.id);
    let Some(queued) = item else {
        return Err(Failure::failed(format!("no {kind} {}: `logwright review list` shows them", args.id)));
    };
    let current = queued.current();
    if args.json {
        return output::json(&current);
    }
    output::line(&format!("{} {}, {}\n\n{}\n", kind, args.id, queued.standing().as_str(), current.input()))?;
    if let Reviewable::Pair(pair) = &current {
        output::line(&format!("rejected: {}\n\nchosen:", pair.rejected))?;
    }
    output::line(&current.text())
}

fn decide(
    ids: &[String],
    word: &str,
    verdict: impl Fn(ItemKind, &str) -> Verdict,
    reason: Option<&str>,
    common: &Common,
    workspace: &Workspace,
) -> Result<(), Failure> {
    let reviewer = common.reviewer(workspace);
    let mut reviews = Vec::new();
    for id in ids {
        let kind = kind_of(id, common.kind, workspace)?;
        reviews.push(NewReview {
            kind,
            item: id.clone(),
            reviewer: reviewer.clone(),
            verdict: verdict(kind, id),
            reason: reason.map(str::to_owned),
        });
    }
    workspace.review(&reviews)?;
    common.report(&Outcome { verdict: word, reviewer: &reviewer, count: reviews.len() })
}

/// The kind of the item that goes by `id`.
fn kind_of(id: &str, given: Option<ItemKind>, workspace: &Workspace) -> Result<ItemKind, Failure> {
    if let Some(kind) = given {
        return Ok(kind);
    }
    match workspace.kinds_of(id)?.as_slice() {
        [kind] => Ok(*kind),
        kinds => {
            let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            Err(Failure::usage(format!("{id} is a {}: say which with --kind", words.join(" and a "))))
        }
    }
}

fn read_text(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text =
            std::fs::read_to_string(file).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    }
    let text = text.trim_end();
    if text.trim().is_empty() {
        return Err(Failure::failed(format!("{}: there is no text in it", file.display())));
    }
    Ok(text.to_owned())
}

fn undo(args: &Undo, workspace: &Workspace) -> Result<(), Failure> {
    let undone = workspace.undo_review(&workspace.settings().acting(args.reviewer.as_deref()))?;
    if args.json {
        return output::json(&serde_json::json!({ "undone": undone }));
    }
    output::line(&match undone {
        Some(review) => format!("took back {} of {} {}", review.verdict.word(), review.kind, review.item),
        None => "nothing to take back".to_owned(),
    })
}

impl Common {
    fn reviewer(&self, workspace: &Workspace) -> String {
        workspace.settings().acting(self.reviewer.as_deref())
    }

    fn report(&self, outcome: &Outcome<'_>) -> Result<(), Failure> {
        if self.json {
            return output::json(outcome);
        }
        let Outcome { verdict, reviewer, count } = outcome;
        let s = if *count == 1 { "" } else { "s" };
        output::line(&format!("{verdict}: {count} item{s} by {reviewer}"))
    }
}
