//! `logwright export traces [FILE]`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::{Context, Failure, output};
use crate::evaluation::{PageTrace, SteppedTrace, kept_trace, traces_page};
use crate::logs::SafeText;
use crate::workspace::{StoredTrace, TraceFilter, TraceRecord, Workspace, write_file};

/// Characters of a log in the list.
const LOG_SHOWN: usize = 60;

#[derive(Debug, Args)]
pub(super) struct TracesArgs {
    /// The file to write; without it, the kept traces are listed
    file: Option<PathBuf>,
    /// Its format; told from its name otherwise, and JSON where that says nothing
    #[arg(long, requires = "file")]
    format: Option<TraceFormat>,
    /// Only this trace (its id, or the start of it); may be given several times
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Only traces about this template: its id, or DATASET/ID
    #[arg(long, conflicts_with = "id")]
    template: Option<String>,
    /// Only traces that somebody contests
    #[arg(long, conflicts_with = "id")]
    contested: bool,
    /// Print the result as JSON: {traces: [{id, at, by, input, verdict, contested, …}]}, or {traces: N, file}
    #[arg(long)]
    json: bool,
}

/// What traces are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TraceFormat {
    /// One array
    Json,
    /// A trace a line
    Jsonl,
    /// One page that needs nothing else
    Html,
}

impl TraceFormat {
    fn guess(file: &Path) -> Self {
        let extension = file.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("html" | "htm") => Self::Html,
            Some("jsonl" | "ndjson") => Self::Jsonl,
            _ => Self::Json,
        }
    }
}

pub(super) fn run(args: &TracesArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let records = chosen(args, &workspace)?;
    let Some(file) = &args.file else { return list(args, &records) };
    // The oldest first: a file is read from its start.
    let stored = records.iter().rev().map(|record| workspace.trace(&record.id));
    let stored = stored.collect::<Result<Vec<StoredTrace>, _>>()?;
    let bytes = match args.format.unwrap_or_else(|| TraceFormat::guess(file)) {
        TraceFormat::Json => serde_json::to_vec(&stored)?,
        TraceFormat::Jsonl => {
            let lines = stored.iter().map(|trace| Ok(serde_json::to_string(trace)? + "\n"));
            lines.collect::<Result<String, Failure>>()?.into_bytes()
        }
        TraceFormat::Html => page(&workspace, &stored)?.into_bytes(),
    };
    write_file(file, &bytes)?;
    let name = file.display().to_string();
    if args.json {
        return output::json(&serde_json::json!({ "traces": stored.len(), "file": name }));
    }
    output::line(&format!("{} traces written to {name}", stored.len()))
}

/// The newest first, as they are listed.
fn chosen(args: &TracesArgs, workspace: &Workspace) -> Result<Vec<TraceRecord>, Failure> {
    if !args.id.is_empty() {
        let named = args.id.iter().rev().map(|id| Ok(workspace.trace(id)?.record));
        return named.collect();
    }
    let template = args.template.as_deref().map(|name| workspace.find_template(name)).transpose()?;
    Ok(workspace.traces(&TraceFilter {
        template: template.map(|record| record.key().clone()),
        contested: args.contested.then_some(true),
        limit: None,
    })?)
}

fn list(args: &TracesArgs, records: &[TraceRecord]) -> Result<(), Failure> {
    if args.json {
        return output::json(&serde_json::json!({ "traces": records }));
    }
    if records.is_empty() {
        return output::line("no traces are kept: `logwright reason LOG --keep` keeps one");
    }
    let line = |record: &TraceRecord| {
        let verdict = record.verdict.map_or("unread", |verdict| verdict.as_str());
        let contested = if record.contested.is_some() { " contested" } else { "" };
        let adapter = record.adapter.as_deref().unwrap_or("base");
        let log: String = SafeText::one_line(&record.input).as_str().chars().take(LOG_SHOWN).collect();
        format!("{}  {:.0}  {verdict:8} {} {adapter}{contested}  {log}", record.id, record.at, record.model)
    };
    output::line(&records.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn page(workspace: &Workspace, stored: &[StoredTrace]) -> Result<String, Failure> {
    let traces = stored.iter().map(kept_trace).collect::<Result<Vec<SteppedTrace>, _>>()?;
    let shown: Vec<PageTrace<'_>> =
        traces.iter().zip(stored).map(|(trace, stored)| PageTrace { trace, kept: Some(&stored.record) }).collect();
    Ok(traces_page(&format!("Traces of {}", workspace.settings().name), &shown))
}
