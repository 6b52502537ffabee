//! The job *thoughts*: what somebody did on one case becomes what to do on any case of its kind.
//!
//! Raw analyses come from a handbook's cases and from the project's own right reasoning ([`from_cases`], [`from_tasks`]); a
//! determinantal point process chooses those that differ most ([`select`]), before anything is paid for; and the teacher distils
//! each to a challenge and steps. A reply that is not of that form, or in which a number, host or path of the case survives, is
//! asked for again with what was wrong; a thought that still names its case goes into the project flagged.

mod analyses;
mod overview;
mod reply;
mod selection;

pub use analyses::{Analyses, Analysis, Excluded, FEWEST_STEPS, FEWEST_WORDS, from_cases, from_tasks};
pub use overview::{
    Overview, TSNE_MOST, alike, alike_of, meaning, nearest_by_words, points, same_by_meaning, same_by_words,
    step_counts,
};
pub use selection::{Picked, select};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, json};

use super::{Ask, Desk, Finish, Job, NotAnswered, Prompts, TeacherError, fenced, seeds};
use crate::logs::made_id;
use crate::reasoning::Thought;
use crate::reasoning::prompt::{Speaker, Turn};
use crate::teacher::error::{checked, sampling_checks};
use crate::workspace::{Workspace, WorkspaceError};

/// Bytes of a reply that are shown to the teacher again, to say what was wrong with it.
const REPLY_SHOWN: usize = 4_000;

/// The name of the attribute that holds what survives of the case in a thought.
pub const DETAILS: &str = "instance_details";

/// How thoughts are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ThoughtsPlan {
    /// How often one that is wrong is asked for again.
    pub tries: u32,
    /// How freely the teacher samples.
    pub temperature: f64,
    /// The most tokens of a thought.
    pub max_tokens: u32,
    /// What sampling starts from.
    pub seed: u64,
}

impl Default for ThoughtsPlan {
    fn default() -> Self {
        Self { tries: 3, temperature: 0.8, max_tokens: 512, seed: 0 }
    }
}

/// The job.
#[derive(Debug)]
pub struct Thoughts {
    plan: ThoughtsPlan,
    model: String,
}

/// A chosen analysis with the words to ask in.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedThought {
    picked: Picked,
    messages: Vec<Turn>,
}

/// What came of an analysis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thinking {
    /// Where the analysis is from.
    pub source: String,
    /// As which it was chosen, from 1.
    pub order: usize,
    /// The thought's id.
    pub id: String,
    /// What of the case survives in it, after all tries.
    pub details: Vec<String>,
    /// Whether the thought is new in the project.
    pub new: bool,
    /// Requests that the teacher answered.
    pub asked: u64,
    /// Replies that were there already.
    pub cached: u64,
    #[serde(skip)]
    thought: Thought,
}

impl Thoughts {
    /// A job by this plan for this model, which the thoughts name as their source.
    ///
    /// # Errors
    /// When the plan asks for nothing.
    pub fn new(plan: ThoughtsPlan, model: &str) -> Result<Self, TeacherError> {
        checked(sampling_checks(plan.tries, plan.temperature, plan.max_tokens))?;
        Ok(Self { plan, model: model.to_owned() })
    }

    /// The analyses with the words to ask them in.
    ///
    /// # Errors
    /// When a prompt cannot be filled.
    pub fn prepare(&self, picked: Vec<Picked>, prompts: &Prompts) -> Result<Vec<PreparedThought>, TeacherError> {
        picked
            .into_iter()
            .map(|picked| {
                let context = minijinja::context! {
                    task => picked.analysis.task.as_str(),
                    problem => fenced(&picked.analysis.problem),
                    analysis => fenced(&picked.analysis.analysis),
                };
                Ok(PreparedThought { messages: prompts.turns("thought", context)?, picked })
            })
            .collect()
    }

    /// The first request for a prepared analysis.
    pub fn ask(&self, prepared: &PreparedThought) -> Ask {
        self.ask_with(prepared.messages.clone(), 0)
    }

    fn ask_with(&self, messages: Vec<Turn>, sample: u32) -> Ask {
        let ThoughtsPlan { temperature, max_tokens, seed, .. } = self.plan;
        Ask { messages, temperature, max_tokens, seed, sample }
    }

