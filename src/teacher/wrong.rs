//! Wrong trajectories of a project, each with the truth: what there is to correct.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, json};

use super::TeacherError;
use crate::labels::Label;
use crate::logs::TemplateKey;
use crate::reasoning::{ItemKind, Judged, Rationale, Reviewable, StepMarks, Task, parse};
use crate::workspace::{TraceFilter, TraceRecord, Workspace};

/// The question that a contested trace answers, in words.
const ANOMALY_INSTRUCTION: &str = "Classify the given log entries into normal and abnormal categories.";

/// A trajectory that answers wrongly.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongTrajectory {
    /// It as a rationale; its label is the truth.
    pub rationale: Rationale,
    /// The step that reviewers marked as the first wrong one, if any did.
    pub marked: Option<usize>,
}

/// Which of the wrong trajectories.
#[derive(Debug, Clone, Copy, Default)]
pub struct WrongOnes<'a> {
    /// Only those of this dataset.
    pub dataset: Option<&'a str>,
    /// Only this rationale or trace.
    pub id: Option<&'a str>,
    /// Only these rationales.
    pub among: Option<&'a [String]>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Also those of which a pair is there.
    pub again: bool,
}

/// Wrong trajectories, and what cannot be corrected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wrong {
    /// Those to correct, in order.
    pub found: Vec<WrongTrajectory>,
    /// How many were left out because a pair rejects them already.
    pub corrected: usize,
    /// How many were left out because they have no steps, or no answer, to begin from.
    pub malformed: usize,
    /// How many were left out by a limit.
    pub beyond_limit: usize,
}

impl Wrong {
    /// The project's: rationales whose answer contradicts the gold label, else the label, and contested traces.
    ///
    /// # Errors
    /// When the store cannot be read, or what is named is not there or not wrong.
    pub fn of_project(workspace: &Workspace, chosen: WrongOnes<'_>) -> Result<Self, TeacherError> {
        let mut all = rationales(workspace)?;
        if chosen.among.is_none() {
            all.extend(traces(workspace)?);
        }
        if let Some(dataset) = chosen.dataset {
            all.retain(|wrong| wrong.rationale.attributes.get("dataset").is_some_and(|of| of == dataset));
        }
        if let Some(among) = chosen.among {
            all.retain(|wrong| among.contains(&wrong.rationale.id));
        }
        if let Some(id) = chosen.id {
            all.retain(|wrong| wrong.rationale.id == id);
            if all.is_empty() {
                let why = format!("{id} is no rationale that answers wrongly, and no contested trace");
                return Err(TeacherError::Invalid(why));
            }
        }
        let done: HashSet<(String, String)> = match chosen.again || chosen.id.is_some() {
            true => HashSet::new(),
            false => workspace.pairs()?.into_iter().map(|pair| (pair.input, pair.rejected)).collect(),
        };
        let before = all.len();
        all.retain(|wrong| !done.contains(&(wrong.rationale.input.clone(), wrong.rationale.reasoning.clone())));
        let corrected = before - all.len();
        let whole = all.len();
        all.retain(|wrong| parse(&wrong.rationale.reasoning).format_ok);
        let malformed = whole - all.len();
        let limit = chosen.limit.unwrap_or(usize::MAX);
        let beyond_limit = all.len().saturating_sub(limit);
        all.truncate(limit);
        Ok(Self { found: all, corrected, malformed, beyond_limit })
    }
}

/// The rationales that answer otherwise than the truth, as they are now.
fn rationales(workspace: &Workspace) -> Result<Vec<WrongTrajectory>, TeacherError> {
    let (gold, marks) = (workspace.gold_by_text()?, workspace.marks()?);
    let same = workspace.settings().review.same_answer;
    let mut wrong = Vec::new();
    for rationale in workspace.rationales()? {
        let parsed = rationale.parsed();
        let item = Reviewable::Rationale(rationale);
        let truth = gold.truth(&item).map(|truth| truth.answer);
        let Reviewable::Rationale(mut rationale) = item else { continue };
        let truth = truth.unwrap_or_else(|| rationale.label.clone());
        let answer = parsed.answer.as_deref();
        if answer.is_none_or(|answer| rationale.task.judge(answer, &truth, same) != Judged::Wrong) {
            continue;
        }
        rationale.label = truth;
        let marks = marks.get(&(ItemKind::Rationale, rationale.id.clone()));
        let marked = marks.and_then(|marks| first_marked(&StepMarks::of(&parsed.steps, marks)));
        wrong.push(WrongTrajectory { rationale, marked });
    }
    Ok(wrong)
}

/// The step that most reviewers who found one marked as the first wrong; of equals the earliest.
fn first_marked(reviewers: &[StepMarks]) -> Option<usize> {
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for step in reviewers.iter().filter_map(StepMarks::first_wrong) {
        *votes.entry(step).or_default() += 1;
    }
    votes.into_iter().max_by_key(|(step, votes)| (*votes, std::cmp::Reverse(*step))).map(|(step, _)| step)
}

/// What models said and somebody contests, where it is known what would have been right.
fn traces(workspace: &Workspace) -> Result<Vec<WrongTrajectory>, TeacherError> {
    let gold = workspace.gold()?;
    let filter = TraceFilter { contested: Some(true), ..TraceFilter::default() };
    let mut wrong = Vec::new();
    for record in workspace.traces(&filter)? {
        let known = record.template.as_ref().and_then(|template| gold.get(template)).map(|gold| gold.label);
        let (Some(verdict), truth) = (record.verdict, known.or(record.gold)) else { continue };
        // Where nobody gave a gold label, whoever contests a verdict says that the other one is right.
        let truth = truth.unwrap_or(match verdict {
            Label::Normal => Label::Abnormal,
            Label::Abnormal => Label::Normal,
        });
        if truth == verdict {
            continue;
        }
        let stored = workspace.trace(&record.id)?;
        // A session is judged in another frame than a log: its pair could not be asked.
        if stored.trace.get("session").and_then(|session| session.as_bool()) == Some(true) {
            continue;
        }
        let Some(text) = stored.trace.get("text").and_then(|text| text.as_str()) else { continue };
        wrong.push(WrongTrajectory { rationale: of_trace(record, text, truth), marked: None });
    }
    Ok(wrong)
}

fn of_trace(record: TraceRecord, text: &str, truth: Label) -> Rationale {
    let mut attributes = Map::new();
    if let Some(TemplateKey { dataset, id }) = &record.template {
        attributes.insert("dataset".into(), json!(dataset));
        attributes.insert("template".into(), json!(id));
    }
    Rationale {
        id: record.id,
        task: Task::Anomaly,
        instruction: ANOMALY_INSTRUCTION.into(),
        input: record.input,
        label: truth.as_str().to_owned(),
        category: None,
        reasoning: text.trim().to_owned(),
        source: Some(record.adapter.unwrap_or(record.model)),
        attributes,
    }
}
