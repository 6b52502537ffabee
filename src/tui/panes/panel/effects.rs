//! What the Panel pane asks of the store.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::state::{Board, Case, CorrectionRow, Settled};
use crate::labels::agreement::Bootstrap;
use crate::labels::{Category, Correction, Gold, GoldSource, Judgement, Label, Round};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::Message as AppMessage;
use crate::tui::effects::Edge;
use crate::tui::panes::label::OtherVote;
use crate::workspace::{NewRuling, TemplateRecord, Workspace, WorkspaceError};

/// What the pane wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the board as this annotator may see it.
    Load(String),
    /// Put a ruling on disk, and read the board again.
    Rule(NewRuling),
    /// Take back this senior's last ruling, and read the board again.
    Undo(String),
    /// Write the correction patch; a relative path is meant from the project's folder.
    WritePatch(String),
}

/// What comes back.
#[derive(Debug)]
pub enum Message {
    /// The board, or why it cannot be read.
    Loaded(Result<Board, String>),
    /// A ruling is on disk; the board as it is now.
    Ruled(TemplateKey, Box<Board>),
    /// The last ruling is taken back, if there was one; the board as it is now.
    Undone(Option<TemplateKey>, Box<Board>),
    /// The patch is written.
    PatchWritten {
        /// Where.
        path: PathBuf,
        /// How many corrections it holds.
        corrections: usize,
    },
    /// It could not be done; nothing was written.
    Failed(String),
    /// The reason of the ruling that is being made.
    Reason(String),
    /// No reason was given, so there is no ruling.
    ReasonCancelled,
    /// Where the patch shall go.
    PatchPath(String),
}

/// Carries out an effect of this pane.
pub fn run(effect: Effect, edge: &mut Edge) {
    edge.store(move |workspace| {
        let done = match effect {
            Effect::Load(annotator) => Ok(Message::Loaded(board(workspace, &annotator).map_err(|e| e.to_string()))),
            Effect::Rule(ruling) => rule(workspace, &ruling),
            Effect::Undo(senior) => undo(workspace, &senior),
            Effect::WritePatch(path) => write_patch(workspace, &path),
        };
        AppMessage::Panel(done.unwrap_or_else(|error| Message::Failed(error.to_string())))
    });
}

fn rule(workspace: &Workspace, ruling: &NewRuling) -> Result<Message, WorkspaceError> {
    workspace.rule(ruling)?;
    Ok(Message::Ruled(ruling.template.clone(), Box::new(board(workspace, &ruling.by)?)))
}

fn undo(workspace: &Workspace, senior: &str) -> Result<Message, WorkspaceError> {
    let template = workspace.undo_ruling(senior)?;
    Ok(Message::Undone(template, Box::new(board(workspace, senior)?)))
}

fn write_patch(workspace: &Workspace, path: &str) -> Result<Message, WorkspaceError> {
    let path = workspace.dir().join(path);
    let patch = workspace.make_patch()?;
    workspace.write_patch(&patch, &path)?;
    Ok(Message::PatchWritten { path, corrections: patch.corrections.len() })
}

fn board(workspace: &Workspace, annotator: &str) -> Result<Board, WorkspaceError> {
    let templates: HashMap<TemplateKey, TemplateRecord> =
        workspace.templates()?.into_iter().map(|record| (record.key().clone(), record)).collect();
    let gold = workspace.gold()?;
    let senior = workspace.settings().is_senior(annotator);
    let cases = workspace.disagreements()?.into_iter().filter_map(|disagreement| {
        let record = templates.get(&disagreement.template)?;
        let own = disagreement.votes.iter().find(|vote| vote.annotator == annotator);
        let open_to_see = senior || own.is_some_and(|vote| vote.judgement.label().is_some());
        Some(Case {
            name: SafeText::one_line(&disagreement.template.to_string()),
            text: SafeText::one_line(record.text()),
            count: record.labelled.count,
            original: record.labelled.original.map(|label| (label, record.labelled.category.clone())),
            votes: disagreement.votes.into_iter().map(OtherVote::from).collect(),
            settled: settled(&gold, &disagreement.template),
            key: disagreement.template,
            open_to_see,
        })
    });
    Ok(Board {
        agreement: Box::new(workspace.agreement(Round::Blind, Bootstrap::new(1000, 1))?),
        cases: cases.collect(),
        corrections: workspace.corrections()?.into_iter().map(|row| correction(row, &gold)).collect(),
    })
}

fn settled(gold: &BTreeMap<TemplateKey, Gold>, key: &TemplateKey) -> Option<Settled> {
    gold.get(key).map(|gold| Settled {
        judgement: Judgement::of(gold.label, gold.category.clone()),
        source: gold.source,
        by: gold.by.as_deref().map(SafeText::one_line),
        reason: gold.reason.as_deref().map(SafeText::one_line),
    })
}

fn correction(row: Correction, gold: &BTreeMap<TemplateKey, Gold>) -> CorrectionRow {
    let came = |label: Label, category: Option<Category>, source: GoldSource| Settled {
        judgement: Judgement::of(label, category),
        source,
        by: None,
        reason: row.reason.as_deref().map(SafeText::one_line),
    };
    CorrectionRow {
        name: SafeText::one_line(&row.template.to_string()),
        text: SafeText::one_line(&row.text),
        original: row.original,
        gold: settled(gold, &row.template).unwrap_or_else(|| came(row.gold, row.category.clone(), row.source)),
        key: row.template,
    }
}
