//! `logwright review accept|edit|reject|undo`: decisions, and taking them back.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;

use super::super::{Failure, output};
use super::{kinded, meaning};
use crate::reasoning::{ItemKind, Verdict};
use crate::workspace::{AsShown, NewReview, SampleCheck, SampleOutcome, Workspace};

#[derive(Debug, Args)]
pub(super) struct Accept {
    /// The items' ids
    #[arg(required_unless_present_any = ["all", "trouble_free"], conflicts_with_all = ["all", "trouble_free"])]
    ids: Vec<String>,
    /// What was judged, one for each id: `judged` of `review list --json` or `review show --json`; where an item reads otherwise by
    /// now, or another label is held true of its log, nothing is written
    #[arg(long, value_name = "DIGEST", num_args = 1.., conflicts_with_all = ["all", "trouble_free"])]
    judged: Vec<String>,
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
pub(super) struct Edit {
    /// The item's id
    id: String,
    /// The new text, or - for standard input: a rationale's reasoning, a pair's chosen side (and the rejected one under a
    /// line `=== rejected ===`), or a thought's challenge and then a step a line
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// What was edited: `judged` of `review list --json` or `review show --json`; where it reads otherwise by now, nothing is
    /// written
    #[arg(long, value_name = "DIGEST")]
    judged: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Reject {
    /// The items' ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// What was judged, one for each id: `judged` of `review list --json` or `review show --json`; where an item reads otherwise by
    /// now, nothing is written
    #[arg(long, value_name = "DIGEST", num_args = 1..)]
    judged: Vec<String>,
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
pub(super) struct Undo {
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

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    verdict: &'a str,
    reviewer: &'a str,
    count: usize,
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

/// Accepts what is named, everything that waits, or what shows no trouble.
pub(super) fn accept(args: &Accept, workspace: &Workspace) -> Result<(), Failure> {
    if args.trouble_free {
        return accept_trouble_free(args, workspace);
    }
    let reviewer = args.common.reviewer(workspace);
    let count = if args.all {
        let kinds = args.common.kind.map_or_else(|| ItemKind::ALL.to_vec(), |kind| vec![kind]);
        workspace.accept_pending(&kinds, &reviewer)?
    } else {
        let items = kinded(&args.ids, args.common.kind, workspace)?;
        if args.judged.is_empty() {
            workspace.accept(&items, &reviewer)?;
        } else {
            workspace.review(&workspace.reviews_as_shown(&as_shown(&items, &args.judged)?, &reviewer, None)?)?;
        }
        items.len()
    };
    args.common.report(&Outcome { verdict: Verdict::Accept.word(), reviewer: &reviewer, count })
}

/// Accepts an item with its text replaced.
pub(super) fn edit(args: &Edit, workspace: &Workspace) -> Result<(), Failure> {
    let verdict = Verdict::Edit(read_text(&args.text)?);
    let one = Decision { ids: std::slice::from_ref(&args.id), judged: args.judged.as_slice(), verdict, reason: None };
    decide(&one, &args.common, workspace)
}

/// Rejects items.
pub(super) fn reject(args: &Reject, workspace: &Workspace) -> Result<(), Failure> {
    let reason = args.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    let all = Decision { ids: &args.ids, judged: &args.judged, verdict: Verdict::Reject, reason };
    decide(&all, &args.common, workspace)
}

/// One verdict on some items.
struct Decision<'a> {
    ids: &'a [String],
    /// What was judged of each, where that was said.
    judged: &'a [String],
    verdict: Verdict,
    reason: Option<&'a str>,
}

/// Items with what was judged of each.
fn as_shown<'a>(items: &[(ItemKind, &'a str)], judged: &'a [String]) -> Result<Vec<AsShown<'a>>, Failure> {
    if items.len() != judged.len() {
        let (items, digests) = (items.len(), judged.len());
        return Err(Failure::usage(format!("--judged names one digest for each id: {digests} for {items}")));
    }
    let pair = |(&(kind, item), digest): (&(ItemKind, &'a str), &'a String)| AsShown { kind, item, digest };
    Ok(items.iter().zip(judged).map(pair).collect())
}

fn decide(decision: &Decision<'_>, common: &Common, workspace: &Workspace) -> Result<(), Failure> {
    let Decision { ids, judged, ref verdict, reason } = *decision;
    let reviewer = common.reviewer(workspace);
    let items = kinded(ids, common.kind, workspace)?;
    let mut reviews: Vec<NewReview> = if judged.is_empty() {
        items.iter().map(|&(kind, id)| NewReview::new(kind, id, &reviewer, verdict.clone())).collect()
    } else {
        workspace.reviews_as_shown(&as_shown(&items, judged)?, &reviewer, Some(verdict))?
    };
    reviews.iter_mut().for_each(|review| review.reason = reason.map(str::to_owned));
    workspace.review(&reviews)?;
    common.report(&Outcome { verdict: verdict.word(), reviewer: &reviewer, count: reviews.len() })
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

/// Takes back the last decision, or the last marks.
pub(super) fn undo(args: &Undo, workspace: &Workspace) -> Result<(), Failure> {
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
