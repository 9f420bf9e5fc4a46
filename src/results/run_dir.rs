//! The directory of a run, and the runs of an experiment.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use jiff::Timestamp;

use crate::results::error::{ResultsError, failed};
use crate::results::journal::{Journal, Torn};
use crate::results::lock::{self, FILE as LOCK, Holder, Lock};
use crate::results::progress::RunState;

/// The journal's name in a run's directory.
pub const JOURNAL: &str = "journal.jsonl";
/// The name of the experiment's file there.
pub const EXPERIMENT: &str = "experiment.toml";

/// The files of a run that are written atomically.
const WRITTEN_WHOLE: [&str; 8] = [
    EXPERIMENT,
    "trials.csv",
    "progress.csv",
    "summary.csv",
    "latency.csv",
    "datapackage.json",
    "run.json",
    "report.html",
];

/// A run's directory, held by this process.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// What was created for it, if it is new.
    newborn: Newborn,
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
        let mut newborn = Newborn::default();
        let begun = Self::begin(&mut newborn, results, experiment, text, host, started);
        match begun {
            Ok((path, lock, journal)) => Ok((Self { path, newborn, _lock: lock }, journal)),
            Err(error) => {
                newborn.remove();
                Err(error)
            }
        }
    }

    fn begin(
        newborn: &mut Newborn,
        results: &Path,
        experiment: &str,
        text: &str,
        host: &str,
        started: Timestamp,
    ) -> Result<(PathBuf, Lock, Journal), ResultsError> {
        let parent = results.join(experiment);
        newborn.create_above(&parent)?;
        sweep_unborn(&parent);
        let (path, run_id) = fresh_directory(&parent, &run_id(started, host))?;
        newborn.run = Some(path.clone());
        let lock = Lock::take(&path, &this_process(host, started))?;
        write_whole(&path.join(EXPERIMENT), text.as_bytes())?;
        let journal = Journal::create(&path.join(JOURNAL), experiment, &run_id)?;
        for directory in [parent.as_path(), results] {
            File::open(directory).and_then(|file| file.sync_all()).map_err(failed("flush", directory))?;
        }
        Ok((path, lock, journal))
    }

    /// Removes a new directory in which nothing was kept, and the directories above it that were created for it.
    pub fn discard(self) {
        self.newborn.remove();
    }

    /// Takes over the directory of an earlier run to resume it: returns what was done there, and what a crash cut off.
    ///
    /// # Errors
    /// When somebody else holds it, or its journal cannot be read.
    pub fn resume(path: &Path, host: &str, now: Timestamp) -> Result<Resumed, ResultsError> {
        let lock = Lock::take(path, &this_process(host, now))?;
        sweep_unfinished(path);
        let mut state = RunState::default();
        let (journal, torn) = Journal::resume(&path.join(JOURNAL), |event| state.observe(event))?;
        let directory = Self { path: path.to_owned(), newborn: Newborn::default(), _lock: lock };
        Ok(Resumed { directory, journal, state, torn })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the experiment's file: when a run is resumed, the file may have more cells than before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_experiment(&self, text: &str) -> Result<(), ResultsError> {
        write_whole(&self.path.join(EXPERIMENT), text.as_bytes())
    }
}

/// The directories that were created for a run.
#[derive(Debug, Default)]
struct Newborn {
    /// Those above it, from the outermost one.
    above: Vec<PathBuf>,
    /// Its own.
    run: Option<PathBuf>,
}

impl Newborn {
    /// Creates a directory and any missing directories above it.
    fn create_above(&mut self, directory: &Path) -> Result<(), ResultsError> {
        let missing: Vec<&Path> =
            directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => self.above.push(path.to_owned()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) => return Err(failed("create", path)(error)),
            }
        }
        Ok(())
    }

    /// Removes them, except those in which somebody else has put something in the meantime.
    fn remove(&self) {
        let run = self.run.iter().map(|run| (run, fs::remove_dir_all(run)));
        let above = self.above.iter().rev().map(|path| (path, fs::remove_dir(path)));
        for (path, removed) in run.chain(above) {
            if let Err(error) = removed {
                tracing::debug!("{} is left: {error}", path.display());
            }
        }
    }
}

/// An earlier run, ready to be resumed.
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

