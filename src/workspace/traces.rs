//! What a model said of a log, kept: to be looked at again, contested, exported.
//!
//! A trace is JSON here: this room knows who kept it, about which template, and what it came to, not what is in it. Its id
//! follows from its content, so keeping a trace twice keeps it once, in one copy of a project or in two. Contesting a trace
//! adds a row beside it, and the newest of these counts.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::store::{At, uid};
use super::trace_bounds::bound;
use super::{Workspace, WorkspaceError};
use crate::labels::Label;
use crate::logs::TemplateKey;

/// A trace to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrace {
    /// Who keeps it.
    pub by: String,
    /// The template that its log stands for, if any.
    pub template: Option<TemplateKey>,
    /// The log, raw.
    pub input: String,
    /// The model, as it was asked for.
    pub model: String,
    /// What tells the base model from others, whatever its name is.
    pub base_fingerprint: Option<String>,
    /// The adapter that it wore.
    pub adapter: Option<String>,
    /// What it answered; `None` where that cannot be read.
    pub verdict: Option<Label>,
    /// The template's gold label at this moment.
    pub gold: Option<Label>,
    /// The whole trace, as JSON. Not a [`Value`], in which every `f32` gets the digits of an `f64`.
    pub content: String,
}

/// Somebody says that a trace is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contest {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

/// What is known of a kept trace without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceRecord {
    /// Its id: follows from its content.
    pub id: String,
    /// When it was kept.
    pub at: Timestamp,
    /// Who kept it.
    pub by: String,
    /// The template that its log stands for, if any.
    pub template: Option<TemplateKey>,
    /// The log, raw.
    pub input: String,
    /// The model, as it was asked for.
    pub model: String,
    /// What tells the base model from others, whatever its name is.
    pub base_fingerprint: Option<String>,
    /// The adapter that it wore.
    pub adapter: Option<String>,
    /// What it answered; `None` where that cannot be read.
    pub verdict: Option<Label>,
    /// The template's gold label when the trace was kept.
    pub gold: Option<Label>,
    /// Who says that it is wrong, if anybody.
    pub contested: Option<Contest>,
}

/// A kept trace, whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredTrace {
    /// What is known of it without reading it.
    #[serde(flatten)]
    pub record: TraceRecord,
    /// The trace itself.
    pub trace: Value,
}

/// Which traces to list; all of them by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Only those about this template.
    pub template: Option<TemplateKey>,
    /// Only those that somebody contests, or nobody.
    pub contested: Option<bool>,
    /// Only this many, the newest.
    pub limit: Option<usize>,
}

/// The oldest row of every trace with the newest contest of it. Two copies of a project may both have kept a trace.
const KEPT: &str = "
    FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY at, uid) AS copy FROM traces) t
    LEFT JOIN (SELECT trace, by AS contested_by, at AS contested_at, raised, reason,
                      row_number() OVER (PARTITION BY trace ORDER BY at DESC, uid DESC) AS age
               FROM contests) c ON c.trace = t.id AND c.age = 1 AND c.raised = 1
    WHERE t.copy = 1";

/// The columns of a [`TraceRecord`].
const COLUMNS: &str = "t.id, t.at, t.kept_by, t.dataset, t.template, t.input, t.model, t.base_fingerprint, t.adapter, \
                       t.verdict, t.gold, c.contested_by, c.contested_at, c.reason";

/// Hexadecimal digits of an id: 64 bits.
const ID_LENGTH: usize = 16;

