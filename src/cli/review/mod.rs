//! `logwright review list|show|check|accept|edit|reject|mark|undo|agreement|thoughts|neighbours`

mod agreement;
mod check;
mod mark;
mod meaning;
mod thoughts;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Context, Failure, output};
use crate::labels::Label;
use crate::reasoning::{ItemKind, Likeness, Near, PlacedClaim, Reviewable, Standing, Task, Trouble, Truth, Verdict};
use crate::workspace::{NewReview, Queued, ReviewBoard, SampleCheck, SampleOutcome, Workspace};

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
    Accept(Accept),
    /// Accept an item with its text replaced
    Edit(Edit),
    /// Reject items, so that they do not train
    Reject(Reject),
    /// Say of a step that it is right or wrong, or which step is the first wrong one
    Mark(mark::MarkArgs),
    /// Take back your last decision, of one item or of all that were decided in one go
    Undo(Undo),
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
    /// Print as JSON: {items: [{kind, id, task, input, standing, troubles, reviewer, reason, at, label, truth, ungrounded,
    /// near, reviewers}]}
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
    /// Print as JSON: {kind, id, …}, the columns of the item's kind
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Accept {
    /// The items' ids
    #[arg(required_unless_present_any = ["all", "trouble_free"], conflicts_with_all = ["all", "trouble_free"])]
    ids: Vec<String>,
    /// Everything that waits for you, seen or not, but what others disagree on or decided for another label or text
    #[arg(long)]
    all: bool,
    /// Everything without trouble that waits for you, once a sample of it was reviewed one by one
    #[arg(long, requires = "sample", conflicts_with = "all")]
    trouble_free: bool,
    /// How many of the trouble-free must have been reviewed
    #[arg(long, value_name = "N", requires = "trouble_free", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    sample: Option<usize>,
    /// How many of the sample may have been rejected
    #[arg(long, value_name = "K", default_value_t = 0, requires = "trouble_free")]
    tolerate: usize,
    /// Where the draw of the sample starts: the same seed draws the same items
    #[arg(long, default_value_t = 1, requires = "trouble_free")]
    seed: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Edit {
    /// The item's id
    id: String,
    /// The new text, or - for standard input: a rationale's reasoning, a pair's chosen side (and the rejected one under a
    /// line `=== rejected ===`), or a thought's challenge and then a step a line
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
    /// Take back marks on steps, not a decision
    #[arg(long)]
    mark: bool,
    /// Whose decision
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {undone, count}, the decision or null, and of how many items it was; with --mark: {undone}, the marks
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

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    verdict: &'a str,
    reviewer: &'a str,
    count: usize,
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
        What::Accept(args) if args.trouble_free => accept_trouble_free(args, &context.workspace()?),
        What::Accept(args) => accept(args, &context.workspace()?),
        What::Edit(args) => {
            let verdict = Verdict::Edit(read_text(&args.text)?);
            decide(std::slice::from_ref(&args.id), &verdict, None, &args.common, &context.workspace()?)
        }
        What::Reject(args) => {
            let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
            decide(&args.ids, &Verdict::Reject, reason, &args.common, &context.workspace()?)
        }
        What::Undo(args) => undo(args, &context.workspace()?),
    }
}

/// The queue as the Review pane has it: thoughts compared by meaning too, where that can be.
fn board(workspace: &Workspace) -> Result<ReviewBoard, Failure> {
    let mut board = workspace.review_board()?;
    meaning::compare(&mut board, false)?;
    Ok(board)
}

fn list(args: &List, workspace: &Workspace) -> Result<(), Failure> {
    let queue = board(workspace)?.items;
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

fn accept_trouble_free(args: &Accept, workspace: &Workspace) -> Result<(), Failure> {
    let reviewer = args.common.reviewer(workspace);
    let mut board = workspace.review_board()?;
    let thoughts = args.common.kind.is_none_or(|kind| kind == ItemKind::Thought);
    meaning::compare(&mut board, !thoughts)?;
    let outcome = workspace.accept_trouble_free(&SampleCheck {
        kinds: args.common.kind.map_or_else(|| ItemKind::ALL.to_vec(), |kind| vec![kind]),
        reviewer: reviewer.clone(),
        sample: args.sample.unwrap_or_default(),
        seed: args.seed,
        tolerate: args.tolerate,
        alike: board.background.alike().to_vec(),
    })?;
    if args.common.json {
        output::json(&outcome)?;
    }
    if let Some(why) = outcome.refused {
        return Err(Failure::failed(why));
    }
    if args.common.json {
        return Ok(());
    }
    let SampleOutcome { accepted, sample, drawn_from, rejected, .. } = outcome;
    let s = if accepted == 1 { "" } else { "s" };
    output::line(&format!(
        "accept: {accepted} item{s} without trouble by {reviewer}, after a sample of {} of {drawn_from} (seed {}) with {} rejected",
        sample.len(),
        args.seed,
        rejected.len()
    ))
}

fn accept(args: &Accept, workspace: &Workspace) -> Result<(), Failure> {
    let reviewer = args.common.reviewer(workspace);
    let count = if args.all {
        let kinds = args.common.kind.map_or_else(|| ItemKind::ALL.to_vec(), |kind| vec![kind]);
        workspace.accept_pending(&kinds, &reviewer)?
    } else {
        let items = kinded(&args.ids, args.common.kind, workspace)?;
        workspace.accept(&items, &reviewer)?;
        items.len()
    };
    args.common.report(&Outcome { verdict: Verdict::Accept.word(), reviewer: &reviewer, count })
}

fn decide(
    ids: &[String],
    verdict: &Verdict,
    reason: Option<&str>,
    common: &Common,
    workspace: &Workspace,
) -> Result<(), Failure> {
    let reviewer = common.reviewer(workspace);
    let review = |(kind, id): (ItemKind, &str)| NewReview {
        kind,
        item: id.to_owned(),
        reviewer: reviewer.clone(),
        verdict: verdict.clone(),
        label: None,
        judged: None,
        reason: reason.map(str::to_owned),
    };
    let reviews: Vec<NewReview> = kinded(ids, common.kind, workspace)?.into_iter().map(review).collect();
    workspace.review(&reviews)?;
    common.report(&Outcome { verdict: verdict.word(), reviewer: &reviewer, count: reviews.len() })
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
    if args.mark {
        let undone = workspace.undo_marks(&workspace.settings().acting(args.reviewer.as_deref()))?;
        if args.json {
            return output::json(&serde_json::json!({ "undone": undone }));
        }
        return output::line(&match undone.first() {
            Some(mark) => format!("took back {} on steps of {} {}", undone.len(), mark.kind, mark.item),
            None => "nothing to take back".to_owned(),
        });
    }
    let undone = workspace.undo_review(&workspace.settings().acting(args.reviewer.as_deref()))?;
    if args.json {
        return output::json(&serde_json::json!({ "undone": undone.last(), "count": undone.len() }));
    }
    output::line(&match undone.as_slice() {
        [] => "nothing to take back".to_owned(),
        [review] => format!("took back {} of {} {}", review.verdict.word(), review.kind, review.item),
        [.., review] => format!("took back {} of {} items", review.verdict.word(), undone.len()),
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
