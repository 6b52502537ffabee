//! `logwright patch make|apply|revert FILE`, `logwright patch report`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Context, Failure, output};
use crate::labels::{Label, Patch, Table1, Table1Row};
use crate::logs::SafeText;
use crate::tui::widgets::{count, fit, pad};

#[derive(Debug, Args)]
pub(super) struct PatchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write this project's corrections to a patch: as CSV where the file's name ends so, else as JSON
    Make(File),
    /// Make a patch's corrections gold here; refused for another set of templates
    Apply(File),
    /// Take back what a patch made gold here
    Revert(File),
    /// What is corrected, by direction, error category and dataset, with examples
    Report(Report),
}

#[derive(Debug, Args)]
struct File {
    /// The patch, as JSON or CSV
    file: PathBuf,
    /// Who applies it
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
    /// Print the result as JSON: {corrections, template_set_sha256}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Report {
    /// How many templates to show of each row
    #[arg(long, value_name = "N", default_value_t = 2)]
    examples: usize,
    /// Print it as JSON: {templates, compared, corrections, directions, rows, datasets}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PatchArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let (file, patch, count, done) = match &args.what {
        What::Report(report) => {
            let table = workspace.table1(report.examples)?;
            return if report.json { output::json(&table) } else { output::line(&rows(&table).join("\n")) };
        }
        What::Make(file) => {
            let patch = workspace.make_patch()?;
            workspace.write_patch(&patch, &file.file)?;
            let count = patch.corrections.len();
            (file, patch, count, "written to")
        }
        What::Apply(file) => {
            let patch = read(&file.file)?;
            let count = workspace.apply_patch(&patch, &workspace.settings().acting(file.by.as_deref()))?;
            (file, patch, count, "applied from")
        }
        What::Revert(file) => {
            let patch = read(&file.file)?;
            let count = workspace.revert_patch(&patch)?;
            (file, patch, count, "reverted from")
        }
    };
    if file.json {
        let hash = &patch.template_set_sha256;
        return output::json(&serde_json::json!({ "corrections": count, "template_set_sha256": hash }));
    }
    output::line(&format!("{count} corrections {done} {}", file.file.display()))
}

fn read(file: &Path) -> Result<Patch, Failure> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    Patch::from_bytes(&bytes).map_err(|error| Failure::failed(format!("{name}: {error}")))
}

/// Columns of a category's name, and of an example.
const NAME: usize = 24;
const EXAMPLE: usize = 90;

fn rows(table: &Table1) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} of {} templates with an original and a gold label are corrected ({} templates in all)",
            count(table.corrections as u64),
            count(table.compared as u64),
            count(table.templates as u64)
        ),
        String::new(),
        format!("{}{:>12}  datasets", pad("correction", NAME + 22), "templates"),
    ];
    for row in &table.rows {
        lines.push(row_line(row));
        lines.extend(row.examples.iter().map(|example| {
            let why = example.reason.as_ref().map(|reason| format!("  ({reason})")).unwrap_or_default();
            let text = SafeText::one_line(&format!("{}  {}{why}", example.key, example.template));
            format!("    {}", fit(text.as_str(), EXAMPLE))
        }));
    }
    lines.push(String::new());
    lines.push(format!(
        "{}{:>12}{:>22}{:>22}",
        pad("dataset", NAME),
        "templates",
        "normal -> abnormal",
        "abnormal -> normal"
    ));
    lines.extend(table.datasets.iter().map(|row| {
        format!(
            "{}{:>12}{:>22}{:>22}",
            pad(SafeText::one_line(&row.dataset).as_str(), NAME),
            count(row.templates as u64),
            count(row.directions.normal_to_abnormal as u64),
            count(row.directions.abnormal_to_normal as u64)
        )
    }));
    lines
}

fn row_line(row: &Table1Row) -> String {
    let category = match (&row.category, row.to) {
        (Some(category), _) => category.as_str(),
        (None, Label::Abnormal) => "no category named",
        (None, Label::Normal) => "",
    };
    let name = format!("{} -> {}  {}", row.from, row.to, SafeText::one_line(category));
    let datasets: Vec<String> =
        row.datasets.iter().map(|(dataset, n)| format!("{dataset} {}", count(*n as u64))).collect();
    format!(
        "{}{:>12}  {}",
        pad(&name, NAME + 22),
        count(row.corrections as u64),
        SafeText::one_line(&datasets.join(", "))
    )
}
