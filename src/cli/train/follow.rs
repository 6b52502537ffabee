//! Follows a run of this process, and says what came of it.

use std::time::Duration;

use crate::cli::interrupt::{self, Interrupt};
use crate::cli::{Failure, output};
use crate::training::{Event, Job, RunState, StepRecord, Summary};
use crate::tui::widgets::duration;

/// How often `train watch` looks at the run's folder, and a run of this process at Ctrl-C.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a line about a step tells beside its loss, where the objective has it: its name in the metrics, and the word here.
const TOLD: [(&str, &str); 5] = [
    ("reward", "reward"),
    ("reward_margin", "margin"),
    ("reward_accuracy", "accuracy"),
    ("answer_accuracy", "accuracy"),
    ("kl", "KL"),
];

/// Follows a run of this process to its end, one progress line on standard error. Ctrl-C stops it with a checkpoint.
pub(super) fn follow(job: Job) -> Result<Summary, Failure> {
    follow_until(job, &interrupt::flag()?)
}

/// The same until `stop` says so.
pub(super) fn follow_until(job: Job, stop: &Interrupt) -> Result<Summary, Failure> {
    let mut line = output::Progress::new();
    let mut steps = 0;
    let mut outcome = Err("the training thread ended without a word".to_owned());
    loop {
        if stop.is_set() {
            job.cancel.cancel();
        }
        match job.events.recv_timeout(LOOK_EVERY) {
            Ok(Event::Preparing(run)) => line.show(&format!("{run}: loading the model and the examples")),
            Ok(Event::Started { run, steps: all, data, note, .. }) => {
                steps = all;
                note.iter().for_each(|note| line.note(note));
                let cut = [(data.truncated, "cut to fit"), (data.left_out, "left out as too long")];
                for (count, what) in cut.into_iter().filter(|(count, _)| *count > 0) {
                    line.note(&format!("{count} examples were {what}"));
                }
                line.show(&format!("{run}: {} examples, {} held out, {all} steps", data.examples, data.held_out));
            }
            Ok(Event::Step { record, eta_seconds }) => line.show(&step_line(&record, steps, Some(eta_seconds))),
            Ok(Event::Sampled(_) | Event::Saved { .. }) => {}
            Ok(Event::Queued(run)) => line.show(&format!("{run}: waiting for its turn; another run trains")),
            Ok(Event::Paused { step }) => line.show(&format!("paused after step {step}")),
            Ok(Event::Ended(end)) => {
                outcome = end;
                break;
            }
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(line);
    job.join();
    outcome.map_err(Failure::failed)
}

/// Prints what came of a run; one that was cancelled is a failure.
pub(super) fn report(summary: &Summary, json: bool) -> Result<(), Failure> {
    if json {
        output::json(summary)?
    } else {
        output::line(&summary_text(summary))?
    }
    match summary.status {
        RunState::Cancelled => {
            let (run, step) = (&summary.run, summary.steps);
            Err(Failure::failed(format!("cancelled after step {step}; `logwright train resume {run}` goes on with it")))
        }
        _ => Ok(()),
    }
}

pub(super) fn step_line(record: &StepRecord, steps: usize, eta_seconds: Option<f64>) -> String {
    let StepRecord { step, loss, learning_rate, tokens_per_second, .. } = record;
    let eta = eta_seconds.map_or_else(String::new, |seconds| format!(" · {} left", duration(seconds)));
    let told: String = TOLD
        .iter()
        .filter_map(|(name, word)| Some(format!(" · {word} {:.3}", record.statistics.get(*name)?)))
        .collect();
    format!(
        "step {step}/{steps} · loss {loss:.4}{told} · lr {learning_rate:.2e} · {tokens_per_second:.0} tokens/s{eta}"
    )
}

fn summary_text(summary: &Summary) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    // What GRPO brings down is the reward's opposite and hardly moves: the reward is what tells.
    let (what, first, last, held_out) = match summary.last_reward {
        Some(_) => ("reward", summary.first_reward, summary.last_reward, summary.dev_reward),
        None => ("loss", summary.first_loss, summary.last_loss, summary.dev_loss),
    };
    let held_out = held_out
        .map_or_else(String::new, |held_out| format!(" (on {} held-out examples: {held_out:.4})", summary.held_out));
    let why = summary.message.as_ref().map_or_else(String::new, |message| format!("\n{message}"));
    format!(
        "{} {} after {} steps in {}: {what} {} (mean of the first 5) to {} (mean of the last 10){held_out}, {:.0} tokens/s{why}\nadapter: {}",
        summary.run,
        summary.status,
        summary.steps,
        duration(summary.seconds),
        number(first),
        number(last),
        summary.tokens_per_second,
        summary.adapter.display()
    )
}
