//! Flags that several of a teacher's jobs have: each is declared once, so that it means the same everywhere. What differs is
//! a default, which the job's own arguments set.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::reasoning::Task;

/// A temperature.
fn temperature(word: &str) -> Result<f64, String> {
    let temperature: f64 = word.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=10.0).contains(&temperature) { Ok(temperature) } else { Err("not from 0 to 10".into()) }
}

/// How replies are drawn.
#[derive(Debug, Args)]
pub(super) struct SamplingArgs {
    /// How often what is wrong, or cannot be used, is asked for again
    #[arg(long, value_name = "K", default_value_t = 3)]
    pub tries: u32,
    /// How freely to sample
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = temperature)]
    pub temperature: f64,
    /// The most tokens of a reply
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// What sampling starts from; another one asks for other replies
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Which of all there is.
#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    /// Only logs of this dataset
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub limit: Option<usize>,
}

/// One alone, or also what is done already.
#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// Only this one: a template or rationale; for corrections, a rationale or contested trace
    #[arg(long)]
    pub id: Option<String>,
    /// Also what is done: logs with an accepted rationale; for corrections, what a pair rejects already
    #[arg(long)]
    pub again: bool,
}

/// Logs with the truth about them.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Logs with the truth about them (CSV, JSON or JSONL): input, label[, task, instruction, dataset, id] [default: the
    /// project's templates]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Only this task
    #[arg(long)]
    pub task: Option<Task>,
}
