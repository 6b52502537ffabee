//! What the Label pane asks of the store.

use std::collections::HashSet;
use std::sync::Arc;

use super::context::{Ask, Occurrence};
use super::state::Item;
use crate::evaluation::{desk, own_votes};
use crate::labels::near_duplicates::NearDuplicates;
use crate::labels::{Round, RoundState, Vote};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::{Message as AppMessage, Toast};
use crate::tui::effects::Edge;
use crate::workspace::{NewVote, Workspace, WorkspaceError};

/// What the pane wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read all templates and votes, as this annotator may see them.
    Load(String),
    /// Put a decision on disk: one vote, or several that are one.
    Cast(Vec<NewVote>),
    /// Take back this annotator's last decision.
    Undo(String),
    /// Cast again what this annotator took back.
    Redo(String),
    /// Raise or lower an annotator's flag.
    Flag(TemplateKey, String, bool),
    /// Find out which of these texts are near-duplicates; the number names the list.
    Relate(Arc<Vec<String>>, u64),
    /// Read the lines around an occurrence.
    Context(Ask),
    /// Read the guidelines, to show or to edit them.
    Guidelines {
        /// Whether to edit them.
        edit: bool,
    },
    /// Keep the guidelines.
    SaveGuidelines(String),
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Message {
    /// The templates, or why they cannot be read.
    Loaded(Result<Loaded, String>),
    /// A decision is on disk.
    Saved(Vec<Vote>),
    /// The store could not do it; nothing was written.
    Failed(String),
    /// The last decision is taken back: on these templates, none where there was nothing to take back.
    Undone(Vec<Restored>),
    /// What was taken back is cast again: on these templates, none where there was nothing.
    Redone(Vec<Restored>),
    /// A flag stands on disk.
    Flagged(TemplateKey, bool),
    /// Which templates are near-duplicates, of the list with this number.
    Related(Arc<NearDuplicates>, u64),
    /// The cursor has come to rest.
    Rested,
    /// The lines around an occurrence.
    Context(Ask, Result<Option<Occurrence>, String>),
    /// The guidelines, to show or to edit.
    Guidelines(Result<Option<String>, String>, bool),
    /// The user wants to edit the guidelines.
    EditGuidelines,
    /// What the editor made of the guidelines.
    GuidelinesEdited(String),
    /// The words to look for are being typed.
    Filter(String),
    /// The fuzzy words to look for are being typed.
    Fuzzy(String),
    /// A comment for the selected template.
    Comment(String),
    /// Another pane brings the cursor to a template.
    GoTo(TemplateKey),
}

/// The templates, as one annotator may see them.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// In the order in which they came in.
    pub items: Vec<Item>,
    /// On which the annotator has given a label at some time, also one that was taken back.
    pub seen: HashSet<TemplateKey>,
    /// Why no votes are taken, where the blind round is closed.
    pub closed: Option<String>,
}

/// A template whose newest vote is another now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Which template.
    pub template: TemplateKey,
    /// The annotator's vote on it that counts now.
    pub own: Option<Vote>,
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Relate(texts, list) => edge.think(move || {
            let near = NearDuplicates::of(&texts);
            AppMessage::Label(Message::Related(Arc::new(near), list))
        }),
        Effect::Context(ask) => edge.read(move |workspace| {
            let found = context(workspace, &ask).map_err(|error| error.to_string());
            AppMessage::Label(Message::Context(ask, found))
        }),
        effect => edge.store(move |workspace| match in_store(effect, workspace) {
            Ok(message) => AppMessage::Label(message),
            Err((Waits::Yes, error)) => AppMessage::Label(Message::Failed(error.to_string())),
            Err((Waits::No, error)) => AppMessage::Toast(Toast::error(error.to_string())),
        }),
    }
}

/// Whether the pane waits for the outcome before it does anything else.
enum Waits {
    Yes,
    No,
}

