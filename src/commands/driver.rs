//! `orchestrate driver`: one trial in a built-in mode. An agent starts it.

use std::process::ExitCode;

pub(super) fn driver() -> ExitCode {
    crate::driver::serve(std::io::stdin(), std::io::stdout())
}
