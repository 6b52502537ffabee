//! The project's language model on this machine: fetched in the background at the first start, so that the workbench can
//! be used meanwhile. Panes that need it read [`Shared::model`](super::panes::Shared::model).

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::app::Message;
use super::effects::{Edge, Job};
use super::panes::PaneId;
use crate::logs::SafeText;
use crate::model::{Progress, PullError, installed, pull};

/// Where the project's model is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelStanding {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// It is coming; how far, in words.
    Coming(SafeText),
    /// It is on this machine.
    Here(PathBuf),
    /// It could not be had, and why.
    Missing(SafeText),
}

impl ModelStanding {
    /// The model's file or folder, once it is here.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Here(path) => Some(path),
            _ => None,
        }
    }
}

/// Looks for the model and fetches it if it is not there; panes learn of it by [`Message::Model`].
pub fn fetch(name: String, edge: &mut Edge) {
    // A file of the right size is taken at once: checking its hash is the pull's business, not every start's.
    if let Some(path) = installed(&name) {
        edge.tell(Message::Model(ModelStanding::Here(path)));
        return;
    }
    edge.spawn_unasked(PaneId::Reason, format!("get {name}"), move |job| {
        match pull(&name, &mut |progress| report(&progress, job)) {
            Ok(path) => {
                job.tell(Message::Model(ModelStanding::Here(path)));
                Ok(())
            }
            Err(PullError::Cancelled) => {
                job.tell(Message::Model(ModelStanding::Missing(SafeText::new("stopped"))));
                Ok(())
            }
            Err(error) => {
                job.tell(Message::Model(ModelStanding::Missing(SafeText::one_line(&error.to_string()))));
                Err(error.to_string())
            }
        }
    });
}

fn report(progress: &Progress, job: &Job) -> ControlFlow<()> {
    let text = match progress {
        Progress::Step(text) => text.clone(),
        Progress::Receiving { received, total, .. } => received_of(*received, *total),
    };
    job.progress(text.clone());
    job.report(Message::Model(ModelStanding::Coming(SafeText::one_line(&text))));
    if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// `[######----] 57% of 98 MB`, or only what came in where the end is not known.
fn received_of(received: u64, total: Option<u64>) -> String {
    const CELLS: u64 = 10;
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let done = received.min(total);
            let full = usize::try_from(done * CELLS / total).unwrap_or_default();
            let bar = format!("{}{}", "#".repeat(full), "-".repeat(CELLS as usize - full));
            format!("[{bar}] {}% of {} MB", done * 100 / total, megabytes(total))
        }
        None => format!("{} MB", megabytes(received)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{press, screen, tell, workbench};

    #[test]
    fn a_download_is_shown_as_a_bar() {
        assert_eq!(received_of(49_181_216, Some(98_362_432)), "[#####-----] 50% of 99 MB");
        assert_eq!(received_of(0, Some(98_362_432)), "[----------] 0% of 99 MB");
        assert_eq!(received_of(5_000_001, None), "6 MB");
    }

    #[test]
    fn the_workbench_can_be_used_while_the_model_comes() {
        let mut state = workbench(PaneId::Panel);
        assert!(tell(&mut state, Message::Model(ModelStanding::Coming(SafeText::new("50%")))).is_empty());
        press(&mut state, "2");
        assert!(screen(&state, 80, 24).contains("[2 Panel]"));
        tell(&mut state, Message::Model(ModelStanding::Here("m.gguf".into())));
        assert_eq!(state.shared.model.path(), Some(&PathBuf::from("m.gguf")));
    }
}
