//! Reading what a teacher distilled: a challenge and steps as JSON and nothing else, and nothing of the one case in it.

use serde::Deserialize;

use super::analyses::tidy_step;
use crate::reasoning::{ClaimKind, Evidence, claims};

/// Steps that a thought may have.
const STEPS: std::ops::RangeInclusive<usize> = 3..=8;

/// Characters that a challenge or a step may have: a thought is read at a glance.
const LONGEST: usize = 400;

/// A challenge and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Distilled {
    pub challenge: String,
    pub steps: Vec<String>,
}

/// Reads a reply: one JSON object, alone or in one fence, after the thinking of a model that thinks first.
///
/// # Errors
/// What is wrong with it, as words to tell the teacher.
pub(super) fn read(reply: &str) -> Result<Distilled, String> {
    let reply = reply.trim();
    let reply = match reply.strip_prefix("<think>") {
        Some(rest) => rest.rsplit_once("</think>").map_or("", |(_, after)| after).trim(),
        None => reply,
    };
    let fenced = reply.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let json = fenced.map_or(reply, |inside| inside.strip_prefix("json").unwrap_or(inside)).trim();
    let mut found: Distilled = serde_json::from_str(json).map_err(|error| {
        format!(
            "The reply was not one JSON object with the keys \"challenge\" and \"steps\" and nothing else: {error}."
        )
    })?;
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    found.challenge = one_line(&found.challenge);
    found.steps = found.steps.iter().map(|step| one_line(tidy_step(step))).collect();
    if found.challenge.is_empty() || found.steps.iter().any(String::is_empty) {
        return Err("The challenge or a step was empty.".into());
    }
    if !STEPS.contains(&found.steps.len()) {
        return Err(format!("There were {} steps; give {} to {}.", found.steps.len(), STEPS.start(), STEPS.end()));
    }
    if std::iter::once(&found.challenge).chain(&found.steps).any(|text| text.chars().count() > LONGEST) {
        return Err(format!("The challenge or a step was longer than {LONGEST} characters."));
    }
    Ok(found)
}

/// What of the case survives in the thought: its numbers, hosts, addresses, paths and other names with digits or
/// punctuation inside, each once, in order.
pub(super) fn details(thought: &Distilled, case: &str) -> Vec<String> {
    let evidence = Evidence::of(&without_quotes(case));
    let mut found: Vec<String> = Vec::new();
    for text in std::iter::once(&thought.challenge).chain(&thought.steps) {
        for claim in claims(&without_quotes(text), &evidence) {
            let instance = match claim.kind {
                ClaimKind::Number => true,
                ClaimKind::Identifier => names_an_instance(&claim.text),
                ClaimKind::Quotation | ClaimKind::Word => false,
            };
            if instance && claim.in_log && !found.contains(&claim.text) {
                found.push(claim.text);
            }
        }
    }
    found
}

/// Whether a name is that of one thing (`R02-M1`, `/bgl/job`, `ido.example.org`), and not of a kind (`OSPF`, `I/O`).
fn names_an_instance(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_digit() || "_@$#:.".contains(c))
        || name.starts_with('/')
        || name.matches('/').count() > 1
}

/// Names are looked at whether they are quoted or not. An apostrophe inside a word is none.
fn without_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_letter = false;
    for character in text.chars() {
        let quotes = "\"`“”‘’".contains(character) || (character == '\'' && !after_letter);
        out.push(if quotes { ' ' } else { character });
        after_letter = character.is_alphanumeric();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"challenge":"An alarm may be harmless.","steps":["1. Find the value.","Weigh it.","Judge."]}"#;

    #[test]
    fn a_reply_is_one_object_and_nothing_else() {
        let found = read(GOOD).unwrap();
        assert_eq!(
            (found.challenge.as_str(), found.steps[0].as_str()),
            ("An alarm may be harmless.", "Find the value.")
        );
        for dressed in
            [format!("```json\n{GOOD}\n```"), format!("<think>Hm {{}}.</think>\n{GOOD}"), format!("```\n{GOOD}\n```")]
        {
            assert_eq!(read(&dressed).unwrap(), found);
        }
        let wrong = [
            "",
            "Sure! {}",
            r#"{"challenge":"x"}"#,
            r#"{"challenge":"x","steps":["a","b"]}"#,
            r#"{"challenge":"x","steps":["a","b"," "]}"#,
            r#"{"challenge":"","steps":["a","b","c"]}"#,
            r#"{"challenge":"x","steps":["a","b","c"],"note":1}"#,
            r#"{"challenge":"x","steps":"a"}"#,
            r#"{"challenge":"x","steps":["a","b","c"]"#,
        ];
        for reply in wrong {
            assert!(read(reply).is_err(), "{reply}");
        }
        assert!(read(&format!("{GOOD} Done.")).is_err());
        assert!(read(&GOOD.replace("Weigh", &"very ".repeat(100))).unwrap_err().contains("longer than 400"));
    }

    fn left(step: &str, case: &str) -> Vec<String> {
        details(&Distilled { challenge: "Hard.".into(), steps: vec![step.into()] }, case)
    }

    #[test]
    fn numbers_hosts_and_paths_of_the_case_are_found_in_whatever_dress() {
        let case =
            "ciod: job 4711 at /bgl/apps/job.exe on R02-M1-N0 (10.0.0.17) of ido.example.org: 5 retries over OSPF, I/O";
        let told =
            left("Go to 'R02-M1-N0', then `/bgl/apps/job.exe`; \"10.0.0.17\" and ido.example.org had 4711.", case);
        assert_eq!(told, ["R02-M1-N0", "/bgl/apps/job.exe", "10.0.0.17", "ido.example.org", "4711"]);
        assert_eq!(left("Count to 5.", case), ["5"]);
    }

    #[test]
    fn what_is_of_the_kind_and_not_of_the_case_stays() {
        let case = "ciod: 5 retries over OSPF, I/O error on node r01";
        for general in ["Ask whether OSPF or the I/O node failed.", "Try 3 readings.", "Don't trust the node's name."] {
            assert_eq!(left(general, case), Vec::<String>::new(), "{general}");
        }
    }
}
