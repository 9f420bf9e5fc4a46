//! `orchestrate schema`: the JSON Schema of experiment files.

use std::io::{self, Write};

use crate::commands::{Exit, Failure};
use crate::experiment;

pub(super) fn schema() -> Result<Exit, Failure> {
    io::stdout().write_all(experiment::schema().as_bytes())?;
    Ok(Exit::Complete)
}
