//! The job *corrections*: for a trajectory that answers wrongly, the first wrong step, why it is wrong, and how it goes on
//! instead; what comes of it is a preference pair that waits for review.
//!
//! A reply that makes no pair is told why and asked for again, as the next turn of the same conversation, so that asking again
//! is another question and the first one stays paid for.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::error::{checked, sampling_checks};
use super::{Ask, Desk, Finish, Job, NotAnswered, Prompts, TeacherError, WrongTrajectory, fenced};
use crate::reasoning::prompt::{Speaker, Turn};
use crate::reasoning::{Correction, CorrectionError, Judged, Pair, SAME_ANSWER, parse};
use crate::workspace::{Workspace, WorkspaceError};

/// How corrections are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrectionsPlan {
    /// How often one that makes no pair is asked for again.
    pub tries: u32,
    /// How freely the teacher samples.
    pub temperature: f64,
    /// The most tokens of a reply.
    pub max_tokens: u32,
    /// What sampling starts from.
    pub seed: u64,
    /// From which likeness to the truth on an answer in free text is right.
    pub same_answer: f64,
}

impl Default for CorrectionsPlan {
    fn default() -> Self {
        Self { tries: 3, temperature: 0.2, max_tokens: 1_024, seed: 0, same_answer: SAME_ANSWER }
    }
}

/// A wrong trajectory, ready to be asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct ToCorrect {
    wrong: WrongTrajectory,
    messages: Vec<Turn>,
}

impl ToCorrect {
    /// The trajectory's id.
    pub fn id(&self) -> &str {
        &self.wrong.rationale.id
    }
}

/// The job.
#[derive(Debug)]
pub struct Corrections {
    plan: CorrectionsPlan,
    model: String,
}

/// What came of a wrong trajectory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Corrected {
    /// The trajectory's id.
    pub id: String,
    /// The pair that was made, if any.
    pub pair: Option<String>,
    /// Its first wrong step.
    pub first_wrong_step: Option<usize>,
    /// Why that is wrong, in the teacher's words.
    pub why: Option<String>,
    /// What did not hold of the replies that made none, in order.
    pub complaints: Vec<String>,
    /// Whether the pair is new in the project.
    pub new: bool,
    /// Requests that the teacher answered.
    pub asked: u64,
    /// Replies that were there already.
    pub cached: u64,
    #[serde(skip)]
    made: Option<Pair>,
}

impl Corrections {
    /// A job by this plan for this model, whom the pairs name.
    ///
    /// # Errors
    /// When the plan cannot be followed.
    pub fn new(plan: CorrectionsPlan, model: &str) -> Result<Self, TeacherError> {
        checked(sampling_checks(plan.tries, plan.temperature, plan.max_tokens))?;
        Ok(Self { plan, model: model.to_owned() })
    }

    /// The trajectories with the words to ask about them in.
    ///
    /// # Errors
    /// When a prompt cannot be filled.
    pub fn prepare(&self, wrong: Vec<WrongTrajectory>, prompts: &Prompts) -> Result<Vec<ToCorrect>, TeacherError> {
        let one = |wrong: WrongTrajectory| {
            let rationale = &wrong.rationale;
            let parsed = parse(&rationale.reasoning);
            // Numbered here, whatever numbers they bear themselves: the reply counts them.
            let steps: Vec<String> =
                (1..).zip(&parsed.steps).map(|(number, step)| format!("[step {number}] {}", step.text)).collect();
            let system = rationale.attributes.get("dataset").and_then(|dataset| dataset.as_str()).unwrap_or_default();
            let context = minijinja::context! {
                task => rationale.task.as_str(),
                system => system,
                instruction => rationale.instruction,
                log => fenced(&rationale.input),
                steps => fenced(&steps.join("\n")),
                wrong => fenced(parsed.answer.as_deref().unwrap_or_default()),
                truth => rationale.label,
                marked => wrong.marked,
            };
            let messages = prompts.turns("correction", context)?;
            Ok(ToCorrect { wrong, messages })
        };
        wrong.into_iter().map(one).collect()
    }

    /// The first request about a trajectory.
    pub fn ask(&self, item: &ToCorrect) -> Ask {
        self.request(item.messages.clone())
    }

    fn request(&self, messages: Vec<Turn>) -> Ask {
        let CorrectionsPlan { temperature, max_tokens, seed, .. } = self.plan;
        Ask { messages, temperature, max_tokens, seed, sample: 0 }
    }

    fn pair(&self, item: &ToCorrect, text: &str, finish: Finish) -> Result<(Correction, Pair), String> {
        let correction = Correction::read(text).map_err(|error| match (&error, finish) {
            (CorrectionError::Form(_), Finish::Length) => "the reply was cut off at the most tokens".to_owned(),
            _ => error.to_string(),
        })?;
        if let Some(marked) = item.wrong.marked.filter(|marked| *marked != correction.first_wrong_step) {
            return Err(format!("a reviewer has marked step {marked} as the first wrong one"));
        }
        let rationale = &item.wrong.rationale;
        if rationale.task.judge(&correction.answer, &rationale.label, self.plan.same_answer) == Judged::Wrong {
            return Err(CorrectionError::Answer(correction.answer, rationale.label.clone()).to_string());
        }
        let pair = correction.pair(&item.wrong.rationale, &self.model).map_err(|error| error.to_string())?;
        Ok((correction, pair))
    }

    async fn correct(&self, desk: &Desk<'_>, item: &ToCorrect) -> Result<Corrected, NotAnswered> {
        let mut corrected = Corrected {
            id: item.id().to_owned(),
            pair: None,
            first_wrong_step: None,
            why: None,
            complaints: Vec::new(),
            new: false,
            asked: 0,
            cached: 0,
            made: None,
        };
        let mut messages = item.messages.clone();
        for _ in 0..=self.plan.tries {
            let answered = desk.ask(&self.request(messages.clone())).await?;
            *(if answered.cached { &mut corrected.cached } else { &mut corrected.asked }) += 1;
            let reply = answered.reply;
            match self.pair(item, &reply.text, reply.finish) {
                Ok((correction, pair)) => {
                    corrected.first_wrong_step = Some(correction.first_wrong_step);
                    corrected.why = Some(correction.why);
                    corrected.pair = Some(pair.id.clone());
                    corrected.made = Some(pair);
                    break;
                }
                Err(why) => {
                    // Only the last reply goes along: what was wrong before it is not wrong in it.
                    messages.truncate(item.messages.len());
                    messages.push(Turn { speaker: Speaker::Assistant, text: reply.text });
                    let text = format!(
                        "That cannot be used: {why}. Reply again, with the whole JSON object and nothing else."
                    );
                    messages.push(Turn { speaker: Speaker::User, text });
                    corrected.complaints.push(why);
                }
            }
        }
        Ok(corrected)
    }
}

impl Job for Corrections {
    type Item = ToCorrect;
    type Done = Corrected;

    fn name(&self) -> &'static str {
        "corrections"
    }

    fn work<'a>(&'a self, desk: &'a Desk<'a>, item: &'a ToCorrect) -> BoxFuture<'a, Result<Corrected, NotAnswered>> {
        self.correct(desk, item).boxed()
    }

    fn keep(&self, workspace: &Workspace, done: &mut Corrected) -> Result<(), WorkspaceError> {
        if let Some(pair) = &done.made {
            done.new = workspace.add_pairs(std::slice::from_ref(pair))? > 0;
        }
        Ok(())
    }
}
