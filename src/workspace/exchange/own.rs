//! Rows of other formats become rows of an item's own columns, and the decisions in them reviews.

use serde_json::{Map, Value, json};

use super::OWN;
use super::review_tools::{self, Said, Shown};
use super::training::Conversation;
use crate::logs::table::Row;
use crate::reasoning::prompt::{ASK_FOR_THOUGHT, CHALLENGE};
use crate::reasoning::{ItemKind, Reviewable, Step, Task, answer_label, parse};

/// A row of an item's own columns.
pub(in crate::workspace) struct OwnRow {
    pub row: Row,
    /// What of it was reviewed elsewhere, if it comes from there.
    pub reviewed: Option<(Vec<Said>, Shown)>,
}

impl From<Row> for OwnRow {
    fn from(row: Row) -> Self {
        Self { row, reviewed: None }
    }
}

/// An item's own columns, as a table has them.
pub(super) fn own_columns(item: &Reviewable) -> Map<String, Value> {
    let value = match item {
        Reviewable::Rationale(item) => serde_json::to_value(item),
        Reviewable::Pair(item) => serde_json::to_value(item),
        Reviewable::Thought(item) => serde_json::to_value(item),
    };
    match value {
        Ok(Value::Object(columns)) => columns,
        _ => unreachable!("items are plain objects"),
    }
}

/// A value as a field of a CSV.
pub(super) fn field_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What an import reads from text whatever its type.
const TYPED: [&str; 2] = ["first_wrong_step", "steps"];

/// Adds, in [`OWN`], the attributes of a CSV's row that are no text: its fields do not say so.
pub(super) fn keep_types(columns: &mut Map<String, Value>) {
    let untold = |(name, value): &(&String, &Value)| !value.is_string() && !TYPED.contains(&name.as_str());
    let typed: Map<String, Value> =
        columns.iter().filter(untold).map(|(name, value)| (name.clone(), value.clone())).collect();
    if !typed.is_empty() {
        columns.insert(OWN.to_owned(), Value::String(Value::Object(typed).to_string()));
    }
}

/// Takes the types of attributes in from [`OWN`], but for fields that somebody has changed since.
fn take_types(fields: &mut Map<String, Value>) -> Result<(), String> {
    let Some(typed) = fields.shift_remove(OWN).filter(|typed| !field_of(typed).trim().is_empty()) else {
        return Ok(());
    };
    for (name, value) in object_in(typed)? {
        if fields.get(&name).is_some_and(|field| field_of(field) == field_of(&value)) {
            fields.insert(name, value);
        }
    }
    Ok(())
}

/// The columns that [`OWN`] holds beside those of a training format: all but the texts that the format has itself.
pub(super) fn own_column(item: &Reviewable) -> String {
    let mut columns = own_columns(item);
    for text in ["reasoning", "chosen", "rejected", "challenge", "steps"] {
        columns.shift_remove(text);
    }
    Value::Object(columns).to_string()
}

/// A row as one of an item's own columns, whichever format it is in: its columns tell.
///
/// # Errors
/// Says what is wrong with the row.
pub(in crate::workspace) fn own_row(kind: ItemKind, mut row: Row) -> Result<OwnRow, String> {
    if let Some(record) = review_tools::read(&mut row.fields)? {
        let row = Row { line: row.line, fields: record.own };
        return Ok(OwnRow { row, reviewed: Some((record.said, record.shown)) });
    }
    if is_own(kind, &row.fields) {
        take_types(&mut row.fields)?;
        return Ok(row.into());
    }
    let Some(conversation) = Conversation::take(&mut row.fields)? else { return Ok(row.into()) };
    let mut own = match row.fields.shift_remove(OWN) {
        Some(columns) => object_in(columns)?,
        // What its own columns do not say, the row's others and the conversation may.
        None => derived(&conversation, row.fields)?,
    };
    let fill = |own: &mut Map<String, Value>, name: &str, text: Option<String>| match text {
        Some(text) => {
            own.insert(name.to_owned(), Value::String(text));
            Ok(())
        }
        None => Err(format!("there is no {name} in this row")),
    };
    match kind {
        ItemKind::Rationale => fill(&mut own, "reasoning", conversation.answer.or(conversation.chosen))?,
        ItemKind::Pair => {
            fill(&mut own, "chosen", conversation.chosen)?;
            fill(&mut own, "rejected", conversation.rejected)?;
            if !own.contains_key("first_wrong_step") {
                let (chosen, rejected) = (text_of(&own, "chosen"), text_of(&own, "rejected"));
                own.insert("first_wrong_step".into(), json!(first_difference(&chosen, &rejected)));
            }
        }
        ItemKind::Thought => {
            let answer = conversation.answer.ok_or("there is no thought in this row")?;
            let (challenge, steps) = thought_in(&answer)?;
            own.insert("challenge".into(), Value::String(challenge));
            own.insert("steps".into(), json!(steps));
            if !own.contains_key("problem") {
                let question = conversation.question.trim().trim_end_matches(ASK_FOR_THOUGHT).trim();
                own.insert("problem".into(), Value::String(question.to_owned()));
            }
        }
    }
    if kind != ItemKind::Thought {
        complete(kind, &mut own)?;
    }
    Ok(Row { line: row.line, fields: own }.into())
}

