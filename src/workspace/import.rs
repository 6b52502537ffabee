//! Import: tables from outside become rows of the store, the good ones all, the bad ones told by line.

mod known;

use std::collections::HashMap;
use std::str::FromStr;

use jiff::Timestamp;
use known::Known;
use serde::Serialize;
use serde_json::{Map, Value};

use super::exchange::{Said, is_parquet, own_row, read_parquet};
use super::store::At;
use super::{
    NewReview, NewVote, TaskCase, TemplateRecord, Workspace, WorkspaceError, items, reviews, tasks, templates, votes,
};
use crate::labels::{Category, Judgement, LabelledTemplate, Round};
use crate::logs::table::{self, Format, Rejected, Row};
use crate::logs::{Template, TemplateKey, made_id};
use crate::reasoning::{ItemKind, Pair, Rationale, Reviewable, Task, Thought};

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// `dataset,id,template,label[,category,gold,count]`
    Templates,
    /// `dataset,id,annotator,label[,category,round,at,comment]`
    Votes,
    /// `task,instruction,input,label,reasoning[,id,category,source]`
    Rationales,
    /// `task,instruction,input,label,chosen,rejected,first_wrong_step[,id]`
    Pairs,
    /// `task,problem,analysis,challenge,steps[,id]`
    Thoughts,
    /// `log,description,match`, `log,failure` or `log,cause`
    Tasks,
}

impl ImportKind {
    /// The columns without which no row of a CSV can be used. A dataset may be given apart.
    fn required(self, dataset_given: bool) -> &'static [&'static str] {
        match (self, dataset_given) {
            (Self::Templates, true) => &["template", "label"],
            (Self::Templates, false) => &["dataset", "template", "label"],
            (Self::Votes, true) => &["id", "annotator", "label"],
            (Self::Votes, false) => &["dataset", "id", "annotator", "label"],
            (Self::Rationales, _) => &["input", "label", "reasoning"],
            (Self::Pairs, _) => &["input", "label", "chosen", "rejected", "first_wrong_step"],
            (Self::Thoughts, _) => &["task", "challenge", "steps"],
            (Self::Tasks, _) => &["log"],
        }
    }
}

impl ImportKind {
    /// The kind of items that it holds, if it holds items.
    fn item(self) -> Option<ItemKind> {
        match self {
            Self::Templates | Self::Votes | Self::Tasks => None,
            Self::Rationales => Some(ItemKind::Rationale),
            Self::Pairs => Some(ItemKind::Pair),
            Self::Thoughts => Some(ItemKind::Thought),
        }
    }
}

/// A table to import.
#[derive(Debug, Clone, Copy)]
pub struct ImportSource<'a> {
    /// The file's name, for messages and the guess of its format.
    pub name: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
    /// Its format; guessed if `None`.
    pub format: Option<Format>,
    /// The dataset of rows that do not name one.
    pub dataset: Option<&'a str>,
}

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// How many rows the table has.
    pub rows: usize,
    /// How many of them are in the store now.
    pub imported: usize,
    /// How many of those were there before: just the same, or as anything where a row comes back from review.
    pub unchanged: usize,
    /// How many of them are new versions of what was there before under the same id.
    pub replaced: usize,
    /// How many decisions of reviewers came with them that were not here before.
    pub reviews: usize,
    /// The rows that could not be used.
    pub rejected: Vec<Rejected>,
}

/// A row made into something the store takes.
#[derive(PartialEq)]
enum Entry {
    Template(Box<TemplateRecord>),
    Vote(Box<NewVote>),
    Rationale(Box<Rationale>),
    Pair(Box<Pair>),
    Thought(Box<Thought>),
    Task(Box<TaskCase>),
}

/// What a row goes by in the store.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Template(TemplateKey),
    Item(String),
}

impl Entry {
    /// What it goes by; votes and tasks go by all that they say.
    fn key(&self) -> Option<Key> {
        match self {
            Self::Template(record) => Some(Key::Template(record.key().clone())),
            Self::Rationale(item) => Some(Key::Item(item.id.clone())),
            Self::Pair(item) => Some(Key::Item(item.id.clone())),
            Self::Thought(item) => Some(Key::Item(item.id.clone())),
            Self::Vote(_) | Self::Task(_) => None,
        }
    }

    /// The item that it is, if it is one.
    fn reviewable(&self) -> Option<Reviewable> {
        match self {
            Self::Rationale(item) => Some(Reviewable::Rationale((**item).clone())),
            Self::Pair(item) => Some(Reviewable::Pair((**item).clone())),
            Self::Thought(item) => Some(Reviewable::Thought((**item).clone())),
            Self::Template(_) | Self::Vote(_) | Self::Task(_) => None,
        }
    }
}

