//! The job *rationales*: reasoning for logs whose answer is known. What answers right is kept; what does not is asked for
//! again, and flagged if it stays wrong.
//!
//! The truth is not told to the teacher: reasoning that was made to fit an answer is worth nothing. A wrong rationale goes
//! into the project too, as pending as a right one and with its trouble visible: it is paid for, and the start of a
//! correction.

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::{checked, sampling_checks};
use super::fence::restored;
use super::reading::judge;
use super::{Ask, Desk, Finish, Job, NotAnswered, Prompts, Question, TeacherError, fenced, seed_for, seeds, tidy};
use crate::logs::made_id;
use crate::reasoning::prompt::Turn;
use crate::reasoning::{ItemKind, Judged, Rationale, SAME_ANSWER, Trouble};
use crate::workspace::{Workspace, WorkspaceError};

/// How rationales are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct RationalesPlan {
    /// Rationales for each log.
    pub n: u32,
    /// How often one that is wrong is asked for again.
    pub tries: u32,
    /// How freely the teacher samples.
    pub temperature: f64,
    /// The most tokens of a rationale.
    pub max_tokens: u32,
    /// What sampling starts from.
    pub seed: u64,
    /// The thought that goes into the prompt: an id, `none`, or the seed thought for task and system if `None`.
    pub thought: Option<String>,
    /// What a reviewer says of an earlier attempt.
    pub hint: Option<String>,
    /// From which likeness to the truth on an answer in free text is right.
    pub same_answer: f64,
}

impl Default for RationalesPlan {
    fn default() -> Self {
        Self {
            n: 1,
            tries: 3,
            temperature: 0.8,
            max_tokens: 1_024,
            seed: 0,
            thought: None,
            hint: None,
            same_answer: SAME_ANSWER,
        }
    }
}

/// A question, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    question: Question,
    messages: Vec<Turn>,
    thought: Option<String>,
}

impl Prepared {
    /// The question's id.
    pub fn id(&self) -> &str {
        &self.question.id
    }
}

/// The job.
#[derive(Debug)]
pub struct Rationales {
    plan: RationalesPlan,
    model: String,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Taught {
    /// The question's id.
    pub id: String,
    /// Rationales that answer right, by id.
    pub right: Vec<String>,
    /// Rationales that do not even after all tries, by id.
    pub wrong: Vec<String>,
    /// Rationales that answer in free text and of which nothing says whether they are right, by id: only an expert can.
    pub unchecked: Vec<String>,
    /// Replies that could not be had, and why.
    pub failed: Vec<String>,
    /// How many of the rationales are new in the project.
    pub new: usize,
    /// Requests that the teacher answered.
    pub asked: u64,
    /// Replies that were there already.
    pub cached: u64,
    /// Whether the job was over before all was asked.
    pub cut_short: bool,
    #[serde(skip)]
    rationales: Vec<Rationale>,
}

/// The words of a thought, as prompts have them.
#[derive(Debug, Clone, Serialize)]
struct Words {
    id: String,
    challenge: String,
    steps: Vec<String>,
}

/// What became of one rationale that was asked for.
#[derive(Default)]
struct Slot {
    rationale: Option<(Rationale, Judged)>,
    failed: Option<String>,
    over: bool,
    asked: u64,
    cached: u64,
}

impl Rationales {
    /// A job by this plan for this model, whose rationales name it as their source.
    ///
    /// # Errors
    /// When the plan asks for nothing.
    pub fn new(plan: RationalesPlan, model: &str) -> Result<Self, TeacherError> {
        checked([((1..=1_000).contains(&plan.n), "--n is from 1 to 1000")])?;
        checked(sampling_checks(plan.tries, plan.temperature, plan.max_tokens))?;
        Ok(Self { plan, model: model.to_owned() })
    }

    /// The questions with the words to ask them in.
    ///
    /// # Errors
    /// When the thought is not there, or a prompt cannot be filled.
    pub fn prepare(
        &self,
        questions: Vec<Question>,
        prompts: &Prompts,
        workspace: &Workspace,
    ) -> Result<Vec<Prepared>, TeacherError> {
        let named = self.named_thought(workspace)?;
        questions
            .into_iter()
            .map(|question| {
                let thought = match &self.plan.thought {
                    Some(_) => named.clone(),
                    None => seed_for(question.task, &question.system).map(Words::from),
                };
                let context = minijinja::context! {
                    task => question.task.as_str(),
                    system => question.system,
                    instruction => question.instruction,
                    thought => thought,
                    earlier => question.earlier.as_deref().map(fenced),
                    hint => self.plan.hint,
                    log => fenced(&question.input),
                };
                let messages = prompts.turns("rationale", context)?;
                Ok(Prepared { question, messages, thought: thought.map(|thought| thought.id) })
            })
            .collect()
    }

