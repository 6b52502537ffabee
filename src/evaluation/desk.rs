//! An annotator's desk: the templates with their own votes and flags, and what they may see beyond that.
//!
//! The Label pane and `logwright queue` read it. The label that a template came with, and what a machine suggests, are
//! given only once the annotator has said normal or abnormal. Others' votes are not here at all.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::KeywordRule;
use crate::labels::queue::Entry;
use crate::labels::{Category, Label, Vote};
use crate::logs::TemplateKey;
use crate::workspace::{TemplateRecord, TraceFilter, Workspace, WorkspaceError};

/// What a machine would say of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggested {
    /// The label.
    pub label: Label,
    /// The model or rule that says so.
    pub by: String,
}

/// What an annotator may know of a template only after giving it a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reveal {
    /// The label that the template came with.
    pub original: Option<(Label, Option<Category>)>,
    /// What a model or rule says of it.
    pub suggestion: Option<Suggested>,
}

/// A verdict on a template that somebody contests. What the verdict was, only the trace says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContestedBy {
    /// The id of the trace.
    pub trace: String,
    /// Who contests it.
    pub by: String,
}

/// A template on an annotator's desk. All its text is raw.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which template.
    pub key: TemplateKey,
    /// Its text.
    pub text: String,
    /// How often it occurred.
    pub count: u64,
    /// Occurrence lines that came with it.
    pub samples: Vec<String>,
    /// The annotator's own newest vote.
    pub own: Option<Vote>,
    /// Whether the annotator has flagged it.
    pub flagged: bool,
    /// The trace of a model's verdict on it that somebody contests, and who does.
    pub contested: Option<ContestedBy>,
    /// What is hidden until the annotator has given a label: read it through [`Task::revealed`].
    pub hidden: Reveal,
}

impl Task {
    /// The original label and the suggestion, once the annotator has said normal or abnormal. Unsure and skip commit to
    /// nothing, so they reveal nothing.
    pub fn revealed(&self) -> Option<&Reveal> {
        self.own.as_ref()?.judgement.label().map(|_| &self.hidden)
    }

    /// What the orders of the queue may know of it.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            text: &self.text,
            count: self.count,
            own: self.own.as_ref().map(|vote| &vote.judgement),
            flagged: self.flagged,
            contested: self.contested.is_some(),
            suggestion: self.hidden.suggestion.as_ref().map(|suggestion| suggestion.label),
        }
    }
}

/// All templates in the order in which they came in, as `annotator` may see them.
///
/// # Errors
/// When the store cannot be read.
pub fn desk(workspace: &Workspace, annotator: &str) -> Result<Vec<Task>, WorkspaceError> {
    let mut own = own_votes(workspace, annotator)?;
    let flags = workspace.flags()?.into_iter().filter(|flag| flag.annotator == annotator);
    let flagged: HashSet<TemplateKey> = flags.map(|flag| flag.template).collect();
    // The newest come first: the oldest of a template's are overwritten by them.
    let contested = workspace.traces(&TraceFilter { contested: Some(true), ..TraceFilter::default() })?;
    let contested = contested
        .into_iter()
        .rev()
        .filter_map(|trace| Some((trace.template?, ContestedBy { trace: trace.id, by: trace.contested?.by })));
    let mut contested: HashMap<TemplateKey, ContestedBy> = contested.collect();
    // A model's, where one was asked (`logwright suggest`); the rule costs nothing and always has something to say.
    let mut suggestions = workspace.suggestions()?;
    let rule = KeywordRule::default();
    let task = |record: TemplateRecord| {
        let suggestion = Some(match suggestions.remove(record.key()) {
            Some(suggestion) => Suggested { label: suggestion.label, by: suggestion.source },
            None => Suggested { label: rule.judge(record.text()), by: KeywordRule::SOURCE.to_owned() },
        });
        let samples = record.sample_lines().map(str::to_owned).collect();
        let labelled = record.labelled;
        let key = labelled.template.key;
        Task {
            own: own.remove(&key),
            flagged: flagged.contains(&key),
            contested: contested.remove(&key),
            key,
            text: labelled.template.text,
            count: labelled.count,
            samples,
            hidden: Reveal { original: labelled.original.map(|label| (label, labelled.category)), suggestion },
        }
    };
    Ok(workspace.templates()?.into_iter().map(task).collect())
}

/// An annotator's newest vote on each template, whatever the round.
///
/// # Errors
/// When the store cannot be read.
pub fn own_votes(workspace: &Workspace, annotator: &str) -> Result<HashMap<TemplateKey, Vote>, WorkspaceError> {
    // In the order in which they were cast: the last one counts.
    Ok(workspace.votes_by(annotator)?.into_iter().map(|vote| (vote.template.clone(), vote)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Judgement;
    use crate::workspace::{NewVote, open_or_create_demo};

    #[test]
    fn only_a_label_of_ones_own_reveals_what_a_template_came_as() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = open_or_create_demo(dir.path()).unwrap();
        let key = desk(&workspace, "anna").unwrap()[3].key.clone();
        let cast = |judgement| {
            workspace.cast_vote(&NewVote::new(key.clone(), "anna", judgement)).unwrap();
        };
        let revealed = || desk(&workspace, "anna").unwrap().iter().filter(|task| task.revealed().is_some()).count();
        cast(Judgement::Unsure);
        assert_eq!(revealed(), 0);
        cast(Judgement::Normal);
        assert_eq!(revealed(), 1);
        workspace.undo_vote("anna").unwrap();
        assert_eq!(revealed(), 0);
        assert!(workspace.ever_labelled("anna").unwrap().contains(&key), "it was seen all the same");
        workspace.set_flag(&key, "anna", true).unwrap();
        assert!(desk(&workspace, "anna").unwrap()[3].flagged && !desk(&workspace, "ana").unwrap()[3].flagged);
    }
}
