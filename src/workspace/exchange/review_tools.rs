//! Argilla and Label Studio: items go out to be reviewed there, and come back with what was decided.
//!
//! Both ask the same three questions: `verdict` (accept, edit or reject), how an edited item reads (`edited` in Argilla, where a
//! question must not be named as a field is, else `text`), and `reason`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::own::{object_in, own_columns};
use super::{ItemFormat, OWN, SHOWN};
use crate::labels::Label;
use crate::reasoning::{Reviewable, Verdict};
use crate::workspace::Queued;

/// What somebody said of an item elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace) struct Said {
    pub reviewer: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    /// When, where the other program tells.
    pub at: Option<Timestamp>,
}

/// How an item was shown to whoever reviewed it elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::workspace) struct Shown {
    /// The edit under which it was shown, where it did not read as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<String>,
    /// The label that was held true of its log, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// Whose decisions it was shown in the light of: another one is a tie-break.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decided_by: Vec<String>,
}

impl Shown {
    fn of(queued: &Queued) -> Self {
        let label = queued.findings.truth.as_ref().and_then(|truth| truth.label);
        let decided_by = if queued.decided.is_blind() { Vec::new() } else { queued.decided.counting.clone() };
        Self { edit: queued.decided.text.clone(), label, decided_by }
    }

    /// How many decisions of others `reviewer` had in sight.
    pub fn in_sight_of(&self, reviewer: &str) -> u32 {
        let others = self.decided_by.iter().filter(|known| *known != reviewer).count();
        u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// What a reviewer has said of `item` who saw it so: accepting it is accepting what was seen, and an edit of one side of
    /// a pair leaves the other one as it was seen.
    pub fn said(&self, verdict: Verdict, item: &Reviewable) -> Verdict {
        let Some(seen) = &self.edit else { return verdict };
        match (verdict, item) {
            (Verdict::Accept, _) => Verdict::Edit(seen.clone()),
            (Verdict::Edit(chosen), Reviewable::Pair(pair)) => match item.clone().with_text(seen) {
                Reviewable::Pair(seen) => Verdict::Edit(pair.edit(&chosen, &seen.rejected)),
                _ => Verdict::Edit(chosen),
            },
            (verdict, _) => verdict,
        }
    }

    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a shown item is plain data")
    }

    fn take(columns: &mut Map<String, Value>) -> Result<Self, String> {
        let Some(shown) = columns.shift_remove(SHOWN) else { return Ok(Self::default()) };
        let shown = match shown {
            Value::String(text) => serde_json::from_str(&text),
            value => serde_json::from_value(value),
        };
        shown.map_err(|error| format!("\"{SHOWN}\" does not say how the item was shown: {error}"))
    }
}

/// A record that came back.
pub(super) struct Reviewed {
    /// The item's own columns.
    pub own: Map<String, Value>,
    /// What was said of it.
    pub said: Vec<Said>,
    /// How it was shown.
    pub shown: Shown,
}

/// What a reviewer is shown of an item.
fn shown(queued: &Queued) -> Map<String, Value> {
    let current = queued.current();
    let (question, label, rejected) = match &current {
        Reviewable::Rationale(item) => (item.instruction.as_str(), item.label.as_str(), ""),
        Reviewable::Pair(item) => (item.instruction.as_str(), item.label.as_str(), item.rejected.as_str()),
        Reviewable::Thought(_) => ("", "", ""),
    };
    let troubles: Vec<&str> = queued.troubles().iter().map(|trouble| trouble.as_str()).collect();
    let truth = queued.findings.truth.as_ref().map_or(label, |truth| truth.answer.as_str());
    let fields = json!({
        "log": current.input(), "question": question, "label": truth, "text": current.text(), "rejected": rejected,
        "trouble": troubles.join(", "),
    });
    if let Value::Object(fields) = fields { fields } else { Map::new() }
}