impl Workspace {
    /// Keeps a trace and gives its id; one that is there already stays as it is. It is on disk when this returns. Where there are
    /// more than the settings allow, the oldest go that nobody has said anything of.
    ///
    /// # Errors
    /// When nobody keeps it, its template is unknown, or the store cannot be written.
    pub fn add_trace(&self, trace: &NewTrace) -> Result<String, WorkspaceError> {
        if trace.by.trim().is_empty() {
            return Err(WorkspaceError::Invalid("a trace needs the name of who keeps it".into()));
        }
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&trace.content) {
            return Err(WorkspaceError::Invalid(format!("a trace is JSON: {error}")));
        }
        if let Some(template) = &trace.template {
            self.require_template(template)?;
        }
        let mut id = uid("trace", &(&trace.template, &trace.base_fingerprint, &trace.content));
        id.truncate(ID_LENGTH);
        let bounds = self.settings.traces;
        self.store.write(|write, at| {
            let (trace, id) = (trace.clone(), id.clone());
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO traces (uid, at, id, kept_by, dataset, template, input, model, base_fingerprint,
                                         adapter, verdict, gold, content)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
                     WHERE NOT EXISTS (SELECT 1 FROM traces WHERE id = ?3)",
                )
                .bind(uid("traces", &(at.0, &id, &trace.by)))
                .bind(at.0)
                .bind(&id)
                .bind(trace.by.trim())
                .bind(trace.template.as_ref().map(|template| &template.dataset))
                .bind(trace.template.as_ref().map(|template| &template.id))
                .bind(&trace.input)
                .bind(&trace.model)
                .bind(&trace.base_fingerprint)
                .bind(&trace.adapter)
                .bind(trace.verdict.map(Label::as_str))
                .bind(trace.gold.map(Label::as_str))
                .bind(&trace.content)
                .execute(&mut **write)
                .await?;
                bound(write, bounds, &id).await
            })
        })?;
        Ok(id)
    }

    /// The kept traces that pass the filter, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traces(&self, filter: &TraceFilter) -> Result<Vec<TraceRecord>, WorkspaceError> {
        let rows = self.store.read(|connection| {
            let filter = filter.clone();
            Box::pin(async move {
                let query = format!(
                    "SELECT {COLUMNS} {KEPT} AND (?1 IS NULL OR (t.dataset = ?1 AND t.template = ?2))
                     AND (?3 IS NULL OR (c.contested_by IS NOT NULL) = ?3) ORDER BY t.at DESC, t.id LIMIT ?4"
                );
                sqlx::query(&query)
                    .bind(filter.template.as_ref().map(|template| &template.dataset))
                    .bind(filter.template.as_ref().map(|template| &template.id))
                    .bind(filter.contested)
                    .bind(filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)))
                    .fetch_all(connection)
                    .await
            })
        })?;
        rows.iter().map(|row| self.trace_record(row)).collect()
    }

    /// The kept trace of this id, or the only one whose id begins so.
    ///
    /// # Errors
    /// When there is none or there are several, or the store cannot be read.
    pub fn trace(&self, id: &str) -> Result<StoredTrace, WorkspaceError> {
        let begins = id.trim().to_ascii_lowercase();
        let rows = self.store.read(|connection| {
            let begins = begins.clone();
            Box::pin(async move {
                let query = format!("SELECT {COLUMNS}, t.content {KEPT} AND substr(t.id, 1, length(?1)) = ?1 LIMIT 2");
                sqlx::query(&query).bind(begins).fetch_all(connection).await
            })
        })?;
        match &rows[..] {
            [row] if !begins.is_empty() => {
                let content: String = row.try_get("content").map_err(|error| self.store.failed(error))?;
                let trace = serde_json::from_str(&content).map_err(|error| self.store.damaged("traces", error))?;
                Ok(StoredTrace { record: self.trace_record(row)?, trace })
            }
            [] => Err(WorkspaceError::NoTrace(id.to_owned())),
            _ => Err(WorkspaceError::Invalid(format!("several traces begin with {id:?}: give more of the id"))),
        }
    }

    /// Says that the trace of this id is wrong, or takes that back. It is on disk when this returns.
    ///
    /// # Errors
    /// When nobody says so, there is no such trace, or the store cannot be written.
    pub fn contest_trace(&self, id: &str, by: &str, raised: bool, reason: Option<&str>) -> Result<(), WorkspaceError> {
        let by = by.trim();
        if by.is_empty() {
            return Err(WorkspaceError::Invalid("contesting a trace needs a name".into()));
        }
        let id = self.trace(id)?.record.id;
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
        self.store.write(|write, at| {
            let (id, by, reason) = (id.clone(), by.to_owned(), reason.map(str::to_owned));
            Box::pin(async move {
                sqlx::query("INSERT INTO contests (uid, at, trace, by, raised, reason) VALUES (?, ?, ?, ?, ?, ?)")
                    .bind(uid("contests", &(at.0, &id, &by, raised, &reason)))
                    .bind(at.0)
                    .bind(&id)
                    .bind(&by)
                    .bind(raised)
                    .bind(&reason)
                    .execute(&mut **write)
                    .await
                    .map(drop)
            })
        })
    }

    fn trace_record(&self, row: &SqliteRow) -> Result<TraceRecord, WorkspaceError> {
        let failed = |error| self.store.failed(error);
        let text = |column| row.try_get::<Option<String>, _>(column).map_err(failed);
        let some = |column| row.try_get::<String, _>(column).map_err(failed);
        let label = |column| -> Result<Option<Label>, WorkspaceError> {
            text(column)?.map(|word| word.parse()).transpose().map_err(|error| self.store.damaged("traces", error))
        };
        let at = |at: i64| At(at).timestamp();
        let contested = match text("contested_by")? {
            None => None,
            Some(by) => {
                Some(Contest { by, at: at(row.try_get("contested_at").map_err(failed)?), reason: text("reason")? })
            }
        };
        Ok(TraceRecord {
            id: some("id")?,
            at: at(row.try_get("at").map_err(failed)?),
            by: some("kept_by")?,
            template: text("dataset")?.zip(text("template")?).map(|(dataset, id)| TemplateKey::new(dataset, id)),
            input: some("input")?,
            model: some("model")?,
            base_fingerprint: text("base_fingerprint")?,
            adapter: text("adapter")?,
            verdict: label("verdict")?,
            gold: label("gold")?,
            contested,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::{ImportKind, ImportSource};

    fn project(dir: &std::path::Path) -> Workspace {
        let workspace = Workspace::init(dir).unwrap();
        let bytes = b"dataset,id,template,label\nbgl,1,disk gone,normal\n";
        let source = ImportSource { name: "t.csv", bytes, format: None, dataset: None };
        workspace.import(ImportKind::Templates, source).unwrap();
        workspace
    }

    fn new(text: &str, template: Option<&str>) -> NewTrace {
        NewTrace {
            by: "ana".into(),
            template: template.map(|id| TemplateKey::new("bgl", id)),
            input: "disk gone".into(),
            model: "m".into(),
            base_fingerprint: Some("f".into()),
            adapter: None,
            verdict: Some(Label::Normal),
            gold: Some(Label::Abnormal),
            content: json!({ "text": text, "steps": [], "margin": 0.1 }).to_string(),
        }
    }

    #[test]
    fn a_trace_is_kept_whole_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = project(dir.path());
        let id = workspace.add_trace(&new("a", Some("1"))).unwrap();
        assert_eq!(workspace.add_trace(&NewTrace { by: "bao".into(), ..new("a", Some("1")) }).unwrap(), id);
        let stored = workspace.trace(&id[..6]).unwrap();
        assert_eq!((stored.record.by.as_str(), &stored.trace["text"]), ("ana", &json!("a")));
        assert_eq!(stored.record.template, Some(TemplateKey::new("bgl", "1")));
        assert_eq!((stored.record.verdict, stored.record.gold), (Some(Label::Normal), Some(Label::Abnormal)));
        assert_eq!(workspace.traces(&TraceFilter::default()).unwrap(), [stored.record]);
        let error = |id: &str| workspace.trace(id).unwrap_err().to_string();
        assert!(error("zz").contains("no trace zz") && error("").contains("several traces"), "{}", error(""));
        assert!(workspace.add_trace(&new("b", Some("9"))).is_err(), "an unknown template");
        assert!(workspace.add_trace(&NewTrace { by: " ".into(), ..new("b", None) }).is_err());
        assert!(workspace.add_trace(&NewTrace { content: "{".into(), ..new("b", None) }).is_err());
    }

    #[test]
    fn a_contest_counts_until_it_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = project(dir.path());
        let first = workspace.add_trace(&new("a", Some("1"))).unwrap();
        let second = workspace.add_trace(&new("b", None)).unwrap();
        workspace.contest_trace(&first, "bao", true, Some(" it reads 0 as a failure ")).unwrap();
        let ids = |filter| workspace.traces(&filter).unwrap().into_iter().map(|t| t.id).collect::<Vec<_>>();
        let contested = |contested| TraceFilter { contested: Some(contested), ..TraceFilter::default() };
        assert_eq!((ids(contested(true)), ids(contested(false))), (vec![first.clone()], vec![second.clone()]));
        let contest = workspace.trace(&first).unwrap().record.contested.unwrap();
        assert_eq!((contest.by.as_str(), contest.reason.as_deref()), ("bao", Some("it reads 0 as a failure")));
        workspace.contest_trace(&first, "ana", false, None).unwrap();
        assert_eq!(ids(TraceFilter::default()), [second.clone(), first.clone()]);
        assert!(ids(contested(true)).is_empty());
        let of_template = TraceFilter { template: Some(TemplateKey::new("bgl", "1")), ..TraceFilter::default() };
        assert_eq!(ids(of_template), [first]);
        assert_eq!(ids(TraceFilter { limit: Some(1), ..TraceFilter::default() }), [second]);
        assert!(workspace.contest_trace("none", "ana", true, None).is_err());
    }

    #[test]
    fn copies_merge_their_traces_also_by_a_dump() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (project(&dir.path().join("one")), project(&dir.path().join("two")));
        let shared = one.add_trace(&new("a", None)).unwrap();
        assert_eq!(two.add_trace(&new("a", None)).unwrap(), shared, "the same content, the same id");
        two.add_trace(&new("b", Some("1"))).unwrap();
        two.contest_trace(&shared, "bao", true, None).unwrap();
        let merged = one.merge(two.dir()).unwrap();
        assert_eq!((merged.added["traces"], merged.added["contests"]), (2, 1));
        let kept = one.traces(&TraceFilter::default()).unwrap();
        assert_eq!(kept.len(), 2, "kept by both, told once");
        assert_eq!(kept.iter().filter(|trace| trace.contested.is_some()).count(), 1);
        two.merge(one.dir()).unwrap();
        assert_eq!(two.traces(&TraceFilter::default()).unwrap(), kept, "the same in any order");
        let file = dir.path().join("dump.jsonl");
        one.dump(&file).unwrap();
        let three = project(&dir.path().join("three"));
        three.merge(&file).unwrap();
        assert_eq!(three.traces(&TraceFilter::default()).unwrap(), kept);
        assert_eq!(three.trace(&shared).unwrap(), one.trace(&shared).unwrap());
    }
}
