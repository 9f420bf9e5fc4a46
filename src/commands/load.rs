//! Reads an experiment file and what it includes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;

use crate::commands::Failure;
use crate::driver;
use crate::experiment::{self, Diagnostics, Experiment, Include, MAX_FILE, Source, shipped};
use crate::host::secrets;
use crate::results::run_dir::EXPERIMENT;

/// Files that one file may include.
const MAX_INCLUDES: usize = 100;
/// Bytes in all of them together.
const MAX_INCLUDED: usize = 16 << 20;

/// An experiment and the one self-contained text that describes it.
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
    let mut left = MAX_INCLUDED;
    for (index, include) in experiment::includes(&main).iter().enumerate() {
        let failed = |why: &str| Diagnostics::missing_include(&main, index, why);
        if index == MAX_INCLUDES {
            return Err(failed(&format!("a file includes at most {MAX_INCLUDES} others")).into());
        }
        included.push(match include {
            Include::File(path) => {
                let source = read(path).map_err(|error| failed(&error.to_string()))?;
                left = left.checked_sub(source.bytes.len()).ok_or_else(|| {
                    let most = MAX_INCLUDED >> 20;
                    failed(&format!("with it, the included files together exceed {most} MiB"))
                })?;
                source
            }
            Include::Builtin(name) => {
                shipped::builtin(name).ok_or_else(|| Diagnostics::unknown_builtin(&main, index))?
            }
        });
    }
    let experiment = experiment::parse(&main, &included, &driver::BUILTIN)?;
    // Processes that are started for it have no need of them: whoever has to know a password is told it.
    secrets::withhold(experiment.password_variables().cloned());
    Ok(Loaded { experiment, text: experiment::resolved_text(&main, &included) })
}

/// Reads a file, or as much of it as shows that it is too large.
fn read(path: &Path) -> io::Result<Source> {
    let mut bytes = Vec::new();
    open(path)?.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    // Commands in a file are looked up from its directory, wherever the program is started.
    let directory = std::path::absolute(path)?.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Source { name: path.display().to_string(), directory: directory.into(), bytes })
}

/// Opens a file that can be read without waiting for somebody to write it. What a shell has already opened for this program
/// (`/dev/stdin`, or `/dev/fd/63` for `<(COMMAND)`) may be a pipe.
fn open(path: &Path) -> io::Result<File> {
    let handed_over = [Path::new("/dev/stdin"), Path::new("/dev/fd"), Path::new("/proc/self/fd")]
        .iter()
        .any(|opened| path.starts_with(opened));
    if handed_over {
        return File::open(path);
    }
    // A named pipe that nobody writes to would hold up `open` itself.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(io::Error::other(match () {
        () if kind.is_dir() => "it is a directory, not a file",
        () if kind.is_fifo() => "it is a named pipe: write the text to a file, or hand it over as /dev/stdin",
        () => "it is a device, not a file",
    }))
}

/// The experiment that an earlier run was made from; `None` if this version cannot read it.
pub(super) fn reload(run: &Path) -> Option<Experiment> {
    let source = read(&run.join(EXPERIMENT)).ok()?;
    experiment::parse(&source, &[], &driver::BUILTIN).ok()
}
