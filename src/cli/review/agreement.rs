//! `logwright review agreement`: how far the reviewers agree.

use clap::Args;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::{Failure, output};
use crate::labels::agreement::{Bootstrap, Estimate};
use crate::logs::SafeText;
use crate::reasoning::ItemKind;
use crate::workspace::{ReviewAgreement, Workspace};

#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    /// Only rationale, pair or thought
    #[arg(long)]
    kind: Option<ItemKind>,
    /// How many times to resample the items for the 95 % intervals; 0 gives none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    bootstraps: u32,
    /// Where the random numbers of the resamples start: the same seed gives the same intervals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AgreementArgs, workspace: &Workspace) -> Result<(), Failure> {
    let kinds = args.kind.map_or_else(|| ItemKind::ALL.to_vec(), |kind| vec![kind]);
    let agreement = workspace.review_agreement(&kinds, Bootstrap::new(args.bootstraps, args.seed))?;
    if args.json { output::json(&agreement) } else { output::line(&report(&agreement)) }
}

fn report(agreement: &ReviewAgreement) -> String {
    let rejected = agreement.rejected.map_or("undefined".into(), |share| format!("{:.1} %", share * 100.0));
    let mut rows = vec![
        ("Krippendorff's alpha, nominal".to_owned(), &agreement.krippendorff_alpha, 3),
        ("Fleiss' kappa".to_owned(), &agreement.fleiss, 3),
        ("Gwet's AC1".to_owned(), &agreement.gwet_ac1, 3),
        ("percent agreement".to_owned(), &agreement.percent, 1),
        ("specific to rejecting".to_owned(), &agreement.on_rejecting, 3),
        ("specific to accepting".to_owned(), &agreement.on_accepting, 3),
    ];
    for pair in &agreement.cohen {
        let names = SafeText::one_line(&format!("Cohen's kappa of {} – {}", pair.a, pair.b)).into_string();
        rows.push((names, &pair.kappa, 3));
    }
    let wide = rows.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
    let mut lines = vec![
        format!(
            "Agreement of {} reviewers: {} items with two decisions or more; {rejected} of the decisions reject",
            agreement.reviewers.len(),
            agreement.items
        ),
        String::new(),
    ];
    lines.extend(rows.iter().map(|(name, estimate, decimals)| row(name, wide, estimate, *decimals)));
    lines.push(String::new());
    lines.push(format!("missing reviews: {}", agreement.missing_rule));
    if agreement.bootstrap.samples > 0 {
        let Bootstrap { samples, seed, method } = agreement.bootstrap;
        lines.push(format!("intervals: {method}, {samples} resamples, seed {seed}"));
    }
    lines.join("\n")
}

fn row(name: &str, wide: usize, estimate: &Estimate, decimals: usize) -> String {
    let name = format!("{name}{}", " ".repeat(wide.saturating_sub(name.width())));
    match estimate.value {
        Ok(value) => {
            let interval = estimate.interval.map_or(String::new(), |interval| {
                format!("{:.decimals$} to {:.decimals$}", interval.low, interval.high)
            });
            format!("{name} {value:>8.decimals$}  {interval:>18}  n {}", estimate.n)
        }
        Err(_) => format!("{name} undefined"),
    }
}