impl Workspace {
    /// Imports a table, in one transaction. Importing the same table again changes nothing.
    ///
    /// # Errors
    /// When nothing of it can be read, or the store cannot be written. Single bad rows are in the report.
    pub fn import(&self, kind: ImportKind, source: ImportSource<'_>) -> Result<ImportReport, WorkspaceError> {
        let Found { entries: found, mut rejected, reviews } = entries_in(kind, source)?;
        let rows = found.len() + rejected.len();
        let known = Known::load(self, kind)?;
        let mut entries = Vec::with_capacity(found.len());
        let (mut imported, mut replaced) = (0, 0);
        // Where each id stands first: its line, and its place among the entries if it is new.
        let mut firsts: HashMap<Key, (u64, Option<usize>)> = HashMap::new();
        for Made { line, entry, from_review } in found {
            if let Err(why) = known.check(&entry) {
                rejected.push(Rejected { line, why });
                continue;
            }
            let key = entry.key();
            let earlier = key.as_ref().and_then(|key| firsts.get(key)).filter(|_| !from_review);
            if let Some((first, place)) = earlier {
                let said = place.map_or_else(|| known.row(&entry), |place| entries.get(place));
                if said == Some(&entry) {
                    imported += 1;
                } else {
                    let why = format!("line {first} has the same id and says something else; it stays");
                    rejected.push(Rejected { line, why });
                }
                continue;
            }
            imported += 1;
            let is_new = !known.has(&entry, from_review);
            firsts.extend(key.map(|key| (key, (line, is_new.then_some(entries.len())))));
            if is_new {
                replaced += usize::from(known.row(&entry).is_some());
                entries.push(entry);
            }
        }
        rejected.sort_by_key(|bad| bad.line);

        let (appended, reviews) = self.append_all(entries, reviews)?;
        Ok(ImportReport { rows, imported, unchanged: imported - appended, replaced, reviews, rejected })
    }

    /// Appends entries, and what reviewers said of them elsewhere, in one transaction; gives how many of each were new.
    fn append_all(&self, entries: Vec<Entry>, said: Vec<NewReview>) -> Result<(usize, usize), WorkspaceError> {
        if entries.is_empty() && said.is_empty() {
            return Ok((0, 0));
        }
        self.store.write(|write, at| {
            Box::pin(async move {
                let mut appended = 0;
                for (index, entry) in entries.iter().enumerate() {
                    let at = at.after(index);
                    let new = match entry {
                        Entry::Template(record) => templates::append(write, at, record).await.map(|()| true),
                        Entry::Vote(vote) => votes::append(write, vote.at.map_or(at, At::from), vote, None, None).await,
                        Entry::Task(case) => tasks::append(write, at, case).await.map(|()| true),
                        Entry::Rationale(item) => {
                            items::append(write, at, ItemKind::Rationale, &item.id, item).await.map(|()| true)
                        }
                        Entry::Pair(item) => {
                            items::append(write, at, ItemKind::Pair, &item.id, item).await.map(|()| true)
                        }
                        Entry::Thought(item) => {
                            items::append(write, at, ItemKind::Thought, &item.id, item).await.map(|()| true)
                        }
                    };
                    appended += usize::from(new?);
                }
                let mut reviewed = 0;
                for (index, review) in (entries.len()..).zip(&said) {
                    reviewed += usize::from(reviews::append_once(write, at.after(index), review).await?);
                }
                Ok((appended, reviewed))
            })
        })
    }
}

/// The items that a table holds, and the rows that could not be used; nothing is stored.
pub(super) fn items_in(
    kind: ItemKind,
    source: ImportSource<'_>,
) -> Result<(Vec<Reviewable>, Vec<Rejected>), WorkspaceError> {
    let kind = match kind {
        ItemKind::Rationale => ImportKind::Rationales,
        ItemKind::Pair => ImportKind::Pairs,
        ItemKind::Thought => ImportKind::Thoughts,
    };
    let Found { entries, rejected, .. } = entries_in(kind, source)?;
    Ok((entries.into_iter().filter_map(|made| made.entry.reviewable()).collect(), rejected))
}

/// The templates that a table holds, and the rows that could not be used; nothing is stored.
pub(super) fn templates_in(source: ImportSource<'_>) -> Result<(Vec<TemplateRecord>, Vec<Rejected>), WorkspaceError> {
    let Found { entries, rejected, .. } = entries_in(ImportKind::Templates, source)?;
    let template = |made: Made| if let Entry::Template(record) = made.entry { Some(*record) } else { None };
    Ok((entries.into_iter().filter_map(template).collect(), rejected))
}

/// What a row became.
struct Made {
    line: u64,
    entry: Entry,
    /// Whether it comes back from review: it tells what was said of an item, and not how that reads by now.
    from_review: bool,
}

