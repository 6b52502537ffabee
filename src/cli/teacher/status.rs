//! `logwright teacher status`

use clap::Args;
use serde_json::json;

use crate::cli::{Context, Failure, output};
use crate::workspace::{Holder, Money, OpenSendings, Sending, Spending, Workspace};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print as JSON: {spent, budget, remaining, models: [{model, job, completions, lost, unsettled, prompt_tokens, ...}],
    /// under_way, held_up: [{pid, host, since, overdue, suspended}], unsettled, unsettled_requests: [{id, key, job, model, sent_at, cost, lost}]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let spending = workspace.spending()?;
    let spent: Money = spending.iter().map(|spending| spending.cost).sum();
    let budget = workspace.settings().teacher.budget.and_then(Money::from_dollars);
    let remaining = budget.map(|budget| budget.less(spent));
    let OpenSendings { open, under_way } = workspace.open_sendings()?;
    if args.json {
        return output::json(&json!({
            "spent": spent, "budget": budget, "remaining": remaining, "models": spending,
            "under_way": under_way.len(), "held_up": held(&workspace, &under_way).map(|(_, holder)| holder).collect::<Vec<_>>(),
            "unsettled": open.len(), "unsettled_requests": open,
        }));
    }
    for Spending { model, job, completions, lost, unsettled, prompt_tokens, completion_tokens, cost, unpriced } in
        &spending
    {
        let mut line = format!(
            "{model} · {job}: {completions} replies, {prompt_tokens} tokens read, {completion_tokens} written, {cost}"
        );
        if *lost > 0 {
            line += &format!("; {lost} lost on the way, counted at the most that they may have cost");
        }
        if *unsettled > 0 {
            line += &format!("; {unsettled} sent and not answered, counted at the most that they may cost");
        }
        if *unpriced > 0 {
            line += &format!("; {unpriced} without a price");
        }
        output::line(&line)?;
    }
    for sending in &open {
        let what = if sending.lost { "its reply was lost" } else { "no answer kept" };
        let most = sending.cost.map(|cost| format!(", up to {cost}")).unwrap_or_default();
        output::line(&format!(
            "may have been paid for: {} · {}, sent at {:.0}, {what}{most} ({})",
            sending.model, sending.job, sending.sent_at, sending.id
        ))?;
    }
    if !open.is_empty() {
        output::line("the same command with --ask-again asks for these again; without, they are left alone")?;
    }
    if !under_way.is_empty() {
        output::line(&format!("{} requests are under way in other processes", under_way.len()))?;
    }
    for (sending, holder) in held(&workspace, &under_way) {
        output::line(&format!("held up: {} · {}: {holder}", sending.model, sending.job))?;
    }
    let of_budget = remaining.map(|left| format!(", {left} of the project's budget left")).unwrap_or_default();
    output::line(&format!("{spent} spent{of_budget}"))
}

/// The requests whose process does not go on.
fn held<'a>(workspace: &'a Workspace, under_way: &'a [Sending]) -> impl Iterator<Item = (&'a Sending, Holder)> {
    let with_holder = under_way.iter().filter_map(|sending| Some((sending, workspace.holder(sending)?)));
    with_holder.filter(|(_, holder)| holder.overdue)
}
