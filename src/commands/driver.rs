//! `orchestrate driver`: one trial in a built-in mode or with a load generator, which an agent starts; and `check`.

use std::io;
use std::process::ExitCode;

use crate::cli::{DriverArgs, TalkArgs};
use crate::commands::{Exit, Failure};
use crate::driver::{serve, serve_generator};

/// A trial in a built-in mode.
pub(super) fn driver() -> ExitCode {
    serve(io::stdin().lock(), io::stdout())
}

pub(super) fn command(args: &DriverArgs, _talk: &TalkArgs) -> Result<Exit, Failure> {
    let code = match args.load_generator {
        Some(generator) => serve_generator(generator, &args.argv, io::stdin().lock(), io::stdout()),
        None => driver(),
    };
    Ok(if code == ExitCode::SUCCESS { Exit::Complete } else { Exit::TrialsFailed })
}
