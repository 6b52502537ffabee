//! `logwright review list|show|check|accept|edit|reject|mark|undo|agreement|thoughts|neighbours`

mod agreement;
mod check;
mod decide;
mod mark;
mod meaning;
mod thoughts;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Failure, output};
use crate::labels::Label;
use crate::reasoning::{ItemKind, Likeness, Near, PlacedClaim, Reviewable, Standing, Task, Trouble, Truth};
use crate::workspace::{Queued, ReviewBoard, Workspace};

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
    /// Count what is wrong with the items: answers against gold, broken formats, claims that the log does not contain,
    /// near-duplicates and more
    Check(check::Check),
    /// Accept items as they are, so that they train
    Accept(decide::Accept),
    /// Accept an item with its text replaced
    Edit(decide::Edit),
    /// Reject items, so that they do not train
    Reject(decide::Reject),
    /// Say of a step that it is right or wrong, or which step is the first wrong one
    Mark(mark::MarkArgs),
    /// Take back your last decision, of one item or of all that were decided in one go
    Undo(decide::Undo),
    /// How far the reviewers agree
    Agreement(agreement::AgreementArgs),
    /// All thoughts at a glance: which say the same, in what order each adds most, how many steps they have, where they lie
    Thoughts(thoughts::ThoughtsArgs),
    /// The thoughts nearest in meaning to one
    Neighbours(thoughts::NeighboursArgs),
}

