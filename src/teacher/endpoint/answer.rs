//! Reading a chat completion: its text, its usage and how it ended; or what is wrong with it.

use serde::Deserialize;
use serde_json::Value;

use crate::teacher::{Finish, Miss, Paid, Remedy, Reply, Usage};

/// How much of what a service says about an error is repeated.
const LONGEST: usize = 300;

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Tokens>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Message {
    #[serde(default)]
    content: Option<Value>,
    /// What a service took out of the content because it stood between think tags; some give it under both names.
    #[serde(default)]
    reasoning_content: Option<Value>,
    #[serde(default)]
    reasoning: Option<Value>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

/// Reads the body of a successful response.
pub(super) fn read(body: &[u8]) -> Result<Reply, Miss> {
    let again = |why: String, paid| Miss { why, remedy: Remedy::Again(None), paid };
    let completion: Completion = serde_json::from_slice(body).map_err(|error| {
        // A body that was cut was a reply, and may be charged.
        let why = if error.is_eof() {
            "the reply's JSON is cut off".to_owned()
        } else {
            format!("no chat completion: {error}")
        };
        again(why, Paid::Perhaps)
    })?;
    let usage = completion.usage.and_then(|usage| {
        let (prompt_tokens, completion_tokens) = (usage.prompt_tokens?, usage.completion_tokens.unwrap_or(0));
        // No reply is so long: a number without sense must not spoil the sums that it goes into.
        let sane = |tokens: u64| tokens.min(u64::from(u32::MAX));
        Some(Usage { prompt_tokens: sane(prompt_tokens), completion_tokens: sane(completion_tokens) })
    });
    let paid = usage.map_or(Paid::Perhaps, Paid::Yes);
    if let Some(error) = completion.error.filter(|error| !error.is_null()) {
        return Err(again(format!("an error instead of a reply: {}", said(&error)), usage.map_or(Paid::No, Paid::Yes)));
    }
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(again("a reply without choices".into(), paid));
    };
    let finish = match choice.finish_reason.as_deref() {
        Some("stop" | "eos" | "end_turn") | None => Finish::Stop,
        Some("length" | "max_tokens") => Finish::Length,
        Some(_) => Finish::Other,
    };
    let message = choice.message.unwrap_or_default();
    let text = message.content.as_ref().map(text_of).unwrap_or_default();
    let text = with_reasoning(
        text,
        &message.reasoning_content.or(message.reasoning).as_ref().map(text_of).unwrap_or_default(),
    );
    if text.trim().is_empty() {
        return Err(match (message.refusal, finish) {
            (Some(refusal), _) => {
                Miss { why: format!("the model refuses: {}", short(&refusal)), remedy: Remedy::Skip, paid }
            }
            (None, Finish::Length) => {
                let why = "the reply has no text within its tokens: give more --max-tokens".to_owned();
                Miss { why, remedy: Remedy::Skip, paid }
            }
            (None, _) => again("a reply without text".into(), paid),
        });
    }
    Ok(Reply { text, usage, finish })
}

/// The text with the reasoning that a service took out of it, where an answer is left without its reasons.
fn with_reasoning(text: String, reasoning: &str) -> String {
    let bare = text.trim_start().starts_with("<answer>") && !reasoning.trim().is_empty();
    if bare { format!("<think>{}</think>\n{}", reasoning.trim(), text.trim_start()) } else { text }
}

/// A message's text: a string, or parts of which some are text.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}

/// What a service says about an error, in one line.
pub(super) fn complaint(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => said(value.get("error").unwrap_or(&value)),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            // A page for a browser says nothing in one line.
            if text.trim_start().starts_with('<') { String::new() } else { short(&text) }
        }
    }
}

fn said(error: &Value) -> String {
    let message = ["message", "detail", "error"].iter().find_map(|name| error.get(name));
    match message.unwrap_or(error) {
        Value::String(text) => {
            let code = error.get("code").and_then(Value::as_str).filter(|code| !text.contains(code));
            short(&code.map_or_else(|| text.clone(), |code| format!("{text} ({code})")))
        }
        Value::Null => String::new(),
        other => short(&other.to_string()),
    }
}

fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(body: Value) -> Result<Reply, Miss> {
        read(body.to_string().as_bytes())
    }

    #[test]
    fn a_completion_is_read_with_its_usage() {
        let reply = of(json!({
            "choices": [{ "message": { "content": "hi" }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6 },
        }));
        let usage = Some(Usage { prompt_tokens: 5, completion_tokens: 1 });
        assert_eq!(reply, Ok(Reply { text: "hi".into(), usage, finish: Finish::Stop }));
        let parts = json!({ "choices": [{ "message": { "content": [{ "type": "text", "text": "a" }, { "text": "b" }] },
            "finish_reason": "length" }] });
        assert_eq!(of(parts), Ok(Reply { text: "ab".into(), usage: None, finish: Finish::Length }));
    }

    #[test]
    fn reasoning_that_a_service_took_out_comes_back_where_an_answer_lacks_it() {
        let text = |message: Value| of(json!({ "choices": [{ "message": message }] })).unwrap().text;
        let answer = "\n\n<answer>normal</answer>";
        let whole = "<think>1. a</think>\n<answer>normal</answer>";
        assert_eq!(text(json!({ "content": answer, "reasoning_content": "\n1. a\n" })), whole);
        assert_eq!(text(json!({ "content": answer, "reasoning": "1. a" })), whole);
        assert_eq!(text(json!({ "content": answer, "reasoning": "1. a", "reasoning_content": "1. a" })), whole);
        assert_eq!(text(json!({ "content": whole, "reasoning": "Hm." })), whole);
        assert_eq!(text(json!({ "content": "{}", "reasoning": "Hm." })), "{}");
    }

    #[test]
    fn what_is_no_reply_is_told_with_whether_it_is_paid() {
        let whole = json!({ "choices": [{ "message": { "content": "hi" } }] }).to_string();
        let cut = read(&whole.as_bytes()[..whole.len() - 9]).unwrap_err();
        assert_eq!(
            (cut.why.as_str(), cut.remedy, cut.paid),
            ("the reply's JSON is cut off", Remedy::Again(None), Paid::Perhaps)
        );
        let silly = json!({ "choices": [], "usage": { "prompt_tokens": u64::MAX, "completion_tokens": i64::MAX } });
        let most = u64::from(u32::MAX);
        assert_eq!(of(silly).unwrap_err().paid, Paid::Yes(Usage { prompt_tokens: most, completion_tokens: most }));
        let empty = of(json!({ "choices": [], "usage": { "prompt_tokens": 5, "completion_tokens": 0 } })).unwrap_err();
        assert_eq!(empty.paid, Paid::Yes(Usage { prompt_tokens: 5, completion_tokens: 0 }));
        let refusal = json!({ "choices": [{ "message": { "content": null, "refusal": "I can't." } }] });
        assert_eq!(of(refusal).unwrap_err().remedy, Remedy::Skip);
        let error = of(json!({ "error": { "message": "overloaded" } })).unwrap_err();
        assert_eq!((error.why.as_str(), error.paid), ("an error instead of a reply: overloaded", Paid::No));
        assert!(
            read(b"").unwrap_err().why.contains("cut off")
                && read(b"hello").unwrap_err().why.contains("no chat completion")
        );
    }

    #[test]
    fn an_error_is_one_short_line() {
        let body = json!({ "error": { "message": "You have\nno quota", "code": "insufficient_quota" } });
        assert_eq!(complaint(body.to_string().as_bytes()), "You have no quota (insufficient_quota)");
        assert_eq!(complaint(br#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(complaint(b"<html><body>502</body></html>"), "");
        assert_eq!(complaint("x".repeat(999).as_bytes()).chars().count(), LONGEST + 1);
    }
}
