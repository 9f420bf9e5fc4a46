//! `orchestrate`.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrate::driver::serve(io::stdin().lock(), io::stdout())
}
