//! The job *imitate*: a tuned model solves questions whose answer is known, several times each. What is right becomes
//! rationales that wait for review; what is wrong goes into the project too, with its trouble visible, as the start of
//! corrections (LogReasoner's imitation learning).

use std::collections::HashSet;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;
use serde_json::{Map, json};

use super::error::checked;
use super::questions::of_rationale;
use super::reading::judge;
use super::{Ask, Desk, Job, NotAnswered, Question, TeacherError, tidy};
use crate::logs::{TemplateKey, made_id};
use crate::reasoning::prompt::{AnomalyPrompt, Turn, ask};
use crate::reasoning::{Judged, Rationale, SAME_ANSWER, Task};
use crate::workspace::{Workspace, WorkspaceError};

/// How solutions are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct ImitatePlan {
    /// Solutions of each question.
    pub n: u32,
    /// How freely the model samples.
    pub temperature: f64,
    /// The most tokens of a solution.
    pub max_tokens: u32,
    /// What sampling starts from.
    pub seed: u64,
    /// From which likeness to the truth on an answer in free text is right.
    pub same_answer: f64,
}

impl Default for ImitatePlan {
    fn default() -> Self {
        Self { n: 4, temperature: 0.8, max_tokens: 384, seed: 0, same_answer: SAME_ANSWER }
    }
}

/// A question, ready to be solved.
#[derive(Debug, Clone, PartialEq)]
pub struct ToSolve {
    question: Question,
    messages: Vec<Turn>,
}

impl ToSolve {
    /// The question's id.
    pub fn id(&self) -> &str {
        &self.question.id
    }
}

/// The job.
#[derive(Debug)]
pub struct Imitate {
    plan: ImitatePlan,
    source: String,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Solved {
    /// The question's id.
    pub id: String,
    /// Solutions that are right, by the id of their rationale.
    pub right: Vec<String>,
    /// Solutions that are wrong, by the id of their rationale: they wait for a correction.
    pub wrong: Vec<String>,
    /// Solutions in free text of which nothing says whether they are right, by the id of their rationale: only an expert can.
    pub unchecked: Vec<String>,
    /// Solutions that cannot be read as steps and an answer; nothing is kept of them.
    pub malformed: usize,
    /// Solutions that could not be had, and why.
    pub failed: Vec<String>,
    /// How many of the rationales are new in the project.
    pub new: usize,
    /// Solutions that were written.
    pub asked: u64,
    /// Solutions that were there already.
    pub cached: u64,
    #[serde(skip)]
    rationales: Vec<Rationale>,
}

impl Imitate {
    /// A job by this plan, whose rationales name `source` – the run – as theirs.
    ///
    /// # Errors
    /// When the plan asks for nothing.
    pub fn new(plan: ImitatePlan, source: &str) -> Result<Self, TeacherError> {
        checked([
            ((1..=1_000).contains(&plan.n), "--n is from 1 to 1000"),
            ((0.0..=10.0).contains(&plan.temperature), "--temperature is from 0 to 10"),
            (plan.n == 1 || plan.temperature > 0.0, "--n above 1 needs a --temperature above 0: all would be the same"),
            (plan.max_tokens >= 1, "--max-tokens is at least 1"),
        ])?;
        Ok(Self { plan, source: source.to_owned() })
    }

    /// The questions in the words that the model learnt them in.
    ///
    /// # Errors
    /// When the prompt is not valid.
    pub fn prepare(&self, questions: Vec<Question>) -> Result<Vec<ToSolve>, TeacherError> {
        let prompt = AnomalyPrompt::default();
        let one = |question: Question| {
            let messages = ask(question.task, &question.instruction, &question.input, &prompt)
                .map_err(|error| TeacherError::Invalid(error.to_string()))?;
            Ok(ToSolve { question, messages })
        };
        questions.into_iter().map(one).collect()
    }

    /// The request for a solution of a question.
    pub fn ask(&self, item: &ToSolve, sample: u32) -> Ask {
        let ImitatePlan { temperature, max_tokens, seed, .. } = self.plan;
        Ask { messages: item.messages.clone(), temperature, max_tokens, seed, sample }
    }

    fn rationale(&self, question: &Question, reasoning: String, sample: usize) -> Rationale {
        let mut attributes = Map::new();
        if let Some(TemplateKey { dataset, id }) = &question.template {
            attributes.insert("dataset".into(), json!(dataset));
            attributes.insert("template".into(), json!(id));
        } else if !question.system.is_empty() {
            attributes.insert("dataset".into(), json!(question.system));
        }
        attributes.insert("sample".into(), json!(sample));
        Rationale {
            id: made_id(question.task.as_str(), &format!("{}\n{reasoning}", question.input)),
            task: question.task,
            instruction: question.instruction.clone(),
            input: question.input.clone(),
            label: question.label.clone(),
            category: question.category.clone(),
            reasoning,
            source: Some(self.source.clone()),
            attributes,
        }
    }

