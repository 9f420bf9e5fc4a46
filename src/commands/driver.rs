//! `orchestrate driver`: one trial in a built-in mode. An agent starts it.

use std::io;
use std::process::ExitCode;

use crate::driver::serve;

pub(super) fn driver() -> ExitCode {
    serve(io::stdin().lock(), io::stdout())
}