/// What a table holds.
#[derive(Default)]
struct Found {
    /// What its rows became.
    entries: Vec<Made>,
    /// The rows that could not be used.
    rejected: Vec<Rejected>,
    /// What reviewers said of its items elsewhere.
    reviews: Vec<NewReview>,
}

fn entries_in(kind: ImportKind, source: ImportSource<'_>) -> Result<Found, WorkspaceError> {
    let (rows, mut rejected) = rows_in(kind, source)?;
    let mut found = Found::default();
    for row in rows {
        let line = row.line;
        let row = match kind.item() {
            Some(item) => own_row(item, row),
            None => Ok(row.into()),
        };
        match row.and_then(|own| Ok((entry(kind, own.row, source.dataset)?, own.reviewed))) {
            Ok((entry, reviewed)) => {
                let from_review = reviewed.is_some();
                if let Some((item, (said, shown))) = entry.reviewable().zip(reviewed) {
                    let judged = item.judged();
                    found.reviews.extend(said.into_iter().map(|Said { reviewer, verdict, reason, at }| NewReview {
                        label: shown.label.or_else(|| item.label()),
                        judged: Some(judged.clone()),
                        in_sight: Some(shown.in_sight_of(&reviewer)),
                        reason,
                        at,
                        ..NewReview::new(item.kind(), item.id(), reviewer, shown.said(verdict, &item))
                    }));
                }
                found.entries.push(Made { line, entry, from_review });
            }
            Err(why) => rejected.push(Rejected { line, why }),
        }
    }
    found.rejected = rejected;
    Ok(found)
}

/// The rows of a table, whatever holds them.
fn rows_in(kind: ImportKind, source: ImportSource<'_>) -> Result<(Vec<Row>, Vec<Rejected>), WorkspaceError> {
    if kind.item().is_some() && source.format.is_none() && is_parquet(source.bytes) {
        return read_parquet(source.bytes)
            .map_err(|why| WorkspaceError::Invalid(format!("{}: it cannot be read as parquet: {why}", source.name)));
    }
    let format = source.format.unwrap_or_else(|| Format::guess(source.name, source.bytes));
    let required = kind.required(source.dataset.is_some());
    let table = table::read(source.bytes, format, required)
        .map_err(|error| WorkspaceError::Table { name: source.name.to_owned(), source: error })?;
    Ok((table.rows, table.rejected))
}

fn entry(kind: ImportKind, row: Row, dataset: Option<&str>) -> Result<Entry, String> {
    match kind {
        ImportKind::Templates => template(row, dataset).map(|record| Entry::Template(Box::new(record))),
        ImportKind::Votes => vote(row, dataset).map(|vote| Entry::Vote(Box::new(vote))),
        ImportKind::Rationales => rationale(row).map(|item| Entry::Rationale(Box::new(item))),
        ImportKind::Pairs => pair(row).map(|item| Entry::Pair(Box::new(item))),
        ImportKind::Thoughts => thought(row).map(|item| Entry::Thought(Box::new(item))),
        ImportKind::Tasks => TaskCase::of_row(row, dataset).map(|case| Entry::Task(Box::new(case))),
    }
}

/// Takes a field out and parses it, if it is there.
fn take<T: FromStr<Err: ToString>>(row: &mut Row, name: &str) -> Result<Option<T>, String> {
    row.take_text(name).map(|text| text.trim().parse()).transpose().map_err(|error: T::Err| error.to_string())
}

fn take_category(row: &mut Row) -> Option<Category> {
    row.take_text("category").as_deref().and_then(Category::new)
}

/// What is left of a row once its own fields are taken out. Blank CSV fields are nothing.
fn attributes(row: Row) -> Map<String, Value> {
    row.fields.into_iter().filter(|(_, value)| !value.is_null() && value.as_str() != Some("")).collect()
}

fn template(mut row: Row, dataset: Option<&str>) -> Result<TemplateRecord, String> {
    let text = row.require_text("template")?;
    let dataset =
        row.take_text("dataset").or_else(|| dataset.map(str::to_owned)).ok_or("\"dataset\" is missing or empty")?;
    let id = row.take_text("id").unwrap_or_else(|| made_id(&dataset, &text));
    let original =
        Some(row.require_text("label")?.parse().map_err(|error: crate::labels::LabelError| error.to_string())?);
    let count = match row.take_text("count") {
        None => 0,
        Some(word) => word.trim().parse().map_err(|_| format!("count \"{word}\" is not a whole number"))?,
    };
    Ok(TemplateRecord {
        imported_gold: take(&mut row, "gold")?,
        labelled: LabelledTemplate {
            template: Template { key: TemplateKey::new(dataset.trim(), id.trim()), text },
            original,
            category: take_category(&mut row),
            count,
        },
        attributes: attributes(row),
    })
}

