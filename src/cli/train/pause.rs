//! `logwright train pause RUN`

use std::path::Path;

use serde::Serialize;

use super::{RunArgs, find};
use crate::cli::{Context, Failure, output};
use crate::training::{RunId, RunState};

/// What was asked of the process that has a run in hand.
#[derive(Serialize)]
pub(super) struct Asked<'a> {
    pub run: RunId,
    pub dir: &'a Path,
    /// `pause`, `resume` or `cancel`.
    pub asked: &'static str,
}

impl Asked<'_> {
    /// Says so.
    pub fn report(&self, json: bool, what: &str) -> Result<(), Failure> {
        if json { output::json(self) } else { output::line(&format!("{} {what}", self.run)) }
    }
}

pub(super) fn run(args: &RunArgs, context: &Context) -> Result<(), Failure> {
    let (folder, _) = find(&args.run, context)?;
    let state = folder.status()?.state;
    if state != RunState::Running {
        return Err(Failure::failed(format!("run {} is not running: it is {state}", folder.id())));
    }
    folder.request_pause()?;
    Asked { run: folder.id(), dir: folder.path(), asked: "pause" }.report(
        args.json,
        "will wait after its present step, with a checkpoint; `logwright train resume` lets it go on",
    )
}
