//! `logwright import templates|logs|votes|rationales|pairs|thoughts|tasks FILE...`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::export::items::ItemFormatArg;
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
    /// Rationales: task,instruction,input,label,reasoning[,id,category,source], or what other programs write
    Rationales(ItemFiles),
    /// Preference pairs: task,instruction,input,label,chosen,rejected,first_wrong_step[,id], or what other programs write
    Pairs(ItemFiles),
    /// Thoughts: task,problem,analysis,challenge,steps[,id], or what other programs write
    Thoughts(ItemFiles),
    /// Task sets: log,description,match or log,failure or log,cause; what a teacher is asked about with --task
    Tasks(Files),
}

#[derive(Debug, Args)]
struct ItemFiles {
    /// The files: a table, or as Alpaca, ShareGPT, TRL, LLaMA-Factory, verl, Argilla or Label Studio write them; what was
    /// decided in Argilla or Label Studio comes in as reviews
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The files' format; told from name and content otherwise
    #[arg(long)]
    format: Option<ItemFormatArg>,
    /// Print the result as JSON: {rows, imported, unchanged, replaced, reviews, rejected: [{file, line, why}]}
    #[arg(long)]
    json: bool,
}

impl ItemFiles {
    /// The same, as tables are asked for: what other programs write is told by its columns.
    fn tables(&self) -> Files {
        let format = match self.format {
            Some(ItemFormatArg::Csv) => Some(FormatArg::Csv),
            Some(ItemFormatArg::Json) => Some(FormatArg::Json),
            Some(ItemFormatArg::Jsonl) => Some(FormatArg::Jsonl),
            _ => None,
        };
        Files { files: self.files.clone(), dataset: None, format, json: self.json }
    }
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
    /// Print the result as JSON: {rows, imported, unchanged, replaced, rejected: [{file, line, why}]}
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
    replaced: usize,
    /// Decisions that came with items from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    reviews: Option<usize>,
    rejected: Vec<RejectedIn>,
}

#[derive(Debug, Serialize)]
struct RejectedIn {
    file: String,
    #[serde(flatten)]
    row: Rejected,
}

pub(super) fn run(args: &ImportArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        What::Logs(args) => import_logs::run(args, context),
        What::Templates(files) => import(ImportKind::Templates, files, context),
        What::Votes(files) => import(ImportKind::Votes, files, context),
        What::Rationales(files) => import(ImportKind::Rationales, &files.tables(), context),
        What::Pairs(files) => import(ImportKind::Pairs, &files.tables(), context),
        What::Tasks(files) => import(ImportKind::Tasks, files, context),
        What::Thoughts(files) => import(ImportKind::Thoughts, &files.tables(), context),
    }
}

fn import(kind: ImportKind, files: &Files, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let reviewed = !matches!(kind, ImportKind::Templates | ImportKind::Votes | ImportKind::Tasks);
    let mut total = Total { reviews: reviewed.then_some(0), ..Total::default() };
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
    total.replaced += report.replaced;
    if let Some(reviews) = &mut total.reviews {
        *reviews += report.reviews;
    }
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
    let replaced = match total.replaced {
        0 => String::new(),
        count => format!(", {count} in the place of other ones with the same id"),
    };
    let reviews = match total.reviews.unwrap_or(0) {
        0 => String::new(),
        1 => ", and 1 review".to_owned(),
        reviews => format!(", and {reviews} reviews"),
    };
    output::line(&format!("{} of {} rows imported{unchanged}{replaced}{reviews}", total.imported, total.rows))
}
