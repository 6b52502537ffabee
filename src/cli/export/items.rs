//! `logwright export sft|dpo|grpo|rationales|pairs|thoughts FILE`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{Context, Failure, output};
use crate::logs::table::Format;
use crate::reasoning::ItemKind;
use crate::workspace::{ExportWhat, ItemExportReport, ItemFormat};

#[derive(Debug, Args)]
pub(super) struct SftArgs {
    /// What is to be said: rationales or thoughts
    #[arg(long, value_name = "WHAT", default_value = "rationales")]
    of: SftOf,
    #[command(flatten)]
    training: TrainingArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SftOf {
    Rationales,
    Thoughts,
}

#[derive(Debug, Args)]
pub(super) struct TrainingArgs {
    /// The file to write; an array where it ends in .json, else one object a line
    file: PathBuf,
    /// For which program [default: verl where the file ends in .parquet, else trl]
    #[arg(long)]
    format: Option<ItemFormatArg>,
    /// Print the result as JSON: {rows, files, left_out: {pending, rejected, label_changed, text_changed, disputed}, contradicting}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ItemsArgs {
    /// The file to write
    file: PathBuf,
    /// csv, json, jsonl, argilla or label-studio; told from its name otherwise, and JSONL where that says nothing
    #[arg(long)]
    format: Option<ItemFormatArg>,
    /// Also what is pending, rejected, disputed or accepted for another label or text, for review elsewhere
    #[arg(long)]
    all: bool,
    /// Print the result as JSON: {rows, files, left_out: {pending, rejected, label_changed, text_changed, disputed}, contradicting}
    #[arg(long)]
    json: bool,
}

/// How items are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ItemFormatArg {
    /// A table of the items' own columns, comma-separated
    Csv,
    /// The same as a JSON array
    Json,
    /// The same as one JSON object a line
    Jsonl,
    /// instruction, input, output (or chosen, rejected), system
    Alpaca,
    /// conversations of human and gpt
    Sharegpt,
    /// TRL's conversational prompt with completion, or chosen and rejected
    Trl,
    /// Alpaca's columns, with an entry in dataset_info.json beside the file
    LlamaFactory,
    /// verl's parquet
    Verl,
    /// Argilla's records
    Argilla,
    /// Label Studio's tasks
    LabelStudio,
}

impl From<ItemFormatArg> for ItemFormat {
    fn from(format: ItemFormatArg) -> Self {
        match format {
            ItemFormatArg::Csv => Self::Table(Format::Csv),
            ItemFormatArg::Json => Self::Table(Format::Json),
            ItemFormatArg::Jsonl => Self::Table(Format::Jsonl),
            ItemFormatArg::Alpaca => Self::Alpaca,
            ItemFormatArg::Sharegpt => Self::ShareGpt,
            ItemFormatArg::Trl => Self::Trl,
            ItemFormatArg::LlamaFactory => Self::LlamaFactory,
            ItemFormatArg::Verl => Self::Verl,
            ItemFormatArg::Argilla => Self::Argilla,
            ItemFormatArg::LabelStudio => Self::LabelStudio,
        }
    }
}

pub(super) fn sft(args: &SftArgs, context: &Context) -> Result<(), Failure> {
    let kind = match args.of {
        SftOf::Rationales => ItemKind::Rationale,
        SftOf::Thoughts => ItemKind::Thought,
    };
    training(ExportWhat::Sft(kind), &args.training, context)
}

pub(super) fn training(what: ExportWhat, args: &TrainingArgs, context: &Context) -> Result<(), Failure> {
    let parquet = args.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    let default = if parquet { ItemFormat::Verl } else { ItemFormat::Trl };
    let format = args.format.map_or(default, ItemFormat::from);
    tell(&context.workspace()?.export_items(what, format, false, &args.file)?, args.json)
}

pub(super) fn items(kind: ItemKind, args: &ItemsArgs, context: &Context) -> Result<(), Failure> {
    let by_name = match args.file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        _ => Format::Jsonl,
    };
    let format = args.format.map_or(ItemFormat::Table(by_name), ItemFormat::from);
    tell(&context.workspace()?.export_items(ExportWhat::Items(kind), format, args.all, &args.file)?, args.json)
}

fn tell(report: &ItemExportReport, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(report);
    }
    let files: Vec<String> = report.files.iter().map(|file| file.display().to_string()).collect();
    let out = report.left_out;
    let reasons = [
        (out.pending, "pending"),
        (out.rejected, "rejected"),
        (out.label_changed, "accepted for a label that has changed since"),
        (out.text_changed, "decided for a text that has changed since"),
        (out.disputed, "disputed"),
    ];
    let reasons: Vec<String> =
        reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
    let s = if report.rows == 1 { "" } else { "s" };
    let left_out = match out.total() {
        0 => String::new(),
        total => format!("; {total} left out: {}", reasons.join(", ")),
    };
    output::line(&format!("{} row{s} written to {}{left_out}", report.rows, files.join(" and ")))?;
    if report.contradicting > 0 {
        let (n, s) = (report.contradicting, if report.contradicting == 1 { "s" } else { "" });
        output::note(&format!(
            "{n} of them answer{s} otherwise than the label: `logwright review list --trouble answer_mismatch`"
        ));
    }
    Ok(())
}
