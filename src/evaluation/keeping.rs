//! A trace into the store of a project, and out of it again.

use super::stepping::SteppedTrace;
use crate::logs::TemplateKey;
use crate::reasoning::answer_label;
use crate::workspace::{NewTrace, StoredTrace, Workspace, WorkspaceError};

/// Keeps a trace in the project and gives its id. `base_fingerprint` is [`crate::model::LanguageModel::fingerprint`] of
/// the model that wrote it; the template, where its log stands for one, gives the gold label of this moment.
///
/// # Errors
/// When nobody keeps it, its template is unknown, or the store cannot be read or written.
pub fn keep_trace(
    workspace: &Workspace,
    trace: &SteppedTrace,
    template: Option<&TemplateKey>,
    base_fingerprint: Option<&str>,
    by: &str,
) -> Result<String, WorkspaceError> {
    let gold = match template {
        Some(template) => workspace.gold()?.get(template).map(|gold| gold.label),
        None => None,
    };
    workspace.add_trace(&NewTrace {
        by: by.to_owned(),
        template: template.cloned(),
        input: trace.input.clone(),
        model: trace.model.clone(),
        base_fingerprint: base_fingerprint.map(str::to_owned),
        adapter: trace.adapter.clone(),
        verdict: trace.answer.as_deref().and_then(answer_label),
        gold,
        content: serde_json::to_string(trace)
            .map_err(|error| WorkspaceError::Invalid(format!("the trace cannot be written as JSON: {error}")))?,
    })
}

/// The trace that a project has kept, ready to be stepped through again.
///
/// # Errors
/// When it is not one that this program wrote.
pub fn kept_trace(stored: &StoredTrace) -> Result<SteppedTrace, WorkspaceError> {
    serde_json::from_value(stored.trace.clone())
        .map_err(|error| WorkspaceError::Invalid(format!("trace {}: {error}", stored.record.id)))
}
