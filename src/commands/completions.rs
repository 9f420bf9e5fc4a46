//! `orchestrate completions`: what a shell needs to complete our command line.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::commands::{Exit, Failure, console};

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "orchestrate", &mut script);
    console::stdout().write_all(&script)?;
    Ok(Exit::Complete)
}