fn in_store(effect: Effect, workspace: &Workspace) -> Result<Message, (Waits, WorkspaceError)> {
    let waits = |error| (Waits::Yes, error);
    let aside = |error| (Waits::No, error);
    Ok(match effect {
        Effect::Load(annotator) => Message::Loaded(load(workspace, &annotator).map_err(|e| e.to_string())),
        Effect::Cast(votes) => Message::Saved(workspace.cast_votes(&votes).map_err(waits)?),
        Effect::Undo(annotator) => {
            let undone = workspace.undo_vote(&annotator).map_err(waits)?;
            Message::Undone(restored(workspace, &annotator, undone).map_err(waits)?)
        }
        Effect::Redo(annotator) => {
            let redone = workspace.redo_vote(&annotator).map_err(waits)?;
            Message::Redone(restored(workspace, &annotator, redone).map_err(waits)?)
        }
        Effect::Flag(template, annotator, raised) => {
            workspace.set_flag(&template, &annotator, raised).map_err(aside)?;
            Message::Flagged(template, raised)
        }
        Effect::SaveGuidelines(text) => {
            workspace.write_guidelines(&text).map_err(aside)?;
            Message::Guidelines(Ok(Some(text)), false)
        }
        Effect::Guidelines { edit } => {
            Message::Guidelines(workspace.guidelines().map_err(|error| error.to_string()), edit)
        }
        Effect::Relate(texts, list) => Message::Related(Arc::new(NearDuplicates::of(&texts)), list),
        Effect::Context(ask) => {
            let found = context(workspace, &ask).map_err(|error| error.to_string());
            Message::Context(ask, found)
        }
    })
}

/// The votes that count now on the templates of a decision that was taken back or cast again.
fn restored(workspace: &Workspace, annotator: &str, votes: Vec<Vote>) -> Result<Vec<Restored>, WorkspaceError> {
    if votes.is_empty() {
        return Ok(Vec::new());
    }
    let mut own = own_votes(workspace, annotator)?;
    let restore = |vote: Vote| Restored { own: own.remove(&vote.template), template: vote.template };
    Ok(votes.into_iter().map(restore).collect())
}

fn context(workspace: &Workspace, ask: &Ask) -> Result<Option<Occurrence>, WorkspaceError> {
    let found = workspace.occurrence_context(&ask.template, ask.occurrence, ask.around, ask.same_node)?;
    Ok(found.map(|found| Occurrence {
        source: SafeText::one_line(&found.source.file_name().unwrap_or(found.source.as_os_str()).to_string_lossy()),
        occurrences: found.occurrences,
        lines: found
            .lines
            .iter()
            .map(|line| (line.number, SafeText::one_line(&line.text), line.is_occurrence))
            .collect(),
    }))
}

fn load(workspace: &Workspace, annotator: &str) -> Result<Loaded, WorkspaceError> {
    let items = desk(workspace, annotator)?.into_iter().map(|task| Item {
        name: SafeText::one_line(&task.key.to_string()),
        key: task.key,
        text: SafeText::one_line(&task.text),
        count: task.count,
        samples: task.samples.iter().map(|sample| SafeText::one_line(sample)).collect(),
        comment: task.own.as_ref().and_then(|vote| vote.comment.clone()),
        own: task.own.map(|vote| vote.judgement),
        flagged: task.flagged,
        contested: task.contested,
        hidden: task.hidden,
    });
    let items = items.collect();
    let rounds = workspace.rounds()?;
    let closed = match (rounds.state(Round::Blind), rounds.state(Round::Panel)) {
        (RoundState::Open, _) => None,
        (_, RoundState::Open) => Some("the blind round is closed: vote in the Panel pane (2)".to_owned()),
        _ => Some("both rounds are closed: what is open is ruled in the Panel pane (2)".to_owned()),
    };
    Ok(Loaded { items, seen: workspace.ever_labelled(annotator)?, closed })
}

/// `Round` of the votes that this pane casts.
pub(super) const ROUND: Round = Round::Blind;
