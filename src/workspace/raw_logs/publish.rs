//! From clusters to templates: at the end of an import, those that changed get a new row.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::chunk::Count;
use super::state::DatasetState;
use crate::labels::{Label, LabelledTemplate};
use crate::logs::{Template, TemplateKey};
use crate::workspace::{TemplateRecord, Workspace, WorkspaceError, templates};

/// So many alert tags of a template are named.
const TAGS_NAMED: usize = 5;

/// What a dataset has.
pub(super) struct Published {
    /// Templates with lines.
    pub templates: u64,
    /// Lines that fitted no template when there was no room for more.
    pub gathered: u64,
}

/// Appends a row for every template that is not in the store as it is now.
pub(super) fn publish(workspace: &Workspace, state: &DatasetState, tagged: bool) -> Result<Published, WorkspaceError> {
    let gathered = state.totals.iter().filter(|(cluster, _)| state.drain.is_overflow(**cluster));
    let published =
        Published { templates: state.totals.len() as u64, gathered: gathered.map(|(_, count)| count.lines).sum() };

    let records = workspace.templates()?;
    let known: HashMap<&str, &TemplateRecord> = records
        .iter()
        .filter(|record| record.key().dataset == state.dataset)
        .map(|record| (record.key().id.as_str(), record))
        .collect();
    let samples = workspace.log_samples(&state.dataset)?;
    let tagged = tagged || !state.tags.is_empty();
    let mut rows = Vec::new();
    for (&cluster, count) in &state.totals {
        let known = known.get(state.ids[cluster as usize].as_str()).copied();
        let row = record(state, cluster, count, tagged, samples.get(&cluster), known);
        if known != Some(&row) {
            rows.push(row);
        }
    }
    if !rows.is_empty() {
        workspace
            .store
            .write(move |write, at| Box::pin(async move { templates::append_all(write, at, &rows).await }))?;
    }
    Ok(published)
}

/// A cluster as a template. What a table or people gave it stays.
fn record(
    state: &DatasetState,
    cluster: u32,
    count: &Count,
    tagged: bool,
    samples: Option<&Vec<String>>,
    known: Option<&TemplateRecord>,
) -> TemplateRecord {
    let text = String::from_utf8_lossy(state.drain.template(cluster)).into_owned();
    let template = Template { key: TemplateKey::new(&state.dataset, &state.ids[cluster as usize]), text };
    let alerts: u64 = count.tags.values().sum();
    let label = if alerts * 2 >= count.lines { Label::Abnormal } else { Label::Normal };
    let mut attributes = known.map_or_else(Map::new, |known| known.attributes.clone());
    if tagged {
        let mut tags: Vec<(u64, &str)> =
            count.tags.iter().map(|(&tag, &lines)| (lines, state.tags[tag as usize].as_str())).collect();
        tags.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let tags = tags.into_iter().take(TAGS_NAMED).map(|(_, tag)| Value::from(tag)).collect();
        attributes.insert("alert_lines".into(), alerts.into());
        attributes.insert("tags".into(), Value::Array(tags));
    }
    if let Some(samples) = samples {
        attributes.insert("sample".into(), samples.join("\n").into());
    }
    TemplateRecord {
        labelled: LabelledTemplate {
            template,
            original: if tagged { Some(label) } else { known.and_then(|known| known.labelled.original) },
            category: known.and_then(|known| known.labelled.category.clone()),
            count: count.lines,
        },
        imported_gold: known.and_then(|known| known.imported_gold),
        attributes,
    }
}