/// The directories of an experiment's runs, newest first. A directory without a journal is not a run.
///
/// # Errors
/// When a directory cannot be read; one that does not exist has no runs.
pub fn runs(results: &Path, experiment: &str) -> Result<Vec<PathBuf>, ResultsError> {
    runs_in(&results.join(experiment))
}

/// The runs that a path names: the run itself, or all runs of an experiment's directory, oldest first.
///
/// # Errors
/// When the directory cannot be read.
pub fn named_runs(path: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    if path.join(JOURNAL).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut runs = runs_in(path)?;
    runs.reverse();
    Ok(runs)
}

fn runs_in(parent: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read", parent))?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("read", parent))?.path();
        if path.join(JOURNAL).is_file() {
            runs.push(path);
        }
    }
    // The name begins with the moment of the start.
    runs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(runs)
}

/// Removes what is left by a program that was killed while it wrote a file atomically.
fn sweep_unfinished(run: &Path) {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_unfinished) && entry.path().is_file() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether this is the temporary name of one of a run's files, such as `.trials.csv.a1B2c3`.
fn is_unfinished(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|name| name.rsplit_once('.'));
    parts.is_some_and(|(name, suffix)| {
        WRITTEN_WHOLE.contains(&name)
            && suffix.len() == 6
            && suffix.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// Removes the directories of runs whose program was killed before they had a journal: nothing in them counts, and nobody
/// would ever look at them. A directory that contains anything else is kept.
fn sweep_unborn(parent: &Path) {
    for run in fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let newborn = Path::new(JOURNAL).with_extension("new");
        let is_ours = |name: &str| {
            [LOCK, EXPERIMENT].contains(&name) || newborn == Path::new(name) || is_unfinished(name)
        };
        let names: Option<Vec<String>> = fs::read_dir(&run).ok().map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        });
        let is_unborn = names.is_some_and(|names| {
            names.iter().any(|name| name == LOCK) && names.iter().all(|name| is_ours(name))
        });
        if is_unborn && lock::is_free(&run) {
            tracing::info!("removing {}, which a program that was killed left behind", run.display());
            let _ = fs::remove_dir_all(&run);
        }
    }
}

/// Writes a file atomically: a reader sees the old one or the new one, whatever happens in between.
pub(super) fn write_whole(path: &Path, contents: &[u8]) -> Result<(), ResultsError> {
    let mut file = AtomicWriteFile::open(path).map_err(failed("write", path))?;
    file.write_all(contents).and_then(|()| file.commit()).map_err(failed("write", path))
}

/// Makes a directory that did not exist: a second run within the same second gets a number after its name.
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

/// A host's name as part of a file name, without anything that has a special meaning in a shell, a URL or a file system.
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
    fn what_killed_programs_leave_is_swept_and_nothing_else_is() {
        let results = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = results.path().join("e").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for path in ["dead/.lock", "dead/experiment.toml", "dead/journal.new", "dead/.experiment.toml.a1B2c3"]
        {
            file(path);
        }
        for path in ["held/.lock", "notes/.lock", "notes/diary", "mine/experiment.toml"] {
            file(path);
        }
        let held = File::open(results.path().join("e/held/.lock")).unwrap();
        held.try_lock().unwrap();
        let started: Timestamp = "2026-03-09T10:15:00.9Z".parse().unwrap();
        let (run, journal) = RunDir::create(results.path(), "e", "", "mercury", started).unwrap();
        let there = |path: &str| results.path().join("e").join(path).exists();
        assert_eq!(["dead", "held", "notes", "mine"].map(there), [false, true, true, true]);

        for name in [".trials.csv.a1B2c3", ".trials.csv.swp", ".mine.csv.a1B2c3", "trials.csv"] {
            fs::write(run.path().join(name), "").unwrap();
        }
        let path = run.path().to_owned();
        drop((run, journal));
        RunDir::resume(&path, "mercury", started).unwrap();
        let there = |name: &str| path.join(name).exists();
        let left = [".trials.csv.a1B2c3", ".trials.csv.swp", ".mine.csv.a1B2c3", "trials.csv"].map(there);
        assert_eq!(left, [false, true, true, true]);
    }

    #[test]
    fn a_run_is_named_after_its_start_and_its_host() {
        let started: Timestamp = "2026-03-09T10:15:00.9Z".parse().unwrap();
        assert_eq!(run_id(started, "mercury"), "20260309T101500Z-mercury");
    }
}
