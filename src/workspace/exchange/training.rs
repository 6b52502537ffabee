//! The formats of training programs: an item as a conversation with a model, in the columns that each expects.

use serde_json::{Map, Value, json};

use super::own::own_column;
use super::{ItemFormat, OWN};
use crate::reasoning::Reviewable;
use crate::reasoning::prompt::{AnomalyPrompt, PromptError, Speaker, Turn, ask, thought_turns};

/// What is to be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lesson {
    /// To say what is written.
    Say,
    /// To prefer one side to the other.
    Prefer,
    /// To find the answer.
    Find,
}

/// An item as training programs see it.
struct Exercise {
    system: Option<String>,
    question: String,
    /// The reasoning, or the chosen side.
    answer: String,
    rejected: Option<String>,
    /// The right answer, where there is one.
    label: Option<String>,
}

/// A row for a training program. `place` is its number in the file, from 0.
///
/// # Errors
/// When the prompt is not valid.
pub(super) fn row(item: &Reviewable, format: ItemFormat, lesson: Lesson, place: usize) -> Result<Value, PromptError> {
    let exercise = Exercise::of(item)?;
    let mut row = match (format, lesson) {
        (ItemFormat::Alpaca | ItemFormat::LlamaFactory, _) => alpaca(&exercise, lesson),
        (ItemFormat::ShareGpt, _) => sharegpt(&exercise, lesson),
        (ItemFormat::Verl, _) => return Ok(verl(item, &exercise, place)),
        _ => trl(&exercise, lesson),
    };
    row.insert("id".into(), json!(item.id()));
    row.insert("task".into(), json!(item.task()));
    if let Some(label) = &exercise.label {
        row.insert("label".into(), json!(label));
    }
    row.insert(OWN.into(), json!(own_column(item)));
    Ok(Value::Object(row))
}

impl Exercise {
    fn of(item: &Reviewable) -> Result<Self, PromptError> {
        let prompt = AnomalyPrompt::default();
        let (turns, answer, rejected, label) = match item {
            Reviewable::Rationale(item) => {
                let turns = ask(item.task, &item.instruction, &item.input, &prompt)?;
                (turns, item.reasoning.trim().to_owned(), None, Some(item.label.clone()))
            }
            Reviewable::Pair(item) => {
                let turns = ask(item.task, &item.instruction, &item.input, &prompt)?;
                let rejected = Some(item.rejected.trim().to_owned());
                (turns, item.chosen.trim().to_owned(), rejected, Some(item.label.clone()))
            }
            Reviewable::Thought(item) => {
                let (question, answer) = thought_turns(item);
                (vec![question], answer, None, None)
            }
        };
        let said = |speaker| turns.iter().find(|turn: &&Turn| turn.speaker == speaker).map(|turn| turn.text.clone());
        let question = said(Speaker::User).unwrap_or_default();
        Ok(Self { system: said(Speaker::System), question, answer, rejected, label })
    }

    /// The turns before the answer.
    fn prompt(&self) -> Vec<Value> {
        let system = self.system.iter().map(|text| json!({ "role": "system", "content": text }));
        system.chain([json!({ "role": "user", "content": self.question })]).collect()
    }
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}

/// Programs join instruction and input with a line break, which gives the question as it is asked here.
fn alpaca(exercise: &Exercise, lesson: Lesson) -> Map<String, Value> {
    let (instruction, input) = match exercise.question.find("\n```\n") {
        Some(at) => (&exercise.question[..at], &exercise.question[at + 1..]),
        None => (exercise.question.as_str(), ""),
    };
    let system = exercise.system.clone().unwrap_or_default();
    object(match lesson {
        Lesson::Prefer => json!({
            "instruction": instruction, "input": input, "chosen": exercise.answer, "rejected": exercise.rejected,
            "system": system,
        }),
        Lesson::Say | Lesson::Find => {
            json!({ "instruction": instruction, "input": input, "output": exercise.answer, "system": system })
        }
    })
}

fn sharegpt(exercise: &Exercise, lesson: Lesson) -> Map<String, Value> {
    let system = exercise.system.clone().unwrap_or_default();
    let human = json!({ "from": "human", "value": exercise.question });
    let gpt = |text: &str| json!({ "from": "gpt", "value": text });
    object(match lesson {
        Lesson::Prefer => json!({
            "conversations": [human],
            "chosen": gpt(&exercise.answer),
            "rejected": gpt(exercise.rejected.as_deref().unwrap_or_default()),
            "system": system,
        }),
        Lesson::Say | Lesson::Find => json!({ "conversations": [human, gpt(&exercise.answer)], "system": system }),
    })
}

fn trl(exercise: &Exercise, lesson: Lesson) -> Map<String, Value> {
    let assistant = |text: &str| json!([{ "role": "assistant", "content": text }]);
    object(match lesson {
        Lesson::Prefer => json!({
            "prompt": exercise.prompt(),
            "chosen": assistant(&exercise.answer),
            "rejected": assistant(exercise.rejected.as_deref().unwrap_or_default()),
        }),
        Lesson::Say => json!({ "prompt": exercise.prompt(), "completion": assistant(&exercise.answer) }),
        // The reference is kept for rewards that compare with it.
        Lesson::Find => json!({
            "prompt": exercise.prompt(), "ground_truth": exercise.label, "reference": exercise.answer,
        }),
    })
}

