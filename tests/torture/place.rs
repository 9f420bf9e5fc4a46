//! Where a case happens: a directory of its own, the experiment in it, and a server that somebody else runs.

#![expect(unsafe_code, reason = "a mount namespace cannot be left again, which is what is wanted here")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use crate::waiting::{process, ready};

#[path = "../program/sandbox.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod sandbox;

use sandbox::Foreign;
pub(crate) use sandbox::Sandbox;

/// Nothing here takes as long; whoever does hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Trials of every kind that there is to kill: on a server of its own and on somebody else's, by a built-in client and by one
/// that has a worker process.
const EXPERIMENT: &str = r#"
name = "torture"
[server.theirs]
address = "127.0.0.1:PORT"
[mode.own]
command = ["python3", "driver.py"]
[workload]
operations = 60
[[matrix]]
modes = ["sync", "async-pipe"]
servers = ["redis", "theirs"]
workers = [1, 3]
[[matrix]]
modes = "own"
[run]
repetitions = 2
warmup = 0
retries = 3
timeout = "30s"
"#;

/// Two trials, one after the other.
const SMALL: &str = r#"
name = "torture"
[workload]
operations = 20
[[matrix]]
modes = "sync"
[run]
repetitions = 2
warmup = 0
"#;

/// A driver whose work is done by a process of its own.
const DRIVER: &str = r#"import json, subprocess, sys, time
job = json.loads(sys.stdin.readline())
def say(**event):
    print(json.dumps(event), flush=True)
say(event="ready", client="test", runtime="test", workers=1)
sys.stdin.readline()
start = time.monotonic_ns()
server, n = job["server"], job["workload"]["operations"]
worker = subprocess.run([sys.executable, "worker.py", server["host"], str(server["port"]), job["key_prefix"], str(n)])
if worker.returncode != 0:
    sys.exit("the worker ended with %d" % worker.returncode)
say(event="done", elapsed_ns=time.monotonic_ns() - start, operations=n, errors=0, latency=None)
sys.stdin.read()
"#;

const WORKER: &str = r#"import socket, sys
host, port, prefix, n = sys.argv[1:]
server = socket.create_connection((host, int(port)))
def command(*words):
    server.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words)))
    return server.recv(65536)
for i in range(int(n)):
    command('SET', f'{prefix}0:{i}', str(i)); command('GET', f'{prefix}0:{i}')
"#;

/// Which experiment a case is about.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Size {
    Full,
    Small,
}

/// The place of one case.
pub(crate) struct Place {
    pub(crate) sandbox: Sandbox,
    mounted: Vec<PathBuf>,
    /// What is set for every program that is started here.
    pub(crate) environment: BTreeMap<&'static str, String>,
}

impl Place {
    pub(crate) fn new(size: Size, foreigner: &Foreigner) -> Self {
        let sandbox = Sandbox::new();
        let text = match size {
            Size::Full => EXPERIMENT.replace("PORT", &foreigner.server.port.to_string()),
            Size::Small => SMALL.to_owned(),
        };
        sandbox.write("torture.toml", &text);
        sandbox.write("driver.py", DRIVER);
        sandbox.write("worker.py", WORKER);
        Self { sandbox, mounted: Vec::new(), environment: BTreeMap::new() }
    }

    /// Puts a small disk below the name of a directory here. False where nobody may mount one.
    pub(crate) fn mount(&mut self, name: &str, bytes: u64) -> bool {
        let path = self.sandbox.path().join(name);
        fs::create_dir_all(&path).unwrap();
        let mounted = may_mount()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"])
                .arg(&path)
                .status()
                .is_ok_and(|status| status.success());
        if mounted {
            self.mounted.push(path);
        }
        mounted
    }

    /// Starts the command of this case. What it says is appended to the file `output`.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let log = || {
            fs::File::options().create(true).append(true).open(self.sandbox.path().join("output")).unwrap()
        };
        let mut command = self.sandbox.orchestrate(args);
        command.envs(&self.environment).stdout(log()).stderr(log());
        command.spawn().unwrap()
    }

    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.sandbox.path().join("output")).unwrap_or_default()
    }

    /// The journal of the newest run, if there is one.
    pub(crate) fn journal(&self) -> Option<PathBuf> {
        let mut runs = self.sandbox.runs("torture");
        runs.retain(|run| run.join("journal.jsonl").is_file());
        runs.pop().map(|run| run.join("journal.jsonl"))
    }

    /// How many attempts the journal has.
    pub(crate) fn attempts(&self) -> usize {
        let text = self.journal().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"trial\"")).count()
    }

    /// Sends a signal to a process that was started here, if it is still what it was.
    pub(crate) fn signal(&self, pid: i32, words: &str, signal: Signal) -> bool {
        let Some(handle) = process(pid) else { return false };
        // The number is held by the handle: what is looked at now is what is signalled.
        let is_it =
            self.sandbox.processes().iter().any(|(other, command)| *other == pid && command.contains(words));
        is_it && pidfd_send_signal(&handle, signal).is_ok()
    }

    /// Waits for a program, which may take no longer than anything here does.
    pub(crate) fn wait(&self, child: &mut Child) -> Result<Option<i32>, String> {
        let broken = |error: std::io::Error| error.to_string();
        if let Some(status) = child.try_wait().map_err(broken)? {
            return Ok(status.code());
        }
        // Nobody has waited for it, so that its number is still its own.
        let handle = process(child.id().cast_signed()).ok_or("the program cannot be waited for")?;
        if !ready(&[handle], PATIENCE) {
            let processes = self.sandbox.processes();
            child.kill().map_err(broken)?;
            child.wait().map_err(broken)?;
            return Err(format!("the program does not end: {processes:?}\n{}", self.output()));
        }
        child.wait().map(|status| status.code()).map_err(broken)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for path in &self.mounted {
            let _ = Command::new("umount").arg("-l").arg(path).status();
        }
    }
}

