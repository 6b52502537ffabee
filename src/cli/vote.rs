//! `logwright vote TEMPLATE normal|abnormal|unsure|skip --as NAME`

use clap::Args;

use super::{Context, Failure, output};
use crate::labels::{Judgement, Round};
use crate::workspace::NewVote;

#[derive(Debug, Args)]
pub(super) struct VoteArgs {
    /// The template: its id, or DATASET/ID
    template: String,
    /// normal, abnormal, unsure or skip
    #[arg(value_parser = ["normal", "abnormal", "unsure", "skip"])]
    label: String,
    /// The error category of what is abnormal
    #[arg(long)]
    category: Option<String>,
    /// What to add in words
    #[arg(long, allow_hyphen_values = true)]
    comment: Option<String>,
    /// Who votes
    #[arg(long = "as", value_name = "NAME")]
    annotator: Option<String>,
    /// blind or panel
    #[arg(long, default_value = "blind")]
    round: Round,
    /// The annotator had seen the original label or a suggestion: the vote does not count as a blind one
    #[arg(long)]
    revealed: bool,
    /// How long the annotator looked, in milliseconds
    #[arg(long)]
    elapsed_ms: Option<u64>,
    /// Print the vote as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &VoteArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let judgement = Judgement::parse(&args.label, args.category.as_deref())?;
    if args.category.is_some() && judgement.category().is_none() {
        return Err(Failure::usage("--category goes with abnormal, and may not be blank"));
    }
    let vote = workspace.cast_vote(&NewVote {
        template: workspace.find_template(&args.template)?.key().clone(),
        annotator: workspace.settings().acting(args.annotator.as_deref()),
        judgement,
        round: args.round,
        comment: args.comment.clone().filter(|comment| !comment.trim().is_empty()),
        revealed: args.revealed,
        elapsed_ms: args.elapsed_ms,
        at: None,
    })?;
    if args.json {
        return output::json(&vote);
    }
    output::line(&format!("{} voted {} on {}", vote.annotator, vote.judgement.word(), vote.template))
}
