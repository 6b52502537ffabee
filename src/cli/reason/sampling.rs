//! How the tokens of an answer are drawn, as flags.

use clap::Args;

use crate::cli::Failure;
use crate::model::Sampling;

#[derive(Debug, Args)]
pub(super) struct SamplingArgs {
    /// 0 takes the most probable token every time
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Draw from this many best tokens only, at a temperature above 0
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Draw from the best tokens that together have this probability
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Draw from the tokens that have at least this share of the best one's probability
    #[arg(long, value_name = "P")]
    min_p: Option<f64>,
    /// Above 1, make tokens that were there before less likely
    #[arg(long, value_name = "R", default_value_t = 1.0)]
    repetition: f64,
    /// Decides what is drawn at a temperature above 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl SamplingArgs {
    /// The settings, if they can work.
    pub(super) fn settings(&self) -> Result<Sampling, Failure> {
        let Self { temperature, top_k, top_p, min_p, repetition, seed } = *self;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(Failure::usage("--temperature is 0 or more"));
        }
        if top_k == Some(0) {
            return Err(Failure::usage("--top-k is 1 or more"));
        }
        for (flag, share) in [("--top-p", top_p), ("--min-p", min_p)] {
            if share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
                return Err(Failure::usage(format!("{flag} is above 0 and at most 1")));
            }
        }
        if !(repetition.is_finite() && repetition > 0.0) {
            return Err(Failure::usage("--repetition is above 0"));
        }
        Ok(Sampling { temperature, top_k, top_p, min_p, repetition, seed })
    }
}
