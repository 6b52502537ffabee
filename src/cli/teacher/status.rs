//! `logwright teacher status`

use clap::Args;
use serde_json::json;

use crate::cli::{Context, Failure, output};
use crate::workspace::{Money, Spending};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print as JSON: {spent, budget, remaining, models: [{model, job, completions, lost, prompt_tokens, ...}]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let spending = workspace.spending()?;
    let spent: Money = spending.iter().map(|spending| spending.cost).sum();
    let budget = workspace.settings().teacher.budget.and_then(Money::from_dollars);
    let remaining = budget.map(|budget| budget.less(spent));
    if args.json {
        return output::json(&json!({ "spent": spent, "budget": budget, "remaining": remaining, "models": spending }));
    }
    for Spending { model, job, completions, lost, prompt_tokens, completion_tokens, cost, unpriced } in &spending {
        let mut line = format!(
            "{model} · {job}: {completions} replies, {prompt_tokens} tokens read, {completion_tokens} written, {cost}"
        );
        if *lost > 0 {
            line += &format!("; {lost} lost on the way, counted at the most that they may have cost");
        }
        if *unpriced > 0 {
            line += &format!("; {unpriced} without a price");
        }
        output::line(&line)?;
    }
    let of_budget = remaining.map(|left| format!(", {left} of the project's budget left")).unwrap_or_default();
    output::line(&format!("{spent} spent{of_budget}"))
}
