//! `logwright occurrences TEMPLATE`

use clap::Args;

use super::{Context, Failure, output};
use crate::workspace::OccurrenceContext;

#[derive(Debug, Args)]
pub(super) struct OccurrencesArgs {
    /// The template: DATASET/ID, or ID
    template: String,
    /// Which occurrence, from 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    occurrence: u64,
    /// How many lines to show before and behind it
    #[arg(long, value_name = "N", default_value_t = 5)]
    around: usize,
    /// Only lines of the same node, in formats that tell nodes
    #[arg(long)]
    same_node: bool,
    /// Print the result as JSON: {source, occurrence, occurrences, lines: [{number, text, is_occurrence}]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &OccurrencesArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let template = workspace.find_template(&args.template)?;
    let key = template.key();
    let found = workspace.occurrence_context(key, args.occurrence - 1, args.around, args.same_node)?;
    let Some(found) = found else {
        return Err(Failure::failed(match workspace.occurrences(key)? {
            0 => format!("{key} does not occur in raw logs here: `logwright import logs` brings them in"),
            count => format!("{key} occurs {count} times only: name an --occurrence up to that"),
        }));
    };
    // People count from 1.
    let found = OccurrenceContext { occurrence: found.occurrence + 1, ..found };
    if args.json {
        return output::json(&found);
    }
    output::line(&format!("{}: occurrence {} of {}", found.source.display(), found.occurrence, found.occurrences))?;
    let width = found.lines.last().map_or(0, |line| line.number.to_string().len());
    for line in &found.lines {
        let mark = if line.is_occurrence { '>' } else { ' ' };
        output::line(&format!("{mark} {:width$}  {}", line.number, line.text))?;
    }
    Ok(())
}
