//! What a teacher is asked about: logs with the truth about them, of the project or of a file.

use std::collections::HashSet;
use std::path::Path;

use super::TeacherError;
use crate::labels::{Category, Label};
use crate::logs::table::{self, Format, Rejected, Row};
use crate::logs::{TemplateKey, made_id};
use crate::reasoning::{GoldByText, Rationale, Reviewable, Task, yes_or_no};
use crate::workspace::{TaskCase, Workspace};

/// The question about an anomaly, in the words of the published rationales.
const ANOMALY_INSTRUCTION: &str = "Classify the given log entries into normal and abnormal categories.";

/// A log with the truth about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its id: a template's, or of the file.
    pub id: String,
    /// What is asked.
    pub task: Task,
    /// The dataset or system that the log is of; empty if nothing says.
    pub system: String,
    /// The question in words.
    pub instruction: String,
    /// The log, raw.
    pub input: String,
    /// The true answer; in free text it may be missing, and is empty then.
    pub label: String,
    /// The kind of trouble, if known.
    pub category: Option<Category>,
    /// The project's template that this is about, if it is.
    pub template: Option<TemplateKey>,
    /// The steps of an earlier rationale that is asked for anew, a line each.
    pub earlier: Option<String>,
}

/// Questions, and what could not be made one.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    /// Those to ask, in order.
    pub asked: Vec<Question>,
    /// How many were left out because a rationale about them is accepted.
    pub accepted: usize,
    /// How many were left out by a limit.
    pub beyond_limit: usize,
    /// Rows of a file that cannot be used.
    pub rejected: Vec<Rejected>,
}

/// Which of the questions there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chosen<'a> {
    /// Only those of this dataset.
    pub dataset: Option<&'a str>,
    /// Only this task.
    pub task: Option<Task>,
    /// Only this one: a template's id (or `DATASET/ID`), or a rationale's.
    pub id: Option<&'a str>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Also those that an accepted rationale is about.
    pub again: bool,
}

/// The project's templates that have a gold label, else the label that they came with, as questions about anomalies.
///
/// # Errors
/// When the store cannot be read, or what is chosen is not there.
pub fn of_project(workspace: &Workspace, chosen: Chosen<'_>) -> Result<Questions, TeacherError> {
    if let Some(task) = chosen.task.filter(|task| *task != Task::Anomaly) {
        let cases: Vec<Question> =
            workspace.task_cases()?.into_iter().filter(|case| case.task == task).map(of_case).collect();
        if cases.is_empty() {
            return Err(TeacherError::Invalid(format!(
                "the project has no logs with the truth about {task}: bring some in with `logwright import tasks`, or give \
                 them by --data FILE"
            )));
        }
        return choose(cases, Vec::new(), workspace, chosen);
    }
    if let Some(id) = chosen.id {
        return Ok(Questions { asked: vec![named(workspace, id)?], ..Questions::default() });
    }
    let gold = workspace.gold()?;
    let questions = workspace.templates()?.into_iter().filter_map(|record| {
        let gold = gold.get(record.key());
        let label = gold.map(|gold| gold.label).or(record.labelled.original)?;
        let category = gold.and_then(|gold| gold.category.clone()).or(record.labelled.category.clone());
        Some(of_template(record.key(), record.text(), label, category))
    });
    choose(questions.collect(), Vec::new(), workspace, chosen)
}

fn of_template(key: &TemplateKey, text: &str, label: Label, category: Option<Category>) -> Question {
    Question {
        id: key.id.clone(),
        task: Task::Anomaly,
        system: key.dataset.clone(),
        instruction: ANOMALY_INSTRUCTION.into(),
        input: text.to_owned(),
        label: label.as_str().to_owned(),
        category: category.filter(|_| label == Label::Abnormal),
        template: Some(key.clone()),
        earlier: None,
    }
}

/// The question that a rationale answers, with the answer that is held true now: it may have changed since it was written.
pub(super) fn of_rationale(rationale: Rationale, gold: &GoldByText) -> Question {
    let item = Reviewable::Rationale(rationale.clone());
    let truth = gold.truth(&item).map(|truth| truth.answer);
    let text = |name: &str| rationale.attributes.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let template = text("dataset").zip(text("template")).map(|(dataset, id)| TemplateKey::new(dataset, id));
    Question {
        system: text("dataset").unwrap_or_default(),
        label: truth.unwrap_or(rationale.label),
        id: rationale.id,
        task: rationale.task,
        instruction: rationale.instruction,
        input: rationale.input,
        category: rationale.category,
        template,
        earlier: None,
    }
}