    async fn solve(&self, desk: &Desk<'_>, item: &ToSolve) -> Result<Solved, NotAnswered> {
        let asks: Vec<Ask> = (0..self.plan.n).map(|sample| self.ask(item, sample)).collect();
        let replies = join_all(asks.iter().map(|ask| desk.ask(ask))).await;
        let mut solved = Solved {
            id: item.question.id.clone(),
            right: Vec::new(),
            wrong: Vec::new(),
            unchecked: Vec::new(),
            malformed: 0,
            failed: Vec::new(),
            new: 0,
            asked: 0,
            cached: 0,
            rationales: Vec::new(),
        };
        let mut seen = HashSet::new();
        for (sample, reply) in replies.into_iter().enumerate() {
            let answered = match reply {
                Ok(answered) => answered,
                Err(NotAnswered::Failed(why)) => {
                    solved.failed.push(why);
                    continue;
                }
                // What was written is kept, and found again when the command is given again.
                Err(NotAnswered::Over) => return Err(NotAnswered::Over),
            };
            *(if answered.cached { &mut solved.cached } else { &mut solved.asked }) += 1;
            let mut rationale = self.rationale(&item.question, tidy(&answered.reply.text), sample);
            let parsed = rationale.parsed();
            let answer = parsed.answer.as_deref().filter(|_| parsed.format_ok);
            match answer.map(|answer| judge(&mut rationale, answer, self.plan.same_answer)) {
                None => solved.malformed += 1,
                Some(judged) if seen.insert(rationale.id.clone()) => {
                    let ids = match judged {
                        Judged::Right => &mut solved.right,
                        Judged::Wrong => &mut solved.wrong,
                        Judged::Unchecked => &mut solved.unchecked,
                    };
                    ids.push(rationale.id.clone());
                    solved.rationales.push(rationale);
                }
                // Two samples may say the same.
                Some(_) => {}
            }
        }
        Ok(solved)
    }
}

impl Job for Imitate {
    type Item = ToSolve;
    type Done = Solved;

    fn name(&self) -> &'static str {
        "imitate"
    }

    fn work<'a>(&'a self, desk: &'a Desk<'a>, item: &'a ToSolve) -> BoxFuture<'a, Result<Solved, NotAnswered>> {
        self.solve(desk, item).boxed()
    }

    fn keep(&self, workspace: &Workspace, done: &mut Solved) -> Result<(), WorkspaceError> {
        done.new = workspace.add_rationales(&done.rationales)?;
        Ok(())
    }
}