/// An item as a record of Argilla.
pub(super) fn argilla(queued: &Queued) -> Value {
    json!({
        "id": format!("{}/{}", queued.item.kind(), queued.item.id()),
        "status": "pending",
        "fields": shown(queued),
        "metadata": {
            "kind": queued.item.kind(),
            "task": queued.item.task(),
            "standing": queued.standing(),
            OWN: Value::Object(own_columns(&queued.item)).to_string(),
            SHOWN: Shown::of(queued).to_text(),
        },
        "suggestions": {},
        "responses": {},
        "vectors": {},
    })
}

/// An item as a task of Label Studio.
pub(super) fn label_studio(queued: &Queued) -> Value {
    let mut data = shown(queued);
    data.insert("kind".into(), json!(queued.item.kind()));
    data.insert("id".into(), json!(queued.item.id()));
    data.insert(OWN.into(), json!(Value::Object(own_columns(&queued.item)).to_string()));
    data.insert(SHOWN.into(), json!(Shown::of(queued).to_text()));
    json!({ "data": data, "annotations": [], "predictions": [] })
}

/// Label Studio's labelling interface for such tasks, to be pasted into a project's settings.
const LABEL_STUDIO_INTERFACE: &str = include_str!("../../../assets/review/label_studio.interface.xml");

/// Argilla's settings of a dataset for such records, for `argilla.Settings.from_json`.
const ARGILLA_SETTINGS: &str = include_str!("../../../assets/review/argilla.settings.json");

/// How many must answer, as Argilla's settings say it of one.
const ONE_ANSWER: &str = "\"min_submitted\": 1";

fn answers(reviewers: usize) -> String {
    format!("\"min_submitted\": {reviewers}")
}

/// What goes beside a file of records or tasks, so that the other program asks what it should ask.
pub(super) fn settings_beside(format: ItemFormat, reviewers: usize, file: &Path) -> Option<(PathBuf, Vec<u8>)> {
    let (ending, text) = match format {
        // A record is done there once as many have answered as must agree here.
        ItemFormat::Argilla => ("settings.json", ARGILLA_SETTINGS.replace(ONE_ANSWER, &answers(reviewers))),
        ItemFormat::LabelStudio => ("interface.xml", LABEL_STUDIO_INTERFACE.to_owned()),
        _ => return None,
    };
    Some((file.with_extension(ending), text.into()))
}

/// Reads a record of either program; `None` where a row is none.
///
/// # Errors
/// Says what is wrong with a record.
pub(super) fn read(fields: &mut Map<String, Value>) -> Result<Option<Reviewed>, String> {
    if fields.get("fields").is_some_and(Value::is_object) && fields.contains_key("responses") {
        let mut metadata =
            fields.get_mut("metadata").and_then(Value::as_object_mut).map(std::mem::take).unwrap_or_default();
        let own = metadata.shift_remove(OWN);
        let own = object_in(own.ok_or("the record's metadata has no \"logwright\": it was not exported from here")?)?;
        let shown = Shown::take(&mut metadata)?;
        return Ok(Some(Reviewed { said: argilla_said(&fields["responses"])?, own, shown }));
    }
    if fields.get("data").is_some_and(Value::is_object) && fields.contains_key("annotations") {
        let mut data = fields.get_mut("data").and_then(Value::as_object_mut).map(std::mem::take).unwrap_or_default();
        let own = data.shift_remove(OWN);
        let own = object_in(own.ok_or("the task's data has no \"logwright\": it was not exported from here")?)?;
        let shown = Shown::take(&mut data)?;
        return Ok(Some(Reviewed { said: label_studio_said(&fields["annotations"])?, own, shown }));
    }
    Ok(None)
}