fn of_case(case: TaskCase) -> Question {
    Question {
        id: case.id,
        task: case.task,
        system: case.dataset.unwrap_or_default(),
        instruction: usual_instruction(case.task).to_owned(),
        input: described(case.log, case.description),
        label: case.answer,
        category: None,
        template: None,
        earlier: None,
    }
}

/// A log, with the description that is said to fit it.
fn described(log: String, description: Option<String>) -> String {
    match description {
        Some(description) => format!("{log}\n\nDescription: {description}"),
        None => log,
    }
}

/// The question that one rationale or template stands for.
fn named(workspace: &Workspace, id: &str) -> Result<Question, TeacherError> {
    if let Some(rationale) = workspace.rationales()?.into_iter().find(|rationale| rationale.id == id) {
        let steps: Vec<String> = rationale.parsed().steps.into_iter().map(|step| step.text).collect();
        let earlier = (!steps.is_empty()).then(|| steps.join("\n"));
        return Ok(Question { earlier, ..of_rationale(rationale, &workspace.gold_by_text()?) });
    }
    let record = workspace.find_template(id)?;
    let gold = workspace.gold()?.remove(record.key());
    let label = gold.as_ref().map(|gold| gold.label).or(record.labelled.original);
    let label = label.ok_or_else(|| {
        TeacherError::Invalid(format!("template {} has no label yet: nobody could tell a right answer", record.key()))
    })?;
    let category = gold.and_then(|gold| gold.category).or(record.labelled.category.clone());
    Ok(of_template(record.key(), record.text(), label, category))
}

/// Questions from a table: `input` (or `log`, `template`), `gold` or `label` (or `answer`, `match`, `failure`, `cause`),
/// and, where there, `task`, `instruction`, `dataset` (or `system`), `id`, `category`.
///
/// # Errors
/// When the file cannot be read, or no row of it can be used.
pub fn from_file(path: &Path, workspace: &Workspace, chosen: Chosen<'_>) -> Result<Questions, TeacherError> {
    let data = |why: String| TeacherError::Data { path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|error| data(error.to_string()))?;
    let format = Format::guess(&path.to_string_lossy(), &bytes);
    let table = table::read(&bytes, format, &[]).map_err(|error| data(error.to_string()))?;
    let mut questions = Vec::with_capacity(table.rows.len());
    let mut rejected = table.rejected;
    for row in table.rows {
        let line = row.line;
        match question(row, chosen.task) {
            Ok(question) => questions.push(question),
            Err(why) => rejected.push(Rejected { line, why }),
        }
    }
    rejected.sort_by_key(|bad| bad.line);
    if questions.is_empty() {
        let first = rejected.first().map_or_else(String::new, |bad| format!("; line {}: {}", bad.line, bad.why));
        return Err(data(format!("no row can be asked about{first}")));
    }
    choose(questions, rejected, workspace, chosen)
}

fn question(mut row: Row, task: Option<Task>) -> Result<Question, String> {
    let input = ["input", "log", "template"].iter().find_map(|name| row.take_text(name));
    let input = input.ok_or("\"input\" is missing or empty")?;
    let answers = [
        ("gold", None),
        ("label", None),
        ("answer", None),
        ("match", Some(Task::SemanticMatching)),
        ("failure", Some(Task::FailurePrediction)),
        ("cause", Some(Task::RootCause)),
    ];
    let found = answers.into_iter().find_map(|(name, task)| Some((row.take_text(name)?, task)));
    let task = match row.take_text("task") {
        Some(word) => word.parse().map_err(|error: crate::reasoning::ItemError| error.to_string())?,
        None => task.or(found.as_ref().and_then(|(_, told)| *told)).unwrap_or(Task::Anomaly),
    };
    let label = match found {
        Some((label, _)) => label,
        // Free text without a reference is for an expert to check.
        None if task.is_free_text() => String::new(),
        None => return Err("\"label\" is missing or empty: nobody could tell a right answer".into()),
    };
    let description = row.take_text("description");
    let instruction = row.take_text("instruction").unwrap_or_else(|| usual_instruction(task).to_owned());
    let input = described(input, description);
    let label = match task {
        Task::Anomaly => {
            let label: Label = label.parse().map_err(|error: crate::labels::LabelError| error.to_string())?;
            label.as_str().to_owned()
        }
        Task::SemanticMatching | Task::FailurePrediction => {
            yes_or_no(&label).ok_or_else(|| format!("label \"{label}\" is neither true nor false"))?.to_owned()
        }
        _ => label.trim().to_owned(),
    };
    let system = ["dataset", "system"].iter().find_map(|name| row.take_text(name)).unwrap_or_default();
    Ok(Question {
        id: row.take_text("id").unwrap_or_else(|| made_id(task.as_str(), &input)),
        category: row.take_text("category").as_deref().and_then(Category::new),
        task,
        system,
        instruction,
        input,
        label,
        template: None,
        earlier: None,
    })
}

