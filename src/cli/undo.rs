//! `logwright undo` and `logwright redo`: somebody's last vote, comment or ruling, taken back; a vote, cast again.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Context, Failure, output};
use crate::labels::Vote;

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// What to take back
    #[arg(default_value = "vote")]
    what: What,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The last vote, with the near-duplicates decided with it
    Vote,
    /// The last comment
    Comment,
    /// The last ruling
    Ruling,
}

#[derive(Debug, Args)]
pub(super) struct RedoArgs {
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
struct Who {
    /// Whose
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Print what it was as JSON: {name, votes|comment|ruling}; empty or null where there was nothing
    #[arg(long)]
    json: bool,
}

pub(super) fn undo(args: &UndoArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let name = workspace.settings().acting(args.who.name.as_deref());
    let json = args.who.json;
    let (value, line) = match args.what {
        What::Vote => return tell_votes(json, &name, &workspace.undo_vote(&name)?, "taken back"),
        What::Comment => {
            let comment = workspace.undo_comment(&name)?;
            let line = comment.as_ref().map(|comment| format!("a comment on {}", comment.template));
            (json!({ "name": name, "comment": comment }), line)
        }
        What::Ruling => {
            let template = workspace.undo_ruling(&name)?;
            let line = template.as_ref().map(|template| format!("the ruling on {template}"));
            (json!({ "name": name, "ruling": template }), line)
        }
    };
    if json {
        return output::json(&value);
    }
    output::line(&line.map_or_else(
        || format!("{name} has nothing of that kind to take back"),
        |what| format!("{name} took back {what}"),
    ))
}

pub(super) fn redo(args: &RedoArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let name = workspace.settings().acting(args.who.name.as_deref());
    tell_votes(args.who.json, &name, &workspace.redo_vote(&name)?, "cast again")
}

fn tell_votes(json: bool, name: &str, votes: &[Vote], done: &str) -> Result<(), Failure> {
    if json {
        return output::json(&json!({ "name": name, "votes": votes }));
    }
    let told: Vec<String> =
        votes.iter().map(|vote| format!("{} on {}", vote.judgement.word(), vote.template)).collect();
    output::line(&match &told[..] {
        [] => format!("{name}: nothing to be {done}"),
        _ => format!("{name}: {done}: {}", told.join(", ")),
    })
}
