//! What thoughts are distilled from: raw analyses, out of a handbook's cases and of the project's own reasoning.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::super::TeacherError;
use crate::logs::table::{self, Format, Row};
use crate::reasoning::{Reviewable, Standing, Task, Trouble};
use crate::workspace::Workspace;

/// An analysis of fewer steps shows no way of working.
pub const FEWEST_STEPS: usize = 3;

/// A symptom of fewer words does not say what the problem is.
pub const FEWEST_WORDS: usize = 4;

/// A problem and how somebody worked on it, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// Where it is from: `handbook.jsonl:3`, or a rationale's id.
    pub source: String,
    /// What kind of question it answers.
    pub task: Task,
    /// The symptom, or the question with its log.
    pub problem: String,
    /// The steps, a line each.
    pub analysis: String,
}

/// Something that is no analysis to learn from, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// Where it is from.
    pub source: String,
    /// Why, in a few words.
    pub why: String,
}

/// Analyses, and what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analyses {
    /// Those to choose from, in order.
    pub usable: Vec<Analysis>,
    /// Those that show too little.
    pub excluded: Vec<Excluded>,
    /// Rows that cannot be read.
    pub rejected: Vec<Excluded>,
}

impl Analyses {
    /// Puts others behind these.
    pub fn extend(&mut self, others: Self) {
        self.usable.extend(others.usable);
        self.excluded.extend(others.excluded);
        self.rejected.extend(others.rejected);
    }

    fn take(&mut self, source: String, task: Task, problem: String, steps: &[String]) {
        let words = problem.split_whitespace().count();
        let why = if steps.len() < FEWEST_STEPS {
            format!("{} step{}, fewer than {FEWEST_STEPS}", steps.len(), if steps.len() == 1 { "" } else { "s" })
        } else if words < FEWEST_WORDS {
            format!("a symptom of {words} word{}, fewer than {FEWEST_WORDS}", if words == 1 { "" } else { "s" })
        } else {
            let lines = steps.iter().enumerate().map(|(place, step)| format!("{}. {step}", place + 1));
            let analysis = lines.collect::<Vec<_>>().join("\n");
            return self.usable.push(Analysis { source, task, problem, analysis });
        };
        self.excluded.push(Excluded { source, why });
    }
}

/// The cases of a handbook: `symptom,steps[,task]`, as CSV, JSON or JSONL. Steps are a list, a line each, or parted by arrows or
/// semicolons. A case that names no task asks for a root cause.
///
/// # Errors
/// When the file cannot be read as a table.
pub fn from_cases(path: &Path) -> Result<Analyses, TeacherError> {
    let data = |why: String| TeacherError::Data { path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|error| data(error.to_string()))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let table = table::read(&bytes, Format::guess(&name, &bytes), &[]).map_err(|error| data(error.to_string()))?;
    let mut found = Analyses::default();
    let source = |line: u64| format!("{name}:{line}");
    for bad in table.rejected {
        found.rejected.push(Excluded { source: source(bad.line), why: bad.why });
    }
    for row in table.rows {
        let source = source(row.line);
        match case(row) {
            Ok((task, symptom, steps)) => found.take(source, task, symptom, &steps),
            Err(why) => found.rejected.push(Excluded { source, why }),
        }
    }
    Ok(found)
}

fn case(mut row: Row) -> Result<(Task, String, Vec<String>), String> {
    let symptom = ["symptom", "problem", "title"].iter().find_map(|name| row.take_text(name));
    let symptom = symptom.ok_or("\"symptom\" is missing or empty")?;
    let told = ["steps", "flowchart", "analysis"].iter().find_map(|name| row.fields.shift_remove(*name));
    let steps = match told {
        Some(Value::Array(steps)) => steps
            .iter()
            .map(|step| step.as_str().map(|step| tidy_step(step).to_owned()))
            .collect::<Option<Vec<String>>>()
            .ok_or("a step is not text")?,
        Some(Value::String(text)) => in_steps(&text),
        _ => return Err("\"steps\" is missing, or neither a list nor text".into()),
    };
    let task = match row.take_text("task") {
        Some(word) => word.parse().map_err(|error: crate::reasoning::ItemError| error.to_string())?,
        None => Task::RootCause,
    };
    Ok((task, symptom, steps.into_iter().filter(|step| !step.is_empty()).collect()))
}

fn in_steps(text: &str) -> Vec<String> {
    if let Ok(steps) = serde_json::from_str::<Vec<String>>(text) {
        return steps.iter().map(|step| tidy_step(step).to_owned()).collect();
    }
    let parts: Vec<&str> = if text.trim().lines().count() > 1 {
        text.lines().collect()
    } else if text.contains("->") {
        text.split("->").collect()
    } else if text.contains('→') {
        text.split('→').collect()
    } else {
        text.split(';').collect()
    };
    parts.into_iter().map(|step| tidy_step(step).to_owned()).filter(|step| !step.is_empty()).collect()
}

