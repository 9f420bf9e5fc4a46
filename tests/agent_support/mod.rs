//! A real agent process to talk to, and shell scripts as drivers.

#![expect(dead_code, reason = "each test program uses a part of this")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use orchestrate::experiment::{Placement, Warmup};
use orchestrate::protocol::*;
use orchestrate::units::Nanos;
use orchestrate::workload::Kind;

/// Longer than anything here takes, so that a hang is a failure and not a wait.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// An agent process, and its coordinator's end of the conversation.
pub(crate) struct Agent {
    pub(crate) process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<AgentLine>,
    pub(crate) notices: Vec<Notice>,
    asked: u64,
}

impl Agent {
    /// Starts an agent whose servers, and whose lock, are below `tmp`; nothing is said yet.
    pub(crate) fn silent(tmp: &Path) -> Self {
        Self::silent_with(tmp, &[])
    }

    /// The same, with these variables in its environment.
    pub(crate) fn silent_with(tmp: &Path, environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
            .arg("agent")
            .env("TMPDIR", tmp)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { break };
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = process.stdin.take();
        Self { process, input, lines, notices: Vec::new(), asked: 0 }
    }

    /// Starts an agent and says hello.
    pub(crate) fn start(tmp: &Path) -> Self {
        let mut agent = Self::silent(tmp);
        agent.call(&hello(Nanos::from_secs(30))).unwrap();
        agent
    }

    pub(crate) fn send<C: Call>(&mut self, call: &C) -> u64 {
        self.asked += 1;
        let args = serde_json::to_value(call).unwrap();
        let mut line =
            serde_json::to_vec(&Request { id: self.asked, call: C::NAME.to_owned(), args }).unwrap();
        line.push(b'\n');
        self.input.as_mut().unwrap().write_all(&line).unwrap();
        self.asked
    }

    /// Waits for one answer. Only the answer that is asked for may come.
    pub(crate) fn reply<C: Call>(&mut self, id: u64) -> Result<C::Reply, AgentError> {
        loop {
            match self.lines.recv_timeout(SOON).expect("the agent answers") {
                AgentLine::Notice(notice) => self.notices.push(notice),
                AgentLine::Response(response) => {
                    assert_eq!(response.id, id);
                    return match response.result {
                        Outcome::Ok(value) => Ok(serde_json::from_value(value).unwrap()),
                        Outcome::Error(error) => Err(error),
                    };
                }
            }
        }
    }

    pub(crate) fn call<C: Call>(&mut self, call: &C) -> Result<C::Reply, AgentError> {
        let id = self.send(call);
        self.reply::<C>(id)
    }

    /// Waits for the next notice.
    pub(crate) fn notice(&mut self) -> Notice {
        match self.lines.recv_timeout(SOON).expect("the agent says something") {
            AgentLine::Notice(notice) => notice,
            AgentLine::Response(response) => panic!("an answer in place of a notice: {response:?}"),
        }
    }

    /// Says anything at all.
    pub(crate) fn say(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Ends the agent's input.
    pub(crate) fn hang_up(&mut self) {
        self.input = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(pid(self.process.id()), signal).unwrap();
    }

    /// Waits for the end of the agent.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the agent does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.hang_up();
        if !std::thread::panicking() {
            self.end();
        } else {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

pub(crate) fn hello(lease: Nanos) -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: "0.0.0".to_owned(),
        holder: "test".to_owned(),
        lease,
        withheld: Vec::new(),
    }
}

pub(crate) fn redis(key: &str) -> ServerStart {
    managed(key, &["--save", "", "--appendonly", "no"])
}

pub(crate) fn managed(key: &str, args: &[&str]) -> ServerStart {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let launch = Launch::Managed {
        program: "redis-server".to_owned(),
        args,
        address: None,
        tls: false,
        masters: None,
        directory: None,
    };
    ServerStart { key: key.to_owned(), launch, fresh: false }
}

/// A server for clients on other hosts.
pub(crate) fn exposed(key: &str, address: &str) -> ServerStart {
    let mut start = redis(key);
    let Launch::Managed { address: reach, .. } = &mut start.launch else { unreachable!("it is managed") };
    *reach = Some(address.parse().unwrap());
    start
}

/// The parts of a driver in the language of the shell.
pub(crate) const READ: &str = "read -r line\n";
pub(crate) const READY: &str =
    "echo '{\"event\":\"ready\",\"client\":\"sh\",\"runtime\":\"sh\",\"workers\":1}'\n";
pub(crate) const DONE: &str =
    "echo '{\"event\":\"done\",\"elapsed_ns\":1000,\"operations\":1,\"errors\":0,\"latency\":null}'\n";

/// A driver that does everything right and nothing else.
pub(crate) fn good() -> String {
    [READ, READY, READ, DONE, "read -r line || exit 0"].concat()
}

/// A trial with a shell script as its driver. Its name is unique on this machine and stands in the command line.
pub(crate) fn trial(script: &str) -> TrialPrepare {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("trial-{}-{count}-", std::process::id());
    let argv = ["sh", "-c", script, &name].map(str::to_owned).to_vec();
    TrialPrepare {
        environment: Default::default(),
        program: Program::Command { argv, directory: "/".into() },
        job: Job {
            protocol: 1,
            mode: "sh".to_owned(),
            server: Endpoint::local(1),
            workload: JobWorkload {
                kind: Kind::SetGet,
                operations: Some(1),
                duration_ns: None,
                value_bytes: None,
                pipeline: 1,
                rate: None,
                verify: true,
                ..JobWorkload::default()
            },
            workers: 1,
            key_prefix: "t:".to_owned(),
            warmup: Warmup::Operations(0),
            seed: 1,
            delete_keys: false,
            options: Default::default(),
        },
        placement: Placement::Free,
        server_key: None,
        timeout: Nanos::from_secs(20),
        trial: name,
    }
}

pub(crate) fn go(trial: &TrialPrepare) -> TrialGo {
    TrialGo { trial: trial.trial.clone(), timeout: Nanos::from_secs(20) }
}

fn pid(raw: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(raw.cast_signed()).unwrap()
}

/// Waits until no process has `mark` in its command line.
pub(crate) fn assert_gone(mark: &str) {
    let deadline = Instant::now() + SOON;
    while let Some(found) = find_process(mark) {
        assert!(Instant::now() < deadline, "process {found} is still there");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process with `mark` in its command line. A zombie has none.
pub(crate) fn find_process(mark: &str) -> Option<u32> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&command).contains(mark).then_some(process)
    })
}

/// What an agent below `tmp` left there, besides the lock.
pub(crate) fn leftovers(tmp: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(tmp).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

/// A connection of our own to a server.
pub(crate) fn connect(endpoint: &Endpoint) -> redis::Connection {
    redis::Client::open((endpoint.host.as_str(), endpoint.port)).unwrap().get_connection().unwrap()
}
