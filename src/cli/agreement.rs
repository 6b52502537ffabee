//! `logwright agreement [--json]`

use clap::Args;

use super::{Context, Failure, output};
use crate::labels::Round;
use crate::labels::agreement::{Agreement, Coefficient};

#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    /// The round whose votes count: blind or panel
    #[arg(long, default_value = "blind")]
    round: Round,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AgreementArgs, context: &Context) -> Result<(), Failure> {
    let agreement = context.workspace()?.agreement(args.round)?;
    if args.json { output::json(&agreement) } else { output::line(&report(&agreement)) }
}

fn report(agreement: &Agreement) -> String {
    let percent = agreement.percent.map_or("undefined".into(), |percent| format!("{percent:.1} %"));
    let prevalence = agreement.prevalence.map_or("undefined".into(), |share| format!("{:.1} %", share * 100.0));
    let mut lines = vec![
        format!(
            "round {}: {} templates with two votes or more, {} annotators",
            agreement.round, agreement.items, agreement.annotators
        ),
        format!("agreeing pairs of votes  {percent}"),
        format!("Fleiss' kappa            {}  (n {})", figure(agreement.fleiss.value), agreement.fleiss.n),
    ];
    for pair in &agreement.cohen {
        lines.push(format!("Cohen's kappa {} – {}  {}  (n {})", pair.a, pair.b, figure(pair.value), pair.n));
    }
    lines.push(format!("abnormal among all labels given: {prevalence}"));
    lines.push(format!("missing votes: {}", agreement.missing_rule));
    lines.join("\n")
}

fn figure(value: Coefficient) -> String {
    value.map_or_else(|why| format!("undefined: {why}"), |value| format!("{value:.3}"))
}
