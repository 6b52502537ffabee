//! What every teacher's job needs of the command line: whom to ask, for how much, and showing how it goes.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::local;
use crate::cli::{Failure, interrupt, output};
use crate::model::DeviceChoice;
use crate::teacher::{self, Ask, Ended, Estimate, Event, Job, Ran, Tally, Teacher, TeacherError, Terms};
use crate::workspace::{Money, Workspace};

#[derive(Debug, Args)]
pub(super) struct AskingArgs {
    /// An OpenAI-compatible service, with or without /v1 [default: the project's]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The model's name there [default: the project's]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Ask a model on this machine instead, wearing the adapter of a run if one is named; --model is one that `model list`
    /// knows then
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "", conflicts_with = "endpoint")]
    pub local: Option<String>,
    /// The most that this job may cost, in US dollars; the model's price stands in logwright.toml
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub budget: Option<Money>,
    /// Show the first prompt and the estimated cost, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Requests at a time [default: the project's, or 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: Option<u16>,
}

fn dollars(text: &str) -> Result<Money, String> {
    let number: Option<f64> = text.trim_start_matches('$').parse().ok();
    number.and_then(Money::from_dollars).ok_or_else(|| format!("\"{text}\" is no amount of dollars"))
}

/// A teacher that can be asked, and on which terms.
pub(super) struct Opened {
    /// The teacher.
    pub teacher: Box<dyn Teacher>,
    /// The terms.
    pub terms: Terms,
}

impl AskingArgs {
    /// The model's name.
    pub fn model<'a>(&'a self, workspace: &'a Workspace) -> Result<&'a str, Failure> {
        if self.local.is_some() {
            return Ok(self.model.as_deref().unwrap_or(&workspace.settings().model));
        }
        teacher::model_of(workspace, self.model.as_deref()).map_err(usage)
    }

    /// On which terms the teacher is asked.
    pub fn terms(&self, workspace: &Workspace) -> Result<Terms, Failure> {
        if self.local.is_some() {
            return Ok(local::terms(self.concurrency));
        }
        let mut terms = Terms::of(workspace, self.model(workspace)?, self.budget)?;
        terms.concurrency = self.concurrency.map_or(terms.concurrency, usize::from);
        Ok(terms)
    }

    /// The teacher, ready to be asked.
    pub fn open(&self, workspace: &Workspace) -> Result<Opened, Failure> {
        if let Some(run) = &self.local {
            let run = Some(run.as_str()).filter(|run| !run.is_empty());
            let device = DeviceChoice::default();
            return local::open(self.model.as_deref(), run, &device, self.concurrency, workspace);
        }
        let endpoint =
            teacher::endpoint_of(workspace, self.endpoint.as_deref(), self.model.as_deref()).map_err(usage)?;
        if let Some(warning) = endpoint.warning() {
            output::note(&warning);
        }
        Ok(Opened { terms: self.terms(workspace)?, teacher: Box::new(endpoint) })
    }

    /// Shows the first of these requests and what all would cost.
    pub fn rehearse(&self, job: &str, asks: &[Ask], workspace: &Workspace, as_json: bool) -> Result<(), Failure> {
        let model = self.model(workspace)?;
        let terms = self.terms(workspace)?;
        let estimate = Estimate::of(asks.iter().cloned(), job, model, terms.price, workspace)?;
        if as_json {
            let first = asks.first().map(|ask| &ask.messages);
            return output::json(&json!({
                "model": model, "price": terms.price, "budget": terms.budget, "first_prompt": first, "estimate": estimate,
            }));
        }
        let mut text = String::new();
        for turn in asks.first().map(|ask| ask.messages.as_slice()).unwrap_or_default() {
            let speaker = serde_json::to_value(turn.speaker)?;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "── {} ──\n{}\n", speaker.as_str().unwrap_or_default(), turn.text);
        }
        let Estimate { requests, cached, prompt_tokens, completion_tokens, cost, cost_at_most } = estimate;
        let _ = writeln!(text, "nothing was sent. {model}: {requests} requests, {cached} of them answered already");
        let _ = write!(text, "about {prompt_tokens} tokens to read and {completion_tokens} to write");
        match cost.zip(cost_at_most) {
            Some((cost, most)) => {
                let _ = write!(text, ": about {cost}, at most {most} if nothing has to be asked again");
            }
            None => text.push_str("; the price is unknown ([teacher.prices] in logwright.toml)"),
        }
        output::line(&text)
    }
}

/// Settings that neither the command line nor the project has are wrong usage.
fn usage(error: TeacherError) -> Failure {
    match error {
        TeacherError::Settings(what) => Failure::usage(what),
        other => other.into(),
    }
}

/// Takes items through a job, with progress on standard error; Ctrl-C ends it in good order.
pub(super) fn go<J: Job>(
    job: &J,
    items: &[J::Item],
    opened: &Opened,
    workspace: &Workspace,
) -> Result<Ran<J::Done>, Failure> {
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let mut tell = |event: Event<'_, J::Done>| {
        if let Event::Tally(tally) = event {
            let stopping = if stop.is_set() { "stopping · " } else { "" };
            line.show(&format!("{stopping}{tally}"));
        }
    };
    Ok(teacher::run(job, items, &*opened.teacher, &opened.terms, workspace, &|| stop.is_set(), &mut tell)?)
}

/// The keys that every job's JSON has.
pub(super) fn common_json(opened: &Opened, tally: &Tally, ended: &Ended) -> serde_json::Map<String, Value> {
    let mut map = serde_json::Map::new();
    map.insert("model".into(), json!(opened.teacher.model()));
    map.insert("endpoint".into(), json!(opened.teacher.place()));
    if let Ok(Value::Object(tally)) = serde_json::to_value(tally) {
        map.insert("total".into(), json!(tally["items"]));
        map.extend(tally.into_iter().filter(|(name, _)| name != "under_way" && name != "items"));
    }
    if let Ok(Value::Object(ended)) = serde_json::to_value(ended) {
        map.extend(ended);
    }
    map
}

/// The failure that a job's end is, if it is one.
pub(super) fn failure(ended: &Ended, left: usize) -> Option<Failure> {
    let go_on = "the same command goes on from here, and pays for nothing twice";
    match ended {
        Ended::Whole => None,
        Ended::Stopped => Some(Failure::failed(format!("stopped with {left} left; {go_on}"))),
        Ended::Budget(why) => Some(Failure::failed(format!("{why}; {left} left: with a higher --budget {go_on}"))),
        Ended::Refused(why) | Ended::Store(why) => Some(Failure::failed(format!("{why}; {left} left"))),
    }
}
