//! A place of its own for a test that starts the real program: directory, temporary files, host lock. Whatever was
//! started in it can be found, and nothing may be left of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes; whoever waits longer has found a defect.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A place of its own.
pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        // Short, because paths of Unix sockets are.
        let directory = tempfile::Builder::new().prefix("orc").tempdir_in("/tmp").unwrap();
        private_directory(&directory.path().join("tmp"));
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, to be started in this place.
    pub(crate) fn orchestrate(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
        command
            .args(args)
            .current_dir(self.path())
            .env("TMPDIR", self.path().join("tmp"))
            // What this user may have built is brought nowhere.
            .env("ORCHESTRATE_AGENTS", self.path().join("no-agents"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.orchestrate(args).output().unwrap()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let log = || fs::File::options().create(true).append(true).open(self.path().join("output")).unwrap();
        self.orchestrate(args).stdout(log()).stderr(log()).spawn().unwrap()
    }

    /// The directories of the runs of an experiment, oldest first.
    pub(crate) fn runs(&self, experiment: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join("results").join(experiment)) else {
            return Vec::new();
        };
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort();
        runs
    }

    /// The attempts in the journal of the newest run, as far as their lines are whole.
    pub(crate) fn attempts(&self, experiment: &str) -> Vec<Value> {
        let Some(run) = self.runs(experiment).pop() else { return Vec::new() };
        let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
        journal
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|mut line| line.get_mut("trial").map(Value::take))
            .collect()
    }

    /// The rows of a CSV file of the newest run, each as (column, value).
    pub(crate) fn rows(
        &self,
        experiment: &str,
        file: &str,
    ) -> Vec<std::collections::BTreeMap<String, String>> {
        let run = self.runs(experiment).pop().unwrap();
        csv::Reader::from_path(run.join(file)).unwrap().deserialize().map(Result::unwrap).collect()
    }

    /// Processes that were started in this place, by any generation: (pid, command line).
    ///
    /// Known by their working directory, since a redis-server writes its title over its environment and command line, or
    /// by their directory for temporary files, since an agent that came over ssh starts in a home directory.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let place = self.path().as_os_str().as_encoded_bytes();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let here = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.path()));
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let ours =
                |variable: &[u8]| variable.strip_prefix(b"TMPDIR=").is_some_and(|tmp| tmp.starts_with(place));
            if here || environment.split(|&byte| byte == 0).any(ours) {
                let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
            }
        }
        found
    }

    /// The pid of a process started in this place whose command line contains `words`.
    pub(crate) fn process(&self, words: &str) -> Option<i32> {
        self.processes().into_iter().find(|(_, command)| command.contains(words)).map(|(pid, _)| pid)
    }

    /// Waits until nothing that was started in this place is left.
    pub(crate) fn expect_nobody_left(&self) {
        wait_until("every process of the test ends", || self.processes().is_empty().then_some(()));
        let left: Vec<_> = fs::read_dir(self.path().join("tmp")).unwrap().flatten().collect();
        let directories: Vec<_> = left.iter().filter(|entry| entry.path().is_dir()).collect();
        assert!(directories.is_empty(), "temporary directories are left: {directories:?}");
    }
}

/// A directory where only this user may write, whatever the umask is: a lock is there and nowhere else.
pub(crate) fn private_directory(path: &Path) {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700)
        .recursive(true)
        .create(path)
        .unwrap();
}

/// A redis-server that somebody else runs: the test, not orchestrate. Ends with the test.
pub(crate) struct Foreign {
    child: Child,
    pub(crate) port: u16,
}

impl Foreign {
    /// Starts one on a free port; another may take the port first, and then the next one is tried.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(&[], args)
    }

    /// The same, with words that come before all options, such as a configuration file.
    pub(crate) fn start_with(first: &[&str], args: &[&str]) -> Self {
        wait_until("a server is up", || {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = Command::new("redis-server")
                .args(first)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
                .args(args)
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server is installed");
            while child.try_wait().unwrap().is_none() {
                if listens(port) {
                    return Some(Self { child, port });
                }
                std::thread::yield_now();
            }
            None
        })
    }

    /// A connection to it, without a password.
    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(("127.0.0.1", self.port)).unwrap().get_connection().unwrap()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Whether somebody listens at a port of loopback. A connection from a free port to itself does not count.
pub(crate) fn listens(port: u16) -> bool {
    let connected = std::net::TcpStream::connect(("127.0.0.1", port));
    connected.is_ok_and(|stream| stream.local_addr().ok() != stream.peer_addr().ok())
}

/// Waits until `ready` has something; panics when that takes longer than anything here may.
pub(crate) fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
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
pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().expect("the program ended by itself")
}
