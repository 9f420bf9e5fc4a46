//! `orchestrate`.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrate::driver::serve(io::BufReader::new(io::stdin()), io::stdout())
}
