//! What the Review pane reads and writes, on the thread that owns the workspace.

use std::collections::BTreeMap;

use super::state::Entry;
use crate::reasoning::{ItemKind, Review, Reviewable};
use crate::tui::app;
use crate::tui::effects::Edge;
use crate::workspace::{NewReview, Workspace, WorkspaceError};

/// The newest review of every item that has one.
pub(super) type Reviews = BTreeMap<(ItemKind, String), Review>;

/// What the pane wants done outside.
#[derive(Debug)]
pub enum Effect {
    /// Read the queue.
    Load,
    /// Record a decision.
    Decide(NewReview),
    /// Accept everything pending of a kind.
    AcceptAll {
        /// Of this kind.
        kind: ItemKind,
        /// By whom.
        reviewer: String,
    },
    /// Take back somebody's last decision.
    Undo {
        /// Whose.
        reviewer: String,
    },
}

/// What comes back from the pane's effects and prompts.
#[derive(Debug)]
pub enum Message {
    /// The queue was read.
    Loaded(Result<Loaded, String>),
    /// A decision is on disk.
    Decided(Result<Changed, String>),
    /// The user gave the reason of a rejection.
    RejectBecause(String),
    /// The user has edited the item.
    Edited(String),
    /// The user gave a prompt up.
    GaveUp,
    /// The user means to accept everything.
    AcceptAllConfirmed,
}

/// The queue, as it was read.
#[derive(Debug)]
pub struct Loaded(pub(super) [Vec<Entry>; 3]);

/// What a decision changed.
#[derive(Debug)]
pub struct Changed {
    /// What was done.
    pub(super) deed: Deed,
    /// All reviews after it.
    pub(super) reviews: Reviews,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// One item was decided.
    Decided,
    /// So many were accepted at once.
    AcceptedAll(usize),
    /// A decision was taken back, if there was one.
    Undone(Option<(ItemKind, String)>),
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    edge.store(move |workspace| app::Message::Review(carry_out(effect, workspace)));
}

/// Carries out an effect on the workspace.
pub(super) fn carry_out(effect: Effect, workspace: &Workspace) -> Message {
    match effect {
        Effect::Load => Message::Loaded(load(workspace).map_err(|error| error.to_string())),
        Effect::Decide(review) => decided(workspace, |workspace| {
            workspace.review(std::slice::from_ref(&review))?;
            Ok(Deed::Decided)
        }),
        Effect::AcceptAll { kind, reviewer } => {
            decided(workspace, |workspace| workspace.accept_pending(&[kind], &reviewer).map(Deed::AcceptedAll))
        }
        Effect::Undo { reviewer } => decided(workspace, |workspace| {
            let undone = workspace.undo_review(&reviewer)?;
            Ok(Deed::Undone(undone.map(|review| (review.kind, review.item))))
        }),
    }
}

fn load(workspace: &Workspace) -> Result<Loaded, WorkspaceError> {
    let mut queues: [Vec<Entry>; 3] = Default::default();
    for queued in workspace.review_queue()? {
        queues[queued.item.kind() as usize].push(Entry::new(queued.item, queued.review));
    }
    Ok(Loaded(queues))
}

fn decided(workspace: &Workspace, deed: impl FnOnce(&Workspace) -> Result<Deed, WorkspaceError>) -> Message {
    let changed = deed(workspace).and_then(|deed| Ok(Changed { deed, reviews: workspace.reviews()? }));
    Message::Decided(changed.map_err(|error| error.to_string()))
}

impl Changed {
    /// Whether this changes what is known of an item.
    pub(super) fn of<'a>(&'a self, item: &Reviewable) -> Option<&'a Review> {
        self.reviews.get(&(item.kind(), item.id().to_owned()))
    }
}
