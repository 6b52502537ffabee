//! `logwright comment` and `logwright flag`: what an annotator adds to a template beside a vote.

use clap::Args;

use super::{Context, Failure, output};

#[derive(Debug, Args)]
pub(super) struct CommentArgs {
    /// The template: its id, or DATASET/ID
    template: String,
    /// What to say
    #[arg(allow_hyphen_values = true)]
    text: String,
    /// Who says it
    #[arg(long = "as", value_name = "NAME")]
    author: Option<String>,
    /// Print the comment as JSON: {dataset, id, author, text, at}
    #[arg(long)]
    json: bool,
}

pub(super) fn comment(args: &CommentArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let author = workspace.settings().acting(args.author.as_deref());
    let template = workspace.find_template(&args.template)?.key().clone();
    let comment = workspace.comment(&template, &author, &args.text)?;
    if args.json {
        return output::json(&comment);
    }
    output::line(&format!("{author} commented on {template}"))
}

#[derive(Debug, Args)]
pub(super) struct FlagArgs {
    /// The template: its id, or DATASET/ID
    template: String,
    /// Take the flag off
    #[arg(long)]
    off: bool,
    /// Whose flag
    #[arg(long = "as", value_name = "NAME")]
    annotator: Option<String>,
    /// Print the result as JSON: {dataset, id, annotator, flagged}
    #[arg(long)]
    json: bool,
}

pub(super) fn flag(args: &FlagArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let annotator = workspace.settings().acting(args.annotator.as_deref());
    let template = workspace.find_template(&args.template)?.key().clone();
    workspace.set_flag(&template, &annotator, !args.off)?;
    if args.json {
        return output::json(&serde_json::json!({
            "dataset": template.dataset, "id": template.id, "annotator": annotator, "flagged": !args.off,
        }));
    }
    let done = if args.off { "took the flag off" } else { "flagged" };
    output::line(&format!("{annotator} {done} {template}"))
}