/// A step without the number or the bullet that it is written with.
pub(super) fn tidy_step(step: &str) -> &str {
    let step = step.trim().trim_start_matches(['-', '*', '•']).trim_start();
    let named = step.strip_prefix("Step ").or_else(|| step.strip_prefix("step ")).unwrap_or(step);
    let rest = named.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.strip_prefix(['.', ')', ':']).filter(|_| rest.len() < named.len()) {
        // "1.5 volts" has no number of its own.
        Some(after) if !after.starts_with(|c: char| c.is_ascii_digit()) => after.trim_start(),
        _ => step,
    }
}

/// Troubles that a way of working is not learnt from, as long as no expert has accepted it.
const BAD: [Trouble; 4] = [Trouble::AnswerMismatch, Trouble::LabelChanged, Trouble::Malformed, Trouble::GoldDivided];

/// The project's own reasoning that answers right by what is held true now: rationales that are accepted, and pending ones that keep
/// the format.
///
/// # Errors
/// When the store cannot be read.
pub fn from_tasks(workspace: &Workspace) -> Result<Analyses, TeacherError> {
    let mut found = Analyses::default();
    for queued in workspace.review_queue()? {
        let usable = match queued.standing() {
            Standing::Accepted | Standing::Edited => true,
            Standing::Pending => {
                !queued.findings.unchecked && !queued.troubles().iter().any(|trouble| BAD.contains(trouble))
            }
            Standing::Rejected => false,
        };
        let Reviewable::Rationale(rationale) = queued.current() else { continue };
        if !usable {
            continue;
        }
        let steps: Vec<String> = rationale.parsed().steps.iter().map(|step| tidy_step(&step.text).to_owned()).collect();
        let problem = format!("{}\n{}", rationale.instruction.trim(), rationale.input).trim().to_owned();
        found.take(rationale.id, rationale.task, problem, &steps);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(name: &str, text: &str) -> Analyses {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        from_cases(&path).unwrap()
    }

    #[test]
    fn a_handbooks_cases_are_read_and_those_that_show_too_little_are_named() {
        let found = cases(
            "book.jsonl",
            concat!(
                r#"{"symptom":"The OSPF neighbour does not come up","steps":["1. Ping the peer.","2) Compare the areas.","Check the timers."]}"#,
                "\n",
                r#"{"symptom":"The fan speed is read as zero","steps":["Look at the fan.","Replace it."]}"#,
                "\n",
                r#"{"symptom":"No light","steps":["Look.","Clean.","Replace."]}"#,
                "\n",
                r#"{"symptom":"A disk is reported as failing","steps":7}"#,
                "\n",
                r#"{"symptom":"A disk is reported as failing","task":"failure","steps":["Look.","Ask.","Judge."]}"#,
                "\n"
            ),
        );
        let usable: Vec<(&str, Task)> = found.usable.iter().map(|case| (case.source.as_str(), case.task)).collect();
        assert_eq!(usable, [("book.jsonl:1", Task::RootCause), ("book.jsonl:5", Task::FailurePrediction)]);
        assert_eq!(found.usable[0].analysis, "1. Ping the peer.\n2. Compare the areas.\n3. Check the timers.");
        let why = |list: &[Excluded]| list.iter().map(|bad| format!("{}: {}", bad.source, bad.why)).collect::<Vec<_>>();
        let too_little = ["book.jsonl:2: 2 steps, fewer than 3", "book.jsonl:3: a symptom of 2 words, fewer than 4"];
        assert_eq!(why(&found.excluded), too_little);
        assert_eq!(why(&found.rejected), ["book.jsonl:4: \"steps\" is missing, or neither a list nor text"]);
    }

    #[test]
    fn steps_may_stand_in_one_cell() {
        for cell in [
            "Look. -> Ask. -> Judge.",
            "Look.; Ask.; Judge.",
            "\"1. Look.\n2. Ask.\n3. Judge.\"",
            "Look. → Ask. → Judge.",
        ] {
            let found = cases("book.csv", &format!("symptom,flowchart\nThe link goes down often,{cell}\n"));
            assert_eq!(found.usable[0].analysis, "1. Look.\n2. Ask.\n3. Judge.", "{cell}");
        }
        assert_eq!(tidy_step("1.5 volts is low"), "1.5 volts is low");
        assert_eq!(tidy_step("Step 2: look"), "look");
    }
}
