//! Argilla and Label Studio: items go out to be reviewed there, and come back with what was decided.
//!
//! Both ask the same three questions: `verdict` (accept, edit or reject), `text` (how an edited item reads) and `reason`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::OWN;
use super::own::{object_in, own_columns};
use crate::reasoning::{Reviewable, Verdict};
use crate::workspace::Queued;

/// What somebody said of an item elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace) struct Said {
    pub reviewer: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
}

/// A record that came back.
pub(super) struct Reviewed {
    /// The item's own columns.
    pub own: Map<String, Value>,
    /// What was said of it.
    pub said: Vec<Said>,
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
    json!({ "data": data, "annotations": [], "predictions": [] })
}

/// Label Studio's labelling interface for such tasks, to be pasted into a project's settings.
pub(super) const LABEL_STUDIO_INTERFACE: &str = r#"<View>
  <Header value="$question"/>
  <Text name="log" value="$log"/>
  <Header value="label: $label   $trouble"/>
  <Text name="item" value="$text"/>
  <Text name="rejected" value="$rejected"/>
  <Choices name="verdict" toName="item" choice="single" required="true">
    <Choice value="accept"/>
    <Choice value="edit"/>
    <Choice value="reject"/>
  </Choices>
  <TextArea name="text" toName="item" value="$text" rows="12" maxSubmissions="1" editable="true"/>
  <TextArea name="reason" toName="item" rows="2" maxSubmissions="1" editable="true"/>
</View>
"#;

/// Where the labelling interface for a file goes.
pub(super) fn interface_beside(file: &Path) -> std::path::PathBuf {
    file.with_extension("interface.xml")
}

/// Reads a record of either program; `None` where a row is none.
///
/// # Errors
/// Says what is wrong with a record.
pub(super) fn read(fields: &mut Map<String, Value>) -> Result<Option<Reviewed>, String> {
    if fields.get("fields").is_some_and(Value::is_object) && fields.contains_key("responses") {
        let own = fields.get_mut("metadata").and_then(Value::as_object_mut).and_then(|meta| meta.shift_remove(OWN));
        let own = object_in(own.ok_or("the record's metadata has no \"logwright\": it was not exported from here")?)?;
        return Ok(Some(Reviewed { said: argilla_said(&fields["responses"])?, own }));
    }
    if fields.get("data").is_some_and(Value::is_object) && fields.contains_key("annotations") {
        let own = fields.get_mut("data").and_then(Value::as_object_mut).and_then(|data| data.shift_remove(OWN));
        let own = object_in(own.ok_or("the task's data has no \"logwright\": it was not exported from here")?)?;
        return Ok(Some(Reviewed { said: label_studio_said(&fields["annotations"])?, own }));
    }
    Ok(None)
}

/// `{question: [{value, user_id}]}`
fn argilla_said(responses: &Value) -> Result<Vec<Said>, String> {
    let answers = |question: &str| responses.get(question).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of_user = |question: &str, user: &Value| -> Option<String> {
        let own = answers(question).iter().find(|answer| answer.get("user_id") == Some(user))?;
        own.get("value")?.as_str().map(str::to_owned)
    };
    let mut said = Vec::new();
    for answer in answers("verdict") {
        let user = answer.get("user_id").unwrap_or(&Value::Null);
        let word = answer.get("value").and_then(Value::as_str).unwrap_or_default();
        let draft = answer.get("status").and_then(Value::as_str).is_some_and(|status| status != "submitted");
        if !draft {
            said.push(one(name(user), word, of_user("text", user), of_user("reason", user))?);
        }
    }
    Ok(said)
}

/// `[{completed_by, result: [{from_name, value}]}]`
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
            said.push(one(name(by), &word, answer("text"), answer("reason"))?);
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

fn one(reviewer: String, word: &str, text: Option<String>, reason: Option<String>) -> Result<Said, String> {
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
    Ok(Said { reviewer, verdict, reason: filled(reason) })
}
