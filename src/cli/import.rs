//! `logwright import templates|logs|votes|rationales|pairs|thoughts FILE...`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::import_logs::{self, LogArgs};
use super::{Context, Failure, output};
use crate::logs::table::{Format, Rejected};
use crate::workspace::{ImportKind, ImportSource, Workspace};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Log templates: dataset,id,template,label[,category,gold,count]; other columns are kept as attributes
    Templates(Files),
    /// Raw logs, plain or compressed with gzip or zstd: their lines are grouped into templates
    Logs(LogArgs),
    /// Votes: dataset,id,annotator,label[,category,round,at,comment]
    Votes(Files),
    /// Rationales: task,instruction,input,label,reasoning[,id,category,source]
    Rationales(Files),
    /// Preference pairs: task,instruction,input,label,chosen,rejected,first_wrong_step[,id]
    Pairs(Files),
    /// Thoughts: task,problem,analysis,challenge,steps[,id]
    Thoughts(Files),
}

#[derive(Debug, Args)]
struct Files {
    /// The files: CSV with a header, a JSON array, or JSONL
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The dataset of rows that do not name one
    #[arg(long)]
    dataset: Option<String>,
    /// The files' format; told from name and content otherwise
    #[arg(long)]
    format: Option<FormatArg>,
    /// Print the result as JSON: {rows, imported, unchanged, rejected: [{file, line, why}]}
    #[arg(long)]
    json: bool,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FormatArg {
    Csv,
    Json,
    Jsonl,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Csv => Self::Csv,
            FormatArg::Json => Self::Json,
            FormatArg::Jsonl => Self::Jsonl,
        }
    }
}

/// What became of all files together.
#[derive(Debug, Default, Serialize)]
struct Total {
    rows: usize,
    imported: usize,
    unchanged: usize,
    rejected: Vec<RejectedIn>,
}

#[derive(Debug, Serialize)]
struct RejectedIn {
    file: String,
    #[serde(flatten)]
    row: Rejected,
}

pub(super) fn run(args: &ImportArgs, context: &Context) -> Result<(), Failure> {
    let (kind, files) = match &args.what {
        What::Logs(args) => return import_logs::run(args, context),
        What::Templates(files) => (ImportKind::Templates, files),
        What::Votes(files) => (ImportKind::Votes, files),
        What::Rationales(files) => (ImportKind::Rationales, files),
        What::Pairs(files) => (ImportKind::Pairs, files),
        What::Thoughts(files) => (ImportKind::Thoughts, files),
    };
    let workspace = context.workspace()?;
    let mut total = Total::default();
    let mut failed = Vec::new();
    for file in &files.files {
        // A file that cannot be read does not cost the others.
        if let Err(failure) = import_file(&workspace, kind, files, file, &mut total) {
            failed.push(failure.to_string());
        }
    }
    report(&total, files.json)?;
    if let Some(first) = total.rejected.first() {
        let (count, rows) = (total.rejected.len(), total.rows);
        failed.push(format!("{count} of {rows} rows left out; {}:{}: {}", first.file, first.row.line, first.row.why));
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::failed(failed.join("; "))) }
}

fn import_file(
    workspace: &Workspace,
    kind: ImportKind,
    files: &Files,
    file: &Path,
    total: &mut Total,
) -> Result<(), Failure> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
    let source = ImportSource {
        name: &name,
        bytes: &bytes,
        format: files.format.map(Format::from),
        dataset: files.dataset.as_deref(),
    };
    let report = workspace.import(kind, source)?;
    total.rows += report.rows;
    total.imported += report.imported;
    total.unchanged += report.unchanged;
    total.rejected.extend(report.rejected.into_iter().map(|row| RejectedIn { file: name.clone(), row }));
    Ok(())
}

fn report(total: &Total, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(total);
    }
    for bad in &total.rejected {
        output::note(&format!("{}:{}: {}", bad.file, bad.row.line, bad.row.why));
    }
    let unchanged =
        if total.unchanged > 0 { format!(", {} of them as they were", total.unchanged) } else { String::new() };
    output::line(&format!("{} of {} rows imported{unchanged}", total.imported, total.rows))
}
