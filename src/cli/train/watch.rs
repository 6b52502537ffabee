//! `logwright train watch RUN`

use std::path::PathBuf;
use std::thread;

use serde::Serialize;

use super::follow::{LOOK_EVERY, step_line};
use super::{RunArgs, find};
use crate::cli::{Context, Failure, interrupt, output};
use crate::training::{self, RunFolder, RunState, Status, StepRecord, run_info};

#[derive(Serialize)]
struct Watched {
    #[serde(flatten)]
    info: training::RunInfo,
    adapter: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<(), Failure> {
    let (folder, workspace) = find(&args.run, context)?;
    drop(workspace);
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let mut status = folder.status()?;
    while status.state.is_alive() && !stop.is_set() {
        line.show(&watch_line(&folder, &status)?);
        thread::sleep(LOOK_EVERY);
        status = folder.status()?;
    }
    drop(line);
    if args.json {
        let info = run_info(&folder).ok_or_else(|| Failure::failed("the run's folder can no longer be read"))?;
        return output::json(&Watched { info, adapter: training::adapter_of_run(&folder).ok() });
    }
    let message = status.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    let device = folder.device().map_or_else(String::new, |device| format!(" on {device}"));
    output::line(&format!("{} {}{device}{message}\n{}", folder.id(), status.state, watch_line(&folder, &status)?))
}

fn watch_line(folder: &RunFolder, status: &Status) -> Result<String, Failure> {
    Ok(match folder.steps()?.last() {
        _ if status.state == RunState::Queued => "waiting for its turn; another run trains".to_owned(),
        Some(record) => {
            let line = step_line(record, status.steps, status.eta_seconds);
            format!("{line}{}", memory_text(folder, record, status))
        }
        None => "no step done yet".to_owned(),
    })
}

/// Where it computes, what the process has in memory, and what of its device's is in use; nothing of a run that is over.
fn memory_text(folder: &RunFolder, record: &StepRecord, status: &Status) -> String {
    let place = folder.device().map(|device| format!(" · {device}"));
    let process = status.memory_bytes.map(|bytes| format!(" · memory {} MiB", bytes.div_ceil(1 << 20)));
    let device = record.device_memory_mib.zip(record.device_total_mib);
    let device = device.map(|(used, total)| format!(" · device {used} of {total} MiB"));
    match status.state.is_alive() {
        true => [place, process, device].into_iter().flatten().collect(),
        false => String::new(),
    }
}
