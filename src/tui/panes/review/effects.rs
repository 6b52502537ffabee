//! What the Review pane reads and writes, on the thread that owns the workspace.

use std::collections::HashMap;
use std::sync::Arc;

use crate::labels::Label;
use crate::labels::agreement::{Bootstrap, Estimate};
use crate::logs::TemplateKey;
use crate::reasoning::{ItemKind, Thought};
use crate::tui::app;
use crate::tui::effects::Edge;
use crate::tui::panes::PaneId;
use crate::workspace::{
    Heard, NewMarks, NewReview, ReviewBoard, ReviewNews, SampleCheck, SampleOutcome, Workspace, WorkspaceError,
};

use super::asking::{self, Taught};
use super::closeness;
use super::entry::Entry;
use super::thoughts;

/// What the pane wants done outside.
#[derive(Debug)]
pub enum Effect {
    /// Read the queue, as this reviewer may see it.
    Load(String),
    /// Write something down, and read what came in since: by that and from others.
    Write(Write, Heard),
    /// Ask the teacher once more for the rationale of this id, with a hint.
    AskAgain {
        /// Its id.
        about: String,
        /// What the reviewer says of it; may be empty.
        hint: String,
    },
    /// Find out which thoughts are near to which.
    Compare {
        /// Which request this is.
        ticket: u64,
        /// Of these.
        thoughts: Arc<Vec<Thought>>,
    },
    /// Make or lay out the map of thoughts.
    Map(thoughts::Effect),
}

/// What is written down.
#[derive(Debug)]
pub enum Write {
    /// Record a decision.
    Decide(NewReview),
    /// Record marks on steps.
    Mark(NewMarks),
    /// Accept what shows no trouble, if a sample of it was reviewed.
    AcceptTroubleFree(SampleCheck),
    /// Take back a reviewer's last decision, of one item or of many.
    Undo(String),
    /// Take back a reviewer's last marks on steps.
    UndoMarks(String),
}

/// What comes back from the pane's effects and prompts.
#[derive(Debug)]
pub enum Message {
    /// The queue was read.
    Loaded(Result<Box<Loaded>, String>),
    /// A decision is on disk.
    Decided(Result<Box<Changed>, String>),
    /// Thoughts were compared.
    Compared(Box<closeness::Found>),
    /// The map of thoughts reports.
    Map(thoughts::Message),
    /// The cursor has come to rest.
    Rested,
    /// The words to look for are being typed.
    Search(String),
    /// The user gave the reason of a rejection.
    RejectBecause(String),
    /// The user has edited the item, or the chosen side of a pair.
    Edited(String),
    /// The user has edited the rejected side of a pair.
    RejectedEdited(String),
    /// The user gave a hint for the teacher.
    AskAgain(String),
    /// The teacher was asked.
    Taught(Taught),
    /// The user gave a prompt up.
    GaveUp,
    /// So many of what shows no trouble are to be looked at before the rest is accepted.
    SampleOf(String),
    /// The sample was looked at: the rest is to be accepted.
    SampleConfirmed,
}

/// The queue, as it was read.
#[derive(Debug)]
pub struct Loaded {
    /// The items of each kind.
    pub(super) queues: [Vec<Entry>; 3],
    /// What they are judged by; without the items.
    pub(super) board: ReviewBoard,
    /// How far reviewers agree, where two have decided on anything.
    pub(super) agreement: Option<Agreed>,
    /// Up to where what reviewers said is in it.
    pub(super) heard: Heard,
}

/// How far reviewers agree on what may train.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    /// Agreeing pairs of decisions, in per cent.
    pub percent: Estimate,
    /// Krippendorff's alpha.
    pub alpha: Estimate,
}