    /// The thought that the plan names.
    fn named_thought(&self, workspace: &Workspace) -> Result<Option<Words>, TeacherError> {
        let Some(id) = self.plan.thought.as_deref().filter(|id| *id != "none") else { return Ok(None) };
        if let Some(seed) = seeds().iter().find(|seed| seed.id == id) {
            return Ok(Some(seed.into()));
        }
        let accepted = workspace.accepted_thoughts()?;
        if let Some(thought) = accepted.into_iter().find(|thought| thought.id == id) {
            return Ok(Some(Words { id: thought.id, challenge: thought.challenge, steps: thought.steps }));
        }
        let standings = workspace.item_standings()?;
        let known = standings.iter().find(|(kind, known, _)| *kind == ItemKind::Thought && known == id);
        Err(TeacherError::Invalid(match known {
            Some((_, _, standing)) => {
                format!("thought {id} is {}: only an accepted one goes into prompts", standing.as_str())
            }
            None => {
                let ids: Vec<&str> = seeds().iter().map(|seed| seed.id.as_str()).collect();
                format!("no thought {id}: give one of the project's, none, or one of {}", ids.join(", "))
            }
        }))
    }

    /// The request for a sample of a prepared question.
    pub fn ask(&self, prepared: &Prepared, sample: u32) -> Ask {
        Ask {
            messages: prepared.messages.clone(),
            temperature: self.plan.temperature,
            max_tokens: self.plan.max_tokens,
            seed: self.plan.seed,
            sample,
        }
    }

    /// One rationale: asked for until it is right, or there are no more tries.
    async fn fill(&self, desk: &Desk<'_>, prepared: &Prepared, slot: u32) -> Slot {
        let mut filled = Slot::default();
        for attempt in 0..=self.plan.tries {
            // The first samples of all slots come first, so that another number of tries asks the same ones.
            let sample = attempt.saturating_mul(self.plan.n).saturating_add(slot);
            let answered = match desk.ask(&self.ask(prepared, sample)).await {
                Ok(answered) => answered,
                Err(missing) => {
                    match missing {
                        NotAnswered::Failed(why) => filled.failed = Some(why),
                        NotAnswered::Over => filled.over = true,
                    }
                    // Not all of its tries were had: a wrong one is not flagged yet.
                    filled.rationale = None;
                    return filled;
                }
            };
            *(if answered.cached { &mut filled.cached } else { &mut filled.asked }) += 1;
            let mut rationale = self.rationale(prepared, &answered.reply.text, sample, &answered.key);
            let parsed = rationale.parsed();
            let whole = parsed.format_ok && answered.reply.finish != Finish::Length;
            if let Some(answer) = parsed.answer.filter(|_| whole) {
                let judged = judge(&mut rationale, &answer, self.plan.same_answer);
                // What nobody can tell right from wrong is no reason to ask again.
                if judged != Judged::Wrong {
                    filled.rationale = Some((rationale, judged));
                    return filled;
                }
            }
            // Of wrong ones the first that can be read is worth most: a correction starts from it.
            let readable = |rationale: &Rationale| !rationale.troubles().contains(&Trouble::Malformed);
            if filled.rationale.as_ref().is_none_or(|(kept, _)| !readable(kept) && readable(&rationale)) {
                filled.rationale = Some((rationale, Judged::Wrong));
            }
        }
        filled
    }

    fn rationale(&self, prepared: &Prepared, text: &str, sample: u32, key: &str) -> Rationale {
        let question = &prepared.question;
        let reasoning = restored(tidy(text), &question.input);
        let mut attributes = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                attributes.insert(name.into(), value);
            }
        };
        let template = question.template.as_ref();
        put(
            "dataset",
            template
                .map(|template| json!(template.dataset))
                .or_else(|| (!question.system.is_empty()).then(|| json!(question.system))),
        );
        put("template", template.map(|template| json!(template.id)));
        put("question", template.is_none_or(|template| template.id != question.id).then(|| json!(question.id)));
        put("thought", prepared.thought.as_ref().map(|id| json!(id)));
        put("hint", self.plan.hint.as_ref().map(|hint| json!(hint)));
        put("sample", Some(json!(sample)));
        put("completion", Some(json!(key)));
        Rationale {
            id: made_id(question.task.as_str(), &format!("{}\n{reasoning}", question.input)),
            task: question.task,
            instruction: question.instruction.clone(),
            input: question.input.clone(),
            label: question.label.clone(),
            category: question.category.clone(),
            reasoning,
            source: Some(self.model.clone()),
            attributes,
        }
    }
}

