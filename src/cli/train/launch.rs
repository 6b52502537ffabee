//! Before a run is launched, and launched away from this terminal: `--dry-run` and `--detach`.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::cli::{Failure, output};
use crate::training::{self, Base, Estimate, RunFolder, RunId};
use crate::tui::widgets::duration;

#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    /// Only say what it would take: memory, time and tokens, from one step that is thrown away
    #[arg(long, conflicts_with = "detach")]
    pub dry_run: bool,
    /// Train in a process of its own, which closing the terminal does not end
    #[arg(long)]
    pub detach: bool,
}

#[derive(Serialize)]
struct Detached<'a> {
    run: RunId,
    dir: &'a Path,
    process: u32,
}

/// Hands a run over to a process of its own.
pub(super) fn detach(folder: &RunFolder, base: &Base, json: bool) -> Result<(), Failure> {
    detached(folder, training::detach(folder, base)?, json)
}

/// Prints that a run goes on in a process of its own.
pub(super) fn detached(folder: &RunFolder, process: u32, json: bool) -> Result<(), Failure> {
    let run = folder.id();
    if json {
        return output::json(&Detached { run, dir: folder.path(), process });
    }
    output::line(&format!(
        "{run} goes on in process {process}; follow it with `logwright train watch {run}`, and what it prints is in {}",
        folder.output_path().display()
    ))
}

/// Prints what a run would take; one that does not fit is a failure.
pub(super) fn report(estimate: &Estimate, json: bool) -> Result<(), Failure> {
    if json {
        output::json(estimate)?;
    } else {
        output::line(&text(estimate))?;
    }
    estimate.refusal.as_ref().map_or(Ok(()), |why| Err(Failure::failed(why.clone())))
}

pub(super) fn text(estimate: &Estimate) -> String {
    let Estimate { data, steps, tokens, memory_bytes, trainable_parameters, .. } = estimate;
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let place = if estimate.on_device { " on the device" } else { "" };
    let free = estimate
        .available_bytes
        .map_or_else(String::new, |bytes| format!(", {} MiB are free{place}", mebibytes(bytes)));
    let mut lines = vec![
        format!(
            "{} examples and {} held out; {} cut to fit, {} left out; the longest has {} tokens",
            data.examples, data.held_out, data.truncated, data.left_out, data.longest
        ),
        format!("{steps} steps, {tokens} tokens; {trainable_parameters} weights train"),
        format!("memory: about {} MiB{free}", mebibytes(*memory_bytes)),
    ];
    if estimate.tokens_per_second > 0.0 {
        let (pace, time) = (estimate.tokens_per_second, duration(estimate.seconds));
        lines.push(format!("time: about {time} at {pace:.0} tokens/s, without evaluations"));
    }
    lines.join("\n")
}