/// The logs of the project's rationales as questions, each once, with the truth as it is held now.
///
/// # Errors
/// When the store cannot be read.
pub fn questions_of_rationales(workspace: &Workspace) -> Result<Vec<Question>, TeacherError> {
    let gold = workspace.gold_by_text()?;
    let mut seen: HashSet<(Task, String)> = HashSet::new();
    let mut questions = Vec::new();
    for rationale in workspace.rationales()? {
        if seen.insert((rationale.task, rationale.input.clone())) {
            questions.push(of_rationale(rationale, &gold));
        }
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::teacher::{
        Corrections, CorrectionsPlan, Finish, Miss, Outcome, Prompts, Reply, Teacher, Terms, Wrong, WrongOnes, run,
    };

    const RIGHT: &str = "<think>1. The fan stopped.\n2. It should not.</think><answer>true</answer>";
    const WRONG: &str = "<think>1. The fan stopped.\n2. Fans do.</think><answer>false</answer>";
    const CORRECTION: &str = r#"{"first_wrong_step": 2, "why": "They do not.", "revision": ["But wait, nothing told it to.",
        "Leaving that out, it is broken."], "answer": "true"}"#;

    /// Says one thing after another, by the sample that is asked for.
    struct Scripted(Vec<&'static str>);

    impl Teacher for Scripted {
        fn model(&self) -> &str {
            "scripted"
        }

        fn place(&self) -> String {
            "here".into()
        }

        fn ask<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Reply, Miss>> {
            let text = self.0[ask.sample as usize % self.0.len()].to_owned();
            async { Ok(Reply { text, usage: None, finish: Finish::Stop }) }.boxed()
        }
    }

    fn terms() -> Terms {
        Terms::free(4, Duration::from_secs(60))
    }

    #[test]
    fn right_solutions_become_rationales_and_wrong_ones_the_start_of_corrections() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let question = Question {
            id: "q1".into(),
            task: Task::FailurePrediction,
            system: "bgl".into(),
            instruction: "Does it foretell a failure?".into(),
            input: "fan 3 stopped".into(),
            label: "true".into(),
            category: None,
            template: None,
            earlier: None,
        };
        let job = Imitate::new(ImitatePlan { n: 5, ..ImitatePlan::default() }, "run-1").unwrap();
        let items = job.prepare(vec![question]).unwrap();
        let model = Scripted(vec![RIGHT, WRONG, "nonsense", RIGHT, "<think>1. It goes on and on"]);
        let ran = run(&job, &items, &model, &terms(), &workspace, &|| false, &mut |_| {}).unwrap();
        let [Outcome::Done(solved)] = &ran.outcomes[..] else { panic!("{:?}", ran.outcomes) };
        assert_eq!((solved.right.len(), solved.wrong.len(), solved.malformed, solved.new), (1, 1, 2, 2));
        let kept = workspace.rationales().unwrap();
        assert!(kept.iter().all(|rationale| rationale.source.as_deref() == Some("run-1")));

        let wrong = Wrong::of_project(&workspace, WrongOnes::default()).unwrap();
        assert_eq!(
            wrong.found.iter().map(|one| &one.rationale.id).collect::<Vec<_>>(),
            solved.wrong.iter().collect::<Vec<_>>()
        );
        let job = Corrections::new(CorrectionsPlan::default(), "scripted").unwrap();
        let items = job.prepare(wrong.found, &Prompts::load(None).unwrap()).unwrap();
        let teacher = Scripted(vec![CORRECTION]);
        let ran = run(&job, &items, &teacher, &terms(), &workspace, &|| false, &mut |_| {}).unwrap();
        assert!(matches!(&ran.outcomes[..], [Outcome::Done(one)] if one.new), "{:?}", ran.outcomes);
        let pairs = workspace.pairs().unwrap();
        assert!(pairs[0].check().all() && pairs[0].rejected == WRONG);
        assert_eq!(Wrong::of_project(&workspace, WrongOnes::default()).unwrap().corrected, 1);
    }

    #[test]
    fn free_text_is_right_by_likeness_and_without_a_reference_unchecked() {
        const CAUSES: [&str; 2] = [
            "<think>1. No current.\n2. So.</think><answer>a power supply failure</answer>",
            "<think>1. It is hot.\n2. So.</think><answer>the fan failed</answer>",
        ];
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let question = |id: &str, input: &str, label: &str| Question {
            id: id.into(),
            task: Task::RootCause,
            system: "switch".into(),
            instruction: "Name the root cause.".into(),
            input: input.into(),
            label: label.into(),
            category: None,
            template: None,
            earlier: None,
        };
        let job = Imitate::new(ImitatePlan { n: 2, ..ImitatePlan::default() }, "run-1").unwrap();
        let known = question("known", "board off", "Power supply abnormal.");
        let items = job.prepare(vec![known, question("unknown", "board on", "")]).unwrap();
        let model = Scripted(CAUSES.to_vec());
        let ran = run(&job, &items, &model, &terms(), &workspace, &|| false, &mut |_| {}).unwrap();
        let [Outcome::Done(known), Outcome::Done(unknown)] = &ran.outcomes[..] else { panic!("{:?}", ran.outcomes) };
        assert_eq!((known.right.len(), known.wrong.len(), known.unchecked.len()), (1, 1, 0));
        assert_eq!((unknown.right.len(), unknown.wrong.len(), unknown.unchecked.len()), (0, 0, 2));
        let kept = workspace.rationales().unwrap();
        let noted =
            |id: &String, name: &str| kept.iter().find(|one| one.id == *id).unwrap().attributes.get(name).cloned();
        assert_eq!(noted(&known.right[0], "answer_likeness"), Some(json!(0.571)));
        assert_eq!(noted(&unknown.unchecked[0], "answer_unchecked"), Some(json!(true)));
        assert!(workspace.accepted_rationales().unwrap().is_empty(), "nothing trains before somebody accepts it");
        // The wrong one alone is there to correct, and a correction must come to the cause.
        let wrong = Wrong::of_project(&workspace, WrongOnes::default()).unwrap();
        assert_eq!(wrong.found.iter().map(|one| one.rationale.id.as_str()).collect::<Vec<_>>(), [&known.wrong[0]]);
        let correction = |answer: &str| {
            let reply = CORRECTION.replace(r#""answer": "true""#, &format!(r#""answer": "{answer}""#));
            Scripted(vec![Box::leak(reply.into_boxed_str())])
        };
        let job = Corrections::new(CorrectionsPlan { tries: 0, ..CorrectionsPlan::default() }, "scripted").unwrap();
        let items = job.prepare(wrong.found, &Prompts::load(None).unwrap()).unwrap();
        let mut made = Vec::new();
        for (folder, answer) in [("x", "the disk is full"), ("y", "the power supply failed")] {
            // Another project: what was replied in this one is kept.
            let other = Workspace::init(&dir.path().join(folder)).unwrap();
            let ran = run(&job, &items, &correction(answer), &terms(), &other, &|| false, &mut |_| {}).unwrap();
            let [Outcome::Done(one)] = &ran.outcomes[..] else { panic!("{:?}", ran.outcomes) };
            made.push((one.pair.is_some(), one.complaints.first().cloned().unwrap_or_default()));
        }
        assert!(!made[0].0 && made[0].1.contains("the disk is full"), "{made:?}");
        assert!(made[1].0, "{made:?}");
    }

    #[test]
    fn a_plan_that_asks_for_the_same_again_and_again_is_refused() {
        for plan in [
            ImitatePlan { n: 0, ..ImitatePlan::default() },
            ImitatePlan { n: 2, temperature: 0.0, ..ImitatePlan::default() },
            ImitatePlan { max_tokens: 0, ..ImitatePlan::default() },
        ] {
            assert!(Imitate::new(plan, "run").is_err());
        }
    }
}
