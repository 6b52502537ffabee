//! `logwright train export RUN --to KIND`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{RunArgs, find};
use crate::cli::base::BaseArgs;
use crate::cli::{Context, Failure, output};
use crate::model::tensor_file::PlainFormat;
use crate::training::{ExportKind, GgufFormat, default_export_place, export};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    /// The adapter as `peft` loads it
    Peft,
    /// One model in Transformers' layout, the adapter worked in
    Merged,
    /// One GGUF file for llama.cpp, the adapter worked in
    Gguf,
    /// The run's figures as a TensorBoard event file
    Tensorboard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Format {
    F32,
    Bf16,
    F16,
    #[value(name = "q8_0")]
    Q8_0,
    /// As the base has it
    Keep,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    run: RunArgs,
    /// What to write
    #[arg(long, value_enum)]
    to: To,
    /// How merged weights are stored: f32 or bf16 for merged [default: f32]; q8_0, f16, f32 or keep for gguf [default: q8_0]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file or folder, which must not exist yet [default: exports/RUN-… in the project]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    #[command(flatten)]
    base: BaseArgs,
}

pub(super) fn run(args: &ExportArgs, context: &Context) -> Result<(), Failure> {
    let unfit = |format: Format| {
        let name = format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        Failure::usage(format!("--format {name} does not go with this --to; see `logwright train export --help`"))
    };
    let kind = match (args.to, args.format) {
        (To::Peft, None) => ExportKind::Peft,
        (To::Tensorboard, None) => ExportKind::Tensorboard,
        (To::Merged, None | Some(Format::F32)) => ExportKind::Merged(PlainFormat::F32),
        (To::Merged, Some(Format::Bf16)) => ExportKind::Merged(PlainFormat::BF16),
        (To::Gguf, None | Some(Format::Q8_0)) => ExportKind::Gguf(GgufFormat::Q8_0),
        (To::Gguf, Some(Format::F16)) => ExportKind::Gguf(GgufFormat::F16),
        (To::Gguf, Some(Format::F32)) => ExportKind::Gguf(GgufFormat::F32),
        (To::Gguf, Some(Format::Keep)) => ExportKind::Gguf(GgufFormat::Keep),
        (_, Some(format)) => return Err(unfit(format)),
    };
    let (folder, workspace) = find(&args.run.run, context)?;
    let base = match kind {
        // Neither needs the base.
        ExportKind::Peft | ExportKind::Tensorboard => PathBuf::new(),
        _ => args.base.resolve(folder.recipe()?.model.as_deref(), workspace.as_ref())?.path,
    };
    drop(workspace);
    let out = args.out.clone().unwrap_or_else(|| default_export_place(&folder, kind));
    let exported = export(&folder, kind, &base, &out)?;
    if args.run.json {
        return output::json(&exported);
    }
    let what = match exported.merged_linears {
        0 => String::new(),
        linears => format!(", {linears} linears with the adapter worked in"),
    };
    output::line(&format!("{}: {} bytes{what}", exported.path.display(), exported.bytes))
}
