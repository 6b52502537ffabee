//! `logwright completions SHELL` and `logwright man`

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "logwright", &mut io::stdout());
    Ok(())
}

pub(super) fn man() -> Result<(), Failure> {
    Ok(clap_mangen::Man::new(Cli::command()).render(&mut io::stdout())?)
}
