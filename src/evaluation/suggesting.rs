//! Suggestions for all templates: what the model, or the keyword rule, would say of each, put into the store as they come.

use serde::Serialize;

use super::asking::AskError;
use super::{KeywordRule, Margins};
use crate::labels::Label;
use crate::workspace::{Suggestion, TemplateRecord, Workspace, WorkspaceError};

/// Templates between two writes: what a stop or a kill costs at most.
const BATCH: usize = 64;

/// Which templates are asked about, of those that have no suggestion of the same source yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only those of this dataset.
    pub dataset: Option<&'a str>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    /// Who suggests.
    pub source: String,
    /// How many templates have a suggestion now that had none.
    pub suggested: usize,
    /// How many of them would be abnormal.
    pub abnormal: usize,
    /// How many still have none.
    pub left: usize,
    /// Whether someone stopped it; the same again goes on from there.
    #[serde(skip)]
    pub stopped: bool,
}

/// Why there are no suggestions.
#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    /// The model cannot be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The store.
    #[error(transparent)]
    Store(#[from] WorkspaceError),
}

/// Has the keyword rule judge the templates that wait for it.
///
/// # Errors
/// When the store cannot be read or written.
pub fn suggest_by_rule(workspace: &Workspace, wanted: Wanted<'_>) -> Result<Suggestions, SuggestError> {
    let rule = KeywordRule::default();
    suggest(workspace, KeywordRule::SOURCE, wanted, &mut |_, _| true, &mut |logs| {
        Ok(Some(logs.iter().map(|log| (rule.judge(log), None)).collect()))
    })
}

/// Has a model judge the templates that wait for it, by its margin right behind the question. `go_on` is told how many of
/// how many are done, and may say no.
///
/// # Errors
/// When the model fails, or the store cannot be read or written.
pub fn suggest_by_model(
    workspace: &Workspace,
    source: &str,
    margins: &Margins<'_>,
    wanted: Wanted<'_>,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Suggestions, SuggestError> {
    suggest(workspace, source, wanted, go_on, &mut |logs| {
        let margins = margins.at_once(logs, &mut || true)?;
        let judged = |margin: f64| (if margin > 0.0 { Label::Abnormal } else { Label::Normal }, Some(margin));
        Ok(margins.map(|margins| margins.into_iter().map(judged).collect()))
    })
}

/// The label of each of some logs, with its margin where there is one.
type Judge<'j> = dyn FnMut(&[&str]) -> Result<Option<Vec<(Label, Option<f64>)>>, AskError> + 'j;

fn suggest(
    workspace: &Workspace,
    source: &str,
    wanted: Wanted<'_>,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
    judge: &mut Judge<'_>,
) -> Result<Suggestions, SuggestError> {
    let known = workspace.suggestions()?;
    let mut records = workspace.templates()?;
    records.retain(|record| {
        wanted.dataset.is_none_or(|dataset| dataset == record.key().dataset)
            && known.get(record.key()).is_none_or(|suggestion| suggestion.source != source)
    });
    let mut done =
        Suggestions { source: source.to_owned(), suggested: 0, abnormal: 0, left: records.len(), stopped: false };
    records.truncate(wanted.limit.unwrap_or(usize::MAX));
    for batch in records.chunks(BATCH) {
        if !go_on(done.suggested, records.len()) {
            done.stopped = true;
            break;
        }
        let logs: Vec<&str> = batch.iter().map(TemplateRecord::text).collect();
        let Some(judged) = judge(&logs)? else {
            done.stopped = true;
            break;
        };
        let suggestions: Vec<Suggestion> = batch
            .iter()
            .zip(judged)
            .map(|(record, (label, margin))| Suggestion {
                template: record.key().clone(),
                source: source.to_owned(),
                label,
                margin,
            })
            .collect();
        workspace.suggest(&suggestions)?;
        done.suggested += suggestions.len();
        done.left -= suggestions.len();
        done.abnormal += suggestions.iter().filter(|suggestion| suggestion.label == Label::Abnormal).count();
    }
    Ok(done)
}