/// Whether a row has the columns that only a table of items has.
fn is_own(kind: ItemKind, fields: &Map<String, Value>) -> bool {
    match kind {
        ItemKind::Rationale => fields.contains_key("reasoning"),
        ItemKind::Pair => fields.contains_key("first_wrong_step"),
        ItemKind::Thought => fields.contains_key("challenge"),
    }
}

pub(super) fn object_in(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(columns) => Ok(columns),
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| format!("\"{OWN}\" is not a JSON object: {error}"))
        }
        _ => Err(format!("\"{OWN}\" is not a JSON object")),
    }
}

/// Own columns for a row that was not written here: log and question from the conversation, the rest from other columns.
fn derived(conversation: &Conversation, others: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut own: Map<String, Value> = others.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let (instruction, log) = match (&conversation.input, fenced(&conversation.question)) {
        (_, Some((before, log))) => (before, log),
        (Some((instruction, input)), None) => (instruction.clone(), input.clone()),
        (None, None) => (String::new(), conversation.question.clone()),
    };
    own.insert("instruction".into(), Value::String(instruction));
    own.insert("input".into(), Value::String(log));
    Ok(own)
}

/// Finds out label and task of a row that does not say them. An answer in free text may have no label.
fn complete(kind: ItemKind, own: &mut Map<String, Value>) -> Result<(), String> {
    let known = |own: &Map<String, Value>, name: &str| !text_of(own, name).trim().is_empty();
    let text = text_of(own, if kind == ItemKind::Pair { "chosen" } else { "reasoning" });
    let free_text = text_of(own, "task").parse().is_ok_and(Task::is_free_text);
    // Without a reference nothing says that free text is right: its own answer least of all.
    if !known(own, "label") && !free_text {
        let answer = parse(&text).answer.ok_or("\"label\" is missing, and there is no <answer> to take it from")?;
        own.insert("label".into(), Value::String(answer));
    }
    if !known(own, "task") {
        let label = text_of(own, "label");
        if answer_label(&label).is_none() {
            return Err(format!("\"task\" is missing, and \"{label}\" is neither normal nor abnormal"));
        }
        own.insert("task".into(), json!("anomaly"));
    }
    Ok(())
}

fn text_of(own: &Map<String, Value>, name: &str) -> String {
    match own.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// What stands before the only fenced block that ends a question, and what stands in it.
fn fenced(question: &str) -> Option<(String, String)> {
    let (before, rest) = question.split_once("```\n")?;
    let inside = rest.trim_end().strip_suffix("```")?;
    let inside = inside.strip_suffix('\n').unwrap_or(inside);
    Some((before.trim().to_owned(), inside.to_owned()))
}

/// The first step at which two trajectories differ, from 1.
fn first_difference(chosen: &str, rejected: &str) -> usize {
    let (chosen, rejected) = (parse(chosen).steps, parse(rejected).steps);
    let same = |(a, b): &(&Step, &Step)| a.text == b.text;
    let shared = chosen.iter().zip(&rejected).take_while(same).count();
    (shared + 1).min(rejected.len().max(1))
}

/// A thought as it is trained on: a line `Challenge: …`, then numbered steps.
fn thought_in(answer: &str) -> Result<(String, Vec<String>), String> {
    let mut lines = answer.trim().lines().map(str::trim).filter(|line| !line.is_empty());
    let challenge = lines.next().and_then(|line| line.strip_prefix(CHALLENGE.trim_end()));
    let challenge = challenge.ok_or("the answer does not begin with \"Challenge: \"")?.trim().to_owned();
    let step = |line: &str| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.strip_prefix('.').filter(|_| rest.len() < line.len()).map_or(line, str::trim).to_owned()
    };
    Ok((challenge, lines.map(step).collect()))
}