fn vote(mut row: Row, dataset: Option<&str>) -> Result<NewVote, String> {
    let dataset =
        row.take_text("dataset").or_else(|| dataset.map(str::to_owned)).ok_or("\"dataset\" is missing or empty")?;
    let id = row.require_text("id")?;
    let label = row.require_text("label")?;
    let category = row.take_text("category");
    let judgement = Judgement::parse(&label, category.as_deref())
        .map_err(|_| format!("label \"{label}\" is none of normal, abnormal, unsure, skip"))?;
    let at = match row.take_text("at") {
        None => timeless(row.line),
        Some(time) => time.trim().parse().map_err(|_| format!("at \"{time}\" is not an RFC 3339 time"))?,
    };
    let elapsed_ms = match row.take_text("elapsed_ms") {
        None => None,
        Some(word) => Some(
            word.trim().parse().map_err(|_| format!("elapsed_ms \"{word}\" is not a whole number of milliseconds"))?,
        ),
    };
    let revealed = match row.take_text("revealed").as_deref().map(str::trim) {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(word) => return Err(format!("revealed \"{word}\" is neither true nor false")),
    };
    Ok(NewVote {
        template: TemplateKey::new(dataset.trim(), id.trim()),
        annotator: row.require_text("annotator")?.trim().to_owned(),
        judgement,
        round: take::<Round>(&mut row, "round")?.unwrap_or_default(),
        comment: row.take_text("comment"),
        revealed,
        elapsed_ms,
        at: Some(at),
    })
}

/// When a vote that names no time counts as cast: at the start of 1970, in the order of its file. So importing a file
/// again changes nothing, several files may come in any order, and any vote with a time outranks one without.
fn timeless(line: u64) -> Timestamp {
    let microsecond = i64::try_from(line).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(microsecond).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The right answer; in free text it may be missing.
fn label(row: &mut Row, task: Task) -> Result<String, String> {
    if task.is_free_text() { Ok(row.take_text("label").unwrap_or_default()) } else { row.require_text("label") }
}

fn rationale(mut row: Row) -> Result<Rationale, String> {
    let input = row.require_text("input")?;
    let reasoning = row.require_text("reasoning")?;
    let task = take(&mut row, "task")?.unwrap_or(crate::reasoning::Task::Anomaly);
    Ok(Rationale {
        id: row.take_text("id").unwrap_or_else(|| made_id(task.as_str(), &format!("{input}\n{reasoning}"))),
        task,
        instruction: row.take_text("instruction").unwrap_or_default(),
        label: label(&mut row, task)?,
        category: take_category(&mut row),
        source: row.take_text("source"),
        input,
        reasoning,
        attributes: attributes(row),
    })
}

fn pair(mut row: Row) -> Result<Pair, String> {
    let input = row.require_text("input")?;
    let chosen = row.require_text("chosen")?;
    let rejected = row.require_text("rejected")?;
    let task = take(&mut row, "task")?.unwrap_or(crate::reasoning::Task::Anomaly);
    let step = row.require_text("first_wrong_step")?;
    let pair = Pair {
        id: row.take_text("id").unwrap_or_else(|| made_id(task.as_str(), &format!("{input}\n{chosen}\n{rejected}"))),
        task,
        instruction: row.take_text("instruction").unwrap_or_default(),
        label: label(&mut row, task)?,
        first_wrong_step: step
            .trim()
            .parse()
            .map_err(|_| format!("first_wrong_step \"{step}\" is not a step number"))?,
        input,
        chosen,
        rejected,
        attributes: attributes(row),
    };
    pair.validate().map_err(|error| error.to_string())?;
    Ok(pair)
}

fn thought(mut row: Row) -> Result<Thought, String> {
    let steps = match row.fields.shift_remove("steps") {
        Some(Value::Array(steps)) => steps
            .iter()
            .map(|step| step.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or("a step is not text")?,
        Some(Value::String(text)) => match serde_json::from_str::<Vec<String>>(&text) {
            Ok(steps) => steps,
            Err(_) => text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        },
        _ => return Err("\"steps\" is missing or not a list".into()),
    };
    if steps.is_empty() {
        return Err("\"steps\" is empty".into());
    }
    let challenge = row.require_text("challenge")?;
    let task: crate::reasoning::Task = take(&mut row, "task")?.ok_or("\"task\" is missing or empty")?;
    Ok(Thought {
        id: row
            .take_text("id")
            .unwrap_or_else(|| made_id(task.as_str(), &format!("{challenge}\n{}", steps.join("\n")))),
        task,
        problem: row.take_text("problem").unwrap_or_default(),
        analysis: row.take_text("analysis").unwrap_or_default(),
        challenge,
        steps,
        attributes: attributes(row),
    })
}
