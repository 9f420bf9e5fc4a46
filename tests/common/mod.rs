//! A place of its own for a test that starts the real program: directory, temporary files, host lock. Whatever was
//! started in it can be found, and nothing may be left of it.

#![expect(dead_code, reason = "every test binary uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes; whoever waits longer has found a defect.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A place of its own.
pub struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        // Short, because paths of Unix sockets are.
        let directory = tempfile::Builder::new().prefix("orc").tempdir_in("/tmp").unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        Self { directory }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, to be started in this place.
    pub fn orchestrate(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
        command
            .args(args)
            .current_dir(self.path())
            .env("TMPDIR", self.path().join("tmp"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.orchestrate(args).output().unwrap()
    }

    pub fn start(&self, args: &[&str]) -> Child {
        let log = || fs::File::options().create(true).append(true).open(self.path().join("output")).unwrap();
        self.orchestrate(args).stdout(log()).stderr(log()).spawn().unwrap()
    }

    /// The directories of the runs of an experiment, oldest first.
    pub fn runs(&self, experiment: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join("results").join(experiment)) else {
            return Vec::new();
        };
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort();
        runs
    }

    /// The attempts in the journal of the newest run, as far as their lines are whole.
    pub fn attempts(&self, experiment: &str) -> Vec<Value> {
        let Some(run) = self.runs(experiment).pop() else { return Vec::new() };
        let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
        journal
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|mut line| line.get_mut("trial").map(Value::take))
            .collect()
    }

    /// The rows of a CSV file of the newest run, each as (column, value).
    pub fn rows(&self, experiment: &str, file: &str) -> Vec<std::collections::BTreeMap<String, String>> {
        let run = self.runs(experiment).pop().unwrap();
        csv::Reader::from_path(run.join(file)).unwrap().deserialize().map(Result::unwrap).collect()
    }

    /// Processes that were started in this place, by any generation: (pid, command line).
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = self.path().as_os_str().as_encoded_bytes();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.windows(mark.len()).any(|window| window == mark) {
                let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
            }
        }
        found
    }

    /// The pid of a process started in this place whose command line contains `words`.
    pub fn process(&self, words: &str) -> Option<i32> {
        self.processes().into_iter().find(|(_, command)| command.contains(words)).map(|(pid, _)| pid)
    }

    /// Waits until nothing that was started in this place is left.
    pub fn expect_nobody_left(&self) {
        wait_until("every process of the test ends", || self.processes().is_empty().then_some(()));
        let left: Vec<_> = fs::read_dir(self.path().join("tmp")).unwrap().flatten().collect();
        let directories: Vec<_> = left.iter().filter(|entry| entry.path().is_dir()).collect();
        assert!(directories.is_empty(), "temporary directories are left: {directories:?}");
    }
}

/// Waits until `ready` has something; panics when that takes longer than anything here may.
pub fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// Sends a signal to one process that the test started.
pub fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
