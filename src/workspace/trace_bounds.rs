//! How much of what models said a project keeps: the newest traces, and all that somebody has said something of or made
//! something from. The rest is what a machine can say again; what experts said is never removed.

use serde::{Deserialize, Serialize};

use super::store::Write;

/// How many traces are kept: a part of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceSettings {
    /// The most traces.
    pub most: u64,
    /// The most that they may take, in megabytes of 2^20 bytes.
    pub most_megabytes: u64,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self { most: 2_000, most_megabytes: 256 }
    }
}

impl TraceSettings {
    /// Whether nothing was set.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What cannot be, if anything: the setting's name and why.
    pub(super) fn complaint(self) -> Option<(&'static str, String)> {
        match self {
            Self { most: 0, .. } => Some(("most", "traces: most 0 keeps none: take 1 or more".into())),
            Self { most_megabytes: 0, .. } => {
                Some(("most_megabytes", "traces: most_megabytes 0 keeps none: take 1 or more".into()))
            }
            _ => None,
        }
    }
}

/// Traces beyond the newest `?1` or the newest `?2` bytes; the newest of all is none of them. Sizes come from the rows' heads:
/// no content is read for them.
const BEYOND: &str = "
    SELECT uid FROM (
        SELECT uid, row_number() OVER newest AS place, sum(octet_length(content)) OVER newest AS bytes
        FROM traces WINDOW newest AS (ORDER BY at DESC, uid DESC))
    WHERE place > 1 AND (place > ?1 OR bytes > ?2)";

/// Of those, the ones that nobody needs: no one has ever contested them, and no pair was made of what they say.
const REMOVE: &str = "
    DELETE FROM traces WHERE uid IN (BEYOND) AND id <> ?3
        AND NOT EXISTS (SELECT 1 FROM contests WHERE contests.trace = traces.id)
        AND (input, json_extract(content, '$.text')) NOT IN (
            SELECT json_extract(content, '$.input'), json_extract(content, '$.rejected') FROM items WHERE kind = 'pair'
            UNION SELECT json_extract(content, '$.input'), json_extract(content, '$.chosen') FROM items WHERE kind = 'pair')";

/// Removes the oldest traces that are too many, but for those that somebody said something of or made something from, and for
/// the one with the id `kept`, which is being kept anew. Gives how many those were.
pub(super) async fn bound(write: &mut Write<'_>, settings: TraceSettings, kept: &str) -> Result<u64, sqlx::Error> {
    let clamp = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (most, bytes) = (clamp(settings.most), clamp(settings.most_megabytes.saturating_mul(1 << 20)));
    // Mostly there is nothing to remove, and then pairs are not read either.
    let any = format!("SELECT EXISTS ({BEYOND})");
    if !sqlx::query_scalar::<_, bool>(&any).bind(most).bind(bytes).fetch_one(&mut **write).await? {
        return Ok(0);
    }
    let done =
        sqlx::query(&REMOVE.replace("BEYOND", BEYOND)).bind(most).bind(bytes).bind(kept).execute(&mut **write).await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::workspace::{ImportKind, ImportSource, NewTrace, TraceFilter, Workspace};

    fn project(dir: &std::path::Path, settings: &str) -> Workspace {
        drop(Workspace::init(dir).unwrap());
        std::fs::write(dir.join("logwright.toml"), settings).unwrap();
        Workspace::open(dir).unwrap()
    }

    fn keep(workspace: &Workspace, text: &str) -> String {
        let content = json!({ "text": text, "steps": [] }).to_string();
        let trace = NewTrace {
            by: "ana".into(),
            template: None,
            input: "disk gone".into(),
            model: "m".into(),
            base_fingerprint: None,
            adapter: None,
            verdict: None,
            gold: None,
            content,
        };
        workspace.add_trace(&trace).unwrap()
    }

    fn ids(workspace: &Workspace) -> Vec<String> {
        let mut ids: Vec<String> =
            workspace.traces(&TraceFilter::default()).unwrap().into_iter().map(|trace| trace.id).collect();
        ids.reverse();
        ids
    }

    #[test]
    fn the_newest_traces_are_kept_and_those_that_somebody_needs() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = project(dir.path(), "[traces]\nmost = 3\n");
        let contested = keep(&workspace, "contested");
        workspace.contest_trace(&contested, "bao", true, None).unwrap();
        let withdrawn = keep(&workspace, "withdrawn");
        workspace.contest_trace(&withdrawn, "bao", true, None).unwrap();
        workspace.contest_trace(&withdrawn, "bao", false, None).unwrap();
        let rejected = keep(&workspace, "<think>1. a</think><answer>normal</answer>");
        let pair = json!({
            "task": "anomaly", "input": "disk gone", "label": "abnormal", "first_wrong_step": 1,
            "chosen": "<think>1. But b</think><answer>abnormal</answer>",
            "rejected": "<think>1. a</think><answer>normal</answer>",
        });
        let bytes = pair.to_string().into_bytes();
        let source = ImportSource { name: "p.jsonl", bytes: &bytes, format: None, dataset: None };
        assert_eq!(workspace.import(ImportKind::Pairs, source).unwrap().imported, 1);
        let rest: Vec<String> = (0..5).map(|n| keep(&workspace, &format!("said {n}"))).collect();
        let expected = [&[contested, withdrawn, rejected][..], &rest[2..]].concat();
        assert_eq!(ids(&workspace), expected);
        assert!(workspace.trace(&rest[0]).unwrap_err().to_string().contains("no trace"));
        // What was removed may be said and kept again.
        assert_eq!(keep(&workspace, "said 0"), rest[0]);
    }

    #[test]
    fn traces_are_bounded_by_what_they_take_too_and_one_is_always_kept() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = project(dir.path(), "[traces]\nmost_megabytes = 1\n");
        let large = |n: usize| keep(&workspace, &format!("{n}{}", "x".repeat(400 << 10)));
        let kept: Vec<String> = (0..4).map(large).collect();
        assert_eq!(ids(&workspace), kept[2..]);
        let huge = keep(&workspace, &"y".repeat(3 << 20));
        assert_eq!(ids(&workspace), [huge]);
    }
}
