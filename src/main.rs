//! `orchestrate`: see the library's crate documentation for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrate::commands::main()
}
