//! A written reasoning, taken apart: its steps and its answer, and whether it keeps the format.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::labels::Label;

/// The tags that reasoning may stand in: RationAnomaly and R-Log write the first, LogReasoner the second.
const REASONING_TAGS: [&str; 2] = ["think", "solutions"];

/// Which came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Reasons, then the answer.
    ReasoningFirst,
    /// The answer, then the reasons (R-Log's fast mode).
    AnswerFirst,
}

/// One step of a reasoning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The step's text, with its number if it is written with one.
    pub text: String,
    /// Where it stands in the parsed text, in bytes.
    pub range: Range<usize>,
}

/// A reasoning text taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The steps, in order; none if there is no reasoning.
    pub steps: Vec<Step>,
    /// What stands between the answer tags, trimmed; `None` unless exactly one non-empty answer is given.
    pub answer: Option<String>,
    /// What comes first, where both are there.
    pub order: Option<Order>,
    /// One reasoning and one answer, each tag exactly once, reasoning first, and nothing else but white space.
    pub format_ok: bool,
}

/// Takes `text` apart. Never fails: what is malformed gives fewer parts and `format_ok: false`.
///
/// Without reasoning tags, what stands before the answer is taken for the reasoning, so that a reviewer or a reader of a
/// clumsy model still sees steps.
pub fn parse(text: &str) -> Parsed {
    let answer = element(text, "answer");
    let body = REASONING_TAGS.iter().find_map(|tag| element(text, tag));
    let order = match (&body, &answer) {
        (Some(body), Some(answer)) if body.outer.end <= answer.outer.start => Some(Order::ReasoningFirst),
        (Some(body), Some(answer)) if answer.outer.end <= body.outer.start => Some(Order::AnswerFirst),
        _ => None,
    };
    let nothing_else = match (&body, &answer) {
        (Some(body), Some(answer)) => {
            let (first, second) = if order == Some(Order::AnswerFirst) { (answer, body) } else { (body, answer) };
            let between = first.outer.end..second.outer.start.max(first.outer.end);
            [0..first.outer.start, between, second.outer.end..text.len()]
                .into_iter()
                .all(|gap| text[gap].trim().is_empty())
        }
        _ => false,
    };
    let reasoning = match &body {
        Some(body) => body.inner.clone(),
        None => loose_reasoning(text, answer.as_ref()),
    };
    let answer = answer.map(|answer| text[answer.inner].trim().to_owned()).filter(|answer| !answer.is_empty());
    let format_ok = order == Some(Order::ReasoningFirst) && nothing_else && answer.is_some();
    Parsed { steps: steps(text, reasoning), answer, order, format_ok }
}

/// The label that an answer to the anomaly task gives; `None` if it is anything but one of the two words.
pub fn answer_label(answer: &str) -> Option<Label> {
    answer.trim().trim_matches(|c: char| c.is_ascii_punctuation()).parse().ok()
}

/// Where `<tag>…</tag>` stands: with and without the tags.
struct Element {
    outer: Range<usize>,
    inner: Range<usize>,
}

/// The element `tag`, if it is opened and closed exactly once.
fn element(text: &str, tag: &str) -> Option<Element> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let start = only(text, &open)?;
    let end = only(text, &close)?;
    let inner = start + open.len()..end;
    (inner.start <= inner.end).then(|| Element { outer: start..end + close.len(), inner })
}

/// Where `needle` stands, if it stands in `text` exactly once.
fn only(text: &str, needle: &str) -> Option<usize> {
    let mut found = text.match_indices(needle).map(|(at, _)| at);
    let at = found.next()?;
    found.next().is_none().then_some(at)
}

/// The stretch to take for reasoning where its tags are missing or broken.
fn loose_reasoning(text: &str, answer: Option<&Element>) -> Range<usize> {
    let opened = REASONING_TAGS.iter().find_map(|tag| text.find(&format!("<{tag}>")).map(|at| at + tag.len() + 2));
    let start = opened.unwrap_or(0);
    let end_tags = REASONING_TAGS.iter().map(|tag| format!("</{tag}>")).chain(["<answer>".to_owned()]);
    let end = end_tags.filter_map(|tag| text[start..].find(&tag).map(|at| start + at)).min();
    let end = end.or(answer.map(|answer| answer.outer.start)).unwrap_or(text.len());
    start..end.max(start)
}

