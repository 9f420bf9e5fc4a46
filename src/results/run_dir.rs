//! The directory of a run, and the runs of an experiment.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use jiff::Timestamp;

use crate::results::error::{ResultsError, failed};
use crate::results::journal::{Journal, Torn};
use crate::results::lock::{Holder, Lock};
use crate::results::progress::RunState;

/// The journal's name in a run's directory.
pub const JOURNAL: &str = "journal.jsonl";
/// The name of the experiment's file there.
pub const EXPERIMENT: &str = "experiment.toml";

/// A run's directory, held by this process.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: Lock,
}

impl RunDir {
    /// Makes `<results>/<experiment>/<started-utc>-<host>/`, puts the experiment's text there and begins the journal.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(
        results: &Path,
        experiment: &str,
        text: &str,
        host: &str,
        started: Timestamp,
    ) -> Result<(Self, Journal), ResultsError> {
        let parent = results.join(experiment);
        fs::create_dir_all(&parent).map_err(failed("create", &parent))?;
        let (path, run_id) = fresh_directory(&parent, &run_id(started, host))?;
        let lock = Lock::take(&path, &this_process(host, started))?;
        write_whole(&path.join(EXPERIMENT), text.as_bytes())?;
        let journal = Journal::create(&path.join(JOURNAL), experiment, &run_id)?;
        for directory in [parent.as_path(), results] {
            File::open(directory).and_then(|file| file.sync_all()).map_err(failed("flush", directory))?;
        }
        Ok((Self { path, _lock: lock }, journal))
    }

    /// Takes over the directory of an earlier run to go on with it: what was done there, and what a crash tore off.
    ///
    /// # Errors
    /// When somebody else holds it, or its journal cannot be read.
    pub fn resume(path: &Path, host: &str, now: Timestamp) -> Result<Resumed, ResultsError> {
        let lock = Lock::take(path, &this_process(host, now))?;
        let mut state = RunState::default();
        let (journal, torn) = Journal::resume(&path.join(JOURNAL), |event| state.observe(event))?;
        Ok(Resumed { directory: Self { path: path.to_owned(), _lock: lock }, journal, state, torn })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the experiment's file: when a run goes on, the file may have more cells than before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_experiment(&self, text: &str) -> Result<(), ResultsError> {
        write_whole(&self.path.join(EXPERIMENT), text.as_bytes())
    }
}

/// An earlier run, ready to go on.
#[derive(Debug)]
pub struct Resumed {
    /// Its directory.
    pub directory: RunDir,
    /// Its journal.
    pub journal: Journal,
    /// What was done.
    pub state: RunState,
    /// A last line that was cut off.
    pub torn: Option<Torn>,
}

/// The directories of an experiment's runs, newest first. A directory without a journal is no run.
///
/// # Errors
/// When a directory cannot be read; one that is not there has no runs.
pub fn runs(results: &Path, experiment: &str) -> Result<Vec<PathBuf>, ResultsError> {
    let parent = results.join(experiment);
    let entries = match fs::read_dir(&parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read", &parent))?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("read", &parent))?.path();
        if path.join(JOURNAL).is_file() {
            runs.push(path);
        }
    }
    // The name begins with the moment of the start.
    runs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(runs)
}

/// Writes a file in one piece: whoever reads sees the old one or the new one, whatever happens in between.
pub(super) fn write_whole(path: &Path, contents: &[u8]) -> Result<(), ResultsError> {
    let mut file = AtomicWriteFile::open(path).map_err(failed("write", path))?;
    file.write_all(contents).and_then(|()| file.commit()).map_err(failed("write", path))
}

/// Makes a directory that was not there before: a second run within a second has a number behind its name.
fn fresh_directory(parent: &Path, name: &str) -> Result<(PathBuf, String), ResultsError> {
    let mut attempt = name.to_owned();
    for number in 2.. {
        let path = parent.join(&attempt);
        match DirBuilder::new().create(&path) {
            Ok(()) => return Ok((path, attempt)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                attempt = format!("{name}-{number}");
            }
            Err(error) => return Err(failed("create", &path)(error)),
        }
    }
    unreachable!("there are more numbers than directories")
}

/// Such as `20260309T101500Z-mercury`.
fn run_id(started: Timestamp, host: &str) -> String {
    format!("{}-{}", started.strftime("%Y%m%dT%H%M%SZ"), sanitised(host))
}

/// A host's name as part of a file's name: nothing that a shell, a URL or a file system could take for more than that.
fn sanitised(host: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    let name: String = host.chars().take(64).map(allowed).collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() { "host".to_owned() } else { name.to_owned() }
}

fn this_process(host: &str, since: Timestamp) -> Holder {
    Holder { pid: std::process::id(), host: host.to_owned(), since }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_name_never_leaves_the_directory() {
        assert_eq!(sanitised("mercury.example.org"), "mercury.example.org");
        assert_eq!(sanitised("../../etc"), "etc");
        assert_eq!(sanitised("Ada's Mac Book"), "Ada-s-Mac-Book");
        assert_eq!(sanitised("…"), "host");
        assert_eq!(sanitised(""), "host");
    }

    #[test]
    fn a_run_is_named_after_its_start_and_its_host() {
        let started: Timestamp = "2026-03-09T10:15:00.9Z".parse().unwrap();
        assert_eq!(run_id(started, "mercury"), "20260309T101500Z-mercury");
    }
}
