//! What the tests of the driver share: a real Redis server, a false one, and a driver process.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use orchestrate::experiment::Warmup;
use orchestrate::protocol::{Done, DriverEvent, Endpoint, FailureKind, Job, JobWorkload, Ready};
use orchestrate::workload::Kind;
use redis::Connection;
use tempfile::TempDir;

/// A redis-server on a free port of 127.0.0.1 and a Unix socket; killed when dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    directory: TempDir,
    password: Option<String>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    pub(crate) fn start_with(password: Option<&str>) -> Self {
        // Somebody else may take the port between the moment it is found free and the server's start.
        (0..10).find_map(|_| Self::try_start(password)).expect("redis-server starts at the tenth attempt")
    }

    fn try_start(password: Option<&str>) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--unixsocket").arg(directory.path().join("s")).arg("--dir").arg(directory.path());
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("redis-server");
        let log = BufReader::new(child.stdout.take().unwrap());
        let ready = log.lines().map_while(Result::ok).any(|line| line.contains("connections at"));
        let redis = Self { child, port, directory, password: password.map(str::to_owned) };
        // Dropped, and so reaped, if its log ended before it was ready.
        ready.then_some(redis)
    }

    pub(crate) fn tcp(&self) -> Endpoint {
        Endpoint { password: self.password.clone(), ..Endpoint::local(self.port) }
    }

    pub(crate) fn unix(&self) -> Endpoint {
        let path = self.directory.path().join("s");
        Endpoint { unix_socket: Some(path.to_str().unwrap().to_owned()), ..self.tcp() }
    }

    /// For looking at the server.
    pub(crate) fn connect(&self) -> Connection {
        let auth = self.password.as_ref().map_or(String::new(), |password| format!("?pass={password}"));
        let path = self.directory.path().join("s");
        let url = format!("redis+unix://{}{auth}", path.display());
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A number out of `INFO <section>`, such as `calls` of `cmdstat_set`; 0 if it is not there.
pub(crate) fn info(connection: &mut Connection, section: &str, line: &str) -> u64 {
    let text: String = redis::cmd("INFO").arg(section).query(connection).unwrap();
    let Some(value) = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':')) else { return 0 };
    let value = value.trim().trim_start_matches("calls=");
    value.split(',').next().unwrap().parse().unwrap()
}

/// Something at a Unix socket that answers every command with the same words; its threads end with the test.
pub(crate) struct FalseServer {
    directory: TempDir,
}

impl FalseServer {
    /// `get` is what GET returns, in the protocol's own form; with `None` nothing is ever answered.
    pub(crate) fn start(get: Option<&'static str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || answer(&stream, get));
            }
        });
        Self { directory }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        let path = self.directory.path().join("s").to_str().unwrap().to_owned();
        Endpoint { unix_socket: Some(path), ..Endpoint::local(0) }
    }
}

/// What a server says of itself to a client that wants RESP3.
const HELLO: &str =
    "%5\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n+id\r\n:1\r\n+mode\r\n+standalone\r\n";

fn answer(stream: &UnixStream, get: Option<&str>) -> Option<()> {
    let mut input = BufReader::new(stream);
    let mut output = BufWriter::new(stream);
    let mut line = String::new();
    let mut number = |input: &mut BufReader<&UnixStream>| -> Option<usize> {
        line.clear();
        input.read_line(&mut line).ok().filter(|&read| read > 0)?;
        line[1..].trim().parse().ok()
    };
    loop {
        let mut words = Vec::new();
        for _ in 0..number(&mut input)? {
            let mut word = vec![0; number(&mut input)? + 2];
            input.read_exact(&mut word).ok()?;
            words.push(word);
        }
        if let Some(get) = get {
            let reply = match words[0].trim_ascii_end() {
                b"GET" => get,
                b"HELLO" => HELLO,
                _ => "+OK\r\n",
            };
            output.write_all(reply.as_bytes()).ok()?;
            output.flush().ok()?;
        }
    }
}

/// One verified operation on one worker without a warm-up.
pub(crate) fn job(mode: &str, server: Endpoint) -> Job {
    Job {
        protocol: 1,
        mode: mode.to_owned(),
        server,
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
        key_prefix: "t1:".to_owned(),
        warmup: Warmup::Operations(0),
        seed: 7,
        delete_keys: false,
        options: Default::default(),
    }
}

/// `orchestrate driver`; killed when dropped.
pub(crate) struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Driver {
    pub(crate) fn start(job: &Job) -> Self {
        Self::start_with(&serde_json::to_string(job).unwrap())
    }

    /// With a line that need not be a job.
    pub(crate) fn start_with(line: &str) -> Self {
        Self::spawn(&mut Command::new(env!("CARGO_BIN_EXE_orchestrate")), line)
    }

    /// By a program that gets the driver's command line behind its own arguments.
    pub(crate) fn start_by(argv: &[&str], job: &Job) -> Self {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).arg(env!("CARGO_BIN_EXE_orchestrate"));
        Self::spawn(&mut command, &serde_json::to_string(job).unwrap())
    }

    fn spawn(command: &mut Command, line: &str) -> Self {
        let mut child = command.arg("driver").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut driver =
            Self { input: child.stdin.take(), output: BufReader::new(child.stdout.take().unwrap()), child };
        driver.say(line);
        driver
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("the input is still open"), "{line}").unwrap();
    }

    /// The next thing it says, if it does say more.
    pub(crate) fn event(&mut self) -> Option<DriverEvent> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    pub(crate) fn ready(&mut self) -> Ready {
        match self.event() {
            Some(DriverEvent::Ready(ready)) => ready,
            other => panic!("{other:?} in place of ready"),
        }
    }

    pub(crate) fn go(&mut self) {
        self.say(r#"{"go":true}"#);
    }

    pub(crate) fn done(&mut self) -> Done {
        let done = match self.event() {
            Some(DriverEvent::Done(done)) => done,
            other => panic!("{other:?} in place of done"),
        };
        assert!(self.child.wait().unwrap().success());
        assert_eq!(self.event(), None);
        done
    }

    pub(crate) fn failed(&mut self) -> (FailureKind, String) {
        let failed = match self.event() {
            Some(DriverEvent::Failed { kind, error }) => (kind, error),
            other => panic!("{other:?} in place of failed"),
        };
        assert!(!self.child.wait().unwrap().success());
        assert_eq!(self.event(), None);
        failed
    }

    /// Closes its input and waits until it is gone.
    pub(crate) fn close(&mut self) -> ExitStatus {
        self.input = None;
        self.child.wait().unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// From job to done.
pub(crate) fn carry_out(job: &Job) -> Done {
    let mut driver = Driver::start(job);
    driver.ready();
    driver.go();
    driver.done()
}