/// `{question: [{value, user_id}]}` as the Python client exports records, or `[{values: {question: {value}}, user_id, updated_at}]`
/// as the server lists them: only the latter tells when.
fn argilla_said(responses: &Value) -> Result<Vec<Said>, String> {
    if let Value::Array(of_users) = responses {
        let given = |response: &Value, question: &str| -> Option<String> {
            response.get("values")?.get(question)?.get("value")?.as_str().map(str::to_owned)
        };
        let submitted = of_users.iter().filter(|response| !is_draft(response) && given(response, "verdict").is_some());
        let said = submitted.map(|response| {
            let user = response.get("user_id").unwrap_or(&Value::Null);
            let answer = |question: &str| given(response, question);
            let text = answer("edited").or_else(|| answer("text"));
            one(name(user), &answer("verdict").unwrap_or_default(), text, answer("reason"), time(response))
        });
        return said.collect();
    }
    let answers = |question: &str| responses.get(question).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of_user = |question: &str, user: &Value| -> Option<String> {
        let own = answers(question).iter().find(|answer| answer.get("user_id") == Some(user))?;
        own.get("value")?.as_str().map(str::to_owned)
    };
    let mut said = Vec::new();
    for answer in answers("verdict").iter().filter(|answer| !is_draft(answer)) {
        let user = answer.get("user_id").unwrap_or(&Value::Null);
        let word = answer.get("value").and_then(Value::as_str).unwrap_or_default();
        let text = of_user("edited", user).or_else(|| of_user("text", user));
        said.push(one(name(user), word, text, of_user("reason", user), time(answer))?);
    }
    Ok(said)
}

fn is_draft(answer: &Value) -> bool {
    answer.get("status").and_then(Value::as_str).is_some_and(|status| status != "submitted")
}

/// When an answer was last changed there, or given. Times without a zone are UTC, as both programs keep them.
fn time(answer: &Value) -> Option<Timestamp> {
    let told = |name: &&str| {
        let text = answer.get(name)?.as_str()?.trim();
        let utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
        text.parse().ok().or_else(utc)
    };
    ["updated_at", "inserted_at", "created_at"].iter().find_map(told)
}

/// `[{completed_by, updated_at, result: [{from_name, value}]}]`
fn label_studio_said(annotations: &Value) -> Result<Vec<Said>, String> {
    let mut said = Vec::new();
    for annotation in annotations.as_array().map_or(&[][..], Vec::as_slice) {
        if annotation.get("was_cancelled") == Some(&Value::Bool(true)) {
            continue;
        }
        let results = annotation.get("result").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let answer = |question: &str| -> Option<String> {
            let result = results.iter().find(|result| result.get("from_name").is_some_and(|name| name == question))?;
            let value = result.get("value")?;
            match value.get("choices").or_else(|| value.get("text"))? {
                Value::Array(texts) => texts.last()?.as_str().map(str::to_owned),
                text => text.as_str().map(str::to_owned),
            }
        };
        if let Some(word) = answer("verdict") {
            let by = annotation.get("completed_by").unwrap_or(&Value::Null);
            said.push(one(name(by), &word, answer("text"), answer("reason"), time(annotation))?);
        }
    }
    Ok(said)
}

/// A reviewer's name: a user's name, mail address or number there.
fn name(user: &Value) -> String {
    match user {
        Value::String(name) => name.clone(),
        Value::Number(number) => format!("user {number}"),
        Value::Object(user) => ["username", "email", "id"]
            .into_iter()
            .find_map(|key| user.get(key).filter(|value| value.as_str() != Some("")))
            .map_or_else(|| "somebody".to_owned(), name),
        _ => "somebody".to_owned(),
    }
}

fn one(
    reviewer: String,
    word: &str,
    text: Option<String>,
    reason: Option<String>,
    at: Option<Timestamp>,
) -> Result<Said, String> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let verdict = match word.trim().to_ascii_lowercase().as_str() {
        "accept" => Verdict::Accept,
        "reject" => Verdict::Reject,
        "edit" => match filled(text) {
            Some(text) => Verdict::Edit(text.trim_end().to_owned()),
            None => return Err(format!("{reviewer} says edit, and gives no text")),
        },
        other => return Err(format!("verdict \"{other}\" of {reviewer} is none of accept, edit, reject")),
    };
    Ok(Said { reviewer, verdict, reason: filled(reason), at })
}
