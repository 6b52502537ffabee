//! What every teacher's job needs of the command line: whom to ask, for how much, and showing how it goes.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::local;
use crate::cli::{Failure, interrupt, output};
use crate::reasoning::prompt::Turn;
use crate::teacher::{self, Ask, Ended, Estimate, Event, Job, Ran, Tally, Teacher, TeacherError, Terms};
use crate::training::project_device;
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
    /// The most requests in any minute [default: the project's, or no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute: Option<u32>,
    /// The most tokens in any minute, read and written [default: the project's, or no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub tokens_per_minute: Option<u64>,
    /// Ask again what was sent and never answered, though it may have been paid for: what a killed job had under way, broken
    /// connections, replies that were cut
    #[arg(long)]
    pub ask_again: bool,
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
        terms.requests_per_minute = self.requests_per_minute.map(u64::from).or(terms.requests_per_minute);
        terms.tokens_per_minute = self.tokens_per_minute.or(terms.tokens_per_minute);
        terms.ask_again |= self.ask_again;
        Ok(terms)
    }

    /// The teacher, ready to be asked.
    pub fn open(&self, workspace: &Workspace) -> Result<Opened, Failure> {
        if let Some(run) = &self.local {
            let run = Some(run.as_str()).filter(|run| !run.is_empty());
            let device = project_device(Some(workspace))?;
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
        let estimate = Estimate::of(asks.iter().cloned(), job, model, &terms, workspace)?;
        if as_json {
            let first = asks.first().map(|ask| &ask.messages);
            return output::json(&json!({
                "model": model, "price": terms.price, "budget": terms.budget, "first_prompt": first, "estimate": estimate,
            }));
        }
        let mut text = prompt_text(asks.first().map(|ask| ask.messages.as_slice()).unwrap_or_default())?;
        let Estimate { requests, cached, unsettled, prompt_tokens, completion_tokens, cost, cost_at_most } = estimate;
        let _ = write!(text, "nothing was sent. {model}: {requests} requests, {cached} of them answered already");
        let again = if terms.ask_again { "asked again" } else { "left alone without --ask-again" };
        let _ = match unsettled {
            0 => writeln!(text),
            _ => writeln!(text, ", {unsettled} sent before without an answer, perhaps paid for, and {again}"),
        };
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

/// A prompt, turn by turn.
pub(super) fn prompt_text(turns: &[Turn]) -> Result<String, Failure> {
    let mut text = String::new();
    for turn in turns {
        let speaker = serde_json::to_value(turn.speaker)?;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "── {} ──\n{}\n", speaker.as_str().unwrap_or_default(), turn.text);
    }
    Ok(text)
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
pub(super) fn common_json<D>(opened: &Opened, ran: &Ran<D>) -> serde_json::Map<String, Value> {
    let Ran { tally, ended, unsettled, .. } = ran;
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
    map.insert("unsettled_requests".into(), json!(unsettled));
    map
}

/// Says what may have been paid for without an answer, if anything.
pub(super) fn tell_unsettled(tally: &Tally) {
    if tally.unsettled > 0 {
        let most = tally.unsettled_cost.map(|cost| format!(", up to {cost}")).unwrap_or_default();
        output::note(&format!(
            "{} requests may have been paid for{most}: they were sent and no answer is kept; --ask-again asks them again",
            tally.unsettled
        ));
    }
}

/// What is said of answers in free text that nothing could be held against, if there are any.
pub(super) fn told_unchecked(unchecked: usize) -> String {
    match unchecked {
        0 => String::new(),
        n => format!(", {n} unchecked for want of a reference"),
    }
}

/// The failure that requests without an answer are, if there are any; `what` was asked for.
pub(super) fn not_had(failed: usize, what: &str, tally: &Tally) -> Option<Failure> {
    let how = match tally.unsettled {
        0 => "the same command asks for them again".to_owned(),
        n => format!(
            "the same command asks for them again, but for the {n} that may have been paid for: add --ask-again"
        ),
    };
    (failed > 0).then(|| Failure::failed(format!("{failed} {what} could not be had; {how}")))
}

/// The failure that a job's end is, if it is one.
pub(super) fn failure(ended: &Ended, left: usize) -> Option<Failure> {
    let go_on = "the same command goes on from here, and pays for nothing twice";
    match ended {
        Ended::Whole => None,
        Ended::Stopped => Some(Failure::failed(format!("stopped with {left} left; {go_on}"))),
        Ended::Budget(why) => Some(Failure::failed(format!(
            "{why}; {left} left: with a higher budget (--budget, and [teacher] in logwright.toml where that has one) {go_on}"
        ))),
        Ended::Refused(why) | Ended::Store(why) => Some(Failure::failed(format!("{why}; {left} left"))),
    }
}
