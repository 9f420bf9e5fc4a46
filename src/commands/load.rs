//! Reads an experiment file and what it includes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;

use crate::commands::Failure;
use crate::driver;
use crate::experiment::{self, Diagnostics, Experiment, Include, MAX_FILE, Source, shipped};
use crate::host::secrets;
use crate::results::run_dir::EXPERIMENT;

/// An experiment and the one self-contained text that says it.
pub(super) struct Loaded {
    pub(super) experiment: Experiment,
    pub(super) text: String,
}

/// Reads and checks the experiment in `file`.
pub(super) fn load(file: &Path) -> Result<Loaded, Failure> {
    let main = read(file)
        .with_context(|| format!("failed to read the experiment file `{}`", file.display()))
        .map_err(Failure::Wrong)?;
    let mut included = Vec::new();
    for (index, include) in experiment::includes(&main).iter().enumerate() {
        included.push(match include {
            Include::File(path) => {
                read(path).map_err(|error| Diagnostics::missing_include(&main, index, &error.to_string()))?
            }
            Include::Builtin(name) => {
                shipped::builtin(name).ok_or_else(|| Diagnostics::unknown_builtin(&main, index))?
            }
        });
    }
    let experiment = experiment::parse(&main, &included, &driver::BUILTIN)?;
    // Whatever is started for it has no need of them: who is to know a password is told.
    secrets::withhold(experiment.password_variables().cloned());
    Ok(Loaded { experiment, text: experiment::resolved_text(&main, &included) })
}

/// Reads a file, and no more of it than tells that it is too large.
fn read(path: &Path) -> io::Result<Source> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    // Commands in a file are looked up from its directory, wherever the program is started.
    let directory = std::path::absolute(path)?.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Source { name: path.display().to_string(), directory: directory.into(), bytes })
}

/// The experiment that an earlier run was made from; `None` if this version cannot read it.
pub(super) fn reload(run: &Path) -> Option<Experiment> {
    let source = read(&run.join(EXPERIMENT)).ok()?;
    experiment::parse(&source, &[], &driver::BUILTIN).ok()
}