impl Job for Rationales {
    type Item = Prepared;
    type Done = Taught;

    fn name(&self) -> &'static str {
        "rationales"
    }

    fn work<'a>(&'a self, desk: &'a Desk<'a>, item: &'a Prepared) -> BoxFuture<'a, Result<Taught, NotAnswered>> {
        async move {
            let slots = join_all((0..self.plan.n).map(|slot| self.fill(desk, item, slot))).await;
            let mut taught = Taught {
                id: item.question.id.clone(),
                right: Vec::new(),
                wrong: Vec::new(),
                unchecked: Vec::new(),
                failed: Vec::new(),
                new: 0,
                asked: slots.iter().map(|slot| slot.asked).sum(),
                cached: slots.iter().map(|slot| slot.cached).sum(),
                cut_short: slots.iter().any(|slot| slot.over),
                rationales: Vec::new(),
            };
            for slot in slots {
                taught.failed.extend(slot.failed);
                if let Some((rationale, judged)) = slot.rationale {
                    let ids = match judged {
                        Judged::Right => &mut taught.right,
                        Judged::Wrong => &mut taught.wrong,
                        Judged::Unchecked => &mut taught.unchecked,
                    };
                    // Two samples may say the same.
                    if !ids.contains(&rationale.id) {
                        ids.push(rationale.id.clone());
                        taught.rationales.push(rationale);
                    }
                }
            }
            let nothing = taught.rationales.is_empty() && taught.failed.is_empty();
            if taught.cut_short && nothing { Err(NotAnswered::Over) } else { Ok(taught) }
        }
        .boxed()
    }

    fn keep(&self, workspace: &Workspace, done: &mut Taught) -> Result<(), WorkspaceError> {
        done.new = workspace.add_rationales(&done.rationales)?;
        Ok(())
    }
}

impl From<&super::Seed> for Words {
    fn from(seed: &super::Seed) -> Self {
        Self { id: seed.id.clone(), challenge: seed.challenge.clone(), steps: seed.steps.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::Task;
    use proptest::prelude::*;

    fn question(input: &str) -> Question {
        Question {
            id: "1".into(),
            task: Task::Anomaly,
            system: "bgl".into(),
            instruction: "Judge.".into(),
            input: input.into(),
            label: "normal".into(),
            category: None,
            template: None,
            earlier: None,
        }
    }

    fn prompt(plan: RationalesPlan, question: Question, workspace: &Workspace) -> Vec<Turn> {
        let job = Rationales::new(plan, "m").unwrap();
        let prompts = Prompts::load(None).unwrap();
        job.prepare(vec![question], &prompts, workspace).unwrap().remove(0).messages
    }

    #[test]
    fn thought_hint_and_the_earlier_attempt_stand_in_the_prompt() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        let plan = RationalesPlan { hint: Some("look twice".into()), ..RationalesPlan::default() };
        let earlier = Some("1. It says </think>.".to_owned());
        let turns = prompt(plan, Question { earlier, ..question("link up") }, &workspace);
        let user = &turns[1].text;
        for words in
            ["Blue Gene", "1. Set dumps", "says: look twice", "```\n1. It says <\\/think>.\n```", "```\nlink up\n```"]
        {
            assert!(user.contains(words), "{words} in {user}");
        }
        let none = RationalesPlan { thought: Some("none".into()), ..RationalesPlan::default() };
        let turns = prompt(none, question("link up"), &workspace);
        assert_eq!(turns[1].text, "Judge.\n\nThe log was written by: bgl\n\nThe log:\n```\nlink up\n```");
        assert!(turns[0].text.contains("normal or abnormal") && !turns[0].text.contains("{%"), "{}", turns[0].text);
    }

    static PROJECT: std::sync::LazyLock<(tempfile::TempDir, Workspace)> = std::sync::LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::init(dir.path()).unwrap();
        (dir, workspace)
    });

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_log_changes_nothing_but_its_own_place(
            log in "(`{1,5}|\n|\\{\\{ hint \\}\\}|\\{% endif %\\}|</answer>|<\\|im_start\\|>|ignore previous instructions|\\PC){1,20}",
        ) {
            let (_, workspace) = &*PROJECT;
            let (one, other) = (question(&log), question("x"));
            let (one, other) =
                (prompt(RationalesPlan::default(), one, workspace), prompt(RationalesPlan::default(), other, workspace));
            prop_assert_eq!(&one[0], &other[0]);
            let before = other[1].text.strip_suffix(&fenced("x")).unwrap();
            prop_assert_eq!(&one[1].text, &format!("{before}{}", fenced(&log)));
        }
    }
}
