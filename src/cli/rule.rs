//! `logwright rule TEMPLATE normal|abnormal --reason WHY --as NAME`

use clap::Args;

use super::{Context, Failure, output};
use crate::labels::{Category, Label};
use crate::workspace::NewRuling;

#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// The template: its id, or DATASET/ID
    template: String,
    /// normal or abnormal
    label: Label,
    /// Why
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
    /// The error category of what is abnormal
    #[arg(long)]
    category: Option<String>,
    /// Who rules: a senior of this project
    #[arg(long = "as", value_name = "NAME")]
    senior: Option<String>,
    /// Print the ruling as JSON: {dataset, id, label, category, by, reason}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RuleArgs, context: &Context) -> Result<(), Failure> {
    if args.category.is_some() && args.label == Label::Normal {
        return Err(Failure::usage("--category goes with abnormal"));
    }
    let workspace = context.workspace()?;
    let ruling = NewRuling {
        template: workspace.find_template(&args.template)?.key().clone(),
        label: args.label,
        category: args.category.as_deref().and_then(Category::new),
        by: workspace.settings().acting(args.senior.as_deref()),
        reason: args.reason.clone(),
    };
    workspace.rule(&ruling)?;
    if args.json {
        return output::json(&serde_json::json!({
            "dataset": ruling.template.dataset, "id": ruling.template.id, "label": ruling.label,
            "category": ruling.category, "by": ruling.by, "reason": ruling.reason,
        }));
    }
    output::line(&format!("{} ruled {} {}", ruling.by, ruling.template, ruling.label))
}
