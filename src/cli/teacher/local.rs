//! A model on this machine as teacher: which one, wearing what, on which terms.

use std::time::Duration;

use super::asking::Opened;
use crate::cli::Failure;
use crate::cli::base::{named_adapter, not_here};
use crate::model::{DeviceChoice, installed};
use crate::teacher::{Local, Terms};
use crate::workspace::Workspace;

/// Replies that are written at the same time, unless the user says otherwise.
const BATCH: usize = 16;

/// A reply waits for all before it: there is no point in giving up on one.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// On which terms a model here is asked: it costs nothing and is in no hurry.
pub(super) fn terms(concurrency: Option<u16>) -> Terms {
    Terms::free(concurrency.map_or(BATCH, usize::from), PATIENCE)
}

/// The model named `model`, else that of the adapter's run, else the project's, wearing the adapter that `run` names.
pub(super) fn open(
    model: Option<&str>,
    run: Option<&str>,
    device: &DeviceChoice,
    concurrency: Option<u16>,
    workspace: &Workspace,
) -> Result<Opened, Failure> {
    let adapter = run.map(|run| named_adapter(run, Some(workspace))).transpose()?;
    let of_run = adapter.as_ref().and_then(|adapter| adapter.model.as_deref());
    let model = model.or(of_run).unwrap_or(&workspace.settings().model);
    let path = installed(model).ok_or_else(|| not_here(model))?;
    let name = adapter.as_ref().map_or_else(|| model.to_owned(), |adapter| format!("{model}+{}", adapter.name));
    let terms = terms(concurrency);
    let dir = adapter.as_ref().map(|adapter| adapter.dir.as_path());
    let teacher = Local::open(&path, dir, device, &name, terms.concurrency)?;
    Ok(Opened { teacher: Box::new(teacher), terms })
}
