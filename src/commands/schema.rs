//! `orchestrate schema`: the JSON Schema of experiment files.

use std::io::Write;

use crate::commands::{Exit, Failure, console};
use crate::experiment;

pub(super) fn schema() -> Result<Exit, Failure> {
    console::stdout().write_all(experiment::schema().as_bytes())?;
    Ok(Exit::Complete)
}