/// The question in words, where nobody gives other ones.
fn usual_instruction(task: Task) -> &'static str {
    match task {
        Task::Anomaly => ANOMALY_INSTRUCTION,
        Task::Parsing => "Give the template of the log: its constant text, with <*> for everything that varies.",
        Task::Interpretation => "Explain what the log means.",
        Task::RootCause => "Name the root cause of what the log reports.",
        Task::Solution => "Say what to do about what the log reports.",
        Task::SemanticMatching => "Does the description fit the log? Answer true or false.",
        Task::FailurePrediction => "Does the log foretell a failure? Answer true or false.",
    }
}

fn choose(
    mut questions: Vec<Question>,
    rejected: Vec<Rejected>,
    workspace: &Workspace,
    chosen: Chosen<'_>,
) -> Result<Questions, TeacherError> {
    if let Some(dataset) = chosen.dataset {
        if !questions.iter().any(|question| question.system == dataset) {
            return Err(TeacherError::Invalid(format!("no labelled log is of dataset {dataset}")));
        }
        questions.retain(|question| question.system == dataset);
    }
    if let Some(task) = chosen.task {
        questions.retain(|question| question.task == task);
    }
    if let Some(id) = chosen.id {
        questions.retain(|question| question.id == id);
    }
    if questions.is_empty() && rejected.is_empty() {
        return Err(TeacherError::Invalid("there is nothing to ask about: no labelled log fits what was given".into()));
    }
    let before = questions.len();
    if !chosen.again && chosen.id.is_none() {
        let done = accepted(workspace)?;
        questions.retain(|question| !done.contains(&(question.task, question.input.clone())));
    }
    let accepted = before - questions.len();
    let limit = chosen.limit.unwrap_or(usize::MAX);
    let beyond_limit = questions.len().saturating_sub(limit);
    questions.truncate(limit);
    Ok(Questions { asked: questions, accepted, beyond_limit, rejected })
}

/// The logs that an accepted rationale is about.
fn accepted(workspace: &Workspace) -> Result<HashSet<(Task, String)>, TeacherError> {
    let accepted = workspace.accepted_rationales()?;
    Ok(accepted.into_iter().map(|rationale| (rationale.task, rationale.input)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> Questions {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let path = dir.path().join("data.csv");
        std::fs::write(&path, rows).unwrap();
        from_file(&path, &workspace, Chosen::default()).unwrap()
    }

    #[test]
    fn a_table_of_any_task_becomes_questions() {
        let questions = read("log,description,match\nlink up,the link came up,1\nlink up,x,maybe\n");
        let question = &questions.asked[0];
        assert_eq!((question.task, question.label.as_str()), (Task::SemanticMatching, "true"));
        assert_eq!(question.input, "link up\n\nDescription: the link came up");
        assert_eq!((questions.rejected[0].line, questions.asked.len()), (3, 1));
        let questions = read("task,input,label,dataset,id\nparsing,a 1,a <*>,hdfs,p1\n,b,Anomaly,bgl,p2\n");
        assert_eq!(questions.rejected.len() + questions.asked.len(), 2);
        let parsing = &questions.asked[0];
        assert_eq!((parsing.id.as_str(), parsing.system.as_str(), parsing.label.as_str()), ("p1", "hdfs", "a <*>"));
        assert!(parsing.instruction.starts_with("Give the template"));
    }

    #[test]
    fn templates_are_asked_about_by_their_gold_label() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let source = crate::workspace::ImportSource {
            name: "t.csv",
            bytes: b"dataset,id,template,label,gold\nbgl,1,a,normal,abnormal\nbgl,2,b,normal,\nspirit,1,c,normal,\n",
            format: None,
            dataset: None,
        };
        workspace.import(crate::workspace::ImportKind::Templates, source).unwrap();
        let all = of_project(&workspace, Chosen::default()).unwrap().asked;
        let labels: Vec<&str> = all.iter().map(|question| question.label.as_str()).collect();
        assert_eq!(labels, ["abnormal", "normal", "normal"]);
        let chosen = Chosen { dataset: Some("bgl"), limit: Some(1), ..Chosen::default() };
        let bgl = of_project(&workspace, chosen).unwrap();
        assert_eq!((bgl.asked.len(), bgl.beyond_limit), (1, 1));
        let one = of_project(&workspace, Chosen { id: Some("bgl/2"), ..Chosen::default() }).unwrap();
        assert_eq!(one.asked[0].input, "b");
        assert!(of_project(&workspace, Chosen { id: Some("1"), ..Chosen::default() }).is_err(), "two go by that id");
    }
}