/// Splits a stretch of reasoning into steps: at numbered or bulleted lines; else at line breaks; else at sentences.
fn steps(text: &str, within: Range<usize>) -> Vec<Step> {
    let body = &text[within.clone()];
    let mut starts: Vec<usize> = line_starts(body).filter(|&at| opens_step(&body[at..])).collect();
    if starts.len() < 2 {
        starts =
            line_starts(body).filter(|&at| !body[at..].lines().next().unwrap_or_default().trim().is_empty()).collect();
    }
    if starts.len() < 2 {
        starts = sentence_starts(body);
    }
    // What stands before the first marker is an introduction: a step of its own.
    if starts.first().is_some_and(|&first| !body[..first].trim().is_empty()) {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(&start, end)| {
            let piece = &body[start..end];
            let trimmed = piece.trim();
            let lead = piece.len() - piece.trim_start().len();
            let from = within.start + start + lead;
            (!trimmed.is_empty()).then(|| Step { text: trimmed.to_owned(), range: from..from + trimmed.len() })
        })
        .collect()
}

fn line_starts(body: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(body.match_indices('\n').map(|(at, _)| at + 1))
}

/// Whether a line opens a step: `1.`, `2)`, `Step 3:`, `**Step 4`, `- `, `* `.
fn opens_step(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', '#', '*']);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = (1..=2).contains(&digits) && matches!(line.as_bytes().get(digits), Some(b'.' | b')' | b':'));
    let named = line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("step "))
        && line.as_bytes().get(5).is_some_and(u8::is_ascii_digit);
    numbered || named || line.starts_with("- ")
}

/// Where sentences start: after `.`, `!` or `?` and white space, before a capital, a digit or a quote.
fn sentence_starts(body: &str) -> Vec<usize> {
    let mut starts = vec![0];
    let characters: Vec<(usize, char)> = body.char_indices().collect();
    for window in characters.windows(3) {
        let [(_, end), (_, gap), (at, next)] = window else { continue };
        if matches!(end, '.' | '!' | '?')
            && gap.is_whitespace()
            && (next.is_uppercase() || matches!(next, '"' | '“' | '<'))
        {
            starts.push(*at);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(parsed: &Parsed) -> Vec<&str> {
        parsed.steps.iter().map(|step| step.text.as_str()).collect()
    }

    #[test]
    fn a_well_formed_rationale_gives_its_steps_and_answer() {
        let text = "<think>1. It says \"panic\".\n2. A kernel stopped.</think><answer>abnormal</answer>\n";
        let parsed = parse(text);
        assert_eq!(texts(&parsed), ["1. It says \"panic\".", "2. A kernel stopped."]);
        assert_eq!(parsed.answer.as_deref(), Some("abnormal"));
        assert!(parsed.format_ok);
        assert!(parsed.steps.iter().all(|step| text[step.range.clone()] == step.text));
    }

    #[test]
    fn solutions_are_reasoning_too() {
        let parsed = parse("<solutions>1. a\n2. b</solutions><answer>normal</answer>");
        assert_eq!((parsed.steps.len(), parsed.format_ok), (2, true));
    }

    #[test]
    fn prose_splits_into_sentences_and_lines() {
        let parsed =
            parse("<think>The log is short. It names v1.2 of a tool. Nothing failed.</think><answer>normal</answer>");
        assert_eq!(texts(&parsed), ["The log is short.", "It names v1.2 of a tool.", "Nothing failed."]);
        assert_eq!(parse("<think>one\n\ntwo</think>").steps.len(), 2);
    }

    #[test]
    fn the_answer_first_is_read_but_not_the_usual_format() {
        let parsed = parse("<answer>normal</answer><think>Because.</think>");
        assert_eq!((parsed.order, parsed.format_ok), (Some(Order::AnswerFirst), false));
        assert_eq!(parsed.answer.as_deref(), Some("normal"));
    }

    #[test]
    fn malformed_texts_are_told_from_well_formed_ones() {
        for text in [
            "<think>a</think>",
            "<think>a</think><answer></answer>",
            "<think>a</think><answer>normal</answer><answer>abnormal</answer>",
            "<think>a<think></think><answer>normal</answer>",
            "<think>a</think>so: <answer>normal</answer>",
            "<think>a <answer>normal</answer></think>",
            "</think><think><answer>normal</answer>",
            "normal",
            "",
        ] {
            assert!(!parse(text).format_ok, "{text}");
        }
        assert_eq!(parse("<think>a</think><answer>normal</answer><answer>abnormal</answer>").answer, None);
    }

    #[test]
    fn only_the_two_words_are_an_answer() {
        assert_eq!(answer_label(" Abnormal. "), Some(Label::Abnormal));
        assert_eq!(answer_label("not normal"), None);
        assert_eq!(answer_label(""), None);
    }

    proptest! {
        #[test]
        fn any_text_parses_into_ordered_steps_of_itself(
            text in "(<think>|</think>|<answer>|</answer>|<solutions>|1\\. |normal|é|\\PC|\n|\\. [A-Z]){0,30}",
        ) {
            let parsed = parse(&text);
            let mut last = 0;
            for step in parsed.steps {
                prop_assert!(step.range.start >= last);
                prop_assert_eq!(&text[step.range.clone()], step.text.as_str());
                last = step.range.end;
            }
        }
    }
}
