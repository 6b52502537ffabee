//! `logwright train cancel RUN`

use std::path::Path;

use serde::Serialize;

use super::{RunArgs, find};
use crate::cli::{Context, Failure, output};
use crate::training::{self, RunState};

#[derive(Serialize)]
struct Cancelled<'a> {
    run: training::RunId,
    dir: &'a Path,
    requested: bool,
}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<(), Failure> {
    let (folder, _) = find(&args.run, context)?;
    let state = folder.status()?.state;
    if !state.is_alive() {
        return Err(Failure::failed(format!("run {} is not running: it is {state}", folder.id())));
    }
    folder.request_cancel()?;
    if args.json {
        return output::json(&Cancelled { run: folder.id(), dir: folder.path(), requested: true });
    }
    let when = if state == RunState::Queued {
        "leaves the queue"
    } else {
        "will stop after its present batch, with a checkpoint"
    };
    output::line(&format!("{} {when}", folder.id()))
}
