//! `logwright teacher rationales|thoughts|corrections|imitate|status`

mod asking;
mod corrections;
mod imitate;
mod local;
mod rationales;
mod shared;
mod status;
mod thoughts;

use clap::{Args, Subcommand};

use super::{Context, Failure};

#[derive(Debug, Args)]
pub(super) struct TeacherArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Let a teacher write rationales for logs whose answer is known; right ones wait for review, wrong ones are flagged
    Rationales(Box<rationales::RationalesArgs>),
    /// Let a teacher find the first wrong step of wrong rationales and contested traces, and rebuild from there: pairs that
    /// wait for review
    Corrections(Box<corrections::CorrectionsArgs>),
    /// Let a tuned model solve logs whose answer is known: right solutions wait for review, wrong ones for a correction
    Imitate(Box<imitate::ImitateArgs>),
    /// Let a teacher distil thoughts from a handbook's cases and from the project's right reasoning; they wait for review
    Thoughts(Box<thoughts::ThoughtsArgs>),
    /// What teachers have written and cost so far, by model
    Status(status::StatusArgs),
}

pub(super) fn run(args: &TeacherArgs, context: &Context) -> Result<(), Failure> {
    match &args.what {
        What::Rationales(args) => rationales::run(args, context),
        What::Corrections(args) => corrections::run(args, context),
        What::Imitate(args) => imitate::run(args, context),
        What::Thoughts(args) => thoughts::run(args, context),
        What::Status(args) => status::run(args, context),
    }
}
