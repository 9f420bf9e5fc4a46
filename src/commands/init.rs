//! `orchestrate init`: a commented experiment file to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use anyhow::{Context, anyhow};

use crate::cli::InitArgs;
use crate::commands::{Exit, Failure, console};

/// The file that is written; a test parses it.
const STARTER: &str = include_str!("starter.toml");

pub(super) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let shown = args.file.display();
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = match options.open(&args.file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::Wrong(anyhow!(
                "`{shown}` already exists: name another file, or use --force"
            )));
        }
        file => file.with_context(|| format!("failed to write `{shown}`")).map_err(Failure::Wrong)?,
    };
    file.write_all(STARTER.as_bytes())?;
    writeln!(console::styled_stdout(), "wrote {shown}; run it with: orchestrate {shown}")?;
    Ok(Exit::Complete)
}