/// Whether this thread and its children are in a mount namespace of their own, where disks may come and go.
fn may_mount() -> bool {
    thread_local! {
        static MINE: OnceLock<bool> = const { OnceLock::new() };
    }
    MINE.with(|mine| {
        *mine.get_or_init(|| {
            if !rustix::process::geteuid().is_root() {
                return false;
            }
            // SAFETY: nothing of this thread depends on the mounts that others make.
            let apart = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
            // What is mounted here is seen by nobody else, and gone with the last process that sees it.
            apart
                && Command::new("mount")
                    .args(["--make-rprivate", "/"])
                    .status()
                    .is_ok_and(|status| status.success())
        })
    })
}

/// The library that makes disks full and clocks step; `None` without a compiler.
pub(crate) fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let shim = SHIM.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shim.so");
        // Processes of other tests make it at the same time.
        let own = library.with_extension(std::process::id().to_string());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/shim.c");
        let compiled =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&own).arg(source).status();
        (compiled.is_ok_and(|status| status.success()) && fs::rename(own, &library).is_ok())
            .then_some(library)
    });
    shim.as_deref()
}

/// A server that somebody else runs, with keys of every type on it.
pub(crate) struct Foreigner {
    server: Foreign,
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Foreigner {
    pub(crate) fn start() -> Self {
        let server = Foreign::start(&["--dir", "/"]);
        let mut connection = server.connection();
        for i in 0..20 {
            for command in [
                format!("SET theirs:s{i} value{i}"),
                format!("RPUSH theirs:l{i} a b {i}"),
                format!("HSET theirs:h{i} field {i}"),
                format!("SADD theirs:t{i} x y {i}"),
                format!("ZADD theirs:z{i} {i} member"),
                format!("XADD theirs:x{i} 1-1 field {i}"),
                // Such as an earlier version, or another run, may have left.
                format!("SET orchestrate:older-{i}:1:0:0 x"),
            ] {
                let mut words = command.split(' ');
                let mut asked = redis::cmd(words.next().unwrap());
                words.for_each(|word| {
                    asked.arg(word);
                });
                let _: redis::Value = asked.query(&mut connection).unwrap();
            }
        }
        let keys = contents(&mut connection);
        Self { server, keys }
    }

    /// Carries out a command there.
    pub(crate) fn command(&self, command: &str) {
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            asked.arg(word);
        });
        let _: redis::Value = asked.query(&mut self.server.connection()).unwrap();
    }

    /// Keys that were changed or removed, and keys that were left without a word. Removes what was left and told, as whoever
    /// was told does.
    pub(crate) fn examine(&mut self, told: &[String]) -> (Vec<String>, Vec<String>) {
        let mut connection = self.server.connection();
        let now = contents(&mut connection);
        let name = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        let touched =
            self.keys.iter().filter(|(key, value)| now.get(*key) != Some(*value)).map(|(key, _)| name(key));
        let new = now.keys().filter(|key| !self.keys.contains_key(*key)).map(|key| name(key));
        let (told, untold): (Vec<String>, Vec<String>) =
            new.partition(|key| told.iter().any(|prefix| key.starts_with(prefix.as_str())));
        for key in told.iter().chain(&untold) {
            let () = redis::cmd("DEL").arg(key).query(&mut connection).unwrap();
        }
        (touched.collect(), untold)
    }
}

fn contents(connection: &mut redis::Connection) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
    let dump = |key: Vec<u8>| {
        let dump: Option<Vec<u8>> = redis::cmd("DUMP").arg(&key).query(connection).unwrap();
        (key, dump.unwrap_or_default())
    };
    keys.into_iter().map(dump).collect()
}

/// All of a file; empty if there is none.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path) {
        let _ = file.read_to_end(&mut bytes);
    }
    bytes
}
