//! `logwright agreement [--json]`

use clap::Args;
use unicode_width::UnicodeWidthStr as _;

use super::{Context, Failure, output};
use crate::labels::Round;
use crate::labels::agreement::{Agreement, Bootstrap, Estimate, Heatmap, SHADE_LEGEND, shade};
use crate::logs::SafeText;
use crate::tui::widgets::{count, pad};

#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    /// The round whose votes count: blind or panel
    #[arg(long, default_value = "blind")]
    round: Round,
    /// How many times to resample the templates for the 95 % intervals; 0 gives none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    bootstraps: u32,
    /// Where the random numbers of the resamples start: the same seed gives the same intervals
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &AgreementArgs, context: &Context) -> Result<(), Failure> {
    let bootstrap = Bootstrap::new(args.bootstraps, args.seed);
    let agreement = context.workspace()?.agreement(args.round, bootstrap)?;
    if args.json { output::json(&agreement) } else { output::line(&report(&agreement)) }
}

/// Columns of the names of figures.
const NAME: usize = 34;

fn report(agreement: &Agreement) -> String {
    let prevalence = agreement.prevalence.map_or("undefined".into(), |share| format!("{:.1} %", share * 100.0));
    let mut lines = vec![
        format!(
            "Agreement of {} annotators, {} round: {} templates with two votes or more; {prevalence} of the labels are abnormal",
            agreement.annotators,
            agreement.round,
            count(agreement.items),
        ),
        String::new(),
        heading("", agreement),
        row("Krippendorff's alpha, nominal", &agreement.krippendorff_alpha, 3),
        row("Fleiss' kappa", &agreement.fleiss, 3),
        row("Gwet's AC1", &agreement.gwet_ac1, 3),
        row("percent agreement", &agreement.percent_estimate(), 1),
        row("specific to abnormal (positive)", &agreement.specific.positive, 3),
        row("specific to normal (negative)", &agreement.specific.negative, 3),
    ];
    if !agreement.categories.is_empty() {
        lines.extend([String::new(), heading("specific to a category", agreement)]);
        lines.extend(agreement.categories.iter().map(|row_of| row(row_of.category.as_str(), &row_of.specific, 3)));
    }
    if !agreement.cohen.is_empty() {
        lines.extend([String::new(), heading("Cohen's kappa of a pair", agreement)]);
        lines.extend(agreement.cohen.iter().map(|pair| row(&format!("{} – {}", pair.a, pair.b), &pair.kappa, 3)));
        lines.push(String::new());
        lines.extend(heatmap(agreement));
    }
    for annotator in &agreement.against_gold {
        lines.extend([String::new(), heading(&format!("{} against gold", annotator.annotator), agreement)]);
        lines.push(row("percent agreement", &annotator.percent_estimate(), 1));
        lines.push(row("Cohen's kappa", &annotator.cohen, 3));
        lines.push(row("precision for abnormal", &annotator.precision, 3));
        lines.push(row("recall for abnormal", &annotator.recall, 3));
    }
    lines.push(String::new());
    lines.extend(agreement.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("missing votes: {}", agreement.missing_rule));
    lines.push(format!("Fleiss' kappa: {}", agreement.conventions.fleiss));
    lines.push(format!("specific agreement: {}", agreement.conventions.specific));
    if !agreement.categories.is_empty() {
        lines.push(format!("categories: {}", agreement.conventions.categories));
    }
    if agreement.bootstrap.samples > 0 {
        let Bootstrap { samples, seed, method } = agreement.bootstrap;
        lines.push(format!("intervals: {method}, {samples} resamples, seed {seed}"));
    }
    lines.join("\n")
}

fn heading(name: &str, agreement: &Agreement) -> String {
    let interval = if agreement.bootstrap.samples > 0 { "95 % interval" } else { "" };
    format!("{} {:>8}  {:>18} {:>10}", pad(SafeText::one_line(name).as_str(), NAME), "value", interval, "n")
}

fn row(name: &str, estimate: &Estimate, decimals: usize) -> String {
    let name = pad(SafeText::one_line(name).as_str(), NAME);
    match estimate.value {
        Ok(value) => {
            let interval = estimate.interval.map_or(String::new(), |interval| {
                format!("{:.decimals$} to {:.decimals$}", interval.low, interval.high)
            });
            format!("{name} {value:>8.decimals$}  {interval:>18} {:>10}", count(estimate.n))
        }
        Err(why) => format!("{name} undefined: {why}"),
    }
}

/// A square of Cohen's kappas, each a glyph that is denser the higher, and its number.
fn heatmap(agreement: &Agreement) -> Vec<String> {
    let square = Heatmap::of(agreement);
    let names = square.names.iter().map(|name| SafeText::one_line(name).into_string());
    let wide = names.clone().map(|name| name.width()).max().unwrap_or(0).min(20);
    let columns: String = (1..=square.names.len()).map(|column| format!("{column:>8}")).collect();
    let mut lines = vec![format!("{:4}{}{columns}", "", pad("", wide))];
    for (row, name) in names.enumerate() {
        let cells = (0..square.names.len()).map(|column| match square.kappa(row, column) {
            None => format!("{:>8}", "="),
            Some(kappa) => {
                format!("{:>8}", format!("{} {}", shade(kappa), kappa.map_or("".into(), |k| format!("{k:.2}"))))
            }
        });
        lines.push(format!("{:>2}  {}{}", row + 1, pad(&name, wide), cells.collect::<String>()));
    }
    lines.push(format!("    {SHADE_LEGEND}"));
    lines
}