/// What a decision changed.
#[derive(Debug)]
pub struct Changed {
    /// What was done.
    pub(super) deed: Deed,
    /// What was said since the pane last read, with it.
    pub(super) news: ReviewNews,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// One item was decided.
    Decided,
    /// Steps of an item were marked.
    Marked,
    /// What shows no trouble was accepted, or not.
    Sampled(SampleOutcome),
    /// A decision was taken back, if there was one: its newest item, and how many there are.
    Undone(Option<(ItemKind, String)>, usize),
    /// Marks on steps were taken back, if there were any.
    Unmarked(Option<(ItemKind, String)>),
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    let effect = match effect {
        Effect::Map(effect) => return thoughts::run(effect, edge),
        Effect::Compare { ticket, thoughts } => return closeness::run(ticket, thoughts, edge),
        effect => effect,
    };
    if let Effect::AskAgain { about, hint } = effect {
        let root = edge.root().to_owned();
        return edge.spawn(PaneId::Review, "teacher", move |job| {
            let taught = asking::ask_again(&root, &about, &hint, job)?;
            job.tell(app::Message::Review(Message::Taught(taught)));
            Ok(())
        });
    }
    edge.store(move |workspace| app::Message::Review(carry_out(effect, workspace)));
}

/// Carries out an effect on the workspace.
pub(super) fn carry_out(effect: Effect, workspace: &Workspace) -> Message {
    let (write, since) = match effect {
        Effect::Load(reviewer) => {
            let loaded = load(workspace, &reviewer).map(Box::new);
            return Message::Loaded(loaded.map_err(|error| error.to_string()));
        }
        Effect::Write(write, since) => (write, since),
        Effect::Compare { ticket, thoughts } => {
            return Message::Compared(Box::new(closeness::by_words(ticket, thoughts)));
        }
        // Done by jobs of their own.
        Effect::AskAgain { .. } | Effect::Map(_) => return Message::GaveUp,
    };
    let deed = match write {
        Write::Decide(review) => workspace.review(std::slice::from_ref(&review)).map(|()| Deed::Decided),
        Write::Mark(marks) => workspace.mark(&marks).map(|()| Deed::Marked),
        Write::AcceptTroubleFree(check) => workspace.accept_trouble_free(&check).map(Deed::Sampled),
        Write::Undo(reviewer) => workspace.undo_review(&reviewer).map(|mut undone| {
            let count = undone.len();
            Deed::Undone(undone.pop().map(|review| (review.kind, review.item)), count)
        }),
        Write::UndoMarks(reviewer) => {
            let undone = workspace.undo_marks(&reviewer);
            undone.map(|mut undone| Deed::Unmarked(undone.pop().map(|mark| (mark.kind, mark.item))))
        }
    };
    let changed = deed.and_then(|deed| Ok(Box::new(Changed { deed, news: workspace.reviewed_since(since)? })));
    Message::Decided(changed.map_err(|error| error.to_string()))
}

fn load(workspace: &Workspace, reviewer: &str) -> Result<Loaded, WorkspaceError> {
    // Before the rest: what is said meanwhile is told again, and not missed.
    let heard = workspace.heard_reviews()?;
    let mut board = workspace.review_board()?;
    let found = workspace.review_agreement(&ItemKind::ALL, Bootstrap::none())?;
    let agreement = Agreed { percent: found.percent, alpha: found.krippendorff_alpha };
    let originals: HashMap<TemplateKey, Label> = workspace
        .templates()?
        .iter()
        .filter_map(|record| Some((record.key().clone(), record.labelled.original?)))
        .collect();
    let mut queues: [Vec<Entry>; 3] = Default::default();
    for queued in std::mem::take(&mut board.items) {
        let truth = queued.findings.truth.as_ref();
        let gold = truth.and_then(|truth| truth.label);
        let templates = truth.map(|truth| truth.templates.as_slice()).unwrap_or_default();
        let original = templates.iter().filter_map(|key| originals.get(key)).find(|label| Some(**label) != gold);
        let original = original.copied();
        queues[queued.item.kind() as usize].push(Entry::new(queued, original, &board, reviewer));
    }
    Ok(Loaded { queues, board, agreement: Some(agreement).filter(|agreement| agreement.percent.n > 0), heard })
}