#[derive(Debug, Args)]
struct List {
    /// Only rationale, pair or thought
    #[arg(long)]
    kind: Option<ItemKind>,
    /// Only what stands so
    #[arg(long)]
    standing: Option<StandingArg>,
    /// Only what is flagged with any trouble, the worst first
    #[arg(long)]
    flagged: bool,
    /// Only what is flagged so: answer_mismatch, label_changed, text_changed, malformed, prefix_differs, disagreement, gold_divided,
    /// ungrounded, near_duplicate, too_long or too_short
    #[arg(long, value_name = "TROUBLE")]
    trouble: Option<Trouble>,
    /// Only what waits for a decision of this reviewer
    #[arg(long, value_name = "NAME")]
    waits_for: Option<String>,
    /// Who looks: what two decide blind to one another is listed as this one may see it [default: whom --waits-for names]
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {items: [{kind, id, task, input, standing, judged, troubles, reviewer, reason, at, label, truth, ungrounded,
    /// near, reviewers}]}; `judged` binds a decision to what is shown (`review accept ID --judged DIGEST`)
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
    /// Who reviews: what two decide blind to one another is shown as this one may see it
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {kind, id, …}, the columns of the item's kind, and {review: {standing, judged, came_as, decisions, findings,
    /// marks}}; `judged` binds a decision to what is shown (`review accept ID --judged DIGEST`)
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
    /// What it is listed by: the log, or a thought's challenge.
    #[serde(skip)]
    text: &'a str,
    standing: Standing,
    /// What binds a decision to what is shown.
    judged: String,
    troubles: Vec<Trouble>,
    reviewer: Option<&'a str>,
    reason: Option<&'a str>,
    at: Option<Timestamp>,
    /// The label that it came with, and what is held true.
    label: Option<Label>,
    truth: Option<&'a Truth>,
    ungrounded: &'a [PlacedClaim],
    near: Option<&'a Near>,
    /// Who decided on it, the newest last.
    reviewers: Vec<&'a str>,
}

pub(super) fn run(args: &ReviewArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        // Files are checked without a project.
        What::Check(args) => check::run(args, context),
        What::Mark(args) => mark::run(args, &context.workspace()?),
        What::Agreement(args) => agreement::run(args, &context.workspace()?),
        What::Thoughts(args) => thoughts::thoughts(args, &context.workspace()?),
        What::Neighbours(args) => thoughts::neighbours(args, &context.workspace()?),
        What::List(args) => list(args, &context.workspace()?),
        What::Show(args) => show(args, &context.workspace()?),
        What::Accept(args) => decide::accept(args, &context.workspace()?),
        What::Edit(args) => decide::edit(args, &context.workspace()?),
        What::Reject(args) => decide::reject(args, &context.workspace()?),
        What::Undo(args) => decide::undo(args, &context.workspace()?),
    }
}

/// The queue as the Review pane has it: thoughts compared by meaning too, where that can be.
fn board(workspace: &Workspace) -> Result<ReviewBoard, Failure> {
    let mut board = workspace.review_board()?;
    meaning::compare(&mut board, false)?;
    Ok(board)
}

/// All items as `reviewer` may see them.
fn seen(mut board: ReviewBoard, reviewer: &str) -> Vec<Queued> {
    let items = std::mem::take(&mut board.items);
    items.into_iter().map(|queued| board.seen_by(queued, reviewer)).collect()
}

fn list(args: &List, workspace: &Workspace) -> Result<(), Failure> {
    let looks = args.reviewer.as_deref().or(args.waits_for.as_deref());
    let queue = seen(board(workspace)?, &workspace.settings().acting(looks));
    let wanted = |queued: &&Queued| {
        args.kind.is_none_or(|kind| kind == queued.item.kind())
            && args.standing.is_none_or(|standing| Standing::from(standing) == queued.standing())
            && (!args.flagged || !queued.troubles().is_empty())
            && args.trouble.is_none_or(|trouble| queued.troubles().contains(&trouble))
            && args.waits_for.as_deref().is_none_or(|name| queued.waits_for(name))
    };
    let mut items: Vec<Listed<'_>> = queue.iter().filter(wanted).map(listed).collect();
    if args.flagged || args.trouble.is_some() {
        // The worst first; what has the same first trouble by the others that it has, the more the sooner.
        items.sort_by(|a, b| (a.troubles[0], b.troubles.len()).cmp(&(b.troubles[0], a.troubles.len())));
    }
    if args.json {
        return output::json(&serde_json::json!({ "items": items }));
    }
    let width = items.iter().map(|item| item.id.chars().count()).max().unwrap_or_default();
    for item in &items {
        let troubles: Vec<&str> = item.troubles.iter().map(|trouble| trouble.as_str()).collect();
        let flags = if troubles.is_empty() { String::new() } else { format!("  ! {}", troubles.join(", ")) };
        let text = one_line(item.text);
        output::line(&format!("{:<9} {:<9} {:width$}  {text}{flags}", item.standing.as_str(), item.kind, item.id))?;
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
        text: queued.item.headline(),
        standing: queued.standing(),
        judged: queued.digest(),
        troubles: queued.findings.troubles.clone(),
        reviewer: review.map(|review| review.reviewer.as_str()),
        reason: review.and_then(|review| review.reason.as_deref()),
        at: review.map(|review| review.at),
        label: queued.item.label(),
        truth: queued.findings.truth.as_ref(),
        ungrounded: &queued.findings.ungrounded,
        near: queued.findings.near.as_ref(),
        reviewers: queued.decisions.iter().map(|review| review.reviewer.as_str()).collect(),
    }
}

/// The beginning of a text, in one line.
fn one_line(text: &str) -> String {
    const COLUMNS: usize = 60;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(COLUMNS) {
        Some((end, _)) => format!("{}..", &line[..end]),
        None => line,
    }
}

/// The item that goes by `id`, with what is known about it, as `reviewer` may see it.
fn find(workspace: &Workspace, kind: ItemKind, id: &str, reviewer: &str) -> Result<Queued, Failure> {
    let mut board = board(workspace)?;
    let mut items = std::mem::take(&mut board.items).into_iter();
    let found = items.find(|queued| queued.item.kind() == kind && queued.item.id() == id);
    let found = found.ok_or_else(|| Failure::failed(format!("no {kind} {id}: `logwright review list` shows them")))?;
    Ok(board.seen_by(found, reviewer))
}

fn show(args: &Show, workspace: &Workspace) -> Result<(), Failure> {
    let kind = kind_of(&args.id, args.kind, workspace)?;
    let queued = find(workspace, kind, &args.id, &workspace.settings().acting(args.reviewer.as_deref()))?;
    let current = queued.current();
    if args.json {
        let mut object = serde_json::to_value(&current)?;
        // An attribute may have that name, too.
        object["kind"] = serde_json::json!(kind);
        object["review"] = serde_json::json!({
            "standing": queued.standing(),
            "judged": queued.digest(),
            "came_as": queued.item.text(),
            "decisions": queued.decisions,
            "findings": queued.findings,
            "marks": queued.step_marks(),
        });
        return output::json(&object);
    }
    output::line(&format!("{} {}, {}\n\n{}\n", kind, args.id, queued.standing().as_str(), current.input()))?;
    if let Reviewable::Pair(pair) = &current {
        output::line(&format!("rejected: {}\n\nchosen:", pair.rejected))?;
    }
    output::line(&current.text())?;
    for trouble in queued.troubles() {
        output::line(&format!("! {trouble}{}", detail(*trouble, &queued)))?;
    }
    for marks in queued.step_marks() {
        let words: Vec<String> = (1..).zip(&marks.marks).map(|(step, mark)| format!("{step} {mark}")).collect();
        output::line(&format!("steps by {}: {}", marks.reviewer, words.join(", ")))?;
    }
    Ok(())
}

/// What more there is to say of a trouble of an item.
fn detail(trouble: Trouble, queued: &Queued) -> String {
    let findings = &queued.findings;
    match trouble {
        Trouble::AnswerMismatch | Trouble::LabelChanged | Trouble::GoldDivided => match &findings.truth {
            Some(truth) if !truth.templates.is_empty() => {
                let keys: Vec<String> = truth.templates.iter().map(ToString::to_string).collect();
                format!(": {} by {}", truth.answer, keys.join(", "))
            }
            _ => String::new(),
        },
        Trouble::Ungrounded => {
            let claims: Vec<&str> = findings.ungrounded.iter().map(|claim| claim.text.as_str()).collect();
            format!(": {}", claims.join(", "))
        }
        Trouble::NearDuplicate => findings.near.as_ref().map_or_else(String::new, |near| match near.by {
            Likeness::Words => format!(" of {} (similarity of words {:.2})", near.id, near.similarity),
            Likeness::Meaning => format!(" of {} (it means the same: cosine {:.2})", near.id, near.similarity),
        }),
        Trouble::TooLong | Trouble::TooShort => findings.length.map_or_else(String::new, |length| {
            format!(": {} words, where {:.0} to {:.0} are usual", length.words, length.shortest, length.longest)
        }),
        Trouble::TextChanged => ": what was decided of the old one does not count".to_owned(),
        Trouble::Malformed | Trouble::PrefixDiffers | Trouble::Disagreement => String::new(),
    }
}

/// The kind of the item that goes by `id`.
fn kind_of(id: &str, given: Option<ItemKind>, workspace: &Workspace) -> Result<ItemKind, Failure> {
    Ok(kinded(&[id.to_owned()], given, workspace)?[0].0)
}

/// The items that go by `ids`, each with its kind.
fn kinded<'a>(
    ids: &'a [String],
    given: Option<ItemKind>,
    workspace: &Workspace,
) -> Result<Vec<(ItemKind, &'a str)>, Failure> {
    if let Some(kind) = given {
        return Ok(ids.iter().map(|id| (kind, id.as_str())).collect());
    }
    let one = |(id, kinds): (&'a String, Vec<ItemKind>)| match kinds.as_slice() {
        [kind] => Ok((*kind, id.as_str())),
        kinds => {
            let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            Err(Failure::usage(format!("{id} is a {}: say which with --kind", words.join(" and a "))))
        }
    };
    ids.iter().zip(workspace.kinds_of(ids)?).map(one).collect()
}
