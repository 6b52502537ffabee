//! `logwright export structured|labels|votes|traces|rationales|pairs|thoughts|sft|dpo|grpo FILE`

pub(super) mod items;
mod traces;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::import::FormatArg;
use super::{Context, Failure, output};
use crate::logs::table::Format;
use crate::reasoning::ItemKind;
use crate::workspace::{ExportWhat, export_table};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Which line of a raw log is of which template: LineId,EventId,EventTemplate
    Structured(StructuredArgs),
    /// Templates with original and gold labels: dataset,id,template,label,category,gold,gold_source,reason,count
    Labels(TableArgs),
    /// The votes that count: dataset,id,annotator,label,category,round,at,comment,revealed,elapsed_ms,majority
    Votes(TableArgs),
    /// Rationales: those that may train, or all
    Rationales(items::ItemsArgs),
    /// Preference pairs: those that may train, or all
    Pairs(items::ItemsArgs),
    /// Thoughts: those that may train, or all
    Thoughts(items::ItemsArgs),
    /// What supervised fine-tuning elsewhere needs: accepted rationales or thoughts as questions and answers
    Sft(items::SftArgs),
    /// What preference training elsewhere needs: accepted pairs
    Dpo(items::TrainingArgs),
    /// What reinforcement learning elsewhere needs: the logs and labels of accepted rationales
    Grpo(items::TrainingArgs),
    /// Kept traces, as JSON or as an HTML page that needs nothing else
    Traces(traces::TracesArgs),
}

#[derive(Debug, Args)]
struct TableArgs {
    /// The file to write
    file: PathBuf,
    /// Its format; told from its name otherwise, and CSV where that says nothing
    #[arg(long)]
    format: Option<FormatArg>,
    /// Print the result as JSON: {rows, file}
    #[arg(long)]
    json: bool,
}

impl TableArgs {
    fn write<T: Serialize>(&self, rows: &[T]) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let format = self.format.map_or_else(|| Format::guess(&name, b""), Format::from);
        export_table(rows, format, &self.file)?;
        if self.json {
            return output::json(&serde_json::json!({ "rows": rows.len(), "file": name }));
        }
        output::line(&format!("{} rows written to {name}", rows.len()))
    }
}

#[derive(Debug, Args)]
struct StructuredArgs {
    /// The CSV to write
    file: PathBuf,
    /// The log's dataset, where there are several
    #[arg(long)]
    dataset: Option<String>,
    /// The log, where a dataset has several
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print the result as JSON: {source, dataset, lines, skipped}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExportArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        What::Structured(args) => structured(args, context),
        What::Labels(args) => args.write(&context.workspace()?.label_rows()?),
        What::Traces(args) => traces::run(args, context),
        What::Rationales(args) => items::items(ItemKind::Rationale, args, context),
        What::Pairs(args) => items::items(ItemKind::Pair, args, context),
        What::Thoughts(args) => items::items(ItemKind::Thought, args, context),
        What::Sft(args) => items::sft(args, context),
        What::Dpo(args) => items::training(ExportWhat::Dpo, args, context),
        What::Grpo(args) => items::training(ExportWhat::Grpo, args, context),
        What::Votes(args) => args.write(&context.workspace()?.vote_rows()?),
    }
}

fn structured(args: &StructuredArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let done = workspace.export_structured(&args.file, args.dataset.as_deref(), args.log.as_deref())?;
    if args.json {
        return output::json(&done);
    }
    let file = args.file.display();
    output::line(&format!("{} lines of {} written to {file}", done.lines, done.source.display()))
}
