//! `orchestrate driver`: one trial in a built-in mode. An agent starts it.

use std::io::BufReader;
use std::process::ExitCode;

use crate::driver::serve;

pub(super) fn driver() -> ExitCode {
    serve(BufReader::new(std::io::stdin()), std::io::stdout().lock())
}