    async fn distil(&self, desk: &Desk<'_>, prepared: &PreparedThought) -> Result<Thinking, NotAnswered> {
        let analysis = &prepared.picked.analysis;
        let case = format!("{}\n{}", analysis.problem, analysis.analysis);
        let mut messages = prepared.messages.clone();
        let (mut asked, mut cached) = (0, 0);
        let mut flagged: Option<Thinking> = None;
        let mut wrong = String::new();
        for attempt in 0..=self.plan.tries {
            let answered = match desk.ask(&self.ask_with(messages, attempt)).await {
                Ok(answered) => answered,
                Err(NotAnswered::Failed(why)) => {
                    wrong = why;
                    break;
                }
                // Not all tries were had: nothing is flagged yet.
                Err(NotAnswered::Over) => return Err(NotAnswered::Over),
            };
            *(if answered.cached { &mut cached } else { &mut asked }) += 1;
            let read = match answered.reply.finish {
                Finish::Length => Err("The reply was cut off: be shorter.".to_owned()),
                Finish::Stop | Finish::Other => reply::read(&answered.reply.text),
            };
            let complaint = match read {
                Err(why) => {
                    wrong.clone_from(&why);
                    why
                }
                Ok(distilled) => {
                    let details = reply::details(&distilled, &case);
                    let whole = details.is_empty();
                    let names = fenced(&details.join("\n"));
                    let thinking = self.thinking(prepared, distilled, details, &answered.key);
                    if whole {
                        return Ok(Thinking { asked, cached, ..thinking });
                    }
                    // Of those that name their case, the one that names least of it.
                    if flagged.as_ref().is_none_or(|kept| thinking.details.len() < kept.details.len()) {
                        flagged = Some(thinking);
                    }
                    format!("Details of the case are left in it:\n{names}")
                }
            };
            messages = prepared.messages.clone();
            let shown = beginning(&answered.reply.text, REPLY_SHOWN).to_owned();
            messages.push(Turn { speaker: Speaker::Assistant, text: shown });
            let text =
                format!("{complaint}\nReply again, in the form that was asked for and with no detail of the case.");
            messages.push(Turn { speaker: Speaker::User, text });
        }
        match flagged {
            Some(thinking) => Ok(Thinking { asked, cached, ..thinking }),
            None => Err(NotAnswered::Failed(format!("{}: {wrong}", analysis.source))),
        }
    }

    fn thinking(
        &self,
        prepared: &PreparedThought,
        distilled: reply::Distilled,
        details: Vec<String>,
        completion: &str,
    ) -> Thinking {
        let Picked { analysis, order, gain } = &prepared.picked;
        let reply::Distilled { challenge, steps } = distilled;
        let mut attributes = Map::new();
        attributes.insert("source".into(), json!(self.model));
        attributes.insert("from".into(), json!(analysis.source));
        attributes.insert("dpp_order".into(), json!(order));
        attributes.insert("dpp_gain".into(), json!(gain));
        attributes.insert("completion".into(), json!(completion));
        if !details.is_empty() {
            attributes.insert(DETAILS.into(), json!(details));
        }
        let id = made_id(analysis.task.as_str(), &format!("{challenge}\n{}", steps.join("\n")));
        let thought = Thought {
            id: id.clone(),
            task: analysis.task,
            problem: analysis.problem.clone(),
            analysis: analysis.analysis.clone(),
            challenge,
            steps,
            attributes,
        };
        let source = analysis.source.clone();
        Thinking { source, order: *order, id, details, new: false, asked: 0, cached: 0, thought }
    }
}

impl Job for Thoughts {
    type Item = PreparedThought;
    type Done = Thinking;

    fn name(&self) -> &'static str {
        "thoughts"
    }

    fn work<'a>(
        &'a self,
        desk: &'a Desk<'a>,
        item: &'a PreparedThought,
    ) -> BoxFuture<'a, Result<Thinking, NotAnswered>> {
        self.distil(desk, item).boxed()
    }

    fn keep(&self, workspace: &Workspace, done: &mut Thinking) -> Result<(), WorkspaceError> {
        done.new = workspace.add_thoughts(std::slice::from_ref(&done.thought))? > 0;
        Ok(())
    }
}

/// At most so many bytes of a text, of whole characters.
fn beginning(text: &str, bytes: usize) -> &str {
    let longest = text.len().min(bytes);
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    &text[..end]
}

/// The thoughts that come with the program: R-Log's frames of reasoning, to be reviewed like any other.
pub fn seed_thoughts() -> Vec<Thought> {
    let seeds = seeds().iter().map(|seed| {
        let mut attributes = Map::new();
        attributes.insert("source".into(), json!("R-Log"));
        attributes.insert("kind".into(), json!(seed.kind));
        if let Some(system) = &seed.system {
            attributes.insert("system".into(), json!(system));
        }
        Thought {
            id: seed.id.clone(),
            task: seed.task,
            problem: String::new(),
            analysis: String::new(),
            challenge: seed.challenge.clone(),
            steps: seed.steps.clone(),
            attributes,
        }
    });
    seeds.collect()
}
