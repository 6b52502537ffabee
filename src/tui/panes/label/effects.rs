//! What the Label pane asks of the store.

use std::collections::HashMap;

use super::state::{Item, OtherVote, Reveal};
use crate::labels::{Round, Vote};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::Message as AppMessage;
use crate::tui::effects::Edge;
use crate::workspace::{NewVote, Workspace, WorkspaceError};

/// What the pane wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read all templates and votes, as this annotator may see them.
    Load(String),
    /// Put a vote on disk.
    Cast(NewVote),
    /// Take back this annotator's last vote.
    Undo(String),
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Message {
    /// The templates, or why they cannot be read.
    Loaded(Result<Vec<Item>, String>),
    /// A vote is on disk.
    Saved(Vote),
    /// The store could not do it; nothing was written.
    Failed(String),
    /// The last vote is taken back; `None` where there was none.
    Undone(Option<Undone>),
    /// The filter is being typed.
    Filter(String),
    /// The filter stands.
    FilterDone(String),
    /// Typing the filter was given up.
    FilterCancelled,
    /// A comment for the selected template.
    Comment(String),
}

/// A vote that was taken back, and what counts instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// On which template it was.
    pub template: TemplateKey,
    /// The annotator's earlier vote on it, which counts again.
    pub before: Option<Vote>,
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    edge.store(move |workspace| {
        AppMessage::Label(match effect {
            Effect::Load(annotator) => Message::Loaded(load(workspace, &annotator).map_err(|e| e.to_string())),
            Effect::Cast(vote) => match workspace.cast_vote(&vote) {
                Ok(vote) => Message::Saved(vote),
                Err(error) => Message::Failed(error.to_string()),
            },
            Effect::Undo(annotator) => match undo(workspace, &annotator) {
                Ok(undone) => Message::Undone(undone),
                Err(error) => Message::Failed(error.to_string()),
            },
        })
    });
}

fn undo(workspace: &Workspace, annotator: &str) -> Result<Option<Undone>, WorkspaceError> {
    let Some(vote) = workspace.undo_vote(annotator)?.pop() else { return Ok(None) };
    let template = vote.template;
    let before = workspace.votes()?.into_iter().rfind(|v| v.annotator == annotator && v.template == template);
    Ok(Some(Undone { template, before }))
}

fn load(workspace: &Workspace, annotator: &str) -> Result<Vec<Item>, WorkspaceError> {
    let mut own: HashMap<TemplateKey, Vote> = HashMap::new();
    let mut others: HashMap<TemplateKey, Vec<Vote>> = HashMap::new();
    // In the order they were cast: a later round's vote replaces an earlier one.
    for vote in workspace.votes()? {
        if vote.annotator == annotator {
            own.insert(vote.template.clone(), vote);
        } else {
            let votes = others.entry(vote.template.clone()).or_default();
            votes.retain(|earlier| earlier.annotator != vote.annotator);
            votes.push(vote);
        }
    }
    let items = workspace.templates()?.into_iter().map(|record| {
        let key = record.key().clone();
        let name = SafeText::one_line(&key.to_string());
        let text = SafeText::one_line(record.text());
        let samples = record.sample_lines().map(SafeText::one_line).collect();
        let vote = own.remove(&key);
        let mut others: Vec<OtherVote> =
            others.remove(&key).unwrap_or_default().into_iter().map(OtherVote::from).collect();
        others.sort_by(|a, b| a.annotator.as_str().cmp(b.annotator.as_str()));
        let labelled = record.labelled;
        Item {
            haystack: format!("{name} {text}").to_lowercase(),
            key,
            name,
            text,
            count: labelled.count,
            samples,
            comment: vote.as_ref().and_then(|vote| vote.comment.as_deref()).map(SafeText::one_line),
            own: vote.map(|vote| vote.judgement),
            hidden: Reveal { original: labelled.original.map(|label| (label, labelled.category)), others },
        }
    });
    Ok(items.collect())
}

impl From<Vote> for OtherVote {
    fn from(vote: Vote) -> Self {
        Self {
            annotator: SafeText::one_line(&vote.annotator),
            judgement: vote.judgement,
            comment: vote.comment.as_deref().map(SafeText::one_line),
        }
    }
}

/// `Round` of the votes that this pane casts.
pub(super) const ROUND: Round = Round::Blind;