fn verl(item: &Reviewable, exercise: &Exercise, place: usize) -> Value {
    json!({
        "data_source": format!("{OWN}/{}", item.task()),
        "prompt": exercise.prompt(),
        "ability": item.task(),
        "reward_model": { "style": "rule", "ground_truth": exercise.label },
        "extra_info": {
            "index": place, "split": "train", "id": item.id(), "question": exercise.question, "answer": exercise.answer,
            OWN: own_column(item),
        },
    })
}

/// A conversation in a row of any of these formats.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The last question.
    pub question: String,
    /// Instruction and input, where the format keeps them apart.
    pub input: Option<(String, String)>,
    /// What is said to it.
    pub answer: Option<String>,
    /// What is better said.
    pub chosen: Option<String>,
    /// What is worse said.
    pub rejected: Option<String>,
}

impl Conversation {
    /// Takes the conversation out of a row; `None` where there is none.
    ///
    /// # Errors
    /// Says what of a conversation cannot be read.
    pub fn take(fields: &mut Map<String, Value>) -> Result<Option<Self>, String> {
        let mut found = Self::default();
        let turns = ["conversations", "messages"].into_iter().find_map(|name| fields.shift_remove(name));
        if let Some(turns) = turns {
            found.hear(&turns)?;
        } else if fields.get("prompt").is_some_and(|prompt| prompt.is_array() || prompt.is_string()) {
            match fields.shift_remove("prompt") {
                Some(Value::String(question)) => found.question = question,
                Some(turns) => found.hear(&turns)?,
                None => {}
            }
        } else if let Some(Value::String(instruction)) = fields.get("instruction").cloned() {
            if !["output", "chosen"].iter().any(|name| fields.contains_key(*name)) {
                return Ok(None);
            }
            let input = fields.shift_remove("input").and_then(|input| input.as_str().map(str::to_owned));
            let input = input.unwrap_or_default();
            fields.shift_remove("instruction");
            found.question =
                if input.trim().is_empty() { instruction.clone() } else { format!("{instruction}\n{input}") };
            found.input = (!input.trim().is_empty()).then_some((instruction, input));
        } else {
            return Ok(None);
        }
        for name in ["completion", "output", "reference"] {
            if let Some(said) = fields.shift_remove(name) {
                found.answer = Some(said_in(&said).ok_or_else(|| format!("\"{name}\" holds no text"))?);
            }
        }
        let mut side = |name: &str| -> Result<Option<String>, String> {
            let Some(said) = fields.shift_remove(name) else { return Ok(None) };
            said_in(&said).map(Some).ok_or_else(|| format!("\"{name}\" holds no text"))
        };
        (found.chosen, found.rejected) = (side("chosen")?, side("rejected")?);
        found.take_verl(fields);
        fields.shift_remove("system");
        if let Some(truth) = fields.shift_remove("ground_truth") {
            fields.entry("label").or_insert(truth);
        }
        Ok(Some(found))
    }

    /// What verl keeps in columns of its own.
    fn take_verl(&mut self, fields: &mut Map<String, Value>) {
        if let Some(Value::Object(mut extra)) = fields.shift_remove("extra_info") {
            for name in [OWN, "id"] {
                if let Some(value) = extra.shift_remove(name) {
                    fields.entry(name).or_insert(value);
                }
            }
            if let Some(Value::String(answer)) = extra.shift_remove("answer") {
                self.answer.get_or_insert(answer);
            }
        }
        if let Some(Value::Object(mut reward)) = fields.shift_remove("reward_model")
            && let Some(truth) = reward.shift_remove("ground_truth")
        {
            fields.entry("label").or_insert(truth);
        }
        if let Some(ability) = fields.shift_remove("ability")
            && ability.as_str().is_some_and(|ability| ability.parse::<crate::reasoning::Task>().is_ok())
        {
            fields.entry("task").or_insert(ability);
        }
        fields.shift_remove("data_source");
    }

    /// Takes in turns: the last question and, after it, the last answer.
    fn hear(&mut self, turns: &Value) -> Result<(), String> {
        let turns = turns.as_array().ok_or("the conversation is not a list of turns")?;
        for turn in turns {
            let speaker = ["role", "from"].into_iter().find_map(|name| turn.get(name)?.as_str());
            let text = text_in(turn).ok_or("a turn of the conversation has no text")?;
            match speaker {
                Some("user" | "human") => (self.question, self.answer) = (text, None),
                Some("assistant" | "gpt" | "model") => self.answer = Some(text),
                Some("system") => {}
                other => {
                    return Err(format!("nobody knows who \"{}\" is in a conversation", other.unwrap_or_default()));
                }
            }
        }
        if self.question.is_empty() { Err("the conversation asks nothing".into()) } else { Ok(()) }
    }
}

/// A text: as it is, as one turn, or as the last of several.
fn said_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(turns) => text_in(turns.last()?),
        turn => text_in(turn),
    }
}

fn text_in(turn: &Value) -> Option<String> {
    ["content", "value"].into_iter().find_map(|name| turn.get(name)?.as_str().map(str::to_owned))
}
